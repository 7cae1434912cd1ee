"""The client for asyncio."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Mapping
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx
from msgspec import Struct
from tenacity import AsyncRetrying

from till_agent.bridge.shapes import Ready
from till_agent.client.async_calls import AsyncCalls
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


class AsyncTill(Connected, AsyncCalls):
    """`Till` for asyncio: `async with AsyncTill(token=...) as till: await till.sell(uid, SaleRequest(...))`."""

    def __init__(self, *args: Any, transport: httpx.AsyncBaseTransport | None = None, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self._http = httpx.AsyncClient(transport=transport, **pool())

    async def close(self) -> None:
        """Hang up."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def events(self, last_event_id: str = "") -> AsyncIterator[Event]:
        """Scans, device states, sync and alerts as they happen, from the event after `last_event_id` if one is named.

        Comes back after each break until the loop is left or cancelled. ClientError when the agent refuses for good.
        """
        failures = 0
        reader = EventReader(last_event_id)
        while True:
            asked_ms = 0
            reader = EventReader(reader.last_id)
            try:
                async for data in self._stream(reader.last_id):
                    for event in reader.feed(data):
                        failures = 0
                        yield event
            except ClientError as exc:
                if not self._failed(exc) and ends_events(exc):
                    raise
                asked_ms = exc.retry_after_ms
            pause_ms = min(reader.retry_ms << min(failures, 5), LONGEST_PAUSE_MS) * random.uniform(0.5, 1)  # noqa: S311 - a spread
            failures += 1
            await asyncio.sleep(max(pause_ms, asked_ms) / 1000)

    async def wait_ready(self, patience_ms: int = READY_PATIENCE_MS) -> Ready:
        """Wait until the agent takes sales; what it says of itself. After `patience_ms` the last error is raised."""
        until = time.monotonic() + patience_ms / 1000
        while True:
            problem: Exception
            try:
                found = await self._once(wanted("readyz", {}, {}, None), Ready, max(until - time.monotonic(), 0.1))
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
            await asyncio.sleep(PAUSES_MS[0] / 1000)

    async def _call(
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

        async def attempt() -> T:
            return await self._once(call, kind, attempts.timeout_s())

        found: T = await AsyncRetrying(**attempts.settings())(attempt)
        return found

    async def _once(self, call: Wanted, kind: type[T], timeout_s: float) -> T:
        try:
            return await self._exchange(call, kind, timeout_s)
        except ClientError as exc:
            if not self._failed(exc):
                raise
        return await self._exchange(call, kind, timeout_s)

    async def _exchange(self, call: Wanted, kind: type[T], timeout_s: float) -> T:
        try:
            body = Body(call.operation, timeout_s)
            async with self._http.stream(**request(call, self._where(), self._client, timeout_s)) as answer:
                async for piece in answer.aiter_bytes():
                    body.add(piece)
        except httpx.HTTPError as exc:
            raise broken(call.operation, exc) from exc
        return read(call, kind, answer.status_code, answer.headers, body.whole())

    async def _stream(self, last_id: str) -> AsyncIterator[bytes]:
        try:
            async with self._http.stream(**listening(self._where(), self._client, last_id)) as answer:
                if not answer.is_success:
                    body = Body("events", CONNECT_S)
                    async for piece in answer.aiter_bytes():
                        body.add(piece)
                    raise refused("events", answer.status_code, answer.headers, body.whole())
                async for data in answer.aiter_raw():
                    yield data
        except httpx.HTTPError as exc:
            raise broken("events", exc) from exc
