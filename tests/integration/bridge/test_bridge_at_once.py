"""An answer in one write is the answer in two, byte for byte; and the table leads where the routes do."""

import socket
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.routing import compile_path

from integration.bridge.bridge_kit import ADMIN_TOKEN, ORIGIN, POS_TOKEN, WAIT_S, LiveBridge, live_bridge
from till_agent.bridge import at_once, server
from till_agent.bridge.answers import Answer
from till_agent.bridge.direct import Direct
from till_agent.bridge.operations import OPERATIONS

BODY = b'{"receipt":{"lines":[{"number":1,"sku":"1","amount_minor":100}]}}'
CHUNKS = b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)
HEAD = "HTTP/1.1\r\nHost: HOST\r\nAuthorization: Bearer {token}\r\nX-Tillside-Client: test\r\n"
JSON = "Content-Type: application/json\r\n"
LENGTH = JSON + f"Content-Length: {len(BODY)}\r\n"
CLOSE = "Connection: close\r\n"

FAST = [
    ("GET /livez", CLOSE, b""),
    ("HEAD /livez", CLOSE, b""),
    ("GET /v1/sales/s-1", CLOSE, b""),
    ("POST /v1/quotes", LENGTH + CLOSE, BODY),
    ("POST /v1/quotes", LENGTH, BODY),
    ("PUT /v1/sales/s-2", LENGTH, BODY),
    ("PUT /v1/sales/s-2", LENGTH, BODY),  # again, with a header of its own
    ("PUT /v1/sales/s-2", JSON + "Content-Length: 2\r\n", b"{}"),
    ("POST /v1/quotes", JSON + "Content-Length: 1\r\n", b"{"),
    ("POST /v1/sales/s-3/void", CLOSE, b""),
    ("DELETE /v1/holds/h-1", CLOSE, b""),
    ("GET /v1/sales/s-1?language=xx", CLOSE, b""),
]
SLOW = [
    ("POST /v1/quotes", JSON + "Transfer-Encoding: chunked\r\n" + CLOSE, CHUNKS),
    ("POST /v1/quotes", LENGTH + f"Origin: {ORIGIN}\r\n", BODY),
    ("POST /v1/quotes", LENGTH + "Content-Digest: sha-256=:AAAA:\r\n", BODY),
    ("GET /v1/nothing", CLOSE, b""),
    ("PUT /v1/quotes", LENGTH, BODY),
    ("GET /v1/sales//void", CLOSE, b""),
]


def said(live: LiveBridge, begin: str, fields: str, body: bytes, token: str = POS_TOKEN) -> bytes:
    """Every byte of the answer; of a connection that is kept, what came when the body was there."""
    head = f"{begin} {HEAD.format(token=token)}{fields}\r\n".replace("HOST", f"127.0.0.1:{live.port}")
    with socket.create_connection(("127.0.0.1", live.port), WAIT_S) as connection:
        connection.sendall(head.encode() + body)
        if CLOSE not in fields:
            return whole(connection)
        return until_closed(connection)


def until_closed(connection: socket.socket) -> bytes:
    answer = b""
    while part := connection.recv(65_536):
        answer += part
    return answer


def whole(connection: socket.socket) -> bytes:
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += connection.recv(1)
    length = int(answer.partition(b"content-length: ")[2].partition(b"\r\n")[0] or b"0")
    end = len(answer) + length
    while len(answer) < end:
        answer += connection.recv(end - len(answer))
    return answer


def test_one_write_says_what_two_say(monkeypatch: pytest.MonkeyPatch) -> None:
    """For each sort of answer, with and without a body, of connections that are closed and that are kept."""
    asked = [*FAST, *SLOW]
    with live_bridge() as live:
        at_one_go = [said(live, *each) for each in asked]
    monkeypatch.setattr(server, "lend", lambda _scope, _cycle: None)
    with live_bridge() as live:
        in_parts = [said(live, *each) for each in asked]
    assert at_one_go == in_parts


@pytest.mark.parametrize(("asked", "often"), [(FAST, len(FAST)), (SLOW, 1)])
def test_what_is_answered_at_once_is_what_cash_software_asks(
    monkeypatch: pytest.MonkeyPatch, asked: list[tuple[str, str, bytes]], often: int
) -> None:
    """Chunks, digests, other origins and unknown paths go the way of ASGI; a body in chunks is still answered so."""
    taken: list[bool] = []
    answer = at_once.answer_whole

    def count(cycle: Any, found: Answer) -> bool:
        taken.append(answer(cycle, found))
        return taken[-1]

    monkeypatch.setattr(at_once, "answer_whole", count)
    with live_bridge() as live:
        for each in asked:
            said(live, *each)
    assert taken.count(True) == often + (asked is SLOW)


