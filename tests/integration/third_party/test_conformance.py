"""The checks for drivers of others: our own pass them, and each way to break a promise is named."""

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from till_config.settings import PrinterSettings, ScannerSettings
from till_drivers.blocks import Block
from till_drivers.clock import MonotonicClock
from till_drivers.conformance import ConformanceError, check_printer, check_scanner
from till_drivers.ports import DeviceHealth, Outcome, PrintJob, Scan
from till_drivers.printers.factory import tcp_printer
from till_drivers.scanners.serial_scanner import SerialScanner
from till_drivers.simulators.printer import PrinterSimulator
from till_drivers.simulators.scanner import ScannerSimulator
from till_drivers.states import DeviceState, HealthKeeper


class PtyBench:
    """Our simulated scanner."""

    def __init__(self, link: Path) -> None:
        self._simulator = ScannerSimulator(link)

    async def plug(self) -> None:
        self._simulator.plug()

    async def unplug(self) -> None:
        if self._simulator.is_plugged:
            self._simulator.unplug()

    async def scan(self, code: str) -> None:
        self._simulator.scan(code)


class TcpBench:
    """Our simulated printer, on a port that stays the same."""

    def __init__(self) -> None:
        self.simulator = PrinterSimulator()
        self.port = 0

    async def start(self) -> None:
        self.port = await self.simulator.start_tcp()
        await self.unplug()

    async def plug(self) -> None:
        await self.simulator.behave("normal")

    async def unplug(self) -> None:
        await self.simulator.behave("paper-out")

    async def jobs(self) -> int:
        return self.simulator.slip_count


def test_our_serial_scanner_conforms(tmp_path: Path) -> None:
    settings = ScannerSettings(name="front", port=str(tmp_path / "scanner"))
    asyncio.run(check_scanner(lambda: SerialScanner(settings), PtyBench(tmp_path / "scanner")))


def test_our_network_printer_conforms() -> None:
    async def check() -> None:
        bench = TcpBench()
        await bench.start()
        settings = PrinterSettings(name="receipt", driver="tcp", host="127.0.0.1", port=bench.port)
        try:
            await check_printer(lambda: tcp_printer(settings), bench)
        finally:
            await bench.simulator.stop()

    asyncio.run(check())


class Plug:
    """A device in memory; what a fake driver and its bench share."""

    def __init__(self) -> None:
        self.is_in = asyncio.Event()
        self.is_out = asyncio.Event()
        self.is_out.set()
        self.codes: asyncio.Queue[str] = asyncio.Queue()
        self.printed = 0

    async def plug(self) -> None:
        self.is_out.clear()
        self.is_in.set()

    async def unplug(self) -> None:
        self.is_in.clear()
        self.is_out.set()

    async def scan(self, code: str) -> None:
        await self.codes.put(code)

    async def jobs(self) -> int:
        return self.printed


class GoodScanner:
    """Keeps every promise; each test breaks one."""

    device_id = "front"

    def __init__(self, plug: Plug) -> None:
        self.plug = plug
        self.keeper = HealthKeeper(self.device_id, MonotonicClock())
        self.stopping = asyncio.Event()
        self.seq = 0

    async def run(self, emit: Callable[[Scan], None], health: Callable[[DeviceHealth], None]) -> None:
        self.keeper.listen(health)
        work = asyncio.ensure_future(self.work(emit))
        stopping = asyncio.ensure_future(self.stopping.wait())
        await asyncio.wait({work, stopping}, return_when=asyncio.FIRST_COMPLETED)
        for task in (work, stopping):
            task.cancel()
        await asyncio.gather(work, stopping, return_exceptions=True)
        self.keeper.move(DeviceState.DISABLED)

    async def work(self, emit: Callable[[Scan], None]) -> None:
        if not self.plug.is_in.is_set():
            self.keeper.move(DeviceState.ABSENT)
        while True:
            await self.plug.is_in.wait()
            self.keeper.move(DeviceState.OPENING)
            self.keeper.move(DeviceState.READY)
            reading = asyncio.ensure_future(self.read(emit))
            try:
                await self.plug.is_out.wait()
            finally:
                reading.cancel()
            self.keeper.move(DeviceState.LOST)

    async def read(self, emit: Callable[[Scan], None]) -> None:
        while True:
            self.tell(await self.plug.codes.get(), emit)

    def tell(self, code: str, emit: Callable[[Scan], None]) -> None:
        self.seq += 1
        emit(self.scan(code))

    def scan(self, code: str) -> Scan:
        return Scan(device_id="front", seq=self.seq, at_mono=self.seq, raw=code.encode(), text=code)

    async def stop(self) -> None:
        self.stopping.set()


class Repeats(GoodScanner):
    def scan(self, code: str) -> Scan:
        return msgspec.structs.replace(super().scan(code), seq=1)


