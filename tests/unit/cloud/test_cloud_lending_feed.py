"""What lending costs the feed: a member's row goes to every till of the chain, so lending must not send it again."""

from till_cloud.granting import begin_epoch
from till_sync.wire import GrantRow, MemberRow
from unit.cloud.cloud_kit import Till
from unit.cloud.grants_kit import LendingChain, release


def pulled(world: LendingChain, till: Till, cursor: str) -> tuple[int, int, str]:
    """Rows of members and of grants since a cursor, and the next one."""
    page = world.pull(till, cursor)
    kinds = [type(row) for row in page.rows]
    return kinds.count(MemberRow), kinds.count(GrantRow), page.next


def test_a_sale_is_one_row_for_every_till_with_and_without_lending(world: LendingChain) -> None:
    """The grant itself goes to its holder alone."""
    till, other, far = world.taker(), world.taker("k2"), world.till("far")
    world.member("m-1")
    cursors = {each.name: world.pull(each).next for each in (till, other)}
    after = world.pull(far).next
    for number in range(3):
        world.visit(till, "m-1", f"v{number}")
        world.lend()
        # `far` shops are many: one row a sale, whatever is lent of it.
        members, grants, after = pulled(world, far, after)
        assert (members, grants) == (1, 0)
        for each in (till, other):
            members, grants, cursors[each.name] = pulled(world, each, cursors[each.name])
            assert (members, grants) == (1, 1)


def test_what_comes_back_is_no_row_of_the_member(world: LendingChain) -> None:
    """Recall, release, and the end of a journal concern the holder alone."""
    till, far = world.taker(), world.till("far")
    world.member("m-1", points=1000)
    world.give(till, "m-1", 900)
    after = world.pull(far).next
    world.hold(far, "h", "m-1", 600)
    release(till, "m-1", 500)
    till.push_last()
    assert pulled(world, far, after)[:2] == (0, 0)
    world.centre.write(lambda c: begin_epoch(c, till.name, 2, world.wall())).result()
    assert pulled(world, far, after)[:2] == (0, 0)
    assert world.granted("m-1") == 0


def test_what_came_back_is_lent_again_after_a_rest(world: LendingChain) -> None:
    """The job comes by the member though their row has not changed: after a release, and after a lost journal."""
    till, other = world.taker(), world.taker("k2")
    world.member("m-1", points=1000)
    world.visit(till, "m-1", "v")
    world.lend()
    assert world.granted("m-1") == 1010
    row = world.row(till, "m-1")
    assert row is not None
    release(till, "m-1", row.points)
    till.push_last()
    world.lend()
    assert world.granted("m-1") == 1010 - row.points, "a till that gives back may be about to ask for a hold"
    world.wall.ms += 120_000
    world.lend()
    assert world.granted("m-1") == 1010
    other.new_journal()
    other.sale("n")
    other.push()
    assert world.granted("m-1") < 1010
    world.wall.ms += 120_000
    world.lend()
    assert world.granted("m-1") == 1010
