"""Hours of a busy till in minutes: scans and slips at random, and a hand that pulls plugs out, all from one seed.

What runs is what the agent runs: its `Scanners`, drivers by their entry points, the print queue on disk and its worker,
over a real pseudo-terminal and real TCP, against the simulators. Time is compressed: a second of the shop lasts
1 / SPEED of one, for pauses and back-off; nothing but that is different.
"""

import asyncio
import contextlib
import gc
import json
import os
import random
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import serial
from msgspec import Struct

from integration.drivers_printers.printers_rig import slip
from till_agent.bridge.events import EventHub, Listener
from till_agent.devices import PRINTER_GROUP, Board, Resolved, Scanners, build
from till_config.settings import PrinterSettings, ScannerSettings
from till_drivers.ports import Scan
from till_drivers.simulators.printer import PrinterSimulator
from till_drivers.simulators.scanner import ScannerSimulator, in_pieces
from till_drivers.spool import Spool
from till_drivers.spool_worker import SpoolWorker
from till_sync.clock import SystemClock

SPEED = 20
"""Seconds of the shop in one of ours."""
PAUSE_S = 0.72
"""Between two actions, on average: 10,000 in two hours."""
OUTAGE_S = 3.0
"""How long a plug stays out or a cover open, at most."""
TOUCH_S = 0.004
"""Of ours: within this a read may begin, be under way or be over, so that an unplug meets each."""
PATIENCE_S = 60.0
"""Of ours, for what takes some seconds of the shop."""
NAME = re.compile(r"\bS\d{6}\b")
PRINTERS = ("net", "line")
FAULTS = ("dies", "dies", "unplugged", "unplugged", "paper-out", "cover-open", "silent", "deaf", "late", "jams")
LONG_OUTAGE_S = 25.0
"""Longer than a slip is waited for: it is given up as unknown, and comes when there is paper again."""


class CompressedClock(SystemClock):
    """Runs SPEED times as fast."""

    def mono_ms(self) -> int:
        return super().mono_ms() * SPEED

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / SPEED)


class Weight(Struct, frozen=True):
    """What the process holds at a quiet moment."""

    threads: int
    descriptors: int
    resident_kib: int


class Found(Struct, kw_only=True):
    """What a soak came to."""

    actions: int = 0
    scans: int = 0
    told: int = 0
    cut_off: int = 0
    """Codes on their way when the plug was pulled; some of them are told, some have gone nowhere."""
    unplugs: int = 0
    faults: int = 0
    """Of printers."""
    slips: int = 0
    printed: int = 0
    unknown: int = 0
    missing: int = 0
    """Unknown ones that are not on paper."""
    early: Weight = Weight(0, 0, 0)
    late: Weight = Weight(0, 0, 0)


class Given:
    """What pyserial gave the scanner's driver, a piece for each time that it opened the port."""

    def __init__(self, link: Path) -> None:
        self._link = str(link)
        self.pieces: list[bytearray] = []

    @contextlib.contextmanager
    def noted(self) -> Iterator[None]:
        """Note what is read meanwhile."""
        logs: WeakKeyDictionary[Any, bytearray] = WeakKeyDictionary()
        read = serial.Serial.read

        def noting(port: Any, size: int = 1) -> bytes:
            data: bytes = read(port, size)
            if port.port == self._link:
                if port not in logs:
                    logs[port] = bytearray()
                    self.pieces.append(logs[port])
                logs[port] += data
            return data

        serial.Serial.read = noting
        try:
            yield
        finally:
            serial.Serial.read = read

    def codes(self) -> list[str]:
        """The whole codes in it, told apart by a rule of our own."""
        return [
            code.decode(errors="replace")
            for data in self.pieces
            for code in bytes(data).replace(b"\n", b"\r").split(b"\r")[:-1]
            if code
        ]


async def resolve(scan: Scan) -> Resolved:
    """Everything is a card of nobody; how cards are looked up is not what is tried here."""
    return Resolved(kind="card", text=scan.text)


