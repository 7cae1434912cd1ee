"""A start that salvages, killed or refused at its system calls: it begins again, and each op is there once."""

import re
import shutil
from collections import Counter
from pathlib import Path

import pytest

from faults.journal.journal_child import last_epoch, place_in, save_epoch
from faults.journal.journal_faults import fresh_folder, needs_strace
from faults.journal.journal_mutants import MUTANTS
from faults.journal.journal_nest import live_under
from integration.agent_stores.salvage_kit import POINTS, fill, spoil
from kit.loops import run
from till_agent.balances import OwnEffects
from till_agent.journal import open_journal
from unit.agent_stores.stores_kit import Identity

pytestmark = [pytest.mark.faults, needs_strace]

CALLS = ("pwrite64", "rename", "openat", "fdatasync", "fsync", "unlink")
SOME = 3
"""Of each call; a start takes half a second. `make soak` tries all."""
SEVERAL = pytest.mark.timeout(180)
OPS, ACKED, BAD = 8, 2, 5


def damaged(folder: Path) -> None:
    """Six ops wait; the third of them is damaged."""
    identity = Identity()
    fill(folder, identity, OPS, ACKED)
    save_epoch(folder, 1)
    spoil(folder, BAD)


def life(folder: Path, *options: str, mutant: str = "") -> list[str]:
    """One start under strace."""
    return live_under("salvage", folder, options, mutant)


def check(folder: Path) -> None:
    """Open once more: every op that can be proven is there once, waits, and counts once."""

    async def work() -> None:
        effects = OwnEffects()
        journal = await open_journal(place_in(folder, ACKED), effects)
        try:
            await journal.verify()
            entries = await journal.read(lambda reader: reader.recent(100))
            counted = Counter(entry.uid for entry in entries if entry.uid != "s-new")
            # With the acknowledged ones; only the damaged one is missing.
            assert counted == {f"s-{number}": 1 for number in range(1, OPS + 1) if number != BAD}
            own = sum(1 for entry in entries if entry.uid == "s-new")
            assert await journal.waiting() == OPS - ACKED - 1 + own
            assert effects.effect(("m-1",), (1, ACKED)) == POINTS * (OPS - ACKED - 1) + own
            ops: list[tuple[int, int]] = []
            while batch := await journal.next_batch(max_ops=100, max_bytes=10**9, incarnation="i"):
                ops += [(batch.epoch, op.seq) for op in batch.ops]
                await journal.record(batch.epoch, batch.ops[-1].seq, ())
            assert ops[:2] == [(1, 3), (1, 4)]
            assert ops == sorted(ops)
        finally:
            assert await journal.stop()

    run(work())
    assert last_epoch(folder) >= 2


def calls_of(folder: Path, call: str) -> int:
    """How often a whole start makes a call on files of the folder or the folder itself."""
    lines = life(folder, "-e", f"trace={call}")
    assert lines == ["open chain", "sold s-new", "stopped"]
    return len(re.findall(rf"^\d+ +{call}\(", (folder / "trace").read_text(), re.MULTILINE))


def spread(total: int, wanted: int) -> list[int]:
    """Numbers up to `total`, evenly or all of them, the last ones for certain: a start begins with what is not ours."""
    tried = min(wanted, total)
    return sorted({total - at * (total - 1) // max(1, tried - 1) for at in range(tried)})


def test_where_more_is_wanted_than_there_is_all_is_tried():
    assert spread(5, 10_000) == [1, 2, 3, 4, 5]
    assert spread(38, SOME) == [1, 20, 38]


@pytest.mark.parametrize(
    ("call", "tried"),
    [
        *(pytest.param(call, SOME, marks=SEVERAL) for call in ("pwrite64", "rename", "fdatasync")),
        *(pytest.param(call, 10_000, marks=(pytest.mark.soak, pytest.mark.timeout(0))) for call in CALLS),
    ],
)
def test_a_kill_in_mid_salvage_loses_and_doubles_nothing(tmp_path: Path, call: str, tried: int):
    """SIGKILL at the Kth call; then a start that goes through."""
    folder = fresh_folder(tmp_path)
    damaged(folder)
    total = calls_of(folder, call)
    cut_short = 0
    for number in spread(total, tried):
        folder = fresh_folder(tmp_path)
        damaged(folder)
        lines = life(folder, "-e", f"trace={call}", "-e", f"inject={call}:signal=SIGKILL:when={number}")
        cut_short += "stopped" not in lines
        check(folder)
        shutil.rmtree(folder)
    assert cut_short


@pytest.mark.parametrize(
    ("call", "error"),
    [
        pytest.param("pwrite64", "ENOSPC", marks=SEVERAL),
        pytest.param("fdatasync", "EIO", marks=SEVERAL),
        pytest.param("rename", "EROFS", marks=SEVERAL),
    ],
)
def test_a_disk_that_refuses_in_mid_salvage_loses_and_doubles_nothing(tmp_path: Path, call: str, error: str):
    """The start is refused, or its first sale; the next one goes through."""
    folder = fresh_folder(tmp_path)
    damaged(folder)
    total = calls_of(folder, call)
    for number in spread(total, SOME - 1):
        folder = fresh_folder(tmp_path)
        damaged(folder)
        life(folder, "-e", f"trace={call}", "-e", f"inject={call}:error={error}:when={number}")
        check(folder)
        shutil.rmtree(folder)


@pytest.mark.parametrize(
    ("mutant", "kills"),
    [("damaged row carried", ()), ("moved aside silently", (12, 13, 11, 14)), ("salvage doubles", (7, 8, 6))],
)
@pytest.mark.mutants
def test_a_salvage_that_is_broken_is_caught(tmp_path: Path, mutant: str, kills: tuple[int, ...]):
    """The control: some life, cut short or not, ends with an op too few or too many."""
    assert mutant in MUTANTS
    failed = False
    for number in kills or (1_000,):
        folder = fresh_folder(tmp_path)
        damaged(folder)
        calls = "pwrite64" if mutant == "moved aside silently" else "rename"
        life(folder, "-e", f"trace={calls}", "-e", f"inject={calls}:signal=SIGKILL:when={number}", mutant=mutant)
        life(folder, "-e", "trace=rename", mutant=mutant)
        try:
            check(folder)
        except AssertionError:
            failed = True
            break
    assert failed
