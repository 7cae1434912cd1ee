"""Run by the code of 0.1.0: opens a till's journal as that release does and tells what it finds, as JSON.

Its argument is the state directory.
"""

import asyncio
import json
import sys
from pathlib import Path

from till_agent.balances import OwnEffects
from till_agent.journal import DiskJournal, EpochKeeper, Place, open_journal
from till_sync.clock import SystemClock
from till_sync.identity import IDENTITY_FILE, load_identity, save_identity


async def look(state_dir: Path) -> dict[str, object]:
    path = state_dir / IDENTITY_FILE
    identity = load_identity(path)
    keeper = EpochKeeper(identity.last_epoch, lambda epoch: save_identity(path, load_identity(path).with_epoch(epoch)))
    place = Place(path=state_dir / "journal.db", till=identity.till, keeper=keeper, clock=SystemClock())
    effects = OwnEffects()
    journal: DiskJournal = await open_journal(place, effects)
    try:
        figures, report = journal.figures, journal.report
        batch = await journal.next_batch(max_ops=500, max_bytes=4_000_000, incarnation="")
        return {
            "epoch": figures.epoch,
            "last_seq": figures.last_seq,
            "acked_seq": figures.acked_seq,
            "waiting": figures.waiting,
            "reason": report.reason,
            "damage": "" if report.damage is None else report.damage.code,
            "verified": await journal.verify(),
            "protocol": 0 if batch is None else batch.protocol,
            "open_holds": sorted(stored.hold for stored in journal.holds.unresolved()),
        }
    finally:
        await journal.stop()


if __name__ == "__main__":
    json.dump(asyncio.run(look(Path(sys.argv[1]))), sys.stdout)
