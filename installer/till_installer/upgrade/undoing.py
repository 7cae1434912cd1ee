"""The way back: the old version serves again, with a journal that it can read and every operation in it."""

import contextlib
import time
from pathlib import Path

from msgspec.structs import replace

from till_agent.core import JOURNAL_FILE
from till_installer.exceptions import InstallerError, ServiceError
from till_installer.layout import Layout
from till_installer.services.ports import ServiceManager
from till_installer.upgrade import going_back, probe, staging
from till_installer.upgrade.means import Means
from till_installer.upgrade.pausing import pause
from till_installer.upgrade.pointers import point
from till_installer.upgrade.queue import QueueProof, count_again
from till_installer.upgrade.record import Marker, Records
from till_installer.upgrade.system_files import SystemFiles
from till_installer.upgrade.telling import RESTS
from till_sync.heartbeat import UpdateState

STOP_TRIES = 2
START_TRIES = 3
POLL_S = 0.05
READS_WHEN_UNKNOWN = 1
"""Schema of the journal that every release reads."""


class Undoing:
    """Takes a change back. Everything may be repeated after it was cut off."""

    def __init__(
        self,
        layout: Layout,
        manager: ServiceManager,
        records: Records,
        means: Means,
        snapshot: Path,
        system: SystemFiles,
    ) -> None:
        self._layout = layout
        self._manager = manager
        self._records = records
        self._means = means
        self._snapshot = snapshot
        self._system = system

    def undo(self, marker: Marker) -> UpdateState:
        """Stop the new version, put journal and pointers back, and start the old one, unless it rested before the
        change; `marker.code` says why.

        Nothing that fails on the way keeps the old version from being started.
        """
        at = self._means.at
        self._means.say(f"going back to {marker.from_version}: {marker.code}")
        marker = self._mark(replace(marker, step="undoing"))
        at("undoing")
        for _ in range(STOP_TRIES):
            with contextlib.suppress(ServiceError):
                self._manager.stop(self._means.pace.stop_s)
                break
        at("undo_stopped")
        outcome, failed = self._put_back(marker)
        at("put_back")
        failed += self._point_back(marker)
        at("pointed_back")
        failed += self._put_system_back()
        at("system_back")
        if outcome == "restored":
            going_back.take_in(self._layout, marker.from_version)
        after, equal = self._count(marker.proof)
        rests = RESTS if self._records.rests(marker) else ""
        journal = "" if outcome == "kept" else f"journal {outcome}"
        detail = "; ".join(filter(None, (rests, marker.detail, *failed, journal)))
        proof = marker.proof or QueueProof()
        state = UpdateState(
            stage="rolled_back",
            from_version=marker.from_version,
            to_version=marker.to_version,
            code=marker.code,
            detail=detail[:500],
            queued_before=proof.count,
            queued_after=after,
            queue_hash_equal=equal,
        )
        with contextlib.suppress(OSError):
            if not marker.by_hand:
                self._records.refuse(marker.to_version, marker.code)
            state = self._records.tell(state)
        # From here on nothing is decided any more: were the power to fail, only the start is left to be done.
        marker = self._mark(replace(marker, step="restarting"))
        at("restarting")
        return self._start_and_clear(marker, state)

    def restart(self, marker: Marker) -> UpdateState:
        """The last step of `undo`, after it was cut off."""
        return self._start_and_clear(marker, self._records.state())

    def start_old(self, marker: Marker) -> bool:
        """Start the version that `current` names, and wait until it answers; whether it did in time. An agent that
        rested before the change rests again, which is as well."""
        if self._records.rests(marker):
            return True
        for _ in range(START_TRIES):
            with contextlib.suppress(ServiceError):
                self._manager.start()
                break
            pause(POLL_S)
        until = time.monotonic() + self._means.pace.back_s
        while time.monotonic() < until:
            seen = probe.look(self._layout.state_dir, marker.from_version, sells=marker.sold)
            if not seen.trouble:
                return True
            pause(POLL_S)
        return False

    def _start_and_clear(self, marker: Marker, state: UpdateState) -> UpdateState:
        serves = self.start_old(marker)
        self._means.at("restarted")
        if not serves:
            state = replace(state, detail=f"{marker.from_version} was started and does not serve; {state.detail}"[:500])
            with contextlib.suppress(OSError):
                state = self._records.tell(state)
        with contextlib.suppress(OSError):
            self._records.clear()
        self._means.at("cleared")
        return state

    def _put_back(self, marker: Marker) -> tuple[going_back.Outcome, list[str]]:
        try:
            reads = staging.schemas_of(self._layout, marker.from_version).journal
        except InstallerError:
            reads = READS_WHEN_UNKNOWN
        try:
            return (
                going_back.put_back(self._layout, marker.proof, self._snapshot, reads=reads, version=marker.to_version),
                [],
            )
        except OSError as exc:
            return "left", [f"the journal was not put back: {exc}"]

    def _point_back(self, marker: Marker) -> list[str]:
        failed: list[str] = []
        for pointer, version in (
            (self._layout.current, marker.from_version),
            (self._layout.previous, marker.previous_before),
        ):
            try:
                point(pointer, version)
            except OSError as exc:
                failed.append(f"{pointer.name} was not put back: {exc}")
        return failed

    def _put_system_back(self) -> list[str]:
        try:
            self._system.put_back()
        except (InstallerError, OSError) as exc:
            return [f"units and rules were not put back: {exc}; `tillside setup repair` does it"]
        return []

    def _count(self, proof: QueueProof | None) -> tuple[int, bool]:
        if proof is None or not proof.tip[0]:
            return 0, True
        return count_again(self._layout.state_dir / JOURNAL_FILE, proof)

    def _mark(self, marker: Marker) -> Marker:
        # A disk that takes not even this must not keep the old version from serving.
        with contextlib.suppress(OSError):
            self._records.mark(marker)
        return marker
