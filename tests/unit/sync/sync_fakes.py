"""Stand-ins for what sync talks to: a clock that only tests move, an outbox, a cache and a cloud in memory."""

import asyncio
import heapq
import itertools
from collections.abc import Awaitable, Callable, Collection, Mapping
from random import Random
from typing import Any

import msgspec

from till_sync.exceptions import CloudUnreachable, HistoryConflict
from till_sync.ops import PROTOCOL, OpId, fingerprint
from till_sync.problems import PROBLEM_MEDIA_TYPE, Problem
from till_sync.transport import Reply
from till_sync.wire import (
    ChangesAnswer,
    HelloAnswer,
    Limits,
    MemberRow,
    OpResult,
    ParkedOp,
    PushAnswer,
    PushRequest,
    WireOp,
)

SALT = "salt-1"
TILL = "t1"
WALL_MS = 1_760_000_000_000


class FakeClock:
    """Stands still until `advance`; wall and monotonic time move together unless a test sets `wall`."""

    def __init__(self) -> None:
        self.mono = 1_000
        self.wall = WALL_MS
        self._sleepers: list[tuple[int, int, asyncio.Future[None]]] = []
        self._order = itertools.count()

    def wall_ms(self) -> int:
        return self.wall

    def mono_ms(self) -> int:
        return self.mono

    @property
    def boot(self) -> str:
        return "boot-1"

    async def sleep(self, seconds: float) -> None:
        future = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self.mono + round(seconds * 1000), next(self._order), future))
        await future

    @property
    def waits(self) -> list[int]:
        """Milliseconds until each pending sleeper, soonest first."""
        return sorted(at - self.mono for at, _, future in self._sleepers if not future.done())

    async def advance(self, ms: int) -> None:
        """Move on, waking sleepers at their moments."""
        end = self.mono + ms
        await settle()
        while True:
            self._sleepers = [entry for entry in self._sleepers if not entry[2].done()]
            heapq.heapify(self._sleepers)
            if not self._sleepers or self._sleepers[0][0] > end:
                break
            at, _, future = heapq.heappop(self._sleepers)
            self._move(at)
            future.set_result(None)
            await settle()
        self._move(end)
        await settle()

    def _move(self, mono: int) -> None:
        self.wall += max(0, mono - self.mono)
        self.mono = max(self.mono, mono)


MOST_TURNS = 10_000
"""Of the loop until nothing is left to run; a search for what a cloud can't take needs up to 924."""


async def settle() -> None:
    """Let everything that can run without time passing run, until nobody but the caller has a turn to come."""
    # The loop keeps this to itself. A number of turns instead was too small for searches, and waste for all else.
    ready: Collection[object] = asyncio.get_running_loop()._ready  # type: ignore[attr-defined]
    for _ in range(MOST_TURNS):
        await asyncio.sleep(0)
        if not ready:
            return
    raise AssertionError(f"something runs on and on without time passing: more than {MOST_TURNS} turns")


class FixedRandom(Random):
    """Draws the same share of every range."""

    def __init__(self, share: float = 1.0) -> None:
        super().__init__(1)
        self.share = share

    def randint(self, a: int, b: int) -> int:
        return a + round((b - a) * self.share)


