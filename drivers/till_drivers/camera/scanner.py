"""The scanner driver `camera`: keeps the camera's process running and hands on what it sees.

Nothing heavy is imported here. The process is started only when there is something to look at, and what keeps it from
working is said as the device's state: packages that are missing, a camera that is not plugged in.
"""

import asyncio
import codecs
import importlib.util
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from till_drivers.camera.devices import locate_camera
from till_drivers.camera.lines import Eyes, Said, Seen, Start
from till_drivers.camera.places import DEVICE, STREAM, kind_of
from till_drivers.camera.process import COMMAND, CameraProcess
from till_drivers.clock import MonotonicClock
from till_drivers.exceptions import SettingsError, TransportAbsent, TransportLost
from till_drivers.ports import Clock, DeviceHealth, Scan
from till_drivers.scanners.codes import read_code
from till_drivers.states import Backoff, DeviceState, HealthKeeper
from till_drivers.transports.device_thread import DeviceThread

FIRST_WORD_MS = 30_000
"""OpenCV is loaded in this time: 0.3 s from a warm disk, some seconds from a cold one on a till."""
SILENCE_MS = 15_000
"""It says each second that it lives, and takes ten at most to open a camera; past that it hangs, in the camera's driver
as a rule."""
STEADY_MS = 10_000
"""A process that has lived for so long is started again soon; one that dies of what it sees at once is not."""
LOOK_TIMEOUT_MS = 2_000
"""For a look whether the file is there; a network folder may not answer."""
MODULES = ("cv2", "numpy", "zxingcpp")
MISSING = "expected the packages of the extra camera: pip install 'tillside[camera]'"


class CameraConfig(Protocol):
    """What the driver needs of its settings (`till_config.settings.ScannerSettings` has it)."""

    @property
    def name(self) -> str: ...
    @property
    def port(self) -> str: ...
    @property
    def match(self) -> str: ...
    @property
    def encoding(self) -> str: ...
    @property
    def gs1(self) -> bool: ...
    @property
    def formats(self) -> tuple[str, ...]: ...
    @property
    def frames_per_second(self) -> int: ...


def packages_are_there() -> bool:
    """Whether what the process imports is installed, without importing it."""
    return all(importlib.util.find_spec(name) is not None for name in MODULES)


