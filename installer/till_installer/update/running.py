"""`tillside update run`: what the wave wants on this till is fetched, checked, and handed to the upgrader.

Started by a timer and when the agent writes down another wish. Each run does what can be done now and ends; nothing of
it is in a sale's way. A till without a line keeps what it has.
"""

import contextlib
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from till_installer.layout import UPDATE_WANTED_FILE, Layout
from till_installer.update.client import UpdateClient, alone
from till_installer.update.exceptions import (
    BusyError,
    FailedBeforeError,
    OlderReleaseError,
    PausedError,
    RefusedError,
    UnreachableError,
    UpdateError,
)
from till_installer.update.fetching import Fetcher, Progress
from till_installer.upgrade.pointers import named
from till_installer.upgrade.record import Records
from till_sync.files import replace_file, sync_folder
from till_sync.heartbeat import UpdateState, Wanted

TURN_FILE = "turn.json"
"""In `updates_dir`: when this till begins with which release."""
WANTED_LIMIT_BYTES = 64 * 1024
SPREAD_LIMIT_MS = 24 * 3_600_000

NO_NEWS: tuple[type[RefusedError], ...] = (BusyError, OlderReleaseError, PausedError, FailedBeforeError)
"""What the cloud knows already, or need not know."""

Apply = Callable[[Path], UpdateState]
"""Puts a bundle in place: `till_installer.upgrade`'s work. InstallerError when it refuses."""


class Turn(Struct, frozen=True, kw_only=True):
    """When this till begins with a release, by its own clock."""

    release: str
    at_ms: int


class Ran(Struct, frozen=True, kw_only=True):
    """What a run did. `later`: this till's turn comes at `at_ms`."""

    outcome: Literal["nothing", "later", "staged", "applied"]
    release: str = ""
    at_ms: int = 0
    bundle: str = ""
    state: UpdateState | None = None


class Runner(Struct, frozen=True, kw_only=True):
    """What a run works with. `apply` None: fetch only."""

    layout: Layout
    fetcher: Callable[[], Fetcher]
    """Made when there is something to fetch. InsecureError."""
    apply: Apply | None
    progress: Progress | None = None
    wall_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000

    def run(self, *, again: bool = False, at_once: bool = False) -> Ran:
        """Do what the wish asks for. RefusedError, UpdateError, or what `apply` raises."""
        wanted = read_wanted(self.layout)
        if not wanted.release or _same(wanted.release, named(self.layout.current)):
            return Ran(outcome="nothing")
        if wanted.paused:
            raise PausedError(f"expected the wave of {wanted.release} to roll, and the chain has halted it; wait")
        turn = self._turn(wanted)
        if not at_once and self.wall_ms() < turn.at_ms:
            return Ran(outcome="later", release=wanted.release, at_ms=turn.at_ms)
        return self.take(wanted.release, again=again, still_wanted=True)

    def take(self, version: str, *, again: bool = False, still_wanted: bool = False) -> Ran:
        """Fetch a version and put it in place. `still_wanted`: only if the wave has not been halted meanwhile."""
        layout, records = self.layout, Records(self.layout)
        with alone(layout):
            try:
                archive = self._fetch(version, again=again)
                if still_wanted and not is_wanted(read_wanted(layout), version):
                    raise PausedError(f"expected the wave of {version} to roll, and the chain has halted it; wait")
            except RefusedError as exc:
                if not isinstance(exc, NO_NEWS):
                    self._tell(records, version, exc)
                raise
            if self.apply is None:
                return Ran(outcome="staged", release=version, bundle=str(archive))
            state = self.apply(archive)
        if state.stage != "rolled_back":  # else `--again` has it here, until another version is fetched
            with contextlib.suppress(OSError):
                archive.unlink()  # a copy of our own, and installed: 30 MB that a small disk can use
        return Ran(outcome="applied", release=version, state=state)

    def _fetch(self, version: str, *, again: bool) -> Path:
        layout, records = self.layout, Records(self.layout)
        fetcher = self.fetcher()
        running = named(layout.current)
        client = UpdateClient(layout, fetcher)
        release = client.choose(version, running)
        tried = records.refused().get(release.version)
        if tried is not None and not again:
            raise FailedBeforeError(
                f"expected a version that was not taken back here, and {release.version} was ({tried}); "
                "`tillside update run --again` tries it once more"
            )
        if not records.marker_path.exists():  # another version is being proven: its state is the one to tell
            with contextlib.suppress(OSError):
                records.tell(UpdateState(stage="downloading", from_version=running, to_version=release.version))
        return client.fetch(release, self.progress)

    def _tell(self, records: Records, version: str, exc: RefusedError) -> None:
        """Where it stands, for the cloud; a line that is gone mends itself, and is no refusal."""
        running = named(self.layout.current)
        stage: Literal["downloading", "refused"] = "downloading" if isinstance(exc, UnreachableError) else "refused"
        with contextlib.suppress(OSError):
            records.tell(
                UpdateState(stage=stage, from_version=running, to_version=version, code=exc.code, detail=str(exc)[:500])
            )

    def _turn(self, wanted: Wanted) -> Turn:
        """This till's moment within the wave's spread, drawn once for each release."""
        path = self.layout.updates_dir / TURN_FILE
        with contextlib.suppress(OSError, msgspec.DecodeError):
            kept = msgspec.json.decode(path.read_bytes(), type=Turn)
            # A clock that was set back must not move it to next year.
            if kept.release == wanted.release and kept.at_ms <= self.wall_ms() + SPREAD_LIMIT_MS:
                return kept
        spread_ms = min(wanted.spread_ms, SPREAD_LIMIT_MS)
        delay_ms = random.randrange(spread_ms) if spread_ms else 0  # noqa: S311 - spreads load, guards nothing
        turn = Turn(release=wanted.release, at_ms=self.wall_ms() + delay_ms)
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            replace_file(path, msgspec.json.encode(turn))
            sync_folder(path.parent)
        except OSError as exc:
            raise UpdateError(f"expected to write into {path.parent}: {exc.strerror}; run it as root") from exc
        return turn


def read_wanted(layout: Layout) -> Wanted:
    """What the agent wrote down; nothing where there is no file, or none that can be read.

    The file is the agent's, who may be anybody by now: it chooses among what the chain has signed, and no older.
    """
    try:
        with (layout.state_dir / UPDATE_WANTED_FILE).open("rb") as file:
            return msgspec.json.decode(file.read(WANTED_LIMIT_BYTES), type=Wanted)
    except (OSError, msgspec.DecodeError):
        return Wanted()


def is_wanted(wanted: Wanted, version: str) -> bool:
    """Whether the wish stands: the agent takes its file away when the wave is halted."""
    return _same(wanted.release, version) and not wanted.paused


def _same(wanted: str, running: str) -> bool:
    return wanted in (running, running.partition("+")[0])
