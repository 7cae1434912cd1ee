"""The log of what people did to a till: it only grows, and shows when somebody was at it."""

import json
import multiprocessing
import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from till_agent import audit_file, audit_trail
from till_agent.audit_trail import AUDIT_FILE, FORMER_FILE, note, read
from till_config.main import main


def filled(folder: Path, count: int = 5) -> Path:
    for number in range(count):
        assert note(folder, "upgraded", to=f"0.{number}.0")
    return folder / AUDIT_FILE


def test_what_was_done_is_listed_in_order(tmp_path: Path) -> None:
    """With when, what, and by which account; private to its owner."""
    path = filled(tmp_path)
    lines, bad = read(path)
    assert bad is None
    assert [(line.seq, line.facts["to"]) for line in lines] == [(n + 1, f"0.{n}.0") for n in range(5)]
    assert {line.account for line in lines} == {os.getuid()}
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("how", "line"),
    [("edit", 3), ("delete", 3), ("reorder", 2), ("behead", 1), ("rubbish", 4)],
)
def test_the_first_bad_line_is_named(tmp_path: Path, how: str, line: int) -> None:
    """Edited, taken out, in another order, without its beginning, not of ours."""
    path = filled(tmp_path)
    rows = path.read_bytes().splitlines(keepends=True)
    changed = {
        "edit": [*rows[:2], rows[2].replace(b"0.2.0", b"9.9.9"), *rows[3:]],
        "delete": [*rows[:2], *rows[3:]],
        "reorder": [rows[0], rows[2], rows[1], *rows[3:]],
        "behead": rows[2:],
        "rubbish": [*rows[:3], b"{}\n", *rows[3:]],
    }[how]
    path.write_bytes(b"".join(changed))
    found = read(path)[1]
    assert found is not None
    assert found.line == line


def test_what_comes_after_a_bad_line_does_not_hide_it(tmp_path: Path) -> None:
    """The chain goes on, and the break stays."""
    path = filled(tmp_path)
    rows = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*rows[:4], rows[4].replace(b"0.4.0", b"0.4.1")]))
    assert note(tmp_path, "rolled_back")
    found = read(path)[1]
    assert found is not None
    assert found.line == 5


def test_a_line_that_a_loss_of_power_cut_is_replaced(tmp_path: Path) -> None:
    """It was never acknowledged; the chain is whole with it and after it."""
    path = filled(tmp_path)
    path.write_bytes(path.read_bytes()[:-10])
    lines, bad = read(path)
    assert (len(lines), bad) == (4, None)
    assert note(tmp_path, "repaired")
    lines, bad = read(path)
    assert ([line.what for line in lines][-2:], bad) == (["upgraded", "repaired"], None)


def test_a_large_file_is_put_aside_and_the_chain_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two files at most, the newer beginning with the hash of the former."""
    monkeypatch.setattr(audit_trail, "SIZE_LIMIT_BYTES", 1000)
    path = filled(tmp_path, 12)
    lines, bad = read(path)
    former, former_bad = read(tmp_path / FORMER_FILE)
    assert (bad, former_bad) == (None, None)
    assert lines[0].prev == former[-1].hash
    assert lines[0].what == "log_continued"
    assert lines[-1].facts == {"to": "0.11.0"}


def test_two_that_write_at_once_make_one_chain(tmp_path: Path) -> None:
    """An upgrade and a person's command."""
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=filled, args=(tmp_path, 20)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(20)
    lines, bad = read(tmp_path / AUDIT_FILE)
    assert (len(lines), bad) == (60, None)


def test_a_disk_that_takes_nothing_stops_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What was to be done is done; the log says that it is not in the audit log."""
    assert note(tmp_path / "nowhere", "enrolled") is False
    assert "enrolled" in caplog.text


def test_one_who_keeps_the_file_to_himself_holds_nobody_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root writes into it too, and the agent's user could hold its lock for ever."""
    fcntl = pytest.importorskip("fcntl")
    monkeypatch.setattr(audit_file, "LOCK_PAUSE_S", 0)
    path = filled(tmp_path)
    with path.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert note(tmp_path, "upgraded") is False
    assert note(tmp_path, "upgraded")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root gives files away")
@pytest.mark.parametrize("way", ["symlink_to", "hardlink_to"])
def test_root_neither_writes_into_nor_gives_away_what_another_name_leads_to(tmp_path: Path, way: str) -> None:
    """The folder is the agent's: who has become the agent must not become root by it."""
    secret, state_dir = tmp_path / "secret", tmp_path / "state"
    secret.write_text("root's")
    state_dir.mkdir()
    os.chown(state_dir, 12345, 12345)
    getattr(state_dir / AUDIT_FILE, way)(secret)
    assert note(state_dir, "upgraded") is False
    assert (secret.read_text(), secret.stat().st_uid) == ("root's", 0)
    (state_dir / AUDIT_FILE).unlink()
    assert note(state_dir, "upgraded")
    assert (state_dir / AUDIT_FILE).stat().st_uid == 12345


def test_long_facts_are_cut(tmp_path: Path) -> None:
    """A line stays a line."""
    note(tmp_path, "config_refused", why="x" * 10_000)
    assert len((tmp_path / AUDIT_FILE).read_bytes()) < audit_trail.TAIL_BYTES
    assert read(tmp_path / AUDIT_FILE)[1] is None


def test_the_command_lists_them_and_says_what_is_wrong(tmp_path: Path) -> None:
    """Exit status 3 for a chain that does not hold."""
    config = tmp_path / "till.toml"
    config.write_text(f'[agent]\nstate_dir = "{tmp_path}"\n', encoding="utf-8")
    path = filled(tmp_path)
    words = ["audit", "list", "--config", str(config)]
    done = CliRunner().invoke(main, [*words, "--json"])
    assert done.exit_code == 0
    assert [each["what"] for each in json.loads(done.stdout)["lines"]] == ["upgraded"] * 5
    path.write_bytes(path.read_bytes().replace(b"0.1.0", b"0.1.9"))
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 3
    assert "entry 2 (upgraded) was changed" in done.output
