"""Real pseudo-terminal printers, and pyserial's traps."""

import asyncio
import contextlib
import os
import select
import sys
from pathlib import Path

import pytest

from integration.drivers_printers.printers_rig import drawn_slip, job, names, slip, until
from kit.loops import run
from till_drivers.exceptions import SettingsError, TransportAbsent, TransportLost, TransportStalled
from till_drivers.ports import Outcome
from till_drivers.printers import EscposPrinter
from till_drivers.simulators.printer import PrinterSimulator
from till_drivers.transports import DeviceThread, SerialPort, SerialTransport, list_serial_ports, locate_serial_port
from till_drivers.transports.device_thread import HUNG_LIMIT

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs pseudo-terminals")
LONG_MS = 10_000


def printer_on(path: str | Path) -> EscposPrinter:
    return EscposPrinter("serial", SerialTransport(str(path), baud_rate=115_200))


def test_slips_are_printed_over_a_serial_line_and_read_back(tmp_path: Path) -> None:
    """Typed and drawn lines, through the name that a udev rule would give."""

    async def go() -> None:
        simulator, link = PrinterSimulator(), tmp_path / "printer"
        await simulator.start_pty(link)
        printer = printer_on(link)
        assert await printer.submit(job("1"), LONG_MS) is Outcome.PRINTED
        assert await printer.submit(job("2", drawn_slip("2", lines=20)), LONG_MS) is Outcome.PRINTED
        await printer.stop()
        assert "Строка 1" in simulator.slips[0].text()
        assert simulator.slips[1].text().startswith("[picture ")
        assert simulator.unknown_commands == 0
        await simulator.stop()

    run(go())


def test_a_silent_serial_printer_is_unknown_and_never_prints_twice() -> None:
    """It had answered never: the slip goes out once."""

    async def go() -> None:
        simulator = PrinterSimulator()
        path = await simulator.start_pty()
        await simulator.behave("silent")
        printer = printer_on(path)
        assert await printer.submit(job("1"), 1_200) is Outcome.UNKNOWN
        await simulator.behave("normal")
        assert await printer.submit(job("2"), LONG_MS) is Outcome.PRINTED
        await printer.stop()
        assert names(simulator) == ["Чек 1", "Чек 2"]
        await simulator.stop()

    run(go())


def test_a_serial_printer_that_never_reads_stalls_the_job_not_the_loop() -> None:
    """UNKNOWN at the deadline; the loop has gone round all the time."""

    async def go() -> None:
        simulator = PrinterSimulator()
        path = await simulator.start_pty()
        await simulator.behave("deaf")
        printer = printer_on(path)
        rounds = 0
        under_way = asyncio.ensure_future(printer.submit(job("1", drawn_slip("1", lines=60)), 1_200))
        while not under_way.done():
            rounds += 1
            await asyncio.sleep(0.01)
        assert under_way.result() is Outcome.UNKNOWN
        assert rounds > 20
        await printer.stop()
        await simulator.stop()

    run(go())


def test_an_unplugged_printer_is_lost_and_found_again_under_another_name(tmp_path: Path) -> None:
    """The link leads to a new device; spare terminals make sure that its name is another."""

    async def go() -> None:
        simulator, link = PrinterSimulator(), tmp_path / "printer"
        first = await simulator.start_pty(link)
        printer, states = printer_on(link), list[str]()
        printer.watch(lambda health: states.append(health.state))
        await simulator.behave("dies", dies_after=80)
        assert await printer.submit(job("1", slip("1", lines=40)), LONG_MS) is Outcome.UNKNOWN
        spares = list[int]()
        for _ in range(20):  # whoever else opens one on this machine, the old name is taken then
            spares += os.openpty()
            if os.ttyname(spares[-1]) == first:
                break
        await simulator.behave("normal")
        assert str(link.readlink()) != first
        outcome = Outcome.REFUSED
        while outcome is Outcome.REFUSED:
            outcome = await printer.submit(job("2"), LONG_MS)
            await asyncio.sleep(0.02)
        assert outcome is Outcome.PRINTED
        await printer.stop()
        assert [(kept.torn, kept.text().split()[1]) for kept in simulator.slips] == [(True, "1"), (False, "2")]
        assert states[:4] == ["opening", "ready", "busy", "lost"]
        for descriptor in spares:
            os.close(descriptor)
        await simulator.stop()

    run(go())


def test_a_port_is_held_alone() -> None:
    """A second program that asks is told so."""

    async def go() -> None:
        master, slave = os.openpty()
        path = os.ttyname(slave)
        first, second = SerialTransport(path), SerialTransport(path)
        await first.open(1_000)
        with pytest.raises(TransportAbsent):
            await second.open(1_000)
        await first.close(500)
        await second.open(1_000)
        await second.close(500)
        os.close(master)
        os.close(slave)

    run(go())


