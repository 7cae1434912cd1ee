"""Work of a call in a thread of its own, beside the loop.

Not in the loop's pool, which has a handful of threads: names are looked up there too, each for as long as a resolver
that says nothing is waited for. A line that is cut can so keep all of them for many seconds, and a sale would wait.
"""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


async def aside(function: Callable[..., T], *arguments: object) -> T:
    """What `function` gives or raises. It ends by itself, also where nobody waits for it any more."""
    future: Future[T] = Future()
    future.set_running_or_notify_cancel()  # from here on nobody's going away cancels it

    def run() -> None:
        try:
            future.set_result(function(*arguments))
        except Exception as exc:  # noqa: BLE001 - whoever waits gets it
            future.set_exception(exc)

    threading.Thread(target=run, name="till-aside", daemon=True).start()
    return await asyncio.wrap_future(future)
