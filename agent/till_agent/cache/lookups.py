"""Look-ups of members, and who was looked up just now: they stay, while a page lets others go.

From the moment when it is asked whom own ops speak of until the page is stored the till sells on: then an op may speak
of somebody of whom none did. Each op is about somebody who was looked up before. So whoever was looked up within a
minute counts as spoken of; and whoever is while a page is written is taken in again in its own transaction, so that no
kill comes between. Who is looked up in the moment of its commit is found until its end, and brought back by a second
one. No sale waits for a page, and no page for a sale.
"""

import contextlib
import sqlite3
from collections.abc import Callable, Iterator

from till_agent.cache import pages, schema
from till_agent.cache.reading import Reader
from till_agent.cache.rows import UNREADABLE, MemberColumns, Noted, as_member, tags_of
from till_agent.ports import CachedMember
from till_sync.ports import Clock
from till_sync.wire import ChangesAnswer

LATELY_MS = 60_000
"""From the look-up until the op is on the disk: the journal's writer is given up after ten seconds."""

KEPT = 1_000
"""Members looked up in that time, or while a page is written: more than a hub serves. Then the first are forgotten."""


class Lookups:
    """Used on the loop, by the cache. `on_unreadable` is told of a row that can't be read; without a clock nobody
    counts as looked up lately."""

    def __init__(self, reader: Reader, clock: Clock | None, on_unreadable: Callable[[Exception], None]) -> None:
        self._reader = reader
        self._clock = clock
        self._on_unreadable = on_unreadable
        self._lately: dict[str, int] = {}
        self._meanwhile: dict[str, Noted] | None = None
        self._floor = (0, 0)

    def find(self, statement: str, key: str, base: tuple[int, int]) -> CachedMember | None:
        """The member that a member id or a tag leads to. `base`: what rows of a snapshot include."""
        columns = self._reader.fetch(statement, (key,))
        if columns is None:
            columns, base = self._noted(key) or (None, base)
        if columns is None:
            return None
        try:
            member = as_member(columns, base)
        except UNREADABLE as exc:
            self._on_unreadable(exc)
            return None
        self._note(columns, base)
        return member

    def is_here(self, member_id: str) -> bool:
        """Whether the file holds them; it is no look-up by somebody who sells."""
        return self._reader.fetch(schema.BY_ID, (member_id,)) is not None

    def lately(self) -> frozenset[str]:
        """Ids of members looked up within a minute."""
        since_ms = self._clock.mono_ms() - LATELY_MS if self._clock else 0
        return frozenset([member_id for member_id, at_ms in self._lately.items() if at_ms >= since_ms])

    @contextlib.contextmanager
    def noting(self, floor: tuple[int, int]) -> Iterator[None]:
        """Whoever is looked up within it is found until its end, also after they went. `floor`: the cache's now."""
        self._meanwhile, self._floor = {}, floor
        try:
            yield
        finally:
            self._meanwhile = None

    def gone(self, removed: set[str]) -> list[Noted]:
        """Who was looked up meanwhile and is there no more, but for `removed`."""
        return [each for each in self._noted_but(removed) if not self.is_here(each[0][0])]

    def keep(self, connection: sqlite3.Connection, progress: pages.Progress, page: ChangesAnswer) -> pages.Progress:
        """Take in again whom the transaction of a page has taken away, though they were looked up meanwhile; gives the
        progress after it. In the writer thread: one who is looked up at this moment may be overlooked."""
        noted = self._noted_but(pages.removed_by(page))
        return self.bring_back(connection, noted) if noted else progress

    def bring_back(self, connection: sqlite3.Connection, gone: list[Noted]) -> pages.Progress:
        """Take them in again, in a transaction; gives the progress after it."""
        return pages.bring_back(connection, gone, self._floor)

    def with_noted(self, waiting: frozenset[str] | None) -> frozenset[str]:
        """Whom waiting ops speak of, and who was looked up meanwhile. From any thread, as `keep`."""
        return frozenset(list(self._meanwhile or ())) | (waiting or frozenset())

    def _noted_but(self, removed: set[str]) -> list[Noted]:
        meanwhile = self._meanwhile or {}
        return [each for member_id, each in list(meanwhile.items()) if member_id not in removed]

    def _noted(self, key: str) -> Noted | None:
        if not self._meanwhile:
            return None
        tagged = (each for each in self._meanwhile.values() if key in tags_of(each[0][1]))
        return self._meanwhile.get(key) or next(tagged, None)

    def _note(self, columns: MemberColumns, base: tuple[int, int]) -> None:
        member_id = columns[0]
        if self._clock is not None:
            self._lately.pop(member_id, None)
            self._lately[member_id] = self._clock.mono_ms()
            if len(self._lately) > KEPT:
                del self._lately[next(iter(self._lately))]
        if self._meanwhile is not None:
            self._meanwhile.setdefault(member_id, (columns, base))
            if len(self._meanwhile) > KEPT:
                del self._meanwhile[next(iter(self._meanwhile))]
