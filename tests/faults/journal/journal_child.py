"""A process whose only work is a journal, to be killed. It writes a line for every answer that it got.

`journal_child.py day FOLDER [MUTANT]` goes through a small day; `journal_child.py zygote FOLDER` makes, for each line
on its input, a child that sells without end, and says when that child is gone (a fork costs a tenth of a start);
`journal_child.py together|alone FOLDER SALES` makes so many sales.
"""

import asyncio
import os
import sys
from pathlib import Path

from faults.journal import journal_mutants
from till_agent.balances import OwnEffects
from till_agent.journal import DiskJournal, EpochKeeper, Place, connect, open_journal, pruning
from till_agent.ports import Draft
from till_sync.asking import HoldAnswer, HoldRequest
from till_sync.wire import OpResult
from unit.agent_stores.stores_kit import TILL, StepClock, draft, once

LARGE = 20_000
SHORT_LOG_BYTES = 96 * 1024
"""Less than the day writes: some commits find room, later ones lengthen the log."""
DAY = tuple(f"s-{number}" for number in range(1, 11))
ACKED = 3
"""Of the day, when the cloud has answered; its first rows are let go of then, as if they were old."""


def say(line: str) -> None:
    """One system call, so that a line is there whole or not at all."""
    os.write(1, line.encode() + b"\n")


def last_epoch(folder: Path) -> int:
    """What stands for the identity file."""
    try:
        return int((folder / "epoch").read_text())
    except (FileNotFoundError, ValueError):
        return 0


def save_epoch(folder: Path, epoch: int) -> None:
    """Durable when it returns."""
    handle = os.open(folder / "epoch", os.O_WRONLY | os.O_CREAT, 0o600)
    os.write(handle, str(epoch).encode())
    os.fsync(handle)
    os.close(handle)


def place_in(folder: Path, acked: int = ACKED) -> Place:
    """The child's journal, with a cache that includes the first `acked` of its first epoch."""
    keeper = EpochKeeper(last_epoch(folder), lambda epoch: save_epoch(folder, epoch))
    path, clock = folder / "journal.db", StepClock()
    return Place(path=path, till=TILL, keeper=keeper, clock=clock, included=lambda: (1, acked))


def draft_of(uid: str) -> Draft:
    """What each sale of the day is, always the same."""
    body = b"x" * LARGE if uid == "s-8" else uid.encode() * 40
    return draft(uid, points=1, body=body, hold="h-1" if uid == "s-7" else "")


async def sell(journal: DiskJournal, uid: str) -> None:
    """One sale, and the word that it is done."""
    try:
        await journal.commit(once(draft_of(uid)))
    except Exception as exc:  # an injected disk error: said, and the day goes on
        say(f"failed {uid} {type(exc).__name__}")
    else:
        say(f"sold {uid}")


async def day(folder: Path) -> None:
    """Sales alone and together, a hold, verdicts, old rows that go, a copy of the log into the file, a stop."""
    pruning.LEAST_DAYS, pruning.NEWEST_ROWS = -1, 1
    journal = await open_journal(place_in(folder), OwnEffects())
    say(f"open {journal.report.reason or 'whole'}")
    await sell(journal, DAY[0])
    try:
        await journal._writer.submit(lambda session: session.make_room(), writes=False)
    except OSError as exc:
        say(f"failed room {type(exc).__name__}")
    for uid in DAY[1:3]:
        await sell(journal, uid)
    await asyncio.gather(*(sell(journal, uid) for uid in DAY[3:6]))
    try:
        hold = HoldRequest(hold="h-1", till=TILL, sale_uid="s-7", member_id="m-1", points=50)
        await journal.holds.remember(hold, 9_000)
        say("hold asked")
        await journal.holds.granted(
            HoldAnswer(hold="h-1", points=50, expires_at_ms=1, server_time_ms=1, balance=90, held=50, position=1), 9_000
        )
        say("hold granted")
    except Exception as exc:
        say(f"failed hold {type(exc).__name__}")
    await sell(journal, "s-7")
    try:
        verdicts = tuple(OpResult(seq=seq, status="applied") for seq in range(1, ACKED + 1))
        await journal.record(journal.figures.epoch, ACKED, verdicts)
        say(f"acked {ACKED}")
    except Exception as exc:
        say(f"failed record {type(exc).__name__}")
    await sell(journal, "s-8")
    try:
        say(f"pruned {await journal.prune(-1)}")
    except Exception as exc:
        say(f"failed prune {type(exc).__name__}")
    try:
        await journal._writer.submit(lambda session: session.checkpoint(), writes=False)
    except Exception as exc:
        say(f"failed checkpoint {type(exc).__name__}")
    for uid in DAY[8:]:
        await sell(journal, uid)
    await journal.stop()
    say("stopped")


async def sell_for_ever(folder: Path, first: int) -> None:
    """Three at a time, so that a kill falls into transactions of several."""
    journal = await open_journal(place_in(folder), OwnEffects())
    say(f"open {journal.report.reason or 'whole'}")
    number = first
    while True:
        await asyncio.gather(*(sell(journal, f"k-{each}") for each in range(number, number + 3)))
        number += 3


async def sell_many(folder: Path, sales: int, *, together: bool) -> None:
    """So many sales, all at once or one after another."""
    journal = await open_journal(place_in(folder), OwnEffects())
    if together:
        await asyncio.gather(*(sell(journal, f"k-{number}") for number in range(sales)))
    else:
        for number in range(sales):
            await sell(journal, f"k-{number}")
    await journal.stop()


def zygote(folder: Path) -> None:
    """One child after another; each is killed from outside."""
    say("ready")
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            asyncio.run(sell_for_ever(folder, int(line)))
            os._exit(1)
        say(f"child {child}")
        os.waitpid(child, 0)
        say("gone")


def main() -> None:
    """See the top."""
    mode, folder = sys.argv[1], Path(sys.argv[2])
    connect.LOG_BYTES = SHORT_LOG_BYTES
    if mode in ("together", "alone"):
        asyncio.run(sell_many(folder, int(sys.argv[3]), together=mode == "together"))
        return
    if len(sys.argv) > 3:
        journal_mutants.break_it(sys.argv[3])
    if mode == "zygote":
        zygote(folder)
    else:
        asyncio.run(day(folder))


if __name__ == "__main__":
    main()
