"""Real TCP printers that are silent, stalled, dead in mid-slip, out of paper, or back after a restart."""

import asyncio
import errno

import pytest

from integration.drivers_printers.printers_rig import drawn_slip, job, names, slip, tcp_simulator, until
from kit.loops import run
from kit.processes import free_port
from till_drivers.exceptions import TransportAbsent, TransportLost, TransportStalled
from till_drivers.ports import DeviceHealth, Outcome
from till_drivers.printers import EscposPrinter
from till_drivers.simulators.printer import PrinterSimulator
from till_drivers.transports import TcpTransport, tcp

SHORT_MS = 1_500
LONG_MS = 10_000
A_QUESTION = 12
"""Bytes that are no slip yet: the question that shows that nothing older is owed."""


def printer_on(port: int) -> EscposPrinter:
    return EscposPrinter("net", TcpTransport("127.0.0.1", port), keep_open=False)


def test_a_slip_is_printed_and_its_cyrillic_reads_back() -> None:
    """By cp866 through the wire, as text on paper."""

    async def go() -> None:
        async with tcp_simulator() as (simulator, port):
            printer = printer_on(port)
            assert await printer.submit(job("А-1", slip("А-1")), LONG_MS) is Outcome.PRINTED
            await printer.stop()
            assert "Чек А-1" in simulator.slips[0].text()
            assert "Строка 2" in simulator.slips[0].text()
            assert simulator.unknown_commands == 0

    run(go())


def test_a_silent_printer_prints_once_and_the_outcome_is_unknown() -> None:
    """No proof: not printed again by the driver, whatever comes."""

    async def go() -> None:
        async with tcp_simulator() as (simulator, port):
            await simulator.behave("silent")
            printer = printer_on(port)
            assert await printer.submit(job("1"), SHORT_MS) is Outcome.UNKNOWN
            await simulator.behave("normal")
            assert await printer.submit(job("2"), LONG_MS) is Outcome.PRINTED
            await printer.stop()
            assert names(simulator) == ["Чек 1", "Чек 2"]

    run(go())


@pytest.mark.parametrize("lines", [3, 400])
def test_a_printer_that_accepts_and_never_reads_is_unknown_and_prints_at_most_once(lines: int) -> None:
    """A short slip vanishes into buffers, a long one stalls; both are in doubt."""

    async def go() -> None:
        async with tcp_simulator() as (simulator, port):
            await simulator.behave("deaf")
            printer = printer_on(port)
            data = drawn_slip("x", lines=lines)
            assert await printer.submit(job("x", data), SHORT_MS) is Outcome.UNKNOWN
            await simulator.behave("normal")
            outcome = Outcome.REFUSED
            while outcome is Outcome.REFUSED:  # its back-off runs after a stall
                outcome = await printer.submit(job("y"), LONG_MS)
                await asyncio.sleep(0.02)
            assert outcome is Outcome.PRINTED
            await printer.stop()
            assert "Чек y" in simulator.slips[-1].text()
            assert simulator.slip_count <= 2

    run(go())


def test_a_printer_that_dies_in_mid_slip_is_unknown_and_works_again_after_its_restart() -> None:
    """The stump stays a stump; the next slip is whole."""

    async def go() -> None:
        async with tcp_simulator() as (simulator, port):
            printer, states = printer_on(port), list[str]()
            printer.watch(lambda health: states.append(health.state))
            await simulator.behave("dies", dies_after=60)
            assert await printer.submit(job("1", slip("1", lines=40)), LONG_MS) is Outcome.UNKNOWN
            assert await printer.submit(job("2"), LONG_MS) is Outcome.REFUSED
            await simulator.behave("normal")
            outcome = Outcome.REFUSED
            while outcome is Outcome.REFUSED:
                outcome = await printer.submit(job("3"), LONG_MS)
                await asyncio.sleep(0.02)
            assert outcome is Outcome.PRINTED
            await printer.stop()
            assert [kept.torn for kept in simulator.slips] == [True, False]
            assert names(simulator)[1] == "Чек 3"
            assert states == ["opening", "ready", "busy", "lost", "opening", "ready", "busy", "ready", "disabled"]

    run(go())


@pytest.mark.parametrize("fault", ["paper-out", "cover-open"])
def test_a_job_before_which_the_fault_was_seen_is_refused_and_leaves_no_byte(fault: str) -> None:
    """Later the same job prints, once."""

    async def go() -> None:
        async with tcp_simulator() as (simulator, port):
            await simulator.behave(fault)
            printer = printer_on(port)
            assert await printer.submit(job("1"), LONG_MS) is Outcome.REFUSED
            assert simulator.received_bytes == 0
            await simulator.behave("normal")
            assert await printer.submit(job("1"), LONG_MS) is Outcome.PRINTED
            await printer.stop()
            assert names(simulator) == ["Чек 1"]

    run(go())


def test_paper_out_in_mid_slip_is_unknown_and_the_slip_comes_later_by_itself() -> None:
    """Even after the socket has closed: the reason why nobody may print it again."""

    async def go() -> None:
        async with tcp_simulator() as (simulator, port):
            printer, seen = printer_on(port), list[DeviceHealth]()
            printer.watch(seen.append)
            await printer.status()
            await simulator.behave("late")
            under_way = asyncio.ensure_future(printer.submit(job("1"), 4_000))
            await until(lambda: simulator.received_bytes > A_QUESTION)
            await simulator.behave("paper-out")
            assert await under_way is Outcome.UNKNOWN
            assert ("fault", "paper out") in [(health.state, health.detail) for health in seen]
            await printer.stop()
            assert names(simulator) == []
            await simulator.behave("normal")
            await until(lambda: simulator.slip_count == 1)
            assert names(simulator) == ["Чек 1"]

    run(go())


