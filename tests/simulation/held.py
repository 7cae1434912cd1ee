"""What tills hold: who stays in a cache, what own operations changed, and who is found by a number."""

import sqlite3
from collections.abc import Mapping
from typing import Any

from simulation.centre import SimulatedCloud
from simulation.chain import MEMBERS, STRANGERS, card, phone
from simulation.till import SimulatedTill
from till_agent.cache.schema import OWNER
from till_agent.journal.schema import row_id
from till_cloud.store import members, people, slow_tags
from till_loyalty.identifiers import FAST_PHONE, Kind, slow_tag, tag

ROWS = 10_000
"""More than a seed ever writes."""

NUMBERS: tuple[tuple[Kind, str], ...] = (
    *(("card", card(each)) for each in range(MEMBERS + STRANGERS)),
    *(("phone", phone(each)) for each in range(MEMBERS + STRANGERS)),
)
"""Of everybody who ever comes."""

_INCARNATION = "SELECT value FROM meta WHERE name = 'incarnation'"
_WAITING = """
SELECT DISTINCT subject_key FROM entries WHERE id > ? AND effect_points <> 0 AND subject_key LIKE 'm-%'
"""
_LIVING = "SELECT 1 FROM members WHERE member_id = ? AND status <> 'removed'"


class Held:
    """Looks at a till after each step; remembers who was in its cache after the one before."""

    def __init__(self, cloud: SimulatedCloud) -> None:
        self._cloud = cloud
        self._before: dict[str, tuple[str, int, set[str]]] = {}

    def look(self, till: SimulatedTill) -> str:
        """What is wrong with what the till holds, "" for nothing. Its cache is to be of the cloud's present life."""
        reader, session, floor = till.cache._reader._connection, till.journal._writer._session, till.cache.floor
        incarnation = self._cloud.read(lambda connection: connection.execute(_INCARNATION).fetchone()[0])
        is_now = till.cache._progress.incarnation == incarnation and not till.cache.filling
        if reader is None or session is None or floor is None or not is_now:
            return ""
        now = {row[0] for row in reader.execute("SELECT member_id FROM members")}
        lost, before = self._before.get(till.name, (0, set()))
        self._before[till.name] = (till.caches_lost, now)
        if lost == till.caches_lost:
            waiting = {row[0] for row in session.connection.execute(_WAITING, (row_id(*floor),))}
            for member_id in sorted((before & waiting) - now):
                if self._cloud.read(lambda connection, one=member_id: connection.execute(_LIVING, (one,)).fetchone()):
                    return f"9 {till.name} let {member_id} go while its own operations wait"
        return _facts(till, session, floor) or _named(till, reader)


def _facts(till: SimulatedTill, session: Any, floor: tuple[int, int]) -> str:
    """9: what own operations changed is known as it stands in their bodies."""
    later = till.journal._rebuilding._later
    if later is not None and not later.done():
        return ""
    after = row_id(*floor)
    written = [row for row in session.changes_after(after, ROWS) if row[2]]
    known = [row for row in till.effects.changes() if row[0] > after]
    if known == written:
        return ""
    ids = sorted({row[0] for row in known} ^ {row[0] for row in written})
    return f"9 {till.name} does not know what its own operations changed: {[(i >> 40, i & 0xFFFFFF) for i in ids]}"


def _named(till: SimulatedTill, reader: sqlite3.Connection) -> str:
    """9: whom the cache has a tag of is found by the number, be it the tag that phones always had or, since the till
    heard that the chain has slow ones, theirs."""
    desk = till.desk._open
    cost = till.phone_tags.cost
    for kind, number in NUMBERS if desk is not None else ():
        fast = tag(till.identity.identifier_key, kind, number)
        names = (fast, slow_tag(fast, cost)) if kind == "phone" and cost else (fast,)
        owners = {row[0] for name in names for row in reader.execute(OWNER, (name,))}
        found = _asked(desk, fast)
        if owners and (found is None or found.subject.member_id not in owners):
            return f"9 {till.name} does not find {min(owners)} by the {kind}, of which it has a tag"
    return ""


def at_rest(cloud: SimulatedCloud, tills: Mapping[str, SimulatedTill]) -> str:
    """8: nothing ever came apart, a till finds whom it holds by card and phone as the cloud does, and whoever shows the
    card of somebody who was erased is nobody."""
    for till in tills.values():
        # Which limits are running a row says by the cloud's day: by a clock that was set, digests mend it.
        if till.cache.divergences and not cloud.clock_was_set:
            return f"8 {till.name} had come apart from the cloud {till.cache.divergences} times"
        wrong = _found(cloud, till)
        if wrong:
            return wrong
    return "" if cloud.restored else cloud.read(lambda connection: _forgotten(connection, cloud.erased_tags))


def _forgotten(connection: sqlite3.Connection, tags: set[str]) -> str:
    for each in sorted(tags):
        owner = members.owner(connection, each)
        if owner:
            return f"8 {owner} has the {each.partition(':')[0]} of somebody who was erased"
    return ""


def _found(cloud: SimulatedCloud, till: SimulatedTill) -> str:
    desk = till.desk._open
    if desk is None:
        return ""
    for kind, number in NUMBERS:
        fast = tag(till.identity.identifier_key, kind, number)
        there = cloud.read(lambda connection, fast=fast: _whose(connection, fast))
        found = _asked(desk, fast)
        here = "" if found is None else found.subject.member_id
        if here != there and (here or till.cache.by_id(there) is not None):
            return f"8 {till.name} finds {here!r} by the {kind} of {there!r}"
    return ""


def _asked(desk: Any, fast: str) -> Any:
    """Whom the desk finds; it remembers nothing of being asked, or a seed would play otherwise for being looked at."""
    slow = desk.bench.finder._slow
    made = slow._made
    try:
        return desk.bench.finder.by_tag(fast)
    finally:
        slow._made = made


def _whose(connection: sqlite3.Connection, fast: str) -> str:
    cost = slow_tags.phone_tags(connection).cost
    owner = members.owner(connection, fast)
    if not owner and cost and fast.startswith(FAST_PHONE):
        owner = members.owner(connection, slow_tag(fast, cost))  # of a stranger whom only slow tags have named yet
    member_id = people.kept(connection, owner) if owner else ""
    return member_id if member_id and connection.execute(_LIVING, (member_id,)).fetchone() else ""
