"""A change of version, step by step: each step is on the disk before it is taken, so that a power cut at any moment is
finished or undone by `Upgrader.finish`.
"""

import contextlib
from collections.abc import Callable
from pathlib import Path

from msgspec.structs import replace

from till_agent.core import CACHE_FILE, JOURNAL_FILE
from till_installer.bundle.manifest import Manifest
from till_installer.exceptions import InstallerError, ServiceError
from till_installer.layout import Layout
from till_installer.services.ports import ServiceManager
from till_installer.upgrade import checks, probe, rehearsal, staging
from till_installer.upgrade.exceptions import RefusedError, UpgradeError
from till_installer.upgrade.files import beside, copy_live, mirror_at_rest, remove_tree, size_of
from till_installer.upgrade.means import Means
from till_installer.upgrade.pointers import named, point, upgrader
from till_installer.upgrade.queue import KnownRows, QueueProof, UnreadableError, count_queue
from till_installer.upgrade.receipts import wait_for_quiet
from till_installer.upgrade.record import Marker, Records
from till_installer.upgrade.system_files import SystemFiles
from till_installer.upgrade.undoing import Undoing
from till_installer.upgrade.watching import Watching
from till_sync.heartbeat import UpdateStage, UpdateState

SNAPSHOT = "snapshot"
"""In `updates_dir`: the journal from before the switch, until the new version is proven."""
BALLAST = "ballast"
TRIES_LIMIT = 3
"""Times that proving may be cut off and begun again: a version that takes the machine down is not tried for ever."""
BEGUN = ("staging", "rehearsing", "waiting")


