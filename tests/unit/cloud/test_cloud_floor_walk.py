"""Tills that are cut off again and again lose no more by the floor limit than the retailer chose."""

import random
from pathlib import Path

import msgspec
import pytest

from till_loyalty.programme import Floor
from till_sync.wire import GrantRow, MemberRow
from unit.cloud.grants_kit import LendingChain, covered, lending, release

SEEDS = 12
STEPS = 70
MEMBER_POINTS = 200
TILL_POINTS = 500


class CutTill:
    """Spends by what its last page told: its share first, then within the floor limit; and hears nothing meanwhile."""

    def __init__(self, world: LendingChain, name: str, *, forgetful: bool) -> None:
        self.world, self.till, self.forgetful = world, world.taker(name), forgetful
        self.acked, self.cursor = len(self.till.ops), ""
        self.balance, self.held, self.grant, self.recall = 0, 0, 0, 0
        self.spent_grant = self.spent_floor = 0

    def meet(self) -> None:
        """The line is there: all is pushed and pulled, and what is called back is given."""
        for _ in range(2):
            if len(self.till.ops) > self.acked:
                codes = {result.code for result in self.till.push(self.acked + 1, remaining=0).results}
                assert codes <= {"", "facts_differ", "grant_missing"}, codes
                self.acked = len(self.till.ops)
            page = self.world.pull(self.till, self.cursor)
            self.cursor, self.spent_grant, self.spent_floor = page.next, 0, 0
            for row in page.rows:
                if isinstance(row, MemberRow):
                    self.balance, self.held = row.balance, row.held
                elif isinstance(row, GrantRow):
                    self.grant, self.recall = row.points, row.recall
            if self.recall:
                release(self.till, "m-1", self.recall)
                self.grant, self.recall = self.grant - self.recall, 0

    def spend(self, points: int, uid: str) -> None:
        left = min(points, self.grant, self.balance)
        if left > 0:
            covered(self.till, uid, "m-1", left, "grant")
            self.grant -= left
            self.spent_grant += left
        else:
            own = self.spent_floor + (0 if self.forgetful else self.spent_grant)
            left = min(points, MEMBER_POINTS - own, TILL_POINTS - self.spent_floor, self.balance - self.held)
            if left <= 0:
                return
            if self.grant:
                release(self.till, "m-1", self.grant)
                self.grant = 0
            covered(self.till, uid, "m-1", left, "floor")
            self.spent_floor += left
        # What the sale itself earns, a tenth of the money, is left out: the till is careful here.
        self.balance -= left


@pytest.mark.parametrize("seed", range(SEEDS))
def test_no_member_is_deeper_than_chosen(tmp_path: Path, seed: int) -> None:
    """At most (tills - 1) x the member's limit below 0, or what they had; and every cut ends with a sound ledger."""
    walk(tmp_path / "c.db", seed)


def test_a_till_that_leaves_its_share_out_of_the_limit_is_found_out(tmp_path: Path) -> None:
    """Then it takes more than the chain can allow it, and the cloud does not pay for it."""
    for seed in range(SEEDS):
        try:
            walk(tmp_path / f"{seed}.db", seed, forgetful=True)
        except AssertionError:
            return
    pytest.fail(f"no walk of {SEEDS} notices")


def walk(path: Path, seed: int, *, forgetful: bool = False) -> None:
    chance = random.Random(seed)
    floor = Floor(member_points=MEMBER_POINTS, till_points=TILL_POINTS, hours=24)
    rules = msgspec.structs.replace(lending(offline="floor", floor=floor), rules=())
    world = LendingChain(path, rules=rules)
    had = chance.choice([150, 600, 2_000])
    world.member("m-1", points=had)
    tills = [CutTill(world, f"k{number}", forgetful=forgetful) for number in range(chance.randint(2, 4))]
    deepest = 0
    for each in tills:
        each.meet()
    for number in range(STEPS):
        who = chance.choice(tills)
        what = chance.choices(["spend", "meet", "lend"], [6, 2, 2])[0]
        if what == "spend":
            who.spend(chance.randint(1, 400), f"s{number}")
        elif what == "meet":
            who.meet()
        elif what == "lend":
            world.wall.ms += 130_000
            world.lend()
        deepest = max(deepest, world.balances("m-1")[2] - world.balances("m-1")[0])
    for each in chance.sample(tills, len(tills)):
        each.meet()
    deepest = max(deepest, world.balances("m-1")[2] - world.balances("m-1")[0])
    assert deepest <= (len(tills) - 1) * min(MEMBER_POINTS, had)
    world.sound()
    world.centre.close()
