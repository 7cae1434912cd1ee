"""A camera driver under test with what it told, and an MJPEG server on loopback."""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from till_config.settings import ScannerSettings
from till_drivers.camera.scanner import CameraScanner
from till_drivers.ports import DeviceHealth, Scan

PATIENCE_S = 40.0
"""A process with OpenCV takes half a second to start, and many times that on a busy machine."""


class Counter:
    """A cash desk's camera driver."""

    def __init__(
        self, port: Path | str, *, command: tuple[str, ...] = (), silence_ms: int = 0, **settings: Any
    ) -> None:
        extra: dict[str, Any] = {"command": command} if command else {}
        if silence_ms:
            extra["silence_ms"] = silence_ms
        self.driver = CameraScanner(ScannerSettings(name="c1", driver="camera", port=str(port), **settings), **extra)
        self.scans: list[Scan] = []
        self.health: list[DeviceHealth] = []
        self._changed = asyncio.Event()

    def emit(self, scan: Scan) -> None:
        self.scans.append(scan)
        self._changed.set()

    def note(self, health: DeviceHealth) -> None:
        self.health.append(health)
        self._changed.set()

    @property
    def states(self) -> list[str]:
        return [each.state for each in self.health]

    @property
    def texts(self) -> set[str]:
        return {scan.text for scan in self.scans}

    async def until(self, condition: Callable[[], bool], *, patience_s: float = PATIENCE_S) -> None:
        async with asyncio.timeout(patience_s):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    async def process_id(self) -> int:
        """Of the camera's process, as soon as there is one."""
        async with asyncio.timeout(PATIENCE_S):
            while self.driver.process_id is None:
                await asyncio.sleep(0.01)
        return self.driver.process_id


@asynccontextmanager
async def running(counter: Counter) -> AsyncIterator[Counter]:
    """The driver runs; it is stopped at the end, whatever happens."""
    task = asyncio.create_task(counter.driver.run(counter.emit, counter.note))
    try:
        yield counter
    finally:
        async with asyncio.timeout(PATIENCE_S):
            await counter.driver.stop()
            await task


def play(day: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run the test's coroutine."""
    asyncio.run(day())


def is_gone(pid: int) -> bool:
    """Whether that process runs no more. One whose parent was killed may wait for init to take note of its end."""
    try:
        return Path(f"/proc/{pid}/stat").read_text("ascii", "replace").rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True


class StreamServer:
    """Serves one prepared answer, byte for byte, to each who connects, then goes on as it is told to."""

    def __init__(self, head: bytes, parts: Callable[[], bytes | None], *, pause_s: float = 0.05) -> None:
        self._head, self._parts, self._pause_s = head, parts, pause_s
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._over = threading.Event()
        self.requests: list[bytes] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._listener.getsockname()[1]}"

    def close(self) -> None:
        self._over.set()
        self._listener.close()
        self._thread.join(PATIENCE_S)

    def _serve(self) -> None:
        self._listener.settimeout(0.1)
        while not self._over.is_set():
            try:
                peer, _ = self._listener.accept()
            except TimeoutError:
                continue
            except OSError:
                return
            with peer:
                peer.settimeout(5)
                try:
                    self.requests.append(peer.recv(65_536))
                    peer.sendall(self._head)
                    while not self._over.is_set() and (data := self._parts()) is not None:
                        peer.sendall(data)
                        self._over.wait(self._pause_s)
                except OSError:
                    continue
