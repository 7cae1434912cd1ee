"""A small chain at random from a seed: tills make ops, push them in every wrong way, and an oracle adds up by itself.

The oracle knows nothing of lots, holds' rows or positions: it adds the effects that the tills worked out with the
engine, leaves out what must be rejected, and takes redemptions that no hold covers as not made.
"""

import random
from collections.abc import Callable
from pathlib import Path

import msgspec

from till_cloud.exceptions import RefusedError
from till_cloud.store import meta
from till_cloud.verify import verify
from till_loyalty.exceptions import ReturnError
from till_loyalty.results import Reversal, ReversalLine
from till_sync.wire import OpResult
from unit.cloud.cloud_kit import Chain, Till

STEPS = 60
TAG = "card:0000beef"
TOO_MUCH = ReversalLine(
    number=1, quantity_thousandths=10**9, amount_minor=1, money_back_minor=0, points_back=9**9, points_taken=0
)


def refused(call: Callable[[], object]) -> RefusedError | None:
    """The refusal, None when there was none."""
    try:
        call()
    except RefusedError as error:
        return error
    return None


class World:
    def __init__(self, path: Path, seed: int) -> None:
        self.random = random.Random(seed)
        self.path = path
        self.chain = Chain(path)
        self.members = {"m-0": "gold", "m-1": "", "m-2": "", TAG: ""}
        self.expected = dict.fromkeys(self.members, 0)
        for name, tier in self.members.items():
            if name != TAG:
                points = self.random.choice((0, 500, 5000))
                self.chain.member(name, points=points, tier=tier)
                self.expected[name] = points
        self.tills = [self.chain.till(f"k{n}") for n in range(2)]
        self.acked = {till.name: 0 for till in self.tills}
        self.rejected: dict[str, set[int]] = {till.name: set() for till in self.tills}
        self.first: dict[tuple[str, int, int], OpResult] = {}
        self.granted: list[tuple[Till, str, str, int]] = []
        self.standing: dict[str, list[str]] = {till.name: [] for till in self.tills}
        self.gone: set[str] = set()
        self.serial = 0

    def close(self) -> None:
        self.chain.centre.close()

    def run(self) -> None:
        """Steps, then everything is pushed, and all must be as the oracle says."""
        steps = (
            (self.sell, 6),
            (self.hold, 4),
            (self.redeem, 4),
            (self.release, 1),
            (self.take_return, 3),
            (self.void, 1),
            (self.nonsense, 2),
            (self.push, 5),
            (self.push_again, 3),
            (self.push_ahead, 1),
            (self.pass_time, 1),
            (self.restart, 0.3),
        )
        for _ in range(STEPS):
            self.random.choices([step for step, _ in steps], [weight for _, weight in steps])[0]()
        for till in self.tills:
            while self.acked[till.name] < len(till.ops):
                self.push(till)
        self.check()
        self.check_balances()

    def uid(self) -> str:
        self.serial += 1
        return f"u{self.serial}"

    def amounts(self) -> list[int]:
        return [self.random.choice((0, 1, 99, 1000, 12_345)) for _ in range(self.random.randint(1, 3))]

    def sell(self) -> None:
        till, who = self.random.choice(self.tills), self.random.choice([*self.members, ""])
        uid = self.uid()
        till.sale(uid, who, *self.amounts(), tier=self.members.get(who, ""))
        self.count_sale(till, uid, who)

    def count_sale(self, till: Till, uid: str, who: str, *, spends: bool = True) -> None:
        result = till.sold[uid][1]
        if who:
            self.expected[who] += result.earned_points - (result.redeemed_points if spends else 0)
        self.standing[till.name].append(uid)

    def hold(self) -> None:
        till, who = self.random.choice(self.tills), self.random.choice(["m-0", "m-1", "m-2"])
        points, name = self.random.choice((1, 400, 2500, 4000)), f"h-{till.name}-{self.uid()}"
        refusal = refused(lambda: self.chain.hold(till, name, who, points, ttl_ms=1000))
        if refusal is None:
            self.granted.append((till, name, who, points))
        else:
            assert refusal.code == "insufficient_points"
            assert refusal.problem.extras["available"] < points

    def redeem(self) -> None:
        """A sale that spends from a hold; now and then from one that does not exist."""
        uid = self.uid()
        if not self.granted or self.random.random() < 0.15:
            till, who = self.random.choice(self.tills), "m-1"
            till.sale(uid, who, 9000, redeem=300, hold="h-invented")
            self.count_sale(till, uid, who, spends=False)
            who_, result, earlier = till.sold[uid]
            unspent = [msgspec.structs.replace(line, redeemed_points=0) for line in result.lines]
            till.sold[uid] = (who_, msgspec.structs.replace(result, redeemed_points=0, lines=tuple(unspent)), earlier)
            return
        till, name, who, points = self.granted.pop(self.random.randrange(len(self.granted)))
        till.sale(uid, who, 9000, 3000, tier=self.members[who], redeem=self.random.randint(1, points), hold=name)
        self.count_sale(till, uid, who)

    def release(self) -> None:
        if self.granted:
            till, name, *_ = self.granted.pop(self.random.randrange(len(self.granted)))
            till.release(name)

    def take_return(self) -> None:
        till = self.random.choice(self.tills)
        if not self.standing[till.name]:
            return
        sale = self.random.choice(self.standing[till.name])
        who, result, _ = till.sold[sale]
        lines = (
            None
            if self.random.random() < 0.4
            else [(line.number, self.random.choice((1, 700, 2000))) for line in result.lines]
        )
        try:
            till.take_return(self.uid(), sale, None if self.random.random() < 0.4 else lines)
        except ReturnError:
            return
        self.gone.add(sale)
        if who.key:
            self.expected[who.key] += till.sold[sale][2][-1].effect_points

    def void(self) -> None:
        till = self.random.choice(self.tills)
        fresh = [uid for uid in self.standing[till.name] if uid not in self.gone]
        if not fresh:
            return
        sale = self.random.choice(fresh)
        who, result, _ = till.sold[sale]
        till.void(sale)
        self.standing[till.name].remove(sale)
        self.gone.add(sale)
        if who.key:
            self.expected[who.key] += result.redeemed_points - result.earned_points

    def nonsense(self) -> None:
        """Ops that must be rejected: poison, unknown or spent sales, too much, the same uid again."""
        till = self.random.choice(self.tills)
        gone = sorted(set(till.sold) & self.gone)
        kind = self.random.randrange(5)
        if kind == 0:
            till.add_raw(b'{"kind":"sale"}')
        elif kind == 1:
            till.void("never")
        elif kind == 2 and gone:
            till.void(self.random.choice(gone))
        elif kind == 3 and till.sold:
            force = Reversal(lines=(TOO_MUCH,), money_back_minor=0, points_back=9**9, points_taken=0)
            till.take_return(self.uid(), self.random.choice(sorted(till.sold)), force=force)
        elif kind == 4 and till.sold:
            uid = self.random.choice(sorted(till.sold))
            kept = till.sold[uid]
            till.sale(uid, "m-0", 55_555, tier="gold")
            till.sold[uid] = kept
        else:
            return
        self.rejected[till.name].add(len(till.ops))

    def push(self, till: Till | None = None) -> None:
        """What comes next, in a batch of any size, maybe with some that went before."""
        till = till or self.random.choice(self.tills)
        acked = self.acked[till.name]
        if acked == len(till.ops):
            return
        first = max(1, acked + 1 - self.random.choice((0, 0, 3)))
        self.send(till, first, self.random.randint(acked + 1, len(till.ops)))

    def push_again(self) -> None:
        """An answer was lost: an old stretch is sent again."""
        till = self.random.choice(self.tills)
        if self.acked[till.name]:
            first = self.random.randint(1, self.acked[till.name])
            self.send(till, first, self.random.randint(first, self.acked[till.name]))

    def push_ahead(self) -> None:
        """Out of order: refused, and nothing is kept."""
        till = self.random.choice(self.tills)
        first = self.acked[till.name] + 2
        if first <= len(till.ops):
            refusal = refused(lambda: till.push(first))
            assert refusal is not None, "a gap was accepted"
            assert refusal.problem.extras["expected_seq"] == first - 1

    def send(self, till: Till, first: int, last: int) -> None:
        remaining = self.random.choice((-1, len(till.ops) - last))
        complete = remaining == 0
        open_before = dict(self.chain.rows("SELECT hold, expires_at_ms FROM holds WHERE state = 'open'"))
        answer = till.push(first, last, remaining=remaining)
        self.acked[till.name] = max(self.acked[till.name], last)
        assert answer.acked_seq == self.acked[till.name]
        for result in answer.results:
            key = (till.name, till.epoch, result.seq)
            known = self.first.setdefault(key, result)
            if known is not result:
                again = msgspec.structs.replace(known, status="duplicate", first=known.status)
                assert result == again, "a verdict changed"
            else:
                wanted = result.seq in self.rejected[till.name]
                assert (result.status == "rejected") == wanted, (result, till.ops[result.seq - 1].body)
        if complete:
            # What the cloud may give back by itself: this till's expired holds. The till would not use them any more.
            late = self.chain.wall() - 60_000
            self.granted = [
                each for each in self.granted if each[0] is not till or open_before.get(each[1], late) >= late
            ]
        self.check()

    def pass_time(self) -> None:
        """Hours go by, holds expire; or the cloud's clock is set back."""
        self.chain.wall.ms += self.random.choice((120_000, -50_000))

    def restart(self) -> None:
        wall, tills = self.chain.wall, self.tills
        incarnation = self.chain.centre.quick(meta.incarnation)
        self.chain.centre.close()
        self.chain.centre = type(self.chain.centre)(self.path, wall_ms=wall, new_id=self.chain._new_id)
        assert self.chain.centre.quick(meta.incarnation) == incarnation
        assert all(till.chain is self.chain for till in tills)

    def check(self) -> None:
        found = self.chain.centre.read(verify)
        assert found.holds, found.breaches

    def check_balances(self) -> None:
        for name, wanted in self.expected.items():
            rows = self.chain.rows(
                "SELECT b.balance - b.debt, b.balance, b.debt, b.held FROM balances b LEFT JOIN identifiers i"
                " ON i.member_id = b.member_id WHERE b.member_id = ? OR i.tag = ?",
                name,
                name,
            )
            net, left, debt, held = rows[0] if rows else (0, 0, 0, 0)
            assert net == wanted, f"{name} has {net}, the tills say {wanted}"
            assert left >= held >= 0
            assert not debt or left == held, "a debt stands while free points lie beside it"


def run(path: Path, seed: int) -> None:
    world = World(path, seed)
    try:
        world.run()
    finally:
        world.close()
