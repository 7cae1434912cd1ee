"""What the rules cost by themselves: so many lines under so many rules, beside a plain loop over the lines.

Programmes and receipts are made from a seed: a shop of 60 categories, 40 brands and 3,000 goods. Of ten rules four are
of a category, three of a few goods, one of a brand, one of a tier on everything, and one is a discount; all of them are
in their term. The curve shows that cost grows with the rules that take a line, not with those that there are.
"""

import gc
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import msgspec

from till_loyalty.engine import calculate
from till_loyalty.programme import Match, Programme, Rule, Tier
from till_loyalty.receipt import Line, MemberState, Receipt, StoreClock
from till_loyalty.results import canonical_bytes
from till_loyalty.rule_parts import Discount, When
from till_loyalty.simulation import Past, Run

CATEGORIES, BRANDS, GOODS = 60, 40, 3_000
CLOCK = StoreClock(local_time="2026-06-10T12:00:00", business_date="2026-06-10")
MEMBER = MemberState(tier="gold", spendable_points=5_000)
TERM = When(from_="2026-01-01T00:00:00", to="2027-01-01T00:00:00")
CURVE = (10, 100, 1_000, 5_000)
SIMULATED_LINES = 10


@dataclass(frozen=True)
class Cost:
    """One receipt under one programme: the middle processor time, its floor in the same run; microseconds."""

    lines: int
    rules: int
    p50_us: float
    p99_us: float
    floor_us: float

    @property
    def ratio(self) -> float:
        """Times the plain loop."""
        return self.p50_us / self.floor_us

    @property
    def name(self) -> str:
        """What was measured, as the tables say it."""
        return f"rules alone: {self.lines:,} lines under {self.rules:,} rules"


@dataclass(frozen=True)
class Rules:
    """All that was measured of the rules; `read_per_s` is the floor of `simulated_per_s`: the file is only read."""

    till: Cost
    largest: Cost
    curve: list[Cost]
    simulated_per_s: float
    read_per_s: float

    def rows(self) -> list[dict[str, Any]]:
        """A row for each figure."""
        rows = []
        for cost in (self.till, self.largest, *self.curve):
            rows.append(_plain(f"{cost.name}, p50", round(cost.p50_us / 1000, 2), "ms"))
            rows.append(_plain(f"{cost.name}, of a loop over the lines", round(cost.ratio), "x"))
        rows.append(_plain("receipts simulated on one core", round(self.simulated_per_s), "a second"))
        rows.append(_plain("receipts only read, as for a simulation", round(self.read_per_s), "a second"))
        return rows


def _plain(name: str, value: float, unit: str) -> dict[str, Any]:
    return {"figure": "plain", "name": name, "value": value, "unit": unit}


