"""What the bridge's tests share: a fake agent behind the real HTTP server, and a client that writes raw bytes."""

import asyncio
import base64
import contextlib
import json
import socket
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from msgspec import Struct

from till_agent.api import (
    Coupon,
    Hold,
    Identify,
    Member,
    QueuedOp,
    Quote,
    SaleView,
    SlipState,
    Status,
    SyncStatus,
)
from till_agent.bridge.app import make_app
from till_agent.bridge.endpoint import Numbers
from till_agent.bridge.events import EventHub
from till_agent.bridge.guard import Guard
from till_agent.bridge.server import BridgeServer
from till_agent.bridge.tokens import Client, Tokens
from till_agent.bridge.trial_shapes import TrialPrint
from till_agent.exceptions import DeskProblem
from till_config.settings import BridgeSettings
from till_drivers.blocks import Text
from till_loyalty.results import Calculation
from till_sync.problems import ProblemError

POS_TOKEN = "p" * 43
ADMIN_TOKEN = "a" * 43
ORIGIN = "https://pos.example"
WAIT_S = 30.0


class SteppedClock:
    """A clock that moves when it is told."""

    boot = "test"

    def __init__(self) -> None:
        self.now_ms = 1_000_000

    def wall_ms(self) -> int:
        return self.now_ms

    def mono_ms(self) -> int:
        return self.now_ms

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)


class Done(Struct):
    body: bytes
    replayed: bool


MEMBER = Member(
    reference="m-1",
    known=True,
    status="active",
    balance_points=10,
    spendable_points=10,
    unconfirmed_points=0,
    spendable_reason="",
    as_of_ms=1,
    offline=False,
)
CALCULATION = Calculation(programme_id="p", programme_version=1, total_minor=100, payable_minor=100, lines=())
SYNC = SyncStatus(
    online=True,
    enrolled=True,
    waiting=0,
    oldest_waiting_ms=0,
    acked_seq=0,
    last_seq=0,
    last_push_ms=0,
    last_pull_ms=0,
    last_error="",
    pushed=0,
    resent=0,
    adjusted=0,
    rejected=0,
)


class FakeDesk:
    """Remembers every call: a refused request must leave none."""

    def __init__(self, calls: list[tuple[str, Any]]) -> None:
        self._calls = calls
        self._sold: dict[str, Any] = {}

    async def identify(self, request: Identify, language: str | None = None, *, alone: bool = False) -> Member:
        self._calls.append(("identify", request))
        return MEMBER

    async def quote(self, request: Any) -> Quote:
        self._calls.append(("quote", request))
        return Quote(calculation=CALCULATION, offline=False, as_of_ms=1, slip_preview="")

    async def coupon(self, code: str, reference: str | None = None, language: str | None = None) -> Coupon:
        self._calls.append(("coupon", code, reference, language))
        return Coupon(code=code, usable=True, reason="", checked=False, offline=False)

    async def hold(self, request: Any) -> Hold:
        self._calls.append(("hold", request))
        raise DeskProblem("cloud_unreachable", 503, "no line", retryable=True, extras={"balance": 3})

    async def release(self, hold: str) -> None:
        self._calls.append(("release", hold))

    async def sell(self, uid: str, request: Any) -> Done:
        self._calls.append(("sell", uid))
        before = self._sold.setdefault(uid, request)
        if before != request:
            raise DeskProblem("uid_conflict", 409, "expected the first body again", pointer="/receipt")
        return Done(b'{"uid":"%s"}' % uid.encode(), [call for call in self._calls if call == ("sell", uid)][1:] != [])

    async def void(self, uid: str, language: str | None = None, *, print_slip: bool = True) -> Done:
        self._calls.append(("void", uid, print_slip) if not print_slip else ("void", uid))
        raise DeskProblem("sale_unknown", 404, "no such sale")

    async def give_back(self, uid: str, request: Any, language: str | None = None) -> Done:
        self._calls.append(("return", uid))
        return Done(b"{}", False)

    async def sale(self, uid: str) -> SaleView:
        self._calls.append(("sale", uid))
        raise DeskProblem("sale_unknown", 404, "no such sale")