class OtherName(GoodScanner):
    def scan(self, code: str) -> Scan:
        return msgspec.structs.replace(super().scan(code), device_id="scanner")


class Blocks(GoodScanner):
    def tell(self, code: str, emit: Callable[[Scan], None]) -> None:
        if not self.seq:
            time.sleep(2.4)
        super().tell(code, emit)


class Leaves(GoodScanner):
    async def stop(self) -> None:
        asyncio.create_task(asyncio.sleep(60), name="left behind")  # noqa: RUF006 - it is meant to be left behind
        await super().stop()


class FromThread(GoodScanner):
    def tell(self, code: str, emit: Callable[[Scan], None]) -> None:
        self.seq += 1
        thread = threading.Thread(target=emit, args=(self.scan(code),))
        thread.start()
        thread.join()


class Raises(GoodScanner):
    async def work(self, emit: Callable[[Scan], None]) -> None:
        raise OSError("no such device")

    async def run(self, emit: Callable[[Scan], None], health: Callable[[DeviceHealth], None]) -> None:
        await self.work(emit)


class NeverStops(GoodScanner):
    async def stop(self) -> None:
        await asyncio.sleep(60)


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Broken drivers are waited for no longer than it takes to be sure."""
    for module in ("findings", "printers"):
        monkeypatch.setattr(f"till_drivers.conformance.{module}.CHANGE_LIMIT_S", 5.0)


def findings(made: type[GoodScanner]) -> list[str]:
    async def check() -> list[str]:
        plug = Plug()
        try:
            await check_scanner(lambda: made(plug), plug)
        except ConformanceError as error:
            return error.findings
        return []

    return asyncio.run(check())


def test_a_driver_that_keeps_every_promise_passes() -> None:
    assert findings(GoodScanner) == []


@pytest.mark.parametrize(
    ("made", "finding"),
    [
        (Repeats, "expected `seq` to grow"),
        (OtherName, "expected device_id 'front', not 'scanner'"),
        (Blocks, "expected the loop to be free"),
        (Leaves, "expected no task after `stop`, not ['left behind', 'left behind']"),
        (FromThread, "expected `emit` to be called on the loop's thread"),
        (Raises, "expected `run` to raise nothing, not OSError: no such device"),
        (NeverStops, "expected `stop` and `run` to end within a second"),
    ],
)
def test_each_broken_promise_of_a_scanner_is_named(made: type[GoodScanner], finding: str) -> None:
    found = findings(made)
    assert any(each.startswith(finding) for each in found), found


class GoodPrinter:
    """Keeps every promise; each test breaks one."""

    device_id = "receipt"

    def __init__(self, plug: Plug) -> None:
        self.plug = plug
        self.stopped = False
        self.lock = asyncio.Lock()

    async def status(self) -> DeviceHealth:
        state = "ready" if self.plug.is_in.is_set() and not self.stopped else "absent"
        return DeviceHealth(device_id=self.device_id, state=state, detail="", at_mono=1)

    async def submit(self, job: PrintJob, deadline_ms: int) -> Outcome:
        async with self.lock:
            if self.stopped or not self.plug.is_in.is_set():
                return Outcome.REFUSED
            self.plug.printed += 1
            return Outcome.ACCEPTED

    async def stop(self) -> None:
        self.stopped = True


class PrintsTwice(GoodPrinter):
    async def submit(self, job: PrintJob, deadline_ms: int) -> Outcome:
        await super().submit(job, deadline_ms)
        return await super().submit(job, deadline_ms)


class PretendsToPrint(GoodPrinter):
    async def submit(self, job: PrintJob, deadline_ms: int) -> Outcome:
        return Outcome.PRINTED


class RaisesWhenAbsent(GoodPrinter):
    async def status(self) -> DeviceHealth:
        if not self.plug.is_in.is_set():
            raise OSError("no such device")
        return await super().status()


class DrawsBadly(GoodPrinter):
    def draw(self, blocks: Sequence[Block]) -> Any:
        return "text"


@pytest.mark.parametrize(
    ("made", "finding"),
    [
        (PrintsTwice, "expected three jobs to be three slips, not 6"),
        (PretendsToPrint, "expected `refused` without the device"),
        (RaisesWhenAbsent, "expected `status` to raise nothing, not OSError"),
        (DrawsBadly, "expected a slip with every kind of block to be drawn"),
    ],
)
def test_each_broken_promise_of_a_printer_is_named(made: type[GoodPrinter], finding: str) -> None:
    async def check() -> None:
        plug = Plug()
        await check_printer(lambda: made(plug), plug)

    with pytest.raises(ConformanceError) as caught:
        asyncio.run(check())
    assert any(each.startswith(finding) for each in caught.value.findings), caught.value.findings


def test_a_printer_that_keeps_every_promise_passes() -> None:
    async def check() -> None:
        plug = Plug()
        await check_printer(lambda: GoodPrinter(plug), plug)

    asyncio.run(check())
