"""Vouchers at the cloud: points put aside for one till, taken once, given back when nobody can have taken them."""

import pytest

from till_cloud.exceptions import AdminError
from till_cloud.holding import FORGOTTEN_AFTER_MS
from till_cloud.store import grants, meta
from till_cloud.vouchers import DAY_MS, call_in
from till_sync.vouchers import decode
from unit.cloud.cloud_kit import Till
from unit.cloud.grants_kit import LendingChain, covered


def issued(world: LendingChain, points: int = 400, till: str = "k1", days: int = 10) -> tuple[str, str]:
    """The usual voucher: its id, and its text."""
    return world.voucher(points, till=till, days=days)


def test_a_voucher_says_what_it_is_by_the_clouds_key(world: LendingChain, till: Till) -> None:
    """A till that has the public key needs nobody to believe it."""
    name, text = issued(world)
    found = decode(text, world.centre.read(meta.cloud_key))

    assert found is not None
    assert (found.voucher, found.member_id, found.holder, found.store, found.points) == (name, "m-1", "k1", "s1", 400)
    assert decode(text, "00" * 32) is None
    assert world.granted("m-1") == 400


def test_only_free_points_become_a_voucher(world: LendingChain, till: Till) -> None:
    """What lies elsewhere can't be signed away."""
    world.give(till, "m-1", 700)
    with pytest.raises(AdminError, match="at most 300"):
        issued(world, 301)


@pytest.mark.parametrize(("points", "asked"), [(300, 0), (301, 1), (1_000, 700), (1_001, 0)])
def test_what_lies_at_tills_is_called_in_for_a_voucher(
    world: LendingChain, till: Till, points: int, asked: int
) -> None:
    """As much as is lacking, and nothing where all of it together would not be enough."""
    world.give(till, "m-1", 700)

    assert world.centre.write(lambda c: call_in(c, "m-1", points, now_ms=world.wall())).result() == asked
    assert world.centre.read(lambda c: grants.open_of_member(c, "m-1"))[0].recall == asked


def test_a_voucher_pays_once(world: LendingChain, till: Till) -> None:
    """What it was not needed for is free again; a second sale spends nothing."""
    name, _ = issued(world)
    covered(till, "a", "m-1", 300, "voucher", voucher=name)
    first = till.push_last()
    covered(till, "b", "m-1", 100, "voucher", voucher=name)
    again = till.push_last()

    assert (first.status, first.effect_points) == ("applied", -270)
    assert (again.status, again.code, again.effect_points) == ("adjusted", "voucher_used", 10)
    assert world.granted("m-1") == 0


@pytest.mark.parametrize("code", ["voucher_mismatch", "voucher_missing", "voucher_exceeded"])
def test_a_voucher_pays_only_as_it_says(world: LendingChain, till: Till, code: str) -> None:
    """Another till, another name, more points: no point moves."""
    name, _ = issued(world)
    taker = world.taker("k2") if code == "voucher_mismatch" else till
    points = 500 if code == "voucher_exceeded" else 300
    covered(taker, "a", "m-1", points, "voucher", voucher="v-never-made-x" if code == "voucher_missing" else name)

    assert taker.push_last().code == code
    assert world.granted("m-1") == 400


def test_an_ended_voucher_waits_for_all_that_its_till_has(world: LendingChain, till: Till) -> None:
    """A sale that took it may still be in the till's queue."""
    name, _ = issued(world)
    world.wall.ms += 10 * DAY_MS + FORGOTTEN_AFTER_MS + 1
    till.sale("a")
    till.push_last(remaining=7)
    assert world.granted("m-1") == 400

    covered(till, "b", "m-1", 400, "voucher", voucher=name)
    assert till.push_last(remaining=0).status == "applied"
    assert world.granted("m-1") == 0


def test_an_ended_voucher_goes_back_when_its_till_has_sent_all(world: LendingChain, till: Till) -> None:
    """Not a moment before: its clock and ours may differ."""
    issued(world)
    world.wall.ms += 10 * DAY_MS + FORGOTTEN_AFTER_MS
    till.sale("a")
    till.push_last(remaining=0)
    assert world.granted("m-1") == 400

    world.wall.ms += 1
    till.sale("b")
    till.push_last(remaining=0)
    assert world.granted("m-1") == 0
    assert world.rows("SELECT state, resolved_by FROM vouchers") == [("returned", "expired")]


def test_a_new_journal_takes_no_earlier_voucher(world: LendingChain, till: Till) -> None:
    """What the lost journal may have taken is written off."""
    name, _ = issued(world)
    till.new_journal()
    covered(till, "a", "m-1", 300, "voucher", voucher=name)

    assert till.push_last().code == "voucher_returned"
    assert world.rows("SELECT holder, epoch, points FROM grant_write_offs") == [("k1", 1, 400)]