class FakeSlips:
    def __init__(self, calls: list[tuple[str, Any]]) -> None:
        self._calls = calls

    async def blocks(self, uid: str, *, language: str, columns: int | None, kind: str) -> tuple[Text, ...]:
        return (Text(text=f"{uid} {language} {columns}"),)

    async def text(self, uid: str, *, language: str, columns: int | None, kind: str) -> str:
        return f"чек {uid} {language} {columns}" if kind == "sale" else f"{kind} {uid}"

    async def png(self, uid: str, *, language: str, columns: int | None, kind: str) -> bytes:
        return b"\x89PNG"

    async def escpos(self, uid: str, *, language: str, columns: int | None, kind: str) -> bytes:
        return b"\x1b@"

    async def print_copy(self, uid: str, *, language: str, kind: str) -> SlipState:
        self._calls.append(("print", uid) if kind == "sale" else ("print", kind, uid))
        return SlipState(state="queued", printer="receipt")


class FakeQueue:
    async def listed(self, *, waiting_only: bool, limit: int, verdict: str = "") -> tuple[int, tuple[QueuedOp, ...]]:
        return 7, (QueuedOp(op="t:1:1", kind="sale", uid="u", at_wall_ms=1, status="waiting"),)

    async def one(self, seq: int, epoch: int | None) -> tuple[QueuedOp, bytes] | None:
        if seq != 1:
            return None
        return QueuedOp(op="t:1:1", kind="sale", uid="u", at_wall_ms=1, status="waiting"), b'{"kind":"sale"}'


class FakeSync:
    def __init__(self, calls: list[tuple[str, Any]]) -> None:
        self._calls = calls

    async def status(self) -> SyncStatus:
        return SYNC

    async def now(self) -> bool:
        self._calls.append(("sync_now", None))
        return len(self._calls) > 1


class FakeTrials:
    """One printer, `receipt`."""

    def start(self, name: str, language: str) -> TrialPrint:
        if name != "receipt":
            raise ProblemError(409, "no_printer", "expected receipt")
        return TrialPrint(printer=name, state="queued", job="trial:00000000beef", code=language)

    def look(self, job: str) -> TrialPrint:
        raise ProblemError(404, "print_unknown", f"expected another job than {job}")


class FakeBridge:
    """An agent whose parts only remember that they were asked."""

    language = "ru"
    version = "0.0.0"
    reports = None

    def __init__(self, clock: SteppedClock) -> None:
        self.calls: list[tuple[str, Any]] = []
        self.refusals: Counter[str] = Counter()
        self.answers: list[tuple[str, int]] = []
        self.desk = FakeDesk(self.calls)
        self.slips = FakeSlips(self.calls)
        self.queue = FakeQueue()
        self.sync = FakeSync(self.calls)
        self.trials = FakeTrials()
        self.events = EventHub(clock, run="0123abcd")
        self.not_ready = ""
        self.commits = 0
        self.failure: Exception | None = None

    @property
    def core(self) -> "FakeBridge":
        if self.failure is not None:
            raise self.failure
        return self

    def ready(self) -> str:
        return self.not_ready

    def missing(self) -> tuple[str, ...]:
        return ("printer",)

    def committed(self) -> None:
        self.commits += 1

    async def status(self, language: str | None = None) -> Status:
        return Status(
            version="0",
            till="t",
            store="s",
            started_ms=1,
            now_ms=2,
            ready=True,
            problems=(),
            programme="",
            members_cached=0,
            cache_as_of_ms=0,
            clock_skew_ms=None,
            sync=SYNC,
            devices=(),
            prints_waiting=0,
        )

    async def metrics(self) -> bytes:
        return b"tillside_ready 1\n"

    def refused(self, reason: str) -> None:
        self.refusals[reason] += 1

    def answered(self, operation: str, status: int, seconds: float) -> None:
        self.answers.append((operation, status))

    def cashier(self, code: str, status: int, numbers: Numbers | None = None, language: str | None = None) -> str:
        return f"cashier: {code} {language}" if language else f"cashier: {code}"


@dataclass
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        return str(self.json["code"])


