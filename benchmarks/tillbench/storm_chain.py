"""The chain of the storm: a cloud's database with its tills, and a queue of ready ops in memory for each."""

import hashlib
import sqlite3
import time
from collections import Counter
from functools import partial
from pathlib import Path
from typing import NamedTuple

import msgspec

from till_loyalty.engine import calculate
from till_loyalty.programme import Programme
from till_loyalty.programme_document import digest, example_text, parse_programme, programme_json
from till_loyalty.receipt import Line, MemberState, Receipt, StoreClock
from till_sync.ops import NEWEST_PROTOCOL, OpId, SaleBody, Subject, encode_body, fingerprint
from till_sync.wire import ChangesAnswer, HelloAnswer, OpResult, PushRequest, WireOp

TILLS_A_STORE = 4
RECEIPTS_A_MEMBER = 4
"""Of a store's members each has so many receipts among those that wait there: who shops daily, in a bad week."""

ONE_STORE = 0
MEMBERS_OF_ONE_STORE = 100
"""The hardest shape: tills of one store all, which share so many members. All are to hear of what one pushes, so that
more members would measure pages."""

CALIBRATORS = 4
CALIBRATION_OPS = 3_000
"""Of each calibrator, or ten times what a till of the storm has if that is less."""

CALM = "calm"
CLOCK = StoreClock(local_time="2026-11-22T12:00:00", business_date="2026-11-22")


class Queue:
    """An outbox of ready ops in memory: `till_sync.ports.Outbox`."""

    def __init__(self, till: str, bodies: list[bytes]) -> None:
        self.till, self.salt = till, f"salt-{till}"
        self.acked = 0
        self.verdicts: Counter[str] = Counter()
        self.heads = [""]
        self.ops: list[WireOp] = []
        for seq, body in enumerate(bodies, 1):
            mark = fingerprint(OpId(till, 1, seq), self.salt, body)
            self.ops.append(WireOp(seq=seq, fingerprint=mark, body=msgspec.Raw(body)))
            self.heads.append(hashlib.sha256((self.heads[-1] + mark).encode()).hexdigest())

    async def waiting(self) -> int:
        return len(self.ops) - self.acked

    async def next_batch(self, *, max_ops: int, max_bytes: int, incarnation: str) -> PushRequest | None:
        del max_bytes  # a hundred small sales are far from any
        ops = self.ops[self.acked : self.acked + max_ops]
        if not ops:
            return None
        return PushRequest(
            protocol=min(2, NEWEST_PROTOCOL),
            epoch=1,
            salt=self.salt,
            incarnation=incarnation,
            first_seq=ops[0].seq,
            prev_hash=self.heads[ops[0].seq - 1],
            head_hash=self.heads[ops[-1].seq],
            sent_wall_ms=int(time.time() * 1000),
            sent_mono_ms=1,
            boot="b",
            ops=tuple(ops),
            remaining=len(self.ops) - ops[-1].seq,
        )

    async def record(self, epoch: int, acked_seq: int, results: tuple[OpResult, ...]) -> None:
        if (epoch, self.acked + len(results)) != (1, acked_seq):
            raise RuntimeError(f"expected verdicts up to {self.acked + len(results)}, not {acked_seq}")
        self.acked = acked_seq
        self.verdicts.update(result.status for result in results)

    async def reconcile(self, hello: HelloAnswer) -> None:
        self.acked = hello.acked_seq


class Pages:
    """A cache that keeps nothing but its cursor: `till_sync.ports.CacheSink`."""

    def __init__(self, cursor: str) -> None:
        self._cursor = cursor

    async def cursor(self) -> str:
        return self._cursor

    async def store_page(self, page: ChangesAnswer) -> None:
        self._cursor = page.next or self._cursor

    async def reset(self) -> None:
        self._cursor = ""


class Place(NamedTuple):
    """Where a till is, and whom it sells to: members `first`, `first + 1`... of `members`, again and again."""

    store: str
    members: int
    first: int


