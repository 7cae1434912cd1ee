"""A printer that writes each slip into a text file of its own."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from till_drivers.blocks import Block
from till_drivers.clock import MonotonicClock
from till_drivers.exceptions import SettingsError
from till_drivers.ports import Clock, DeviceHealth, Outcome, PrintJob
from till_drivers.printers.text import to_text
from till_drivers.states import DeviceState, HealthKeeper


class TextFilePrinter:
    """`device` of the settings is a folder. The agent makes one with the settings of its section and a clock."""

    def __init__(self, settings, *, clock: Clock | None = None) -> None:
        if not settings.device:
            raise SettingsError(f"printer {settings.name!r}: expected device to be a folder, not ''")
        self.device_id = settings.name
        self._folder = Path(settings.device)
        self._columns = settings.columns
        self._health = HealthKeeper(self.device_id, clock or MonotonicClock())
        self._one_at_a_time = asyncio.Lock()
        self._stopped = False

    def draw(self, blocks: Sequence[Block]) -> bytes:
        """What `submit` will get as data. Without this method it would get ESC/POS."""
        return to_text(blocks, self._columns).encode("utf-8")

    async def status(self) -> DeviceHealth:
        """How the printer is, asked now. Raises nothing."""
        if not self._stopped:
            # A network drive may take its time: never on the loop.
            is_there = await asyncio.to_thread(self._folder.is_dir)
            self._become(
                DeviceState.READY if is_there else DeviceState.ABSENT, "" if is_there else "there is no such folder"
            )
        return self._health.health

    async def submit(self, job: PrintJob, deadline_ms: int) -> Outcome:
        """REFUSED only when nothing of it can have come out; what is in doubt is UNKNOWN. Raises nothing."""
        try:
            async with asyncio.timeout(deadline_ms / 1000), self._one_at_a_time:
                if self._stopped or not await asyncio.to_thread(self._folder.is_dir):
                    return Outcome.REFUSED
                return await asyncio.to_thread(self._write, job)
        except TimeoutError:
            return Outcome.UNKNOWN

    async def stop(self) -> None:
        """Take no more jobs; within a second."""
        self._stopped = True
        self._become(DeviceState.DISABLED)

    def _write(self, job: PrintJob) -> Outcome:
        number = sum(1 for _ in self._folder.glob("slip-*.txt")) + 1
        draft = self._folder / f".slip-{number:06}.part"
        try:
            draft.write_bytes(job.data)
            draft.rename(self._folder / f"slip-{number:06}.txt")
        except OSError:
            return Outcome.REFUSED if not draft.exists() else Outcome.UNKNOWN
        return Outcome.PRINTED

    def _become(self, state: DeviceState, detail: str = "") -> None:
        now = self._health.state
        if state is DeviceState.READY and now in (DeviceState.DISABLED, DeviceState.ABSENT, DeviceState.LOST):
            self._health.move(DeviceState.OPENING)
        if state is DeviceState.ABSENT and now not in (DeviceState.DISABLED, DeviceState.ABSENT):
            state = DeviceState.LOST
        if not (state is DeviceState.ABSENT and now is DeviceState.LOST):
            self._health.move(state, detail)
