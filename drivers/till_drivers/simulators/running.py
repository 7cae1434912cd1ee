"""What simulators that are processes of their own share: their end, and the file that says they are ready."""

import asyncio
import contextlib
import signal
from pathlib import Path

import msgspec


class Ending:
    """Waits for a termination signal, Ctrl-C, the end of a time, or `set`."""

    def __init__(self, exit_after: float | None) -> None:
        self._exit_after = exit_after
        self._told = asyncio.Event()

    def listen(self) -> None:
        """Take signals from now on; in the loop's thread."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            with contextlib.suppress(NotImplementedError):  # Windows: Ctrl-C arrives as KeyboardInterrupt instead
                loop.add_signal_handler(number, self._told.set)

    def set(self) -> None:
        """It is time."""
        self._told.set()

    async def wait(self) -> None:
        """Until it is time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._exit_after):
                await self._told.wait()


def write_ready(path: Path, facts: object) -> None:
    """Put the whole file there at once: whoever waits for it never reads half of it."""
    draft = path.with_name(path.name + ".new")
    draft.write_bytes(msgspec.json.encode(facts))
    draft.replace(path)
