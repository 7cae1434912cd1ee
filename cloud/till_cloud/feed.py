"""Long polls of the changes feed: wakes those who wait when something was committed, here or by another process."""

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable

from till_cloud.centre import Centre

OTHERS_POLL_S = 0.5
"""How often to look for commits of other processes (the command line) while somebody waits."""

WAITERS_LIMIT = 10_000
"""Long polls at once; one more is answered straight away, as if it had not asked to wait. Each takes a few KB."""


class Feed:
    """Waiting for a position beyond one's own. Belongs to one event loop; `notify` may be called from any thread."""

    def __init__(self, centre: Centre) -> None:
        self._centre = centre
        self._loop = asyncio.get_running_loop()
        self._changed = asyncio.Event()
        self._waiters = 0
        self._watcher: asyncio.Task[None] | None = None
        self._closed = False

    def notify(self) -> None:
        """Something was committed."""
        with contextlib.suppress(RuntimeError):  # the loop may be closed already: then nobody waits
            self._loop.call_soon_threadsafe(self._wake)

    async def wait_beyond(self, position: int, timeout_s: float) -> None:
        """Return when the newest change is beyond `position`, or when the time is over, or at a stop."""
        if self._waiters >= WAITERS_LIMIT or self._closed:
            return
        self._waiters += 1
        if self._watcher is None:
            self._watcher = self._loop.create_task(self._watch(), name="cloud-feed-watch")
        try:
            async with asyncio.timeout(timeout_s):
                while not self._closed:
                    changed = self._changed
                    if self._centre.position() > position:
                        return
                    await changed.wait()
        except TimeoutError:
            return
        finally:
            self._waiters -= 1

    async def close(self) -> None:
        """Let everybody go."""
        self._closed = True
        self._wake()
        if self._watcher is not None:
            self._watcher.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watcher

    def _wake(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def _watch(self) -> None:
        """Wake the waiters after commits of other processes, which `notify` does not know of."""
        version: Callable[[sqlite3.Connection], int] = _data_version
        seen = self._centre.quick(version)
        while self._waiters:
            await asyncio.sleep(OTHERS_POLL_S)
            now = self._centre.quick(version)
            if now != seen:
                seen = now
                self._wake()
        self._watcher = None


def _data_version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA data_version").fetchone()[0])
