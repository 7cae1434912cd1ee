"""The till's heartbeat: tells the cloud how it is, hears what it is to have, and is in nobody's way.

One task, one small request every five minutes and soon after something has changed. It fails quietly: sales and the
exchange of ops know nothing of it.
"""

import asyncio
import contextlib
import logging
from pathlib import Path
from random import Random
from typing import Protocol

import msgspec
from msgspec import Struct

from till_agent.api import Status
from till_agent.journal.figures import Figures
from till_sync.defects import log_unexpected
from till_sync.exceptions import SyncError
from till_sync.files import replace_file
from till_sync.heartbeat import (
    HEARTBEAT_PAUSE_MS,
    UPDATE_STATE_FILE,
    UPDATE_WANTED_FILE,
    DeviceBeat,
    Heartbeat,
    HeartbeatAnswer,
    UpdateState,
    Wanted,
)
from till_sync.ports import Clock

log = logging.getLogger(__name__)

LOOK_MS = 5_000
"""Between two looks whether something has changed: a few attributes are compared."""
LEAST_PAUSE_MS = 10_000
"""Between two heartbeats, however much changes: a device that comes and goes must not fill the line."""
UNKNOWN_PAUSE_MS = 3_600_000
"""Until a cloud that knows no heartbeats is asked again; it may have been upgraded."""
FIRST_MS = 10_000
"""The first one comes at a random time within this after the start, so that a store's tills do not come at once."""
FIRST_LOOK_MS = 500
"""Between two looks until the first one went out: a wave waits for the word of a version that has just started."""
SETTLING_MS = 30_000
"""A line that is there for the first time within this after the start was not away: the agent had to greet first."""
SPREAD_MS = 60_000
"""A random time of so much is waited when the line comes back, for the same reason."""
JITTER = 0.1
STATE_FILE_LIMIT_BYTES = 64 * 1024
"""An `UpdateState` takes under 2 KB; a file beyond this is none."""
TOLD_HEAD_FILE = "heartbeat-head.json"
"""In the state directory: a `ToldHead`."""
TOLD_LIMIT = 64
"""Problems and devices in one heartbeat."""
CODE_LIMIT = 80


class Policies(Protocol):
    """What keeps the settings that the chain decides."""

    @property
    def version(self) -> int:
        """Of the policy in force; 0: none."""
        ...

    @property
    def refused(self) -> int:
        """The newest version that this till could not take; 0: none."""
        ...

    async def fetch(self, version: int) -> None:
        """Get the policy of that version and obey it; asked again with each heartbeat until it is so or refused."""
        ...


class ToldHead(Struct, frozen=True, kw_only=True):
    """The journal's last row as a heartbeat told it to the cloud."""

    epoch: int
    seq: int
    hash: str
    at_ms: int


class Seen(Struct, frozen=True):
    """What of a till's state is told at once when it changes."""

    ready: bool
    problems: tuple[str, ...]
    update: UpdateState
    policy: tuple[int, int]


class HeartbeatCounts(Struct, frozen=True, kw_only=True):
    """How the heartbeats went since the start. `last_ms` of the wall clock, 0: never."""

    sent: int = 0
    failed: int = 0
    last_ms: int = 0


class Line(Protocol):
    """What sends: the client of `till_sync`."""

    async def heartbeat(self, beat: Heartbeat) -> HeartbeatAnswer:
        """SyncError when it did not come back."""
        ...


class Source(Protocol):
    """What the heartbeat asks of the agent; `till_agent.facade.Agent` fits."""

    @property
    def online(self) -> bool:
        """Whether there is a cloud that answered the last exchange."""
        ...

    @property
    def line(self) -> Line | None:
        """None without a cloud or an identity."""
        ...

    @property
    def figures_of_journal(self) -> Figures | None:
        """None before the journal is open."""
        ...

    @property
    def policies(self) -> Policies | None:
        """None where nobody keeps policies."""
        ...

    def codes(self) -> tuple[bool, tuple[str, ...]]:
        """Whether sales are taken, and the codes of what somebody should mend."""
        ...

    async def status(self) -> Status:
        """All figures."""
        ...


