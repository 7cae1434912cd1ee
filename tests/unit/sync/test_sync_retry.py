"""Back-off, budget, Retry-After and the state of the line: all by injected clock and randomness."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from till_sync.exceptions import (
    AnswerMismatch,
    CloudBusy,
    CloudRefused,
    CloudUnreachable,
    HistoryConflict,
    IdentityRefused,
    NotOurCloud,
)
from till_sync.retry import (
    BUDGET_BURST,
    DOWN_AFTER_FAILURES,
    HALT_PROBE_MS,
    RETRY_BASE_MS,
    RETRY_CAP_MS,
    SHARED_RETRY_SPREAD_MS,
    Backoff,
    Line,
    RetryBudget,
)
from till_sync.retry_after import SHARED_LIMIT_MS, SLOT_LIMIT_MS, RetryAfter, read_retry_after
from unit.sync.sync_fakes import WALL_MS, FixedRandom

SILENT = CloudUnreachable("silent")


def backoff(share: float = 1.0, *, burst: int = 1000) -> Backoff:
    return Backoff(FixedRandom(share), RetryBudget(burst=burst))


@pytest.mark.parametrize(
    ("attempt", "ceiling"), [(1, 500), (2, 1000), (3, 2000), (6, 16_000), (7, 30_000), (99, 30_000)]
)
def test_the_ceiling_of_the_wait_doubles_up_to_the_cap(attempt: int, ceiling: int) -> None:
    """Full jitter draws from 0 to base * 2^(attempt - 1), capped."""
    assert backoff(1.0).delay_ms(SILENT, attempt) == ceiling
    assert backoff(0.0).delay_ms(SILENT, attempt) == 0


@given(seed=st.integers(), attempt=st.integers(1, 10_000))
def test_no_wait_leaves_its_range(seed: int, attempt: int) -> None:
    """Whatever the seed, a wait is between 0 and the cap."""
    delay = Backoff(Random(seed), RetryBudget()).delay_ms(SILENT, attempt)
    assert 0 <= delay <= RETRY_CAP_MS


def test_waits_of_many_tills_are_spread_over_the_whole_range() -> None:
    """Jitter is full: a thousand tills that failed together come back in every tenth of the range."""
    delays = [Backoff(Random(seed), RetryBudget()).delay_ms(SILENT, 5) for seed in range(1000)]
    tenths = {delay * 10 // (RETRY_BASE_MS * 16 + 1) for delay in delays}
    assert tenths == set(range(10))


def test_without_budget_waits_go_to_their_full_length() -> None:
    """When retries eat the budget up, the first wait is as long as the last."""
    policy = Backoff(FixedRandom(0.0), RetryBudget(burst=2))
    assert [policy.delay_ms(SILENT, 1) for _ in range(3)] == [0, 0, RETRY_CAP_MS // 2]


def test_five_successes_earn_one_quick_retry() -> None:
    """Retries stay under a fifth of the requests that succeed."""
    budget = RetryBudget()
    assert [budget.spend() for _ in range(BUDGET_BURST + 1)] == [True] * BUDGET_BURST + [False]
    for _ in range(5):
        budget.earn()
    assert (budget.spend(), budget.spend()) == (True, False)


def test_a_budget_does_not_grow_without_end() -> None:
    """A good month does not pay for a storm."""
    budget = RetryBudget()
    for _ in range(10_000):
        budget.earn()
    assert sum(budget.spend() for _ in range(10_000)) == BUDGET_BURST


def test_a_slot_is_kept_to_the_millisecond() -> None:
    """The slot that the cloud gave to this till alone gets no jitter."""
    error = CloudBusy("busy", retry_after=RetryAfter(12_345, slot=True))
    assert backoff(1.0).delay_ms(error, 9) == 12_345


def test_a_slot_of_zero_is_no_hot_loop() -> None:
    """A cloud that says "now" and fails again is not asked more often than the base wait."""
    error = CloudBusy("busy", retry_after=RetryAfter(0, slot=True))
    assert backoff(0.0).delay_ms(error, 1) == RETRY_BASE_MS


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_a_shared_retry_after_is_never_undercut(share: float) -> None:
    """Seconds of Retry-After are waited out, plus a spread, since everybody else got the same."""
    error = CloudBusy("busy", retry_after=RetryAfter(7_000, slot=False))
    delay = backoff(share).delay_ms(error, 1)
    assert delay == 7_000 + round(SHARED_RETRY_SPREAD_MS * share)


def test_a_retry_after_of_zero_still_backs_off() -> None:
    """Retry-After: 0 from a broken proxy does not switch the back-off off."""
    error = CloudBusy("busy", retry_after=RetryAfter(0, slot=False))
    assert backoff(1.0).delay_ms(error, 8) == RETRY_CAP_MS


@pytest.mark.parametrize(
    "error", [HistoryConflict("x", code="stale_epoch"), IdentityRefused("x", status=401), CloudRefused("x", status=404)]
)
def test_what_a_person_must_mend_is_asked_rarely(error: Exception) -> None:
    """A conflict is looked at again every some minutes, from the first failure on."""
    assert backoff(0.0).delay_ms(error, 1) == HALT_PROBE_MS
    assert HALT_PROBE_MS < backoff(1.0).delay_ms(error, 1) < HALT_PROBE_MS * 1.2


@pytest.mark.parametrize(
    ("text", "expected_ms"),
    [
        ("0", 0),
        ("7", 7_000),
        (" 12 ", 12_000),
        ("120", SHARED_LIMIT_MS),
        ("121", SHARED_LIMIT_MS),
        ("31536000", SHARED_LIMIT_MS),
        ("9" * 5_000, SHARED_LIMIT_MS),
        ("Fri, 31 Dec 9999 23:59:59 GMT", SHARED_LIMIT_MS),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
        ("Thu, 09 Oct 2025 08:53:40 GMT", 20_000),
    ],
)
def test_retry_after_is_read_and_clamped(text: str, expected_ms: int) -> None:
    """Seconds and HTTP dates are understood; the absurd is clamped to an hour, the past to now."""
    asked = read_retry_after({"retry-after": text}, {}, wall_ms=WALL_MS)
    assert asked == RetryAfter(expected_ms, slot=False)


@pytest.mark.parametrize(
    "text", ["", "soon", "-1", "1.5", "1e3", "٣", "0x10", "Thu, 99 Foo 2025", "1 2", "\x00", "9" * 40 + "Z", "Mon" * 99]
)
def test_garbage_in_retry_after_is_ignored(text: str) -> None:
    """What can't be read asks for nothing."""
    assert read_retry_after({"retry-after": text}, {}, wall_ms=WALL_MS) is None


