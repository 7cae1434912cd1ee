"""Where members shop, as the lending job counts it out of the ledger: each sale once, whatever came between."""

from till_cloud.store import grants, tills
from unit.cloud.cloud_kit import Till
from unit.cloud.grants_kit import LendingChain, lending


def visits(world: LendingChain, member: str = "m-1") -> list[tuple]:
    return world.rows("SELECT store, purchases FROM member_stores WHERE member_id = ? ORDER BY store", member)


def test_each_sale_is_counted_once(world: LendingChain, till: Till) -> None:
    """Also when the member changed again before the job came by, and when another programme begins from the start."""
    world.visit(till, "m-1", "a", 2)
    world.hold(till, "h", "m-1", 5)
    world.lend()
    world.visit(till, "m-1", "b", 3)
    world.lend()
    world.upload(lending(2))
    world.lend()
    world.visit(till, "m-1", "c")
    world.lend()

    assert visits(world) == [("s1", 6)]


def test_a_sale_counts_for_the_store_of_its_till(world: LendingChain, till: Till) -> None:
    """Two stores, two counts."""
    world.centre.write(lambda c: tills.put_store(c, tills.StoreRow("s2", "Second", "Europe/Moscow"), 0)).result()
    other = world.taker("k2")
    world.centre.write(lambda c: c.execute("UPDATE tills SET store = 's2' WHERE till = 'k2'")).result()
    world.visit(till, "m-1", "a", 2)
    world.visit(other, "m-1", "b")
    world.lend()
    world.visit(till, "m-1", "c")
    world.lend()

    assert visits(world) == [("s1", 3), ("s2", 1)]


def test_a_merged_members_purchases_count_for_the_one_kept(world: LendingChain, till: Till) -> None:
    """Those of the kept one that were not counted yet still are."""
    world.member("m-2")
    world.visit(till, "m-1", "a", 2)
    world.lend()
    world.visit(till, "m-2", "b", 3)

    world.merge("m-1", "m-2")
    world.centre.write(lambda c: grants.count_visits(c, "m-2")).result()

    assert (visits(world), visits(world, "m-2")) == ([], [("s1", 5)])


def test_a_member_who_has_not_come_for_long_is_lent_nothing(world: LendingChain, till: Till) -> None:
    """`seen_days` after the last purchase the store counts no more."""
    world.upload(lending(2, seen_days=10))
    world.visit(till, "m-1", "a")
    world.wall.ms += 11 * 86_400_000
    world.lend()

    assert world.granted("m-1") == 0
