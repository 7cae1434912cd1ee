"""The log in files: bounded, whole lines, and in nobody's way when the disk takes nothing."""

import errno
import json
import logging
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from kit.waiting import wait_for
from till_agent import log_files, logs
from till_agent.log_files import LogFiles


@pytest.fixture
def root() -> Iterator[logging.Logger]:
    """The root logger, put back as it was."""
    found = logging.getLogger()
    handlers, level = list(found.handlers), found.level
    yield found
    for handler in list(found.handlers):
        found.removeHandler(handler)
        if handler not in handlers:
            handler.close()
    for handler in handlers:
        found.addHandler(handler)
    found.setLevel(level)


def files(folder: Path) -> list[Path]:
    return sorted(folder.glob("agent.log*"))


def filled(path: Path, lines: int, **options: int) -> LogFiles:
    handler = LogFiles(path, **options)
    handler.setFormatter(logs.JsonLines())
    for number in range(lines):
        handler.emit(logging.LogRecord("x", logging.INFO, "", 0, "line %d", (number,), None))
    handler.flush()
    return handler


def test_all_files_together_stay_within_their_bound(tmp_path: Path) -> None:
    """The newest lines stay, each a whole one, in order over the files."""
    filled(tmp_path / "agent.log", 1_000, file_bytes=4_000, files=3).close()
    found = files(tmp_path)
    assert [path.name for path in found] == ["agent.log", "agent.log.1", "agent.log.2"]
    assert all(path.stat().st_size <= 4_000 for path in found)
    told = [json.loads(line)["message"] for path in reversed(found) for line in path.read_text().splitlines()]
    assert told == [f"line {number}" for number in range(1_000 - len(told), 1_000)]


def test_a_new_process_goes_on_in_the_same_file(tmp_path: Path) -> None:
    """What was there counts for its size."""
    for _ in range(3):
        filled(tmp_path / "agent.log", 10, file_bytes=4_000, files=2).close()
    assert len((tmp_path / "agent.log").read_text().splitlines()) == 30


def test_a_full_disk_keeps_nobody_waiting_and_is_told_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lines wait in memory up to a number, the rest is counted; when there is room again the count is said."""
    monkeypatch.setattr(log_files, "WAITING_LINES", 10)
    monkeypatch.setattr(log_files, "FLUSH_S", 0.01)
    monkeypatch.setattr(log_files, "PAUSE_S", 0.01)
    write, full = os.write, threading.Event()
    full.set()

    def limited(handle: int, data: bytes) -> int:
        if full.is_set() and threading.current_thread().name == "log-writer":
            raise OSError(errno.ENOSPC, "no room")
        return write(handle, data)

    monkeypatch.setattr(os, "write", limited)
    path = tmp_path / "agent.log"
    handler = filled(path, 25)
    full.clear()
    wait_for(lambda: path.exists() and len(path.read_text().splitlines()) == 11, "the lines that waited")
    handler.close()
    first, *rest = [json.loads(line)["message"] for line in path.read_text().splitlines()]
    assert first == "15 lines before this one are lost"
    assert rest == [f"line {number}" for number in range(10)]


def test_a_file_that_can_not_be_moved_is_begun_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on Windows while somebody reads it: the bound holds all the same."""

    def refuse(_self: Path, _target: Path) -> Path:
        raise PermissionError(errno.EACCES, "in use")

    monkeypatch.setattr(Path, "replace", refuse)
    filled(tmp_path / "agent.log", 500, file_bytes=4_000, files=3).close()
    (only,) = files(tmp_path)
    assert only.stat().st_size <= 4_000
    assert json.loads(only.read_text().splitlines()[-1])["message"] == "line 499"


def test_control_bytes_and_secrets_stay_out_of_files_too(tmp_path: Path, root: logging.Logger) -> None:
    """By the same rules as on standard error."""
    logs.set_up("info", file=tmp_path / "agent.log")
    root.info("said \x1b[31m\n by +7 916 123-45-67")
    root.handlers[0].flush()
    text = (tmp_path / "agent.log").read_text()
    assert len(text.splitlines()) == 1
    assert "\x1b" not in text
    assert "[digits]" in text