@dataclass
class LiveBridge:
    """The real server with the fake agent behind it, on a loop of its own thread."""

    bridge: FakeBridge
    guard: Guard
    port: int
    clock: SteppedClock
    loop: asyncio.AbstractEventLoop
    extra: dict[str, Any] = field(default_factory=dict)

    def on_loop(self, work: Callable[[], Any]) -> Any:
        """Run `work` on the server's loop and wait for it."""

        async def run() -> Any:
            found = work()
            return await found if isinstance(found, Awaitable) else found

        return asyncio.run_coroutine_threadsafe(run(), self.loop).result(WAIT_S)

    def raw(self, data: bytes, *, host: str = "127.0.0.1", half_close: bool = False) -> Reply:
        """Send bytes as they are; the one answer, and whatever else was on the connection is dropped."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as connection:
            connection.settimeout(WAIT_S)
            connection.connect((host, self.port))
            with contextlib.suppress(OSError):  # a server that has refused need not read on
                connection.sendall(data)
            if half_close:
                connection.shutdown(socket.SHUT_WR)
            return read_reply(connection, head_only=data.startswith(b"HEAD "))

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        token: str | None = POS_TOKEN,
        headers: Mapping[str, str | None] | None = None,
    ) -> Reply:
        """A well-formed request; `headers` replace or (None) remove what it would carry."""
        fields: dict[str, str | None] = {"Host": f"127.0.0.1:{self.port}"}
        if token is not None:
            fields["Authorization"] = f"Bearer {token}"
        if method not in ("GET", "HEAD"):
            fields["X-Tillside-Client"] = "test"
        data = b""
        if body is not None:
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            fields |= {"Content-Type": "application/json", "Content-Length": str(len(data))}
        fields |= headers or {}
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items() if value is not None)
        return self.raw(f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode("latin-1") + data)


def read_reply(connection: socket.socket, *, head_only: bool = False) -> Reply:
    """One whole answer; ConnectionError when the server said nothing."""
    data = b""
    while b"\r\n\r\n" not in data:
        part = connection.recv(65536)
        if not part:
            raise ConnectionError(f"no answer but {data!r}")
        data += part
    head, _, rest = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    length = int(headers.get("content-length", "0"))
    while not head_only and len(rest) < length:
        part = connection.recv(65536)
        if not part:
            break
        rest += part
    return Reply(int(first.split()[1]), headers, rest[:length] if not head_only else b"")


def basic(name: str, token: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{token}".encode()).decode()


@contextlib.contextmanager
def live_bridge(settings: BridgeSettings | None = None, **changes: Any) -> Iterator[LiveBridge]:
    """Start the server on a free port; everything is stopped at the end."""
    if settings is None:
        settings = BridgeSettings(
            port=0, allowed_origins=(ORIGIN,), rate_limit_per_second=10_000, body_limit_bytes=2_097_152, **changes
        )
    tokens = Tokens(
        {
            Client("pos", frozenset({"sale", "register"})): POS_TOKEN,
            Client("admin", frozenset({"sale", "register", "admin"})): ADMIN_TOKEN,
            Client("kiosk", frozenset({"register"})): "k" * 43,
        }
    )
    started: threading.Event = threading.Event()
    stop: list[Callable[[], None]] = []
    found: list[LiveBridge] = []

    async def serve() -> None:
        clock = SteppedClock()
        bridge = FakeBridge(clock)
        guard = make_app(bridge, settings, tokens, clock)
        server = BridgeServer(guard, port=settings.port, on_ready=guard.serve_on, on_refused=bridge.refused)
        port = await server.start()
        ended = asyncio.Event()
        loop = asyncio.get_running_loop()
        stop.append(lambda: loop.call_soon_threadsafe(ended.set))
        found.append(LiveBridge(bridge, guard, port, clock, loop))
        started.set()
        await ended.wait()
        bridge.events.close()
        await server.stop(grace_ms=1000)

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    if not started.wait(WAIT_S):
        raise RuntimeError("the bridge did not start")
    try:
        yield found[0]
    finally:
        stop[0]()
        thread.join(WAIT_S)
