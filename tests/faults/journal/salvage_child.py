"""A process that opens a damaged journal, to be killed while it does. `salvage_child.py FOLDER [MUTANT]`."""

import asyncio
import sys
from pathlib import Path

from faults.journal import journal_child, journal_mutants
from till_agent.balances import OwnEffects
from till_agent.journal import open_journal


async def main(folder: Path) -> None:
    """Open, sell once, close. The cache includes nothing: what was acknowledged is counted, and no row is old."""
    journal = await open_journal(journal_child.place_in(folder, 0), OwnEffects())
    journal_child.say(f"open {journal.report.reason or 'whole'}")
    await journal_child.sell(journal, "s-new")
    await journal.stop()
    journal_child.say("stopped")


if __name__ == "__main__":
    if len(sys.argv) > 2:
        journal_mutants.break_it(sys.argv[2])
    asyncio.run(main(Path(sys.argv[1])))
