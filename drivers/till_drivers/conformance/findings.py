"""What a check found wrong, and the watch that it keeps on the loop, on states and on what is left behind."""

import asyncio
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from till_drivers.exceptions import DriverError
from till_drivers.ports import DeviceHealth
from till_drivers.states import TRANSITIONS, DeviceState

CHANGE_LIMIT_S = 10.0
"""A device that appears or goes is noticed well within this: drivers try again after 5 s at most."""
STOP_LIMIT_S = 3.0
"""The agent asks for one second; the check leaves a busy machine two more."""
BLOCK_LIMIT_S = 2.0
"""The loop serves the cash software: a driver that holds it this long holds a sale."""
BEAT_S = 0.05


class ConformanceError(DriverError):
    """Raised when a driver does not keep what the agent counts on; `findings` are sentences, one for each."""

    def __init__(self, findings: list[str]) -> None:
        super().__init__("\n".join(f"- {each}" for each in findings))
        self.findings = findings


class Watch:
    """Notes findings while a check runs. Entered on the loop; raises ConformanceError at its end if there are any."""

    def __init__(self, device_id: str) -> None:
        self.device_id = device_id
        self.findings: list[str] = []
        self.states: list[DeviceHealth] = []
        self._threads = set(threading.enumerate())
        self._tasks: set[asyncio.Task[object]] = set()
        self._beat: asyncio.Task[None] | None = None
        self._thread_id = threading.get_ident()

    async def __aenter__(self) -> Self:
        self._tasks = set(asyncio.all_tasks())
        self._beat = asyncio.create_task(self._listen_for_beats())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._beat is not None:
            self._beat.cancel()
            await asyncio.gather(self._beat, return_exceptions=True)
        if error is not None:
            return
        left = {task for task in asyncio.all_tasks() - self._tasks if not task.done()} - {asyncio.current_task()}
        if left:
            self.note(f"expected no task after `stop`, not {sorted(task.get_name() for task in left)}")
        # One that was told to go is seen until it had its turn at a processor; only one that stays was left behind.
        if not await self._settled(lambda: not self._new_threads()):
            self.note(f"expected no thread after `stop`, not {sorted(self._new_threads())}")
        if self.findings:
            raise ConformanceError(self.findings)

    def note(self, finding: str) -> None:
        """Something is wrong; said once however often it is seen."""
        if finding not in self.findings:
            self.findings.append(finding)

    def expect(self, condition: object, finding: str) -> None:
        """Note the finding unless the condition holds."""
        if not condition:
            self.note(finding)

    def health(self, health: DeviceHealth) -> None:
        """What the driver calls on each change."""
        if threading.get_ident() != self._thread_id:
            self.note("expected `health` to be called on the loop's thread, not another")
        self.expect(
            health.device_id == self.device_id, f"expected device_id {self.device_id!r}, not {health.device_id!r}"
        )
        if health.state not in {each.value for each in DeviceState}:
            self.note(f"expected a state of till_drivers.states, not {health.state!r}")
            return
        before = self.states[-1] if self.states else None
        now, last = DeviceState(health.state), DeviceState(before.state) if before else DeviceState.DISABLED
        if before is not None and (health.state, health.detail) == (before.state, before.detail):
            self.note(f"expected each change to be told once, not {health.state!r} again")
        elif now is not last and now not in TRANSITIONS[last]:
            self.note(f"expected one of {', '.join(sorted(TRANSITIONS[last]))} after {last}, not {now}")
        self.states.append(health)

    async def until(self, condition: Callable[[], bool], finding: str) -> bool:
        """Wait until it holds; the finding is noted when it does not in time."""
        if await self._settled(condition):
            return True
        self.note(finding)
        return False

    async def _settled(self, condition: Callable[[], bool]) -> bool:
        try:
            async with asyncio.timeout(CHANGE_LIMIT_S):
                while not condition():  # noqa: ASYNC110 - the condition is whatever the check looks at, no event
                    await asyncio.sleep(BEAT_S / 5)
        except TimeoutError:
            return False
        return True

    def _new_threads(self) -> list[str]:
        return [each.name for each in set(threading.enumerate()) - self._threads if not _is_pooled(each)]

    async def _listen_for_beats(self) -> None:
        loop = asyncio.get_running_loop()
        last = loop.time()
        while True:
            await asyncio.sleep(BEAT_S)
            now = loop.time()
            self.expect(now - last < BEAT_S + BLOCK_LIMIT_S, "expected the loop to be free, not held by the driver")
            last = now


def _is_pooled(thread: threading.Thread) -> bool:
    """The loop's own pool for `asyncio.to_thread` keeps its threads."""
    return thread.name.startswith("asyncio_")