class Beating:
    """Owns the pauses; `run` is the task. Used on the loop."""

    def __init__(self, source: Source, state_dir: Path, *, clock: Clock, random: Random | None = None) -> None:
        self._source = source
        self._state_dir = state_dir
        self._clock = clock
        self._random = random or Random()  # noqa: S311 - spreads load; guards nothing
        self._settled_mono_ms = clock.mono_ms() + SETTLING_MS
        self._next_mono_ms = clock.mono_ms() + self._random.randrange(FIRST_MS)
        self._last_mono_ms = -LEAST_PAUSE_MS
        self._told: Seen | None = None
        self._was_online: bool | None = None
        self._written: bytes | None = None
        self._kept = (0, 0)
        self.counts = HeartbeatCounts()
        self.update = UpdateState()
        """As the upgrader's file said when it was looked at last."""
        self.wanted = Wanted()

    async def run(self) -> None:
        """Until cancelled. What fails is counted and tried the next time."""
        while True:
            await self.look()
            await self._clock.sleep(self.look_pause_ms / 1000)

    @property
    def look_pause_ms(self) -> int:
        """Until the next look."""
        is_first = self._told is None and self._clock.mono_ms() < self._settled_mono_ms
        return FIRST_LOOK_MS if is_first else LOOK_MS

    async def look(self) -> None:
        """Send a heartbeat if one is due."""
        self.update = await asyncio.to_thread(read_update_state, self._state_dir)
        seen = self._seen()
        line = self._source.line
        if line is None or not self._is_due(seen):
            return
        self._last_mono_ms = self._clock.mono_ms()
        self._told = seen
        pause_ms = HEARTBEAT_PAUSE_MS
        try:
            beat = await self.compose()
            answer = await line.heartbeat(beat)
            pause_ms = answer.next_ms
            self.counts = msgspec.structs.replace(self.counts, sent=self.counts.sent + 1, last_ms=self._clock.wall_ms())
            await self._keep_head(beat)
            await self._obey(answer.wanted)
        except SyncError as error:
            self._fail()
            log.info("the cloud did not take the heartbeat: %s", error.code)
            if getattr(error, "status", 0) == 404:
                pause_ms = UNKNOWN_PAUSE_MS
                self._last_mono_ms += UNKNOWN_PAUSE_MS
        # Whatever else fails here, the till goes on selling and tells of itself the next time.
        except Exception as error:  # noqa: BLE001
            self._fail()
            log_unexpected(log, "telling how the till is", error)
        spread = int(pause_ms * JITTER)
        self._next_mono_ms = self._clock.mono_ms() + pause_ms + self._random.randint(-spread, spread)

    def _is_due(self, seen: Seen) -> bool:
        """By time, or because something has changed; not while the line is down, and spread when it comes back."""
        now_ms = self._clock.mono_ms()
        is_settling = self._was_online is None and now_ms <= self._settled_mono_ms
        if not self._source.online:
            if not is_settling:
                self._was_online = False
            return False
        if is_settling:
            self._was_online = True
        if not self._was_online:
            self._was_online = True
            self._next_mono_ms = max(self._next_mono_ms, now_ms + self._random.randrange(SPREAD_MS))
            self._told = seen
        if now_ms - self._last_mono_ms < LEAST_PAUSE_MS:
            return False
        return now_ms >= self._next_mono_ms or (self._told is not None and seen != self._told)

    def _seen(self) -> Seen:
        ready, problems = self._source.codes()
        policies = self._source.policies
        policy = (policies.version, policies.refused) if policies is not None else (0, 0)
        # The line's own state is told by the heartbeat's coming or not coming.
        return Seen(ready, tuple(sorted({code for code in problems if code != "offline"})), self.update, policy)

    def _fail(self) -> None:
        self.counts = msgspec.structs.replace(self.counts, failed=self.counts.failed + 1)

    async def compose(self) -> Heartbeat:
        """The till at this moment. Codes and counts, no words: words of drivers may hold what they have read."""
        status = await self._source.status()
        figures, policies = self._source.figures_of_journal, self._source.policies
        programme, _, version = status.programme.rpartition(" ")
        sync = status.sync
        return Heartbeat(
            version=status.version[:64],
            started_ms=max(0, status.started_ms),
            at_ms=max(0, status.now_ms),
            epoch=figures.epoch if figures else 0,
            head_seq=figures.last_seq if figures else 0,
            head_hash=figures.head_hash if figures else "",
            waiting=sync.waiting,
            oldest_waiting_ms=sync.oldest_waiting_ms,
            parked=figures.parked if figures else 0,
            rejected=sync.rejected,
            ready=status.ready,
            problems=tuple(sorted({each.code[:CODE_LIMIT] for each in status.problems}))[:TOLD_LIMIT],
            devices=tuple(
                [
                    DeviceBeat(name=each.device[:CODE_LIMIT], role=each.role, state=each.state[:CODE_LIMIT])
                    for each in status.devices[:TOLD_LIMIT]
                ]
            ),
            clock_offset_ms=status.clock_skew_ms,
            disk_free_bytes=status.disk_free_bytes,
            members_cached=status.members_cached,
            cache_as_of_ms=max(0, status.cache_as_of_ms),
            prints_waiting=status.prints_waiting,
            programme=programme[:CODE_LIMIT],
            programme_version=int(version) if version.isdigit() else 0,
            policy_version=policies.version if policies else 0,
            policy_refused=policies.refused if policies else 0,
            update=self.update,
        )

    async def _keep_head(self, beat: Heartbeat) -> None:
        """Beside the journal: what the cloud has been told of it, `tillside audit verify` holds it to."""
        if not beat.head_seq or (beat.epoch, beat.head_seq) == self._kept:
            return
        head = ToldHead(epoch=beat.epoch, seq=beat.head_seq, hash=beat.head_hash, at_ms=beat.at_ms)
        try:
            await asyncio.to_thread(replace_file, self._state_dir / TOLD_HEAD_FILE, msgspec.json.encode(head))
            self._kept = (beat.epoch, beat.head_seq)
        except OSError as error:
            log.warning("what the cloud was told could not be written down: %s", error.strerror)

    async def _obey(self, wanted: Wanted) -> None:
        """Hand on what the till is to have: the release to the updater, the policy to whoever keeps policies."""
        self.wanted = wanted
        try:
            await asyncio.to_thread(self._hand_to_updater, wanted)
        except OSError as error:
            log.warning("the wish for a release could not be written down: %s", error.strerror)
        policies = self._source.policies
        if policies is not None and wanted.policy_version not in (0, policies.version, policies.refused):
            await policies.fetch(wanted.policy_version)

    def _hand_to_updater(self, wanted: Wanted) -> None:
        """The file is there while another release is wanted, and is written only when it says something new."""
        path = self._state_dir / UPDATE_WANTED_FILE
        if self._written is None:
            self._written = _content(path)
        if wanted.release in ("", own_version()):
            if self._written:
                with contextlib.suppress(FileNotFoundError):
                    path.unlink()
                self._written = b""
            return
        body = msgspec.json.encode(wanted)
        if body != self._written:
            replace_file(path, body)
            self._written = body
            log.info("the cloud wants release %s here%s", wanted.release, ", later" if wanted.paused else "")


def read_told_head(state_dir: Path) -> ToldHead | None:
    """The journal's head as the last heartbeat told it; None before one did."""
    try:
        return msgspec.json.decode(_content(state_dir / TOLD_HEAD_FILE), type=ToldHead)
    except msgspec.DecodeError:
        return None


def own_version() -> str:
    """Of the programs that run."""
    from importlib.metadata import version

    return version("tillside")


def read_update_state(state_dir: Path) -> UpdateState:
    """What the upgrader wrote; nothing where there is no file, or none that can be read."""
    content = _content(state_dir / UPDATE_STATE_FILE)
    if not content:
        return UpdateState()
    try:
        return msgspec.json.decode(content, type=UpdateState)
    except msgspec.DecodeError:
        return UpdateState(code="state_unreadable")


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(STATE_FILE_LIMIT_BYTES)
    except OSError:
        return b""
