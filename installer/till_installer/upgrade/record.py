"""What the upgrader keeps on the disk: where it stands, which versions it took back, and what the agent is to tell."""

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from till_agent.audit_trail import note
from till_installer.layout import UPDATE_STATE_FILE, Layout
from till_installer.services.ports import ServiceState
from till_installer.upgrade.exceptions import BusyError, UpgradeError
from till_installer.upgrade.files import write_for_agent
from till_installer.upgrade.queue import QueueProof
from till_sync.clock import SystemClock
from till_sync.files import replace_file, sync_folder
from till_sync.heartbeat import UpdateState

if TYPE_CHECKING:
    from till_agent.audit_trail import What

MARKER_FILE = "upgrade.json"
"""In `updates_dir`, for as long as a change of version is under way: the unit that finishes one is started by it."""
REFUSED_FILE = "refused.json"
LOCK_FILE = "upgrade.lock"
REFUSED_LIMIT = 50
AUDITED: "dict[str, What]" = {"done": "upgraded", "rolled_back": "rolled_back", "refused": "update_refused"}
"""How a change ended, as the till's audit log has it."""

Step = Literal["staging", "rehearsing", "waiting", "stopping", "switching", "proving", "undoing", "restarting"]
"""Until `stopping` the old version runs. `switching`: the queue is counted, and what is kept for the way back is
complete. `restarting`: all is decided and in place, only the service is to be started; nothing is switched any more."""


class Marker(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The change of version that is under way."""

    step: Step
    from_version: str
    to_version: str
    previous_before: str = ""
    """What `previous` named, to be put back by a rollback."""
    by_hand: bool = False
    """A way back that somebody asked for."""
    one_way: bool = False
    sold: bool = False
    """The old version took sales: then the new one has to."""
    rested_in: str = ""
    """Since which start of the machine the agent rested when this was begun; "": it ran."""
    proof: QueueProof | None = None
    tries: int = 0
    """Times that proving was begun."""
    code: str = ""
    """Why it is undone."""
    detail: str = ""
    downtime_ms: int = 0


class Records:
    """The upgrader's own files below `updates_dir`, and the state that the agent tells. Every write is on the disk when
    it returns; OSError.
    """

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self._folder = layout.updates_dir
        self._boot = SystemClock().boot

    @property
    def marker_path(self) -> Path:
        """There while a change is under way."""
        return self._folder / MARKER_FILE

    def marker(self) -> Marker | None:
        """The change that is under way; None when there is none."""
        try:
            return msgspec.json.decode(self.marker_path.read_bytes(), type=Marker)
        except FileNotFoundError:
            return None
        except msgspec.DecodeError as exc:
            raise UpgradeError(
                f"expected what an upgrader wrote in {self.marker_path}: {exc}; remove it, and run `tillside upgrade "
                "status`", code="marker"
            ) from exc  # fmt: skip

    def mark(self, marker: Marker) -> Marker:
        """Say where it stands from now on."""
        self._write(MARKER_FILE, marker)
        return marker

    def clear(self) -> None:
        """Nothing is under way."""
        self.marker_path.unlink(missing_ok=True)
        sync_folder(self._folder)

    def resting(self, state: ServiceState) -> str:
        """A marker's `rested_in` where the service is in that state."""
        return self._boot if state == "stopped" else ""

    def rests(self, marker: Marker) -> bool:
        """Whether the agent is to rest when the change is taken back, for somebody had stopped it. Not any more where
        the machine was started since: that starts the agent too."""
        return marker.rested_in == self._boot

    def state(self) -> UpdateState:
        """What was told last."""
        with contextlib.suppress(OSError, msgspec.DecodeError):
            return msgspec.json.decode((self.layout.state_dir / UPDATE_STATE_FILE).read_bytes(), type=UpdateState)
        return UpdateState()

    def tell(self, state: UpdateState) -> UpdateState:
        """Keep it for the agent, with the time and the rollbacks so far."""
        before = self.state()
        rollbacks = before.rollbacks
        if state.stage == "rolled_back" and (before.stage, before.to_version) != ("rolled_back", state.to_version):
            rollbacks += 1
        state = replace(state, at_ms=time.time_ns() // 1_000_000, rollbacks=rollbacks, detail=state.detail[:500])
        write_for_agent(self.layout.state_dir / UPDATE_STATE_FILE, msgspec.json.encode(state))
        what = AUDITED.get(state.stage)
        if what is not None and _outcome(before) != _outcome(state):
            facts = {"to_version": state.to_version, "from_version": state.from_version, "code": state.code}
            note(self.layout.state_dir, what, **{name: value for name, value in facts.items() if value})
        return state

    def refused(self) -> dict[str, str]:
        """Versions that were taken back, with why."""
        with contextlib.suppress(OSError, msgspec.DecodeError):
            return msgspec.json.decode((self._folder / REFUSED_FILE).read_bytes(), type=dict[str, str])
        return {}

    def refuse(self, version: str, code: str) -> None:
        """Not to be put in place again until somebody says so."""
        kept = {name: why for name, why in self.refused().items() if name != version}
        newest = dict(list({**kept, version: code}.items())[-REFUSED_LIMIT:])
        self._write(REFUSED_FILE, newest)

    def allow(self, version: str) -> None:
        """It may be tried again."""
        kept = self.refused()
        if kept.pop(version, None) is not None:
            self._write(REFUSED_FILE, kept)

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """For one process at a time; the system drops the lock with the process. BusyError."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(self._folder / LOCK_FILE, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600)
        try:
            _lock(handle)
            yield
        except BlockingIOError as exc:
            raise BusyError(
                "expected no other upgrade, and one is under way; `tillside upgrade status` says which"
            ) from exc
        finally:
            os.close(handle)

    def _write(self, name: str, value: object) -> None:
        replace_file(self._folder / name, msgspec.json.encode(value))
        sync_folder(self._folder)


def _lock(handle: int) -> None:
    if sys.platform == "win32":
        import msvcrt

        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except OSError as exc:
            raise BlockingIOError(*exc.args) from exc
    else:
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _outcome(state: UpdateState) -> tuple[str, str, str, str]:
    """What makes it another end than the one told before: a run that was cut off tells the same once more."""
    return state.stage, state.from_version, state.to_version, state.code
