"""Grants when members merge, when staff give them up, and when a till asks for one."""

import pytest

from till_cloud.exceptions import AdminError, RefusedError
from till_cloud.granting import revoke
from unit.cloud.cloud_kit import Till
from unit.cloud.grants_kit import LendingChain, covered, lending, release


def test_grants_go_over_with_a_merged_member(world: LendingChain, till: Till) -> None:
    """The till's sale that still names the old one is paid from the new one's grant."""
    world.member("m-2", points=50)
    world.give(till, "m-1", 600)
    world.give(till, "m-2", 20)
    world.merge("m-1", "m-2")

    assert (world.granted("m-1"), world.granted("m-2")) == (0, 620)
    covered(till, "a", "m-1", 610, "grant")
    result = till.push_last()
    assert (result.status, result.member_id) == ("applied", "m-2")
    release(till, "m-1", 10)
    assert till.push_last().code == ""
    assert world.granted("m-2") == 0


def test_members_with_a_debt_and_a_grant_do_not_merge_yet(world: LendingChain, till: Till) -> None:
    """A debt would be paid from what a till may be spending."""
    world.member("m-2")
    till.sale("b", "m-2", 10_000)
    till.push_last()
    world.hold(till, "h", "m-2", 1000)
    till.take_return("r", "b")
    till.push_last()
    assert world.balances("m-2")[2] == 1000
    world.give(till, "m-1", 600)

    with pytest.raises(AdminError):
        world.merge("m-1", "m-2")


def test_staff_give_up_what_a_till_has(world: LendingChain, till: Till) -> None:
    """It is written off, and the till gets no more until it is heard of."""
    world.visit(till, "m-1", "v")
    world.lend()
    done = world.centre.write(lambda c: revoke(c, "k1", "", "hand", world.wall())).result()
    world.lend()

    assert done == (1, 1010)
    assert world.granted("m-1") == 0
    assert world.rows("SELECT points, reason FROM grant_write_offs") == [(1010, "hand")]
    covered(till, "a", "m-1", 500, "grant")
    assert till.push_last().code == "grant_missing"
    world.pull(till)
    world.visit(till, "m-1", "w")
    world.wall.ms += 120_000
    world.lend()
    assert world.granted("m-1") > 0


def test_a_till_may_ask_for_a_grant(world: LendingChain, till: Till) -> None:
    """So many points in all, or the usual share; never more than is free."""
    assert world.ask(till, 300).grant.points == 300
    assert world.ask(till, 300).grant.points == 300
    assert world.ask(till, 5000).grant.points == 1000
    assert world.granted("m-1") == 1000


def test_a_till_without_a_history_of_the_member_gets_the_usual_share(world: LendingChain, till: Till) -> None:
    """The member is there: that is as good as a purchase."""
    assert world.ask(till).grant.points == 1000


def test_a_till_is_told_why_it_gets_none(world: LendingChain, till: Till) -> None:
    """No such member; no lending; a till that would not hear of it."""
    for code, member, who in (
        ("member_unknown", "m-9", till),
        ("grants_not_taken", "m-1", world.till("k2")),
    ):
        with pytest.raises(RefusedError) as caught:
            world.ask(who, 10, member)
        assert caught.value.code == code
    world.upload(lending(2, offline="refuse"))
    with pytest.raises(RefusedError) as caught:
        world.ask(till, 10)
    assert caught.value.code == "grants_off"