class Upgrader:
    """Changes the version of one installation. One process at a time: BusyError."""

    def __init__(self, layout: Layout, manager: ServiceManager, means: Means | None = None) -> None:
        self.layout = layout
        self.manager = manager
        self.means = means or Means()
        self.records = Records(layout)
        self._watching = Watching(layout, manager, self.means.pace)
        self._system = SystemFiles(layout, manager)
        self._undoing = Undoing(layout, manager, self.records, self.means, self.snapshot, self._system)

    @property
    def snapshot(self) -> Path:
        """The journal as it was before the switch."""
        return self.layout.updates_dir / SNAPSHOT / JOURNAL_FILE

    @property
    def ballast(self) -> Path:
        """Room that a way back can have."""
        return self.layout.updates_dir / BALLAST

    def apply(self, bundle: Path, manifest: Manifest, *, again: bool = False, one_way: bool = False) -> UpdateState:
        """Put the version of a verified bundle's folder in place. `done` or `rolled_back`; RefusedError, BusyError."""
        with self.records.alone():
            self._finish()
            try:
                return self._apply(bundle, manifest, again=again, one_way=one_way)
            except RefusedError as exc:
                self._refused(manifest.version, exc)
                raise

    def roll_back(self) -> UpdateState:
        """Go back to the version before; `rolled_back`. RefusedError; a way back that fails leads back again."""
        with self.records.alone():
            self._finish()
            from_version, to_version = named(self.layout.current), named(self.layout.previous)
            checks.must_start(self.manager)
            checks.must_go_back(self.layout, self.records, to_version)
            marker = Marker(
                step="waiting",
                from_version=from_version,
                to_version=to_version,
                previous_before=to_version,
                by_hand=True,
                rested_in=self.records.resting(self.manager.status().state),
            )
            try:
                self._room_for_way_back()
                point(upgrader(self.layout), from_version)
                return self._wait_and_switch(self.records.mark(marker))
            except RefusedError:
                self._clear_up()
                raise

    def finish(self) -> UpdateState | None:
        """Finish or undo a change that was cut off; None when there was none. BusyError."""
        with self.records.alone():
            return self._finish()

    def _apply(self, bundle: Path, manifest: Manifest, *, again: bool, one_way: bool) -> UpdateState:
        layout, say = self.layout, self.means.say
        from_version, to_version = named(layout.current), manifest.version
        checks.must_start(self.manager)
        checks.must_fit(layout, self.records, manifest, again=again, one_way=one_way)
        self._room_for(bundle, manifest)
        marker = self.records.mark(
            Marker(
                step="staging",
                from_version=from_version,
                to_version=to_version,
                previous_before=named(layout.previous),
                one_way=one_way,
                rested_in=self.records.resting(self.manager.status().state),
            )
        )
        point(upgrader(layout), from_version)
        self.means.at("staging")
        self._make_ballast()
        say(f"staging {to_version} beside {from_version}")
        staging.stage(layout, bundle, manifest, self.means.install)
        self.means.at("staged")
        self._tell(marker, "staged")
        marker = self.records.mark(replace(marker, step="rehearsing"))
        self.means.at("rehearsing")
        say(f"rehearsing a sale with {to_version} on a copy of this till")
        rehearsal.rehearse(layout, to_version)
        self.means.at("rehearsed")
        return self._wait_and_switch(self.records.mark(replace(marker, step="waiting")))

    def _wait_and_switch(self, marker: Marker) -> UpdateState:
        self._tell(marker, "waiting")
        self.means.at("waiting")
        wait_for_quiet(self.layout.state_dir, self.means.waiting, self.means.say)
        return self._switch(marker)

    def _switch(self, marker: Marker) -> UpdateState:
        """Stop the one, start the other, and stay or go back."""
        layout, at = self.layout, self.means.at
        known = KnownRows()
        self._copy_journal(known)
        marker = self._prepare_system(marker)
        # That takes seconds with a long queue: somebody may have begun a receipt, or the wave been halted.
        wait_for_quiet(layout.state_dir, self.means.waiting, self.means.say)
        self._tell(marker, "switching")
        marker = self.records.mark(replace(marker, step="stopping", sold=probe.readiness(layout.state_dir) == ""))
        at("stopping")
        self.means.say(f"switching from {marker.from_version} to {marker.to_version}")
        last_good_s = self._watching.last_good()
        try:
            self.manager.stop()
            at("stopped")
            proof = self._count_at_rest(known)
            marker = self.records.mark(replace(marker, step="switching", proof=proof))
        except (ServiceError, OSError, UnreadableError) as exc:
            return self._stay(marker, exc)
        at("switching")
        return self._point_and_prove(marker, last_good_s)

    def _point_and_prove(self, marker: Marker, last_good_s: float | None = None) -> UpdateState:
        at = self.means.at
        try:
            point(self.layout.previous, marker.from_version)
            at("previous")
            point(self.layout.current, marker.to_version)
            at("current")
            self._system.put_new()
            at("system")
            marker = self.records.mark(replace(marker, step="proving", tries=marker.tries + 1))
        except (InstallerError, OSError) as exc:
            return self._undo(marker, "switch_failed", str(exc))
        at("proving")
        return self._prove(marker, last_good_s)

    def _prove(self, marker: Marker, last_good_s: float | None = None) -> UpdateState:
        with contextlib.suppress(OSError):
            self._tell(marker, "proving")
        self.means.say(f"watching {marker.to_version}")
        found = self._watching.watch(
            marker.to_version,
            sells=marker.sold,
            proof=marker.proof,
            last_good_s=last_good_s,
            copy=self.layout.updates_dir / SNAPSHOT / "after.db",
            at=self.means.at,
        )
        if found.code:
            return self._undo(marker, found.code, found.detail)
        return self._done(replace(marker, downtime_ms=found.downtime_ms), found.queued_after)

    def _done(self, marker: Marker, queued_after: int) -> UpdateState:
        self.means.at("proven")
        proof = marker.proof or QueueProof()
        # By hand, the version that was left is the one that was tried, as the cloud counts it.
        from_version, to_version = marker.from_version, marker.to_version
        if marker.by_hand:
            self.records.refuse(from_version, "by_hand")
            from_version, to_version = to_version, from_version
        else:
            self.records.allow(to_version)
        state = self.records.tell(
            UpdateState(
                stage="rolled_back" if marker.by_hand else "done",
                code="by_hand" if marker.by_hand else "",
                from_version=from_version,
                to_version=to_version,
                queued_before=proof.count,
                queued_after=queued_after,
                queue_hash_equal=True,
                downtime_ms=marker.downtime_ms,
                detail=marker.detail,
            )
        )
        self.means.at("told")
        self.records.clear()
        self.means.at("cleared")
        self._clear_up()
        return state

    def _undo(self, marker: Marker, code: str, detail: str) -> UpdateState:
        self.ballast.unlink(missing_ok=True)
        state = self._undoing.undo(replace(marker, code=code, detail=detail))
        self._clear_up()
        return state

    def _stay(self, marker: Marker, exc: Exception) -> UpdateState:
        """Between stop and switch something went wrong: the old version goes on."""
        self.ballast.unlink(missing_ok=True)
        self._undoing.start_old(marker)
        code = "stop_failed" if isinstance(exc, ServiceError) else "disk_full"
        if isinstance(exc, UnreadableError):
            code = "journal_unreadable"
        raise RefusedError(f"{marker.from_version} goes on: {exc}", code=code) from exc

    def _finish(self) -> UpdateState | None:
        marker = self.records.marker()
        if marker is None:
            self._clear_rests()
            return None
        self.means.say(f"finishing what was cut off: {marker.from_version} to {marker.to_version}, {marker.step}")
        if marker.step in BEGUN or marker.step == "stopping":
            if marker.step == "stopping":
                self._undoing.start_old(marker)
            state = self._tell(marker, "refused", code="interrupted")
            staging.drop_incomplete(self.layout, marker.to_version)
            self._clear_up()
            return state
        if marker.step == "switching":
            return self._again(marker)
        if marker.step == "proving":
            if marker.tries >= TRIES_LIMIT:
                return self._undo(marker, "interrupted", f"cut off {marker.tries} times while it was watched")
            try:
                marker = self.records.mark(replace(marker, tries=marker.tries + 1))
            except OSError as exc:
                # Where tries can't be counted it would be tried for ever: and who filled the disk?
                return self._undo(marker, "disk_full", str(exc))
            return self._prove(marker)
        if marker.step == "undoing":
            return self._undo(marker, marker.code, marker.detail)
        state = self._undoing.restart(marker)
        self._clear_up()
        return state

    def _again(self, marker: Marker) -> UpdateState:
        """Cut off among the pointers: whichever runs is stopped, and the queue is counted anew."""
        try:
            self.manager.stop()
            proof = self._count_at_rest(KnownRows())
            marker = self.records.mark(replace(marker, proof=proof))
        except (ServiceError, OSError, UnreadableError) as exc:
            return self._undo(marker, "interrupted", str(exc))
        return self._point_and_prove(marker)

    def _copy_journal(self, known: KnownRows) -> None:
        """While the old version serves: what is read and written now need not be while nobody does."""
        remove_tree(self.snapshot.parent)
        self.snapshot.parent.mkdir(mode=0o700, parents=True)
        try:
            if copy_live(self.layout.state_dir / JOURNAL_FILE, self.snapshot):
                count_queue(self.snapshot, known)
        except UnreadableError as exc:
            raise RefusedError(f"{exc}; see `tillside doctor`", code="journal_unreadable") from exc
        except OSError as exc:
            raise RefusedError(f"the journal can't be copied: {exc}; make room", code="disk_full") from exc

    def _prepare_system(self, marker: Marker) -> Marker:
        """What the other version brings beside its folder; a way back is not kept up by what can't be brought."""
        try:
            remark = self._system.prepare(marker.from_version, marker.to_version)
        except UpgradeError as exc:
            if not marker.by_hand:
                raise RefusedError(str(exc), code="staging_failed") from exc
            remark = str(exc)
        except OSError as exc:
            raise RefusedError(f"the disk takes nothing: {exc}; make room", code="disk_full") from exc
        if remark:
            self.means.say(remark)
        return replace(marker, detail=remark)

    def _count_at_rest(self, known: KnownRows) -> QueueProof:
        journal = self.layout.state_dir / JOURNAL_FILE
        if not journal.exists():
            return QueueProof()
        self.snapshot.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        mirror_at_rest(journal, self.snapshot)
        return count_queue(self.snapshot, known)

    def _room_for(self, bundle: Path, manifest: Manifest) -> None:
        grown = 0
        if not staging.is_whole(self.layout.version_dir(manifest.version)):
            grown = max(manifest.total_bytes, size_of(bundle)) * staging.GROWTH
        self._room_for_way_back(grown)

    def _room_for_way_back(self, grown: int = 0) -> None:
        """For the version, for copies of the journal (rehearsal, way back, count after) and the cache, and to spare."""
        state = self.layout.state_dir
        journal = size_of(state / JOURNAL_FILE) + size_of(beside(state / JOURNAL_FILE, "-wal"))
        copies = 3 * journal + size_of(state / CACHE_FILE) + 2 * self.means.ballast_bytes
        checks.must_have_room(self.layout, grown, copies, self.means.free)

    def _make_ballast(self) -> None:
        try:
            staging.make_ballast(self.ballast, self.means.ballast_bytes)
        except OSError as exc:
            raise RefusedError(f"the disk takes nothing: {exc}; make room", code="disk_full") from exc

    def _tell(self, marker: Marker, stage: UpdateStage, code: str = "") -> UpdateState:
        return self.records.tell(_state_of(marker, stage, code))

    def _refused(self, version: str, exc: RefusedError) -> None:
        """Told to the cloud, and everything as it was; that a version is there already is no news."""
        self._clear_up()
        if exc.code in checks.NO_NEWS:
            return
        marker = Marker(step="staging", from_version=named(self.layout.current), to_version=version)
        with contextlib.suppress(OSError):
            self.records.tell(replace(_state_of(marker, "refused", exc.code), detail=str(exc)[:500]))

    def _clear_up(self) -> None:
        """Nothing is under way any more: only versions stay, and of those the newest."""
        with contextlib.suppress(OSError, UpgradeError):
            self.records.clear()
        self._clear_rests()
        with contextlib.suppress(OSError):
            staging.prune(self.layout)

    def _clear_rests(self) -> None:
        """What a change works with. A rest that can't be removed now is so by the next watch."""
        removals: tuple[Callable[[], None], ...] = (
            lambda: rehearsal.clear(self.layout),
            lambda: remove_tree(self.snapshot.parent),
            lambda: self.ballast.unlink(missing_ok=True),
            self._system.clear,
            lambda: point(upgrader(self.layout), ""),
        )
        for remove in removals:
            with contextlib.suppress(OSError):
                remove()


def _state_of(marker: Marker, stage: UpdateStage, code: str) -> UpdateState:
    proof = marker.proof or QueueProof()
    return UpdateState(
        stage=stage,
        from_version=marker.from_version,
        to_version=marker.to_version,
        code=code,
        queued_before=proof.count,
        queued_after=proof.count,
    )
