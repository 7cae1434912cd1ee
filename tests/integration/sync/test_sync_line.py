"""The real client over real sockets against a server that behaves badly: nothing it does acknowledges anything."""

import asyncio
import datetime as dt
import gc
import ssl
import subprocess
import sys
from collections.abc import Iterator
from random import Random
from typing import Any

import msgspec
import pytest
import trustme

from integration.sync.sync_server import Behaviour, Connection, ScriptedServer, answer, says, says_json
from kit.loops import run
from till_sync.client import CloudClient
from till_sync.clock import SystemClock
from till_sync.exceptions import AnswerMismatch, CloudBusy, CloudFailed, CloudUnreachable, NotOurCloud, SyncError
from till_sync.httpx_transport import HttpxTransport, load_httpx
from till_sync.push import Pusher
from till_sync.wire import ChangesAnswer, HelloAnswer, OpResult, PushAnswer, PushRequest
from till_sync.worker import SyncWorker, WorkerSettings
from unit.sync.sync_fakes import TILL, FakeClock, FakeOutbox, FakeSink

HELLO = HelloAnswer(
    incarnation="inc-1", till=TILL, store="s1", epoch=0, acked_seq=0, head_hash="", server_time_ms=1_760_000_000_000
)


@pytest.fixture(autouse=True)
def _sockets_are_closed() -> Iterator[None]:
    """Those that are left open become warnings, and warnings are errors."""
    yield
    gc.collect()


def good(first: int, last: int, **changed: Any) -> PushAnswer:
    fields: dict[str, Any] = {
        "incarnation": "inc-1",
        "acked_seq": last,
        "results": tuple(OpResult(seq=seq, status="applied") for seq in range(first, last + 1)),
        "server_time_ms": 1,
    }
    return PushAnswer(**{**fields, **changed})


GOOD = answer(msgspec.json.encode(good(1, 5)))


class Line:
    """A pusher with five ops and the real transport to a scripted server."""

    def __init__(self, server: ScriptedServer, *, timeout_ms: int = 700) -> None:
        # The first exchange loads it, which on a busy machine takes longer than these tests give an answer.
        load_httpx()
        self.server = server
        self.outbox = FakeOutbox(FakeClock(), 5)
        transport = HttpxTransport(server.url, connect_timeout_ms=timeout_ms, request_timeout_ms=timeout_ms)
        self.client = CloudClient(
            transport, till=TILL, token="secret", clock=SystemClock(), request_timeout_ms=timeout_ms
        )
        self.pusher = Pusher(self.client, self.outbox, clock=SystemClock())
        self.pusher.greeted(HELLO)

    async def fail(self) -> SyncError:
        with pytest.raises(SyncError) as caught:
            await self.pusher.step("inc-1")
        assert self.outbox.recorded == []
        assert self.outbox.acked == 0
        return caught.value


async def half_a_body(connection: Connection, body: bytes) -> None:
    await connection.send(GOOD[:-40])
    connection.writer.close()


async def half_a_head(connection: Connection, body: bytes) -> None:
    await connection.send(b"HTTP/1.1 200 OK\r\nContent-Ty")
    connection.writer.close()


async def reset_in_mid_body(connection: Connection, body: bytes) -> None:
    await connection.send(GOOD[:-40])
    await asyncio.sleep(0.02)
    connection.reset()


async def reset_at_once(connection: Connection, body: bytes) -> None:
    connection.reset()


async def silence(connection: Connection, body: bytes) -> None:
    await connection.hang()


async def a_byte_at_a_time(connection: Connection, body: bytes) -> None:
    for byte in GOOD:
        await connection.send(bytes([byte]))
        await asyncio.sleep(0.05)


async def half_open(connection: Connection, body: bytes) -> None:
    await connection.send(GOOD[:60])
    await connection.hang()


async def endless(connection: Connection, body: bytes) -> None:
    await connection.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
    chunk = b"%x\r\n" % 65536 + b" " * 65536 + b"\r\n"
    while True:
        await connection.send(chunk)


async def endless_head(connection: Connection, body: bytes) -> None:
    await connection.send(b"HTTP/1.1 200 OK\r\n")
    while True:
        await connection.send(b"X-Pad: " + b"x" * 8000 + b"\r\n")