class SoakShop:
    """A till's devices, and what became of all that was done to them."""

    def __init__(self, folder: Path, seed: int, *, patience_s: float = PATIENCE_S) -> None:
        self.found = Found()
        self.told: list[str] = []
        self.on_paper: Counter[str] = Counter()
        self.outcomes: dict[str, str] = {}
        self._chance = random.Random(seed)
        self._patience_s = patience_s
        self._folder = folder
        self._clock = CompressedClock()
        self._scanner = ScannerSimulator(folder / "scanner")
        self._given = Given(self._scanner.link)
        pace = {"late_seconds": 1.0 / SPEED, "slow_line_seconds": 0.05 / SPEED}
        self._printers = {name: PrinterSimulator(**pace) for name in PRINTERS}
        self._looked_at = dict.fromkeys(PRINTERS, 0)
        self._waiting: set[str] = set()
        """Codes sent and not told yet."""
        self._wanted: set[str] = set()
        """Codes that must be told: sent whole, and no plug pulled before they were told."""
        self._queued: set[str] = set()
        self._mending: dict[str, asyncio.Task[None]] = {}
        events = EventHub(self._clock)
        listener = events.listen()
        assert listener is not None
        self._listener: Listener = listener
        self._board = Board(self._clock, events)
        self._scanners = Scanners(
            (ScannerSettings(name="scanner", port=str(self._scanner.link)),),
            clock=self._clock,
            board=self._board,
            events=events,
            resolve=resolve,
            counted=lambda _device, _kind: None,
        )
        self._spool = Spool(folder / "spool.db")

    async def run(self, actions: int) -> Found:
        """Open, do so many things, wait until all has settled, close."""
        with self._given.noted():
            listening = asyncio.create_task(self._listen())
            await self._open()
            try:
                for number in range(actions):
                    await self._act(number)
                    await self._clock.sleep(self._chance.expovariate(1 / PAUSE_S))
                    if number + 1 == max(1, actions // 5):
                        await self._settle()
                        self.found.early = _weigh()
                await self._settle()
                self.found.late = _weigh()
            finally:
                await self._close()
                await listening
        self._sum_up(actions)
        return self.found

    def check(self) -> None:
        """AssertionError when a promise was broken."""
        self._check_told()
        assert self._wanted <= set(self.told), f"lost without an unplug: {_some(self._wanted - set(self.told))}"
        doubled = {code for code, times in Counter(self.told).items() if times > 1}
        assert not doubled, f"told twice: {_some(doubled)}"
        twice = {name for name, times in self.on_paper.items() if times > 1}
        assert not twice, f"printed twice: {_some(twice)}"
        absent = {name for name, state in self.outcomes.items() if state == "printed" and not self.on_paper[name]}
        assert not absent, f"said to be printed, and not on paper: {_some(absent)}"
        assert len(self.outcomes) == self.found.slips, "a slip has no outcome"

    def _check_told(self) -> None:
        given = self._given.codes()
        assert Counter(self.told) == Counter(given), f"read, not told: {_some(Counter(given) - Counter(self.told))}"
        assert self.told == given, "codes are told in another order than they were read"

    async def _open(self) -> None:
        self._scanner.plug()
        port = await self._printers["net"].start_tcp()
        await self._printers["line"].start_pty(self._folder / "line")
        self._scanners.start()
        self._spool.start()
        settings = (
            PrinterSettings(name="net", driver="tcp", host="127.0.0.1", port=port),
            PrinterSettings(name="line", driver="serial", device=str(self._folder / "line"), baud_rate=115_200),
        )
        drivers = {each.name: build(PRINTER_GROUP, each, self._clock) for each in settings}
        self._worker = SpoolWorker(self._spool, drivers, clock=self._clock, health=self._board.listener("printer"))
        await self._worker.start()
        await self._ready()

    async def _close(self) -> None:
        for task in self._mending.values():
            task.cancel()
        await asyncio.gather(*self._mending.values(), return_exceptions=True)
        await self._worker.stop()
        await asyncio.to_thread(self._spool.stop, 5)
        await self._scanners.stop()
        self._listener.close()
        self._scanner.unplug()
        for simulator in self._printers.values():
            await simulator.stop()

    async def _listen(self) -> None:
        while not self._listener.closed:
            for frame in (await self._listener.next(self._patience_s)).split(b"\n\n"):
                if b"event: scan\n" in frame:
                    code = json.loads(frame.partition(b"data: ")[2])["text"]
                    self.told.append(code)
                    self._waiting.discard(code)

    async def _act(self, number: int) -> None:
        if self._chance.random() < 0.5:
            await self._scan(f"C{number:06d}")
        else:
            self._print(f"S{number:06d}")
        self._look()
        if number % 25 == 0:
            self._collect()

    async def _scan(self, code: str) -> None:
        """One code, whole or in pieces, two at once, behind noise; sometimes the plug is pulled in or behind it."""
        chance = self._chance.random()
        if chance < 0.04:
            self._send(code, f"{code}\r".encode() + b"HALF"[: self._chance.randint(1, 4)])
            await self._pull()
        elif chance < 0.18:
            for piece in in_pieces(f"{code}\r".encode(), self._chance.randint(2, 4)):
                self._send(code, piece)
                await asyncio.sleep(self._chance.random() * TOUCH_S)
        elif chance < 0.26:
            self._send(code, b"")
            self._send(f"{code}B", f"{code}\r{code}B\r".encode())
        elif chance < 0.32:
            self._send(code, f"{code}\r".encode())
            await asyncio.sleep(self._chance.random() * TOUCH_S)
            self._send(code, b"\n")
        elif chance < 0.34:
            self._send(code, bytes(self._chance.choices(range(0x80, 0xFF), k=20)) + f"\r{code}\r".encode())
        else:
            self._send(code, f"{code}\r".encode())
            if chance > 0.96:
                await self._pull()

    def _send(self, code: str, data: bytes) -> None:
        if code not in self._wanted:
            self.found.scans += 1
            self._wanted.add(code)
            self._waiting.add(code)
        self._scanner.send(data)

    async def _pull(self) -> None:
        """Out, at once, soon or when all is told; in again later, sometimes under another name."""
        when = self._chance.random()
        if when < 0.3:
            await self._until(lambda: not self._waiting, "what was scanned to be told")
        elif when < 0.7:
            await asyncio.sleep(self._chance.random() * TOUCH_S)
        self.found.unplugs += 1
        self.found.cut_off += len(self._waiting)
        self._wanted -= self._waiting
        self._waiting.clear()
        self._scanner.unplug()
        other = ScannerSimulator(self._folder / "other")
        if self._chance.random() < 0.3:
            other.plug()
        await self._until(lambda: self._state("scanner") == "lost", "the loss to be noticed")
        await self._clock.sleep(self._chance.random() * OUTAGE_S)
        self._scanner.plug()
        other.unplug()
        await self._ready()  # what is scanned while the till opens the port is stale by design

    def _print(self, name: str) -> None:
        printer = self._chance.choice(PRINTERS)
        self.found.slips += 1
        self._queued.add(name)
        taken = self._spool.enqueue(job_id=name, printer=printer, reference=name, data=lambda: slip(name))
        assert taken.accepted, taken.reason
        is_upset = printer in self._mending and not self._mending[printer].done()
        if self._chance.random() < 0.15 and not is_upset:
            self.found.faults += 1
            self._mending[printer] = asyncio.create_task(self._upset(self._printers[printer]))

    async def _upset(self, simulator: PrinterSimulator) -> None:
        """Something happens to a printer, mostly while it prints; a hand sets it right."""
        fault, after, begins, pause = (
            self._chance.choice(FAULTS),
            self._chance.randint(0, 400),
            self._chance.random() < 0.7,
            self._chance.random() * OUTAGE_S if self._chance.random() < 0.9 else LONG_OUTAGE_S,
        )
        received = simulator.received_bytes
        await simulator.behave("slow")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.2):
                while begins and simulator.received_bytes == received:
                    await asyncio.sleep(0.001)
        await asyncio.sleep(pause / OUTAGE_S * TOUCH_S)
        await simulator.behave(f"{fault}+slow", dies_after=after)
        await self._clock.sleep(pause)
        await simulator.behave("normal")

    def _look(self) -> None:
        """Read what has come out of the printers since the last look."""
        for printer, simulator in self._printers.items():
            news = [kept for kept in simulator.slips if kept.number > self._looked_at[printer]]
            for kept in news:
                assert kept.number == self._looked_at[printer] + 1, "slips were forgotten before they were looked at"
                self._looked_at[printer] = kept.number
                self.on_paper.update(NAME.findall(kept.text()))

    def _collect(self) -> None:
        for name in list(self._queued):
            job = self._spool.get(name)
            assert job is not None, f"the print queue has forgotten {name}"
            if not job.waits and job.state.value not in ("queued", "printing"):
                self.outcomes[name] = job.state.value
                self._queued.discard(name)

    async def _settle(self) -> None:
        """Until nothing is on its way and every device is well."""

        def is_quiet() -> bool:
            self._look()
            self._collect()
            states = [self._state(name) for name in ("scanner", *PRINTERS)]
            return not self._waiting and not self._queued and states == ["ready"] * 3

        await asyncio.gather(*self._mending.values())
        await self._until(is_quiet, "all to settle")

    async def _ready(self) -> None:
        await self._until(lambda: self._state("scanner") == "ready", "the scanner to be ready")

    def _state(self, device: str) -> str:
        return next((each.state for each in self._board.health() if each.device == device), "")

    async def _until(self, holds: Callable[[], bool], what: str) -> None:
        try:
            async with asyncio.timeout(self._patience_s):
                while not holds():
                    await asyncio.sleep(0.002)
        except TimeoutError:
            self._check_told()
            known = f"{self._board.health()}, {_some(self._waiting)}, {_some(self._queued)}"
            raise AssertionError(f"waited {self._patience_s:.0f} s for {what}: {known}") from None

    def _sum_up(self, actions: int) -> None:
        outcomes = Counter(self.outcomes.values())
        self.found.actions, self.found.told = actions, len(self.told)
        self.found.printed, self.found.unknown = outcomes["printed"], outcomes["unknown"]
        self.found.missing = sum(not self.on_paper[name] for name in self.outcomes)


def _weigh() -> Weight:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    resident_kib = pages * os.sysconf("SC_PAGE_SIZE") // 1024
    return Weight(threading.active_count(), len(list(Path("/proc/self/fd").iterdir())), resident_kib)


def _some(names: "set[str] | Counter[str]") -> list[str]:
    return sorted(names)[:5]
