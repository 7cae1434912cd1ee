"""Many tills come back at once after an outage. Real sync workers and a real cloud; nothing here depends on times."""

from pathlib import Path

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


@pytest.fixture
def storm(monkeypatch: pytest.MonkeyPatch):
    """The storm of the benchmarks, which are beside the tests and no installed package."""
    if not BENCHMARKS.is_dir():
        pytest.skip("the benchmarks are not there")
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import tillbench.storm

    return tillbench.storm


def stays_within(found) -> None:
    """Invariant 13: all came within what the cloud gave them, one probe each, and few had to be made again."""
    assert found.probes <= found.tills
    assert found.retries < MOST_RETRIES, f"{found.refused} refused, {found.failed} failed of {found.pushes}"
    assert found.pushes_at_once <= MOST_PUSHES_AT_ONCE


def test_a_hundred_tills_that_come_back_at_once_stay_within_their_slots(storm, tmp_path: Path) -> None:
    """All is drained, each op once; the run itself raises otherwise."""
    stays_within(storm.run(storm.Chain(tmp_path, TILLS, OPS)))


def test_tills_that_hear_no_advice_are_found_out(storm, tmp_path: Path) -> None:
    """Mutant: no spread, no jitter, no heed of Retry-After, at a cloud that gives no slots."""
    with pytest.raises(AssertionError):
        stays_within(storm.run(storm.Chain(tmp_path, TILLS, OPS), "no-jitter"))


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_a_thousand_tills_that_come_back_at_once_stay_within_their_slots(storm, tmp_path: Path) -> None:
    """The same at the size of a chain; the figures are printed."""
    found = storm.run(storm.Chain(tmp_path, SOAK_TILLS, SOAK_OPS))
    print(found.row())
    stays_within(found)
