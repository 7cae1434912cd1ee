"""Starts journal children, under strace too, and checks what they leave behind."""

import functools
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from faults.journal import journal_child
from faults.journal.journal_nest import live_under
from kit.loops import run
from till_agent.balances import OwnEffects
from till_agent.journal import EntryReader, open_journal, schema
from till_agent.journal.exceptions import UidForgotten
from till_agent.journal.marks import mark_of
from till_agent.journal.place import OpenReport
from till_agent.journal.session import Session
from till_agent.ports import Entry
from unit.agent_stores.stores_kit import once

TESTS = Path(__file__).resolve().parents[2]
CHILD = TESTS / "faults" / "journal" / "journal_child.py"
WAIT_SECONDS = 60


def environment() -> dict[str, str]:
    """The child finds the tests' helpers."""
    return os.environ | {"PYTHONPATH": str(TESTS), "PYTHONDONTWRITEBYTECODE": "1"}


@functools.cache
def can_trace() -> bool:
    """Is there an strace that may trace and inject?"""
    if shutil.which("strace") is None:
        return False
    probe = ["strace", "-f", "-qq", "-e", "trace=fdatasync", "-e", "inject=fdatasync:error=EIO:when=9", "true"]
    return subprocess.run(probe, capture_output=True, check=False, timeout=WAIT_SECONDS).returncode == 0


MUST_TRACE = bool(os.environ.get("TILLSIDE_MUST_TRACE"))
"""CI lets no test be left out for want of strace: they fail instead."""

needs_strace = pytest.mark.skipif(not (MUST_TRACE or can_trace()), reason="strace is not there, or may not trace here")


def child_command(mode: str, folder: Path, mutant: str = "") -> list[str]:
    """How a child is started."""
    return [sys.executable, str(CHILD), mode, str(folder), *([mutant] if mutant else [])]


def traced_day(folder: Path, *options: str, mutant: str = "") -> list[str]:
    """The lines that a day wrote under strace with these options; it may have been killed."""
    return live_under("day", folder, options, mutant)


def syncs_of(folder: Path, mode: str, sales: int) -> int:
    """How often a child that makes so many sales in this mode asks the disk to sync a file."""
    trace = folder / "trace"
    strace = ["strace", "-f", "-qq", "-o", str(trace), "-e", "trace=fdatasync"]
    command = [sys.executable, str(CHILD), mode, str(folder), str(sales)]
    subprocess.run([*strace, *command], check=True, capture_output=True, timeout=WAIT_SECONDS, env=environment())
    return trace.read_text().count("fdatasync(")


def fresh_folder(parent: Path) -> Path:
    """A new folder for one life of a journal."""
    return Path(tempfile.mkdtemp(dir=parent))


def check_day(folder: Path, lines: list[str]) -> OpenReport:
    """Everything that was answered is there, once; and the day can be finished. AssertionError otherwise."""

    async def work() -> OpenReport:
        journal = await open_journal(journal_child.place_in(folder), OwnEffects())
        try:
            report = journal.report
            assert report.damage is None, report
            if lines:
                assert report.reason == "", report
            gone = await journal._writer.submit(_went, writes=False)
            assert len(gone) < max(journal.figures.acked_seq, 1), f"{gone} went, and the cloud may lack them"
            for line in lines:
                word, _, rest = line.partition(" ")
                if word == "sold":
                    wanted = journal_child.draft_of(rest)
                    entry = await journal.read(functools.partial(_find, rest))
                    assert entry is not None or rest in gone, f"{rest} was acknowledged and is gone"
                    assert entry is None or (entry.body, entry.answer) == (wanted.body, wanted.answer)
                elif word == "pruned":
                    assert len(gone) == int(rest)
                elif word == "hold":
                    stored = await journal._writer.submit(lambda session: session.hold("h-1"), writes=False)
                    assert stored is not None
                    assert stored.state in {"asked": ("asked", "granted", "used"), "granted": ("granted", "used")}[rest]
                elif word == "acked":
                    assert journal.figures.acked_seq >= int(rest)
            await journal.verify()
            used = await journal.read(functools.partial(_find, "s-7"))
            stored = await journal._writer.submit(lambda session: session.hold("h-1"), writes=False)
            assert (stored is not None and stored.state == "used") == (used is not None)
            before = journal.figures.last_seq
            sold = [await journal.read(functools.partial(_find, uid)) for uid in journal_child.DAY]
            assert before == sum(entry is not None for entry in sold) + len(gone)
            sellable = used is not None or (stored is not None and stored.state == "granted")
            for uid in journal_child.DAY:
                if uid in gone:
                    with pytest.raises(UidForgotten):
                        await journal.commit(once(journal_child.draft_of(uid)))
                elif uid != "s-7" or sellable:
                    await journal.commit(once(journal_child.draft_of(uid)))
            entries = await journal.read(lambda reader: reader.recent(100))
            left = len(journal_child.DAY) - len(gone) - (not sellable)
            assert len({entry.uid for entry in entries}) == len(entries) == left
            return report
        finally:
            assert await journal.stop()

    return run(work())


def _went(session: Session) -> set[str]:
    """Sales of the day whose rows were let go of: each left a mark, and none of them has a row."""
    if session.connection.execute(schema.HAS_PRUNED).fetchone() is None:
        return set()
    marks = {row[0] for row in session.connection.execute("SELECT mark FROM pruned")}
    gone = {uid for uid in journal_child.DAY if mark_of("sale", uid) in marks}
    assert len(gone) == len(marks)
    assert not [uid for uid in gone if session.reader.find("sale", uid) is not None]
    return gone


def _find(uid: str, reader: EntryReader) -> Entry | None:
    return reader.find("sale", uid)


class Zygote:
    """The process that children are forked from, and its pipe."""

    def __init__(self, folder: Path) -> None:
        self.process = subprocess.Popen(
            child_command("zygote", folder), stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment()
        )
        assert self.line() == "ready"

    def line(self) -> str:
        """The next line of whoever writes."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().decode().rstrip("\n")

    def start(self, first: int) -> int:
        """A child that sells from this number on; its process id."""
        assert self.process.stdin is not None
        self.process.stdin.write(b"%d\n" % first)
        self.process.stdin.flush()
        word, _, pid = self.line().partition(" ")
        assert word == "child"
        return int(pid)

    def close(self) -> None:
        """It ends by itself when its input does."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(WAIT_SECONDS)
        assert self.process.stdout is not None
        self.process.stdout.close()
