"""The camera's process as the agent sees it: started, listened to line by line, ended.

A thread reads its lines, which works with every event loop of every system. The agent's end of the process's input is
all that keeps it alive.
"""

import asyncio
import contextlib
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Sequence

from till_drivers.camera.lines import LINE_LIMIT_BYTES, Said, Start, line, parse_said
from till_drivers.exceptions import ProtocolError, TransportLost

COMMAND = (sys.executable, "-m", "till_drivers.camera.child")
WAITING_LIMIT = 256
"""Lines that wait for the loop, of which the oldest go first; a full view of codes four times a second is less."""
END_WITHIN_S = 0.3
"""A process that does not end is killed after this, and left to the system after twice this: stopping has a second."""
_POLL_S = 0.01

_WINDOWS_FLAGS = getattr(subprocess, "CREATE_NO_WINDOW", 0) | getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)


class CameraProcess:
    """One run of the camera's process. Made and used on the loop; `end` may be called twice."""

    def __init__(self, start: Start, command: Sequence[str] = COMMAND) -> None:
        self._loop = asyncio.get_running_loop()
        self._said: deque[Said] = deque(maxlen=WAITING_LIMIT)
        self._news = asyncio.Event()
        self._why = ""
        try:
            self._process = subprocess.Popen(  # noqa: S603  # our own interpreter and module
                list(command),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,  # libraries may quote what they read
                start_new_session=True,  # a Ctrl-C at the agent's terminal is the agent's
                creationflags=_WINDOWS_FLAGS,
            )
        except OSError as exc:
            raise TransportLost(f"the camera's process can't be started: {exc.strerror or exc}") from exc
        if self._process.stdin is None or self._process.stdout is None:  # never: both were asked for
            raise TransportLost("the camera's process has no pipes")
        self._input, self._output = self._process.stdin, self._process.stdout
        with contextlib.suppress(OSError):  # it has ended already, which the reader notices
            self._input.write(line(start))
            self._input.flush()
        self._reader = threading.Thread(target=self._read, name="camera", daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    async def hear(self, timeout_ms: int) -> Said:
        """What it says next. TransportLost when it has ended, or says nothing for so long, or nonsense."""
        try:
            async with asyncio.timeout(timeout_ms / 1000):
                while not self._said:
                    if self._why:
                        raise TransportLost(self._why)
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            # The loop, held up by something else, may hear of a line and of the deadline in one turn.
            if not self._said:
                raise TransportLost(f"the camera's process says nothing for {timeout_ms} ms") from None
        return self._said.popleft()

    async def end(self) -> None:
        """Close its input, by which it ends; kill it if it does not."""
        with contextlib.suppress(OSError):
            self._input.close()
        if not await self._is_over(END_WITHIN_S):
            self._process.kill()
            await self._is_over(END_WITHIN_S)

    async def _is_over(self, within_s: float) -> bool:
        """Whether the process has ended and its last line was read, waiting for it."""
        until = time.monotonic() + within_s
        while self._process.poll() is None or self._reader.is_alive():
            if time.monotonic() >= until:
                return False
            await asyncio.sleep(_POLL_S)
        return True

    def _read(self) -> None:
        """Runs in the thread until the process's output ends."""
        why = "the camera's process has ended"
        try:
            while data := self._output.readline(LINE_LIMIT_BYTES + 1):
                if not self._tell(parse_said(data), ""):
                    break
        except ProtocolError as exc:
            why = str(exc)
        self._output.close()
        self._tell(None, why)

    def _tell(self, said: Said | None, why: str) -> bool:
        """Hand it to the loop; False when there is no loop any more."""

        def take() -> None:
            if said is not None:
                self._said.append(said)
            self._why = self._why or why
            self._news.set()

        try:
            self._loop.call_soon_threadsafe(take)
        except RuntimeError:
            return False
        return True
