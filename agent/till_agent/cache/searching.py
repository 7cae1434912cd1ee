"""Finds members by what is shown of them, in a thread of its own."""

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable
from pathlib import Path

from till_agent.cache import schema
from till_agent.cache.opening import open_reader
from till_agent.cache.rows import UNREADABLE, as_member
from till_agent.ports import Asked, CachedMember


class Search:
    """`base`: as `till_agent.cache.rows.as_member` takes it."""

    def __init__(self, path: Path, base: Callable[[], tuple[int, int]]) -> None:
        self._path = path
        self._base = base
        self._turn = asyncio.Lock()

    async def find(self, asked: Asked, limit: int) -> tuple[list[CachedMember], bool]:
        """Up to `limit` members that fit, and whether there are more; one search at a time."""
        async with self._turn:
            return await asyncio.to_thread(self._find, asked, limit, self._base())

    def _find(self, asked: Asked, limit: int, base: tuple[int, int]) -> tuple[list[CachedMember], bool]:
        found: list[CachedMember] = []
        try:
            with contextlib.closing(open_reader(self._path)) as connection:
                for columns in connection.execute(schema.EVERY_MEMBER):
                    member = as_member(columns, base)
                    if asked.fits_row(member.row):
                        if len(found) == limit:
                            return found, True
                        found.append(member)
        except (sqlite3.Error, *UNREADABLE):
            return found, False
        return found, False