class CameraScanner:
    """Implements `till_drivers.ports.ScannerDriver`; its scans are `continuous`.

    A code that stays in view is told up to four times a second, so that the agent knows when it has gone.
    """

    def __init__(
        self,
        settings: CameraConfig,
        *,
        clock: Clock | None = None,
        command: Sequence[str] = COMMAND,
        silence_ms: int = SILENCE_MS,
        has_packages: Callable[[], bool] = packages_are_there,
    ) -> None:
        if bool(settings.port) == bool(settings.match):
            raise SettingsError(f"scanner {settings.name!r}: expected either port or match")
        try:
            codecs.lookup(settings.encoding)
        except LookupError as exc:
            raise SettingsError(
                f"scanner {settings.name!r}: expected a known encoding, not {settings.encoding!r}"
            ) from exc
        self.device_id = settings.name
        self._start = Start(
            port=settings.port,
            match=settings.match,
            encoding=settings.encoding,
            formats=tuple(settings.formats),
            frames_per_second=settings.frames_per_second,
        )
        self._gs1 = settings.gs1
        self._clock = clock or MonotonicClock()
        self._command = tuple(command)
        self._silence_ms = silence_ms
        self._has_packages = has_packages
        self._files = DeviceThread(f"{settings.name} files")
        self._process: CameraProcess | None = None
        self._health = HealthKeeper(self.device_id, self._clock)
        self._backoff = Backoff(self._clock)
        self._stopping = asyncio.Event()
        self._reason = ""
        """Why the process has no pictures, in its own words; they say more than that it has ended."""
        self._seq = 0

    @property
    def process_id(self) -> int | None:
        """Of the camera's process, while one runs."""
        return self._process.pid if self._process is not None else None

    async def run(self, emit: Callable[[Scan], None], health: Callable[[DeviceHealth], None]) -> None:
        """Tell codes until `stop`; `emit` and `health` are called on the loop and must not block."""
        self._health.listen(health)
        try:
            while not self._stopping.is_set():
                session = asyncio.ensure_future(self._session(emit))
                try:
                    await self._unless_stopped(session)
                except (TransportAbsent, TransportLost) as error:
                    self._gone(self._reason or str(error))
                    self._backoff.failed()
                finally:
                    await self._end_process()
                if not self._stopping.is_set():
                    await self._unless_stopped(asyncio.ensure_future(self._clock.sleep(self._backoff.wait_ms / 1000)))
        finally:
            self._files.end()
            self._health.move(DeviceState.DISABLED)

    async def stop(self) -> None:
        """End `run` and the process within a second."""
        self._stopping.set()
        await self._end_process()

    async def _unless_stopped(self, task: "asyncio.Future[None]") -> None:
        """Wait for the task, or cancel it when the driver is to stop."""
        stopping: asyncio.Future[Any] = asyncio.ensure_future(self._stopping.wait())
        waited: set[asyncio.Future[Any]] = {task, stopping}
        try:
            await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
            if not task.done():
                task.cancel()
                await asyncio.wait({task})
        if not task.cancelled():
            task.result()

    async def _session(self, emit: Callable[[Scan], None]) -> None:
        self._reason = ""
        try:
            await self._files.call(self._expect_source, LOOK_TIMEOUT_MS)
        except TimeoutError:
            raise TransportAbsent(f"gives no answer in {LOOK_TIMEOUT_MS} ms") from None
        # By a name of its own: `stop` takes the other away, perhaps in the very turn in which the process speaks.
        process = self._process = CameraProcess(self._start, self._command)
        started_ms = self._clock.mono_ms()
        patience_ms = max(FIRST_WORD_MS, self._silence_ms)
        while True:
            self._take(await process.hear(patience_ms), emit)
            patience_ms = self._silence_ms
            if self._clock.mono_ms() - started_ms >= STEADY_MS:
                self._backoff.succeeded()

    def _expect_source(self) -> None:
        """A look at what costs next to nothing, so that a camera that is not there costs no process either."""
        if not self._has_packages():
            raise TransportAbsent(MISSING)
        port = self._start.port
        if self._start.match:
            if sys.platform != "linux":
                raise TransportAbsent("expected `port`, the camera's number: `match` finds cameras on Linux only")
            locate_camera(self._start.match)
        elif kind_of(port) != STREAM and not port.isdecimal() and not Path(port).exists():
            raise TransportAbsent("not plugged in" if kind_of(port) == DEVICE else "no such file or folder")

    def _take(self, said: Said, emit: Callable[[Scan], None]) -> None:
        if isinstance(said, Eyes):
            self._reason = "" if said.open else said.detail
            if said.open:
                if self._health.state is not DeviceState.READY:
                    self._health.move(DeviceState.OPENING)
                self._health.move(DeviceState.READY, said.detail)
            else:
                self._gone(said.detail)
        elif isinstance(said, Seen) and said.text:
            self._tell(said, emit)

    def _tell(self, seen: Seen, emit: Callable[[Scan], None]) -> None:
        reading = read_code(seen.text, aim=seen.aim, gs1=self._gs1)
        if not reading.text:
            return
        self._seq += 1
        emit(
            Scan(
                device_id=self.device_id,
                seq=self._seq,
                at_mono=self._clock.mono_ms(),
                raw=seen.raw,
                text=reading.text,
                aim=reading.aim,
                symbology=reading.symbology,
                gs1=reading.gs1,
                confirmed_frames=seen.frames,
                continuous=True,
            )
        )

    def _gone(self, detail: str) -> None:
        if self._stopping.is_set():
            return
        was_there = self._health.state not in {DeviceState.DISABLED, DeviceState.ABSENT}
        self._health.move(DeviceState.LOST if was_there else DeviceState.ABSENT, detail)

    async def _end_process(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            await process.end()
