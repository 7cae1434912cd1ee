"""A raw queue of CUPS, by its own programs: `lpstat` says how the queue is, `lp` hands a slip over.

They speak whatever the machine's CUPS speaks (socket, network, `client.conf`), need no package of ours and no headers
to build one. What they take is in the queue of CUPS, not on paper: the best outcome is ACCEPTED.
"""

import contextlib
import os
import re
import subprocess
from collections.abc import Sequence

from till_drivers.exceptions import SettingsError, TransportAbsent, TransportLost, TransportRefused, TransportStalled
from till_drivers.transports.device_thread import DeviceThread

CALL_GRACE_MS = 1_000
"""For a program that was told to end, to do so."""
END_SECONDS = 0.5
WORDS_LIMIT = 300
"""Letters of what a program says that go into a state's detail."""
TITLE = "Tillside"
"""Title of each job: the queue's list is open to many, so it names neither member nor sale."""
_QUEUE = re.compile(r"[!-.0-~][!-.0-~]{0,126}")
_SAID_NO = (
    ("does not exist", "CUPS has no queue of that name"),
    ("unknown destination", "CUPS has no queue of that name"),
    ("invalid destination", "CUPS has no queue of that name"),
    ("not accepting", "the queue takes no jobs: cupsaccept"),
    ("scheduler not responding", "CUPS is not running"),
)
"""What the programs say, in English, when CUPS said no or was not there to begin with; and in our words."""
_NOT_RUNNING = (
    "scheduler is not running",
    "unable to connect",
    "connection refused",
    "bad file descriptor",
    "transport endpoint is not connected",
    "no such file or directory",
)
"""What they say when the line to CUPS can't be had, or breaks: only before a slip does that mean that nothing went."""


class CupsTransport:
    """The queue of that name, whose slips go as they are. Nothing is read; `open` asks how the queue is.

    Raises SettingsError for what can be no queue's name.
    """

    is_one_way = True

    def __init__(self, queue: str, *, lp: str = "lp", lpstat: str = "lpstat") -> None:
        if not _QUEUE.fullmatch(queue) or queue.startswith("-") or "#" in queue:
            raise SettingsError(f"expected the name of a queue, not {queue!r}")
        self.queue = queue
        self._lp = lp
        self._lpstat = lpstat
        self._is_open = False
        self._running: subprocess.Popen[bytes] | None = None
        self._thread = DeviceThread(f"cups-{queue}")

    async def open(self, timeout_ms: int) -> None:
        """Ask how the queue is. TransportAbsent: no such queue, no CUPS; TransportRefused: it is stopped."""
        await self.close(0)
        try:
            code, said = await self._call([self._lpstat, "-r", "-a", self.queue, "-p", self.queue], b"", timeout_ms)
        except TimeoutError as exc:
            raise TransportAbsent(f"{self.queue}: CUPS gave no answer in {timeout_ms} ms") from exc
        except FileNotFoundError as exc:
            raise TransportAbsent(f"{self.queue}: expected the programs of CUPS (package cups-client)") from exc
        except OSError as exc:
            raise TransportAbsent(f"{self.queue}: {exc.strerror or exc}") from exc
        if any(each in said.lower() for each in _NOT_RUNNING):
            raise TransportAbsent(f"{self.queue}: CUPS is not running")
        if code:
            raise TransportAbsent(f"{self.queue}: {_meaning(said) or _short(said)}")
        if re.search(r"^printer \S+ disabled", said, re.MULTILINE):
            raise TransportRefused(f"{self.queue}: the queue is stopped: cupsenable{_reason(said)}")
        if "not accepting requests" in said:
            raise TransportRefused(f"{self.queue}: the queue takes no jobs: cupsaccept{_reason(said)}")
        self._is_open = True

    async def read(self, size: int, timeout_ms: int) -> bytes:  # noqa: ARG002  # the interface has them
        """A queue has no way back. Raises TransportLost."""
        raise TransportLost(f"{self.queue}: a print queue can't be read")

    async def write(self, data: bytes, timeout_ms: int) -> None:
        """Put `data` into the queue as one job.

        TransportRefused: it did not get there; TransportLost, TransportStalled: nobody knows.
        """
        if not self._is_open:
            raise TransportLost(f"{self.queue}: not open")
        command = [self._lp, "-d", self.queue, "-o", "raw", "-t", TITLE]
        try:
            code, said = await self._call(command, data, timeout_ms)
        except TimeoutError as exc:
            raise TransportStalled(f"{self.queue}: CUPS did not take the slip in time", sent=len(data)) from exc
        except OSError as exc:
            raise TransportRefused(f"{self.queue}: {self._lp}: {exc.strerror or exc}") from exc
        if code == 0:
            return
        if meaning := _meaning(said):
            raise TransportRefused(f"{self.queue}: {meaning}")
        raise TransportLost(f"{self.queue}: {self._lp} ended with {code}: {_short(said)}")

    async def close(self, timeout_ms: int) -> None:  # noqa: ARG002  # a program that is told to end is not waited for
        """End a program that still runs."""
        self._is_open = False
        running = self._running
        if running is not None:
            with contextlib.suppress(OSError):
                running.kill()
        self._thread.end()

    async def _call(self, command: Sequence[str], data: bytes, timeout_ms: int) -> tuple[int, str]:
        """Exit code and what it said. Raises TimeoutError; OSError when the program could not be started."""
        return await self._thread.call(lambda: self._run(command, data, timeout_ms), timeout_ms + CALL_GRACE_MS)

    def _run(self, command: Sequence[str], data: bytes, timeout_ms: int) -> tuple[int, str]:
        import tempfile  # not before a slip: it brings half a megabyte that no till without CUPS needs

        # A file, whole before the program starts: of a pipe that breaks off it would take half a slip for a whole one.
        with tempfile.TemporaryFile() as slip:
            slip.write(data)
            slip.seek(0)
            # Our own fixed command; LC_ALL, because its words are read.
            process = subprocess.Popen(  # noqa: S603
                command,
                stdin=slip,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env={**os.environ, "LC_ALL": "C"},
                start_new_session=True,
            )
            self._running = process
            try:
                said, _ = process.communicate(timeout=timeout_ms / 1000)
            except subprocess.TimeoutExpired as exc:
                process.kill()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.communicate(timeout=END_SECONDS)
                raise TimeoutError from exc
            except OSError as exc:  # it has begun: what it still does nobody sees
                process.kill()
                raise TransportLost(f"{self.queue}: {command[0]}: {exc.strerror or exc}") from exc
            finally:
                self._running = None
                if process.stdout is not None:
                    process.stdout.close()
        return process.returncode, said.decode("utf-8", "replace")


def _meaning(said: str) -> str:
    """Our words for what a program says when not a byte went; "" when that is not known."""
    lowered = said.lower()
    return next((ours for theirs, ours in _SAID_NO if theirs in lowered), "")


def _reason(said: str) -> str:
    """The reason that whoever stopped the queue gave, in brackets; CUPS prints it behind a tab."""
    reasons = [line.strip() for line in said.splitlines() if line.startswith("\t") and line.strip(" \t-")]
    return f" ({_short(reasons[0])})" if reasons else ""


def _short(said: str) -> str:
    return " ".join(said.split())[:WORDS_LIMIT] or "no reason given"
