"""An op that breaks the cloud's own code is rejected alone and for ever; what breaks everything rejects nothing."""

import errno
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from till_cloud.exceptions import RefusedError, StoreUnavailableError
from till_cloud.ingest import poison as rules
from till_cloud.ingest import sales
from till_cloud.store import poison
from till_cloud.verify import verify
from till_loyalty.exceptions import InvariantError, LoyaltyError, invariant
from till_sync.ops import OpId
from unit.cloud.cloud_kit import Chain, Till, chain

SECRET = "+77011234567"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Chain]:
    with chain(tmp_path / "c.db") as made:
        made.member("m-1")
        yield made


@pytest.fixture
def till(world: Chain) -> Till:
    """A till whose first sale has been applied, so that the cloud is known to take sales."""
    one = world.till()
    one.sale("first", "m-1")
    one.push_last()
    return one


Break = Callable[[Callable[[], None]], None]


@pytest.fixture
def breaks(monkeypatch: pytest.MonkeyPatch) -> Break:
    """`breaks(fail)`: sales whose uid begins with "bad" run `fail` when their points have moved already."""

    def install(fail: Callable[[], None]) -> None:
        known = sales.after_sale

        def after_sale(context, op_id, body, *rest):
            known(context, op_id, body, *rest)
            if body.uid.startswith("bad"):
                fail()

        monkeypatch.setattr(sales, "after_sale", after_sale)

    return install


def raising(error: Exception) -> Callable[[], None]:
    def fail() -> None:
        raise error

    return fail


DEFECTS = [
    KeyError(SECRET),
    RecursionError(SECRET),
    OverflowError("Python int too large to convert to SQLite INTEGER"),
    sqlite3.IntegrityError("CHECK constraint failed: balance >= 0"),
    InvariantError("m-1 would have -1 left"),
    AttributeError(SECRET),
]


