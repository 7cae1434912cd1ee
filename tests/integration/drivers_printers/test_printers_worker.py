"""From the queue to paper: order, retries, and what is never done twice."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from integration.drivers_printers.printers_rig import names, slip, tcp_simulator, until
from kit.loops import run
from till_drivers import spool_worker
from till_drivers.exceptions import SpoolUnavailable
from till_drivers.ports import DeviceHealth, Outcome, PrinterDriver, PrintJob
from till_drivers.printers import EscposPrinter
from till_drivers.spool import Spool
from till_drivers.spool_worker import SpoolWorker
from till_drivers.transports import TcpTransport


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same ways in less time."""
    monkeypatch.setattr(spool_worker, "RETRY_MS", 20)
    monkeypatch.setattr(spool_worker, "JOB_DEADLINE_MS", 1_500)


class FakeDriver:
    """A third party's driver: says what it is told to, remembers what it was given."""

    def __init__(self, name: str = "p") -> None:
        self.device_id = name
        self.state = "ready"
        self.outcomes: list[Outcome | Exception] = []
        self.jobs: list[str] = []
        self.stopped = asyncio.Event()
        self.hangs = False
        self.on_submit: Callable[[PrintJob], None] = lambda _: None

    async def submit(self, job: PrintJob, deadline_ms: int) -> Outcome:
        self.jobs.append(job.job_id)
        self.on_submit(job)
        if self.hangs:
            await self.stopped.wait()
            return Outcome.UNKNOWN
        outcome = self.outcomes.pop(0) if self.outcomes else Outcome.PRINTED
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def status(self) -> DeviceHealth:
        if self.state == "raises":
            raise RuntimeError("a defect")
        return DeviceHealth(device_id=self.device_id, state=self.state, detail="", at_mono=0)

    async def stop(self) -> None:
        self.state = "disabled"
        self.stopped.set()


@asynccontextmanager
async def shop(
    path: Path, *drivers: PrinterDriver, seen: list[DeviceHealth] | None = None
) -> AsyncIterator[tuple[Spool, SpoolWorker]]:
    spool = Spool(path / "spool.db")
    spool.start()
    listener = seen.append if seen is not None else None
    worker = SpoolWorker(spool, {driver.device_id: driver for driver in drivers}, health=listener)
    await worker.start()
    try:
        yield spool, worker
    finally:
        await worker.stop()
        await asyncio.to_thread(spool.stop, 5)


def put(spool: Spool, name: str, printer: str = "p") -> None:
    assert spool.enqueue(job_id=name, printer=printer, reference=name, data=slip(name)).accepted


def state(spool: Spool, name: str) -> str:
    job = spool.newest(name)
    return job.state.value if job is not None else ""


def test_jobs_are_printed_in_order_and_each_state_is_recorded(tmp_path: Path) -> None:
    """Printed and accepted stay what they are."""

    async def go() -> None:
        driver = FakeDriver()
        driver.outcomes = [Outcome.PRINTED, Outcome.ACCEPTED]
        async with shop(tmp_path, driver) as (spool, _):
            put(spool, "a")
            put(spool, "b")
            await until(lambda: state(spool, "b") == "accepted")
            assert (driver.jobs, state(spool, "a")) == (["a", "b"], "printed")

    run(go())


def test_the_driver_gets_a_job_only_after_it_is_printing_on_disk(tmp_path: Path) -> None:
    """Read past the queue, at the moment of the hand-over."""

    async def go() -> list[str]:
        driver, found = FakeDriver(), list[str]()

        def look(job: PrintJob) -> None:
            connection = sqlite3.connect(tmp_path / "spool.db")
            found.extend(row[0] for row in connection.execute("select state from jobs where job_id = ?", (job.job_id,)))
            connection.close()

        driver.on_submit = look
        async with shop(tmp_path, driver) as (spool, _):
            put(spool, "a")
            await until(lambda: state(spool, "a") == "printed")
        return found

    assert run(go()) == ["printing"]


def test_a_refused_job_is_tried_again_before_later_ones(tmp_path: Path) -> None:
    """Order is kept; nothing is lost."""

    async def go() -> None:
        driver = FakeDriver()
        driver.outcomes = [Outcome.REFUSED, Outcome.REFUSED]
        async with shop(tmp_path, driver) as (spool, _):
            put(spool, "a")
            put(spool, "b")
            await until(lambda: state(spool, "b") == "printed")
            assert driver.jobs == ["a", "a", "a", "b"]

    run(go())


@pytest.mark.parametrize("outcome", [Outcome.UNKNOWN, RuntimeError("a defect in a driver")])
def test_a_job_in_doubt_is_never_given_to_a_printer_again(tmp_path: Path, outcome: Outcome | Exception) -> None:
    """Neither later nor after a restart; the next job goes on."""

    async def go() -> None:
        driver = FakeDriver()
        driver.outcomes = [outcome]
        async with shop(tmp_path, driver) as (spool, _):
            put(spool, "a")
            put(spool, "b")
            await until(lambda: state(spool, "b") == "printed")
            assert state(spool, "a") == "unknown"
        second = FakeDriver()
        async with shop(tmp_path, second) as (spool, _):
            put(spool, "a")
            put(spool, "c")
            await until(lambda: state(spool, "c") == "printed")
        assert (driver.jobs, second.jobs) == (["a", "b"], ["c"])

    run(go())


