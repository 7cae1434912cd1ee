"""What tests of pages start from: a browser, and a real till behind its page. See `kit.chromium` for the rest.

`browser` is one Chromium for the module. `forking_chain` and `kit.world.World` bring cloud, agent, scanner and printer
as processes. `kit.chromium.pairing_url` is what `tillside page open PAGE --print` prints: the page with a code that
makes the browser known. `shots` takes pictures; run with TILLSIDE_SHOTS=FOLDER to look at them.
"""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from kit.chromium import Shots, launched
from kit.fixtures import chain, forking_chain

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
