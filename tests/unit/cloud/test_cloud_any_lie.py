"""Any field of an op may say anything: the cloud has a verdict on it, and its books add up."""

import json
import random
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from till_cloud.verify import verify
from till_loyalty.programme import Rule
from till_loyalty.programme_document import parse_programme
from till_loyalty.rule_parts import Coupon, Life, TimeSpan, When, Who
from till_sync.ops import RegisterBody, Subject
from unit.cloud.cloud_desk import NOON, Desk, on
from unit.cloud.cloud_kit import Chain

EXAMPLES = Path(__file__).parents[3] / "loyalty" / "till_loyalty" / "data" / "examples"
OPS = 120
NUMBERS = (0, 1, -1, 2**31, 2**53, 2**63 - 1, 2**63, -(2**63), 10**12, 10**13, 10**30, -(10**30))
TEXTS = ("", "x", "\0", "m-1", "m-2", "card:00000000deadbeef", "9999-12-31", "0001-01-01", "0001-01-01T00:30:00")
TEXTS += ("9999-12-31T23:59:59", "2027-02-30", "02-29", "gold", "k1:1:1", "k1:1:-5", ":::", "x" * 5_000)


def places(value: Any, before: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Ways to everything within a JSON value."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [way for key, each in pairs for way in ((*before, key), *places(each, (*before, key)))]


def lie(chance: random.Random, body: dict[str, Any]) -> None:
    """Change one value to another of its kind."""
    *way, last = chance.choice([way for way in places(body) if way != ("kind",)])
    holder: Any = body
    for key in way:
        holder = holder[key]
    value = holder[last]
    if isinstance(value, bool):
        holder[last] = not value
    elif isinstance(value, int):
        holder[last] = chance.choice((*NUMBERS, value + 1, value - 1, value * 2))
    elif isinstance(value, str):
        holder[last] = chance.choice(TEXTS)
    elif isinstance(value, list):
        holder[last] = chance.choice(([], value * 2, value[:1], value * 60))
    elif isinstance(value, dict):
        holder[last] = chance.choice(({}, {**value, "x": 10**30}, {"x": -(10**30)}))


def make(chance: random.Random, desk: Desk, uid: str) -> None:
    """An honest op of any kind."""
    sold = sorted(desk.till.sold)
    kind = chance.choice(["sale"] * 6 + (["void", "return"] if sold else []) + ["register"])
    if kind == "void":
        desk.till.add(_reversal(desk, chance.choice(sold), uid, void=True))
    elif kind == "return":
        desk.till.add(_reversal(desk, chance.choice(sold), uid, void=False))
    elif kind == "register":
        tags = [f"{each}:{chance.randrange(8):08x}" for each in ("phone", "card")]
        desk.till.add(
            RegisterBody(
                **desk.till.common(uid),
                subject=Subject(tag=tags[0]),
                clock=NOON,
                programme_id=desk.chain.programme.id,
                programme_version=1,
                consent_version="1",
                consent_wall_ms=1,
                card_tag=tags[1],
                birth_date="1980-01-15",
            )
        )
    else:
        amounts = [chance.choice([0, 1, 500, 10_000, 1_000_000]) for _ in range(chance.randint(1, 3))]
        day = chance.choice([NOON, on("2027-01-14"), on("2026-12-31")])
        desk.sell(uid, chance.choice(["m-1", "m-2", ""]), *amounts, codes=("CQ", "CR"), clock=day)


def _reversal(desk: Desk, sale: str, uid: str, *, void: bool) -> Any:
    from till_loyalty.returns import reverse
    from till_sync.ops import ReturnBody, VoidBody

    who, result, _ = desk.till.sold[sale]
    made = VoidBody if void else ReturnBody
    return made(
        **desk.till.common(sale if void else uid), sale_uid=sale, sale_op="", subject=who, reversal=reverse(result)
    )


@pytest.mark.parametrize("name", ["supermarket", "clothing", "pharmacy"])
def test_whatever_an_op_says_there_is_a_verdict_and_the_books_add_up(tmp_path: Path, name: str) -> None:
    rules = parse_programme((EXAMPLES / f"{name}.toml").read_text(encoding="utf-8"), suffix=".toml")
    more = (
        Rule(id="night", points=3, when=When(times=(TimeSpan(from_="22:00", to="13:00"),))),
        Rule(id="late", points=7, life=Life(activates_after_days=3, expires_after_months=2)),
        Rule(id="coded", points=9, who=Who(coupon="cq")),
    )
    coupon = Coupon(id="cq", codes=("CQ", "CR"), uses_per_code=2, uses_per_member=3, offline="allow")
    world = Chain(
        tmp_path / "c.db", rules=replace(rules, rules=(*rules.rules, *more), coupons=(*rules.coupons, coupon))
    )
    try:
        for member in ("m-1", "m-2"):
            world.member(member, points=100_000, tier=rules.tiers[0].id if rules.tiers else "")
        chance, desk = random.Random(name), Desk(world)
        for number in range(OPS):
            if number % 10 == 0:
                desk.pull()
            make(chance, desk, f"u{number}")
            body = json.loads(bytes(desk.till.ops.pop().body))
            desk.till.heads.pop()
            for _ in range(chance.choice((0, 1, 1, 2))):
                lie(chance, body)
            desk.till.add_raw(json.dumps(body).encode())
            assert desk.push()[-1].status in ("applied", "adjusted", "rejected"), body
        verification = world.centre.read(verify)
        assert verification.holds, verification.breaches
    finally:
        world.centre.close()
