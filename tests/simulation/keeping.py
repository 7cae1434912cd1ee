"""What the cloud keeps of members and lets go of: windows of stores, erasure, slow tags of phones, snapshots.

Every seventh seed lives through these too, between the steps that it always had: with risk and without, with waves and
without.
"""

from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

from starlette.responses import Response

from kit.phones import make_slow_at
from simulation.centre import SimulatedCloud
from simulation.till import SimulatedTill
from till_agent.journal.schema import row_id
from till_cloud import erasing, snapshots
from till_cloud.exceptions import AdminError
from till_cloud.jobs import windows
from till_cloud.jobs.running import JobsDone
from till_cloud.store import jobs, members, slow_tags, tills
from till_cloud.store import snapshots as snapshot_rows
from till_cloud.store.windows import WHOLE_BASE
from till_cloud.windows import choose, scope_of

EVERY = 7
WIDENED_EVERY = 2 * EVERY
"""In every second of those seeds stores hold the whole base now and then."""
WIDENED_STEPS = 6
"""One step of so many begins that for a store."""
WAITING = 2
"""Members of whom what waits speaks: some are still waited for when the line has been back for a moment."""
WEIGHTS = {"let_go": 14, "erase": 1, "slow_phones": 6, "snapshot": 5, "slots": 6, "none": 15}
SLOW_FROM = 12
"""Steps before a chain begins with slow tags: until then operations and caches have the fast ones."""
ERASED_MOST = 2
"""Of few members, so that some are left who buy."""

_INSIDE = "SELECT store, member_id FROM window_members WHERE inside = 1 ORDER BY store, member_id"
_AGE = "UPDATE window_members SET seen_at_ms = 0 WHERE store = ? AND member_id = ?"
_SUBJECTS = """
SELECT DISTINCT subject_key FROM entries WHERE id > ? AND effect_points <> 0 AND subject_key LIKE 'm-%' ORDER BY 1
"""
_LIVING = "SELECT member_id FROM members WHERE status <> 'removed' ORDER BY member_id"


def keeps(seed: int) -> bool:
    """Whether tills hold only the members seen in their store, and these are let go of, in that seed's chain."""
    return seed % EVERY == EVERY - 1


