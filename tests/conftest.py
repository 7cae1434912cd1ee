"""What all tests may use; and the order of the modules, for `make test` hands each whole to one worker (loadscope)."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from kit.forks import Forks

LONG = frozenset(
    Path(__file__).with_name(name) for name in ("e2e", "faults", "house", "integration", "pages", "simulation")
)
"""Folders whose tests may take seconds."""

# An example is no slower for being wrong: on a busy machine hypothesis' 200 ms an example failed tests of nothing.
settings.register_profile("tillside", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tillside")


@pytest.fixture(scope="module")
def forks() -> Iterator[Forks]:
    """What runs pytest again and again, for tests of tests."""
    with Forks() as made:
        yield made


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long ones first: one that begins last leaves the other workers idle. Within that, the random order stays.

    What proves that tests notice a mistake asks nothing of the product, and takes a quarter of the time of all: it is
    for `make mutants`, each night and before a release. Beside others, such a test has the mark itself.
    """
    for item in items:
        if "mutants" in item.path.stem:
            item.add_marker(pytest.mark.mutants)
    slow = {item.path for item in items if item.get_closest_marker("slow") or item.get_closest_marker("faults")}
    turns = {path: 0 if path in slow else 1 if _is_long(path) else 2 for path in {item.path for item in items}}
    items.sort(key=lambda item: turns[item.path])


def _is_long(path: Path) -> bool:
    return not LONG.isdisjoint(path.parents)
