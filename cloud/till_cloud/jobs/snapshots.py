"""Makes a snapshot when one is due, in a process of its own, and removes old ones."""

import asyncio
import contextlib
import functools
import logging
import sqlite3
import sys

from till_cloud import snapshots
from till_cloud.centre import Centre
from till_cloud.store import snapshots as rows

log = logging.getLogger(__name__)

PERIOD_S = 60.0
FAILED_REST_S = 1_800.0
"""After a maker that failed: on a disk that is nearly full each try costs what the ledger needs."""

LONGEST_S = 3_600.0
"""A maker that takes longer is ended: ten million members take some ten minutes."""


class SnapshotService:
    """`start` once, then `stop`. Packing a million members takes half a minute of Python, which would hold up pushes
    in the cloud's own process.
    """

    def __init__(self, centre: Centre, *, period_s: float = PERIOD_S) -> None:
        self._centre = centre
        self._period_s = period_s
        self._folder = snapshots.folder_of(centre.path)
        self._stop = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._rest_until_s = 0.0

    @staticmethod
    def now() -> float:
        """Seconds of the loop's clock."""
        return asyncio.get_running_loop().time()

    def start(self) -> None:
        self._task = asyncio.create_task(self._loop(), name="cloud-snapshots")

    async def stop(self) -> None:
        """End, and the maker too, if one is at work: what it leaves is removed later."""
        self._stop.set()
        if self._task is not None:
            await self._task
            self._task = None

    async def _loop(self) -> None:
        while not self._stop.is_set():
            try:
                await self._once()
            except Exception:  # whatever failed is tried again; tills take pages meanwhile
                log.exception("No snapshot was made; the next try is in %.0f s", self._period_s)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), self._period_s)

    async def _once(self) -> None:
        centre, now_ms = self._centre, self._centre.wall_ms()
        due = await asyncio.to_thread(centre.read, lambda c: snapshots.due(c, self._folder, now_ms))
        for scope in due:
            if self.now() < self._rest_until_s or self._stop.is_set():
                break
            self._rest_until_s = self.now() + FAILED_REST_S
            if await self._make(scope):
                self._rest_until_s = 0.0
        removed = await asyncio.to_thread(remove_old, centre, now_ms)
        if removed:
            log.info("Removed %d old snapshots", removed)

    async def _make(self, scope: str) -> bool:
        """Whether one was made."""
        words = [sys.executable, "-m", "till_config", "cloud", "snapshot", "make", "--low-priority"]
        words += ["--db", str(self._centre.path), *(("--store", scope) if scope else ())]
        child = await asyncio.create_subprocess_exec(
            *words,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        made = asyncio.create_task(child.communicate())
        stopping = asyncio.create_task(self._stop.wait())
        done, _ = await asyncio.wait({made, stopping}, timeout=LONGEST_S, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if made not in done:
            with contextlib.suppress(ProcessLookupError):
                child.kill()
        said = (await made)[0].decode(errors="replace").strip()
        if child.returncode == 0:
            log.info("Snapshot: %s", said)
        elif not self._stop.is_set():
            log.error("No snapshot could be made: %s", said[-500:])
        return child.returncode == 0


def remove_old(centre: Centre, now_ms: int) -> int:
    """Forget snapshots that were followed by another and are fetched no more; remove their files."""
    folder = snapshots.folder_of(centre.path)
    gone = centre.read(lambda connection: snapshots.old(connection, folder, now_ms))
    for row in gone:
        centre.write(functools.partial(_forget, row.snapshot)).result()
        with contextlib.suppress(OSError):
            (folder / row.snapshot).unlink(missing_ok=True)
    kept = centre.read(rows.newest_first)
    return len(gone) + snapshots.remove_files(folder, kept, now_ms)


def _forget(snapshot: str, connection: sqlite3.Connection) -> None:
    rows.remove(connection, snapshot)
