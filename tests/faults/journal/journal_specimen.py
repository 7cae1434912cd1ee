"""A journal to damage: its files as bytes, what is in it, and what the cloud holds of it."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from kit.loops import run
from till_agent.balances import OwnEffects
from till_agent.exceptions import JournalCorrupt
from till_agent.journal import DiskJournal, open_journal
from till_agent.journal.aside import DamageReport
from till_agent.journal.place import OpenReport
from till_agent.ports import Entry
from till_sync.wire import HelloAnswer, WireOp
from unit.agent_stores.stores_kit import TILL, Identity, draft, once, place

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


def check(specimen: Specimen, files: dict[str, bytes], folder: Path) -> tuple[str, int]:
    """Open these files as the agent does, and push. Gives how the damage was noticed, or `harmless`, and how many of
    the waiting ops were lost.

    AssertionError when something that is not as it was written is read or leaves the till, or leaves it twice, or is
    gone without a word.
    """
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)

    async def work() -> tuple[str, int]:
        journal = DiskJournal(place(folder, Identity(1)), OwnEffects(), begins_anew=True)
        await journal.start()
        try:
            report = journal.report
            await _read_all(specimen, report, journal)
            sent = await _push_all(specimen, journal)
            found = list(_reports(folder))
            told = sum(each.salvage.lost + each.salvage.unread for each in found if each.salvage) + report.rows_lost
            lost = _check_sent(specimen, sent)
            assert lost <= told, f"{lost} ops are gone, and a word was said of {told}"
            if not found and not report.reason:
                assert sent[-len(specimen.ops) + ACKED :] == [(1, op) for op in specimen.ops[ACKED:]]
                return "harmless", lost
            assert journal.figures.epoch > 1
            return report.reason if report.reason in ("gap", "missing") else "moved aside", lost
        finally:
            assert await journal.stop()

    try:
        return run(work())
    finally:
        shutil.rmtree(folder)


def _reports(folder: Path) -> Iterator[DamageReport]:
    for path in folder.glob("*.json"):
        yield msgspec.json.decode(path.read_bytes(), type=DamageReport)


async def _push_all(specimen: Specimen, journal: DiskJournal) -> list[tuple[int, WireOp]]:
    """What leaves the till, as a cloud gets it that holds ACKED of the ops."""
    await journal.reconcile(specimen.hello)
    sent: list[tuple[int, WireOp]] = []
    while batch := await journal.next_batch(max_ops=7, max_bytes=10**9, incarnation="i"):
        sent.extend((batch.epoch, op) for op in batch.ops)
        await journal.record(batch.epoch, batch.ops[-1].seq, ())
    return sent


def _check_sent(specimen: Specimen, sent: list[tuple[int, WireOp]]) -> int:
    """Every op that left is as it was written, and left once; gives how many of those that waited did not."""
    bodies = [bytes(op.body) for _epoch, op in sent]
    assert len(bodies) == len(set(bodies)), "an op left the till twice"
    written = {op.seq: op for op in specimen.ops}
    for epoch, op in sent:
        assert epoch > 1 or op == written[op.seq], "what left the till is not what was written"
    assert set(bodies) <= {bytes(op.body) for op in specimen.ops}, "what left the till was never written"
    order = [(epoch, op.seq) for epoch, op in sent]
    assert order == sorted(order), "an epoch began before the one before was through"
    return len({bytes(op.body) for op in specimen.ops[ACKED:]} - set(bodies))


async def _read_all(specimen: Specimen, report: OpenReport, journal: DiskJournal) -> None:
    """Each entry is as it was, or is known to be damaged or lost."""
    for entry in specimen.entries:
        kind, uid = entry.kind, entry.uid
        try:
            found = await journal.read(lambda reader, kind=kind, uid=uid: reader.find(kind, uid))
        except JournalCorrupt:
            continue
        if found is None:
            assert report.reason, f"{uid} is gone without a word"
        elif found.op_id.epoch == 1:
            assert found == entry
        else:
            assert (found.body, found.answer, found.request_digest) == (entry.body, entry.answer, entry.request_digest)
