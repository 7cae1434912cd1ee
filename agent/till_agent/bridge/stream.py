"""`GET /v1/events` on the wire: headers, frames, keep-alive comments, and an end for a client that does not read."""

import asyncio
import contextlib
from collections.abc import Callable

from starlette.types import Receive, Scope, Send

from till_agent.bridge.answers import stream_headers
from till_agent.bridge.events import EventHub
from till_agent.bridge.guard import ABORT_KEY
from till_sync.problems import ProblemError

KEEP_ALIVE_S = 15.0
"""Pause between comments, so that both ends notice a dead connection."""
SEND_TIMEOUT_S = 10.0
"""A client that takes nothing for so long, with the socket's buffer full, is cut off."""
RETRY_MS = 1000
"""What the browser is told to wait before it connects again."""


async def send_events(
    hub: EventHub,
    scope: Scope,
    receive: Receive,
    send: Send,
    *,
    keep_alive_s: float = KEEP_ALIVE_S,
    send_timeout_s: float = SEND_TIMEOUT_S,
) -> None:
    """Serve one stream until the client leaves, falls behind, or the hub closes.

    ProblemError 503 `too_many_listeners`, 405 for HEAD.
    """
    if scope["method"] == "HEAD":
        raise ProblemError(405, "method_not_allowed", "expected GET for a stream", headers={"Allow": "GET"})
    last = dict(scope["headers"]).get(b"last-event-id", b"").decode("latin-1")
    listener = hub.listen(last)
    if listener is None:
        raise ProblemError(
            503, "too_many_listeners", "expected fewer event streams", retryable=True, headers={"Retry-After": "5"}
        )
    left = asyncio.create_task(_wait_until_left(receive, listener.close))
    abort: Callable[[], None] | None = scope.get(ABORT_KEY)
    try:
        await send({"type": "http.response.start", "status": 200, "headers": stream_headers(b"text/event-stream")})
        frames = f"retry: {RETRY_MS}\n\n".encode()
        while await _sent_in_time(send, frames, send_timeout_s):
            frames = await listener.next(keep_alive_s) or b": keep-alive\n\n"
            if listener.closed:
                break
        else:
            hub.listeners_dropped += 1
        await _finish(send, send_timeout_s, abort)
    finally:
        hub.leave(listener)
        left.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await left


async def _sent_in_time(send: Send, frames: bytes, timeout_s: float) -> bool:
    try:
        async with asyncio.timeout(timeout_s):
            await send({"type": "http.response.body", "body": frames, "more_body": True})
    except TimeoutError:
        return False
    return True


async def _wait_until_left(receive: Receive, close: Callable[[], None]) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    close()


async def _finish(send: Send, timeout_s: float, abort: Callable[[], None] | None) -> None:
    """End the answer in order if the client takes it, else cut: a close would wait for a reader that never reads."""
    try:
        async with asyncio.timeout(min(timeout_s, 1.0)):
            await send({"type": "http.response.body", "body": b"", "more_body": False})
    except TimeoutError:
        if abort is not None:
            abort()
