"""What own ops did to balances and facts, told to the loop when the journal is opened.

Effects stand in an index. What an op changed of facts stands in its body, and to read the bodies of a long queue takes
most of a start. So a till that is stopped in order puts beside the journal what it knows (`journal.db-facts`), bound to
the last row by its hash: rows never change, so what was true of them stays true, and only the bodies of rows after that
one are read. The file decides nothing. One that is missing, torn, of another program or of another past costs the time
that it would have spared; after a crash there is none.
"""

import asyncio
import contextlib
import hashlib
import logging
from collections.abc import Awaitable, Callable
from importlib.metadata import version
from pathlib import Path
from typing import Protocol

import msgspec
from msgspec import Struct

from till_agent.exceptions import JournalCorrupt, JournalUnavailable
from till_agent.journal import schema
from till_agent.journal.figures import Figures
from till_agent.journal.place import Place
from till_agent.journal.session import Session
from till_agent.journal.writer import Writer

_log = logging.getLogger(__name__)

EFFECTS_SLICE = 5_000
"""Effects handed to the loop at once while the pending balances are rebuilt; about 5 ms."""
CHANGES_SLICE = 1_000
"""The same of changed facts, for which the bodies are read."""
FACTS_SUFFIX = "-facts"
DRAFT_SUFFIX = ".draft"
"""Behind that one; what a kill leaves of it goes at the next start."""
LATER_PAUSE_S = 5.0
"""Between two tries, with a disk that fails."""
FORM = "1"
"""To be raised with anything that `till_agent.journal.changes` reads of a body: within one release nothing else would
tell that what was put down lacks it."""
LEAST_CHANGES = 500
"""Bodies of fewer are read in 20 ms."""
MOST_BYTES = 64 * 1024 * 1024
"""Of a file that is looked at: 100,000 ops, the most that may wait, take some 20 MB."""
_DIGEST_BYTES = hashlib.sha256().digest_size

ChangeRow = tuple[int, str, bytes]
"""Row id, subject key, changed facts."""


class EffectSink(Protocol):
    """Where effects of committed ops go: `till_agent.balances.OwnEffects`."""

    @property
    def forgotten(self) -> int:
        """The last row id up to which ops are not counted any more."""
        ...

    def add_row(self, row_id: int, subject_key: str, effect_points: int) -> None:
        """An op's effect; one that is known already changes nothing."""
        ...

    def add_change(self, row_id: int, subject_key: str, packed: bytes) -> None:
        """What an op changed of facts (`till_agent.journal.changes`); again, one that is known changes nothing."""
        ...

    def changes(self) -> list[ChangeRow]:
        """All changes that are counted, in order."""
        ...

    def forget(self, included: tuple[int, int]) -> None:
        """Ops up to that (epoch, seq) are not counted any more."""
        ...


class PutDown(Struct, frozen=True, array_like=True):
    """Changes of all ops after row `after`, up to the op (`epoch`, `seq`) whose row has that hash."""

    program: str
    till: str
    epoch: int
    seq: int
    row_hash: str
    after: int
    changes: list[ChangeRow]


_decoder = msgspec.msgpack.Decoder(PutDown)


async def _nothing_else() -> None:
    """Effects and facts are all that is told."""