def measure(rounds: int) -> Rules:
    """All of it; `rounds` of the receipts that the aims name, fewer of the large ones."""
    if not same_bytes():
        raise RuntimeError("expected the same result twice, with points: what is measured is not right")
    large = max(3, rounds // 10)
    simulated, read = simulated_per_s(rounds * 10)
    return Rules(cost(15, 40, rounds), cost(161, 200, large), curve(large), simulated, read)


def programme_of(count: int, seed: int = 1) -> Programme:
    """So many rules, all in their term."""
    seeded = random.Random(seed)
    return Programme(
        format=1,
        id="bench",
        version=1,
        currency="RUB",
        points_exponent=2,
        tiers=(Tier(id="standard"), Tier(id="silver"), Tier(id="gold")),
        rules=tuple([_rule(number, seeded) for number in range(count)]),
    )


def _rule(number: int, seeded: random.Random) -> Rule:
    kind, name = number % 10, f"rule-{number}"
    if kind < 4:
        match = Match(categories=((f"c{seeded.randrange(CATEGORIES)}",),))
    elif kind < 7:
        match = Match(skus=tuple([f"s{seeded.randrange(GOODS)}" for _ in range(20)]))
    elif kind == 7:
        match = Match(brands=(f"b{seeded.randrange(BRANDS)}",))
    else:
        match = Match()
    if kind == 8:  # everything, for one tier of three
        tier = ("standard", "silver", "gold")[number // 10 % 3]
        return Rule(id=name, percent_basis_points=50, tiers=(tier,), when=TERM)
    if kind == 9:
        match = Match(skus=tuple([f"s{seeded.randrange(GOODS)}" for _ in range(20)]))
        return Rule(id=name, discount=Discount(percent_basis_points=500), match=match, when=TERM)
    return Rule(id=name, percent_basis_points=seeded.randrange(50, 500), match=match, when=TERM)


def receipt_of(count: int, seed: int = 2) -> Receipt:
    """So many lines of the shop's goods."""
    seeded = random.Random(seed)
    lines = []
    for number in range(1, count + 1):
        good = seeded.randrange(GOODS)
        lines.append(
            Line(
                number=number,
                sku=f"s{good}",
                amount_minor=seeded.randrange(100, 100_000),
                category=(f"c{good % CATEGORIES}", f"d{good % 7}"),
                brand=f"b{good % BRANDS}",
            )
        )
    return Receipt(lines=tuple(lines))


def plain(receipt: Receipt) -> int:
    """The floor: one percent of each line, and nothing else."""
    points = 0
    for line in receipt.lines:
        points += line.amount_minor * 100 // 10_000
    return points


def times_us(action: Callable[[], object], rounds: int) -> list[float]:
    """Processor time of each round in microseconds, sorted; the collector rests as between two requests.

    Nothing waits here: on an idle machine this is the time on the wall, on a busy one it leaves out the others' share.
    """
    gc.collect()
    gc.disable()
    try:
        taken = []
        for _ in range(rounds):
            began = time.thread_time_ns()
            action()
            taken.append((time.thread_time_ns() - began) / 1000)
    finally:
        gc.enable()
    return sorted(taken)


def cost(lines: int, rules: int, rounds: int) -> Cost:
    """A receipt's cost, measured in turn with its floor."""
    programme, receipt = programme_of(rules), receipt_of(lines)
    calculate(programme, MEMBER, receipt, CLOCK)  # the plan is made once a programme
    engine = times_us(lambda: calculate(programme, MEMBER, receipt, CLOCK), rounds)
    floor = times_us(lambda: plain(receipt), rounds * 10)
    return Cost(lines, rules, median(engine), engine[-1 - rounds // 100], max(median(floor), 0.01))


def curve(rounds: int, counts: Sequence[int] = CURVE) -> list[Cost]:
    """15 lines under ever more rules, then ever more lines under 40 rules."""
    several = [cost(15, count, rounds) for count in counts]
    return several + [cost(count, 40, max(3, rounds * 20 // count)) for count in counts]


def simulated_per_s(receipts: int) -> tuple[float, float]:
    """Receipts a second through `simulate` with everything it keeps, and through a loop that only reads them."""
    programme = programme_of(40)
    pasts = [Past(receipt=receipt_of(SIMULATED_LINES, seed), clock=CLOCK, member=MEMBER) for seed in range(receipts)]
    texts = [msgspec.json.encode(past) for past in pasts]
    run = Run(programme)
    calculate(programme, MEMBER, pasts[0].receipt, CLOCK)
    decoder = msgspec.json.Decoder(Past)
    began = time.thread_time()
    for text in texts:
        run.sell(decoder.decode(text))
    taken = time.thread_time() - began
    began = time.thread_time()
    for text in texts:
        plain(decoder.decode(text).receipt)
    return receipts / taken, receipts / (time.thread_time() - began)


def same_bytes() -> bool:
    """Whether what is measured is right in itself: twice the same, and points on each line of the result."""
    programme, receipt = programme_of(40), receipt_of(15)
    results = [calculate(programme, MEMBER, receipt, CLOCK) for _ in range(2)]
    return canonical_bytes(results[0]) == canonical_bytes(results[1]) and results[0].earned_points > 0
