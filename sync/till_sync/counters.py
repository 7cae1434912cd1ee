"""A number that rises with every request of a till, over crashes too: taken in blocks that are on the disk before the
first of a block is used, so that a crash skips numbers and repeats none.
"""

import asyncio
import logging
from pathlib import Path

from till_sync.files import replace_file

log = logging.getLogger(__name__)

COUNTER_FILE = "counter"

BLOCK = 1_000
"""Numbers taken at once: a till that asks once a second writes the file every quarter of an hour."""

DIGITS_LIMIT = 15
"""A longer number is none of ours: a thousand requests a second make one in thirty thousand years."""


class Counter:
    """The numbers of one state directory. Belongs to one event loop.

    A disk that takes no more, or a file that can't be read, stops nobody: numbers go on from memory, and should they
    repeat after a crash, the cloud says where to go on (`raise_to`).
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._last = -1
        self._reserved = -1
        self._lock = asyncio.Lock()

    async def next(self) -> int:
        """A number larger than all before."""
        async with self._lock:
            if self._last < 0:
                self._last = self._reserved = await asyncio.to_thread(self._read)
            self._last += 1
            if self._last > self._reserved:
                await self._reserve(self._last + BLOCK)
            return self._last

    def raise_to(self, least: int) -> None:
        """The next number shall be at least that."""
        self._last = max(self._last, least - 1)

    async def _reserve(self, upto: int) -> None:
        self._reserved = upto
        if self._path is None:
            return
        try:
            await asyncio.to_thread(replace_file, self._path, b"%d\n" % upto)
        except OSError as error:
            log.warning("The counter of requests can't be kept in %s: %s", self._path, error.strerror)

    def _read(self) -> int:
        if self._path is None:
            return 0
        try:
            text = self._path.read_text("ascii").strip()
            return int(text) if text.isdigit() and len(text) <= DIGITS_LIMIT else 0
        except (OSError, ValueError):
            return 0
