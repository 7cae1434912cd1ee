"""A journal with ops that wait, ways to damage it, and what the next opening makes of it."""

import functools
import sqlite3
from pathlib import Path

import msgspec

from kit.loops import run
from till_agent.journal import EntryReader
from till_agent.journal.aside import DamageReport
from till_agent.journal.place import OpenReport
from till_agent.journal.salvage import Salvage
from till_agent.ports import Entry
from till_sync.wire import PushRequest
from unit.agent_stores.stores_kit import Identity, draft, journal_in, once

PAGE = 4096
POINTS = 5
BODY = b"x" * 3_000
"""Of most of a page: damage to one row leaves its neighbours."""


def fill(
    folder: Path, identity: Identity, count: int, acked: int, *, first: int = 1, kind: str = "sale"
) -> PushRequest:
    """A journal with so many ops, closed; gives all of them as one batch, as they were before the damage."""

    async def work() -> PushRequest:
        async with journal_in(folder, identity) as journal:
            for number in range(first, first + count):
                body = b'{"n":%d,"x":"%s"}' % (number, BODY)
                await journal.commit(once(draft(f"s-{number}", kind=kind, points=POINTS, body=body)))
            batch = await journal.next_batch(max_ops=10**6, max_bytes=10**9, incarnation="i")
            assert batch is not None
            if acked:
                await journal.record(journal.figures.epoch, acked, ())
            return batch

    return run(work())


def spoil(folder: Path, *numbers: int, table: bytes = b"") -> None:
    """Overwrite the middle of the bodies of these sales, wherever they stand in the file."""
    path = folder / "journal.db"
    content = bytearray(path.read_bytes())
    for number in numbers:
        at = content.find(b'{"n":%d,' % number)
        assert at > 0
        content[at + 20 : at + 24] = b"????"
    path.write_bytes(bytes(content))


def destroy_pages(folder: Path, *numbers: int) -> None:
    """Overwrite the pages on which these sales begin, headers and all."""
    path = folder / "journal.db"
    content = bytearray(path.read_bytes())
    for number in numbers:
        at = content.find(b'{"n":%d,' % number)
        assert at > 0
        begin = at // PAGE * PAGE
        content[begin : begin + PAGE] = b"\xa5" * PAGE
    path.write_bytes(bytes(content))


def change(folder: Path, *statements: str) -> None:
    """Change the file behind the journal's back."""
    connection = sqlite3.connect(folder / "journal.db", isolation_level=None)
    connection.execute("DROP TRIGGER IF EXISTS entries_never_change")
    connection.execute("DROP TRIGGER IF EXISTS entries_never_go")
    for statement in statements:
        connection.execute(statement)
    connection.close()


def reopen(folder: Path, identity: Identity) -> OpenReport:
    """Open, check every row, close; what opening found."""

    async def work() -> OpenReport:
        async with journal_in(folder, identity) as journal:
            await journal.verify()
            return journal.report

    return run(work())


def salvage_of(report: OpenReport) -> Salvage:
    """Of a report that must have one."""
    assert report.damage is not None
    assert report.damage.salvage is not None
    return report.damage.salvage


def written(folder: Path, report: OpenReport) -> DamageReport:
    """The report as it stands beside the moved file."""
    assert report.damage is not None
    return msgspec.json.decode((folder / f"{report.damage.moved_to}.json").read_bytes(), type=DamageReport)


def pushed(folder: Path, identity: Identity) -> list[PushRequest]:
    """Every batch that leaves the till now, until nothing waits."""

    async def work() -> list[PushRequest]:
        found = []
        async with journal_in(folder, identity) as journal:
            while batch := await journal.next_batch(max_ops=1000, max_bytes=10**9, incarnation="i"):
                found.append(batch)
                await journal.record(batch.epoch, batch.ops[-1].seq, ())
        return found

    return run(work())


def entries(folder: Path, identity: Identity, *uids: str, kind: str = "sale") -> list[Entry | None]:
    """What the journal knows of these documents."""

    async def work() -> list[Entry | None]:
        async with journal_in(folder, identity) as journal:
            return [await journal.read(functools.partial(_find, kind, uid)) for uid in uids]

    return run(work())


def _find(kind: str, uid: str, reader: EntryReader) -> Entry | None:
    return reader.find(kind, uid)
