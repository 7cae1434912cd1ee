"""The agent's death at each step of a slip's way: never two prints, never one lost that nobody was told of."""

import asyncio
import contextlib
import os
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from integration.drivers_printers.printers_rig import drawn_slip, names, slip, tcp_simulator, until
from kit.loops import run
from till_drivers.exceptions import SpoolUnavailable
from till_drivers.ports import DeviceHealth, Outcome, PrinterDriver, PrintJob
from till_drivers.printers import EscposPrinter
from till_drivers.spool import Spool
from till_drivers.spool_store import PrintState
from till_drivers.spool_worker import SpoolWorker
from till_drivers.transports import TcpTransport

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="dies as by kill -9")

CHILD = """
import asyncio, os, signal, sys
from pathlib import Path
from till_drivers.printers import EscposPrinter
from till_drivers.spool import Spool
from till_drivers.spool_worker import SpoolWorker
from till_drivers.transports import TcpTransport

folder, port, step, data = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3], Path(sys.argv[4]).read_bytes()

def dies(function, before=False):
    async def call(*arguments, **named):
        if before:
            os.kill(os.getpid(), signal.SIGKILL)
        result = await function(*arguments, **named)
        os.kill(os.getpid(), signal.SIGKILL)
        return result
    return call

async def main():
    spool = Spool(folder / "spool.db")
    spool.start()
    await spool.opened()
    transport = TcpTransport("127.0.0.1", port)
    printer = EscposPrinter("p", transport, keep_open=False)
    whole = transport.write

    async def half(data, timeout_ms):
        if len(data) < 100:
            return await whole(data, timeout_ms)
        await whole(data[: len(data) // 2], timeout_ms)
        os.kill(os.getpid(), signal.SIGKILL)

    match step:
        case "queued": spool.next = dies(spool.next, before=True)
        case "to be begun": spool.begin = dies(spool.begin, before=True)
        case "begun": spool.begin = dies(spool.begin)
        case "half sent": transport.write = half
        case "sent": printer._talk.proof = dies(printer._talk.proof, before=True)
        case "proved": printer._talk.proof = dies(printer._talk.proof)
        case "to be recorded": spool.finish = dies(spool.finish, before=True)
        case "recorded": spool.finish = dies(spool.finish)
    for name in ("A", "B"):
        spool.enqueue(job_id=name, printer="p", reference=name, data=data.replace(b"NAME", name.encode()))
    await spool.opened()
    await SpoolWorker(spool, {"p": printer}).start()
    await asyncio.sleep(30)

asyncio.run(main())
"""


@asynccontextmanager
async def till(folder: Path, *printers: PrinterDriver) -> AsyncIterator[Spool]:
    """Queue and printers of one run."""
    spool = Spool(folder / "spool.db")
    spool.start()
    worker = SpoolWorker(spool, {printer.device_id: printer for printer in printers})
    await worker.start()
    try:
        await spool.opened()
        yield spool
    finally:
        await worker.stop()
        await asyncio.to_thread(spool.stop, 5)


def state(spool: Spool, name: str) -> str:
    job = spool.get(name)
    return job.state.value if job is not None else ""


@pytest.mark.parametrize(
    ("step", "first"),
    [
        ("queued", "printed"),
        ("to be begun", "printed"),
        ("begun", "unknown"),
        ("half sent", "unknown"),
        ("sent", "unknown"),
        ("proved", "unknown"),
        ("to be recorded", "unknown"),
        ("recorded", "printed"),
    ],
)
def test_a_death_at_any_step_neither_doubles_nor_hides_a_slip(tmp_path: Path, step: str, first: str) -> None:
    """What had begun is unknown, what had not is printed; the slip behind it comes out whole and once."""

    async def go() -> None:
        (tmp_path / "slip").write_bytes(slip("NAME", lines=8))
        async with tcp_simulator() as (simulator, port):
            folder = str(Path(__file__).resolve().parents[2])
            child = await asyncio.create_subprocess_exec(
                sys.executable, "-c", CHILD, str(tmp_path), str(port), step, str(tmp_path / "slip"),
                env=os.environ | {"PYTHONPATH": folder},
            )  # fmt: skip
            assert await child.wait() == -9
            printer = EscposPrinter("p", TcpTransport("127.0.0.1", port), keep_open=False)
            async with till(tmp_path, printer) as spool:
                await until(lambda: state(spool, "B") == "printed")
                assert state(spool, "A") == first
            words = " ".join(kept.text() for kept in simulator.slips)
            assert words.count("Чек B") == 1
            on_paper = words.count("Чек A")
            assert on_paper <= 1
            assert on_paper == 1 or state_on_disk(tmp_path, "A") == "unknown"

    run(go())


