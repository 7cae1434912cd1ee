"""The server itself: bounded heads and connections, both loopbacks, start and stop."""

import asyncio
import contextlib
import logging
import socket
import ssl
from asyncio.trsock import TransportSocket
from typing import Any

import httpx
import pytest
import trustme
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from integration.sync.sync_http_kit import make_app, raw, serving
from kit.loops import run
from till_sync.http import protocol
from till_sync.http.serving import LOOPBACK, Server
from till_sync.problems import PROBLEM_MEDIA_TYPE


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GARBAGE\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nA: \x00\r\n\r\n", 400),
        (b"GET /" + b"a" * 40_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 40_000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 30_000 + b"\r\n", 431),
        (b"POST /take HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (b"POST /take HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400),
    ],
    ids=range(8),
)
def test_what_is_no_request_is_refused_with_a_problem_and_the_connection_closed(data: bytes, status: int) -> None:
    """The parser's own errors are problems too, and a head has a limit."""

    async def case() -> bytes:
        async with serving() as server:
            return await raw(server.port, data)

    answer = run(case())
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())
    assert PROBLEM_MEDIA_TYPE.encode() in answer
    assert answer.count(b"HTTP/1.1 4") == 1


def test_a_head_that_never_ends_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither silence, nor half a head, nor a second request's half head keeps a connection."""
    monkeypatch.setattr(protocol, "HEAD_TIMEOUT_S", 0.1)
    whole = b"GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n"

    async def case() -> list[bytes]:
        answers = []
        async with serving() as server:
            for data in (b"", b"GET / HT", whole + b"GET / HTTP/1.1\r\nHo"):
                try:
                    answers.append(await raw(server.port, data))
                except ConnectionResetError:
                    answers.append(b"")
        return answers

    answers = run(case())
    assert answers[:2] == [b"", b""]
    assert answers[2].count(b"HTTP/1.1 404") in (0, 1)


def test_empty_lines_between_requests_keep_no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """They begin no request, and the time that a silent connection has is over by them: the head's time runs."""
    monkeypatch.setattr(protocol, "HEAD_TIMEOUT_S", 0.1)
    whole = b"GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n"

    async def case() -> int:
        async with serving() as server:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(whole)
            answers = await reader.read(65536)
            writer.write(b"\r\n")
            with contextlib.suppress(ConnectionResetError):
                async with asyncio.timeout(10):
                    answers += await reader.read()
            writer.close()
        return answers.count(b"HTTP/1.1 404")

    assert run(case()) == 1


def test_one_timer_looks_after_the_heads_of_all_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is cut in its time, whoever began before; with no head under way nothing is looked for."""
    monkeypatch.setattr(protocol, "HEAD_TIMEOUT_S", 0.1)

    async def case() -> list[int]:
        timers = []
        async with serving() as server:
            callers = []
            for _ in range(3):
                callers.append(await asyncio.open_connection("127.0.0.1", server.port))
                callers[-1][1].write(b"GET / HT")
                await asyncio.sleep(0.03)
            loop: Any = asyncio.get_running_loop()
            timers.append(sum("HeadWatch" in repr(each) for each in loop._scheduled))
            for reader, writer in callers:
                with contextlib.suppress(ConnectionResetError):
                    assert await reader.read() == b""
                writer.close()
            async with asyncio.timeout(10):
                while server._state.connections or server._heads._timer is not None:
                    await asyncio.sleep(0.01)
            timers.append(sum("HeadWatch" in repr(each) for each in loop._scheduled if not each.cancelled()))
        return timers

    assert run(case()) == [1, 0]


def test_a_slow_head_timer_spares_a_request_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit is for heads only: an answer may take longer."""
    monkeypatch.setattr(protocol, "HEAD_TIMEOUT_S", 0.05)

    async def slow(request: Request) -> Response:
        await asyncio.sleep(0.2)
        return Response(b"done")

    async def case() -> str:
        server = Server(Starlette(routes=[Route("/", slow)]))
        await server.start()
        try:
            async with httpx.AsyncClient(trust_env=False) as client:
                return (await client.get(f"http://127.0.0.1:{server.port}/")).text
        finally:
            await server.stop()

    assert run(case()) == "done"


