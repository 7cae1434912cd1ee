"""Fetches a snapshot by ranges: what came stays on disk, and a crash or a cut line costs the range under way."""

import asyncio
import contextlib
import logging
import os
from pathlib import Path

import msgspec
from msgspec import Struct

from till_sync.batch_size import BatchSize
from till_sync.client import CloudClient
from till_sync.exceptions import (
    AnswerMismatch,
    CloudBusy,
    CloudRefused,
    CloudUnreachable,
    IdentityRefused,
    IncarnationChanged,
    NotOurCloud,
    SnapshotUnusable,
    SyncError,
)
from till_sync.ports import Clock, SnapshotSink
from till_sync.snapshot_layout import FORMAT
from till_sync.wire import SnapshotAnswer

log = logging.getLogger(__name__)

SINCE = 3
"""The protocol of the first cloud that has snapshots."""

FIRST_RANGE_BYTES = 1024 * 1024
MOST_RANGE_BYTES = 16 * 1024 * 1024
LEAST_RANGE_BYTES = 64 * 1024
"""A range has to come whole within the time of an exchange: the least needs 50 kbit/s."""

FETCH_TURN_MS = 1_000
"""Then the push gets its turn: a first load must not keep sales from the cloud."""

AGAIN_MS = 3_600_000
"""A till that could not use a snapshot takes pages, and looks for a snapshot again after this time."""

FAILURES_LIMIT = 5
"""Steps in a row that may fail while the cloud answers otherwise: then something on the way has no snapshots for us."""

ROOM_FACTOR = 4
"""Disk that a snapshot wants: its packed bytes, about three times as many unpacked."""

NOTES_SUFFIX = ".json"
_notes: msgspec.json.Decoder[SnapshotAnswer] = msgspec.json.Decoder(SnapshotAnswer)


class Loading(Struct, frozen=True, kw_only=True):
    """How far a first load has come: bytes of the snapshot, members that it has. All 0: none is under way."""

    fetched_bytes: int = 0
    total_bytes: int = 0
    members: int = 0


