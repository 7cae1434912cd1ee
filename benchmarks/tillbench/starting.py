"""From the start of the process to the first request that is served, and how much memory stays resident."""

import subprocess
import sys
import time
from pathlib import Path

from till_agent.journal.rebuilding import FACTS_SUFFIX
from till_installer.demo.processes import ready_facts
from tillbench.figures import Series
from tillbench.world import World, agent_words, end, resident_kib, time_start_ms

EMPTY, FULL, CUT_OFF = "empty", "full", "full, after a crash"
SETTLE_S = 5.0
"""After a start the agent loads what the first scan needs and gives back what it used; then memory is looked at."""


class Starts:
    """Starts of the interpreter alone, of an empty till, of a full one, and of a full one that was not stopped in
    order, in turn; milliseconds, KiB of memory."""

    def __init__(self, world: World, full_state: Path, rounds: int) -> None:
        self._world = world
        self._rounds = rounds
        self._states = {EMPTY: world.second_state("state-empty"), FULL: full_state, CUT_OFF: full_state}
        self.python = Series("python -c pass")
        self.ready = {name: Series(f"ready, {name}") for name in self._states}
        self.resident_kib: dict[str, int] = {}

    def run(self) -> None:
        """All rounds, after one that only warms the page cache."""
        for number in range(self._rounds + 1):
            self._one(keep=number > 0, last=number == self._rounds)

    def _one(self, *, keep: bool, last: bool) -> None:
        python_ms = _python_ms()
        if keep:
            self.python.add([python_ms])
        for name, state in self._states.items():
            config = self._world.config("start", state)
            ready = self._world.folder / "start.ready"
            if name == CUT_OFF:
                # All that an orderly stop leaves more than a crash: the journal's log is small in either case.
                (state / f"journal.db{FACTS_SUFFIX}").unlink(missing_ok=True)
            took_ms, child = time_start_ms(agent_words(config, ready), ready)
            try:
                ready_facts(ready)
                if keep:
                    self.ready[name].add([took_ms])
                if last:
                    time.sleep(SETTLE_S)
                    self.resident_kib[name] = resident_kib(child.pid)
            finally:
                end(child)


def _python_ms() -> float:
    """What no Python program can be faster than."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", "pass"], check=True)
    return (time.perf_counter() - started) * 1000