class FakeOutbox:
    """Keeps the journal's promises: in sequence, no gap, first verdicts stay."""

    def __init__(self, clock: FakeClock, count: int = 0, *, epoch: int = 1) -> None:
        self._clock = clock
        self.epoch = epoch
        self.opened = 1
        self.bodies: list[bytes] = []
        self.acked = 0
        self.verdicts: dict[int, OpResult] = {}
        self.recorded: list[tuple[int, int, tuple[int, ...]]] = []
        self.hellos: list[HelloAnswer] = []
        self.fail_record: list[Exception] = []
        self.may_record: asyncio.Event | None = None
        """Nothing is stored until it is set."""
        self.fail_reconcile: list[Exception] = []
        self.read_ahead: list[tuple[int, int]] = []
        self.fail_ahead: list[Exception] = []
        self.mangle: Callable[[PushRequest], PushRequest] | None = None
        self.add(count)

    def add(self, count: int, body: bytes | None = None) -> None:
        for _ in range(count):
            number = len(self.bodies) + 1
            self.bodies.append(body or b'{"kind":"sale","uid":"s%d"}' % number)

    async def waiting(self) -> int:
        return len(self.bodies) - self.acked

    async def next_batch(self, *, max_ops: int, max_bytes: int, incarnation: str) -> PushRequest | None:
        return self._batch(self.acked, max_ops, max_bytes, incarnation)

    async def batch_after(
        self, last: tuple[int, int], *, max_ops: int, max_bytes: int, incarnation: str
    ) -> PushRequest | None:
        self.read_ahead.append(last)
        if self.fail_ahead:
            raise self.fail_ahead.pop(0)
        return self._batch(last[1], max_ops, max_bytes, incarnation) if last[0] == self.epoch else None

    def _batch(self, after: int, max_ops: int, max_bytes: int, incarnation: str) -> PushRequest | None:
        chosen: list[WireOp] = []
        size = 0
        for seq in range(after + 1, len(self.bodies) + 1):
            body = self.bodies[seq - 1]
            size += len(body)
            if chosen and (len(chosen) >= max_ops or size > max_bytes):
                break
            mark = fingerprint(OpId(TILL, self.epoch, seq), SALT, body)
            chosen.append(WireOp(seq=seq, fingerprint=mark, body=msgspec.Raw(body)))
        if not chosen:
            return None
        request = PushRequest(
            protocol=PROTOCOL,
            epoch=self.epoch,
            salt=SALT,
            incarnation=incarnation,
            first_seq=chosen[0].seq,
            prev_hash=f"h{after}" if after else "",
            head_hash=f"h{chosen[-1].seq}",
            sent_wall_ms=self._clock.wall_ms(),
            sent_mono_ms=self._clock.mono_ms(),
            boot=self._clock.boot,
            ops=tuple(chosen),
            remaining=len(self.bodies) - chosen[-1].seq,
        )
        return self.mangle(request) if self.mangle is not None else request

    async def record(self, epoch: int, acked_seq: int, results: tuple[OpResult, ...]) -> None:
        if self.may_record is not None:
            await self.may_record.wait()
        if self.fail_record:
            raise self.fail_record.pop(0)
        self.recorded.append((epoch, acked_seq, tuple(result.seq for result in results)))
        self.acked = max(self.acked, acked_seq)
        for result in results:
            self.verdicts.setdefault(result.seq, result)

    async def reconcile(self, hello: HelloAnswer) -> None:
        if self.fail_reconcile:
            raise self.fail_reconcile.pop(0)
        self.hellos.append(hello)
        if hello.epoch > self.epoch or (hello.epoch == self.epoch and hello.acked_seq > len(self.bodies)):
            raise HistoryConflict("the cloud holds what this journal never wrote")
        self.acked = hello.acked_seq if hello.epoch == self.epoch else 0


class FakeSink:
    """A cache that keeps pages."""

    def __init__(self) -> None:
        self.at = ""
        self.pages: list[ChangesAnswer] = []
        self.resets = 0
        self.members: dict[str, MemberRow] = {}

    async def cursor(self) -> str:
        return self.at

    async def store_page(self, page: ChangesAnswer) -> None:
        self.pages.append(page)
        self.at = page.next
        for row in page.rows:
            if isinstance(row, MemberRow):
                self.members[row.member_id] = row

    async def reset(self) -> None:
        self.at = ""
        self.resets += 1


