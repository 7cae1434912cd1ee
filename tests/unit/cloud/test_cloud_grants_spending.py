"""Grants at the cloud: lent to a till's journal, spent there without asking, given back by that journal alone."""

import pytest

from till_cloud.exceptions import RefusedError
from till_cloud.jobs import JobsDone, run_jobs
from till_loyalty.exceptions import InvariantError
from unit.cloud.cloud_kit import Till
from unit.cloud.grants_kit import LendingChain, covered, lending, release


def test_a_member_who_shops_here_is_granted_their_points(world: LendingChain, till: Till) -> None:
    """The job lends what is free to the tills of the store, and the till's page tells it."""
    world.visit(till, "m-1", "v")
    world.lend()

    told = world.grant_of(till, "m-1")
    assert told is not None
    assert (told.points, told.epoch, told.recall) == (1010, 1, 0)
    assert world.granted("m-1") == 1010


def test_running_the_job_again_changes_nothing(world: LendingChain, till: Till) -> None:
    """It comes by the members that it moved once more, and lends nothing twice."""
    world.visit(till, "m-1", "v")
    world.lend()
    before = world.centre.position()
    world.lend()

    assert world.centre.position() == before


def test_a_till_that_does_not_ask_for_grants_gets_none(world: LendingChain) -> None:
    """A till of a former release would never give them back."""
    world.member("m-2", points=500)
    old = world.till("old")
    old.sale("a", "m-2", 100)
    old.push()
    world.lend()

    assert world.granted("m-2") == 0


def test_shares_of_several_tills_are_the_balance(world: LendingChain, till: Till) -> None:
    """Nothing is lent twice."""
    other = world.taker("k2")
    world.visit(till, "m-1", "v")
    world.lend()

    mine, theirs = world.row(till, "m-1"), world.row(other, "m-1")
    assert mine is not None
    assert theirs is not None
    assert mine.points + theirs.points == 1010
    assert world.granted("m-1") == 1010


def test_a_grant_pays_a_sale_without_a_hold(world: LendingChain, till: Till) -> None:
    """The points leave the balance and the grant; what is left stays lent."""
    world.give(till, "m-1", 800)
    covered(till, "a", "m-1", 300, "grant")
    result = till.push_last()

    # 300 paid by points, 300 in money earn 30.
    assert (result.status, result.code, result.balance, result.effect_points) == ("applied", "", 730, -270)
    row = world.row(till, "m-1")
    assert row is not None
    assert (row.points, row.used, world.granted("m-1")) == (500, 300, 500)


def test_others_may_not_spend_what_is_granted(world: LendingChain, till: Till) -> None:
    """A hold gets what is free, and no more."""
    world.give(till, "m-1", 800)
    other = world.till("k2")

    assert world.hold(other, "h1", "m-1", 200).points == 200
    answer = world.hold(other, "h2", "m-1", 1)
    assert isinstance(answer, RefusedError)
    assert answer.code == "points_lent"


def test_points_that_are_not_free_can_not_be_granted(world: LendingChain, till: Till) -> None:
    """The ledger itself refuses a share of what somebody else has."""
    world.give(till, "m-1", 800)
    with pytest.raises(InvariantError):
        world.give(world.taker("k2"), "m-1", 201)


def test_more_than_the_grant_is_not_spent(world: LendingChain, till: Till) -> None:
    """The money was taken; no point moves, and staff see it."""
    world.give(till, "m-1", 100)
    covered(till, "a", "m-1", 300, "grant")
    result = till.push_last()

    assert (result.status, result.code, result.effect_points) == ("adjusted", "grant_exceeded", 30)
    assert world.granted("m-1") == 100
    assert world.flags() == ["grant_exceeded"]


def test_a_grant_of_another_till_pays_nothing(world: LendingChain, till: Till) -> None:
    """Each journal has its own."""
    world.give(till, "m-1", 500)
    other = world.taker("k2")
    covered(other, "a", "m-1", 300, "grant")

    assert other.push_last().code == "grant_missing"
    assert world.granted("m-1") == 500


def test_a_release_gives_points_back_once(world: LendingChain, till: Till) -> None:
    """The lesser of what is asked and what is there; a repeat finds nothing."""
    world.give(till, "m-1", 500)
    release(till, "m-1", 700)
    first = till.push_last()
    release(till, "m-1", 1)
    again = till.push_last()

    assert (first.status, first.code, again.status, again.code) == ("applied", "", "applied", "grant_missing")
    assert world.granted("m-1") == 0
    assert world.hold(world.till("k2"), "h", "m-1", 1000).points == 1000


def test_no_time_reclaims_a_grant(world: LendingChain, till: Till) -> None:
    """A till without a line may be spending it right now: a year later its sale still counts."""
    world.give(till, "m-1", 500)
    world.wall.ms += 365 * 86_400_000
    done = run_jobs(
        lambda block: world.centre.write(block).result(), registry=world.centre.registry, wall_ms=world.wall
    )
    assert isinstance(done, JobsDone)
    till.sale("later")
    till.push(len(till.ops), remaining=0)

    assert world.granted("m-1") == 500
    covered(till, "a", "m-1", 500, "grant")
    assert till.push_last().status == "applied"


