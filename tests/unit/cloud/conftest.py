"""The chain that most of these tests begin with; a module that wants other rules, or another chain, says so itself."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from till_loyalty.programme import Programme
from unit.cloud.cloud_kit import Till
from unit.cloud.grants_kit import LendingChain, lending


@pytest.fixture
def rules() -> Programme:
    """What `world` sells by."""
    return lending()


@pytest.fixture
def world(tmp_path: Path, rules: Programme) -> Iterator[LendingChain]:
    """A chain that lends points. Its ledger has to add up after each test."""
    made = LendingChain(tmp_path / "c.db", rules=rules)
    try:
        yield made
        made.sound()
    finally:
        made.centre.close()


@pytest.fixture
def till(world: LendingChain) -> Till:
    """A till that takes grants; m-1 has 1000 points."""
    world.member("m-1", points=1000)
    return world.taker()
