"""The print queue on a real disk: what is kept, what goes on after a restart, what the caller never waits for."""

import asyncio
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from kit.loops import run
from till_drivers import spool as spool_module
from till_drivers import spool_store
from till_drivers.exceptions import RenderError, SpoolClosed
from till_drivers.spool import JOB_BYTES_LIMIT, Enqueued, Spool
from till_drivers.spool_store import CUT_SHORT, RETAINED_AGE_MS, TOO_OLD, WAITING_AGE_MS, PrintState, SpoolJob


class Wall:
    """A wall clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1_700_000_000_000

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def wall() -> Wall:
    return Wall()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "spool.db"


@pytest.fixture
def spool(path: Path, wall: Wall) -> Iterator[Spool]:
    queue = Spool(path, wall_ms=wall)
    queue.start()
    yield queue
    assert queue.stop(5)


def put(queue: Spool, job_id: str, *, reference: str = "sale:1", data: bytes = b"slip", copy: bool = False) -> Enqueued:
    return queue.enqueue(job_id=job_id, printer="p", reference=reference, data=data, copy=copy)


def again(path: Path, wall: Wall) -> Spool:
    """The queue as the next start of the till finds it."""
    queue = Spool(path, wall_ms=wall)
    queue.start()
    run(queue.opened())
    return queue


def rows(path: Path) -> dict[str, str]:
    """States on disk, read past the spool."""
    connection = sqlite3.connect(path)
    try:
        return dict(connection.execute("select job_id, state from jobs order by seq").fetchall())
    finally:
        connection.close()


def test_a_job_goes_from_queued_by_printing_to_printed_on_disk(spool: Spool, path: Path) -> None:
    """Each step is committed when it returns."""

    async def go() -> None:
        assert put(spool, "j1") == Enqueued(accepted=True, state=PrintState.QUEUED)
        job = await spool.next("p")
        assert job is not None
        assert (job.job_id, job.data, job.state, job.attempts) == ("j1", b"slip", PrintState.QUEUED, 0)
        assert rows(path) == {"j1": "queued"}
        assert await spool.begin("j1")
        assert rows(path) == {"j1": "printing"}
        assert spool.waiting_count == 1
        await spool.finish("j1", PrintState.PRINTED)
        assert rows(path) == {"j1": "printed"}
        assert spool.waiting_count == 0
        assert await spool.next("p") is None

    run(go())


def test_jobs_come_out_in_order_and_only_for_their_printer(spool: Spool) -> None:
    """First in, first out."""

    async def go() -> list[str]:
        for number in range(3):
            put(spool, f"a{number}")
        spool.enqueue(job_id="b", printer="other", reference="r", data=b"x")
        taken = []
        while (job := await spool.next("p")) is not None:
            await spool.begin(job.job_id)
            await spool.finish(job.job_id, PrintState.PRINTED)
            taken.append(job.job_id)
        return taken

    assert run(go()) == ["a0", "a1", "a2"]


def test_the_same_job_again_is_the_same_job(spool: Spool, path: Path) -> None:
    """Before it is on disk and after; a finished one is not printed again."""

    async def go() -> None:
        put(spool, "j1", data=b"first")
        put(spool, "j1", data=b"second")
        await spool.opened()
        put(spool, "j1", data=b"third")
        job = await spool.next("p")
        assert job is not None
        assert job.data == b"first"
        await spool.begin("j1")
        await spool.finish("j1", PrintState.UNKNOWN, "in doubt")
        assert put(spool, "j1") == Enqueued(accepted=True, state=PrintState.UNKNOWN)
        assert await spool.next("p") is None

    run(go())
    assert rows(path) == {"j1": "unknown"}


def test_only_one_may_begin_a_job(spool: Spool) -> None:
    """The second is told that it is no longer to be printed."""

    async def go() -> tuple[bool, bool]:
        put(spool, "j1")
        return await spool.begin("j1"), await spool.begin("j1")

    assert run(go()) == (True, False)


def test_the_newest_job_of_a_sale_is_what_its_look_up_shows(spool: Spool) -> None:
    """A copy asked for later stands for the sale; another sale's job does not."""

    async def go() -> None:
        assert spool.newest("sale:1") is None
        put(spool, "j1")
        assert _state(spool.newest("sale:1")) == ("j1", "queued", False)
        await spool.begin("j1")
        await spool.finish("j1", PrintState.PRINTED)
        put(spool, "j2", copy=True)
        put(spool, "j3", reference="sale:2")
        assert _state(spool.newest("sale:1")) == ("j2", "queued", True)
        await spool.opened()
        assert _state(spool.newest("sale:1")) == ("j2", "queued", True)
        assert _state(spool.get("j1")) == ("j1", "printed", False)
        assert [job.job_id for job in await spool.recent(10)] == ["j3", "j2", "j1"]

    run(go())


