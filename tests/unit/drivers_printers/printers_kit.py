"""What the printers' unit tests share: a clock that moves only when asked, and a printer port in memory."""

import asyncio

from till_drivers.exceptions import TransportAbsent, TransportLost, TransportStalled
from till_drivers.ports import DeviceHealth

PRINTER, OFFLINE, PAPER, PROOF = b"\x10\x04\x01", b"\x10\x04\x02", b"\x10\x04\x04", b"\x1dr\x01"
ERROR = b"\x10\x04\x03"
FINE = {PRINTER: b"\x12", OFFLINE: b"\x12", PAPER: b"\x12", PROOF: b"\x00"}


class FakeClock:
    """Moves when it is told to, and when a port waits in vain."""

    def __init__(self) -> None:
        self.now = 1_000

    def mono_ms(self) -> int:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += int(seconds * 1000)
        await asyncio.sleep(0)


class MemoryPort:
    """A printer behind a Transport. `answers` says what each request brings; jobs are collected in `printed`."""

    def __init__(self, clock: FakeClock, answers: dict[bytes, bytes] | None = None) -> None:
        self.clock = clock
        self.answers = dict(FINE if answers is None else answers)
        self.is_there = True
        self.takes: int | None = None
        """Bytes of a job that are taken before it stalls."""
        self.dies_in_job = False
        self.hangs_in_job = asyncio.Event()
        self.hangs = False
        self.is_open = False
        self.opens = 0
        self.closes = 0
        self.printed: list[bytes] = []
        self.asked: list[bytes] = []
        self.inbox = bytearray()
        self.on_proof: list[bytes] = []
        """Answers to the next PROOF requests, before `answers` hold again."""

    async def open(self, timeout_ms: int) -> None:
        self.opens += 1
        if not self.is_there:
            raise TransportAbsent("nothing there")
        self.is_open = True

    async def read(self, size: int, timeout_ms: int) -> bytes:
        self._need()
        await asyncio.sleep(0)
        if not self.inbox:
            self.clock.now += timeout_ms
            return b""
        data = bytes(self.inbox[:size])
        del self.inbox[:size]
        return data

    async def write(self, data: bytes, timeout_ms: int) -> None:
        self._need()
        await asyncio.sleep(0)
        if data in (PRINTER, OFFLINE, ERROR, PAPER, PROOF):
            self.asked.append(data)
            answer = self.on_proof.pop(0) if data == PROOF and self.on_proof else self.answers.get(data, b"")
            self.inbox += answer
            return
        if self.takes is not None:
            raise TransportStalled("full", sent=self.takes)
        self.printed.append(data)
        if self.hangs:
            self.hangs_in_job.set()
            await asyncio.Event().wait()
        if self.dies_in_job:
            self.is_open = False
            raise TransportLost("gone")

    async def close(self, timeout_ms: int) -> None:
        self.closes += 1
        self.is_open = False

    def _need(self) -> None:
        if not self.is_open or not self.is_there:
            raise TransportLost("not open")


class Seen:
    """Collects health events."""

    def __init__(self) -> None:
        self.events: list[DeviceHealth] = []

    def __call__(self, health: DeviceHealth) -> None:
        self.events.append(health)

    @property
    def states(self) -> list[str]:
        return [event.state for event in self.events]
