"""Handing one-time codes to the operator's own program, which knows how to reach a phone.

The program gets one JSON object on standard input: `phone` (E.164), `code`, `language`, `purpose` (register, spend).
Exit status 0 means that the message is on its way. What it prints goes nowhere: it may hold the phone or the code.
"""

import asyncio
import contextlib
import logging
import shlex
from collections.abc import Sequence
from typing import Literal

import msgspec

from till_cloud.confirmations import NewCode

log = logging.getLogger(__name__)

PROGRAMS_AT_ONCE = 4
"""A program that talks to a provider takes a second or two, so this sends more than 100 codes a minute."""

WAITING_LIMIT = 32
"""Codes that wait for a free place; with more the cashier is told at once that none will come."""

PROGRAM_TIMEOUT_S = 10.0
"""A provider that takes longer is out of order, and its message would come when nobody waits for it."""

Outcome = Literal["sent", "failed", "busy"]


class CodeSender:
    """Runs `command` once a code, a few at a time. Belongs to one event loop; `close` ends what still runs."""

    def __init__(self, command: Sequence[str], *, timeout_s: float = PROGRAM_TIMEOUT_S) -> None:
        if not command:
            raise ValueError("expected a program to send codes with, not nothing")
        self._command = tuple(command)
        self._timeout_s = timeout_s
        self._places = asyncio.Semaphore(PROGRAMS_AT_ONCE)
        self._tasks: set[asyncio.Task[Outcome]] = set()

    @classmethod
    def of(cls, text: str) -> "CodeSender":
        """The sender for a command as people write it, quotes and all; ValueError when it can't be read."""
        return cls(shlex.split(text))

    def send(self, code: NewCode) -> "asyncio.Task[Outcome]":
        """Begin; the task ends with what became of it and never raises but by `close`."""
        busy = len(self._tasks) >= PROGRAMS_AT_ONCE + WAITING_LIMIT
        task = asyncio.get_running_loop().create_task(_refuse() if busy else self._run(code), name="cloud-send-code")
        if not busy:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return task

    async def close(self) -> None:
        """End the programs that still run."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, code: NewCode) -> Outcome:
        message = {"phone": code.phone, "code": code.code, "language": code.language, "purpose": code.purpose}
        async with self._places:
            try:
                process = await asyncio.create_subprocess_exec(
                    *self._command,
                    stdin=asyncio.subprocess.PIPE,
                    stdout=asyncio.subprocess.DEVNULL,
                    stderr=asyncio.subprocess.DEVNULL,
                )
            except OSError as error:
                log.error("The program that sends codes can't be started: %s", error.strerror)  # noqa: TRY400 - all said
                return "failed"
            try:
                async with asyncio.timeout(self._timeout_s):
                    await process.communicate(msgspec.json.encode(message) + b"\n")
            except TimeoutError:
                log.error("The program that sends codes did not end within %.0f s", self._timeout_s)  # noqa: TRY400 - all said
                return "failed"
            finally:
                await _end(process)
            if process.returncode:
                log.error("The program that sends codes ended with status %d", process.returncode)
                return "failed"
            return "sent"


async def _refuse() -> Outcome:
    return "busy"


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):  # it may have ended this very moment
            process.kill()
        await process.wait()
