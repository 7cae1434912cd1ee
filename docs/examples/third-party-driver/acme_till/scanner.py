"""A scanner that sends each code as a line of text over TCP."""

import asyncio
from collections.abc import Callable

from till_drivers.clock import MonotonicClock
from till_drivers.exceptions import SettingsError
from till_drivers.ports import Clock, DeviceHealth, Scan
from till_drivers.states import Backoff, DeviceState, HealthKeeper

CONNECT_TIMEOUT_S = 3.0
LINE_LIMIT_BYTES = 4096
"""No code is longer; a device that sends no line end must not fill the memory."""


class LineScanner:
    """`port` of the settings is `HOST:PORT`. The agent makes one with the settings of its section and a clock."""

    def __init__(self, settings, *, clock: Clock | None = None) -> None:
        host, _, port = settings.port.rpartition(":")
        if not host or not port.isdecimal():
            # Said when the agent starts, and shown by `tillside devices`; the other devices go on.
            raise SettingsError(f"scanner {settings.name!r}: expected port to be HOST:PORT, not {settings.port!r}")
        self.device_id = settings.name
        self._address = host, int(port)
        self._clock = clock or MonotonicClock()
        # Holds the state, refuses steps that the table of states does not have, and tells each change once.
        self._health = HealthKeeper(self.device_id, self._clock)
        # 0.25 s after the first failure, then longer and longer, up to 5 s.
        self._backoff = Backoff(self._clock)
        self._stopping = asyncio.Event()
        self._seq = 0

    async def run(self, emit: Callable[[Scan], None], health: Callable[[DeviceHealth], None]) -> None:
        """Connect, read lines, connect again, until `stop`. Nothing here may block the loop or raise."""
        self._health.listen(health)
        stopped = asyncio.ensure_future(self._stopping.wait())
        try:
            while not self._stopping.is_set():
                session = asyncio.ensure_future(self._session(emit))
                # `stop` ends the session in the middle of whatever it waits for.
                await asyncio.wait({session, stopped}, return_when=asyncio.FIRST_COMPLETED)
                session.cancel()
                await asyncio.gather(session, return_exceptions=True)
                if not self._stopping.is_set():
                    await asyncio.wait({stopped}, timeout=self._backoff.wait_ms / 1000)
        finally:
            stopped.cancel()
            self._health.move(DeviceState.DISABLED)

    async def stop(self) -> None:
        """End `run`, within a second."""
        self._stopping.set()

    async def _session(self, emit: Callable[[Scan], None]) -> None:
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                reader, writer = await asyncio.open_connection(*self._address, limit=LINE_LIMIT_BYTES)
        except (OSError, TimeoutError) as exc:
            self._gone(str(exc) or "no answer")
            return
        self._health.move(DeviceState.OPENING)
        self._health.move(DeviceState.READY)
        self._backoff.succeeded()
        try:
            while line := await reader.readline():
                if line.endswith(b"\n"):  # half a code, cut off by an unplug, is nobody's
                    self._tell(line.strip(), emit)
            self._gone("hung up")
        except (OSError, ValueError) as exc:  # ValueError: a line beyond the limit
            self._gone(str(exc))
        finally:
            writer.close()

    def _tell(self, raw: bytes, emit: Callable[[Scan], None]) -> None:
        text = raw.decode("utf-8", errors="replace")
        if text:
            self._seq += 1
            emit(Scan(device_id=self.device_id, seq=self._seq, at_mono=self._clock.mono_ms(), raw=raw, text=text))

    def _gone(self, detail: str) -> None:
        was_there = self._health.state not in (DeviceState.DISABLED, DeviceState.ABSENT)
        self._health.move(DeviceState.LOST if was_there else DeviceState.ABSENT, detail)
        self._backoff.failed()
