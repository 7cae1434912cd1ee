"""Fixtures for tests with real processes; imported by the conftest of each folder that has such tests."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from kit.chain import Chain
from kit.world import World
from kit.zygote import Zygote


@pytest.fixture(scope="session")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Chain:
    """The chain's files, made once by the real commands, whatever folder and worker asks first."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "chain"
    folder.mkdir(exist_ok=True)
    return Chain(folder)


@pytest.fixture(scope="session")
def forking_chain(chain: Chain) -> Iterator[Chain]:
    """The same; agents and clouds of its worlds are forked of one process that has imported them."""
    with Zygote() as zygote:
        yield chain.with_zygote(zygote)


@pytest.fixture
def world(tmp_path: Path, chain: Chain) -> Iterator[World]:
    """A fresh world with nothing running yet."""
    with World(tmp_path, chain) as made:
        yield made
