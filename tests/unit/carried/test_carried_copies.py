"""Copies of the journal for whoever reads it beside an agent: none stays after a kill, none goes while it is read."""

import multiprocessing
import os
import signal
from pathlib import Path

import pytest

from till_agent.instance import hold_lock
from till_agent.journal.carrying_out import copied
from till_agent.journal.copies import FORMER_AGE_S, place_for_copy, sweep


def _hold(folder: str, ready: "multiprocessing.synchronize.Event") -> None:
    with place_for_copy(Path(folder)) as copy:
        for path in (copy, Path(f"{copy}-wal"), Path(f"{copy}-shm")):
            path.write_bytes(b"sales")
        ready.set()
        signal.pause()


def _there(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name.startswith(".carry-"))


@pytest.mark.skipif(not hasattr(signal, "pause"), reason="kills as POSIX has them")
def test_copy_of_a_killed_command_is_swept_and_one_in_use_is_not(tmp_path: Path) -> None:
    """While its maker lives nobody takes it; after SIGKILL the next copy sweeps it, with all that lies beside it."""
    (tmp_path / "journal.db").write_bytes(b"journal")
    fork = multiprocessing.get_context("fork")
    ready = fork.Event()
    maker = fork.Process(target=_hold, args=(str(tmp_path), ready))
    maker.start()
    try:
        assert ready.wait(30)
        assert sweep(tmp_path) == 0
        with copied(tmp_path / "journal.db") as mine:
            assert mine.read_bytes() == b"journal"
            assert len(_there(tmp_path)) == 4 + 2
        assert len(_there(tmp_path)) == 4
    finally:
        maker.kill()
        maker.join(30)
    assert len(_there(tmp_path)) == 4
    with copied(tmp_path / "journal.db") as mine:
        assert _there(tmp_path) == sorted([mine.name, f"{mine.stem}.lock"])
    assert _there(tmp_path) == []
    assert (tmp_path / "journal.db").exists()


def test_copy_of_a_former_release_goes_when_it_is_old(tmp_path: Path) -> None:
    """It has no lock file: a young one may be read just now."""
    young, old = tmp_path / ".carry-0a0a0a0a.db", tmp_path / ".carry-0b0b0b0b.db"
    for path in (young, old):
        path.write_bytes(b"sales")
    os.utime(old, (old.stat().st_mtime - 2 * FORMER_AGE_S,) * 2)
    assert sweep(tmp_path) == 1
    assert _there(tmp_path) == [young.name]


def test_lock_that_was_left_alone_goes(tmp_path: Path) -> None:
    """Its maker was killed before there was a copy; a folder that is not there is no trouble."""
    lock = tmp_path / ".carry-0c0c0c0c.lock"
    lock.write_bytes(b"")
    descriptor = os.open(lock, os.O_RDWR)
    hold_lock(descriptor)
    assert sweep(tmp_path) == 0
    assert lock.exists()
    os.close(descriptor)
    assert sweep(tmp_path) == 0
    assert _there(tmp_path) == []
    assert sweep(tmp_path / "nothing") == 0
