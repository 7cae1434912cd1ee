"""A journal to damage: its files as bytes, what is in it, and what the cloud holds of it."""

import shutil
from pathlib import Path
from typing import NamedTuple

from till_agent.balances import OwnEffects
from till_agent.exceptions import JournalCorrupt
from till_agent.journal import open_journal
from till_agent.journal.place import OpenReport
from till_agent.ports import Entry
from till_sync.exceptions import HistoryConflict
from till_sync.wire import HelloAnswer, WireOp
from unit.agent_stores.stores_kit import TILL, Identity, draft, once, place, run

ACKED = 12
NAMES = ("journal.db", "journal.db-wal", "journal.db-witness")


class Specimen(NamedTuple):
    """`files` by name; `entries` and `ops` as they were before anything happened to them."""

    files: dict[str, bytes]
    entries: tuple[Entry, ...]
    ops: tuple[WireOp, ...]
    hello: HelloAnswer


def make(folder: Path, sales: int, *, body_bytes: int = 300, log: bool = False) -> Specimen:
    """`sales` of which the cloud holds ACKED; with `log` the files are those of a running agent, not a closed one."""

    folder.mkdir()

    async def work() -> Specimen:
        journal = await open_journal(place(folder), OwnEffects())
        entries = []
        for number in range(sales):
            kind, about = ("return", f"s-{number - 1}") if number % 5 == 4 else ("sale", "")
            body = b"%06d" % number * (body_bytes // 6)
            wanted = draft(f"s-{number}", kind=kind, about_uid=about, points=number, body=body)
            entries.append((await journal.commit(once(wanted))).entry)
        every = await journal.next_batch(max_ops=sales, max_bytes=10**9, incarnation="i")
        first = await journal.next_batch(max_ops=ACKED, max_bytes=10**9, incarnation="i")
        assert every is not None
        assert first is not None
        await journal.record(1, ACKED, ())
        if log:
            files = _read(folder)
        assert await journal.stop()
        if not log:
            files = _read(folder)
        hello = HelloAnswer(
            incarnation="i",
            till=TILL,
            store="s",
            epoch=1,
            acked_seq=ACKED,
            head_hash=first.head_hash,
            server_time_ms=1,
        )
        return Specimen(files, tuple(entries), every.ops, hello)

    specimen = run(work())
    shutil.rmtree(folder)
    return specimen


def _read(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in NAMES if (folder / name).exists()}


def check(specimen: Specimen, files: dict[str, bytes], folder: Path) -> str:
    """Open these files as the agent does, and push. Gives how the damage was noticed, or `harmless`.

    AssertionError when something that is not as it was written is read or leaves the till, or is gone without a word.
    """
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)

    async def work() -> str:
        journal = await open_journal(place(folder, Identity(1)), OwnEffects())
        try:
            report = journal.report
            if report.damage is not None:
                assert report.epoch > 1
                return "moved aside"
            await _read_all(specimen, report, journal)
            try:
                await journal.reconcile(specimen.hello)
                pushed = []
                while await journal.waiting():
                    batch = await journal.next_batch(max_ops=7, max_bytes=10**9, incarnation="i")
                    assert batch is not None
                    pushed.extend((batch.epoch, op) for op in batch.ops)
                    await journal.record(batch.epoch, batch.ops[-1].seq, ())
            except JournalCorrupt:
                return "not pushed"
            except HistoryConflict:
                return "conflict"
            # When the log lost what the cloud had acknowledged, those ops are sent once more.
            first = min(pushed[0][1].seq if pushed else ACKED + 1, ACKED + 1)
            expected = [(1, op) for op in specimen.ops[first - 1 :]]
            assert pushed == expected[: len(pushed)], "what left the till is not what was written"
            if len(pushed) < len(expected):
                assert report.reason in ("gap", "missing"), "ops are gone without a word"
                assert report.epoch == 2
                return report.reason
            assert report.reason == ""
            return "harmless"
        finally:
            assert await journal.stop()

    try:
        return run(work())
    finally:
        shutil.rmtree(folder)


async def _read_all(specimen: Specimen, report: OpenReport, journal) -> None:
    """Each entry is as it was, or is known to be damaged or lost."""
    for entry in specimen.entries:
        kind, uid = entry.kind, entry.uid
        try:
            found = await journal.read(lambda reader, kind=kind, uid=uid: reader.find(kind, uid))
        except JournalCorrupt:
            continue
        if found is None:
            assert report.reason in ("gap", "missing"), f"{uid} is gone without a word"
            assert report.rows_lost > 0
        else:
            assert found == entry
