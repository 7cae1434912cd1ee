"""One connection of the server: uvicorn's httptools protocol with the limits that it lacks."""

import asyncio
import contextlib
import socket
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from till_sync.problems import PROBLEM_MEDIA_TYPE, Problem

HEAD_LIMIT_BYTES = 32 * 1024
"""Request line and headers: ours take under 1 KB, a browser's with cookies under 16 KB; the parser has no limit."""

HEAD_TIMEOUT_S = 10.0
"""From the connection, or the first byte of a later request, to the end of its headers; uvicorn waits for ever."""

LINGER_S = 1.0
"""How long what is still being sent may arrive after its answer: closing at once would reset the connection, and the
answer would be lost with it.
"""

DISCARD_BYTES = 64 * 1024
"""Read at once of what nobody wants any more."""

LOOKS = 4
"""How often slow heads are looked for within HEAD_TIMEOUT_S: they get a quarter more of it at most."""


class HeadWatch:
    """Cuts connections whose head takes too long. One timer for all of a server: with one for each, which nearly all
    were cancelled at once, the loop had as much to do as with the headers.
    """

    def __init__(self, connections: set[Any]) -> None:
        self._connections = connections
        self._timer: asyncio.TimerHandle | None = None

    def begins(self, loop: asyncio.AbstractEventLoop) -> float:
        """The loop's time, at which a head begins; it is looked after from now on."""
        if self._timer is None:
            self._timer = loop.call_later(HEAD_TIMEOUT_S / LOOKS, self._look, loop)
        return loop.time()

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        late = loop.time() - HEAD_TIMEOUT_S
        under_way = [each for each in self._connections if each.head_since is not None]
        for each in under_way:
            if each.head_since <= late:
                each.head_too_slow()
        if under_way:
            self.begins(loop)


class LimitedProtocol(HttpToolsProtocol):
    """Bounds the head of a request in bytes and time, and the rest of a body that was answered early; refuses
    connections over `max_connections`; its own errors are problems.
    """

    refusal_headers = b""
    """More headers of those problems, as lines."""

    def __init__(self, *, config: Config, server_state: ServerState, heads: HeadWatch, max_connections: int) -> None:
        super().__init__(config=config, server_state=server_state, app_state={})
        self._max_connections = max_connections
        self._heads = heads
        self._head_bytes = 0
        self.head_since: float | None = None
        """When a head began that is not there yet, by the loop."""
        self._linger_timer: asyncio.TimerHandle | None = None
        self._linger_when_closed = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        # Reason: as uvicorn's own signature, narrower than asyncio's.
        super().connection_made(transport)
        _send_at_once(transport)
        self.head_since = self._heads.begins(self.loop)
        if len(self.connections) > self._max_connections and not self._make_room():
            self._refuse(Problem(status=503, code="too_many_connections", detail="try again later", retryable=True))

    def _make_room(self) -> bool:
        """Whether another connection was cut in favour of this one; a server that knows its callers may choose one."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._cancel_timers()
        self._unset_keepalive_if_required()
        if self._linger_when_closed and exc is None:
            self._linger()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        if self.timeout_keep_alive_task is not None and self.head_since is None:
            # Between requests. Empty lines begin none for the parser, but end the time that silence has.
            self.head_since = self._heads.begins(self.loop)
        super().data_received(data)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._head_bytes = 0
        if self.head_since is None:
            self.head_since = self._heads.begins(self.loop)

    def on_url(self, url: bytes) -> None:
        self._head_bytes += len(url)
        if self._head_bytes > HEAD_LIMIT_BYTES:
            self._refuse_head()
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._head_bytes += len(name) + len(value)
        if self._head_bytes > HEAD_LIMIT_BYTES:
            self._refuse_head()
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self.head_since = None
        if self.transport.is_closing():
            return
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        if not self.transport.is_closing():
            super().on_body(body)

    def on_message_complete(self) -> None:
        if self.transport.is_closing():
            return
        if self._linger_timer is not None:
            self._linger_timer.cancel()
            self._linger_timer = None
        if self.cycle.response_complete:
            self.cycle.more_body = False
            self._await_next_request()
            return
        super().on_message_complete()

    def on_response_complete(self) -> None:
        answered_early = self.cycle.more_body and not self.pipeline
        super().on_response_complete()
        if not answered_early:
            return
        if self.transport.is_closing():
            self._linger_when_closed = True
        else:
            self._unset_keepalive_if_required()
            self._linger_timer = self.loop.call_later(LINGER_S, self.transport.abort)

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's signature
        self._refuse(Problem(status=400, code="request_malformed", detail="expected an HTTP/1.1 request"))

    def _await_next_request(self) -> None:
        if self.timeout_keep_alive_task is None and not self.transport.is_closing():
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def _refuse_head(self) -> None:
        detail = f"expected at most {HEAD_LIMIT_BYTES} bytes of request line and headers"
        self._refuse(Problem(status=431, code="head_too_large", detail=detail))

    def head_too_slow(self) -> None:
        """Cut the connection."""
        self.head_since = None
        # A connection that never sent a byte, or is still busy with an earlier answer, has nothing to be told.
        self.transport.abort()

    def _refuse(self, problem: Problem) -> None:
        if self.transport.is_closing():
            return
        self._cancel_timers()
        body = problem.encode()
        head = (
            f"HTTP/1.1 {problem.status} {problem.title}\r\ncontent-type: {PROBLEM_MEDIA_TYPE}\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n"
        )
        self.transport.write(head.encode("ascii") + self.refusal_headers + b"\r\n" + body)
        self._linger_when_closed = True
        self.transport.close()

    def _linger(self) -> None:
        """Go on reading on a copy of the socket, which keeps the connection from being reset; say that we are done."""
        try:
            connection = self.transport.get_extra_info("socket").dup()
            connection.setblocking(False)  # noqa: FBT003 - its only argument
            connection.shutdown(socket.SHUT_WR)
        except OSError:
            return  # the peer has gone already
        task = self.loop.create_task(_discard(self.loop, connection))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def _cancel_timers(self) -> None:
        self.head_since = None
        if self._linger_timer is not None:
            self._linger_timer.cancel()
            self._linger_timer = None


async def _discard(loop: asyncio.AbstractEventLoop, connection: socket.socket) -> None:
    try:
        async with asyncio.timeout(LINGER_S):
            while await loop.sock_recv(connection, DISCARD_BYTES):  # noqa: ASYNC110 - it waits in sock_recv
                # Of whoever sends as fast as is read, the next part is there at once: all others would wait for them.
                await asyncio.sleep(0)
    except (OSError, TimeoutError):
        pass
    finally:
        connection.close()


def _send_at_once(transport: asyncio.Transport) -> None:
    """Set TCP_NODELAY where asyncio has not: Windows' loop makes the sockets that it accepts by their family alone, and
    so does not know them for TCP."""
    connection = transport.get_extra_info("socket")
    if connection is not None and connection.proto != socket.IPPROTO_TCP:
        with contextlib.suppress(OSError):  # the peer may be gone already
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