class SnapshotLoader:
    """Brings a till without a cursor a snapshot, if the cloud has one and the disk has room. One task at a time."""

    def __init__(self, client: CloudClient, sink: SnapshotSink, *, clock: Clock) -> None:
        self._client = client
        self._sink = sink
        self._clock = clock
        self._range = BatchSize(initial=FIRST_RANGE_BYTES, ceiling=MOST_RANGE_BYTES, floor=LEAST_RANGE_BYTES)
        self._answer: SnapshotAnswer | None = None
        self._not_before_ms = 0
        self._told = 0
        self._renewed = False
        self._failures = 0
        self.loading = Loading()

    def forget(self) -> None:
        """The cloud is another: what it offered counts no more."""
        self._answer = None
        self._not_before_ms = 0
        self.loading = Loading()

    async def wanted(self) -> bool:
        """Whether `step` may help: there is no cursor, and no snapshot was given up lately."""
        if self._client.protocol < SINCE or self._clock.mono_ms() < self._not_before_ms:
            return False
        return not await self._sink.cursor()

    async def step(self, incarnation: str) -> bool:
        """Fetch some of it, or make a cache of it; True when the next step, or the pull after it, goes on.

        SyncError of the exchange: the same step comes again, a few times. What is wrong with the snapshot itself, or
        with the way of it alone, is logged, and pages are taken instead for `AGAIN_MS`.
        """
        try:
            if self._answer is None and not await self._begin(incarnation):
                return False
            return await self._go_on()
        except (CloudRefused, AnswerMismatch) as error:
            if isinstance(error, IdentityRefused):
                raise
            return self._give_up(error.code, str(error))
        except (SnapshotUnusable, OSError) as error:
            return self._give_up(getattr(error, "code", "disk"), str(error))
        except (CloudUnreachable, NotOurCloud, CloudBusy) as error:
            return self._failed(error)

    async def _begin(self, incarnation: str) -> bool:
        try:
            answer = await self._client.snapshot()
        except CloudRefused as error:
            if error.code != "snapshot_none":
                raise
            self._not_before_ms = self._clock.mono_ms() + AGAIN_MS
            return False
        if answer.incarnation != incarnation:
            raise IncarnationChanged("the snapshot comes from another incarnation of the cloud than the one greeted")
        if answer.format != FORMAT:
            raise SnapshotUnusable(f"expected a snapshot of format {FORMAT}, not {answer.format[:40]!r}")
        fetched = await asyncio.to_thread(_prepare, self._sink.snapshot_path, answer)
        self._answer = answer
        self.loading = Loading(fetched_bytes=fetched, total_bytes=answer.bytes, members=answer.members)
        log.info("Fetching a snapshot of %d members: %d of %d bytes are here", answer.members, fetched, answer.bytes)
        return True

    async def _go_on(self) -> bool:
        answer = self._answer
        if answer is None:
            return False
        until_ms = self._clock.mono_ms() + FETCH_TURN_MS
        while self.loading.fetched_bytes < answer.bytes:
            await self._fetch(answer)
            if self._clock.mono_ms() >= until_ms:
                return True
        log.info("The snapshot is here; making a cache of it")
        self._answer = None
        # One try: a till that has no cursor soon after this takes pages.
        self._not_before_ms = self._clock.mono_ms() + AGAIN_MS
        await self._sink.adopt(answer)
        self._renewed = False
        _forget(self._sink.snapshot_path)
        self.loading = Loading()
        return True

    async def _fetch(self, answer: SnapshotAnswer) -> None:
        first = self.loading.fetched_bytes
        asked = min(self._range.current, answer.bytes - first)
        started_ms = self._clock.mono_ms()
        try:
            chunk = await self._client.snapshot_bytes(answer, first, asked)
        except CloudUnreachable as error:
            if error.code == "timeout":
                self._range.too_slow(asked)
            raise
        self._failures = 0
        self._range.done(asked, self._clock.mono_ms() - started_ms)
        await asyncio.to_thread(_write, self._sink.snapshot_path, first, chunk)
        self.loading = msgspec.structs.replace(self.loading, fetched_bytes=first + asked)
        tenth = self.loading.fetched_bytes * 10 // answer.bytes
        if tenth != self._told:
            self._told = tenth
            log.info("Snapshot: %d of %d bytes", self.loading.fetched_bytes, answer.bytes)

    def _failed(self, error: SyncError) -> bool:
        """Raise it until it has failed too often; then what came stays for the next time."""
        if error.code == "answer_too_large":
            return self._give_up(error.code, str(error))  # a proxy that knows no ranges sends the whole each time
        self._failures += 1
        if self._failures < FAILURES_LIMIT:
            raise error
        log.error("No snapshot gets through to here (%s: %s); members come by pages", error.code, error)
        self._answer, self._failures = None, 0
        self.loading = Loading()
        self._not_before_ms = self._clock.mono_ms() + AGAIN_MS
        return False

    def _give_up(self, code: str, why: str) -> bool:
        """Whether there is another to be asked for: one that is gone was followed by a newer."""
        self._answer = None
        self.loading = Loading()
        _forget(self._sink.snapshot_path)
        if code == "snapshot_gone" and not self._renewed:
            self._renewed = True
            log.warning("The snapshot under way is kept no more; beginning with the newest")
            return True
        log.error("The snapshot can't be used (%s: %s); members come by pages", code, why)
        self._not_before_ms = self._clock.mono_ms() + AGAIN_MS
        return False


def _prepare(path: Path, answer: SnapshotAnswer) -> int:
    """How many bytes of this very snapshot are here already; SnapshotUnusable `disk_full`, OSError."""
    import shutil

    from till_sync.snapshot_file import SPARE_BYTES

    notes = path.with_name(path.name + NOTES_SUFFIX)
    have = 0
    with contextlib.suppress(OSError, msgspec.DecodeError):
        before = _notes.decode(notes.read_bytes())
        if (before.snapshot, before.sha256, before.bytes) == (answer.snapshot, answer.sha256, answer.bytes):
            have = min(path.stat().st_size, answer.bytes)
    free = shutil.disk_usage(path.parent).free
    wanted = ROOM_FACTOR * answer.bytes - have + SPARE_BYTES
    if free < wanted:
        raise SnapshotUnusable(f"expected {wanted} bytes free for a snapshot, not {free}", code="disk_full")
    if not have:
        _forget(path)
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        notes.write_bytes(msgspec.json.encode(answer))
    return have


def _write(path: Path, first: int, chunk: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(first)
        file.write(chunk)


def _forget(path: Path) -> None:
    for each in (path, path.with_name(path.name + NOTES_SUFFIX)):
        with contextlib.suppress(OSError):
            each.unlink(missing_ok=True)
