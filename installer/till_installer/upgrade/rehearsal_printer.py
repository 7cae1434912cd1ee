"""The printer of a rehearsal: our own simulator on a port of this machine, in a thread, gone with this process."""

import asyncio
import threading
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Self, TypeVar

from till_drivers.simulators.printer import PrinterSimulator
from till_installer.upgrade.exceptions import RefusedError

T = TypeVar("T")
CALL_TIMEOUT_S = 30.0


class RehearsalPrinter:
    """Prints for as long as the context lasts, and keeps what came out."""

    def __init__(self) -> None:
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="rehearsal printer", daemon=True)
        self._simulator: PrinterSimulator | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            self._simulator = self._call(_made())
            self.port = self._call(self._simulator.start_tcp())
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self._simulator is not None:
                self._call(self._simulator.stop())
        finally:
            self._end()

    def slip(self, number: int, seconds: float) -> str:
        """The text of the slip that came out as the so-many-th; RefusedError `rehearsal_slip` when none does."""
        simulator = self._simulator
        slip = self._call(simulator.wait(slips=number, seconds=seconds)) if simulator is not None else None
        if slip is None:
            raise RefusedError(
                f"expected a slip from the simulated printer within {seconds:.0f} s of the sale, not none",
                code="rehearsal_slip",
            )
        return slip.text()

    def _call(self, work: "Coroutine[Any, Any, T]") -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(CALL_TIMEOUT_S)

    def _end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(CALL_TIMEOUT_S)
        self._loop.close()


async def _made() -> PrinterSimulator:
    return PrinterSimulator(png="none")
