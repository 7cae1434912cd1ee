"""The HTTP server that bridge and cloud share: problems, bounded bodies, bounded heads, start and stop."""

import asyncio
import contextlib
import logging
import socket
import ssl
from collections.abc import AsyncIterator, Coroutine
from typing import Annotated, Any, TypeVar

import httpx
import msgspec
import pytest
import trustme
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from till_sync.http import protocol
from till_sync.http.bodies import read_json
from till_sync.http.problems import decode_problem, install_problem_handlers
from till_sync.http.serving import LOOPBACK, Server
from till_sync.problems import PROBLEM_MEDIA_TYPE, ProblemError

T = TypeVar("T")
LIMIT_BYTES = 4_000
HEAD = b"POST /take HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: "
TIMEOUT_MS = 250


class Line(msgspec.Struct):
    """Part of what the test's route takes."""

    number: Annotated[int, msgspec.Meta(ge=1, le=10**9)]
    name: str = ""


class Receipt(msgspec.Struct):
    """What the test's route takes."""

    lines: list[Line]
    notes: dict[str, int] = {}


_decoder = msgspec.json.Decoder(Receipt)


async def take(request: Request) -> Response:
    receipt = await read_json(request, _decoder, limit_bytes=LIMIT_BYTES, timeout_ms=TIMEOUT_MS)
    return Response(msgspec.json.encode(receipt), media_type="application/json")


async def refuse(request: Request) -> Response:
    raise ProblemError(
        409,
        "uid_conflict",
        "expected the same body",
        headers={"X-Seen": "1"},
        extras={"pointer": "/uid", "cashier": "Ой"},
    )


async def defect(request: Request) -> Response:
    raise ValueError(request.query_params["card"])


async def broken_stream(request: Request) -> Response:
    async def parts() -> AsyncIterator[bytes]:
        yield b"first"
        raise ValueError(request.query_params["card"])

    return StreamingResponse(parts(), media_type="text/plain")


async def hang(request: Request) -> Response:
    await asyncio.Event().wait()
    return Response()


async def bad_status(request: Request) -> Response:
    raise HTTPException(418, "teapot")


async def bad_stored(request: Request) -> Response:
    _decoder.decode(await request.body())
    return Response()


def make_app() -> Starlette:
    app = Starlette(
        routes=[
            Route("/take", take, methods=["POST"]),
            Route("/refuse", refuse),
            Route("/defect", defect),
            Route("/broken", broken_stream),
            Route("/hang", hang),
            Route("/teapot", bad_status),
            Route("/raw", bad_stored, methods=["POST"]),
        ]
    )
    install_problem_handlers(app)
    return app


@contextlib.asynccontextmanager
async def serving(**options: Any) -> AsyncIterator[Server]:
    server = Server(make_app(), **options)
    await server.start()
    try:
        yield server
    finally:
        await server.stop(grace_ms=200)


def run(test: Coroutine[Any, Any, T]) -> T:
    """Run a test bounded in time; a task that it leaves behind fails it."""

    async def bounded() -> T:
        async with asyncio.timeout(20):
            result = await test
        for _ in range(20):
            await asyncio.sleep(0)
        left = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        assert not left, f"left running: {left}"
        return result

    return asyncio.run(bounded())


def ask(method: str, path: str, **options: Any) -> httpx.Response:
    """One request to a server of its own."""

    async def case() -> httpx.Response:
        async with serving() as server, httpx.AsyncClient(trust_env=False, timeout=5) as client:
            return await client.request(method, f"http://127.0.0.1:{server.port}{path}", **options)

    return run(case())


def post(body: bytes, content_type: str = "application/json", path: str = "/take", **headers: str) -> httpx.Response:
    return ask("POST", path, content=body, headers={"Content-Type": content_type, **headers})


async def raw(port: int, data: bytes, *, host: str = "127.0.0.1", close: bool = False) -> bytes:
    """Send bytes, read until the server closes."""
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(data)
        await writer.drain()
        if close:
            writer.write_eof()
        return await asyncio.wait_for(reader.read(), 5)
    finally:
        writer.close()


def problem_of(answer: httpx.Response) -> dict[str, Any]:
    assert answer.headers["content-type"] == PROBLEM_MEDIA_TYPE
    members: dict[str, Any] = answer.json()
    assert members["status"] == answer.status_code
    assert members["type"] == "https://tillside.dev/problems/" + members["code"].replace("_", "-")
    assert members["title"]
    assert isinstance(members["retryable"], bool)
    return members


def test_a_good_body_is_taken() -> None:
    """JSON in, typed, JSON out; unknown fields are ignored."""
    answer = post(b'{"lines":[{"number":1,"x":[[]]}],"y":null}', "application/json; charset=utf-8")
    assert (answer.status_code, answer.json()) == (200, {"lines": [{"number": 1, "name": ""}], "notes": {}})


def test_an_answer_has_no_server_header() -> None:
    """What we run is nobody's business."""
    assert "server" not in post(b'{"lines":[]}').headers


