"""A small day, killed or refused at every sync and at writes all over it (invariant 1)."""

import re
import shutil
from pathlib import Path

import pytest

from faults.journal.journal_faults import check_day, fresh_folder, needs_strace, traced_day

pytestmark = [pytest.mark.faults, needs_strace]

SOME = 16
"""A day has some 130 writes, and each takes half a second to try; `make soak` tries all. Syncs are few."""
ALL = 1_000
SELDOM = ("ftruncate", "fsync")
"""A day makes two or three of them."""
SOON = pytest.mark.timeout(180)
SOAK = (pytest.mark.soak, pytest.mark.timeout(0))


def count(folder: Path, call: str) -> int:
    """How often the whole day makes a call."""
    lines = traced_day(folder, "-e", f"trace={call}")
    assert lines[-1] == "stopped"
    return len(re.findall(rf"^\d+ +{call}\(", (folder / "trace").read_text(), re.MULTILINE))


def spread(total: int, wanted: int) -> list[int]:
    """Numbers from 1 to `total`, all of them or evenly spread, with both ends."""
    if total <= wanted:
        return list(range(1, total + 1))
    return sorted({1 + at * (total - 1) // (wanted - 1) for at in range(wanted)})


@pytest.mark.parametrize(
    ("call", "tried"),
    [
        pytest.param("fdatasync", ALL, marks=SOON),
        pytest.param("ftruncate", ALL, marks=SOON),
        pytest.param("fsync", ALL, marks=SOON),
        pytest.param("pwrite64", SOME, marks=SOON),
        pytest.param("pwrite64", ALL, marks=SOAK),
    ],
)
def test_a_kill_at_any_system_call_loses_nothing_acknowledged(tmp_path: Path, call: str, tried: int):
    """SIGKILL before the Kth call is made; then the journal opens, holds what was answered, and the day ends well."""
    total = count(fresh_folder(tmp_path), call)
    assert total > (1 if call in SELDOM else 15)
    lives = []
    for number in spread(total, tried):
        folder = fresh_folder(tmp_path)
        lines = traced_day(folder, "-e", f"trace={call}", "-e", f"inject={call}:signal=SIGKILL:when={number}")
        if "stopped" not in lines:
            lives.append(len(lines))
        check_day(folder, lines)
        shutil.rmtree(folder)
    # How many syncs a day makes depends on which commits happened to share one, so the last numbers may not be reached.
    assert len(lives) >= min(total, tried) - 4
    assert lives
    if call not in SELDOM:
        assert lives[0] == 0
        assert max(lives) > 12


@pytest.mark.parametrize(
    ("call", "error", "tried"),
    [
        pytest.param("fdatasync", "EIO", ALL, marks=SOON),
        pytest.param("pwrite64", "ENOSPC", SOME // 2, marks=SOON),
        pytest.param("pwrite64", "EIO", SOME // 2, marks=SOON),
        pytest.param("pwrite64", "ENOSPC", ALL, marks=SOAK),
        pytest.param("pwrite64", "EIO", ALL, marks=SOAK),
    ],
)
def test_a_disk_that_refuses_once_loses_nothing_and_doubles_nothing(tmp_path: Path, call: str, error: str, tried: int):
    """The commit says so; the connection is given up; the next commit goes through on a new one."""
    total = count(fresh_folder(tmp_path), call)
    failed = 0
    for number in spread(total, tried):
        folder = fresh_folder(tmp_path)
        lines = traced_day(folder, "-e", f"trace={call}", "-e", f"inject={call}:error={error}:when={number}")
        if "stopped" not in lines:
            assert lines == []  # refused while the journal was being made: the next start makes it
        failed += any(line.startswith("failed") for line in lines)
        assert all(line.endswith(("JournalUnavailable", "HoldNotOpen")) for line in lines if "failed" in line)
        check_day(folder, [line for line in lines if not line.startswith("failed")])
        shutil.rmtree(folder)
    assert failed > 1


@pytest.mark.mutants
def test_rows_that_go_before_their_marks_are_caught(tmp_path: Path):
    """A kill in between leaves a sale that would be sold anew, and a chain without its link."""
    for number in range(1, count(fresh_folder(tmp_path), "fdatasync") + 3):
        folder = fresh_folder(tmp_path)
        inject = f"inject=fdatasync:signal=SIGKILL:when={number}"
        lines = traced_day(folder, "-e", "trace=fdatasync", "-e", inject, mutant="rows go before their marks")
        try:
            check_day(folder, lines)
        except AssertionError:
            return
    pytest.fail("nobody noticed")
