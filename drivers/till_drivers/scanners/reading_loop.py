"""What every scanner that is read does alike: open, read, lose the device, find it again, stop within a second."""

import asyncio
import codecs
from collections.abc import Callable
from typing import Protocol

from till_drivers.clock import MonotonicClock
from till_drivers.exceptions import SettingsError, TransportAbsent, TransportLost
from till_drivers.ports import Clock, DeviceHealth, Scan
from till_drivers.scanners.codes import Code, read_code
from till_drivers.states import Backoff, DeviceState, HealthKeeper

OPEN_TIMEOUT_MS = 3_000
CLOSE_TIMEOUT_MS = 500
"""Stopping leaves a second in all."""
READ_TIMEOUT_MS = 1_000
"""How long a read waits before it looks whether it should stop; a byte ends the wait at once."""
READ_SIZE = 1024
STALE_READS_LIMIT = 16
"""Reads after connecting that throw away what the system kept from before; bounded, should a device never pause."""


class ScannerConfig(Protocol):
    """What the drivers need of their settings (`till_config.settings.ScannerSettings` has it)."""

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
    @property
    def gs1(self) -> bool: ...


class Source(Protocol):
    """Where a scanner's bytes come from: the reading half of `till_drivers.ports.Transport`."""

    async def open(self, timeout_ms: int) -> None: ...
    async def read(self, size: int, timeout_ms: int) -> bytes: ...
    async def close(self, timeout_ms: int) -> None: ...


class Reader(Protocol):
    """A scanner's protocol without I/O: bytes in, codes out."""

    @property
    def pending(self) -> bool:
        """Whether a code has begun and not ended."""
        ...

    def feed(self, data: bytes) -> list[Code]:
        """Codes that `data` completes, in order."""
        ...

    def discard(self, data: bytes) -> None:
        """Bytes from before the device was opened: no codes, and the rest of a code that they cut is none either."""
        ...

    def silence(self) -> list[Code]:
        """Nothing came for the time that is allowed between two pieces of a code."""
        ...

    def reset(self) -> None:
        """Forget an unfinished code: the device is gone or has started anew."""
        ...


class ReadingLoop:
    """Implements `till_drivers.ports.ScannerDriver`; starts without its device and finds it again under any name.

    Codes that were complete before an unplug are told; half a code is thrown away, never joined to what comes later.
    `silence_ms`: how long a code may pause before its reader is told of silence.
    """

    def __init__(
        self, settings: ScannerConfig, source: Source, reader: Reader, *, clock: Clock | None, silence_ms: int
    ) -> None:
        self.device_id = settings.name
        self._encoding = settings.encoding
        self._gs1 = settings.gs1
        self._clock = clock or MonotonicClock()
        self._source = source
        self._reader = reader
        self._silence_ms = silence_ms
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
                await self._source.close(CLOSE_TIMEOUT_MS)
                await self._pause()
        finally:
            await self._source.close(CLOSE_TIMEOUT_MS)
            self._health.move(DeviceState.DISABLED)

    async def stop(self) -> None:
        """End `run` within a second, even in the middle of a read."""
        self._stopping.set()
        await self._source.close(CLOSE_TIMEOUT_MS)

    async def _session(self, emit: Callable[[Scan], None]) -> None:
        await self._source.open(OPEN_TIMEOUT_MS)
        self._health.move(DeviceState.OPENING)
        self._reader.reset()
        for _ in range(STALE_READS_LIMIT):
            if not (stale := await self._source.read(READ_SIZE, 0)):
                break
            self._reader.discard(stale)
        self._backoff.succeeded()
        self._health.move(DeviceState.READY)
        while not self._stopping.is_set():
            is_timed = self._reader.pending
            data = await self._source.read(READ_SIZE, self._silence_ms if is_timed else READ_TIMEOUT_MS)
            codes = self._reader.feed(data) if data else []
            if not data and is_timed:
                codes = self._reader.silence()
            for code in codes:
                self._tell(code, emit)

    def _tell(self, code: Code, emit: Callable[[Scan], None]) -> None:
        reading = read_code(code.raw.decode(self._encoding, errors="replace"), aim=code.aim, gs1=self._gs1)
        now_ms = self._clock.mono_ms()
        if not reading.text:
            return
        self._seq += 1
        emit(
            Scan(
                device_id=self.device_id,
                seq=self._seq,
                at_mono=now_ms,
                raw=code.raw,
                text=reading.text,
                aim=reading.aim,
                symbology=reading.symbology,
                gs1=reading.gs1,
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


def check_settings(settings: ScannerConfig) -> tuple[bytes, bytes]:
    """Prefix and suffix in the scanner's encoding. SettingsError unless it is named and has an encoding for them."""
    if not settings.port and not settings.match:
        raise SettingsError(f"scanner {settings.name!r}: expected port or match, neither is set")
    try:
        codecs.lookup(settings.encoding)
        return settings.prefix.encode(settings.encoding), settings.suffix.encode(settings.encoding)
    except LookupError as exc:
        raise SettingsError(f"scanner {settings.name!r}: expected a known encoding, not {settings.encoding!r}") from exc
    except UnicodeEncodeError as exc:
        raise SettingsError(
            f"scanner {settings.name!r}: expected prefix and suffix in {settings.encoding!r}, not other letters"
        ) from exc
