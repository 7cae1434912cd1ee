"""Finds members by what is shown of them, in a thread of its own, by an index that is made when it is first wanted."""

import asyncio
import contextlib
import logging
import sqlite3
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

from msgspec import Struct

from till_agent.cache import schema, search_index
from till_agent.cache.exceptions import CacheUnavailable
from till_agent.cache.opening import open_reader
from till_agent.cache.pages import load_progress
from till_agent.cache.rows import UNREADABLE, as_member
from till_agent.ports import Asked, CachedMember

_log = logging.getLogger(__name__)

PAUSE_S = 0.02
"""Between two steps of the index: a million members take half a minute, and neither sales nor pages wait for it."""
STEPS_LIMIT = 100_000
"""A hundred million members."""
LOOKED_THROUGH = 10_000
"""Members that a search reads one by one where they are not in the index yet: under 0.2 s on a slow till."""


class Hits(Struct, frozen=True, kw_only=True):
    """Members that fit. `more`: others do too; `partial`: the index is being made, so there may be others."""

    members: tuple[CachedMember, ...] = ()
    more: bool = False
    partial: bool = False


class Write(Protocol):
    """One transaction in the cache's writer thread (`CacheStore`)."""

    def __call__(self, work: Callable[[sqlite3.Connection], bool], /) -> Awaitable[bool]: ...


class Search:
    """Used on the loop. Whoever replaces the cache's file holds `turn` meanwhile: no search has it open then."""

    def __init__(self, path: Path, write: Write) -> None:
        self._path = path
        self._write = write
        self._packing: asyncio.Task[None] | None = None
        self.turn = asyncio.Lock()

    async def find(self, asked: Asked, limit: int) -> Hits:
        """Up to `limit` members; one search at a time. From a file that can't be read, none."""
        self.prepare()
        async with self.turn:
            try:
                return await asyncio.to_thread(self._find, asked, limit)
            except (sqlite3.Error, *UNREADABLE) as exc:
                _log.warning("the cache could not be searched: %s", exc)
                return Hits(partial=True)

    def prepare(self) -> None:
        """Make the index, or bring it up to date, beside everything else."""
        if self._packing is None or self._packing.done():
            self._packing = asyncio.get_running_loop().create_task(self._pack(), name="search index")

    def go_on(self) -> None:
        """A page came, or a new cache: whoever has searched before will find by it too."""
        if self._packing is not None:
            self.prepare()

    async def stop(self) -> None:
        """Let go of what is under way; it goes on with the next search."""
        if self._packing is not None:
            self._packing.cancel()
            await asyncio.wait({self._packing})

    async def _pack(self) -> None:
        with contextlib.suppress(CacheUnavailable):
            for _ in range(STEPS_LIMIT):
                if not await self._write(_pack_more):
                    return
                await asyncio.sleep(PAUSE_S)

    def _find(self, asked: Asked, limit: int) -> Hits:
        """In a thread: one look at one state of the file."""
        with contextlib.closing(open_reader(self._path)) as connection:
            connection.execute("BEGIN")
            progress = load_progress(connection)
            found: dict[str, CachedMember] = {}
            looked = _Looked()
            for columns in looked.rows(connection, asked, progress.cursor):
                if columns[0] in found:
                    continue
                member = as_member(columns, progress.base)
                if not asked.fits_row(member.row):
                    continue
                if len(found) == limit:
                    return Hits(members=tuple(found.values()), more=True)
                found[columns[0]] = member
        return Hits(members=tuple(found.values()), partial=looked.partial)


class _Looked:
    """Every member that may fit, first what has changed, then by the index, then those that are not in it yet."""

    partial = False

    def rows(self, connection: sqlite3.Connection, asked: Asked, cursor: str) -> Iterator[Any]:
        state = search_index.read_state(connection)
        upto = ""
        if state is not None and state.cursor == cursor:
            upto = state.upto
            yield from connection.execute(schema.DUE_MEMBERS)
            for member_id in search_index.candidates(connection, state, asked):
                yield from connection.execute(schema.BY_ID, (member_id,)).fetchall()
            if state.complete:
                return
        count = 0
        for columns in connection.execute(schema.MEMBERS_AFTER, (upto, LOOKED_THROUGH)):
            count += 1
            yield columns
        self.partial = count == LOOKED_THROUGH


def _pack_more(connection: sqlite3.Connection) -> bool:
    progress = load_progress(connection)
    if progress.filling:
        return False
    return search_index.pack_more(connection, progress.cursor, progress.members)