@pytest.mark.parametrize("first", ["fault", "absent", "raises"])
def test_jobs_wait_while_the_printer_takes_none(tmp_path: Path, first: str) -> None:
    """They stay queued, and go when it is ready."""

    async def go() -> None:
        driver = FakeDriver()
        driver.state = first
        async with shop(tmp_path, driver) as (spool, _):
            put(spool, "a")
            await spool.opened()
            await asyncio.sleep(0.1)
            assert (driver.jobs, state(spool, "a")) == ([], "queued")
            driver.state = "ready"
            await until(lambda: state(spool, "a") == "printed")

    run(go())


def test_one_dead_printer_does_not_hold_another(tmp_path: Path) -> None:
    """Each has its own line."""

    async def go() -> None:
        dead, good = FakeDriver("dead"), FakeDriver("good")
        dead.hangs = True
        async with shop(tmp_path, dead, good) as (spool, _):
            put(spool, "a", "dead")
            put(spool, "b", "good")
            await until(lambda: state(spool, "b") == "printed")
            assert state(spool, "a") == "printing"

    run(go())


def test_each_change_of_health_is_told_once(tmp_path: Path) -> None:
    """A driver that tells nothing itself is asked, and only changes are passed on."""

    async def go() -> list[str]:
        driver, seen = FakeDriver(), list[DeviceHealth]()
        async with shop(tmp_path, driver, seen=seen) as (spool, _):
            for number in range(5):
                put(spool, str(number))
            await until(lambda: state(spool, "4") == "printed")
            driver.state = "fault"
            put(spool, "5")
            await until(lambda: len(seen) == 2)
        return [health.state for health in seen]

    assert run(go()) == ["ready", "fault"]


def test_an_outcome_that_the_disk_refuses_is_saved_later_and_the_slip_not_printed_again(tmp_path: Path) -> None:
    """The disk is full for a moment, just after the slip came out."""

    async def go() -> None:
        driver = FakeDriver()
        async with shop(tmp_path, driver) as (spool, _):
            real, failures = spool.finish, [SpoolUnavailable("disk full"), SpoolUnavailable("disk full")]

            async def failing(job_id: str, outcome: spool_worker.PrintState, detail: str = "") -> None:
                if failures:
                    raise failures.pop()
                await real(job_id, outcome, detail)

            spool.finish = failing  # type: ignore[method-assign]  # a disk that fails twice
            put(spool, "a")
            await until(lambda: state(spool, "a") == "printed")
            assert driver.jobs == ["a"]

    run(go())


def test_a_stop_in_mid_job_records_it_as_unknown_and_ends(tmp_path: Path) -> None:
    """The printer is stopped first, so that its answer can still be written."""

    async def go() -> None:
        driver = FakeDriver()
        driver.hangs = True
        async with shop(tmp_path, driver) as (spool, worker):
            put(spool, "a")
            await until(lambda: driver.jobs == ["a"])
            await worker.stop()
            assert state(spool, "a") == "unknown"

    run(go())


def test_a_driver_that_does_not_stop_is_left_and_its_job_unknown_after_the_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopping is bounded whatever a driver does."""
    monkeypatch.setattr(spool_worker, "STOP_SECONDS", 0.1)

    class Stubborn(FakeDriver):
        async def stop(self) -> None:
            await asyncio.Event().wait()

    async def go() -> None:
        driver = Stubborn()
        driver.hangs = True
        async with shop(tmp_path, driver) as (spool, _):
            put(spool, "a")
            await until(lambda: driver.jobs == ["a"])
        async with shop(tmp_path) as (spool, _):
            await spool.opened()
            assert state(spool, "a") == "unknown"

    run(go())


def test_slips_of_a_printer_that_was_off_come_out_once_each_and_in_order(tmp_path: Path) -> None:
    """A real TCP printer that is switched on later."""

    async def go() -> None:
        async with tcp_simulator() as (simulator, port):
            await simulator.behave("dies", dies_after=0)
            printer = EscposPrinter("p", TcpTransport("127.0.0.1", port), keep_open=False)
            async with shop(tmp_path, printer) as (spool, _):
                for number in range(4):
                    put(spool, f"{number}")
                await spool.opened()
                await asyncio.sleep(0.2)
                assert {state(spool, str(number)) for number in range(4)} == {"queued"}
                await simulator.behave("normal")
                await until(lambda: state(spool, "3") == "printed")
            assert names(simulator) == [f"Чек {number}" for number in range(4)]

    run(go())


@pytest.mark.parametrize("fault", ["dies", "deaf", "silent", "paper-out", "cover-open"])
def test_no_slip_is_printed_twice_by_itself_through_any_fault(tmp_path: Path, fault: str) -> None:
    """A fault in the middle of six slips: each is on paper at most once, and those said to be printed are."""

    async def go() -> None:
        async with tcp_simulator() as (simulator, port):
            printer = EscposPrinter("p", TcpTransport("127.0.0.1", port), keep_open=False)
            async with shop(tmp_path, printer) as (spool, _):
                for number in range(3):
                    put(spool, str(number))
                await until(lambda: state(spool, "1") == "printed")
                await simulator.behave(fault, dies_after=100)
                for number in range(3, 6):
                    put(spool, str(number))
                await asyncio.sleep(1.0)
                await simulator.behave("normal")
                await until(lambda: all(state(spool, str(n)) in ("printed", "unknown") for n in range(6)))
                printed = {number for number in range(6) if state(spool, str(number)) == "printed"}
            await asyncio.sleep(0.05)
            whole = [kept.text().split()[1] for kept in simulator.slips if not kept.torn]
            assert len(whole) == len(set(whole))
            assert {str(number) for number in printed} <= set(whole)

    run(go())
