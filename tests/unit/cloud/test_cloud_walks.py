"""Two friends buy, spend, use coupons, void and return at random; when all goods are back, all is as it began."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from till_cloud.verify import verify
from till_loyalty.programme import Event, Rule, Tier
from till_loyalty.rule_parts import Coupon, Discount, Life, Who
from unit.cloud.cloud_desk import Desk
from unit.cloud.cloud_kit import Chain, programme

OPENING = 5_000
RULES = programme(
    tiers=(
        Tier(id="standard"),
        Tier(id="silver", from_spend_minor=30_000),
        Tier(id="gold", from_spend_minor=60_000, multiplier_basis_points=20_000),
    ),
    tier_period="month",
    rules=(
        Rule(id="base", percent_basis_points=1000),
        Rule(id="first", points=700, who=Who(first_purchases=1)),
        Rule(id="gift", points=900, who=Who(coupon="once")),
        Rule(id="late", points=33, life=Life(activates_after_days=3, expires_after_days=20)),
        Rule(id="off", discount=Discount(percent_basis_points=1500), who=Who(coupon="minus")),
    ),
    coupons=(
        Coupon(id="once", codes=("ONCE",), uses_per_member=1, offline="allow", returns="full_within_term"),
        Coupon(id="minus", codes=("M",), uses_per_code=2, offline="allow"),
    ),
    events=(
        Event(id="hello", on="first_purchase", points=1000, minimum_sum_minor=5000),
        Event(id="brought", on="referred", points=300, minimum_sum_minor=5000),
        Event(id="thanks", on="referrer", points=400, minimum_sum_minor=5000),
        Event(id="up", on="tier_reached", tiers=("silver", "gold"), points=50),
    ),
)


class Walk:
    """`here`: lines by sale that are not back yet."""

    def __init__(self, world: Chain, seed: int) -> None:
        self.world, self.desk, self.random = world, Desk(world), random.Random(seed)
        self.here: dict[str, list[int]] = {}
        self.touched: set[str] = set()
        self.count = 0

    def step(self) -> None:
        self.desk.pull()
        self.count += 1
        choices: list[Callable[[], None]] = [self.buy, self.buy, self.spend, self.bring_back]
        self.random.choice(choices)()

    def buy(self) -> None:
        who, amounts = self.random.choice(["m-1", "m-2"]), self.amounts()
        codes = self.random.choice([(), ("ONCE",), ("M",)])
        assert self.desk.sold(f"s{self.count}", who, *amounts, codes=codes).status != "rejected"
        self.here[f"s{self.count}"] = list(range(1, len(amounts) + 1))

    def spend(self) -> None:
        who, amounts = self.random.choice(["m-1", "m-2"]), self.amounts()
        left, held, debt = self.world.balances(who)
        [[asleep]] = self.world.rows(
            "SELECT coalesce(sum(left), 0) FROM lots WHERE member_id = ? AND active_at_ms IS NOT NULL", who
        )
        points = min(left - asleep - held - debt, sum(amounts) // 2) // 100 * 100
        if points <= 0:
            return
        uid, tier = f"s{self.count}", self.desk.rows[who].tier
        self.world.hold(self.desk.till, f"h-{uid}", who, points)
        self.desk.till.sale(uid, who, *amounts, tier=tier, redeem=points, hold=f"h-{uid}", spendable=points)
        assert self.desk.push()[-1].status != "rejected"
        self.here[uid] = list(range(1, len(amounts) + 1))

    def bring_back(self) -> None:
        if not self.here:
            return
        sale = self.random.choice(sorted(self.here))
        lines = self.here[sale]
        if sale not in self.touched and self.random.random() < 0.5:
            del self.here[sale]
            assert self.desk.voided(sale).status != "rejected"
        elif len(lines) > 1:
            self.touched.add(sale)
            number = lines.pop()
            [sold] = [line for line in self.desk.till.sold[sale][1].lines if line.number == number]
            asked = [(number, sold.quantity_thousandths)]
            assert self.desk.returned(f"r{self.count}", sale, asked).status != "rejected"
        else:
            self.all_back(sale)

    def all_back(self, sale: str) -> None:
        del self.here[sale]
        assert self.desk.returned(f"a-{sale}", sale).status != "rejected"

    def amounts(self) -> list[int]:
        return [self.random.choice([100, 3_333, 10_000, 25_001]) for _ in range(self.random.randint(1, 3))]


@pytest.mark.parametrize("seed", range(6))
def test_when_everything_is_back_nobody_has_gained_or_lost(tmp_path: Path, seed: int) -> None:
    """Points, debts, purchases, spending, tiers, coupons and codes."""
    world = Chain(tmp_path / "c.db", rules=RULES)
    try:
        for name in ("m-1", "m-2"):
            world.member(name, points=OPENING, tier="standard")
        world.centre.write(lambda c: c.execute("UPDATE members SET referrer = 'm-1' WHERE member_id = 'm-2'")).result()
        walk = Walk(world, seed)
        for _ in range(30):
            walk.step()
        for sale in list(walk.here):
            walk.all_back(sale)
        verification = world.centre.read(verify)
        assert verification.holds, verification.breaches
        for name in ("m-1", "m-2"):
            left, held, debt = world.balances(name)
            assert (left - debt, held) == (OPENING, 0)
        assert world.rows("SELECT DISTINCT purchases, tier FROM members") == [(0, "standard")]
        assert world.rows("SELECT count(*) FROM member_spend WHERE spent_minor <> 0") == [(0,)]
        used = world.rows("SELECT rule FROM member_usage WHERE uses <> 0 AND rule IN ('once', 'minus')")
        assert (used, world.rows("SELECT code FROM code_usage WHERE uses <> 0")) == ([], [])
    finally:
        world.centre.close()