def test_paper_added_in_time_ends_in_printed() -> None:
    """The proof comes when the slip does."""

    async def go() -> None:
        async with tcp_simulator() as (simulator, port):
            printer = printer_on(port)
            await printer.status()
            await simulator.behave("late")
            under_way = asyncio.ensure_future(printer.submit(job("1"), LONG_MS))
            await until(lambda: simulator.received_bytes > A_QUESTION)
            await simulator.behave("paper-out")
            await until(lambda: "paper out" in printer._health.health.detail)
            await simulator.behave("normal")
            assert await under_way is Outcome.PRINTED
            await printer.stop()

    run(go())


def test_a_printer_that_is_not_there_is_absent_and_found_when_it_comes() -> None:
    """Starts without its device; the same driver prints later."""

    async def go() -> None:
        port = free_port()
        printer = printer_on(port)
        assert await printer.submit(job("1"), LONG_MS) is Outcome.REFUSED
        assert (await printer.status()).state == "absent"
        simulator = PrinterSimulator()
        await simulator.start_tcp(port)
        while (await printer.status()).state != "ready":
            await asyncio.sleep(0.02)
        assert await printer.submit(job("1"), LONG_MS) is Outcome.PRINTED
        await printer.stop()
        await simulator.stop()

    run(go())


def test_slow_and_nearly_empty_printers_print() -> None:
    """Both prove it; the second is shown as degraded."""

    async def go() -> None:
        async with tcp_simulator() as (simulator, port):
            printer = printer_on(port)
            await simulator.behave("slow")
            assert await printer.submit(job("1"), LONG_MS) is Outcome.PRINTED
            await simulator.behave("near-end")
            assert await printer.submit(job("2"), LONG_MS) is Outcome.PRINTED
            assert (await printer.status()).state == "degraded"
            await printer.stop()
            assert names(simulator) == ["Чек 1", "Чек 2"]

    run(go())


def test_two_programs_can_share_a_network_printer() -> None:
    """Between jobs its only connection is free."""

    async def go() -> None:
        async with tcp_simulator() as (simulator, port):
            first, second = printer_on(port), printer_on(port)
            for number in range(3):
                assert await first.submit(job(f"a{number}"), LONG_MS) is Outcome.PRINTED
                assert await second.submit(job(f"b{number}"), LONG_MS) is Outcome.PRINTED
            await first.stop()
            await second.stop()
            assert names(simulator) == ["Чек a0", "Чек b0", "Чек a1", "Чек b1", "Чек a2", "Чек b2"]

    run(go())


def test_a_stop_in_mid_job_ends_it_as_unknown() -> None:
    """The printer would have taken seconds more."""

    async def go() -> None:
        async with tcp_simulator() as (simulator, port):
            printer = printer_on(port)
            await printer.status()
            await simulator.behave("late")
            under_way = asyncio.ensure_future(printer.submit(job("1"), LONG_MS))
            await until(lambda: simulator.received_bytes > A_QUESTION)
            await printer.stop()
            assert await under_way is Outcome.UNKNOWN

    run(go())


def test_the_transport_tells_nobody_there_from_hung_up_from_not_reading() -> None:
    """Absent, lost, stalled with how much may have gone; and a name is resolved off the loop."""

    async def go() -> None:
        with pytest.raises(TransportAbsent):
            await TcpTransport("127.0.0.1", free_port()).open(1_000)
        async with tcp_simulator() as (simulator, port):
            transport = TcpTransport("localhost", port)
            await transport.open(2_000)
            assert await transport.read(10, 20) == b""
            await simulator.behave("deaf")
            with pytest.raises(TransportStalled) as stalled:
                await transport.write(b"x" * 8_000_000, 200)
            assert 0 < stalled.value.sent < 8_000_000
            await transport.close(100)
            with pytest.raises(TransportLost, match="not connected"):
                await transport.write(b"x", 100)
        async with tcp_simulator() as (simulator, port):
            await simulator.behave("dies", dies_after=1)
            transport = TcpTransport("127.0.0.1", port)
            await transport.open(1_000)
            await transport.write(b"xx", 100)
            with pytest.raises(TransportLost):
                await transport.read(10, 5_000)
            await transport.close(100)

    run(go())


def test_nobody_at_the_port_is_told_by_what_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not by the loop's own words, which are one sentence for all that may be wrong, nor by a system's own language."""

    async def go() -> None:
        port = TcpTransport("127.0.0.1", free_port())
        with pytest.raises(TransportAbsent, match=r"127\.0\.0\.1:[0-9]+: Connection refused$"):
            await port.open(SHORT_MS)

        async def unreachable(*_: object) -> None:
            raise OSError(errno.EHOSTUNREACH, "Connect call failed ('127.0.0.1', 9100)")

        monkeypatch.setattr(tcp, "_connect_to", unreachable)
        with pytest.raises(TransportAbsent, match=r"No route to host$"):
            await port.open(SHORT_MS)

    run(go())