@pytest.mark.parametrize("error", DEFECTS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("at", [0, 2, 4])
def test_one_op_that_breaks_is_rejected_and_its_neighbours_are_applied(
    world: Chain, till: Till, breaks: Break, error: Exception, at: int
) -> None:
    """Nothing of it is in the ledger, no word of it in the record, and the line goes on behind it."""
    breaks(raising(error))
    for index in range(5):
        till.sale(f"bad-{index}" if index == at else f"s{index}", "m-1")
    results = till.push(2).results
    assert [result.status for result in results] == ["rejected" if i == at else "applied" for i in range(5)]
    assert results[at].code == "poison"
    assert (results[at].effect_points, results[at].member_id) == (0, "m-1")
    assert results[at].balance == 1000 * (1 + at)
    assert world.balances("m-1") == (5000, 0, 0)
    [(seq, reason, detail)] = world.rows("SELECT seq, reason, detail FROM poison")
    assert (seq, reason) == (2 + at, type(error).__name__)
    assert "test_poison_ops" in detail
    assert world.rows("SELECT seq, member_id, detail FROM flags WHERE code = 'poison'") == [(seq, "m-1", detail)]
    assert SECRET not in str(world.rows("SELECT * FROM poison, flags"))
    assert world.rows("SELECT kind, uid FROM ops WHERE seq = ?", seq) == [("sale", f"bad-{at}")]
    assert world.centre.read(verify).breaches == ()
    till.sale("next", "m-1")
    assert till.push_last().status == "applied"


def test_what_breaks_only_when_the_book_is_written_is_found_as_well(world: Chain, till: Till, monkeypatch) -> None:
    """The batch's book is written at its end, where nobody sees whose row it was."""
    known = sales.after_sale

    def after_sale(context, op_id, body, *rest):
        known(context, op_id, body, *rest)
        if body.uid == "bad":
            context.book.on_flush(raising(sqlite3.IntegrityError("CHECK constraint failed")))

    monkeypatch.setattr(sales, "after_sale", after_sale)
    for uid in ("a", "bad", "b"):
        till.sale(uid, "m-1")
    assert [result.code for result in till.push(2).results] == ["", "poison", ""]
    assert world.balances("m-1") == (3000, 0, 0)
    assert world.centre.read(verify).holds


def test_the_verdict_stands_when_the_cloud_is_mended(world: Chain, till: Till, breaks: Break, monkeypatch) -> None:
    """Sent again months later the op is `duplicate` of what it was; its points come by a correction only."""
    with monkeypatch.context():
        breaks(raising(KeyError("x")))
        till.sale("bad", "m-1")
        assert till.push_last().code == "poison"
        monkeypatch.undo()
    for _ in range(2):
        again = till.push_last()
        assert (again.status, again.first, again.code) == ("duplicate", "rejected", "poison")
    assert world.balances("m-1") == (1000, 0, 0)
    assert world.rows("SELECT count(*) FROM poison") == [(1,)]


def test_the_same_batch_gives_the_same_verdicts_whatever_its_cut(tmp_path: Path, breaks: Break) -> None:
    """Op by op, in one batch, or in pairs: the same verdicts, ledger and positions of what was applied."""
    breaks(raising(KeyError("x")))
    seen = []
    for cut in (1, 2, 9):
        with chain(tmp_path / f"{cut}.db") as world:
            world.member("m-1")
            till = world.till()
            for index in range(9):
                till.sale(f"bad-{index}" if index in (3, 7) else f"s{index}", "m-1")
            till.release("h-never")
            results = []
            for first in range(1, 10, cut):
                results += till.push(first, min(9, first + cut - 1)).results
            seen.append(([(each.seq, each.status, each.code) for each in results], world.balances("m-1")))
            assert world.centre.read(verify).holds
    assert seen[0] == seen[1] == seen[2]


ENVIRONMENT = [
    sqlite3.OperationalError("disk I/O error"),
    sqlite3.OperationalError("database or disk is full"),
    sqlite3.OperationalError("interrupted"),
    sqlite3.DatabaseError("database disk image is malformed"),
    MemoryError(),
    OSError(errno.EIO, "input/output error"),
    ImportError("half an upgrade"),
    LoyaltyError("expected an IANA time zone", code="zone_unknown"),
]


@pytest.mark.parametrize("error", ENVIRONMENT, ids=lambda error: f"{type(error).__name__}-{error}"[:40])
def test_an_error_of_the_environment_is_no_verdict(world: Chain, till: Till, breaks: Break, error: Exception) -> None:
    """503 for the batch, nothing of it kept; later it is applied as if nothing had been."""
    wrong = [True]
    breaks(lambda: raising(error)() if wrong[0] else None)
    for uid in ("a", "bad", "b"):
        till.sale(uid, "m-1")
    with pytest.raises((RefusedError, StoreUnavailableError)) as refused:
        till.push(2)
    if isinstance(refused.value, RefusedError):
        assert (refused.value.problem.status, refused.value.code) == (503, "cloud_defect")
        assert refused.value.headers["Retry-After"]
    assert world.rows("SELECT count(*) FROM ops") == [(1,)]
    assert world.rows("SELECT count(*) FROM poison") == [(0,)]
    wrong[0] = False
    assert {result.status for result in till.push(2).results} == {"applied"}


def test_what_works_the_second_time_is_applied(world: Chain, till: Till, breaks: Break) -> None:
    """Twice by itself it must break, besides in the batch: an accident is no property of an op."""
    runs: list[int] = []

    def fails_twice() -> None:
        runs.append(1)
        invariant(len(runs) > 2, "not yet")

    breaks(fails_twice)
    till.sale("bad", "m-1")
    assert till.push_last().status == "applied"
    assert len(runs) == 3
    assert world.rows("SELECT count(*) FROM poison") == [(0,)]


def test_a_release_that_breaks_over_every_sale_rejects_none(world: Chain, breaks: Break) -> None:
    """Nothing of the kind was applied since the start: 503, and the tills keep their day. Mended, all is applied."""
    wrong = [True]
    breaks(lambda: raising(KeyError("x"))() if wrong[0] else None)
    till = world.till()
    till.release("h-1")  # other kinds work, and prove nothing about sales
    for index in range(3):
        till.sale(f"bad-{index}", "m-1")
    for last in (2, 4):
        with pytest.raises(RefusedError) as refused:
            till.push(1, last)
        assert refused.value.problem.status == 503
    assert world.rows("SELECT count(*) FROM ops") == [(0,)]
    wrong[0] = False
    assert till.push().acked_seq == 4
    assert world.balances("m-1") == (3000, 0, 0)


def test_more_than_a_few_are_not_the_ops_fault(world: Chain, till: Till, breaks: Break) -> None:
    """Three of a till within the hour; then it waits, until staff have looked or the hour is over."""
    breaks(raising(KeyError("x")))
    for index in range(rules.TILL_LIMIT + 1):
        till.sale(f"bad-{index}", "m-1")
    with pytest.raises(RefusedError, match="fewer operations"):
        till.push(2)
    assert world.rows("SELECT count(*) FROM ops") == [(1,)]
    till.push(2, 1 + rules.TILL_LIMIT)
    with pytest.raises(RefusedError, match="fewer operations"):
        till.push_last()
    op_id = OpId("k1", 1, 2)

    def mark() -> bool:
        return world.centre.write(
            lambda c: poison.resolve(c, op_id, code="poison", by="Anna", note="seen", now_ms=world.wall())
        ).result()

    assert mark() is True
    assert mark() is False
    assert till.push_last().code == "poison"
    till.sale("bad-later", "m-1")
    with pytest.raises(RefusedError, match="fewer operations"):
        till.push_last()
    world.wall.ms += rules.WINDOW_MS
    assert till.push_last().code == "poison"


def test_a_chain_has_its_limit_too(world: Chain, till: Till, breaks: Break) -> None:
    """Many tills with one each: the release is at fault, and not their receipts."""
    breaks(raising(KeyError("x")))
    for index in range(rules.CHAIN_LIMIT):
        other = world.till(f"p{index}")
        other.sale("bad", "m-1")
        assert other.push_last().code == "poison"
    till.sale("bad", "m-1")
    with pytest.raises(RefusedError) as refused:
        till.push_last()
    assert (refused.value.problem.status, refused.value.code) == (503, "cloud_defect")
    till.new_journal()
    till.sale("good", "m-1")
    assert till.push_last().status == "applied"