def test_a_close_wakes_a_read_that_runs_in_the_thread() -> None:
    """pyserial fails with TypeError there; the reader is told that the port is gone, or got nothing."""

    async def go() -> None:
        master, slave = os.openpty()
        transport = SerialTransport(os.ttyname(slave))
        await transport.open(1_000)
        reading = asyncio.ensure_future(transport.read(100, 20_000))
        await asyncio.sleep(0.05)
        await transport.close(500)
        with contextlib.suppress(TransportLost):
            assert await reading == b""
        with pytest.raises(TransportLost, match="not open"):
            await transport.read(1, 10)
        os.close(master)
        os.close(slave)

    run(go())


def test_an_unplug_during_a_read_is_told_as_lost() -> None:
    """OSError from the depths of pyserial becomes ours."""

    async def go() -> None:
        master, slave = os.openpty()
        transport = SerialTransport(os.ttyname(slave))
        await transport.open(1_000)
        reading = asyncio.ensure_future(transport.read(100, 20_000))
        await asyncio.sleep(0.05)
        os.close(slave)
        os.close(master)
        with pytest.raises(TransportLost):
            await reading
        with pytest.raises(TransportLost):
            await transport.write(b"x", 100)
        await transport.close(500)

    run(go())


def test_bytes_that_came_together_are_read_together_and_in_order() -> None:
    """At least one byte, up to the size asked for; b"" in silence."""

    async def go() -> None:
        master, slave = os.openpty()
        transport = SerialTransport(os.ttyname(slave))
        await transport.open(1_000)
        assert await transport.read(10, 20) == b""
        os.write(master, b"0123456789abc\n")
        got = b""
        while len(got) < 14:
            piece = await transport.read(10, 1_000)
            assert 0 < len(piece) <= 10
            got += piece
        assert got == b"0123456789abc\n"
        await transport.write(b"answer", 500)
        assert select.select([master], [], [], 1)[0]
        assert os.read(master, 10) == b"answer"
        await transport.close(500)
        os.close(master)
        os.close(slave)

    run(go())


def test_a_stalled_write_says_how_much_may_have_gone() -> None:
    """No room at all: 0 bytes, so that the job may be refused."""

    async def go() -> None:
        master, slave = os.openpty()
        transport = SerialTransport(os.ttyname(slave))
        await transport.open(1_000)
        with pytest.raises(TransportStalled) as first:
            await transport.write(b"x" * 200_000, 300)
        assert 0 < first.value.sent < 200_000
        sent = -1
        while sent != 0:  # the kernel makes a little room after the first stall, when it gets to it
            try:
                await transport.write(b"x", 100)
            except TransportStalled as second:
                sent = second.sent
        await transport.close(500)
        os.close(master)
        os.close(slave)

    run(go())


def test_a_port_is_named_by_path_or_by_what_it_is(tmp_path: Path) -> None:
    """Absent devices and malformed names are told apart."""
    with pytest.raises(TransportAbsent, match="not plugged in"):
        locate_serial_port(str(tmp_path / "none"))
    with pytest.raises(TransportAbsent, match="not plugged in"):
        locate_serial_port("usb:ffff:fffe:NONE")
    for wrong in ("", "usb:12", "usb:zzzz:0001"):
        with pytest.raises(SettingsError, match="expected"):
            locate_serial_port(wrong)
    assert locate_serial_port(str(tmp_path)) == str(tmp_path)
    assert isinstance(list_serial_ports(), list)
    port = SerialPort(device="/dev/ttyACM0", by_id="/dev/serial/by-id/x", vid=0x0C2E, pid=0x0B61, serial_number="S1")
    assert port.match == "usb:0c2e:0b61:S1"
    assert SerialPort(device="/dev/ttyS0").match == "/dev/ttyS0"


def test_a_call_that_hangs_in_a_driver_is_left_behind_and_only_so_often() -> None:
    """The loop goes on; the device is given up when HUNG_LIMIT threads hang; late results are undone."""
    import threading

    async def go() -> None:
        thread, release, undone = DeviceThread("test"), threading.Event(), list[str]()

        def hang() -> str:
            release.wait(20)
            return "late"

        for _ in range(HUNG_LIMIT):
            with pytest.raises(TimeoutError):
                await thread.call(hang, 20, undo=undone.append)
        with pytest.raises(TransportLost, match="hanging"):
            await thread.call(lambda: "x", 1_000)
        release.set()
        await until(lambda: len(undone) == HUNG_LIMIT)
        assert await thread.call(lambda: "x", 1_000) == "x"
        thread.end()

    run(go())
