"""When a new version is proven, and when it is given up."""

import pytest

from till_installer.upgrade.health import Judge, Pace

PACE = Pace()


def judged(*looks: tuple[float, bool, int]) -> str:
    """The first verdict over looks of (seconds, good, restarts)."""
    judge = Judge(PACE)
    for at_s, good, restarts in looks:
        verdict = judge.seen(at_s, good=good, restarts=restarts)
        if verdict:
            return verdict
    return ""


def seconds(first: float, last: float, *, good: bool = True, restarts: int = 0) -> list[tuple[float, bool, int]]:
    """A look each second."""
    return [(first + number, good, restarts) for number in range(int(last - first) + 1)]


def test_half_a_minute_of_good_health_without_a_break_proves_a_version() -> None:
    """And nothing shorter."""
    assert judged(*seconds(1, 30)) == ""
    assert judged(*seconds(1, 31)) == "proven"


def test_a_version_that_ends_after_20_s_is_given_up_when_it_ends() -> None:
    """From then on it can't be proven in time any more: nobody waits for its second and third end."""
    assert judged(*seconds(1, 20), (21, False, 1)) == "not_in_time"


def test_an_end_that_no_look_saw_counts_by_the_service_manager() -> None:
    """It was good at one look and at the next, and another process between them."""
    assert judged(*seconds(1, 20), (21, True, 1)) == "not_in_time"


def test_one_early_restart_is_forgiven() -> None:
    """What comes up at the second try and stays is proven."""
    assert judged((1, True, 0), (2, False, 1), *seconds(3, 33, restarts=1)) == "proven"


def test_more_than_two_restarts_are_too_many() -> None:
    """Two are not."""
    assert judged((0.1, False, 1), (0.2, False, 2), (0.3, True, 2)) == ""
    assert judged((0.1, False, 1), (0.2, False, 2), (0.3, False, 3)) == "restarts"


def test_more_than_four_missed_looks_are_too_many() -> None:
    """Once it was well; until then it may take its time to start."""
    missed = [(number, False, 0) for number in range(2, 6)]
    assert judged((1, True, 0), *missed) == ""
    assert judged((1, True, 0), *missed, (6, False, 0)) == "missed"


def test_getting_bad_again_more_than_three_times_is_flip_flop() -> None:
    """Though each time is short."""
    looks = [(number / 10, number % 2 == 0, 0) for number in range(8)]
    assert judged(*looks) == "flip_flop"
    assert judged(*looks[:7]) == ""


def test_a_version_that_never_answers_is_given_up_after_its_time_to_start() -> None:
    """An agent with a damaged journal is up within ten seconds."""
    assert judged(*seconds(0, 15, good=False)) == ""
    assert judged(*seconds(0, 16, good=False)) == "never_ready"


@pytest.mark.parametrize("first_good_s", [0.5, 5.0, 14.9, 20.0, 40.0])
@pytest.mark.parametrize("ends_at_s", [1.0, 10.0, 20.0, 29.0, 44.0])
def test_there_is_a_verdict_before_the_limit_whatever_it_does(first_good_s: float, ends_at_s: float) -> None:
    """The promise of 60 s rests on it: the way back takes the rest."""
    looks = [(at, first_good_s <= at < ends_at_s, 0) for at in (number / 2 for number in range(200))]
    judge = Judge(PACE)
    at_s = next(at for at, good, restarts in looks if judge.seen(at, good=good, restarts=restarts))
    assert at_s <= PACE.limit_s