def test_a_new_journal_writes_the_old_ones_grants_off(world: LendingChain, till: Till) -> None:
    """What may have been spent unseen is written down, and the points are the member's again."""
    world.give(till, "m-1", 500)
    till.new_journal()
    till.sale("b")
    till.push()

    assert world.granted("m-1") == 0
    row = world.row(till, "m-1")
    assert row is not None
    assert (row.points, row.written_off) == (0, 500)
    assert world.rows("SELECT holder, member_id, epoch, points, reason FROM grant_write_offs") == [
        ("k1", "m-1", 1, 500, "epoch")
    ]
    told = world.grant_of(till, "m-1", world.pull(till).next)
    assert told is None


def test_an_old_journals_grant_pays_nothing_in_the_new_one(world: LendingChain, till: Till) -> None:
    """A restored image may still believe in its grant."""
    world.give(till, "m-1", 500)
    till.new_journal()
    covered(till, "b", "m-1", 300, "grant")

    assert till.push_last().code == "grant_missing"
    assert world.granted("m-1") == 0


def test_a_grant_of_the_new_journal_is_not_the_old_ones(world: LendingChain, till: Till) -> None:
    """The row goes over to the epoch that may spend it, with its history."""
    world.give(till, "m-1", 500)
    till.new_journal()
    till.sale("b")
    till.push()
    world.give(till, "m-1", 200)
    covered(till, "c", "m-1", 200, "grant")

    assert till.push_last().status == "applied"
    row = world.row(till, "m-1")
    assert row is not None
    assert (row.epoch, row.points, row.granted, row.written_off, row.used) == (2, 0, 700, 500, 200)


def test_a_return_gives_points_back_to_the_member_not_to_the_grant(world: LendingChain, till: Till) -> None:
    """What was spent from a grant comes back free."""
    world.give(till, "m-1", 500)
    covered(till, "a", "m-1", 500, "grant")
    till.push_last()
    till.take_return("r", "a")
    till.push_last()

    assert world.balances("m-1")[0] == 1000
    assert world.granted("m-1") == 0


def test_a_hold_asks_lent_points_back(world: LendingChain, till: Till) -> None:
    """The holder hears of it with its next page, gives back, and the hold is granted."""
    world.give(till, "m-1", 900)
    cursor = world.pull(till).next
    other = world.till("k2")
    answer = world.hold(other, "h", "m-1", 600)
    assert isinstance(answer, RefusedError)
    assert (answer.code, answer.problem.retryable) == ("points_lent", True)

    told = world.grant_of(till, "m-1", cursor)
    assert told is not None
    assert told.recall == 500
    release(till, "m-1", told.recall)
    till.push_last()
    assert world.hold(other, "h", "m-1", 600).points == 600


def test_nothing_is_lent_while_a_recall_rests(world: LendingChain, till: Till) -> None:
    """What came back is for the receipt that wanted it; later the job lends again."""
    world.visit(till, "m-1", "v")
    world.lend()
    world.hold(world.till("k2"), "h", "m-1", 600)
    release(till, "m-1", 600)
    till.push_last()
    world.lend()
    assert world.granted("m-1") == 410

    world.wall.ms += 120_000
    world.lend()
    assert world.granted("m-1") == 1010


def test_nothing_is_recalled_that_would_not_be_enough(world: LendingChain, till: Till) -> None:
    """A question for more than there is disturbs nobody."""
    world.give(till, "m-1", 900)
    with pytest.raises(RefusedError, match="expected at most 100 points"):
        world.hold(world.till("k2"), "h", "m-1", 5000)
    row = world.row(till, "m-1")
    assert row is not None
    assert row.recall == 0


def test_what_is_lent_is_nobodys_hold(world: LendingChain, till: Till) -> None:
    """Held, for any till, is what receipts keep; what others were lent is called back for whoever asks."""
    other = world.taker("k2")
    world.give(till, "m-1", 600)
    world.give(other, "m-1", 100)
    held = {
        each.name: [row.held for row in world.pull(each).rows if getattr(row, "tags", None) == ()][-1]
        for each in (till, other)
    }

    assert held == {"k1": 0, "k2": 0}


def test_a_former_till_is_sent_no_grants(world: LendingChain, till: Till) -> None:
    """Its decoder would fail on them."""
    world.give(till, "m-1", 600)
    row = world.centre.authenticate(till.name, f"Bearer {till.token}")
    page = world.centre.changes(row, since="", limit=1000)

    assert {type(each).__name__ for each in page.rows} == {"ProgrammeRow", "MemberRow"}
    assert world.rows("SELECT takes_grants FROM tills WHERE till = 'k1'") == [(2,)]


def test_a_programme_that_lends_no_more_asks_everything_back(world: LendingChain, till: Till) -> None:
    """As soon as the holders can."""
    world.give(till, "m-1", 600)
    world.upload(lending(2, offline="refuse"))
    world.lend()

    row = world.row(till, "m-1")
    assert row is not None
    assert row.recall == 600