def test_an_unread_body_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request that was answered early may dribble its body no longer than the linger time."""
    monkeypatch.setattr(protocol, "LINGER_S", 0.1)

    async def case() -> bytes:
        async with serving() as server:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(b"POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n")
            first = await reader.readuntil(b"}")
            with contextlib.suppress(ConnectionError):
                while not reader.at_eof():
                    writer.write(b"x")
                    await asyncio.sleep(0.02)
                    if reader.exception() is not None:
                        break
            writer.close()
            return first

    assert run(case()).startswith(b"HTTP/1.1 404")


def test_a_body_that_ends_after_its_early_answer_keeps_the_connection() -> None:
    """A 404 to a POST does not cost a keep-alive connection when the body does come."""

    async def case() -> bytes:
        async with serving() as server:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(b"POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n")
            first = await reader.readuntil(b"}")
            writer.write(b"abcGET /nowhere HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            second = await reader.read()
            writer.close()
            return first + second

    assert run(case()).count(b"HTTP/1.1 404") == 2


def test_pipelined_requests_are_answered_in_order() -> None:
    """Three at once, three answers."""

    async def case() -> bytes:
        async with serving() as server:
            one = b"GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n"
            last = b"GET /refuse HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
            return await raw(server.port, one + one + last)

    answer = run(case())
    assert [part[:3] for part in answer.split(b"HTTP/1.1 ")[1:]] == [b"404", b"404", b"409"]


@pytest.mark.parametrize("known_for_tcp", [True, False])
def test_accepted_sockets_send_at_once(known_for_tcp: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """TCP_NODELAY is set on every accepted socket: else each keep-alive answer waits 40 ms for an acknowledgement.

    Also where the accepted socket does not say that it is TCP's, as on Windows.
    """
    if not known_for_tcp:
        monkeypatch.setattr(TransportSocket, "proto", 0)
        monkeypatch.setattr(asyncio.base_events, "_set_nodelay", lambda connection: None)

    async def case() -> list[int]:
        async with serving() as server:
            found = []
            for host, port in server.addresses:
                _, writer = await asyncio.open_connection(host, port)
                await asyncio.sleep(0.02)
                (connection,) = server._state.connections
                accepted = connection.transport.get_extra_info("socket")
                found.append(accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
                writer.close()
                await asyncio.sleep(0.02)
            return found

    found = run(case())
    assert found
    assert all(found)


def test_whoever_sends_on_after_a_refusal_leaves_the_loop_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is thrown away is there as fast as it is read, and each part of it takes one turn of the loop."""
    monkeypatch.setattr(protocol, "DISCARD_BYTES", 1)

    async def case() -> int:
        turns = 0
        sender, receiver = socket.socketpair()
        receiver.setblocking(False)
        sender.sendall(b"x" * 100)
        sender.close()
        discarding = asyncio.create_task(protocol._discard(asyncio.get_running_loop(), receiver))
        while not discarding.done():
            turns += 1
            await asyncio.sleep(0)
        return turns

    assert run(case()) >= 100


def test_both_loopbacks_share_one_port() -> None:
    """127.0.0.1 and ::1 (where there is IPv6) at the same port, which `on_ready` is told."""
    told: list[int] = []

    async def case() -> None:
        async with serving(on_ready=told.append) as server:
            assert told == [server.port]
            assert {port for _, port in server.addresses} == {server.port}
            assert [host for host, _ in server.addresses] == list(LOOPBACK[: len(server.addresses)])
            for host, port in server.addresses:
                assert (await raw(port, b"GET /nowhere HTTP/1.0\r\n\r\n", host=host)).startswith(b"HTTP/1.1 404")

    run(case())


def test_only_the_given_hosts_listen() -> None:
    """Other addresses of the machine, even of the loopback net, are not served."""

    async def case() -> None:
        async with serving() as server:
            with pytest.raises(OSError):
                await asyncio.open_connection("127.0.0.2", server.port)

    run(case())


def test_a_port_in_use_is_an_error_and_leaves_nothing_open() -> None:
    """Said to the caller; the other host's socket is closed again."""

    async def case() -> None:
        async with serving() as first:
            second = Server(make_app(), hosts=("::1", "127.0.0.1"), port=first.port)
            with pytest.raises(OSError):
                await second.start()
            with pytest.raises(RuntimeError, match="started server"):
                _ = second.port

    run(case())


