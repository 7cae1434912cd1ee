"""A test's coroutine on an event loop of its own."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

LIMIT_S = 100.0
"""Under pytest's own, so that what hangs is named by its own traceback; everything here takes a second or two."""
LAST_TURNS = 20
"""Of the loop: what has been cancelled or closed may still need a few."""


def run(work: Coroutine[Any, Any, T]) -> T:
    """What `work` gives. TimeoutError when it hangs; AssertionError when a task that it began is still there."""

    async def bounded() -> T:
        async with asyncio.timeout(LIMIT_S):
            result = await work
        for _ in range(LAST_TURNS):
            left = asyncio.all_tasks() - {asyncio.current_task()}
            if not left:
                break
            await asyncio.sleep(0)
        assert not left, f"left running: {left}"
        return result

    return asyncio.run(bounded())
