"""Starts the new version and watches it until it is proven or given up."""

import contextlib
import threading
import time
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from till_agent.core import JOURNAL_FILE
from till_installer.exceptions import ServiceError
from till_installer.layout import Layout
from till_installer.services.ports import ServiceManager
from till_installer.upgrade import probe
from till_installer.upgrade.exceptions import RefusedError
from till_installer.upgrade.files import beside, copy_live
from till_installer.upgrade.health import Judge, Pace
from till_installer.upgrade.pausing import pause
from till_installer.upgrade.queue import QueueProof, count_again

FIRST_LOOK_S = 0.02
"""Between two looks until the first good one: it ends the time without a till."""
START_PATIENCE_S = 1.0


class Watched(Struct, frozen=True, kw_only=True):
    """`code`: why it is to be taken back, "" when it is proven."""

    code: str = ""
    detail: str = ""
    downtime_ms: int = 0
    queued_after: int = 0


class Watching:
    """Looks at one installation's agent."""

    def __init__(self, layout: Layout, manager: ServiceManager, pace: Pace) -> None:
        self._layout = layout
        self._manager = manager
        self._pace = pace

    def last_good(self) -> float | None:
        """When the old version last answered: now, or None when it does not."""
        return time.monotonic() if probe.is_answering(self._layout.state_dir) else None

    def watch(
        self,
        version: str,
        *,
        sells: bool,
        proof: QueueProof | None,
        last_good_s: float | None,
        copy: Path,
        at: Callable[[str], None],
    ) -> Watched:
        """Start the service, then look at it; the queue is counted once it serves, and again at the end."""
        starting = _Starting(self._manager)
        begun = time.monotonic()
        judge = Judge(self._pace)
        downtime_ms = queued_after = 0
        seen = probe.Seen()
        was_good = False
        while True:
            seen = probe.look(self._layout.state_dir, version, sells=sells)
            good = not seen.trouble
            if good and not was_good:
                was_good = True
                if last_good_s is not None:
                    downtime_ms = round((time.monotonic() - last_good_s) * 1000)
                at("serving")
                queued_after, equal = self._count(proof, copy)
                if not equal:
                    return self._unequal(proof, queued_after)
            restarts = 0
            with contextlib.suppress(ServiceError):
                restarts = self._manager.status().restarts
            verdict = judge.seen(time.monotonic() - begun, good=good, restarts=restarts)
            if verdict == "proven":
                queued_after, equal = self._count(proof, copy)
                if not equal:
                    return self._unequal(proof, queued_after)
                return Watched(downtime_ms=downtime_ms, queued_after=queued_after)
            if verdict or starting.failed:
                starting.wait(START_PATIENCE_S)
                detail = starting.failed or f"{seen.trouble} {seen.detail}".strip()
                said = (
                    f"{judge.missed} looks missed, {judge.restarts} restarts, {judge.flips} times bad again; {detail}"
                )
                return Watched(code=verdict or "start_failed", detail=said)
            pause(self._pace.look_s if was_good else FIRST_LOOK_S)

    def _count(self, proof: QueueProof | None, copy: Path) -> tuple[int, bool]:
        """The queue of the agent that runs, in a copy of its journal."""
        if proof is None or not proof.tip[0]:
            return 0, True
        try:
            copy.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not copy_live(self._layout.state_dir / JOURNAL_FILE, copy):
                return 0, False
            return count_again(copy, proof)
        except (OSError, RefusedError):
            # A disk that was just filled, or a journal that never holds still: neither is a version to stay with.
            return 0, False
        finally:
            for suffix in ("", "-wal", "-shm"):
                with contextlib.suppress(OSError):
                    beside(copy, suffix).unlink(missing_ok=True)

    @staticmethod
    def _unequal(proof: QueueProof | None, after: int) -> Watched:
        before = proof.count if proof is not None else 0
        return Watched(code="queue_changed", detail=f"{before} queued before, {after} of them as they were after")


class _Starting:
    """`start` in a thread of its own: some service managers wait in it until the service is up, or for ever."""

    def __init__(self, manager: ServiceManager) -> None:
        self.failed = ""
        self._manager = manager
        self._thread = threading.Thread(target=self._start, name="start", daemon=True)
        self._thread.start()

    def wait(self, timeout_s: float) -> None:
        """Until it has returned, not longer than that."""
        self._thread.join(timeout_s)

    def _start(self) -> None:
        try:
            self._manager.start()
        except ServiceError as exc:
            self.failed = str(exc)
