"""One agent for a module: an enrolled till with Anna and a programme of 5 %, without a cloud."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from integration.bridge.agent_kit import LiveAgent, enrol_by_hand, fill_cache, live_agent, settings_for
from kit.fixtures import chain, world

__all__ = ["agent", "chain", "world"]


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveAgent]:
    """Running."""
    state_dir: Path = tmp_path_factory.mktemp("till")
    enrol_by_hand(state_dir)
    fill_cache(state_dir)
    with live_agent(settings_for(state_dir)) as running:
        yield running
