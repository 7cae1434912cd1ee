"""Fixtures for tests with real processes; imported by the conftest of each folder that has such tests."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from kit.chain import Chain
from kit.world import World


@cache
def _chain(folder: Path) -> Chain:
    return Chain(folder)


@pytest.fixture(scope="session")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Chain:
    """The chain's files, made once by the real commands, whatever folder asks first."""
    folder = tmp_path_factory.getbasetemp() / "chain"
    folder.mkdir(exist_ok=True)
    return _chain(folder)


@pytest.fixture
def world(tmp_path: Path, chain: Chain) -> Iterator[World]:
    """A fresh world with nothing running yet."""
    with World(tmp_path, chain) as made:
        yield made