def test_a_body_that_comes_later_is_waited_for() -> None:
    """Its first half alone is no body, and no refusal."""
    with live_bridge() as live, socket.create_connection(("127.0.0.1", live.port), WAIT_S) as connection:
        head = f"POST /v1/quotes {HEAD.format(token=POS_TOKEN)}{LENGTH}{CLOSE}\r\n"
        connection.sendall(head.replace("HOST", f"127.0.0.1:{live.port}").encode() + BODY[:10])
        live.on_loop(lambda: None)
        assert not live.bridge.calls
        connection.sendall(BODY[10:])
        assert connection.recv(65_536).startswith(b"HTTP/1.1 200 OK\r\n")


def test_who_asks_before_sending_is_told_to_go_on() -> None:
    """`Expect: 100-continue`, whose body comes only then."""
    with live_bridge() as live, socket.create_connection(("127.0.0.1", live.port), WAIT_S) as connection:
        head = f"POST /v1/quotes {HEAD.format(token=POS_TOKEN)}{LENGTH}{CLOSE}Expect: 100-continue\r\n\r\n"
        connection.sendall(head.replace("HOST", f"127.0.0.1:{live.port}").encode())
        assert connection.recv(65_536).startswith(b"HTTP/1.1 100")
        connection.sendall(BODY)
        assert connection.recv(65_536).startswith(b"HTTP/1.1 200 OK\r\n")


def test_requests_one_behind_the_other_are_answered_in_order() -> None:
    """Pipelined, in one packet: each takes its own body."""
    with live_bridge() as live:
        one = f"PUT /v1/sales/a-NUMBER {HEAD.format(token=POS_TOKEN)}{LENGTH}\r\n".replace("HOST", "127.0.0.1:PORT")
        one = one.replace("PORT", str(live.port))
        with socket.create_connection(("127.0.0.1", live.port), WAIT_S) as connection:
            connection.sendall(b"".join(one.replace("NUMBER", str(each)).encode() + BODY for each in range(5)))
            for number in range(5):
                assert whole(connection).endswith(b'{"uid":"a-%d"}' % number)
        assert live.bridge.calls == [("sell", f"a-{each}") for each in range(5)]


def test_a_defect_is_answered_by_the_application(caplog: pytest.LogCaptureFixture) -> None:
    """A failure that nobody expected: a problem, a word in the log that quotes nothing, and the metric counts once."""
    with live_bridge() as live:

        async def broken(_request: Any, _language: Any = None) -> Any:
            raise LookupError("card " + "42" * 8)

        live.bridge.core.desk.quote = broken  # type: ignore[method-assign, assignment]  # what a defect does
        answer = said(live, "POST /v1/quotes", LENGTH + CLOSE, BODY)
        assert answer.startswith(b"HTTP/1.1 500 ")
        assert b'"code":"internal"' in answer
        assert b'"cashier":"cashier: internal"' in answer
        assert b"4242" not in answer
        assert "4242" not in caplog.text
        assert live.bridge.answers.count(("quote", 500)) == 1


def test_an_answer_that_would_end_a_line_is_not_sent() -> None:
    """Its header's value has a line break in it: it is left to the server, which refuses it."""

    cycle: Any = SimpleNamespace(response_started=False, flow=SimpleNamespace(write_paused=False))
    assert not at_once.answer_whole(cycle, Answer(b"", headers=((b"retry-after", b"1\r\nx: y"),)))


def test_the_table_leads_where_the_routes_do() -> None:
    """For each operation, a path that fits it, and those that almost do."""
    named: Any = [(each, each.id) for each in OPERATIONS if each.id != "events"]  # ids tell well where it leads
    nothing: Any = None
    table = Direct(nothing, named)
    routes = [(each.method, compile_path(each.path)[0], each.id) for each in OPERATIONS if each.id != "events"]
    odd = {"/", "//", "/v1", "/v1/", "/v1/sales/", "/v1//sales", "/v1/sales/a/b/c"}
    paths = {each.path for each in OPERATIONS} | odd
    for method in ("GET", "PUT", "POST", "DELETE"):
        for written in sorted(paths):
            for value in ("x", "lines", "void", "{uid}", "a b", "s-1", "", "a\n"):
                path = "/".join(value if step[:1] == "{" else step for step in written.split("/"))
                first = next(
                    (
                        (name, match.groupdict())
                        for known, pattern, name in routes
                        if known == method and (match := pattern.match(path))
                    ),
                    None,
                )
                assert table.find(method, path) == first, (method, path)


def test_the_admin_is_answered_at_once_too() -> None:
    """Whose token it is makes no difference."""
    with live_bridge() as live:
        assert said(live, "GET /v1/status", CLOSE, b"", token=ADMIN_TOKEN).startswith(b"HTTP/1.1 200 OK\r\n")
