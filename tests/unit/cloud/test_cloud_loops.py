"""Loops that somebody would walk for points: each ends where it began."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from till_cloud.verify import verify
from till_loyalty.programme import Event, Registration, Rule
from till_loyalty.receipt import StoreClock
from till_loyalty.rule_parts import Coupon, TimeSpan, When, Who
from till_sync.ops import RegisterBody, Subject
from unit.cloud.cloud_desk import Desk
from unit.cloud.cloud_kit import CLOCK, Chain, programme

RULES = programme(
    tiers=(),
    rules=(
        Rule(id="base", percent_basis_points=1000),
        Rule(id="first", points=700, who=Who(first_purchases=1)),
        Rule(id="gift", points=900, who=Who(coupon="once")),
        Rule(id="night", points=5, when=When(times=(TimeSpan(from_="22:00", to="06:00"),))),
    ),
    coupons=(Coupon(id="once", codes=("ONCE",), uses_per_member=1, offline="allow", returns="full_within_term"),),
    events=(
        Event(id="brought", on="referred", points=300, minimum_sum_minor=5_000),
        Event(id="thanks", on="referrer", points=400, minimum_sum_minor=5_000),
    ),
    registration=Registration(consent_version="1", code=True),
)
PHONE = "phone:00000000deadbeef"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Chain]:
    made = Chain(tmp_path / "c.db", rules=RULES)
    for name in ("m-1", "m-2"):
        made.member(name)
    made.centre.write(
        lambda c: c.execute("UPDATE members SET purchases = 3, referral_code = 'ABCDEFGH' WHERE member_id = 'm-1'")
    ).result()
    try:
        yield made
        assert made.centre.read(verify).holds
    finally:
        made.centre.close()


def pulled(world: Chain) -> Desk:
    desk = Desk(world)
    desk.pull()
    return desk


def register(desk: Desk, uid: str, tag: str = PHONE, confirmation: str = "") -> str:
    desk.till.add(
        RegisterBody(
            **desk.till.common(uid),
            subject=Subject(tag=tag),
            clock=CLOCK,
            programme_id="test",
            programme_version=1,
            consent_version="1",
            consent_wall_ms=1,
            referrer="ABCDEFGH",
            confirmation=confirmation,
        )
    )
    return desk.push()[-1].member_id


def confirm(world: Chain, confirmation: str, tag: str) -> None:
    """As if a code had come back."""
    world.centre.write(
        lambda c: c.execute(
            "INSERT INTO confirmations VALUES (?, 'k1', 'register', ?, '', 's', 'h', 'confirmed', 0, 1, 2)",
            (confirmation, tag),
        )
    ).result()


def test_a_night_before_all_days_is_answered(world: Chain) -> None:
    """The first night of the calendar began on a day that there is not."""
    desk = pulled(world)
    desk.sell("a", "m-1", 10_000)
    last = desk.till.ops.pop()
    desk.till.heads.pop()
    from till_sync.ops import decode_body, encode_body

    body = decode_body(bytes(last.body))
    clock = StoreClock(local_time="0001-01-01T00:30:00", business_date="0001-01-01")
    desk.till.add_raw(encode_body(replace(body, clock=clock)))
    assert desk.push()[0].status in ("applied", "adjusted", "rejected")


def test_people_nobody_has_seen_earn_nothing_for_who_brought_them(world: Chain) -> None:
    """A cashier registers numbers from the air, with their own code as referrer, and rings up strangers' goods."""
    desk = pulled(world)
    for number in range(3):
        who = register(desk, f"r{number}", f"phone:0000000{number}deadbeef")
        desk.pull()
        desk.sold(f"s{number}", who, 10_000)
    assert world.balances("m-1") == (0, 0, 0)


def test_who_brought_somebody_is_thanked_when_that_one_is_confirmed_and_buys(world: Chain) -> None:
    """Once; and a return takes it back."""
    desk = pulled(world)
    who = register(desk, "r")
    desk.pull()
    desk.sold("before", who, 10_000)
    confirm(world, "c-12345678", PHONE)
    register(desk, "r2", confirmation="c-12345678")
    desk.pull()
    assert desk.rows[who].status == "active"
    desk.sold("small", who, 100)
    assert world.balances("m-1") == (0, 0, 0)
    desk.sold("after", who, 10_000)
    assert world.balances("m-1") == (400, 0, 0)
    desk.sold("again", who, 10_000)
    assert world.balances("m-1") == (400, 0, 0)
    desk.returned("ret", "after")
    assert world.balances("m-1") == (0, 0, 0)
    desk.sold("once more", who, 10_000)
    desk.sold("more", who, 10_000)
    assert world.balances("m-1") == (0, 0, 0)


def test_a_sale_to_a_blocked_member_brings_no_first_purchase_back(world: Chain) -> None:
    """It was no purchase, so its return is none less."""
    desk = pulled(world)
    world.centre.write(lambda c: c.execute("UPDATE members SET status = 'blocked', purchases = 1")).result()
    desk.pull()
    desk.sold("a", "m-2", 10_000)
    world.centre.write(lambda c: c.execute("UPDATE members SET status = 'active'")).result()
    desk.returned("r", "a")
    assert world.rows("SELECT purchases FROM members WHERE member_id = 'm-2'") == [(1,)]


def test_a_coupon_whose_points_are_spent_and_forgiven_does_not_come_back(tmp_path: Path) -> None:
    """Where the programme forgives spent points, the coupon that gave them stays used."""
    made = Chain(tmp_path / "d.db", rules=replace(RULES, return_policy="within_balance", events=()))
    made.member("m-1")
    made.centre.write(lambda c: c.execute("UPDATE members SET purchases = 3")).result()
    desk = pulled(made)
    try:
        for turn in range(3):
            desk.pull()
            desk.sold(f"a{turn}", "m-1", 10_000, codes=("ONCE",))
            points = made.balances("m-1")[0]
            if not points:
                break
            made.hold(desk.till, f"h{turn}", "m-1", points - points % 100)
            desk.till.sale(f"b{turn}", "m-1", 4_000, redeem=points - points % 100, hold=f"h{turn}", spendable=points)
            desk.push()
            desk.returned(f"r{turn}", f"a{turn}")
        uses = made.rows("SELECT uses FROM member_usage WHERE rule = 'once' AND per = 'life'")
        assert uses == [(1,)]
        assert made.centre.read(verify).holds
    finally:
        made.centre.close()