@given(text=st.text(max_size=80), date=st.text(max_size=40))
def test_no_retry_after_raises(text: str, date: str) -> None:
    """Any header gives nothing or a time within the limit, and no error."""
    asked = read_retry_after({"retry-after": text, "date": date}, {}, wall_ms=WALL_MS)
    assert asked is None or 0 <= asked.ms <= SHARED_LIMIT_MS


def test_a_date_is_read_by_the_clock_of_who_wrote_it() -> None:
    """A till whose wall clock is ten years off still waits the twenty seconds that were meant."""
    headers = {"retry-after": "Thu, 09 Oct 2025 08:53:40 GMT", "date": "Thu, 09 Oct 2025 08:53:20 GMT"}
    assert read_retry_after(headers, {}, wall_ms=0) == RetryAfter(20_000, slot=False)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1234, RetryAfter(1234, slot=True)),
        (0, RetryAfter(0, slot=True)),
        (SLOT_LIMIT_MS, RetryAfter(SLOT_LIMIT_MS, slot=True)),
        (10**30, RetryAfter(SLOT_LIMIT_MS, slot=True)),
        (-1, RetryAfter(3_000, slot=False)),
        (True, RetryAfter(3_000, slot=False)),
        ("5", RetryAfter(3_000, slot=False)),
        (1.5, RetryAfter(3_000, slot=False)),
        (None, RetryAfter(3_000, slot=False)),
    ],
)
def test_our_milliseconds_win_over_the_header(value: object, expected: RetryAfter) -> None:
    """`retry_after_ms` of a problem is a slot; anything but a whole number of milliseconds is not one."""
    assert read_retry_after({"retry-after": "3"}, {"retry_after_ms": value}, wall_ms=WALL_MS) == expected


def test_a_line_is_down_after_three_failures_in_a_row() -> None:
    """One lost connection is no outage."""
    line = Line(FixedRandom())
    for failures in range(1, DOWN_AFTER_FAILURES + 1):
        assert not line.down
        line.failed(SILENT if failures % 2 else NotOurCloud("portal"))
    assert line.down
    assert not line.online


def test_the_spread_is_due_once_after_an_outage_and_only_then() -> None:
    """The first work after the line is back waits up to the whole spread, the second not at all."""
    line = Line(FixedRandom(1.0), spread_ms=60_000)
    line.succeeded()
    assert line.take_spread_ms() == 0
    line.failed(SILENT)
    line.succeeded()
    assert line.take_spread_ms() == 0
    for _ in range(DOWN_AFTER_FAILURES):
        line.failed(CloudBusy("503"))
    line.succeeded()
    assert (line.take_spread_ms(), line.take_spread_ms()) == (60_000, 0)


def test_a_cloud_that_gives_slots_is_no_outage() -> None:
    """It directs its load itself: neither probes nor the spread come on top of its slots."""
    line = Line(FixedRandom())
    for _ in range(10):
        line.failed(CloudBusy("draining", retry_after=RetryAfter(900, slot=True)))
    assert not line.down
    assert not line.online
    line.succeeded()
    assert line.take_spread_ms() == 0


def test_a_refusal_by_our_cloud_is_no_outage() -> None:
    """A cloud that answers "no" is reachable: no probing, no spread."""
    line = Line(FixedRandom())
    for _ in range(10):
        line.failed(HistoryConflict("x"))
        line.failed(CloudRefused("x", status=404))
        line.failed(AnswerMismatch("x"))
    assert not line.down
    assert line.online


def test_a_till_that_is_not_taken_for_one_is_not_online() -> None:
    """With a revoked token a hold would fail, so the till does not call itself online."""
    line = Line(FixedRandom())
    line.succeeded()
    line.failed(IdentityRefused("revoked", status=401))
    assert not line.online
    assert not line.down
