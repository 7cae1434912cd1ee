"""The client for programs that wait for each answer."""

import contextlib
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx
from msgspec import Struct
from tenacity import Retrying

from till_agent.bridge.shapes import Ready
from till_agent.client.calls import Calls
from till_agent.client.events import CONNECT_S, LONGEST_PAUSE_MS, Event, EventReader
from till_agent.client.exceptions import ClientError, RefusedError
from till_agent.client.shared import (
    READY_PATIENCE_MS,
    Attempts,
    Connected,
    ends_events,
    listening,
    not_ready,
    pool,
    request,
)
from till_agent.client.wire import PAUSES_MS, Body, Wanted, broken, read, refused, wanted

T = TypeVar("T")


class Till(Connected, Calls):
    """The agent of this till. Each method is a call of the bridge (docs/reference/openapi.json).

    `with Till(token=...) as till: till.sell(uid, SaleRequest(...))`. A call whose answer was lost is repeated if that
    can't do anything twice, with the same bytes and so under the same uid; a refusal that says when to come again is
    repeated then. All of that within `patience_ms`, by default twice the time of one attempt; 0: one attempt only.
    It may be used by several threads.
    """

    def __init__(
        self,
        *args: Any,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
        **settings: Any,
    ) -> None:
        super().__init__(*args, **settings)
        self._sleep = sleep
        self._http = httpx.Client(transport=transport, **pool())

    def close(self) -> None:
        """Hang up."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def events(self, last_event_id: str = "") -> "EventStream":
        """Scans, device states, sync and alerts as they happen, from the event after `last_event_id` if one is named.

        The stream comes back after each break until it is closed.
        """
        return EventStream(self, last_event_id)

    def wait_ready(self, patience_ms: int = READY_PATIENCE_MS) -> Ready:
        """Wait until the agent takes sales; what it says of itself. After `patience_ms` the last error is raised."""
        until = time.monotonic() + patience_ms / 1000
        while True:
            problem: Exception
            try:
                found = self._once(wanted("readyz", {}, {}, None), Ready, max(until - time.monotonic(), 0.1))
            except ClientError as exc:
                if isinstance(exc, RefusedError) and exc.status < 500:
                    raise
                problem = exc
            else:
                if found.ready:
                    return found
                problem = not_ready(found)
            if time.monotonic() + PAUSES_MS[0] / 1000 > until:
                raise problem
            self._sleep(PAUSES_MS[0] / 1000)

    def _call(
        self,
        operation: str,
        kind: type[T],
        *,
        path: Mapping[str, str] = {},
        query: Mapping[str, object] = {},
        request: Struct | None = None,
        timeout_ms: int | None = None,
    ) -> T:
        call = wanted(operation, path, query, request)
        attempts = Attempts(call, timeout_ms if timeout_ms is not None else self._timeout_ms, self._patience_ms)
        found: T = Retrying(sleep=self._sleep, **attempts.settings())(
            lambda: self._once(call, kind, attempts.timeout_s())
        )
        return found

    def _once(self, call: Wanted, kind: type[T], timeout_s: float) -> T:
        try:
            return self._exchange(call, kind, timeout_s)
        except ClientError as exc:
            if not self._failed(exc):
                raise
        return self._exchange(call, kind, timeout_s)

    def _exchange(self, call: Wanted, kind: type[T], timeout_s: float) -> T:
        try:
            body = Body(call.operation, timeout_s)
            with self._http.stream(**request(call, self._where(), self._client, timeout_s)) as answer:
                for piece in answer.iter_bytes():
                    body.add(piece)
        except httpx.HTTPError as exc:
            raise broken(call.operation, exc) from exc
        return read(call, kind, answer.status_code, answer.headers, body.whole())


class EventStream:
    """Events one after the other; iterate over it, in a thread of its own if need be, and `close` it from any other.

    ClientError when the agent refuses for good. `open` says whether there is a connection.
    """

    def __init__(self, till: Till, last_event_id: str = "") -> None:
        self._till = till
        self._reader = EventReader(last_event_id)
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self.open = False

    @property
    def last_event_id(self) -> str:
        """Of the event that was given last."""
        return self._reader.last_id

    def close(self) -> None:
        """End it; who waits for an event waits no longer."""
        self._closed.set()
        with self._lock, contextlib.suppress(OSError):
            if self._socket is not None:
                self._socket.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __iter__(self) -> Iterator[Event]:
        failures = 0
        while not self._closed.is_set():
            asked_ms = 0
            try:
                for event in self._connection():
                    failures = 0
                    yield event
            except ClientError as exc:
                if self._closed.is_set():
                    return
                if not self._till._failed(exc) and ends_events(exc):  # noqa: SLF001 - the two are one client
                    raise
                asked_ms = exc.retry_after_ms
            pause_ms = min(self._reader.retry_ms << min(failures, 5), LONGEST_PAUSE_MS) * random.uniform(0.5, 1)  # noqa: S311 - a spread
            failures += 1
            self._closed.wait(max(pause_ms, asked_ms) / 1000)

    def _connection(self) -> Iterator[Event]:
        till = self._till
        self._reader = EventReader(self._reader.last_id)
        where = till._where()  # noqa: SLF001 - the two are one client
        asked = listening(where, till._client, self._reader.last_id)  # noqa: SLF001 - the same
        try:
            with till._http.stream(**asked) as answer:  # noqa: SLF001 - the same
                if not answer.is_success:
                    body = Body("events", CONNECT_S)
                    for piece in answer.iter_bytes():
                        body.add(piece)
                    raise refused("events", answer.status_code, answer.headers, body.whole())
                stream = answer.extensions.get("network_stream")
                with self._lock:
                    self._socket = stream.get_extra_info("socket") if stream is not None else None
                if self._closed.is_set():
                    return
                self.open = True
                for data in answer.iter_raw():
                    yield from self._reader.feed(data)
        except httpx.HTTPError as exc:
            till._failed(error := broken("events", exc))  # noqa: SLF001 - the same
            raise error from exc
        finally:
            self.open = False
            with self._lock:
                self._socket = None