def test_a_refused_job_is_in_line_again_with_its_bytes_a_finished_one_has_none(spool: Spool, path: Path) -> None:
    """What is on paper need not stay on disk: it names a member. One in doubt keeps them until the next is through."""

    async def go() -> None:
        put(spool, "j1")
        await spool.begin("j1")
        await spool.finish("j1", PrintState.REFUSED, "paper out")
        job = await spool.next("p")
        assert job is not None
        assert (job.state, job.detail, job.data, job.attempts) == (PrintState.REFUSED, "paper out", b"slip", 1)
        await spool.begin("j1")
        await spool.finish("j1", PrintState.UNKNOWN)
        assert bytes_on_disk() == [b"slip"]
        put(spool, "j2")
        await spool.begin("j2")
        await spool.finish("j2", PrintState.PRINTED)

    def bytes_on_disk() -> list[bytes]:
        connection = sqlite3.connect(path)
        found = [row[0] for row in connection.execute("select data from jobs order by seq")]
        connection.close()
        return found

    run(go())
    assert bytes_on_disk() == [b"", b""]


def test_after_a_restart_queued_and_refused_jobs_go_on_and_a_begun_one_is_unknown(path: Path, wall: Wall) -> None:
    """What was being printed is never begun again by itself."""
    first = again(path, wall)

    async def go() -> None:
        for name in ("printing", "refused", "queued"):
            put(first, name, reference=name)
        for name in ("printing", "refused"):
            await first.begin(name)
        await first.finish("refused", PrintState.REFUSED)

    run(go())
    first.stop(5)
    second = again(path, wall)
    found = second.newest("printing")
    assert found is not None
    assert (found.state, found.detail, found.waits) == (PrintState.UNKNOWN, CUT_SHORT, False)

    async def rest() -> list[str]:
        taken = []
        while (job := await second.next("p")) is not None:
            await second.begin(job.job_id)
            await second.finish(job.job_id, PrintState.PRINTED)
            taken.append(job.job_id)
        return taken

    assert run(rest()) == ["refused", "queued"]
    second.stop(5)


def test_a_slip_that_waited_too_long_is_given_up(spool: Spool, wall: Wall) -> None:
    """Its member is gone; the sale's look-up says refused."""

    async def go() -> None:
        put(spool, "old")
        await spool.opened()
        wall.now += WAITING_AGE_MS
        put(spool, "new", reference="sale:2")
        assert [job.job_id for job in [await spool.next("p")] if job] == ["old"]
        wall.now += 1
        assert [job.job_id for job in [await spool.next("p")] if job] == ["new"]
        given_up = spool.newest("sale:1")
        assert given_up is not None
        assert (given_up.state, given_up.waits, given_up.detail) == (PrintState.REFUSED, False, TOO_OLD)
        assert spool.waiting_count == 1

    run(go())