BAD_BODIES: list[tuple[bytes, int, str, str | None]] = [
    (b"", 400, "body_malformed", None),
    (b"{", 400, "body_malformed", None),
    (b'{"lines":[]} trailing', 400, "body_malformed", None),
    (b"\xef\xbb\xbf{}", 400, "body_malformed", None),
    (b'{"lines":[{"number":1,"name":"\xff"}]}', 400, "body_malformed", None),
    (b'{"lines":[{"number":1,"name":"\\ud800"}]}', 400, "body_malformed", None),
    (b'{"x":' + b"[" * 3_900, 400, "body_too_deep", None),
    (b"null", 422, "body_invalid", ""),
    (b"[]", 422, "body_invalid", ""),
    (b"{}", 422, "body_invalid", ""),
    (b'{"lines":"x"}', 422, "body_invalid", "/lines"),
    (b'{"lines":[{"number":1},{"number":"2"}]}', 422, "body_invalid", "/lines/1/number"),
    (b'{"lines":[{"number":1},{"number":null}]}', 422, "body_invalid", "/lines/1/number"),
    (b'{"lines":[{"number":true}]}', 422, "body_invalid", "/lines/0/number"),
    (b'{"lines":[{"number":-1}]}', 422, "body_invalid", "/lines/0/number"),
    (b'{"lines":[{"number":1.5}]}', 422, "body_invalid", "/lines/0/number"),
    (b'{"lines":[{"number":1e400}]}', 422, "body_invalid", "/lines/0/number"),
    (b'{"lines":[{"number":' + b"9" * 3_000 + b"}]}", 422, "body_invalid", "/lines/0/number"),
    (b'{"lines":[{}]}', 422, "body_invalid", "/lines/0"),
    (b'{"lines":[],"notes":{"a/b":"x"}}', 422, "body_invalid", "/notes"),
    (b"[" * 3_999, 422, "body_invalid", ""),
]


@pytest.mark.parametrize(("body", "status", "code", "pointer"), BAD_BODIES, ids=range(len(BAD_BODIES)))
def test_a_bad_body_is_the_sender_s_fault_and_named(body: bytes, status: int, code: str, pointer: str | None) -> None:
    """Never a 500: 400 when it is no JSON, 422 with the JSON pointer when it does not fit."""
    members = problem_of(post(body))
    assert (members["status"], members["code"], members.get("pointer")) == (status, code, pointer)
    assert not members["retryable"]


def test_a_route_that_decodes_by_itself_answers_with_the_same_problem() -> None:
    """msgspec's own errors are turned too, wherever they are raised."""
    members = problem_of(post(b'{"lines":[{"number":"2"}]}', path="/raw"))
    assert (members["status"], members["code"], members["pointer"]) == (422, "body_invalid", "/lines/0/number")


def test_what_was_expected_is_said_in_our_words() -> None:
    """ "Expected X, not Y"."""
    assert problem_of(post(b'{"lines":"x"}'))["detail"] == "expected `array`, not `str`"
    assert problem_of(post(b'{"lines":[{"number":-1}]}'))["detail"] == "expected `int` >= 1"


def test_of_a_member_named_twice_the_last_counts() -> None:
    """RFC 8259 leaves it open; it is the same on every path of ours."""
    assert post(b'{"lines":[{"number":1}],"lines":[]}').json()["lines"] == []


@settings(max_examples=300, deadline=None)
@given(body=st.one_of(st.binary(max_size=80), st.text(max_size=80).map(lambda text: text.encode())))
def test_no_body_breaks_the_decoder(body: bytes) -> None:
    """Any bytes are a Receipt or a problem below 500."""
    from till_sync.http.bodies import decode_body

    try:
        decode_body(body, _decoder)
    except ProblemError as error:
        refused = error.problem.status
    else:
        refused = 400
    assert refused in (400, 422)


@pytest.mark.parametrize(
    ("text", "pointer"),
    [
        ("Expected `int`, got `str` - at `$.a[0].b`", "/a/0/b"),
        ("Expected `int`, got `str` - at `$[3]`", "/3"),
        ("Expected `int`, got `str` - at `$.a[...].b`", "/a"),
        ("Expected `int`, got `str` - at `key` in `$.k`", "/k"),
        ("Expected `int`, got `str`", ""),
        ("Expected `int`, got `str` - at `$.a/b~c`", "/a~1b~0c"),
    ],
)
def test_pointers_are_made_of_paths(text: str, pointer: str) -> None:
    """RFC 6901, with its escapes."""
    problem = decode_problem(msgspec.ValidationError(text)).problem
    assert problem.extras == {"pointer": pointer}
    assert problem.detail == "expected `int`, not `str`"


@pytest.mark.parametrize(
    "content_type",
    ["", "text/plain", "application/x-www-form-urlencoded", "application/jsonx", "application/json; charset=cp1251"],
)
def test_what_is_not_json_is_415(content_type: str) -> None:
    """A form of a foreign page can't be posted as JSON."""
    members = problem_of(post(b'{"lines":[]}', content_type))
    assert (members["status"], members["code"]) == (415, "not_json")