def state_on_disk(folder: Path, name: str) -> str:
    with sqlite3.connect(folder / "spool.db") as connection:
        found = connection.execute("select state from jobs where job_id = ?", (name,)).fetchone()
    connection.close()
    return str(found[0])


@pytest.mark.parametrize("ends", ["killed", "stopped"])
def test_a_picture_that_broke_off_in_one_run_does_not_swallow_the_slip_of_the_next(tmp_path: Path, ends: str) -> None:
    """The printer still waits for its rest: the next run ends it first, and then prints with proof."""

    async def go() -> None:
        data = drawn_slip("A", lines=30)
        async with tcp_simulator() as (simulator, port):
            transport = TcpTransport("127.0.0.1", port)
            await transport.open(1_000)
            await transport.write(data[: data.find(b"\x1dv0") + 400], 1_000)
            await transport.close(500)
            spool = Spool(tmp_path / "spool.db")
            spool.start()
            await spool.opened()
            spool.enqueue(job_id="A", printer="p", reference="A", data=data)
            assert await spool.next("p")
            assert await spool.begin("A")
            if ends == "stopped":
                await spool.finish("A", PrintState.UNKNOWN, "stopped")
            spool.enqueue(job_id="B", printer="p", reference="B", data=slip("B"))
            await spool.opened()
            await asyncio.to_thread(spool.stop, 5)
            printer = EscposPrinter("p", TcpTransport("127.0.0.1", port), keep_open=False)
            async with till(tmp_path, printer) as again:
                await until(lambda: state(again, "B") == "printed")
                assert state(again, "A") == "unknown"
            assert "Чек B" in simulator.slips[-1].text()
            third = Spool(tmp_path / "spool.db")
            third.start()
            await third.opened()
            assert third.torn("p") == b"", "a slip has gone through since"
            await asyncio.to_thread(third.stop, 5)

    run(go())


def test_a_printer_taken_from_the_settings_holds_up_nobody_and_its_slip_waits_for_its_return(tmp_path: Path) -> None:
    """Two printers, then one, then two: over restarts, each slip once and on its own printer."""

    async def go() -> None:
        async with tcp_simulator() as (bar, bar_port), tcp_simulator() as (hall, hall_port):
            await hall.behave("paper-out")

            def printers() -> list[EscposPrinter]:
                ports = {"bar": bar_port, "hall": hall_port}
                return [EscposPrinter(each, TcpTransport("127.0.0.1", ports[each]), keep_open=False) for each in ports]

            def put(spool: Spool, name: str, printer: str) -> None:
                assert spool.enqueue(job_id=name, printer=printer, reference=name, data=slip(name)).accepted

            async with till(tmp_path, *printers()) as spool:
                put(spool, "h1", "hall")
                put(spool, "b1", "bar")
                await until(lambda: state(spool, "b1") == "printed")
            async with till(tmp_path, printers()[0]) as spool:
                put(spool, "b2", "bar")
                put(spool, "h2", "hall")
                await until(lambda: state(spool, "b2") == "printed")
                assert (state(spool, "h1"), state(spool, "h2")) == ("queued", "queued")
                assert spool.waiting_count == 2
            await hall.behave("normal")
            async with till(tmp_path, *printers()) as spool:
                await until(lambda: state(spool, "h2") == "printed")
            assert names(bar) == ["Чек b1", "Чек b2"]
            assert names(hall) == ["Чек h1", "Чек h2"]

    run(go())


