"""What tests of pages start from: a browser, and a real till behind its page. See `kit.chromium` for the rest.

`browser` is one Chromium for the module. `forking_chain` and `kit.world.World` bring cloud, agent, scanner and printer
as processes. `kit.chromium.pairing_url` is what `tillside page open PAGE --print` prints: the page with a code that
makes the browser known. `shots` takes pictures; run with TILLSIDE_SHOTS=FOLDER to look at them.
"""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from kit.chain import Chain
from kit.chromium import Shots, launched
from kit.fixtures import chain, forking_chain
from kit.panel import PanelWorld, panel_world

__all__ = ["chain", "forking_chain"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One Chromium for all tests of a module."""
    with launched() as found:
        yield found


@pytest.fixture
def shots() -> Shots:
    """Where pictures go."""
    return Shots()


@pytest.fixture(scope="session")
def panel(tmp_path_factory: pytest.TempPathFactory, forking_chain: Chain) -> Iterator[PanelWorld]:
    """A till with the panel, for all tests of a worker: cloud, line, agent and devices take seconds to come up.

    Sales by the total are on. Tests leave Clara as she is, and look at what others have before they change it.
    """
    with panel_world(tmp_path_factory.mktemp("panel"), forking_chain) as made:
        yield made