class Chain:
    """A cloud's database with stores, tills and members, and the tills' queues: made once, used for each run.

    `tills_a_store`: `ONE_STORE` puts all tills into one, the calibrators too.
    """

    def __init__(self, folder: Path, tills: int, ops: int, *, tills_a_store: int = TILLS_A_STORE) -> None:
        self.folder = folder
        self.db = folder / "storm.db"
        self.names = [f"t{number:05d}" for number in range(tills)]
        self.helpers = [f"c{number}" for number in range(CALIBRATORS)]
        self.ops = ops
        self.helpers_ops = min(CALIBRATION_OPS, 10 * ops)
        self.tills_a_store = tills_a_store
        self.tokens: dict[str, str] = {}
        self._cursors: dict[str, str] = {}
        self._queues: dict[str, Queue] = {}
        self._programme = parse_programme(example_text("supermarket"))
        self._places = {name: self._placed(number) for number, name in enumerate(self.names)}
        for number, name in enumerate(self.helpers):
            self._places[name] = self._helper_placed(number)
        self._make_cloud()

    def queue(self, till: str, ops: int) -> Queue:
        """The same ops each time, none of them acknowledged."""
        if till not in self._queues:
            place = self._places[till]
            bodies = [encode_body(_sale(self._programme, till, place, number)) for number in range(ops)]
            self._queues[till] = Queue(till, bodies)
        queue = self._queues[till]
        queue.acked = 0
        queue.verdicts.clear()
        return queue

    def cursor(self, till: str) -> str:
        """Of a till that knows everybody of its store, as they are before the storm."""
        return self._cursors[self._places[till].store]

    def _placed(self, number: int) -> Place:
        if self.tills_a_store == ONE_STORE:
            return Place("s0000", MEMBERS_OF_ONE_STORE, number)
        store, nth = divmod(number, self.tills_a_store)
        members = max(self.tills_a_store * self.ops // RECEIPTS_A_MEMBER, 1)
        return Place(f"s{store:04d}", members, nth * members // self.tills_a_store)

    def _helper_placed(self, number: int) -> Place:
        if self.tills_a_store == ONE_STORE:
            return self._placed(number)
        members = max(CALIBRATORS * self.helpers_ops // RECEIPTS_A_MEMBER, 1)
        return Place(CALM, members, number * members // CALIBRATORS)

    def _make_cloud(self) -> None:
        from till_cloud import registry
        from till_cloud.centre import Centre
        from till_cloud.jobs.windows import judge
        from till_cloud.store import grants, tills, windows

        centre = Centre(self.db)
        now_ms = centre.wall_ms()

        def fill(connection: sqlite3.Connection) -> None:
            registry.upload(connection, self._programme, now_ms)
            for store, members in sorted({(place.store, place.members) for place in self._places.values()}):
                _add_store(connection, store, members, now_ms)
            for name, place in self._places.items():
                self.tokens[name] = _enrolled(connection, name, place.store, now_ms)
            judge(connection)

        centre.write(fill).result()
        for name, place in self._places.items():
            if place.store in self._cursors:
                continue
            row = centre.quick(partial(tills.till, till_id=name))
            if row is None:
                raise RuntimeError("expected the till that was just made")
            page = centre.changes(row, since="", limit=10_000, with_grants=True, windowed=True)
            while page.more:
                page = centre.changes(row, since=page.next, limit=10_000, with_grants=True, windowed=True)
            self._cursors[place.store] = page.next

        def asked_before(connection: sqlite3.Connection) -> None:
            """As in life: who comes back has pulled before, and the cloud knows what it takes."""
            for name in (*self.names, *self.helpers):
                grants.set_takes(connection, name, asks=True)
                windows.set_takes(connection, name, asks=True, now_ms=now_ms)

        centre.write(asked_before).result()
        centre.close()


def _add_store(connection: sqlite3.Connection, store: str, count: int, now_ms: int) -> None:
    """A store with members, who were seen there before the storm."""
    from till_cloud import windows
    from till_cloud.ledger.book import Book
    from till_cloud.store import members, tills

    tills.put_store(connection, tills.StoreRow(store, "Storm", "Europe/Moscow"), now_ms)
    book = Book(connection, now_ms)
    placed: list[tuple[str, int]] = []
    for number in range(count):
        profile = members.MemberProfile(f"m-{store}-{number}", "active", "standard", "", "", "", "", "")
        placed.append((profile.member_id, book.next_position()))
        members.add(connection, profile, (), placed[-1][1], now_ms)
    windows.see_many(book, store, placed)
    book.flush()


def _enrolled(connection: sqlite3.Connection, till: str, store: str, now_ms: int) -> str:
    """A till's token."""
    from till_cloud import enrolment
    from till_cloud.store import tills
    from till_sync.wire import EnrolmentRequest

    tills.add_till(connection, till, store, now_ms)
    code = enrolment.issue_code(connection, till, now_ms)
    answer = enrolment.redeem_code(connection, EnrolmentRequest(code=code, salt="x"), now_ms)
    if not hasattr(answer, "token"):
        raise RuntimeError(f"expected an enrolled till, not {answer!r}")
    return answer.token


def _sale(programme: Programme, till: str, place: Place, number: int) -> SaleBody:
    member = f"m-{place.store}-{(place.first + number) % place.members}"
    receipt = Receipt(
        lines=tuple(
            Line(number=n, sku=f"sku{n}", amount_minor=100 + (number * 31 + n * 173) % 1_400) for n in range(1, 6)
        )
    )
    facts = MemberState(tier="standard", spendable_points=0)
    return SaleBody(
        uid=f"{till}-{number}",
        store=place.store,
        at_wall_ms=1_795_300_000_000,
        at_mono_ms=1,
        boot="b",
        clock=CLOCK,
        subject=Subject(member_id=member),
        receipt=receipt,
        result=calculate(programme, facts, receipt, CLOCK),
        programme_digest=digest(programme_json(programme)),
        facts=facts,
    )
