"""Members without any activity for long: who they are, and erasing them as one is erased by hand.

Activity is an operation of any till, a till's question about the member, joining, and the last purchase that an import
named. Whoever has points held for a receipt is left alone until that is through.
"""

import datetime as dt
import re
import sqlite3
from collections.abc import Iterable, Iterator, Sequence

import msgspec
from msgspec import Struct

from till_cloud import erasing
from till_cloud.exceptions import AdminError
from till_cloud.store import meta
from till_cloud.store.stretches import END_OF_MEMBERS
from till_sync.ops import OpId

LEAST_MONTHS = 6
MOST_MONTHS = 240
"""Less than half a year would cost those who come for the holidays; more than twenty years is no retention."""

SETTING = "retention_months"
"""In the database's meta."""

PAGE_MEMBERS = 5_000
CHUNK_MEMBERS = 20_000
"""Members whose operations are looked up by one reading of all operations."""

_IDLE = """
SELECT m.member_id FROM members m JOIN balances b ON b.member_id = m.member_id
WHERE m.member_id > :after AND m.member_id <= :last AND m.status <> 'removed' AND b.held = 0
    AND m.added_at_ms < :before AND m.seen_at_ms < :before AND m.last_purchase < :day
    AND NOT EXISTS (SELECT 1 FROM movements v WHERE v.member_id = m.member_id AND v.till <> '' AND v.at_ms >= :before)
    AND NOT EXISTS (SELECT 1 FROM window_members s
        WHERE s.member_id = m.member_id AND s.store <> '' AND s.seen_at_ms >= :before)
ORDER BY m.member_id LIMIT :limit
"""
_MERGED = """
SELECT member_id, merged_into FROM members WHERE merged_into IN (SELECT value FROM json_each(?))
"""
# And the fast tags of slow ones: operations from before these, and of former tills, name a phone by them.
_TAGS = """
SELECT tag, member_id FROM identifiers WHERE member_id IN (SELECT value FROM json_each(:ids))
UNION ALL
SELECT s.tag, i.member_id FROM identifiers i JOIN slow_tags s ON s.slow = i.tag
WHERE i.member_id IN (SELECT value FROM json_each(:ids))
"""
_OPS = """
SELECT till, epoch, seq, member_id, tag FROM ops
WHERE member_id IN (SELECT value FROM json_each(?)) OR tag IN (SELECT value FROM json_each(?))
"""
# Refused ones name a person in their bodies alone. Each is read once, however many tags are looked for.
_REFUSED = "SELECT till, epoch, seq, body FROM ops WHERE status = 'rejected'"
_TAG_ENDS = re.compile(rb":[0-9a-f]{32}")
_NOTE = "INSERT OR REPLACE INTO erasures (member_id, at_ms, why) VALUES (?, ?, ?)"


class Retained(Struct, kw_only=True):
    """What a run found and did. `members` are ids that name nobody; `skipped` got points held meanwhile."""

    months: int
    before: str
    members: list[str] = []
    erased: int = 0
    skipped: list[str] = []


def months_of(connection: sqlite3.Connection) -> int:
    """What was set; 0: nothing, and nobody goes for their age."""
    return int(meta.told(connection, SETTING) or 0)


def set_months(connection: sqlite3.Connection, months: int) -> None:
    """AdminError when out of range; 0 unsets it."""
    if months:
        expect_months(months)
    meta.tell(connection, SETTING, str(months))


def expect_months(months: int) -> None:
    """AdminError when out of range."""
    if not LEAST_MONTHS <= months <= MOST_MONTHS:
        raise AdminError(f"expected {LEAST_MONTHS} to {MOST_MONTHS} months, not {months}")


def day_before(now_ms: int, months: int) -> dt.date:
    """The same day so many months ago, or the last one of a shorter month."""
    today = dt.datetime.fromtimestamp(now_ms / 1000, dt.UTC).date()
    whole = today.year * 12 + today.month - 1 - months
    first = dt.date(whole // 12, whole % 12 + 1, 1)
    last = (first + dt.timedelta(days=31)).replace(day=1) - dt.timedelta(days=1)
    return min(first + dt.timedelta(days=today.day - 1), last)


def idle(connection: sqlite3.Connection, day: dt.date) -> Iterator[str]:
    """Members of whom nothing happened since a day began (UTC), in the order of ids."""
    after = ""
    while True:
        found = _idle(connection, day, after, END_OF_MEMBERS)
        yield from found
        if len(found) < PAGE_MEMBERS:
            return
        after = found[-1]


def operations_of(connection: sqlite3.Connection, members: Sequence[str]) -> dict[str, list[OpId]]:
    """Every operation that speaks of each of these members; reads all operations once, whatever their number."""
    whose = {member_id: member_id for member_id in members}
    whose |= {str(old): str(into) for old, into in connection.execute(_MERGED, (_json(whose),))}
    tags = {str(tag): whose[owner] for tag, owner in connection.execute(_TAGS, {"ids": _json(whose)})}
    found: dict[str, set[OpId]] = {member_id: set() for member_id in members}
    for till, epoch, seq, member_id, tag in connection.execute(_OPS, (_json(whose), _json(tags))):
        found[whose.get(member_id) or tags[tag]].add(OpId(till, epoch, seq))
    wanted = {tag.encode(): tag for tag in tags}
    named = _Named(wanted)
    for till, epoch, seq, body in connection.execute(_REFUSED):
        for tag in named.of(body):
            found[tags[wanted[tag]]].add(OpId(till, epoch, seq))
    return {member_id: sorted(ops) for member_id, ops in found.items()}


class _Named:
    """Finds tags in bodies, each in one walk whatever it is: megabytes that a till made up to keep us busy, too."""

    def __init__(self, tags: Iterable[bytes]) -> None:
        self._tags = frozenset(tags)
        self._odd = [tag for tag in self._tags if not _TAG_ENDS.fullmatch(tag, max(0, tag.find(b":")))]
        """Nothing of ours, but a till may send any text."""
        self._kinds = {tag.find(b":") for tag in self._tags.difference(self._odd)}

    def of(self, body: bytes) -> set[bytes]:
        """Those that it has."""
        ends = [found.span() for found in _TAG_ENDS.finditer(body)]
        there = {body[max(0, start - length) : end] for start, end in ends for length in self._kinds}
        return (there & self._tags) | {tag for tag in self._odd if tag in body}


def erase_idle(
    connection: sqlite3.Connection, *, member_id: str, ops: list[OpId], day: dt.date, months: int, now_ms: int
) -> bool:
    """Erase a member with a note of why, in the caller's transaction; `ops` as `operations_of` found them. False, and
    nothing was done, for one who has come back meanwhile, or whose points are held.
    """
    if _idle(connection, day, member_id[:-1], member_id)[-1:] != [member_id]:
        return False
    erasing.erase(connection, member_id, ops, now_ms)
    connection.execute(_NOTE, (member_id, now_ms, f"no activity in {months} months, since {day.isoformat()}"))
    return True


def _idle(connection: sqlite3.Connection, day: dt.date, after: str, last: str) -> list[str]:
    before_ms = int(dt.datetime.combine(day, dt.time(), dt.UTC).timestamp() * 1000)
    named = {"after": after, "last": last, "before": before_ms, "day": day.isoformat(), "limit": PAGE_MEMBERS}
    return [str(row[0]) for row in connection.execute(_IDLE, named)]


def _json(texts: Iterable[str]) -> str:
    return msgspec.json.encode(list(texts)).decode()
