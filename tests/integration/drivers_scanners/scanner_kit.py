"""A scanner driver under test, with what it told."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from till_drivers.ports import DeviceHealth, Scan, ScannerDriver

PATIENCE_S = 10.0


class Counter:
    """A driver and its listener."""

    def __init__(self, driver: ScannerDriver) -> None:
        self.driver = driver
        self.scans: list[Scan] = []
        self.healths: list[DeviceHealth] = []
        self._changed = asyncio.Event()

    def emit(self, scan: Scan) -> None:
        self.scans.append(scan)
        self._changed.set()

    def health(self, health: DeviceHealth) -> None:
        self.healths.append(health)
        self._changed.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    async def ready(self, times: int = 1) -> None:
        await self.until(lambda: self.states.count("ready") == times)

    @property
    def states(self) -> list[str]:
        return [health.state for health in self.healths]

    @property
    def texts(self) -> list[str]:
        return [scan.text for scan in self.scans]

    @property
    def detail(self) -> str:
        return self.healths[-1].detail


@asynccontextmanager
async def running(driver: ScannerDriver) -> AsyncIterator[Counter]:
    """The driver at work; it stops at the end."""
    counter = Counter(driver)
    task = asyncio.create_task(driver.run(counter.emit, counter.health))
    try:
        yield counter
    finally:
        async with asyncio.timeout(PATIENCE_S):
            await driver.stop()
            await task
