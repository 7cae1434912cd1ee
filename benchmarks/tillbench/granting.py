"""How many redemptions of real receipts could have been served offline, by what was granted to the till beforehand.

The receipts of 50 clients are played again in order of time: what they received and spent, in which store. The data
knows no tills and no opening balances. So the till of each visit is drawn from a seed, each as likely as the other; and
a client has the least that they must have had to spend what they spent (`extra` more in a second count).

Before a visit the cloud has granted what the strategy wants, of what is free: there was a line between two visits.
A redemption at a till with too little granted would have waited for the line; then the till gives its own share back
and holds online, and if the free points are still too few, the other tills' grants are called back.
"""

import csv
import os
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from till_loyalty.lending import TillUse, wanted
from till_loyalty.programme import Lending

SEEDS = 20
TILLS = (1, 2, 4)
EXTRA_POINTS = 10_000
"""100 roubles, in hundredths: about what two redemptions in three spend at most."""
SEEN = timedelta(days=Lending().seen_days)


@dataclass(frozen=True)
class Question:
    """What a strategy is asked: free points, what each till has, the tills that may get some, the till used last."""

    free: int
    granted: Mapping[str, int]
    tills: Sequence[TillUse]
    last: str


Strategy = Callable[[Question], dict[str, int]]
"""How much more each till gets."""


@dataclass(frozen=True)
class Visit:
    """A receipt: when, where, points received and spent, in hundredths of a rouble."""

    at: datetime
    store: str
    received: int
    spent: int


@dataclass
class Served:
    """Redemptions and their points: all, and those that the till's grant covered. `recalls`: online ones that had to
    call back what other tills held; `unknown`: in stores where the client had not bought lately."""

    redemptions: int = 0
    wholly: int = 0
    points: int = 0
    served_points: int = 0
    recalls: int = 0
    unknown: int = 0

    def share(self, part: int, whole: int) -> float:
        """In percent; 0 of nothing."""
        return 100 * part / whole if whole else 0.0

    def row(self) -> tuple[str, str, str, str]:
        """Percent of the redemptions served wholly, of the points, of those that called back, and in unknown stores."""
        pairs = (
            (self.wholly, self.redemptions),
            (self.served_points, self.points),
            (self.recalls, self.redemptions),
            (self.unknown, self.redemptions),
        )
        wholly, points, recalls, unknown = (f"{self.share(*pair):.0f} %" for pair in pairs)
        return wholly, points, recalls, unknown


@dataclass
class Member:
    """One client on their way through time."""

    free: int
    granted: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    visits: list[tuple[datetime, str]] = field(default_factory=list)
    last_till: str = ""

    def lately(self, now: datetime) -> Counter[str]:
        """Purchases by store, those that still count."""
        return Counter(store for at, store in self.visits if now - at <= SEEN)


def shared_folder() -> Path:
    """Data that is not part of the project: beside it, or where TILLSIDE_SHARED says."""
    beside = Path(__file__).resolve().parents[3] / "shared"
    return Path(os.environ.get("TILLSIDE_SHARED", beside)) / "data" / "x5_retailhero"


def read(folder: Path) -> dict[str, list[Visit]]:
    """Each client's receipts in order of time; OSError when the data is not there."""
    clients: dict[str, list[Visit]] = defaultdict(list)
    with (folder / "receipts.csv").open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            received = _hundredths(row["regular_points_received"]) + _hundredths(row["express_points_received"])
            spent = -_hundredths(row["regular_points_spent"]) - _hundredths(row["express_points_spent"])
            clients[row["client_id"]].append(
                Visit(datetime.fromisoformat(row["datetime_utc"]), row["store_id"], received, spent)
            )
    return {client: sorted(visits, key=lambda visit: visit.at) for client, visits in clients.items()}


def _hundredths(text: str) -> int:
    return round(float(text) * 100)


def least_opening(visits: Sequence[Visit]) -> int:
    """The least that a client must have had before, never to be below 0."""
    balance = lowest = 0
    for visit in visits:
        lowest = min(lowest, balance - visit.spent)
        balance += visit.received - visit.spent
    return -lowest


def play(visits: Sequence[Visit], strategy: Strategy, tills: int, seed: random.Random, extra: int) -> Served:
    """One client's receipts with so many tills in every store."""
    served, member = Served(), Member(free=least_opening(visits) + extra)
    for visit in visits:
        till = f"{visit.store}:{seed.randrange(tills)}"
        if visit.spent > 0:
            _redeem(member, visit, till, served)
        member.free += visit.received
        member.visits.append((visit.at, visit.store))
        member.last_till = till
        _grant(member, strategy, visit.at, tills)
    return served