class Rebuilding:
    """Used on the loop."""

    def __init__(self, writer: Writer, place: Place, effects: EffectSink) -> None:
        self._writer = writer
        self.also_reads: Callable[[], Awaitable[None]] = _nothing_else
        self._path = place.path.with_name(place.path.name + FACTS_SUFFIX)
        self._till = place.till
        self._effects = effects
        self._loads = 0
        self._after = 0
        self._later: asyncio.Task[None] | None = None

    async def load(self, floor: tuple[int, int] | None) -> None:
        """Rebuild what ops after `floor` did; None: those that the cloud has not acknowledged."""
        if floor is not None:
            await self.load_from(schema.row_id(*floor))
            return

        def first_waiting(session: Session) -> int:
            state = next((each for each in session.epochs if each.waiting), session.epochs[-1])
            return schema.row_id(state.epoch, state.acked_seq)

        await self.load_from(await self._writer.submit(first_waiting, writes=False))

    def load_later(self, floor: tuple[int, int] | None) -> None:
        """The same beside what goes on, of a journal that took the place of another while the till sells."""
        self._later = asyncio.get_running_loop().create_task(self._load_anyway(floor))

    @property
    def is_caught_up(self) -> bool:
        """Whether all is told of the journal that there is now."""
        return self._later is None or self._later.done()

    async def caught_up(self) -> None:
        """Wait until all is told of a journal that took the place of another, be it several times meanwhile."""
        while self._later is not None and not self.is_caught_up:
            await asyncio.wait({self._later})

    def stop(self) -> None:
        """What was still to be loaded is left to the next start."""
        if self._later is not None:
            self._later.cancel()

    async def _load_anyway(self, floor: tuple[int, int] | None) -> None:
        # Not for the next start either: until it is through, facts are missing.
        self._loads += 1
        while True:
            try:
                await self.load(floor)
                await self.also_reads()
            except JournalUnavailable as exc:
                _log.error("what own operations did can't be read yet: %s", exc)
                await asyncio.sleep(LATER_PAUSE_S)
            else:
                return

    async def load_from(self, identity: int) -> None:
        """Rebuild what ops after a row did, in slices."""
        after = identity
        while True:
            rows = await self._writer.submit(_effects_reader(after), writes=False)
            self.take_effects(rows)
            if len(rows) < EFFECTS_SLICE:
                break
            after = rows[-1][0]
        after = await self._take_put_down(identity) if not self._loads else identity
        while True:
            changes = await self._writer.submit(_changes_reader(after), writes=False)
            self.take_changes(changes)
            if len(changes) < CHANGES_SLICE:
                break
            after = changes[-1][0]
        self._loads += 1
        self._after = identity

    def take_effects(self, rows: list[tuple[int, str, int]]) -> None:
        """Tell of effects."""
        for identity, subject_key, effect_points in rows:
            self._effects.add_row(identity, subject_key, effect_points)

    def take_changes(self, changes: list[ChangeRow]) -> None:
        """Tell of changed facts."""
        for identity, subject_key, packed in changes:
            self._effects.add_change(identity, subject_key, packed)

    async def put_down(self, figures: Figures) -> None:
        """For the next start, once the journal is closed; `figures` are its last. What can't be written is left out."""
        # Loaded once means that nothing was taken back meanwhile: neither ops that the cloud lost, nor a journal.
        if self._loads != 1 or not figures.last_seq:
            return
        changes = self._effects.changes()
        if len(changes) < LEAST_CHANGES:
            return
        known = PutDown(
            program=_program(),
            till=self._till,
            epoch=figures.epoch,
            seq=figures.last_seq,
            row_hash=figures.head_hash,
            after=max(self._after, self._effects.forgotten),
            changes=changes,
        )
        try:
            await asyncio.to_thread(write, self._path, known)
        except OSError as exc:
            _log.info("what the journal's ops changed could not be put down: %s", exc)

    async def _take_put_down(self, identity: int) -> int:
        """Tell of the changes that the last run put down; gives the row after which bodies are to be read."""
        known = await asyncio.to_thread(take, self._path, self._till)
        if known is None or known.after > identity:
            return identity
        if not await self._writer.submit(_fits(known, identity), writes=False):
            return identity
        last = schema.row_id(known.epoch, known.seq)
        # Of a former epoch there are no rows here after that one. That run may have known some: of a journal that was
        # put aside under it, whose ops came again in this epoch.
        first = max(identity, schema.row_id(known.epoch, 0))
        self.take_changes([each for each in known.changes if first < each[0] <= last])
        return max(identity, last)


def write(path: Path, known: PutDown) -> None:
    """Put it in the file's place, for the owner's eyes only, as the journal is. Not synced: a torn one shows by its
    digest. OSError."""
    packed = msgspec.msgpack.encode(known)
    draft = path.with_name(path.name + DRAFT_SUFFIX)
    draft.unlink(missing_ok=True)
    try:
        draft.touch(mode=0o600)
        draft.write_bytes(hashlib.sha256(packed).digest() + packed)
        draft.replace(path)
    except OSError:
        # Of a full disk, what was written takes the last room.
        draft.unlink(missing_ok=True)
        raise


def take(path: Path, till: str) -> PutDown | None:
    """What is in the file, which is removed: it is of one start. None when it is nothing that this program put down."""
    content = b""
    with contextlib.suppress(OSError):
        path.with_name(path.name + DRAFT_SUFFIX).unlink(missing_ok=True)
    try:
        if path.stat().st_size <= MOST_BYTES:
            content = path.read_bytes()
        path.unlink()
    except FileNotFoundError:
        return None
    except OSError as exc:
        _log.info("%s could not be read or removed: %s", path.name, exc)
    packed = memoryview(content)[_DIGEST_BYTES:]
    if hashlib.sha256(packed).digest() != content[:_DIGEST_BYTES]:
        return None
    try:
        known = _decoder.decode(packed)
    except (ValueError, msgspec.DecodeError):
        return None
    return known if (known.program, known.till) == (_program(), till) else None


def _program() -> str:
    return f"{version('tillside')} {FORM}"


def _fits(known: PutDown, identity: int) -> Callable[[Session], bool]:
    def run(session: Session) -> bool:
        current = session.reader.current
        # The hash of a row speaks for all rows before it in its epoch, and for those of no other.
        if known.epoch != current.epoch or not 0 < known.seq <= current.last_seq:
            return False
        if len(session.epochs) > 1 and schema.split_id(identity)[0] != current.epoch:
            return False
        try:
            return session.reader.hash_of(known.epoch, known.seq).hex() == known.row_hash
        except JournalCorrupt:
            return False

    return run


def _effects_reader(identity: int) -> Callable[[Session], list[tuple[int, str, int]]]:
    return lambda session: session.effects_after(identity, EFFECTS_SLICE)


def _changes_reader(identity: int) -> Callable[[Session], list[ChangeRow]]:
    return lambda session: session.changes_after(identity, CHANGES_SLICE)
