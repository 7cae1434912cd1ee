"""Runs `tillside` and strikes it down once: `python stricken.py HOW FILE TICK_S COMMAND...`.

When FILE appears it is taken away and one part fails as HOW says; the process that is started next lives on.
"""

import asyncio
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

FOR_EVER_S = 3_600.0
STALL_S = 5.0
SLOW_SYNC_S = 0.015

Struck = Callable[[], bool]


def frozen_loop(struck: Struck) -> None:
    """Something on the event loop never comes back."""
    from till_agent import root

    async def mutant() -> None:
        while not struck():
            await asyncio.sleep(0.02)
        time.sleep(FOR_EVER_S)

    root._warm_up = mutant


def dead_writer(struck: Struck) -> None:
    """The journal's thread ends."""
    from till_agent.journal.writer import Writer

    serve = Writer._serve

    def mutant(self: Any, jobs: Any) -> None:
        if struck():
            raise SystemExit
        serve(self, jobs)

    Writer._serve = mutant


def frozen_writer(struck: Struck) -> None:
    """The journal's thread waits for what never comes."""
    from till_agent.journal.writer import Writer

    serve = Writer._serve

    def mutant(self: Any, jobs: Any) -> None:
        if struck():
            time.sleep(FOR_EVER_S)
        serve(self, jobs)

    Writer._serve = mutant


def slow_disk(struck: Struck) -> None:
    """Each commit takes 15 ms, and once 5 s."""
    from till_agent.journal.session import Session

    witness = Session.bear_witness

    def mutant(self: Any) -> None:
        time.sleep(STALL_S if struck() else SLOW_SYNC_S)
        witness(self)

    Session.bear_witness = mutant


def deaf_bridge(struck: Struck) -> None:
    """The bridge takes connections and answers nobody; all else goes on."""
    from till_agent.bridge.guard import Guard

    call = Guard.__call__
    deaf = [False]

    async def mutant(self: Any, *words: Any) -> None:
        deaf[0] = deaf[0] or struck()
        if deaf[0]:
            await asyncio.sleep(FOR_EVER_S)
        await call(self, *words)

    Guard.__call__ = mutant


def main() -> None:
    how, file, tick_s, *words = sys.argv[1:]
    path = Path(file)

    def struck() -> bool:
        try:
            path.unlink()
        except FileNotFoundError:
            return False
        return True

    if how != "well":
        globals()[how](struck)
    from till_agent.supervision.supervising import Supervision

    Supervision.__init__.__kwdefaults__["tick_s"] = float(tick_s)
    from till_config.main import main as tillside

    sys.argv = ["tillside", *words]
    # A fault of the till must not wait for a proxy of the machine that tests it.
    os.environ.setdefault("NO_PROXY", "127.0.0.1")
    tillside()


if __name__ == "__main__":
    main()
