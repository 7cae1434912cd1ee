"""The audit log put aside when it has grown large: one chain over both files, whenever and wherever it is cut off."""

import errno
import json
import multiprocessing
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from till_agent import audit_file, audit_trail
from till_agent.audit_trail import AUDIT_FILE, FORMER_FILE, note, read, read_both
from till_config.main import main


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four lines and a bit."""
    monkeypatch.setattr(audit_trail, "SIZE_LIMIT_BYTES", 1000)


def filled(folder: Path, count: int = 12) -> None:
    for number in range(count):
        assert note(folder, "upgraded", to=f"0.{number}.0")


def told(folder: Path) -> list[str]:
    lines, bad = read_both(folder)
    assert bad is None
    return [line.facts["to"] for line in lines if line.what == "upgraded"]


def test_it_is_put_aside_while_it_is_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on Windows, where no file changes its name while somebody has it open."""
    opened: list[int] = []
    locked = audit_file.lock
    replace = Path.replace

    def remembered(handle: int) -> None:
        opened.append(os.fstat(handle).st_ino)
        locked(handle)

    def refused(path: Path, target: Path) -> Path:
        if path.exists() and path.stat().st_ino in opened:
            raise PermissionError(errno.EACCES, "used by another process")
        return replace(path, target)

    monkeypatch.setattr(audit_file, "lock", remembered)
    monkeypatch.setattr(Path, "replace", refused)
    filled(tmp_path)
    assert (tmp_path / FORMER_FILE).exists()
    assert told(tmp_path)[-1] == "0.11.0"
    assert (tmp_path / AUDIT_FILE).stat().st_size < 2000


@pytest.mark.parametrize("step", ["copied", "named", "emptied"])
def test_cut_off_in_the_middle_the_chain_goes_on(tmp_path: Path, step: str) -> None:
    """After the copy, after it got its name, after the file was emptied: nothing is gone, and the next line fits."""
    filled(tmp_path, 1)
    while (tmp_path / AUDIT_FILE).stat().st_size <= audit_trail.SIZE_LIMIT_BYTES:
        filled(tmp_path, 1)
    path, former = tmp_path / AUDIT_FILE, tmp_path / FORMER_FILE
    assert not former.exists()
    before = told(tmp_path)
    if step == "copied":
        former.with_name(audit_file.DRAFT).write_bytes(path.read_bytes()[:700])
    else:
        former.write_bytes(path.read_bytes())
    if step == "emptied":
        path.write_bytes(b"")
    assert told(tmp_path) == before, "with nothing after it, it is whole"
    filled(tmp_path, 1)
    assert told(tmp_path) == [*before, "0.0.0"]
    lines, bad = read(path)
    assert (lines[0].what, bad) == ("log_continued", None)
    assert lines[0].prev == read(former)[0][-1].hash
    assert not former.with_name(audit_file.DRAFT).exists()


def test_one_who_waited_while_it_was_put_aside_writes_into_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three at once over many turns: one chain, without a hole, and no two lines with one number."""
    monkeypatch.setattr(audit_file, "LOCK_TRIES", 100_000)
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=filled, args=(tmp_path, 30)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(30)
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    lines, bad = read_both(tmp_path)
    assert bad is None
    assert [line.seq for line in lines] == list(range(lines[0].seq, lines[0].seq + len(lines)))
    assert lines[-1].seq >= 90, "each line of all three has a number of its own"


def test_a_file_that_can_not_be_put_aside_goes_on(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Somebody reads the former one on Windows, or a folder is in its place: what was done is written all the same."""
    (tmp_path / FORMER_FILE).mkdir()
    filled(tmp_path)
    assert len(read(tmp_path / AUDIT_FILE)[0]) == 12
    assert "could not be put aside" in caplog.text
    assert not (tmp_path / audit_file.DRAFT).exists(), "8 MB that nobody looks at"
    (tmp_path / FORMER_FILE).rmdir()
    filled(tmp_path, 1)
    assert len(told(tmp_path)) == 13
    assert len(read(tmp_path / AUDIT_FILE)[0]) == 2