def test_finished_jobs_are_forgotten_by_count_and_by_age_waiting_ones_are_not(
    path: Path, wall: Wall, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file stays small."""
    monkeypatch.setattr(spool_store, "RETAINED_COUNT", 3)
    first = again(path, wall)

    async def go() -> None:
        put(first, "waits")
        for number in range(5):
            put(first, f"done{number}")
            await first.begin(f"done{number}")
            await first.finish(f"done{number}", PrintState.PRINTED)

    run(go())
    first.stop(5)
    again(path, wall).stop(5)
    assert list(rows(path)) == ["waits", "done2", "done3", "done4"]
    wall.now += RETAINED_AGE_MS + 1
    again(path, wall).stop(5)
    assert rows(path) == {}


def test_a_slip_is_drawn_in_the_queues_own_thread(spool: Spool) -> None:
    """Handing over takes no time; one that can't be drawn is refused and says why."""

    def broken() -> bytes:
        raise RenderError("expected data for a QR code, not ''")

    def foreign() -> bytes:
        raise ZeroDivisionError

    threads: list[str] = []

    def drawn() -> bytes:
        threads.append(threading.current_thread().name)
        return b"drawn"

    async def go() -> None:
        for name, data in {"good": drawn, "broken": broken, "foreign": foreign}.items():
            assert spool.enqueue(job_id=name, printer="p", reference=name, data=data).accepted
        spool.enqueue(job_id="huge", printer="p", reference="huge", data=lambda: bytes(JOB_BYTES_LIMIT + 1))
        await spool.opened()
        job = await spool.next("p")
        assert job is not None
        assert job.data == b"drawn"
        assert threads == ["till-spool"]
        details = {name: _detail(spool.newest(name)) for name in ("broken", "foreign", "huge")}
        assert details == {
            "broken": "refused: expected data for a QR code, not ''",
            "foreign": "refused: could not be drawn: ZeroDivisionError",
            "huge": f"refused: expected at most {JOB_BYTES_LIMIT} bytes, not {JOB_BYTES_LIMIT + 1}",
        }

    run(go())


def test_a_full_queue_says_so_at_once(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither raises nor waits; what was accepted stays."""
    monkeypatch.setattr(spool_module, "WAITING_LIMIT", 2)
    run(spool.opened())
    answers = [put(spool, str(number)) for number in range(3)]
    assert [(answer.accepted, answer.reason) for answer in answers] == [(True, ""), (True, ""), (False, "full")]
    assert put(spool, "huge", data=bytes(JOB_BYTES_LIMIT + 1)).accepted is False


def test_what_is_handed_over_faster_than_the_disk_takes_is_bounded(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stalled disk: PENDING_LIMIT jobs in memory, then full. Enqueue returns though the file is locked."""
    monkeypatch.setattr(spool_module, "PENDING_LIMIT", 5)
    queue = Spool(path)
    queue.start()
    run(queue.opened())
    blocker = sqlite3.connect(path, isolation_level=None)
    blocker.execute("begin immediate")
    answers = [put(queue, str(number), reference=str(number)) for number in range(7)]
    assert [answer.accepted for answer in answers] == [True] * 5 + [False] * 2
    assert _state(queue.newest("0")) == ("0", "queued", False)
    assert queue.waiting_count == 5
    blocker.execute("rollback")
    blocker.close()
    run(queue.opened())
    assert list(rows(path)) == ["0", "1", "2", "3", "4"]
    queue.stop(5)


def test_before_the_start_and_after_the_stop_nothing_is_taken(path: Path) -> None:
    """The caller is told, and nothing is lost in silence."""
    queue = Spool(path)
    assert put(queue, "early").reason == "stopped"
    queue.start()
    assert put(queue, "in time").accepted
    assert queue.stop(5)
    assert put(queue, "late").reason == "stopped"
    with pytest.raises(SpoolClosed):
        run(queue.next("p"))
    assert rows(path) == {"in time": "queued"}


def test_a_file_that_is_no_database_is_put_aside_and_the_till_starts(path: Path, wall: Wall) -> None:
    """Start-up never fails for a bad file."""
    path.write_bytes(b"not a database at all, but long enough to be read as one" * 50)
    queue = again(path, wall)
    assert queue.moved_aside is not None
    assert queue.moved_aside.read_bytes().startswith(b"not a database")
    assert put(queue, "j1").accepted
    run(queue.opened())
    queue.stop(5)
    assert rows(path) == {"j1": "queued"}


def test_a_database_of_another_shape_is_put_aside_too(path: Path, wall: Wall) -> None:
    """Else the till would try it four times a second for ever, and print nothing."""
    with sqlite3.connect(path) as connection:
        connection.execute("create table jobs (other text)")
    connection.close()
    queue = again(path, wall)
    assert queue.moved_aside is not None
    assert put(queue, "j1").accepted
    run(queue.opened())
    queue.stop(5)
    assert rows(path) == {"j1": "queued"}


def test_a_disk_that_refuses_makes_slips_refused_not_sales(
    tmp_path: Path, wall: Wall, caplog: pytest.LogCaptureFixture
) -> None:
    """The folder is missing; when it comes, the queue works."""
    path = tmp_path / "missing" / "spool.db"
    queue = Spool(path, wall_ms=wall)
    queue.start()
    assert put(queue, "j1").accepted

    async def go() -> None:
        while _detail(queue.newest("sale:1"))[:7] != "refused":
            await asyncio.sleep(0.01)
        for _ in range(2):
            with pytest.raises(spool_store.SpoolUnavailable):
                await queue.opened()
        assert caplog.text.count("can't be opened") == 1, "a fault that stays is told once"
        path.parent.mkdir()
        while True:
            try:
                await queue.opened()
            except spool_store.SpoolUnavailable:
                continue
            break
        assert put(queue, "j2").accepted
        await queue.opened()

    run(go())
    queue.stop(5)
    assert rows(path) == {"j2": "queued"}
    assert "can't be opened" in caplog.text


def test_many_threads_may_hand_over_at_once(spool: Spool, path: Path) -> None:
    """Every job once, whoever brought it."""

    def work(number: int) -> None:
        for each in range(20):
            put(spool, f"{number}-{each}")
            put(spool, f"shared-{each}")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    run(spool.opened())
    assert len(rows(path)) == 6 * 20 + 20


def test_the_file_is_private_and_every_commit_is_synced(spool: Spool, path: Path) -> None:
    """0600, side files too; WAL with synchronous=FULL."""
    run(spool.opened())
    put(spool, "j1")
    run(spool.opened())
    assert {oct(file.stat().st_mode & 0o777) for file in path.parent.iterdir()} == {"0o600"}
    connection = spool_store.connect(path)
    assert connection.execute("pragma journal_mode").fetchone() == ("wal",)
    assert connection.execute("pragma synchronous").fetchone() == (2,)
    connection.close()


def test_listeners_hear_of_new_jobs_and_not_of_look_ups(spool: Spool) -> None:
    """Otherwise a worker that looks would wake itself for ever."""
    heard = threading.Semaphore(0)
    spool.listen(heard.release)
    put(spool, "j1")
    run(spool.opened())
    assert heard.acquire(timeout=5)
    run(spool.next("p"))
    run(spool.opened())
    assert not heard.acquire(blocking=False)
    spool.unlisten(heard.release)
    put(spool, "j2")
    run(spool.opened())
    assert not heard.acquire(blocking=False)


@pytest.mark.parametrize("is_new", [True, False])
def test_no_file_of_this_schema_needs_sqlite_utils(path: Path, wall: Wall, *, is_new: bool) -> None:
    """Its import takes longer than the whole start of the agent may, and half of its memory."""
    if not is_new:
        again(path, wall).stop(5)
    code = (
        "import sys, pathlib, till_drivers.spool_store as s;"
        "s.connect(pathlib.Path(sys.argv[1])).close(); sys.exit('sqlite_utils' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(path)], check=False).returncode == 0


def test_each_earlier_schema_is_brought_up_to_date(path: Path) -> None:
    """From nothing, and from every step before the last; jobs stay."""
    for count in range(len(spool_store.MIGRATIONS)):
        target = path.with_name(f"from-{count}.db")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(spool_store, "MIGRATIONS", spool_store.MIGRATIONS[:count])
            spool_store.connect(target).close()
        connection = spool_store.connect(target)
        names = {row[0] for row in connection.execute("select name from sqlite_master where type = 'index'")}
        assert {"jobs_by_reference", "jobs_waiting", "jobs_printing"} <= names
        connection.close()


def _state(job: SpoolJob | None) -> tuple[str, str, bool]:
    assert job is not None
    return job.job_id, job.state.value, job.copy


def _detail(job: SpoolJob | None) -> str:
    return "" if job is None else f"{job.state.value}: {job.detail}"
