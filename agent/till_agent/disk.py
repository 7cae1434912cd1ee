"""How much room the disk of the state directory has. Asking a disk that is ill can take minutes: never on the loop."""

import asyncio
import contextlib
import shutil
from pathlib import Path

from msgspec import Struct

WAIT_S = 2.0
"""A healthy disk answers in microseconds; one that does not is asked on, and the last figure stays."""


class DiskRoom(Struct, frozen=True):
    """-1: nobody knows."""

    free_bytes: int = -1
    total_bytes: int = -1


class Disk:
    """Keeps the last answer; at most one question is under way."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._asked: asyncio.Task[DiskRoom] | None = None
        self.room = DiskRoom()

    async def look(self) -> None:
        """Ask again, unless an earlier question has no answer yet; waits a little for it and never raises."""
        if self._asked is None:
            self._asked = asyncio.create_task(asyncio.to_thread(_room, self._path), name="disk room")
        done, _ = await asyncio.wait({self._asked}, timeout=WAIT_S)
        if done:
            asked, self._asked = self._asked, None
            with contextlib.suppress(OSError):
                self.room = asked.result()


def _room(path: Path) -> DiskRoom:
    usage = shutil.disk_usage(path)
    return DiskRoom(usage.free, usage.total)
