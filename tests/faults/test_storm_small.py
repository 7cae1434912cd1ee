"""Many tills come back at once after an outage. Real sync workers and a real cloud; nothing here depends on times."""

from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"

pytestmark = pytest.mark.faults

TILLS = 100
OPS = 20
SOAK_TILLS = 1_000
SOAK_OPS = 100
MOST_PUSHES_AT_ONCE = 64
"""What the cloud takes on; a till that waits for an answer counts, and one that is about to be sent away."""
MOST_RETRIES = 0.2
"""On a machine that has time for its tills. The slots' unit tests show it by a clock in hand."""


@pytest.fixture
def storm(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Plays the storm of the benchmarks, which are beside the tests and no installed package."""
    if not BENCHMARKS.is_dir():
        pytest.skip("the benchmarks are not there")
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    from tillbench.storm import run
    from tillbench.storm_chain import Chain

    def play(folder: Path, tills: int, ops: int, mutant: str = "") -> Any:
        return run(Chain(folder, tills, ops), mutant)

    return play


def stays_within(found: Any) -> None:
    """Invariant 13: one answered probe each, sent away once at most on average, never too many at once."""
    assert found.probes <= found.tills
    assert found.refused + found.failed <= found.tills
    assert found.pushes_at_once <= MOST_PUSHES_AT_ONCE


def test_a_hundred_tills_that_come_back_at_once_stay_within_their_slots(storm: Any, tmp_path: Path) -> None:
    """All is drained, each op once; the run itself raises otherwise."""
    stays_within(storm(tmp_path, TILLS, OPS))


@pytest.mark.mutants
def test_tills_that_hear_no_advice_are_found_out(storm: Any, tmp_path: Path) -> None:
    """Mutant: no spread, no jitter, no heed of Retry-After, at a cloud that gives no slots."""
    with pytest.raises(AssertionError):
        stays_within(storm(tmp_path, TILLS, OPS, "no-jitter"))


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_a_thousand_tills_that_come_back_at_once_stay_within_their_slots(storm: Any, tmp_path: Path) -> None:
    """The same at the size of a chain; the figures are printed."""
    found = storm(tmp_path, SOAK_TILLS, SOAK_OPS)
    print(found.row())
    stays_within(found)
    assert found.retries < MOST_RETRIES, f"{found.refused} refused, {found.failed} failed of {found.pushes}"
