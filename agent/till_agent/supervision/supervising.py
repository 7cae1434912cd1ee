"""What the daemon does beside the agent: beats for the watchdog, tells the service manager, times the loop."""

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING

from till_agent.exceptions import AgentError
from till_agent.supervision.notifying import Notifier, notifier
from till_agent.supervision.watchdog import (
    DISK_TICKS,
    JOURNAL,
    LOOP,
    TICK_S,
    WRITER_DEAD_TICKS,
    WRITER_TICKS,
    Watchdog,
)

if TYPE_CHECKING:
    from till_agent.facade import Agent

log = logging.getLogger(__name__)

DELAYS_KEPT = 60
"""Beats whose delay is remembered: a minute."""
STATUS_EVERY = 10
"""Beats between two looks at the line for `systemctl status`."""


class Supervision:
    """One daemon's. `pulse` runs on the loop, the rest in the watchdog's thread."""

    def __init__(self, told: Notifier, *, tick_s: float = TICK_S) -> None:
        self.notifier = told
        self.watchdog = Watchdog(told, tick_s=tick_s, journal_ticks=self._journal_ticks)
        self._tick_s = tick_s
        self._agent: Agent | None = None
        self._probe: asyncio.Future[None] | None = None
        self._delays: deque[float] = deque(maxlen=DELAYS_KEPT)
        self._said = ""
        self.round_trip_s = 0.0
        """Of the last piece of work that did nothing, through the journal's writer."""

    @property
    def delay_s(self) -> float:
        """The longest that the loop came too late within the last minute."""
        return max(self._delays, default=0.0)

    def ready(self, agent: "Agent", port: int) -> None:
        """The bridge listens."""
        self._agent = agent
        self.watchdog.ready(port)
        self.notifier.ready(_line(agent))

    def stopping(self) -> None:
        """It was told to stop: from here on silence is no fault."""
        self.watchdog.stop()
        self.notifier.stopping()

    async def pulse(self, agent: "Agent") -> None:
        """Beat until cancelled. By the real clock: this is about real time."""
        loop = asyncio.get_running_loop()
        beats = 0
        while True:
            self.watchdog.beat(LOOP)
            self._probe_journal(agent)
            if beats % STATUS_EVERY == 0:
                self._tell(agent)
            beats += 1
            due = loop.time() + self._tick_s
            await asyncio.sleep(self._tick_s)
            self._delays.append(max(0.0, loop.time() - due))

    def _probe_journal(self, agent: "Agent") -> None:
        core = agent.open_core
        if core is None:
            # No journal is open, so there is none to wait for; the agent says itself why.
            self._probe = None
            self.watchdog.beat(JOURNAL)
            return
        if self._probe is not None and not self._probe.done():
            return
        begun = time.monotonic()
        # Too much waits, or it is being closed: it has not answered, and is asked again at the next beat.
        with contextlib.suppress(AgentError):
            self._probe = core.journal.probe()
            self._probe.add_done_callback(lambda probe: self._answered(probe, begun))

    def _answered(self, probe: "asyncio.Future[None]", begun: float) -> None:
        """A refusal is an answer too: the thread lives."""
        if probe.cancelled():
            return
        probe.exception()
        self.round_trip_s = time.monotonic() - begun
        self.watchdog.beat(JOURNAL)

    def _journal_ticks(self) -> int:
        """How long the writer may say nothing. Called in the watchdog's thread: reads attributes only."""
        core = self._agent.open_core if self._agent is not None else None
        if core is None:
            return DISK_TICKS
        return {"dead": WRITER_DEAD_TICKS, "disk": DISK_TICKS, "work": WRITER_TICKS}[core.journal.writer_is]

    def _tell(self, agent: "Agent") -> None:
        line = _line(agent)
        if line != self._said:
            self._said = line
            self.notifier.status(line)


@contextlib.contextmanager
def supervised(told: Notifier | None = None) -> Iterator[Supervision]:
    """Watched from the first moment on, whoever it was started by."""
    supervision = Supervision(told or notifier())
    supervision.watchdog.start()
    try:
        yield supervision
    finally:
        supervision.watchdog.stop()


def _line(agent: "Agent") -> str:
    figures = agent.figures_of_journal
    if agent.not_ready or figures is None:
        return f"no sales are taken: {agent.not_ready}"
    line = "" if agent.online else ", no line to the cloud"
    return f"sales are taken, {figures.waiting} operations wait{line}"
