"""The print queue when things cross: no slip comes out twice, and printing never ends for good."""

import asyncio
import os
import sqlite3
from pathlib import Path

import pytest

from integration.drivers_printers.printers_rig import until
from integration.drivers_printers.test_printers_worker import FakeDriver, put, shop, state
from kit.loops import run
from till_drivers import spool, spool_store, spool_worker
from till_drivers.exceptions import SpoolUnavailable
from till_drivers.ports import Outcome, PrintJob
from till_drivers.spool import Spool
from till_drivers.spool_store import PrintState


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same ways in less time."""
    monkeypatch.setattr(spool_worker, "RETRY_MS", 20)


class Slow(FakeDriver):
    """Refuses the first job; the second takes until `go`."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.go = asyncio.Event()
        self.outcomes = [Outcome.REFUSED]

    async def submit(self, job: PrintJob, deadline_ms: int) -> Outcome:
        outcome = await super().submit(job, deadline_ms)
        if outcome is Outcome.PRINTED:
            await self.go.wait()
        return outcome


def test_no_printer_saves_what_became_of_anothers_slip(tmp_path: Path) -> None:
    """One that did, with a disk in trouble, said `refused` of a slip that was just being printed: it came out again."""

    async def go() -> None:
        slow, other = Slow("slow"), FakeDriver("other")
        async with shop(tmp_path, slow, other) as (queue, _):
            real, held, go_on, tried = queue.finish, asyncio.Event(), asyncio.Event(), set[str]()

            async def finish(job_id: str, outcome: PrintState, detail: str = "") -> None:
                task = asyncio.current_task()
                tried.add(job_id)
                if task is not None and task.get_name() == "print-other" and job_id == "other":
                    if "slip" not in tried:
                        raise SpoolUnavailable("disk full")
                    held.set()
                    await go_on.wait()
                elif not held.is_set():
                    raise SpoolUnavailable("disk full")
                await real(job_id, outcome, detail)

            queue.finish = finish  # type: ignore[method-assign]  # a disk that is full for both, then slow for one
            put(queue, "other", "other")
            await until(lambda: "other" in tried)
            put(queue, "slip", "slow")
            await until(lambda: slow.jobs == ["slip", "slip"])
            go_on.set()
            await until(lambda: state(queue, "other") == "printed")
            await queue.recent(1)
            assert state(queue, "slip") == "printing"
            slow.go.set()
            await until(lambda: state(queue, "slip") == "printed")
            assert slow.jobs == ["slip", "slip"]

    run(go())


def test_a_drivers_words_that_no_file_can_hold_hold_up_no_printer(tmp_path: Path) -> None:
    """A path with bytes that are no letters, say: its job's outcome was tried to be saved for ever."""

    async def go() -> None:
        queue = Spool(tmp_path / "spool.db")
        queue.start()
        put(queue, "a")
        assert await queue.begin("a")
        await queue.finish("a", PrintState.UNKNOWN, "/dev/\udcff" + "x" * 10_000)
        job = queue.get("a")
        assert job is not None
        assert (job.state, job.detail[:6], len(job.detail)) == ("unknown", "/dev/?", spool_store.DETAIL_LIMIT)
        assert queue.stop(5)

    run(go())


def test_a_file_that_breaks_while_the_till_runs_is_put_aside_then(tmp_path: Path) -> None:
    """Printing went on only after the agent's next start."""

    async def go() -> None:
        path = tmp_path / "spool.db"
        queue = Spool(path)
        queue.start()
        for number in range(100):
            put(queue, f"j{number}")
        await queue.opened()
        with sqlite3.connect(path) as other:
            other.execute("pragma wal_checkpoint(truncate)")
        other.close()
        with path.open("r+b") as file:
            file.seek(8192)
            file.write(os.urandom(path.stat().st_size - 8192))
        with pytest.raises(SpoolUnavailable):
            await queue.recent(1_000)
        put(queue, "new")
        await until(lambda: queue.moved_aside is not None)
        put(queue, "newer")
        job = await queue.next("p")
        assert job is not None
        assert job.job_id in ("new", "newer")
        assert queue.trouble == ""
        assert queue.stop(5)

    run(go())


def test_a_state_that_nobody_knows_is_in_doubt_and_ends_no_thread(tmp_path: Path) -> None:
    """A later version's, after a step back: one such row ended all printing, and whoever asked waited for ever."""

    async def go() -> None:
        path = tmp_path / "spool.db"
        queue = Spool(path)
        queue.start()
        put(queue, "a")
        await queue.opened()
        with sqlite3.connect(path) as other:
            other.execute("update jobs set state = 'held', waits = 0")
        other.close()
        assert [job.state for job in await queue.recent(5)] == [PrintState.UNKNOWN]
        assert queue.enqueue(job_id="a", printer="p", reference="a", data=b"x").state is PrintState.UNKNOWN
        assert queue.stop(5)

    run(go())


def test_a_defect_in_a_batch_is_told_to_those_who_wait_and_printing_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever it is."""

    async def go() -> None:
        queue = Spool(tmp_path / "spool.db")
        queue.start()
        await queue.opened()
        with monkeypatch.context() as broken:
            broken.setattr(spool.JobTable, "recent", lambda *_: 1 // 0)
            with pytest.raises(SpoolUnavailable, match="ZeroDivisionError"):
                await queue.recent(5)
        assert await queue.recent(5) == []
        assert queue.stop(5)

    run(go())


def test_a_copy_that_came_after_a_lost_slip_is_what_its_sale_shows(tmp_path: Path) -> None:
    """It went on saying `refused`."""

    async def go() -> None:
        now = [1_000]
        queue = Spool(tmp_path / "missing" / "spool.db", wall_ms=lambda: now[0])
        queue.start()
        for job_id, is_there in (("sale:1", False), ("sale:1:copy", True)):
            if is_there:
                (tmp_path / "missing").mkdir()
                await until(lambda: queue.trouble == "")
            queue.enqueue(job_id=job_id, printer="p", reference="sale:1", data=b"x")
            await until(lambda name=job_id: getattr(queue.get(name), "state", None) is not None)
            now[0] += 1
            if not is_there:
                await until(lambda: getattr(queue.newest("sale:1"), "state", None) is PrintState.REFUSED)
        await queue.opened()
        newest = queue.newest("sale:1")
        assert newest is not None
        assert (newest.job_id, newest.state) == ("sale:1:copy", PrintState.QUEUED)
        assert queue.stop(5)

    run(go())