class HangingDriver:
    """A third party's driver that keeps no deadline."""

    device_id = "p"

    def __init__(self) -> None:
        self.jobs: list[str] = []

    async def submit(self, job: PrintJob, deadline_ms: int) -> Outcome:
        self.jobs.append(job.job_id)
        if len(self.jobs) == 1:
            await asyncio.Event().wait()
        return Outcome.PRINTED

    async def status(self) -> DeviceHealth:
        return DeviceHealth(device_id="p", state="ready", detail="", at_mono=0)

    async def stop(self) -> None:
        pass


def test_a_driver_that_never_answers_holds_one_slip_up_and_not_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After its deadline and a while the slip is unknown; nobody prints it again."""
    monkeypatch.setattr("till_drivers.spool_worker.JOB_DEADLINE_MS", 50)
    monkeypatch.setattr("till_drivers.spool_worker.SUBMIT_GRACE_MS", 50)

    async def go() -> None:
        driver = HangingDriver()
        async with till(tmp_path, driver) as spool:
            for name in ("A", "B"):
                spool.enqueue(job_id=name, printer="p", reference=name, data=b"slip")
            await until(lambda: state(spool, "B") == "printed")
            assert state(spool, "A") == "unknown"
            assert driver.jobs == ["A", "B"]

    run(go())


def test_a_slip_that_no_file_can_hold_is_refused_and_the_queue_goes_on(tmp_path: Path) -> None:
    """Half a letter in a reference: that slip says so, later ones are printed."""

    async def go() -> None:
        async with till(tmp_path) as spool:
            assert spool.enqueue(job_id="A", printer="p", reference="\ud800", data=b"slip").accepted
            await until(lambda: state(spool, "A") == "refused")
            assert spool.enqueue(job_id="B", printer="p", reference="B", data=b"slip").accepted
            await spool.opened()
            assert state(spool, "B") == "queued"

    run(go())


def test_on_a_full_disk_new_slips_are_refused_and_said_so_and_old_ones_still_come_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing that was accepted is lost, nothing that was lost was accepted in silence; with room again all goes on."""
    from till_drivers import spool as spool_module
    from till_drivers.spool_store import connect

    def small(path: Path) -> sqlite3.Connection:
        connection = connect(path)
        pages = connection.execute("pragma page_count").fetchone()[0]
        connection.execute(f"pragma max_page_count = {pages + 10}")  # then SQLite's own "database or disk is full"
        return connection

    monkeypatch.setattr(spool_module, "connect", small)

    async def go() -> None:
        async with tcp_simulator() as (simulator, port):
            async with till(tmp_path) as spool:
                for number in range(8):
                    spool.enqueue(job_id=str(number), printer="p", reference="s", data=slip(str(number), lines=200))
                    with contextlib.suppress(SpoolUnavailable):
                        await spool.opened()
                states = {str(number): state(spool, str(number)) for number in range(8)}
                assert set(states.values()) == {"queued", "refused"}
                refused = spool.get(next(name for name, said in states.items() if said == "refused"))
                assert refused is not None
                assert "full" in refused.detail
                assert not refused.waits
            queued = [name for name, said in states.items() if said == "queued"]
            printer = EscposPrinter("p", TcpTransport("127.0.0.1", port), keep_open=False)
            async with till(tmp_path, printer) as spool:
                await until(lambda: all(state(spool, name) == "printed" for name in queued))
                spool.enqueue(job_id="later", printer="p", reference="s", data=slip("later"))
                await until(lambda: state(spool, "later") == "printed")
            assert names(simulator) == [f"Чек {name}" for name in [*queued, "later"]]

    run(go())