CHUNKED_CUT = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"inc\r\n'


async def cut_chunks(connection: Connection, body: bytes) -> None:
    await connection.send(CHUNKED_CUT)
    connection.writer.close()


BAD: list[tuple[str, Behaviour, type[SyncError]]] = [
    ("html with 200", says(answer(b"<html>Log in</html>", media_type="text/html")), NotOurCloud),
    ("html called json", says(answer(b"<html>Log in</html>")), NotOurCloud),
    ("json called text", says(answer(msgspec.json.encode(good(1, 5)), media_type="text/plain")), NotOurCloud),
    ("no content type", says(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"), NotOurCloud),
    (
        "redirect",
        says(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"),
        NotOurCloud,
    ),
    ("portal's 511", says(answer(b"<html>", status="511 Log In", media_type="text/html")), NotOurCloud),
    ("portal's 401", says(answer(b"<html>", status="401 No", media_type="text/html")), NotOurCloud),
    ("500 with html", says(answer(b"<html>", status="500 Oops", media_type="text/html")), CloudFailed),
    ("503", says(answer(b"", status="503 Busy")), CloudBusy),
    ("gzip", says(answer(b"\x1f\x8b\x08", headers={"Content-Encoding": "gzip"})), NotOurCloud),
    ("no http", says(b"220 mail.example ESMTP\r\n\r\n"), CloudUnreachable),
    ("half a body", half_a_body, CloudUnreachable),
    ("half a head", half_a_head, CloudUnreachable),
    ("cut between chunks", cut_chunks, CloudUnreachable),
    ("RST in mid-body", reset_in_mid_body, CloudUnreachable),
    ("RST at once", reset_at_once, CloudUnreachable),
    ("silence", silence, CloudUnreachable),
    ("half open", half_open, CloudUnreachable),
    ("a byte at a time", a_byte_at_a_time, CloudUnreachable),
    ("endless head", endless_head, CloudUnreachable),
    ("another batch", says_json(good(6, 10)), AnswerMismatch),
    ("acknowledges too much", says_json(good(1, 5, acked_seq=6)), AnswerMismatch),
    ("acknowledges too little", says_json(good(1, 5, acked_seq=4)), AnswerMismatch),
    ("verdicts missing", says_json(good(1, 4, acked_seq=5)), AnswerMismatch),
    ("verdicts extra", says_json(good(1, 6, acked_seq=5)), AnswerMismatch),
]


@pytest.mark.parametrize(("behave", "kind"), [each[1:] for each in BAD], ids=[each[0] for each in BAD])
def test_a_bad_answer_records_nothing_and_the_same_bytes_go_again(behave: Behaviour, kind: type[SyncError]) -> None:
    """Each failure is named, nothing is acknowledged, and the second attempt sends identical bytes and succeeds."""

    async def case() -> None:
        async with ScriptedServer(behave, otherwise=says(GOOD)).running() as server:
            line = Line(server)
            assert type(await line.fail()) is kind
            pushed = await line.pusher.step("inc-1")
            assert (pushed.ops, line.outbox.acked) == (5, 5)
            await line.client.close()
            (_, first), (_, second) = server.requests
            assert first == second
            request = msgspec.json.decode(first, type=PushRequest)
            assert [bytes(op.body) for op in request.ops] == line.outbox.bodies

    run(case())


def test_an_endless_answer_is_cut_at_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory has a bound whatever the other end sends."""
    monkeypatch.setattr("till_sync.client.ANSWER_LIMIT_BYTES", 1024 * 1024)

    async def case() -> None:
        async with ScriptedServer(endless).running() as server:
            line = Line(server, timeout_ms=10_000)
            error = await line.fail()
            assert (type(error), error.code) == (NotOurCloud, "answer_too_large")
            await line.client.close()

    run(case())


@pytest.mark.parametrize(
    ("status", "value", "expected_ms"),
    [
        ("503 Busy", "7", 7_000),
        ("429 Slow down", "7", 7_000),
        ("503 Busy", "99999999999", 120_000),
        ("429 Slow down", "Fri, 31 Dec 9999 23:59:59 GMT", 120_000),
        ("503 Busy", "soon", None),
        ("429 Slow down", "-5", None),
        ("503 Busy", "1.5", None),
    ],
)
def test_retry_after_over_the_wire(status: str, value: str, expected_ms: int | None) -> None:
    """Good is kept, absurd is clamped to two minutes, garbage is ignored."""

    async def case() -> None:
        bad = answer(b"", status=status, headers={"Retry-After": value})
        async with ScriptedServer(says(bad)).running() as server:
            line = Line(server)
            error = await line.fail()
            assert isinstance(error, CloudBusy)
            assert (error.retry_after.ms if error.retry_after else None) == expected_ms
            await line.client.close()

    run(case())


def test_connections_are_kept_between_exchanges() -> None:
    """One pooled client: fifty exchanges, one connection."""

    async def case() -> None:
        async with ScriptedServer(otherwise=says_json(HELLO)).running() as server:
            line = Line(server)
            for _ in range(50):
                await line.client.hello()
            assert server.connections == 1
            await line.client.close()

    run(case())


def test_a_connection_that_the_server_closed_meanwhile_is_replaced() -> None:
    """A stale keep-alive connection is found out before it is used."""

    async def say_and_close(connection: Connection, body: bytes) -> None:
        await connection.send(answer(msgspec.json.encode(HELLO)))
        connection.writer.close()

    async def case() -> None:
        async with ScriptedServer(otherwise=say_and_close).running() as server:
            line = Line(server)
            for number in range(1, 4):
                assert (await line.client.hello()).incarnation == "inc-1"
                await asyncio.sleep(0.05)
                assert server.connections == number
            await line.client.close()

    run(case())


def test_a_connection_that_dies_under_a_push_costs_one_attempt() -> None:
    """The server resets a kept connection when the next request comes: named, and the retry opens another."""

    async def case() -> None:
        script = (says_json(HELLO), reset_at_once)
        async with ScriptedServer(*script, otherwise=says(GOOD)).running() as server:
            line = Line(server)
            await line.client.hello()
            assert isinstance(await line.fail(), CloudUnreachable)
            await line.pusher.step("inc-1")
            assert (server.connections, line.outbox.acked) == (2, 5)
            await line.client.close()

    run(case())


def test_nobody_listening_is_unreachable() -> None:
    """Connection refused, and an address that leads nowhere."""

    async def case() -> None:
        server = ScriptedServer()
        async with server.running():
            pass
        line = Line(server)
        assert isinstance(await line.fail(), CloudUnreachable)
        await line.client.close()

    run(case())


def test_a_name_that_does_not_resolve_is_unreachable() -> None:
    """DNS dead: `.invalid` never resolves (RFC 6761)."""

    async def case() -> None:
        transport = HttpxTransport("https://cloud.invalid", ssl_context=ssl.create_default_context())
        client = CloudClient(transport, till=TILL, token="x", clock=SystemClock(), request_timeout_ms=5_000)
        with pytest.raises(CloudUnreachable):
            await client.hello()
        await client.close()

    run(case())


def _tls(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


@pytest.mark.parametrize("fault", ["none", "other host", "expired", "unknown authority"])
def test_only_the_cloud_s_own_certificate_is_taken(fault: str) -> None:
    """TLS with a good certificate works; one of another host, out of date or of a stranger is not our cloud."""
    authority, stranger = trustme.CA(), trustme.CA()
    host = "other.example" if fault == "other host" else "127.0.0.1"
    past = dt.datetime(2020, 1, 1, tzinfo=dt.UTC) if fault == "expired" else None
    certificate = (stranger if fault == "unknown authority" else authority).issue_cert(host, not_after=past)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer(msgspec.json.encode(HELLO), headers={"Connection": "close"}))
        await writer.drain()
        writer.close()

    async def case() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=_tls(certificate))
        port = server.sockets[0].getsockname()[1]
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        transport = HttpxTransport(f"https://127.0.0.1:{port}", ssl_context=trusting)
        client = CloudClient(transport, till=TILL, token="x", clock=SystemClock(), request_timeout_ms=5_000)
        try:
            if fault == "none":
                assert (await client.hello()).till == TILL
            else:
                with pytest.raises(NotOurCloud) as caught:
                    await client.hello()
                assert caught.value.code == "certificate_refused"
        finally:
            await client.close()
            server.close()
            await server.wait_closed()

    run(case())


def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """A daemon does not send its token through whatever HTTP_PROXY names."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)

    async def case() -> None:
        async with ScriptedServer(otherwise=says_json(HELLO)).running() as server:
            line = Line(server)
            assert (await line.client.hello()).till == TILL
            await line.client.close()

    run(case())


def test_the_agent_s_start_loads_neither_httpx_nor_rich() -> None:
    """httpx comes at the first exchange and without its command line; the worker's import brings neither."""
    program = (
        "import sys, till_sync.worker, till_sync.holds, till_sync.httpx_transport as t\n"
        "early = [m for m in ('httpx', 'rich', 'tenacity', 'truststore') if m in sys.modules]\n"
        "t.load_httpx()\n"
        "import httpx\n"
        "print(early, *(m in sys.modules for m in ('rich', 'pygments', 'httpx._main')), httpx.AsyncClient)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout.split("<")[0].strip() == "[] False False False"


def test_the_whole_worker_over_a_bad_line_ends_in_agreement() -> None:
    """Hello, push and pull over real sockets through a portal, cuts and errors: everything arrives, once."""
    seen: dict[int, bytes] = {}
    acked = 0

    async def honest(connection: Connection, body: bytes) -> None:
        nonlocal acked
        head = server.requests[-1][0].split(b" ")[1]
        if b"/hello" in head:
            await connection.send(answer(msgspec.json.encode(HELLO)))
            return
        if b"/changes" in head:
            page = ChangesAnswer(
                incarnation="inc-1", rows=(), next="", more=False, epoch=0, acked_seq=0, server_time_ms=1
            )
            await connection.send(answer(msgspec.json.encode(page)))
            return
        request = msgspec.json.decode(body, type=PushRequest)
        results = []
        for op in request.ops:
            assert op.seq <= acked + 1
            assert seen.setdefault(op.seq, bytes(op.body)) == bytes(op.body)
            results.append(OpResult(seq=op.seq, status="duplicate" if op.seq <= acked else "applied"))
            acked = max(acked, op.seq)
        await connection.send(answer(msgspec.json.encode(good(1, acked, results=tuple(results)))))

    async def lost_answer(connection: Connection, body: bytes) -> None:
        nonlocal acked
        if body:
            for op in msgspec.json.decode(body, type=PushRequest).ops:
                seen[op.seq] = bytes(op.body)
                acked = max(acked, op.seq)
        connection.reset()

    portal = says(answer(b"<html>Log in</html>", media_type="text/html"))
    random = Random(7)
    script = [random.choice([portal, lost_answer, reset_in_mid_body, half_a_body, honest]) for _ in range(30)]
    server = ScriptedServer(*script, otherwise=honest)

    async def case() -> None:
        clock = SystemClock()
        outbox = CarelessOutbox(FakeClock(), 700)
        async with server.running():
            transport = HttpxTransport(server.url, request_timeout_ms=2_000)
            client = CloudClient(transport, till=TILL, token="secret", clock=clock, request_timeout_ms=2_000)
            worker = SyncWorker(
                client,
                outbox,
                FakeSink(),
                clock=clock,
                random=Random(1),
                settings=WorkerSettings(poll_interval_ms=20, spread_ms=5, retry_base_ms=1, retry_cap_ms=5),
            )
            worker.start()
            try:
                while outbox.acked < 700:
                    await worker.sync_now(timeout_ms=15_000)
            finally:
                await worker.stop()
                await client.close()
        assert [seen[seq] for seq in sorted(seen)] == outbox.bodies
        assert set(outbox.verdicts) == set(range(1, 701))

    run(case())


class CarelessOutbox(FakeOutbox):
    """Takes no position from a hello: this cloud's stands still at 0, and every op is to get its verdict by a push."""

    async def reconcile(self, hello: HelloAnswer) -> None:
        self.hellos.append(hello)
