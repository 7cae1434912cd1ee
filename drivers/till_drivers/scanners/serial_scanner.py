"""A barcode scanner on a serial port, USB serial port or pseudo-terminal."""

import asyncio
import codecs
from collections.abc import Callable
from typing import Protocol

from till_drivers.clock import MonotonicClock
from till_drivers.exceptions import SettingsError, TransportAbsent, TransportLost
from till_drivers.ports import Clock, DeviceHealth, Scan, Transport
from till_drivers.scanners.aim import split_aim
from till_drivers.scanners.framing import Framer
from till_drivers.states import Backoff, DeviceState, HealthKeeper
from till_drivers.transports.serial import SerialTransport

OPEN_TIMEOUT_MS = 3_000
CLOSE_TIMEOUT_MS = 500
"""Stopping leaves a second in all."""
READ_TIMEOUT_MS = 1_000
"""How long a read waits before it looks whether it should stop; a byte ends the wait at once."""
READ_SIZE = 1024
STALE_READS_LIMIT = 16
"""Reads after connecting that throw away what the system kept from before; bounded, should a device never pause."""


class ScannerConfig(Protocol):
    """What the driver needs of its settings (`till_config.settings.ScannerSettings` has it)."""

    @property
    def name(self) -> str: ...
    @property
    def port(self) -> str: ...
    @property
    def match(self) -> str: ...
    @property
    def baud_rate(self) -> int: ...
    @property
    def prefix(self) -> str: ...
    @property
    def suffix(self) -> str: ...
    @property
    def encoding(self) -> str: ...
    @property
    def gap_ms(self) -> int: ...


class SerialScanner:
    """Implements `till_drivers.ports.ScannerDriver`; starts without its device and finds it again under any name.

    Codes that were complete before an unplug are told; half a code is thrown away, never joined to what comes later.
    """

    def __init__(
        self,
        settings: ScannerConfig,
        *,
        clock: Clock | None = None,
        transport: Transport | None = None,
    ) -> None:
        if not settings.port and not settings.match:
            raise SettingsError(f"scanner {settings.name!r}: expected port or match, neither is set")
        try:
            codecs.lookup(settings.encoding)
        except LookupError as exc:
            raise SettingsError(
                f"scanner {settings.name!r}: expected a known encoding, not {settings.encoding!r}"
            ) from exc
        self.device_id = settings.name
        self._encoding = settings.encoding
        self._gap_ms = settings.gap_ms
        self._clock = clock or MonotonicClock()
        device = settings.port or f"usb:{settings.match}"
        self._transport = transport or SerialTransport(device, baud_rate=settings.baud_rate)
        self._framer = Framer(
            prefix=settings.prefix.encode(settings.encoding), suffix=settings.suffix.encode(settings.encoding)
        )
        self._health = HealthKeeper(self.device_id, self._clock)
        self._backoff = Backoff(self._clock)
        self._stopping = asyncio.Event()
        self._seq = 0

    async def run(self, emit: Callable[[Scan], None], health: Callable[[DeviceHealth], None]) -> None:
        """Read codes until `stop`; `emit` and `health` are called on the loop and must not block."""
        self._health.listen(health)
        try:
            while not self._stopping.is_set():
                try:
                    await self._session(emit)
                except (TransportAbsent, TransportLost) as error:
                    self._lost(str(error))
                await self._transport.close(CLOSE_TIMEOUT_MS)
                await self._pause()
        finally:
            await self._transport.close(CLOSE_TIMEOUT_MS)
            self._health.move(DeviceState.DISABLED)

    async def stop(self) -> None:
        """End `run` within a second, even in the middle of a read."""
        self._stopping.set()
        await self._transport.close(CLOSE_TIMEOUT_MS)

    async def _session(self, emit: Callable[[Scan], None]) -> None:
        await self._transport.open(OPEN_TIMEOUT_MS)
        self._health.move(DeviceState.OPENING)
        self._framer.reset()
        for _ in range(STALE_READS_LIMIT):
            if not await self._transport.read(READ_SIZE, 0):
                break
        self._backoff.succeeded()
        self._health.move(DeviceState.READY)
        while not self._stopping.is_set():
            wait_ms = self._gap_ms if self._gap_ms and self._framer.pending else READ_TIMEOUT_MS
            data = await self._transport.read(READ_SIZE, wait_ms)
            frames = self._framer.feed(data)
            if not data and self._gap_ms and (rest := self._framer.flush()):
                frames.append(rest)
            for frame in frames:
                self._tell(frame, emit)

    def _tell(self, frame: bytes, emit: Callable[[Scan], None]) -> None:
        labelled = split_aim(frame.decode(self._encoding, errors="replace"))
        now_ms = self._clock.mono_ms()
        if not labelled.text:
            return
        self._seq += 1
        emit(
            Scan(
                device_id=self.device_id,
                seq=self._seq,
                at_mono=now_ms,
                raw=frame,
                text=labelled.text,
                aim=labelled.aim,
                symbology=labelled.symbology,
            )
        )

    def _lost(self, detail: str) -> None:
        if self._stopping.is_set():
            return
        was_there = self._health.state not in {DeviceState.DISABLED, DeviceState.ABSENT}
        self._health.move(DeviceState.LOST if was_there else DeviceState.ABSENT, detail)
        self._backoff.failed()

    async def _pause(self) -> None:
        """Wait for the next try, or for the stop."""
        if self._stopping.is_set():
            return
        waiting = asyncio.ensure_future(self._clock.sleep(self._backoff.wait_ms / 1000))
        stopping = asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait({waiting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
            stopping.cancel()
