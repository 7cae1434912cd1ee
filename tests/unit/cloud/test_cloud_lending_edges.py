"""Offline spending at its edges: mad numbers, lives of journals, what the staff see of tills that never come back."""

import pytest

from till_cloud.exceptions import RefusedError
from till_sync.ops import GrantReleaseBody, encode_body
from unit.cloud.cloud_kit import Till
from unit.cloud.grants_kit import LendingChain, covered, release

LARGEST = 2**53 - 1


@pytest.mark.parametrize("points", [-1, -(2**53), 0, LARGEST, 2**63 - 1, 2**63, 10**30])
def test_a_release_of_a_mad_number_moves_no_more_than_the_grant(world: LendingChain, till: Till, points: int) -> None:
    """It is refused, or gives back what is there; never less than nothing, and the line moves on."""
    world.give(till, "m-1", 500)
    raw = encode_body(GrantReleaseBody(**till.common("r"), member_id="m-1", points=77))
    till.add_raw(raw.replace(b"77", str(points).encode()))
    result = till.push_last()
    assert (result.status, result.code) in (("applied", ""), ("applied", "grant_missing"), ("rejected", "body_invalid"))
    assert 0 <= world.granted("m-1") <= 500
    assert world.balances("m-1") == (1000, 0, 0)
    till.sale("next", "m-1", 100)
    assert till.push_last().status == "applied"


@pytest.mark.parametrize("points", [1, LARGEST])
def test_a_request_for_a_mad_number_gets_what_is_free(world: LendingChain, till: Till, points: int) -> None:
    assert world.ask(till, points).grant.points == min(points, 1000)


def test_sales_that_spent_a_grant_and_come_late_with_their_own_journal_are_paid(
    world: LendingChain, till: Till
) -> None:
    """What was salvaged of a journal is sent first, by its own epoch: its grants stand until the next one begins."""
    world.give(till, "m-1", 500)
    covered(till, "a", "m-1", 300, "grant")
    covered(till, "b", "m-1", 200, "grant")
    assert [result.code for result in till.push(2).results] == ["", ""]
    till.new_journal()
    till.sale("c")
    till.push()
    assert world.balances("m-1") == (1000 - 500 + 50, 0, 0)
    assert world.rows("SELECT count(*) FROM grant_write_offs") == [(0,)]


def test_a_repeat_of_the_first_push_of_a_journal_writes_nothing_off_again(world: LendingChain, till: Till) -> None:
    """Its answer was lost; meanwhile the till was lent more, to its new journal."""
    world.give(till, "m-1", 500)
    till.new_journal()
    till.sale("c")
    till.push()
    world.give(till, "m-1", 200)
    till.push()
    assert world.granted("m-1") == 200
    assert world.rows("SELECT points FROM grant_write_offs") == [(500,)]
    till.new_journal()
    till.sale("d")
    till.push()
    till.push()
    assert world.rows("SELECT epoch, points FROM grant_write_offs ORDER BY epoch") == [(1, 500), (2, 200)]


def test_a_voucher_is_paid_once_in_two_journals(world: LendingChain, till: Till) -> None:
    """The second sale is staff's business; no point moves twice."""
    voucher, _ = world.voucher(300)
    covered(till, "a", "m-1", 300, "voucher", voucher=voucher)
    assert till.push_last().code == ""
    till.new_journal()
    covered(till, "b", "m-1", 300, "voucher", voucher=voucher)
    assert till.push_last().code == "voucher_used"
    assert world.granted("m-1") == 0


def test_members_merge_with_everything_out(world: LendingChain, till: Till) -> None:
    """A grant, a voucher, a hold of the one kept: their sales and releases still find their points."""
    world.member("m-2", points=400)
    world.give(till, "m-1", 500)
    voucher, _ = world.voucher(300)
    world.hold(till, "h", "m-2", 100)

    world.merge("m-1", "m-2")
    world.sound()
    covered(till, "a", "m-1", 200, "grant")
    covered(till, "b", "m-1", 300, "voucher", voucher=voucher)
    till.sale("c", "m-2", 200, redeem=100, hold="h")
    release(till, "m-1", 300)
    assert [(each.status, each.code) for each in till.push(2).results] == [("applied", "")] * 4
    # 600 were spent; the money of three receipts earned 10 %.
    assert world.balances("m-2") == (1400 - 600 + 20 + 30 + 10, 0, 0)
    assert world.granted("m-2") == 0


def test_two_tills_that_call_back_from_each_other_both_get_through(world: LendingChain, till: Till) -> None:
    """Each wants more than it has; whoever is first is served, and the other hears what is left: nobody loops."""
    other = world.taker("k2")
    world.give(till, "m-1", 500)
    world.give(other, "m-1", 500)
    for who, name in ((till, "h1"), (other, "h2")):
        answer = world.hold(who, name, "m-1", 700)
        assert isinstance(answer, RefusedError)
        assert answer.code == "points_lent"
    for each in (till, other):
        row = world.row(each, "m-1")
        assert row is not None
        release(each, "m-1", row.recall)
        each.push_last()
        world.lend()
    assert world.granted("m-1") == 0
    assert world.hold(till, "h1", "m-1", 700).points == 700
    with pytest.raises(RefusedError) as caught:
        world.hold(other, "h2", "m-1", 700)
    assert (caught.value.code, caught.value.problem.extras["available"]) == ("insufficient_points", 300)
