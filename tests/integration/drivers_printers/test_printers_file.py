"""Device files: a pseudo-terminal that answers, a pipe that can't; deadlines, locks, and the end of the other end."""

import asyncio
import contextlib
import os
import sys
import threading
from pathlib import Path

import pytest

from integration.drivers_printers.printers_rig import job, slip, until
from kit.loops import run
from till_drivers.exceptions import SettingsError, TransportAbsent, TransportLost, TransportStalled
from till_drivers.ports import Outcome
from till_drivers.printers import EscposPrinter
from till_drivers.simulators.printer import PrinterSimulator
from till_drivers.transports import FileTransport, device_file

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="device files are Linux's")


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    path = tmp_path / "lp0"
    os.mkfifo(path)
    return path


def test_slips_go_through_a_file_that_answers_and_are_proved(tmp_path: Path) -> None:
    """As `usblp` does it; by a name that a udev rule would give, and after an unplug under another."""

    async def go() -> None:
        link = tmp_path / "receipt"
        simulator = PrinterSimulator()
        await simulator.start_pty(link)
        printer = EscposPrinter("file", FileTransport(str(link)))
        try:
            assert await printer.submit(job("А-1", slip("А-1")), 10_000) is Outcome.PRINTED
            await simulator.behave("dies", dies_after=30)
            assert await printer.submit(job("2", slip("2", lines=40)), 5_000) in (Outcome.UNKNOWN, Outcome.REFUSED)
            assert (await printer.status()).state == "lost"
            await simulator.behave("normal")
            outcome = Outcome.REFUSED
            while outcome is Outcome.REFUSED:
                outcome = await printer.submit(job("3"), 10_000)
                await asyncio.sleep(0.05)
            assert outcome is Outcome.PRINTED
        finally:
            await printer.stop()
            await simulator.stop()
        assert "Чек А-1" in simulator.slips[0].text()
        assert "Чек 3" in simulator.slips[-1].text()

    run(go())


def test_a_file_that_can_not_be_read_is_one_way_and_its_slips_accepted(pipe: Path) -> None:
    """Though `status` is left on; every byte arrives, more than a pipe holds."""

    async def go() -> None:
        reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
        printer = EscposPrinter("file", FileTransport(str(pipe)))
        data = bytes(200_000)
        under_way = asyncio.ensure_future(printer.submit(job("1", data), 10_000))
        got = 0
        while got < len(data):
            with contextlib.suppress(BlockingIOError):
                got += len(os.read(reader, 65_536))
            await asyncio.sleep(0.001)
        assert await under_way is Outcome.ACCEPTED
        assert printer._transport.is_one_way  # type: ignore[attr-defined]  # Reason: this transport has it.
        await printer.stop()
        os.close(reader)

    run(go())


def test_a_file_that_takes_nothing_more_stalls_within_the_deadline_and_says_how_much_went(pipe: Path) -> None:
    """And the loop goes on meanwhile; a second writer of nothing at all is refused."""

    async def go() -> None:
        reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
        transport = FileTransport(str(pipe))
        await transport.open(1_000)
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                ticks += 1
                await asyncio.sleep(0.005)

        ticking = asyncio.ensure_future(tick())
        with pytest.raises(TransportStalled) as stalled:
            await transport.write(bytes(1_000_000), 200)
        assert 0 < stalled.value.sent < 1_000_000
        with pytest.raises(TransportStalled) as stalled:
            await transport.write(b"x" * 5_000, 50)
        assert stalled.value.sent == 0
        assert ticks > 2
        ticking.cancel()
        await asyncio.gather(ticking, return_exceptions=True)
        os.close(reader)
        with pytest.raises(TransportLost):
            await transport.write(b"x", 500)
        await transport.close(500)

    run(go())


def test_a_job_that_a_stalled_file_took_none_of_is_refused_one_with_some_is_unknown(pipe: Path) -> None:
    """The same full pipe, before and after."""

    async def go() -> None:
        reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
        printer = EscposPrinter("file", FileTransport(str(pipe)))
        assert await printer.submit(job("1", bytes(500_000)), 500) is Outcome.UNKNOWN
        await printer.stop()
        filler = os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(filler, bytes(65_536))
        second = EscposPrinter("file", FileTransport(str(pipe)))
        assert await second.submit(job("2"), 500) is Outcome.REFUSED
        await second.stop()
        os.close(filler)
        os.close(reader)

    run(go())


def test_what_can_not_be_opened_says_why(tmp_path: Path, pipe: Path) -> None:
    """Missing, nobody at the other end, held, and no device at all."""

    async def go() -> None:
        with pytest.raises(TransportAbsent, match="not plugged in"):
            await FileTransport(str(tmp_path / "lp9")).open(1_000)
        with pytest.raises(TransportAbsent, match="nothing reads"):
            await FileTransport(str(pipe)).open(1_000)
        plain = tmp_path / "slips.bin"
        plain.touch()
        with pytest.raises(SettingsError, match="expected a device file"):
            await FileTransport(str(plain)).open(1_000)
        with pytest.raises(TransportLost, match="not open"):
            await FileTransport(str(pipe)).read(1, 10)
        reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
        first, second = FileTransport(str(pipe)), FileTransport(str(pipe))
        await first.open(1_000)
        with pytest.raises(TransportAbsent, match="another program"):
            await second.open(1_000)
        await first.close(500)
        await second.open(1_000)
        await second.close(500)
        os.close(reader)

    run(go())


def test_a_driver_that_hangs_in_its_opening_costs_a_thread_not_the_loop(
    pipe: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The descriptor that comes too late is closed."""
    go_on, closed = threading.Event(), threading.Event()
    real_open, real_undo = os.open, device_file._undo

    def hang(path: str, flags: int) -> int:
        go_on.wait(10)
        return real_open(path, os.O_RDWR | os.O_NONBLOCK)  # a pipe nobody reads

    def undo(opened: tuple[int, bool]) -> None:
        real_undo(opened)
        closed.set()

    async def go() -> None:
        with pytest.raises(TransportAbsent, match="no answer to open"):
            await FileTransport(str(pipe)).open(50)
        go_on.set()
        await until(closed.is_set)

    monkeypatch.setattr(device_file, "_undo", undo)
    monkeypatch.setattr(device_file.os, "open", hang)
    run(go())


def test_answers_come_byte_by_byte_through_a_terminal() -> None:
    """At least one byte a read, nothing when nothing came, and a loss when the other end is gone."""

    async def go() -> None:
        import tty

        master, slave = os.openpty()
        tty.setraw(slave)
        transport = FileTransport(os.ttyname(slave))
        await transport.open(1_000)
        assert not transport.is_one_way
        assert await transport.read(10, 20) == b""
        os.write(master, b"ab")
        got = b""
        while len(got) < 2:
            got += await transport.read(1, 1_000)
        assert got == b"ab"
        await transport.write(b"slip", 1_000)
        assert os.read(master, 10) == b"slip"
        os.close(slave)
        os.close(master)
        with pytest.raises(TransportLost):
            await transport.read(10, 2_000)
        await transport.close(500)

    run(go())
