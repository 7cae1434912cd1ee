"""Fixtures of the tests with real processes: in this folder they are started so often that they are forked."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from kit.chain import Chain
from kit.fixtures import chain, forking_chain
from kit.world import World

__all__ = ["chain", "forking_chain", "world"]


@pytest.fixture
def world(tmp_path: Path, forking_chain: Chain) -> Iterator[World]:
    """A fresh world with nothing running yet."""
    with World(tmp_path, forking_chain) as made:
        yield made
