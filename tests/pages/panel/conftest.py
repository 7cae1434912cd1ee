"""A till with the panel, for all tests of a worker: its parts are processes, which take seconds to come up.

Tests leave Clara as she is, and look at what others have before they change it.
"""

from collections.abc import Iterator

import pytest

from kit.chain import Chain
from kit.panel import PanelWorld, panel_world


@pytest.fixture(scope="session")
def panel(tmp_path_factory: pytest.TempPathFactory, forking_chain: Chain) -> Iterator[PanelWorld]:
    """Cloud, line, agent, scanner and printer; sales by the total are on."""
    with panel_world(tmp_path_factory.mktemp("panel"), forking_chain) as made:
        yield made