def test_a_line_that_the_disk_took_in_part_is_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk takes the half of it and says nothing: it is not said to be written."""
    filled(tmp_path, 2)
    size = (tmp_path / AUDIT_FILE).stat().st_size
    monkeypatch.setattr(audit_file, "write", lambda handle, data: os.write(handle, data[:20]))
    assert note(tmp_path, "repaired") is False
    assert (tmp_path / AUDIT_FILE).stat().st_size == size
    monkeypatch.undo()
    assert note(tmp_path, "repaired")
    assert [line.what for line in read(tmp_path / AUDIT_FILE)[0]] == ["upgraded", "upgraded", "repaired"]


def test_a_pipe_in_place_of_the_former_one_holds_nobody_up(tmp_path: Path) -> None:
    """Root writes too, and the folder is the agent's."""
    os.mkfifo(tmp_path / FORMER_FILE)
    filled(tmp_path, 1)
    assert len(read(tmp_path / AUDIT_FILE)[0]) == 1


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() != 0, reason="only root gives files away")
def test_what_root_put_aside_is_the_agents(tmp_path: Path) -> None:
    """Else the agent could not put the next one in its place, and nobody could read it out."""
    state_dir = tmp_path / "state"
    state_dir.mkdir()
    os.chown(state_dir, 12345, 12345)
    filled(state_dir)
    for name in (AUDIT_FILE, FORMER_FILE):
        about = (state_dir / name).stat()
        assert (about.st_uid, about.st_gid, about.st_mode & 0o777) == (12345, 12345, 0o600)


def rows_of(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines(keepends=True)


@pytest.mark.parametrize("how", ["former edited", "former cut", "former gone", "begun anew", "beheaded"])
def test_both_files_are_one_chain(tmp_path: Path, how: str) -> None:
    """Whichever of them somebody was at is named, with its line."""
    filled(tmp_path)
    path, former = tmp_path / AUDIT_FILE, tmp_path / FORMER_FILE
    if how == "former edited":
        rows = rows_of(former)
        former.write_bytes(b"".join([*rows[:2], rows[2].replace(b"upgraded", b"repaired"), *rows[3:]]))
    elif how == "former cut":
        former.write_bytes(b"".join(rows_of(former)[:-1]))
    elif how == "former gone":
        former.unlink()
    elif how == "begun anew":
        other = tmp_path / "other"
        other.mkdir()
        filled(other, 1)
        path.write_bytes((other / AUDIT_FILE).read_bytes())
    else:
        path.write_bytes(b"".join(rows_of(path)[1:]))
    bad = read_both(tmp_path)[1]
    assert bad is not None
    assert (bad.file, bad.line) == ((FORMER_FILE, 3) if how == "former edited" else (AUDIT_FILE, 1))


def command(tmp_path: Path, *words: str) -> Any:
    config = tmp_path / "till.toml"
    config.write_text(f'[agent]\nstate_dir = "{tmp_path}"\n', encoding="utf-8")
    return CliRunner().invoke(main, ["audit", *words, "--config", str(config)])


def test_the_command_lists_over_both_files(tmp_path: Path) -> None:
    """The newest of them however the files are cut, and which file is not what was written."""
    filled(tmp_path)
    listed = json.loads(command(tmp_path, "list", "--json", "--limit", "1000").stdout)["lines"]
    assert [each["facts"]["to"] for each in listed if each["what"] == "upgraded"] == told(tmp_path)
    assert len(json.loads(command(tmp_path, "list", "--json", "--limit", "5").stdout)["lines"]) == 5
    (tmp_path / FORMER_FILE).unlink()
    done = command(tmp_path, "list")
    assert done.exit_code == 3
    assert f"expected {FORMER_FILE}" in done.output