def test_a_machine_without_ipv6_is_served_on_ipv4(monkeypatch: pytest.MonkeyPatch) -> None:
    """::1 is left out where it can't be bound, unless it is the only host."""
    real = socket.socket

    class NoIpv6(real):  # type: ignore[misc, valid-type]  # the class as it is at run time
        def bind(self, address: Any) -> None:
            if self.family == socket.AF_INET6:
                raise OSError(99, "Cannot assign requested address")
            super().bind(address)

    async def case() -> None:
        async with serving() as server:
            assert [host for host, _ in server.addresses] == ["127.0.0.1"]
        with pytest.raises(OSError):
            await Server(make_app(), hosts=("::1",)).start()

    monkeypatch.setattr(socket, "socket", NoIpv6)
    run(case())


def test_too_many_connections_are_refused_with_a_problem() -> None:
    """The limit holds, and those that are in go on."""

    async def case() -> None:
        async with serving(max_connections=2) as server:
            inside = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(2)]
            await asyncio.sleep(0.05)
            refused = await raw(server.port, b"GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n")
            assert refused.startswith(b"HTTP/1.1 503")
            assert b"too_many_connections" in refused
            for reader, writer in inside:
                writer.write(b"GET /nowhere HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                assert (await reader.read()).startswith(b"HTTP/1.1 404")
                writer.close()

    run(case())


def test_an_idle_connection_is_closed_at_its_time() -> None:
    """Keep-alive has an end."""

    async def case() -> bytes:
        async with serving(keep_alive_s=0) as server:
            return await raw(server.port, b"GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n")

    assert run(case()).startswith(b"HTTP/1.1 404")


def test_a_stop_is_bounded_by_its_grace(caplog: pytest.LogCaptureFixture) -> None:
    """A handler that never ends is cut, its connection too, and it is no defect in the log."""

    async def case() -> bytes:
        server = Server(make_app())
        await server.start()
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET /hang HTTP/1.1\r\nHost: x\r\n\r\n")
        await asyncio.sleep(0.05)
        async with asyncio.timeout(2):
            await server.stop(grace_ms=50)
        assert not server._state.connections
        try:
            return await reader.read()
        except ConnectionResetError:
            return b""
        finally:
            writer.close()

    with caplog.at_level(logging.DEBUG):
        assert run(case()) == b""
    assert [record.levelno for record in caplog.records if record.levelno >= logging.WARNING] == [logging.WARNING]


def test_a_request_under_way_is_finished_at_a_stop() -> None:
    """Within the grace its answer still goes out whole."""
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slow(request: Request) -> Response:
        begun.set()
        await go_on.wait()
        return Response(b"done")

    async def case() -> str:
        server = Server(Starlette(routes=[Route("/", slow)]))
        await server.start()
        async with httpx.AsyncClient(trust_env=False) as client:
            asked = asyncio.ensure_future(client.get(f"http://127.0.0.1:{server.port}/"))
            await begun.wait()
            stopping = asyncio.ensure_future(server.stop(grace_ms=2_000))
            await asyncio.sleep(0.05)
            go_on.set()
            await stopping
            return (await asked).text

    assert run(case()) == "done"


def test_a_server_may_be_stopped_twice_and_started_again() -> None:
    """Nothing listens after a stop; a second start serves anew."""

    async def case() -> None:
        server = Server(make_app())
        port = await server.start()
        with pytest.raises(RuntimeError, match="stopped server"):
            await server.start()
        await server.stop()
        await server.stop()
        with pytest.raises(OSError):
            await asyncio.open_connection("127.0.0.1", port)
        again = await server.start()
        assert (await raw(again, b"GET /nowhere HTTP/1.0\r\n\r\n")).startswith(b"HTTP/1.1 404")
        await server.stop()

    run(case())


def test_tls_is_served_with_the_same_limits() -> None:
    """The cloud may end TLS itself."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)

    async def case() -> int:
        async with (
            serving(hosts=("127.0.0.1",), ssl_context=context) as server,
            httpx.AsyncClient(trust_env=False, verify=trusting) as client,
        ):
            return (await client.get(f"https://127.0.0.1:{server.port}/nowhere")).status_code

    assert run(case()) == 404
