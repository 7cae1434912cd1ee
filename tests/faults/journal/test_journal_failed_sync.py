"""After a sync that failed the handle is given up: what memory holds is not what the disk holds, and asking a second
time would be told "done"."""

import re
from pathlib import Path

import pytest

from faults.journal.journal_faults import check_day, fresh_folder, needs_strace, traced_day

pytestmark = [pytest.mark.faults, needs_strace]

_CALL = re.compile(r"^\d+ +(?P<name>\w+)\((?P<handle>\d+)<(?P<path>[^>]*)>.*= (?P<result>-?\d+)")
OPTIONS = ("-y", "-e", "trace=pwrite64,fdatasync,close")


def life(parent: Path, number: int, mutant: str = "") -> tuple[Path, list[str]]:
    """A day whose `number`th sync fails, and what it said."""
    folder = fresh_folder(parent)
    inject = f"inject=fdatasync:error=EIO:when={number}"
    return folder, traced_day(folder, *OPTIONS, "-e", inject, mutant=mutant)


def written_after_failure(folder: Path) -> int:
    """Writes to a log by a handle whose sync had failed."""
    failed: set[str] = set()
    found = 0
    for line in (folder / "trace").read_text().splitlines():
        call = _CALL.match(line)
        if call is None or not call["path"].endswith("-wal"):
            continue
        if call["name"] == "close":
            failed.discard(call["handle"])
        elif call["name"] == "fdatasync" and call["result"] == "-1":
            failed.add(call["handle"])
        elif call["name"] == "pwrite64":
            found += call["handle"] in failed
    return found


@pytest.mark.parametrize("number", [9, 10])
def test_nothing_is_written_to_a_handle_whose_sync_failed(tmp_path: Path, number: int):
    """The commit is refused, the file closed, opened and checked anew; the day goes on."""
    folder, lines = life(tmp_path, number)
    assert lines[-1] == "stopped"
    assert any(line.startswith("failed") for line in lines)
    assert written_after_failure(folder) == 0
    check_day(folder, [line for line in lines if not line.startswith("failed")])


@pytest.mark.mutants
def test_a_journal_that_tries_a_failed_sync_again_is_found_out(tmp_path: Path):
    """The control: the same connection commits once more, and is believed."""
    found = 0
    for number in (9, 10):
        folder, lines = life(tmp_path, number, "failed sync tried again")
        found += written_after_failure(folder) + (not any(line.startswith("failed") for line in lines))
    assert found
