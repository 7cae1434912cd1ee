"""What hardware does to a till: codes in pieces and heaps, plugs pulled in mid-code, odd answers, deaf printers.

Each case is a function of its own; its mutant is the same case over a driver with a mistake made on purpose.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from integration.drivers_printers.printers_rig import drawn_slip, job, tcp_simulator, until
from kit.loops import run
from till_config.settings import ScannerSettings
from till_drivers.exceptions import TransportStalled
from till_drivers.ports import Outcome, Scan
from till_drivers.printers import EscposPrinter
from till_drivers.printers.conversation import Conversation
from till_drivers.printers.escpos_status import Proof, StatusProtocol
from till_drivers.scanners import framing
from till_drivers.scanners.framing import Framer
from till_drivers.scanners.serial_scanner import SerialScanner
from till_drivers.simulators.scanner import ScannerSimulator
from till_drivers.transports import SerialTransport, TcpTransport
from till_drivers.transports import serial as serial_transport

pytestmark = [
    pytest.mark.faults,
    pytest.mark.skipif(sys.platform == "win32", reason="needs pseudo-terminals"),
]

JOB_MS = 2_500
LONG_MS = 10_000
LOST_S = 3.0
"""For how long anything is waited for: a mutant never does some of it."""
Case = Callable[[Path], Coroutine[Any, Any, None]]


async def soon(holds: Callable[[], bool], what: str) -> None:
    """Wait for it; AssertionError when it does not come, as over a mutant."""
    try:
        async with asyncio.timeout(LOST_S):
            await until(holds)
    except TimeoutError:
        raise AssertionError(f"waited for {what}") from None


class Till:
    """The serial driver on a simulated scanner, with what it told."""

    def __init__(self, folder: Path) -> None:
        self.scanner = ScannerSimulator(folder / "scanner")
        self.scans: list[Scan] = []
        self.states: list[str] = []

    @property
    def texts(self) -> list[str]:
        return [scan.text for scan in self.scans]

    async def read(self, *pieces: bytes) -> None:
        """Send pieces, each of which the driver has read before the next goes."""
        for piece in pieces:
            self.scanner.send(piece)
            await asyncio.sleep(0.01)
            await soon(lambda: not self.scanner.unread_bytes, "the piece to be read")

    async def told(self, *texts: str) -> None:
        """AssertionError unless these codes are told, and nothing else, in this order."""
        await soon(lambda: len(self.scans) >= len(texts), f"{texts}, not {self.texts}")
        assert self.texts == list(texts)


@asynccontextmanager
async def a_till(folder: Path) -> AsyncIterator[Till]:
    till = Till(folder)
    driver = SerialScanner(ScannerSettings(name="s", port=str(till.scanner.link)))
    till.scanner.plug()
    task = asyncio.create_task(driver.run(till.scans.append, lambda health: till.states.append(health.state)))
    try:
        await until(lambda: "ready" in till.states)
        yield till
    finally:
        await driver.stop()
        await task
        till.scanner.unplug()


async def two_codes_in_one_read(folder: Path) -> None:
    """Both are told."""
    async with a_till(folder) as till:
        await till.read(b"A1\rB2\r")
        await till.told("A1", "B2")


async def one_code_in_three_reads(folder: Path) -> None:
    """It is one code."""
    async with a_till(folder) as till:
        await till.read(b"29000", b"00000", b"018\r")
        await till.told("2900000000018")


async def carriage_return_and_line_feed_apart(folder: Path) -> None:
    """They end one code, not two, and the next begins clean."""
    async with a_till(folder) as till:
        await till.read(b"A1\r", b"\nB2\r", b"\n")
        await till.told("A1", "B2")


async def unplugged_in_mid_code(folder: Path) -> None:
    """What was whole is told, half a code is neither told nor joined to the next; another name is found."""
    async with a_till(folder) as till:
        await till.read(b"WHOLE\rHALF")
        await till.told("WHOLE")
        first = till.scanner.port
        till.scanner.unplug()
        await until(lambda: till.states[-1] == "lost")
        other = ScannerSimulator(folder / "other")
        other.plug()  # takes the old name
        till.scanner.plug()
        assert till.scanner.port != first
        try:
            await soon(lambda: till.states[-1] == "ready", f"it to be found as {till.scanner.port}")
            await till.read(b"NEXT\r")
        finally:
            other.unplug()
        await till.told("WHOLE", "NEXT")


def printer_on(port: int) -> EscposPrinter:
    return EscposPrinter("net", TcpTransport("127.0.0.1", port), keep_open=False)


async def a_status_reply_of_no_byte(_folder: Path) -> None:
    """Silence is no proof: unknown, and on paper once."""
    async with tcp_simulator() as (simulator, port):
        await simulator.behave("silent")
        printer = printer_on(port)
        outcome = await printer.submit(job("1"), JOB_MS)
        await printer.stop()
        assert outcome is Outcome.UNKNOWN, "silence was taken for a proof"
        await until(lambda: simulator.slip_count == 1)


async def a_status_reply_of_two_bytes(_folder: Path) -> None:
    """A printer that says everything twice is understood, and what it says of its paper is never a proof."""
    async with doubling_printer() as (port, spoken):
        printer = printer_on(port)
        outcomes = [await printer.submit(job("1"), LONG_MS)]
        spoken.proves = False
        outcomes.append(await printer.submit(job("2"), JOB_MS))
        spoken.paper = False
        outcomes.append(await printer.submit(job("3"), JOB_MS))
        await printer.stop()
        assert outcomes == [Outcome.PRINTED, Outcome.UNKNOWN, Outcome.REFUSED], "a status was taken for a proof"
        assert spoken.jobs == [b"1", b"2"]


class Spoken:
    """What the doubling printer is like, and the names of the slips that it took."""

    def __init__(self) -> None:
        self.proves = True
        self.paper = True
        self.jobs: list[bytes] = []


@asynccontextmanager
async def doubling_printer() -> AsyncIterator[tuple[int, Spoken]]:
    """Answers `DLE EOT` with two bytes, the second some time after the first."""
    spoken = Spoken()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(4_096):
            if data.startswith(b"\x10\x04"):
                answer = {1: 0x12, 2: 0x12, 4: 0x12} if spoken.paper else {1: 0x1A, 2: 0x32, 4: 0x7E}
                byte = bytes((answer.get(data[2], 0x12),))
                writer.write(byte)
                await asyncio.sleep(0.005)
                writer.write(byte)
                continue
            spoken.jobs += [name for name in (b"1", b"2", b"3") if "Чек ".encode("cp866") + name in data]
            if spoken.proves and data.endswith(b"\x1dr\x01"):
                writer.write(b"\x00")
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], spoken
    finally:
        server.close()


async def a_printer_that_accepts_and_never_reads(_folder: Path) -> None:
    """What may have gone is unknown, and nobody sends it again: what lies in its buffer comes out once."""
    async with tcp_simulator() as (simulator, port):
        await simulator.behave("deaf")
        printer = printer_on(port)
        outcome = await printer.submit(job("x", drawn_slip("x", lines=60)), JOB_MS)
        await printer.stop()
        assert outcome is Outcome.UNKNOWN, "what lies in its buffer would be sent again"
        await simulator.behave("normal")
        await until(lambda: not simulator.received_bytes or not simulator.is_blank or simulator.slip_count == 1)
        assert simulator.slip_count <= 1


Patch = pytest.MonkeyPatch


def takes_one_code_of_a_read(patch: Patch) -> None:
    feed = Framer.feed
    patch.setattr(Framer, "feed", lambda self, data: feed(self, data)[:1])


def takes_a_read_for_a_code(patch: Patch) -> None:
    patch.setattr(Framer, "feed", lambda _self, data: [data.strip()] if data.strip() else [])


def does_not_know_line_feeds(patch: Patch) -> None:
    patch.setattr(framing, "_ENDS", frozenset(b"\r"))


def keeps_half_a_code(patch: Patch) -> None:
    patch.setattr(Framer, "reset", lambda _: None)
    patch.setattr(Framer, "_finish", _finish_without_reset)


def _finish_without_reset(self: Any) -> bytes:
    frame = bytes(self._partial)
    self._partial.clear()
    return frame


def remembers_the_name(patch: Patch) -> None:
    """Of the port, where the link led at first."""
    known: dict[str, str] = {}
    begin = SerialTransport.__init__

    def mutant(self: Any, device: str, **more: Any) -> None:
        more["locate"] = lambda text: known.setdefault(text, str(Path(text).resolve()))
        begin(self, device, **more)

    patch.setattr(SerialTransport, "__init__", mutant)


def takes_silence_for_a_proof(patch: Patch) -> None:
    proof = Conversation.proof

    async def mutant(self: Any, until_ms: int, on_fault: Any) -> Any:
        return await proof(self, until_ms, on_fault) or Proof(near_end=False, end=False)

    patch.setattr(Conversation, "proof", mutant)


def takes_any_byte_for_a_proof(patch: Patch) -> None:
    single = StatusProtocol._single

    def mutant(self: Any, byte: int) -> Any:
        if self._owed:
            self._owed -= 1
            return [Proof(near_end=False, end=False)]
        return single(self, byte)

    patch.setattr(StatusProtocol, "_single", mutant)


def says_that_nothing_went(patch: Patch) -> None:
    write = TcpTransport.write

    async def mutant(self: Any, data: bytes, timeout_ms: int) -> None:
        try:
            await write(self, data, timeout_ms)
        except TransportStalled as exc:
            raise TransportStalled(str(exc), sent=0) from exc

    patch.setattr(TcpTransport, "write", mutant)


CASES: list[tuple[Case, Callable[[Patch], None]]] = [
    (two_codes_in_one_read, takes_one_code_of_a_read),
    (one_code_in_three_reads, takes_a_read_for_a_code),
    (carriage_return_and_line_feed_apart, does_not_know_line_feeds),
    (unplugged_in_mid_code, keeps_half_a_code),
    (unplugged_in_mid_code, remembers_the_name),
    (a_status_reply_of_no_byte, takes_silence_for_a_proof),
    (a_status_reply_of_two_bytes, takes_any_byte_for_a_proof),
    (a_printer_that_accepts_and_never_reads, says_that_nothing_went),
]


@pytest.mark.parametrize("case", dict.fromkeys(case for case, _ in CASES), ids=lambda case: case.__name__)
def test_the_till_stands_it(case: Case, tmp_path: Path) -> None:
    """As the case says."""
    run(case(tmp_path))


@pytest.mark.parametrize(("case", "mutant"), CASES, ids=lambda each: each.__name__)
@pytest.mark.mutants
def test_a_driver_with_this_mistake_is_found_out(
    case: Case, mutant: Callable[[Patch], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By that very case."""
    mutant(monkeypatch)
    with pytest.raises(AssertionError):
        run(case(tmp_path))


class HalfGone:
    """A port of pyserial's that is unplugged between the last byte of a code and the look for more."""

    timeout = 0.0

    def read(self, _size: int) -> bytes:
        return b"\r"

    @property
    def in_waiting(self) -> int:
        raise OSError(5, "Input/output error")


def test_a_byte_that_was_read_as_the_plug_was_pulled_counts() -> None:
    """It may be the end of a code that is complete with it."""
    assert serial_transport._read(HalfGone(), 1_024, 1_000) == b"\r"