class Keeping:
    """Plays those steps with the chain's cloud."""

    def __init__(self, cloud: SimulatedCloud, tills: list[SimulatedTill], seed: int) -> None:
        self._cloud = cloud
        self._tills = tills
        self._seed = seed
        self._erased = 0
        self._widened: set[str] = set()

    def take(self, number: int) -> None:
        """What comes after a step besides; nothing in seeds that are not of these."""
        if not keeps(self._seed) or not self._cloud.up:
            return
        random = Random(f"keeping {self._seed} {number}")
        what = random.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
        if what == "slow_phones" and number < SLOW_FROM:
            what = "let_go"
        if what != "none":
            getattr(self, f"_{what}")(random)
        if self._seed % WIDENED_EVERY == WIDENED_EVERY - 1:
            self._widen(Random(f"widen {self._seed} {number}"))

    def make_snapshots(self) -> None:
        """One for each scope that tills may ask for."""
        cloud = self._cloud
        for scope in cloud.read(_scopes):
            row = snapshots.make(cloud.path, wall_ms=cloud.centre.wall_ms, scope=scope)
            cloud.centre.write(_adding(row)).result()

    def _slots(self, random: Random) -> None:
        """The cloud has a till send in slots, or lets it go on as ever."""
        line = random.choice(self._tills).line
        line.slots = not line.slots

    def _snapshot(self, _random: Random) -> None:
        self.make_snapshots()

    def _let_go(self, random: Random) -> None:
        """Somebody was not seen in a store for long, and the cloud's job comes by; most often somebody of whom waiting
        operations speak, which go out one by one then, so that the news overtake them."""
        found = self._cloud.read(lambda connection: connection.execute(_INSIDE).fetchall())
        waiting = [
            (till, (till.identity.store, member_id))
            for till in self._tills
            for member_id in _waiting_behind(till)
            if (till.identity.store, member_id) in found
        ]
        if not found:
            return
        place = random.choice(found)
        if waiting and random.randrange(4):
            till, place = random.choice(waiting)
            till.line.slots = True
        wall_ms = self._cloud.centre.wall_ms

        def age(connection: Any) -> None:
            connection.execute(_AGE, place)
            jobs.set_done(connection, windows.JOB, "", wall_ms())

        self._cloud.centre.write(age).result()
        work = windows.Windows(wall_ms(), wall_ms)
        while self._cloud.centre.write(work.block).result():
            pass
        work.tell(JobsDone())

    def _widen(self, random: Random) -> None:
        """A store's tills are to hold the whole base; then their line is cut, and when enough waits they are to hold
        their store's members again: of a snapshot they make a new cache, into which comes whom what waits speaks of."""
        heard = [till for till in self._tills if till.life.alive and not till.cache.window_days]
        heard = [till for till in heard if till.identity.store in self._widened]
        narrowed = {till.identity.store for till in heard if len(_waiting_behind(till)) >= WAITING}
        for till in heard:
            till.line.cut = True
        if not narrowed and random.randrange(WIDENED_STEPS):
            return
        stores = narrowed or {random.choice([till.identity.store for till in self._tills])} - self._widened
        for store in sorted(stores):
            self._set_days(store, None if narrowed else WHOLE_BASE)
        self._widened ^= stores
        for till in self._tills:
            if till.identity.store in narrowed:
                till.line.cut, till.line.fault_percent, till.line.slots = False, 0, True
        if stores:
            self.make_snapshots()

    def _set_days(self, store: str, days: int | None) -> None:
        centre = self._cloud.centre
        centre.write(lambda connection: choose(connection, store, days, centre.wall_ms())).result()

    def _erase(self, random: Random) -> None:
        """A member asks to be forgotten. Whose points are held for a receipt has to come again."""
        found = [row[0] for row in self._cloud.read(lambda connection: connection.execute(_LIVING).fetchall())]
        if self._erased >= ERASED_MOST or not found:
            return
        member_id = random.choice(found)

        def erase(connection: Any) -> list[tuple[str, int, int]]:
            tags = members.tags(connection, member_id)
            ops = erasing.operations_of(connection, member_id)
            erasing.erase(connection, member_id, ops, self._cloud.centre.wall_ms())
            self._cloud.erased_tags.update(tags)
            return [(each.till, each.epoch, each.seq) for each in ops]

        try:
            self._cloud.blanked |= set(self._cloud.centre.write(erase).result())
        except AdminError:
            return
        self._erased += 1

    def _slow_phones(self, _random: Random) -> None:
        """The chain begins to have slow tags, or makes those that are still to be made."""
        make_slow_at(self._cloud.centre)

    def end(self) -> None:
        """The jobs come by once more, so that nothing is left half done, and nobody waits for a slot."""
        for till in self._tills:
            till.line.slots = False
        began = any(till.phone_tags.cost for till in self._tills)  # also where a backup is from before that
        if keeps(self._seed) and (began or self._cloud.read(slow_tags.phone_tags).cost):
            self._slow_phones(Random(0))


def _waiting_behind(till: SimulatedTill) -> list[str]:
    """Members of whom operations speak that wait behind another."""
    session = till.journal._writer._session if till.life.alive else None
    if session is None:
        return []
    after = row_id(till.journal.figures.epoch, till.journal.figures.acked_seq + 1)
    return [row[0] for row in session.connection.execute(_SUBJECTS, (after,))]


def _scopes(connection: Any) -> list[str]:
    return sorted({scope_of(connection, row.store, asked=True) for row in tills.all_tills(connection)})


def _adding(row: snapshot_rows.SnapshotRow) -> Callable[[Any], None]:
    return lambda connection: snapshot_rows.add(connection, row)


class RangedBytes(Response):
    """A range of a file as the cloud's own answer gives it, without the threads that read it there."""

    def __init__(self, path: Path, media_type: str, headers: dict[str, str]) -> None:
        super().__init__(path.read_bytes(), media_type=media_type, headers=headers)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        wanted = dict(scope["headers"])[b"range"].decode().removeprefix("bytes=")
        first, last = map(int, wanted.split("-"))
        told = {"content-range": f"bytes {first}-{last}/{len(self.body)}"}
        part = Response(bytes(self.body)[first : last + 1], 206, headers=told, media_type=self.media_type)
        await part(scope, receive, send)
