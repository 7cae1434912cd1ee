"""Devices opened by the command itself, while no agent has them. Drivers of other packages are opened like our own."""

import asyncio
import contextlib
from types import TracebackType
from typing import Self

from till_agent.cli.devices_outcome import Teller
from till_agent.devices import SCANNER_GROUP, build
from till_config.settings import ScannerSettings
from till_drivers.ports import DeviceHealth, Scan, ScannerDriver
from till_sync.clock import SystemClock

STOP_S = 3.0
"""Drivers promise to stop within a second."""
SCANS_LIMIT = 64
"""Scans that wait to be looked at; a camera tells four a second."""


class OpenScanner:
    """A scanner's driver that runs while the context lasts. Making it raises SettingsError."""

    def __init__(self, settings: ScannerSettings, *, tell: Teller) -> None:
        self._driver: ScannerDriver = build(SCANNER_GROUP, settings, SystemClock())
        self._name = settings.name
        self._tell = tell
        self._scans: asyncio.Queue[Scan] = asyncio.Queue(SCANS_LIMIT)
        self._task: asyncio.Task[None] | None = None
        self.state = "disabled"
        self.detail = ""

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        stop = asyncio.ensure_future(self._driver.stop())
        tasks = {stop, *([self._task] if self._task is not None else [])}
        _, late = await asyncio.wait(tasks, timeout=STOP_S)
        for task in late:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def next(self, wait_s: float) -> Scan | None:
        """The next scan; None when none came in time, or the driver has ended."""
        waiting = asyncio.ensure_future(self._scans.get())
        ended = self._task
        try:
            async with asyncio.timeout(wait_s):
                await asyncio.wait({waiting, *([ended] if ended else [])}, return_when=asyncio.FIRST_COMPLETED)
        except TimeoutError:
            pass
        finally:
            if not waiting.done():
                waiting.cancel()
                await asyncio.gather(waiting, return_exceptions=True)
        return waiting.result() if waiting.done() and not waiting.cancelled() else None

    async def _run(self) -> None:
        try:
            await self._driver.run(self._emit, self._note)
        except Exception as exc:  # noqa: BLE001 - a third party's driver: what it stumbled over is the test's finding
            self.state, self.detail = "fault", f"its driver failed: {type(exc).__name__}: {exc}"

    def _emit(self, scan: Scan) -> None:
        with contextlib.suppress(asyncio.QueueFull):
            self._scans.put_nowait(scan)

    def _note(self, health: DeviceHealth) -> None:
        if health.state != "disabled":
            self.state, self.detail = health.state, health.detail
            self._tell(f"{self._name}: {health.state}{': ' if health.detail else ''}{health.detail}")
