"""Waits that end by the injected clock, so that simulated time governs them too."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from till_sync.ports import Clock

T = TypeVar("T")


async def within(clock: Clock, timeout_ms: int, work: Coroutine[Any, Any, T]) -> T:
    """Await `work` for at most that long; then it is cancelled and TimeoutError raised."""
    task = asyncio.ensure_future(work)
    timer = asyncio.ensure_future(clock.sleep(timeout_ms / 1000))
    try:
        await asyncio.wait({task, timer}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise TimeoutError(f"expected an end within {timeout_ms} ms")
        return task.result()
    finally:
        await _put_away(task, timer)


async def pause(clock: Clock, delay_ms: int, *wakers: asyncio.Event) -> None:
    """Wait that long, or until one of `wakers` is set."""
    if any(waker.is_set() for waker in wakers):
        return
    tasks: list[asyncio.Task[Any]] = [asyncio.ensure_future(waker.wait()) for waker in wakers]
    tasks.append(asyncio.ensure_future(clock.sleep(delay_ms / 1000)))
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await _put_away(*tasks)


async def _put_away(*tasks: "asyncio.Task[Any]") -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
