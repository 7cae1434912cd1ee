"""Judges from a thread of its own whether the sale path lives, feeds the service manager's watchdog while it does, and
ends the process when it does not: whoever started the agent starts it again.

Three parts have to answer: the event loop, the journal's writer thread (through a piece of work that does nothing), and
the bridge (by a request to its own port). Silence is counted in this thread's own ticks, not by a clock: a machine that
slept, stood still or had its clock set has lost ticks of this thread too, and nobody is blamed.
"""

import contextlib
import logging
import os
import socket
import threading
from collections.abc import Callable, Mapping

from till_agent.supervision.dumping import dump
from till_agent.supervision.notifying import Notifier

log = logging.getLogger(__name__)

EXIT_SALE_PATH_DEAD = 70
"""Exit status of a process that ended itself because it could not sell any more."""

TICK_S = 1.0
LOOP_TICKS = 8
"""The longest that our own code keeps the loop is some 50 ms; it leaves time for a start within 15 s of a freeze."""
START_TICKS = 60
"""Until the bridge listens: modules are read from a cold disk on the loop."""
WRITER_DEAD_TICKS = 3
WRITER_TICKS = 8
DISK_TICKS = 60
"""A writer that waits for its disk: a new process would wait for the same disk. Five seconds are nothing unusual."""
BRIDGE_TICKS = 30
"""Not shorter: who opens hundreds of connections may keep the bridge from answering us for a while."""
PROBE_EVERY_TICKS = 5
EXTEND_EVERY_TICKS = 5
EXTEND_S = 20.0
START_LIMIT_TICKS = 900
"""Opening and mending the largest journal takes under a minute; what starts for longer than this never will."""
CONNECT_S = 0.2
ANSWER_BYTES = 512

LOOP, JOURNAL, BRIDGE = "loop", "journal", "bridge"


class Watchdog:
    """One thread. `beat` may be called from any thread; `journal_ticks` gives how long the writer may be silent now.

    `end` ends the process; tests hand in another one.
    """

    def __init__(
        self,
        notifier: Notifier,
        *,
        end: Callable[[int], object] = os._exit,
        tick_s: float = TICK_S,
        journal_ticks: Callable[[], int] = lambda: WRITER_TICKS,
    ) -> None:
        self._notifier = notifier
        self._end = end
        self._tick_s = tick_s
        self.journal_ticks = journal_ticks
        self._silent = {LOOP: 0}
        self._port = 0
        self._probe: socket.socket | None = None
        self._ticks = 0
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)
        self.fed = 0
        """How often the sale path was found alive."""

    def start(self) -> None:
        """Begin; until `ready` the loop alone is watched, and with patience."""
        self._thread.start()

    def ready(self, port: int) -> None:
        """The bridge listens: all parts are watched from now on."""
        self._port = port
        self._silent = {LOOP: 0, JOURNAL: 0, BRIDGE: 0}

    def stop(self) -> None:
        """Watch no more."""
        self._stopped.set()
        if self._thread.is_alive() and threading.current_thread() is not self._thread:
            self._thread.join(2 * CONNECT_S + self._tick_s)
        self._hang_up()

    def beat(self, part: str) -> None:
        """That part answered."""
        self._silent[part] = 0

    @property
    def silent(self) -> Mapping[str, int]:
        """For how many ticks each part has not answered."""
        return dict(self._silent)

    def _run(self) -> None:
        while not self._stopped.wait(self._tick_s):
            self.tick()

    def tick(self) -> None:
        """Look once."""
        self._ticks += 1
        if self._port:
            self._ask_bridge()
        for part in list(self._silent):
            self._silent[part] += 1
        dead = self._dead()
        if dead:
            self._give_up(dead)
            return
        self.fed += 1
        self._notifier.alive()
        if not self._port and self._ticks % EXTEND_EVERY_TICKS == 1 and self._ticks < START_LIMIT_TICKS:
            self._notifier.extend(EXTEND_S)

    def _dead(self) -> list[str]:
        """Parts that were silent for longer than they may be."""
        if not self._port:
            return [LOOP] if self._silent[LOOP] > START_TICKS else []
        limits = {LOOP: LOOP_TICKS, JOURNAL: self.journal_ticks(), BRIDGE: BRIDGE_TICKS}
        # Without its loop nothing else can answer: it alone is to blame then.
        found = [part for part, ticks in self._silent.items() if ticks > limits[part]]
        return [LOOP] if LOOP in found else found

    def _give_up(self, dead: list[str]) -> None:
        # Stopping at this very moment: then nobody sells any more, and that is in order.
        if self._stopped.is_set():
            return
        dump(f"the sale path is dead: no answer of {', '.join(dead)}; the process ends, to be started again")
        self._end(EXIT_SALE_PATH_DEAD)

    def _ask_bridge(self) -> None:
        """Any answer counts, a refusal too. Sent in one tick, looked for in the next ones: nothing here waits."""
        if self._probe is not None:
            with contextlib.suppress(BlockingIOError):
                answered = b""
                with contextlib.suppress(ConnectionError, TimeoutError):
                    answered = self._probe.recv(ANSWER_BYTES)
                if answered.startswith(b"HTTP/1.1 "):
                    self.beat(BRIDGE)
                self._hang_up()
        if self._probe is None and self._ticks % PROBE_EVERY_TICKS == 0:
            with contextlib.suppress(OSError):
                self._probe = socket.create_connection(("127.0.0.1", self._port), CONNECT_S)
                self._probe.sendall(_question(self._port))
                self._probe.setblocking(False)  # noqa: FBT003 - its only argument has no name
        elif self._probe is not None and self._ticks % PROBE_EVERY_TICKS == 0:
            self._hang_up()

    def _hang_up(self) -> None:
        probe, self._probe = self._probe, None
        if probe is not None:
            with contextlib.suppress(OSError):
                probe.close()


def _question(port: int) -> bytes:
    return f"GET /livez HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n".encode()
