"""What the tests of the stores share: a settable clock, drafts, places, a small model of a cloud."""

import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from till_agent.balances import OwnEffects
from till_agent.cache import CacheStore, open_cache
from till_agent.journal import DiskJournal, EntryReader, EpochKeeper, Place, open_journal
from till_agent.ports import Draft, Entry
from till_sync.ops import Subject
from till_sync.wire import ChangesAnswer

TILL = "t-7"


class StepClock:
    """A clock that tests set; it stands still until they do."""

    def __init__(self) -> None:
        self.wall = 1_700_000_000_000
        self.mono = 1_000
        self.boot = "boot-1"

    def wall_ms(self) -> int:
        return self.wall

    def mono_ms(self) -> int:
        return self.mono

    async def sleep(self, seconds: float) -> None:
        self.mono += int(seconds * 1000)


class Identity:
    """Stands for the identity file: what was saved last, and every save."""

    def __init__(self, last_epoch: int = 0) -> None:
        self.last_epoch = last_epoch
        self.saves: list[int] = []

    def save(self, epoch: int) -> None:
        self.last_epoch = epoch
        self.saves.append(epoch)


def place(folder: Path, identity: Identity | None = None, *, clock: StepClock | None = None, till: str = TILL) -> Place:
    """A journal in `folder`, of a till whose identity says what it says now."""
    identity = identity or Identity()
    return Place(
        path=folder / "journal.db",
        till=till,
        keeper=EpochKeeper(identity.last_epoch, identity.save),
        clock=clock or StepClock(),
    )


def draft(uid: str, *, kind: str = "sale", member: str = "m-1", points: int = 0, **other: Any) -> Draft:
    """A draft whose body and answer are made of its uid."""
    fields: dict[str, Any] = {
        "kind": kind,
        "uid": uid,
        "about_uid": "",
        "request_digest": b"digest of " + uid.encode(),
        "body": b'{"kind":"sale","uid":"%s"}' % uid.encode(),
        "answer": b'{"answer":"%s"}' % uid.encode(),
        "subject": Subject(member_id=member) if member.startswith("m-") else Subject(tag=member),
        "effect_points": points,
        "at_wall_ms": 1_700_000_000_000,
    }
    return Draft(**(fields | other))


def once(wanted: Draft) -> Callable[[EntryReader], Draft | Entry]:
    """What the sale desk does: the row that is there, else the draft."""
    return lambda reader: reader.find(wanted.kind, wanted.uid) or wanted


@contextlib.asynccontextmanager
async def journal_in(
    folder: Path, identity: Identity | None = None, *, effects: OwnEffects | None = None, **other: Any
) -> AsyncIterator[DiskJournal]:
    """A journal that is stopped at the end."""
    floor = other.pop("floor", None)
    verdicts = other.pop("verdicts", None)
    journal = await open_journal(
        place(folder, identity, **other), effects if effects is not None else OwnEffects(), verdicts, floor=floor
    )
    try:
        yield journal
    finally:
        assert await journal.stop()


@contextlib.asynccontextmanager
async def cache_in(folder: Path, **other: Any) -> AsyncIterator[CacheStore]:
    """A cache that is stopped at the end."""
    cache = await open_cache(folder / "cache.db", other.pop("till", TILL), **other)
    try:
        yield cache
    finally:
        assert await cache.stop()


def page(*rows: Any, acked: int = 0, **other: Any) -> ChangesAnswer:
    """A last page, as of own op `acked`."""
    fields: dict[str, Any] = {
        "incarnation": "i-1",
        "rows": rows,
        "next": f"after {acked}",
        "more": False,
        "epoch": 1,
        "acked_seq": acked,
        "server_time_ms": 1_000 + acked,
    }
    return ChangesAnswer(**(fields | other))