def test_an_encoded_body_is_415() -> None:
    """No decompression, so no bomb."""
    answer = post(b"\x1f\x8b", **{"Content-Encoding": "gzip"})
    assert problem_of(answer)["code"] == "encoding_unsupported"


def test_a_body_over_the_limit_is_413_and_the_answer_arrives() -> None:
    """Announced or chunked, also when the sender goes on sending: the answer is not lost to a reset."""
    announced = post(b" " * 3_000_000)
    assert (problem_of(announced)["code"], announced.headers["connection"]) == ("body_too_large", "close")

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b" " * 1_000

    chunked = ask("POST", "/take", content=chunks(), headers={"Content-Type": "application/json"})
    assert problem_of(chunked)["limit_bytes"] == LIMIT_BYTES


@pytest.mark.parametrize("announced", ["99999999999999999999999", "4001"])
def test_an_absurd_announcement_is_413_at_once(announced: str) -> None:
    """Before a byte of it is read."""

    async def case() -> bytes:
        async with serving() as server:
            return await raw(server.port, HEAD + announced.encode() + b"\r\n\r\n")

    answer = run(case())
    assert answer.startswith((b"HTTP/1.1 413", b"HTTP/1.1 400"))


def test_a_body_that_dawdles_is_408() -> None:
    """The whole body has one time limit, so a byte now and then does not extend it."""

    async def case() -> bytes:
        async with serving() as server:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(HEAD + b"100\r\n\r\n")
            with contextlib.suppress(ConnectionError):
                for _ in range(20):
                    writer.write(b" ")
                    await asyncio.sleep(TIMEOUT_MS / 5_000)
            answer = await reader.read()
            writer.close()
            return answer

    answer = run(case())
    assert answer.startswith(b"HTTP/1.1 408")
    assert b'"code":"body_too_slow"' in answer
    assert b'"retryable":true' in answer


def test_a_body_that_is_cut_is_no_defect(caplog: pytest.LogCaptureFixture) -> None:
    """The sender went away inside the body: nothing is logged as an error."""

    async def case() -> None:
        async with serving() as server:
            _, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(HEAD + b"100\r\n\r\n{")
            await writer.drain()
            await asyncio.sleep(0.05)
            writer.close()
            await asyncio.sleep(0.05)

    with caplog.at_level(logging.WARNING):
        run(case())
    assert caplog.records == []


def test_a_problem_error_becomes_its_problem() -> None:
    """Status, code, headers and extras arrive; letters of any language as UTF-8."""
    answer = ask("GET", "/refuse")
    members = problem_of(answer)
    assert (members["code"], members["pointer"], members["cashier"]) == ("uid_conflict", "/uid", "Ой")
    assert answer.headers["x-seen"] == "1"


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "not_found"),
        ("GET", "/take", 405, "method_not_allowed"),
        ("GET", "/teapot", 418, "http_418"),
    ],
)
def test_the_framework_s_own_errors_are_problems(method: str, path: str, status: int, code: str) -> None:
    """404, 405 and whatever else Starlette raises."""
    answer = ask(method, path)
    members = problem_of(answer)
    assert (members["status"], members["code"]) == (status, code)
    if status == 405:
        assert answer.headers["allow"] == "POST"


def test_a_defect_is_a_500_that_says_nothing_and_logs_no_data(caplog: pytest.LogCaptureFixture) -> None:
    """One log entry with the stack; neither it nor the answer quotes the request."""
    with caplog.at_level(logging.DEBUG, logger="till_sync"), caplog.at_level(logging.DEBUG, logger="uvicorn"):
        answer = ask("GET", "/defect?card=4276123412341234")
    members = problem_of(answer)
    assert (members["code"], members["retryable"]) == ("internal", True)
    assert "4276" not in answer.text
    errors = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert len(errors) == 1
    assert "Unexpected ValueError while answering GET" in caplog.text
    assert "in defect" in caplog.text
    assert "4276" not in caplog.text


def test_a_defect_after_the_answer_has_begun_cuts_the_connection(caplog: pytest.LogCaptureFixture) -> None:
    """Half an answer must not look like a whole one, and the log still quotes nothing."""

    async def case() -> None:
        async with serving() as server, httpx.AsyncClient(trust_env=False) as client:
            with pytest.raises(httpx.RemoteProtocolError):
                await client.get(f"http://127.0.0.1:{server.port}/broken?card=4276123412341234")

    with caplog.at_level(logging.DEBUG, logger="till_sync"), caplog.at_level(logging.DEBUG, logger="uvicorn"):
        run(case())
    assert "while answering GET" in caplog.text
    assert "4276" not in caplog.text


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


def test_accepted_sockets_send_at_once() -> None:
    """TCP_NODELAY is set on every accepted socket: else each keep-alive answer waits 40 ms for an acknowledgement."""

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

    class NoIpv6(real):  # type: ignore[misc, valid-type]
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
