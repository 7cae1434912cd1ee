"""What listens on the agent's port may be another program: the client stays within its memory and its time."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from till_agent.api import QuoteRequest
from till_agent.client import AsyncTill, Till, wire
from till_agent.client.events import BUFFER_LIMIT_BYTES, LONGEST_PAUSE_MS, EventReader
from till_agent.client.exceptions import AnswerMalformedError, ClientError, TimedOutError
from till_agent.client.wire import refused
from till_loyalty.receipt import Line, Receipt

HEAD = b"HTTP/1.1 %s\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n"
REQUEST = QuoteRequest(receipt=Receipt(lines=(Line(number=1, sku="a", name="a", amount_minor=1),)))


@contextlib.contextmanager
def talker(head: bytes, piece: bytes, pause_s: float = 0.0) -> Iterator[str]:
    """A server that answers everybody without an end; its address."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        ended = threading.Event()

        def talk(connection: socket.socket) -> None:
            with connection, contextlib.suppress(OSError):
                connection.recv(65536)
                connection.sendall(head)
                while not ended.wait(pause_s):
                    connection.sendall(piece)

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    threading.Thread(target=talk, args=(connection,), daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        ended.set()
        with contextlib.suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)


def quoted(url: str, kind: str, **settings: Any) -> None:
    """One call, by either client."""

    async def later() -> None:
        async with AsyncTill(url, token="t", **settings) as till:
            await till.quote(REQUEST)

    if kind == "waits":
        with Till(url, token="t", **settings) as till:
            till.quote(REQUEST)
    else:
        asyncio.run(later())


@pytest.mark.parametrize("kind", ["waits", "awaits"])
@pytest.mark.parametrize("status", [b"200 OK", b"409 Conflict"])
def test_an_answer_without_an_end_is_left(kind: str, status: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """However fast it comes."""
    monkeypatch.setattr(wire, "ANSWER_LIMIT_BYTES", 1_000_000)
    with talker(HEAD % status, b" " * 65536) as url, pytest.raises(AnswerMalformedError, match="at most 1000000 bytes"):
        quoted(url, kind, patience_ms=0, timeout_ms=60_000)


@pytest.mark.parametrize("kind", ["waits", "awaits"])
def test_an_answer_that_drips_is_late(kind: str) -> None:
    """The time of an attempt is that of the whole answer, not of each piece."""
    with talker(HEAD % b"200 OK", b" ", 0.02) as url, pytest.raises(TimedOutError) as caught:
        quoted(url, kind, patience_ms=0, timeout_ms=300)
    assert caught.value.lost


@pytest.mark.parametrize("kind", ["waits", "awaits"])
def test_a_success_that_can_not_be_read_leaves_open_what_was_done(kind: str) -> None:
    """A sale is written before it is answered."""
    with (
        talker(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n", b"{}") as url,
        pytest.raises(AnswerMalformedError) as caught,
    ):
        quoted(url, kind, patience_ms=0, timeout_ms=60_000)
    assert caught.value.lost


ODD = [b'"soon"', b"-5", b"1e300", b"true", b"null", b"[1]", b"9" * 400]


@pytest.mark.parametrize("value", ODD)
def test_an_odd_pause_is_none(value: bytes) -> None:
    """Waiting is for whole milliseconds, of at most a day."""
    body = b'{"code": "odd", "detail": "odd", "retryable": true, "retry_after_ms": ' + value + b"}"
    asked = refused("quote", 429, {"retry-after": "9" * 5000}, body)
    assert isinstance(asked, ClientError)
    assert 0 <= asked.retry_after_ms <= 86_400_000
    assert asked.retry_after_ms * 1.0 >= 0


def test_an_event_without_an_end_is_left() -> None:
    """Its lines are short; there is no end to them."""
    reader = EventReader()
    line = b"data: " + b"x" * 60_000 + b"\n"
    pieces = [line] * (2 * BUFFER_LIMIT_BYTES // len(line))
    with pytest.raises(AnswerMalformedError):
        _ = [list(reader.feed(piece)) for piece in pieces]


@pytest.mark.parametrize("said", [b"0", b"9" * 5000])
def test_a_stream_asks_for_a_pause_within_reason(said: bytes) -> None:
    """None would be a storm of connections."""
    reader = EventReader()
    list(reader.feed(b"retry: " + said + b"\n\n"))
    assert 100 <= reader.retry_ms <= LONGEST_PAUSE_MS
