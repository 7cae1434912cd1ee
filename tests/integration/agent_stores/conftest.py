"""What tests of windows share."""

from pathlib import Path

import pytest

from integration.agent_stores.window_kit import two_stores
from till_sync import digests
from unit.cloud.cloud_kit import Chain


@pytest.fixture
def world(tmp_path: Path) -> Chain:
    """Two stores whose tills hold the members seen there; modules about another chain have their own."""
    return two_stores(tmp_path / "cloud.db")


@pytest.fixture
def short_stretches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of members, and no waiting between two digests."""
    monkeypatch.setattr(digests, "STRETCH_MEMBERS", 7)
    monkeypatch.setattr("till_sync.pull.CHECK_EVERY_MS", 0)
    monkeypatch.setattr("till_cloud.rationing.SHARE", 0)
