"""An installation with a queue of three sales, its service running."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from kit.chain import Chain
from kit.upgrades import Installation

QUEUE = ("before-1", "before-2", "before-3")


@pytest.fixture
def till(tmp_path: Path, chain: Chain) -> Iterator[Installation]:
    """Version 1.0.0 serves."""
    made = Installation(tmp_path / "till", chain)
    try:
        yield made.start().sell(*QUEUE)
    finally:
        made.end()


@pytest.fixture
def no_rehearsal(monkeypatch: pytest.MonkeyPatch) -> None:
    """For what happens after it: a rehearsal starts one more agent."""
    monkeypatch.setattr("till_installer.upgrade.rehearsal.rehearse", lambda *_: None)