class Request(msgspec.Struct):
    """What the fake cloud was asked."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


def json_reply(value: object, *, status: int = 200, media_type: str = "application/json") -> Reply:
    return Reply(status, {"content-type": media_type}, msgspec.json.encode(value))


def problem_reply(status: int, code: str, *, headers: Mapping[str, str] | None = None, **extras: Any) -> Reply:
    problem = Problem(status=status, code=code, detail="as the test wants it", extras=extras)
    return Reply(status, {"content-type": PROBLEM_MEDIA_TYPE, **(headers or {})}, problem.encode())


class FakeCloud:
    """A transport with a small honest cloud behind it. `script` holds what happens instead, one entry a request."""

    def __init__(self, clock: FakeClock, *, till: str = TILL) -> None:
        self._clock = clock
        self.till = till
        self.incarnation = "inc-1"
        self.epoch = 0
        self.acked = 0
        self.fingerprints: dict[tuple[int, int], str] = {}
        self.members: list[MemberRow] = []
        self.limits = Limits()
        self.retry_after_ms = 0
        self.protocol = 2
        self.cant_take: dict[int, Reply] = {}
        """What a batch is answered with that holds the bytes of that op."""
        self.unwell: Reply | None = None
        self.latency_ms = 0
        self.down = False
        self.statuses: dict[int, str] = {}
        self.parked: dict[int, ParkedOp] = {}
        self.requests: list[Request] = []
        self.script: dict[str, list[Reply | Exception | Callable[[Request], Awaitable[Reply]]]] = {}
        self.closed = False

    def asked(self, name: str) -> list[Request]:
        return [request for request in self.requests if name in request.path]

    def pushes(self) -> list[bytes]:
        return [request.body for request in self.asked("/ops")]

    async def close(self) -> None:
        self.closed = True

    async def exchange(
        self, method: str, path: str, *, headers: Mapping[str, str], body: bytes, answer_limit_bytes: int
    ) -> Reply:
        request = Request(method, path, headers, body)
        self.requests.append(request)
        if self.latency_ms:
            await self._clock.sleep(self.latency_ms / 1000)
        if self.down:
            raise CloudUnreachable("no route")
        name = path.partition("?")[0].rpartition("/")[2]
        if self.script.get(name):
            planned = self.script[name].pop(0)
            if isinstance(planned, Exception):
                raise planned
            return planned if isinstance(planned, Reply) else await planned(request)
        return self.answer(request)

    def answer(self, request: Request) -> Reply:
        """What an honest cloud says."""
        name = request.path.partition("?")[0].rpartition("/")[2]
        if self.unwell is not None:
            return self.unwell
        if name == "hello":
            return json_reply(self.hello())
        if name == "ops":
            return self._take(msgspec.json.decode(request.body, type=PushRequest))
        if name == "changes":
            return json_reply(self._changes())
        return problem_reply(404, "not_found")

    def hello(self) -> HelloAnswer:
        return HelloAnswer(
            incarnation=self.incarnation,
            till=self.till,
            store="s1",
            epoch=self.epoch,
            acked_seq=self.acked,
            head_hash=f"h{self.acked}" if self.acked else "",
            server_time_ms=self._clock.wall_ms(),
            limits=self.limits,
            protocol=self.protocol,
        )

    def _take(self, request: PushRequest) -> Reply:
        if len(request.ops) > self.limits.max_ops:
            return problem_reply(413, "batch_too_large")
        for op in request.ops:
            if op.seq in self.cant_take and not op.parked:
                return self.cant_take[op.seq]
        if request.epoch > self.epoch:
            self.epoch, self.acked = request.epoch, 0
        if request.first_seq > self.acked + 1:
            return problem_reply(409, "seq_gap", expected_seq=self.acked + 1)
        results: list[OpResult] = []
        for op in request.ops:
            known = self.fingerprints.setdefault((request.epoch, op.seq), op.fingerprint)
            if known != op.fingerprint:
                return problem_reply(422, "fingerprint_mismatch")
            verdict = self.statuses.get(op.seq, "applied")
            if op.parked:
                verdict = self.statuses.setdefault(op.seq, "rejected")
                self.parked[op.seq] = msgspec.json.decode(op.body, type=ParkedOp)
            repeated = op.seq <= self.acked
            status, first = ("duplicate", verdict) if repeated else (verdict, "")
            code = "parked" if op.seq in self.parked else ""
            results.append(OpResult(seq=op.seq, status=status, first=first, code=code))  # type: ignore[arg-type]  # known to be one of the verdicts
            self.acked = max(self.acked, op.seq)
        return json_reply(
            PushAnswer(
                incarnation=self.incarnation,
                acked_seq=self.acked,
                results=tuple(results),
                server_time_ms=self._clock.wall_ms(),
                retry_after_ms=self.retry_after_ms,
                limits=self.limits,
                head_hash=f"h{self.acked}" if self.acked else "",
            )
        )

    def _changes(self) -> ChangesAnswer:
        return ChangesAnswer(
            incarnation=self.incarnation,
            rows=tuple(self.members),
            next=f"{self.incarnation}:{len(self.members)}",
            more=False,
            epoch=self.epoch,
            acked_seq=self.acked,
            server_time_ms=self._clock.wall_ms(),
        )
