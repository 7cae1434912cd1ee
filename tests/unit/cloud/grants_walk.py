"""A random life of grants: honest tills, lost journals, holds elsewhere, returns, time. Says what broke."""

import random
from pathlib import Path

import msgspec

from till_cloud.exceptions import RefusedError
from till_cloud.jobs import run_jobs
from till_cloud.verify import verify
from till_loyalty.rule_parts import Life
from till_sync.wire import GrantRow
from unit.cloud.cloud_kit import Till
from unit.cloud.grants_kit import LendingChain, covered, lending, release

MEMBERS = ("m-1", "m-2")
HOUR_MS = 3_600_000
RECALL_ROUNDS = 3
RULES = msgspec.structs.replace(lending(), return_policy="within_balance", life=Life(expires_after_days=20))


class BrokenPromiseError(AssertionError):
    """Something that must never happen."""


class HonestTill:
    """A till as the protocol wants it: it spends what its last page left it, and answers recalls."""

    def __init__(self, world: LendingChain, name: str) -> None:
        self.world = world
        self.till: Till = world.taker(name)
        self.acked = len(self.till.ops)
        self.cursor = ""
        self.rows: dict[str, GrantRow] = {}
        self.used: dict[str, list[tuple[int, int]]] = {}
        self.sold: list[str] = []
        self.returned: set[str] = set()

    def left(self, member: str) -> int:
        """Granted points that this journal may still spend."""
        row = self.rows.get(member)
        if row is None or row.epoch != self.till.epoch:
            return 0
        return row.points - sum(points for seq, points in self.used.get(member, ()) if seq > self.page_acked)

    page_acked = 0

    def pull(self) -> None:
        page = self.world.pull(self.till, self.cursor)
        self.cursor, self.page_acked = page.next, page.acked_seq if page.epoch == self.till.epoch else 0
        for row in page.rows:
            if isinstance(row, GrantRow):
                self.rows[row.member_id] = row
        for row in list(self.rows.values()):
            left = self.left(row.member_id)
            asked = left if self.is_over(row) else min(row.recall, left)
            pending = sum(points for seq, points in self.used.get(row.member_id, ()) if seq > self.page_acked)
            if row.epoch == self.till.epoch and asked > 0 and not pending:
                release(self.till, row.member_id, asked)
                self.note(row.member_id, asked)

    def is_over(self, row: GrantRow) -> bool:
        """Whether the first of the points behind it have expired, so that all of it goes back."""
        return 0 < row.until_ms <= self.world.wall()

    def note(self, member: str, points: int) -> None:
        self.used.setdefault(member, []).append((len(self.till.ops), points))

    def spend(self, member: str, points: int, uid: str) -> None:
        points = min(points, self.left(member))
        if points > 0 and not self.is_over(self.rows[member]):
            covered(self.till, uid, member, points, "grant")
            self.note(member, points)
            self.sold.append(uid)

    def push(self) -> None:
        if len(self.till.ops) == self.acked:
            return
        results = self.till.push(self.acked + 1, remaining=0).results
        self.acked = len(self.till.ops)
        for result in results:
            if (result.code.startswith("grant_") and result.code != "grant_missing") or result.status == "rejected":
                raise BrokenPromiseError(f"an honest till was told {result.status} {result.code}")
            if result.status == "adjusted" and result.code == "grant_missing":
                raise BrokenPromiseError("a grant that the till has is not there")

    def lose_journal(self) -> None:
        self.till.new_journal()
        self.acked, self.used, self.sold = 0, {}, []
        self.page_acked = 0


def walk(path: Path, seed: int, steps: int = 60) -> None:
    """`BrokenPromiseError`, or whatever else the cloud raises, when grants do not hold what they promise."""
    chance = random.Random(seed)
    world = LendingChain(path, rules=RULES)
    try:
        for member in MEMBERS:
            world.member(member, points=600)
        tills = [HonestTill(world, f"k{number}") for number in range(3)]
        plain = world.till("plain")
        for number in range(steps):
            step(world, chance, tills, plain, number)
            if number % 10 == 9:
                look(world)
        for each in tills:
            each.push()
        look(world)
    finally:
        world.centre.close()


def step(world: LendingChain, chance: random.Random, tills: list[HonestTill], plain: Till, number: int) -> None:
    """One thing that happens."""
    who, member = chance.choice(tills), chance.choice(MEMBERS)
    what = chance.choices(
        ["buy", "spend", "push", "pull", "lend", "hold", "back", "lose", "time"], [3, 6, 6, 6, 5, 3, 2, 1, 1]
    )[0]
    if what == "buy":
        who.till.sale(f"b{number}", member, chance.choice([100, 5_000]))
    elif what == "spend":
        who.spend(member, chance.randint(1, 400), f"s{number}")
    elif what == "push":
        who.push()
    elif what == "pull":
        who.pull()
    elif what == "lend":
        world.lend()
    elif what == "hold":
        hold(world, plain, member, chance.randint(1, 900), f"h{number}", tills, answered=chance.random() < 0.7)
    elif what == "back" and who.sold:
        uid = who.sold.pop(chance.randrange(len(who.sold)))
        who.till.take_return(f"r{number}", uid)
    elif what == "lose":
        who.push()
        who.lose_journal()
        who.till.sale(f"l{number}")
        who.push()
    elif what == "time":
        world.wall.ms += chance.choice([HOUR_MS, 30 * 24 * HOUR_MS])
        run_jobs(lambda block: world.centre.write(block).result(), registry=world.centre.registry, wall_ms=world.wall)


def hold(
    world: LendingChain, plain: Till, member: str, points: int, name: str, tills: list[HonestTill], *, answered: bool
) -> None:
    """A hold at a till without grants. When every holder answers the recalls, it is granted, or too large for all."""
    try:
        answer = world.hold(plain, name, member, points)
        # What a till pushes before it answers (returns) may leave more to ask for.
        for _ in range(RECALL_ROUNDS if answered else 0):
            if not isinstance(answer, RefusedError):
                break
            for each in tills:
                each.push()
                each.pull()
                each.push()
            answer = world.hold(plain, name, member, points)
    except RefusedError as error:
        if error.code != "insufficient_points":
            raise
        return
    if not isinstance(answer, RefusedError):
        plain.release(name)
        plain.push(len(plain.ops), remaining=0)
    elif answered:
        raise BrokenPromiseError(f"every till answered, but the hold is refused: {answer.code}")


def look(world: LendingChain) -> None:
    """The ledger adds up, and nobody is below 0."""
    found = world.centre.read(verify)
    if not found.holds:
        raise BrokenPromiseError(f"{found.breaches[:3]}")
    if world.rows("SELECT 1 FROM balances WHERE debt > 0"):
        raise BrokenPromiseError("a member owes points though every till was honest")
