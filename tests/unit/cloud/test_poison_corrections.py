"""Points are corrected by movements of their own, with who and why; verdicts and the rest of the ledger stay."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from till_cloud import adjusting
from till_cloud.adjusting import Adjusted
from till_cloud.exceptions import AdminError
from till_cloud.store import poison
from till_cloud.verify import verify
from till_loyalty.programme import Life
from till_sync.wire import ParkedOp
from unit.cloud.cloud_kit import Chain, chain, programme


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Chain]:
    with chain(tmp_path / "c.db") as made:
        made.member("m-1", points=1000, tags=("card:0123456789abcdef",))
        yield made
        assert made.centre.read(verify).breaches == ()


def adjust(world: Chain, points: int, reference: str = "m-1", **details: object) -> Adjusted:
    named = {"why": "a sale was lost", "by": "Anna", "now_ms": world.wall()} | details
    return world.centre.write(lambda c: adjusting.adjust(c, reference, points, **named)).result()


def test_points_given_and_taken_are_movements_of_their_own(world: Chain) -> None:
    """Gross figures grow on both sides; the record says who and why for ever."""
    given = adjust(world, 500, reference="card:0123456789abcdef")
    taken = adjust(world, -700, why="given twice")
    assert (given.balance, taken.balance) == (1500, 800)
    assert world.rows("SELECT kind, earned, reversed, balance FROM movements ORDER BY position") == [
        ("opening", 1000, 0, 1000),
        ("adjust", 500, 0, 1500),
        ("adjust", 0, 700, 800),
    ]
    kept = world.centre.read(lambda c: adjusting.adjustments(c, "m-1", 10))
    assert [(row.points, row.why, row.made_by, row.position) for row in kept] == [
        (-700, "given twice", "Anna", taken.position),
        (500, "a sale was lost", "Anna", given.position),
    ]


def test_a_correction_reaches_the_tills_with_the_next_page(world: Chain) -> None:
    """The member's row has a new position."""
    done = adjust(world, 1)
    assert world.rows("SELECT position FROM balances WHERE member_id = 'm-1'") == [(done.position,)]


def test_nobody_comes_below_zero_unless_told(world: Chain) -> None:
    """What is not there is refused; with a debt allowed it is owed, and paid from what is earned next."""
    with pytest.raises(AdminError, match="--into-debt"):
        adjust(world, -1001)
    assert world.balances("m-1") == (1000, 0, 0)
    assert adjust(world, -1001, into_debt=True).balance == -1
    assert world.balances("m-1") == (0, 0, 1)
    assert adjust(world, 3).balance == 2


def test_points_held_for_a_receipt_are_left_alone(world: Chain) -> None:
    """A cashier was promised them."""
    till = world.till()
    world.hold(till, "h-1", "m-1", 600)
    with pytest.raises(AdminError, match="not held"):
        adjust(world, -401)
    assert adjust(world, -400).balance == 600
    assert world.balances("m-1") == (600, 600, 0)


def test_points_given_live_as_the_programme_says(world: Chain) -> None:
    """They expire as points of a sale of that day."""
    world.upload(programme(2, life=Life(expires_after_days=10)))
    position = adjust(world, 50).position
    [(expires,)] = world.rows("SELECT expires_at_ms FROM lots WHERE position = ?", position)
    assert world.wall() < expires <= world.wall() + 12 * 86_400_000


def test_a_correction_of_a_rejected_op_marks_it_and_is_made_once(world: Chain) -> None:
    """A second command, typed by a second person, finds out; the verdict stays what it was."""
    till = world.till()
    till.sale("a", "m-1")
    till.push_last()
    till.sale("a", "m-1")
    assert till.push_last().code == "sale_repeated"
    listed = world.centre.read(lambda c: poison.rejected(c, till="", everything=False, limit=9))
    assert [(row.op, row.code, row.uid) for row in listed] == [("k1:1:2", "sale_repeated", "a")]
    adjust(world, 10, about="k1:1:2")
    assert world.rows("SELECT about_uid FROM movements WHERE kind = 'adjust'") == [("a",)]
    assert world.centre.read(lambda c: poison.rejected(c, till="k1", everything=False, limit=9)) == []
    [row] = world.centre.read(lambda c: poison.rejected(c, till="k1", everything=True, limit=9))
    assert (row.resolved_by, row.note) == ("Anna", "10 points: a sale was lost")
    with pytest.raises(AdminError, match="already"):
        adjust(world, 10, about="k1:1:2")
    assert adjust(world, 10, about="k1:1:2", again=True).balance == 2020
    assert till.push_last().first == "rejected"


@pytest.mark.parametrize(
    ("points", "details", "words"),
    [
        (0, {}, "other than 0"),
        (10**14, {}, "at most"),
        (1, {"why": " "}, "--why"),
        (1, {"by": "x" * 501}, "--by"),
        (1, {"reference": "m-none"}, "nobody"),
        (1, {"reference": "card:ffffffffffffffff"}, "nobody"),
        (1, {"about": "k1:1"}, "such as K1:1:17"),
        (1, {"about": "k1:0:-7"}, "such as K1:1:17"),
        (1, {"about": "k1:1:77"}, "has come"),
    ],
)
def test_a_command_that_makes_no_sense_changes_nothing(
    world: Chain, points: int, details: dict[str, str], words: str
) -> None:
    with pytest.raises(AdminError, match=words):
        adjust(world, points, **details)
    assert world.rows("SELECT count(*) FROM movements") == [(1,)]
    assert world.rows("SELECT count(*) FROM adjustments") == [(0,)]


def test_only_rejected_ops_are_marked_and_the_first_mark_stays(world: Chain) -> None:
    """An op that was applied needs no mark, and who looked first is who looked."""
    till = world.till()
    till.sale("a", "m-1")
    till.push_last()
    till.void("never")
    assert till.push_last().status == "rejected"

    def mark(op: str, by: str) -> bool:
        return world.centre.write(
            lambda c: adjusting.resolve(c, op, by=by, note="in order", now_ms=world.wall())
        ).result()

    assert mark("k1:1:2", "Anna") is True
    assert mark("k1:1:2", "Boris") is False
    assert world.rows("SELECT resolved_by FROM poison") == [("Anna",)]
    for op in ("k1:1:1", "k1:1:9"):
        with pytest.raises(AdminError, match="rejected operation"):
            mark(op, "Anna")


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        ("UPDATE adjustments SET points = points + 1", "corrections_are_movements"),
        ("DELETE FROM adjustments", "corrections_are_movements"),
        ("DELETE FROM poison", "what_is_put_aside_is_rejected"),
        ("UPDATE poison SET seq = 1", "what_is_put_aside_is_rejected"),
    ],
)
def test_a_record_that_does_not_fit_the_ledger_is_found(tmp_path: Path, sql: str, code: str) -> None:
    """`cloud verify` compares corrections with their movements, and what was put aside with its verdict."""
    with chain(tmp_path / "other.db") as world:
        world.member("m-1")
        till = world.till()
        till.sale("a", "m-1")
        till.sale("b", "m-1")
        till.push(1, 1)
        stands = ParkedOp(uid="b", op_kind="sale", size_bytes=9, reason="internal_error")
        word = replace(till.ops[1], body=msgspec.Raw(msgspec.json.encode(stands)), parked=True)
        world.centre.push("k1", till.request(2, 2, protocol=3, ops=(word,))).result()
        adjust(world, 10, about="k1:1:2")
        adjust(world, -3)
        assert world.centre.read(verify).breaches == ()
        world.centre.write(lambda c: c.execute(sql)).result()
        assert {breach.code for breach in world.centre.read(verify).breaches} == {code}
