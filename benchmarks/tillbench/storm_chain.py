"""The chain of the storm: a cloud's database with its tills, and a queue of ready ops in memory for each."""

import hashlib
import sqlite3
import time
from collections import Counter
from pathlib import Path

import msgspec

from till_loyalty.engine import calculate
from till_loyalty.programme import Programme
from till_loyalty.programme_document import digest, example_text, parse_programme, programme_json
from till_loyalty.receipt import Line, MemberState, Receipt, StoreClock
from till_sync.ops import NEWEST_PROTOCOL, OpId, SaleBody, Subject, encode_body, fingerprint
from till_sync.wire import ChangesAnswer, HelloAnswer, OpResult, PushRequest, WireOp

STORE = "s1"
MEMBERS = 100
"""Few, so that what each till pulls after its push stays small: every till gets every member that changed."""

CALIBRATORS = 4
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


class Chain:
    """A cloud's database with a store, tills and members, and the tills' queues: made once, used for each run."""

    def __init__(self, folder: Path, tills: int, ops: int) -> None:
        self.folder = folder
        self.db = folder / "storm.db"
        self.names = [f"t{number:05d}" for number in range(tills)]
        self.helpers = [f"c{number}" for number in range(CALIBRATORS)]
        self.ops = ops
        self.tokens: dict[str, str] = {}
        self._queues: dict[str, Queue] = {}
        self._programme = parse_programme(example_text("supermarket"))
        self.cursor = self._make_cloud()

    def queue(self, till: str, ops: int) -> Queue:
        """The same ops each time, none of them acknowledged."""
        if till not in self._queues:
            bodies = [encode_body(_sale(self._programme, till, number)) for number in range(ops)]
            self._queues[till] = Queue(till, bodies)
        queue = self._queues[till]
        queue.acked = 0
        queue.verdicts.clear()
        return queue

    def _make_cloud(self) -> str:
        from till_cloud import enrolment, registry
        from till_cloud.centre import Centre
        from till_cloud.store import grants, members, tills, windows
        from till_sync.wire import EnrolmentRequest

        centre = Centre(self.db)
        now_ms = centre.wall_ms()

        def fill(connection: sqlite3.Connection) -> None:
            from till_cloud.ledger.book import Book

            tills.put_store(connection, tills.StoreRow(STORE, "Storm", "Europe/Moscow"), now_ms)
            registry.upload(connection, self._programme, now_ms)
            book = Book(connection, now_ms)
            for number in range(MEMBERS):
                profile = members.MemberProfile(f"m-{number}", "active", "standard", "", "", "", "", "")
                members.add(connection, profile, (), book.next_position(), now_ms)
            book.flush()
            for name in (*self.names, *self.helpers):
                tills.add_till(connection, name, STORE, now_ms)
                code = enrolment.issue_code(connection, name, now_ms)
                answer = enrolment.redeem_code(connection, EnrolmentRequest(code=code, salt="x"), now_ms)
                if not hasattr(answer, "token"):
                    raise RuntimeError(f"expected an enrolled till, not {answer!r}")
                self.tokens[name] = answer.token

        centre.write(fill).result()
        row = centre.quick(lambda connection: tills.till(connection, self.names[0]))
        if row is None:
            raise RuntimeError("expected the till that was just made")
        cursor = centre.changes(row, since="", limit=10_000).next

        def asked_before(connection: sqlite3.Connection) -> None:
            """As in life: who comes back has pulled before, and the cloud knows what it takes."""
            for name in (*self.names, *self.helpers):
                grants.set_takes(connection, name, asks=True)
                windows.set_takes(connection, name, asks=True, now_ms=now_ms)

        centre.write(asked_before).result()
        centre.close()
        return cursor


def _sale(programme: Programme, till: str, number: int) -> SaleBody:
    member = f"m-{(int(till[1:]) + number) % MEMBERS}"
    receipt = Receipt(
        lines=tuple(
            Line(number=n, sku=f"sku{n}", amount_minor=100 + (number * 31 + n * 173) % 1_400) for n in range(1, 6)
        )
    )
    facts = MemberState(tier="standard", spendable_points=0)
    return SaleBody(
        uid=f"{till}-{number}",
        store=STORE,
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