def _redeem(member: Member, visit: Visit, till: str, served: Served) -> None:
    served.redemptions += 1
    served.points += visit.spent
    served.served_points += min(visit.spent, member.granted[till])
    served.unknown += visit.store not in member.lately(visit.at)
    if member.granted[till] >= visit.spent:
        served.wholly += 1
        member.granted[till] -= visit.spent
        return
    member.free += member.granted.pop(till)
    if member.free < visit.spent:
        served.recalls += 1
        member.free += sum(member.granted.values())
        member.granted.clear()
    member.free -= visit.spent


def _grant(member: Member, strategy: Strategy, now: datetime, tills: int) -> None:
    uses = [
        TillUse(f"{store}:{number}", store, purchases)
        for store, purchases in member.lately(now).items()
        for number in range(tills)
    ]
    more = strategy(Question(member.free, member.granted, uses, member.last_till))
    for till, points in more.items():
        member.granted[till] += points
    member.free -= sum(more.values())
    if member.free < 0 or min(more.values(), default=1) < 1:
        raise RuntimeError(f"expected grants of what is free, not {more} that leave {member.free}")


def by_lending(lending: Lending, step_points: int = 1) -> Strategy:
    """The product's own strategy, with these figures in it."""

    def ask(question: Question) -> dict[str, int]:
        return wanted(
            lending,
            free_points=question.free,
            granted=question.granted,
            tills=question.tills,
            step_points=step_points,
        )

    return ask


def whole_to_last(question: Question) -> dict[str, int]:
    """All that is free to the till used last."""
    return {question.last: question.free} if question.free else {}


def whole_to_most(question: Question) -> dict[str, int]:
    """All that is free to one till of the store most visited."""
    most = max(question.tills, key=lambda use: (use.purchases, use.till))
    return {most.till: question.free} if question.free else {}


def equal(question: Question) -> dict[str, int]:
    """As much to each till of each store visited."""
    return _up_to(question, {use.till: 1 for use in question.tills})


def by_purchases(question: Question) -> dict[str, int]:
    """By a store's purchases, in however many stores."""
    return _up_to(question, {use.till: use.purchases for use in question.tills})


def main_store(question: Question) -> dict[str, int]:
    """As much to each till of the store most visited, nothing to others."""
    most = max(question.tills, key=lambda use: (use.purchases, use.store)).store
    return _up_to(question, {use.till: 1 for use in question.tills if use.store == most})


def last_store(question: Question) -> dict[str, int]:
    """As much to each till of the store visited last."""
    store = question.last.partition(":")[0]
    return _up_to(question, {use.till: 1 for use in question.tills if use.store == store})


def _up_to(question: Question, weights: Mapping[str, int]) -> dict[str, int]:
    """Top up to shares by weight of all there is, the heaviest first."""
    free, granted = question.free, question.granted
    total, weight = free + sum(granted.values()), sum(weights.values())
    more: dict[str, int] = {}
    for till in sorted(weights, key=lambda name: (-weights[name], name)):
        points = min(max(total * weights[till] // weight - granted.get(till, 0), 0), free)
        if points:
            more[till] = points
            free -= points
    return more


PRODUCT = "the product's: by purchases, not in stores with under a fifth of them"
STRATEGIES: dict[str, Strategy] = {
    PRODUCT: by_lending(Lending()),
    "by purchases, all stores visited": by_purchases,
    "equal, all stores visited": equal,
    "equal, only the store visited most": main_store,
    "equal, only the store visited last": last_store,
    "all to one till of the store visited most": whole_to_most,
    "all to the till used last": whole_to_last,
    "the product's, four fifths of the points": by_lending(Lending(share_basis_points=8_000)),
}


def count(clients: Mapping[str, Sequence[Visit]], strategy: Strategy, tills: int, extra: int = 0) -> Served:
    """All clients, under all seeds."""
    sums = Served()
    for seed in range(SEEDS):
        for number, visits in enumerate(clients.values()):
            one = play(visits, strategy, tills, random.Random(seed * 1_000 + number), extra)
            for name, value in vars(one).items():
                setattr(sums, name, getattr(sums, name) + value)
    return sums


@dataclass(frozen=True)
class Found:
    """What one strategy came to."""

    strategy: str
    tills: int
    extra: int
    served: Served


def measure(folder: Path, *, all_strategies: bool = True) -> list[Found]:
    """Each strategy by tills in a store, with the least opening balance and with more; OSError without the data."""
    clients = read(folder)
    names = list(STRATEGIES) if all_strategies else [PRODUCT]
    return [
        Found(name, tills, extra, count(clients, STRATEGIES[name], tills, extra))
        for extra in (0, EXTRA_POINTS)
        for name in names
        for tills in TILLS
    ]
