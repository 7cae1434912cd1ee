"""What the agent says of itself: the doctor tells each thing once, as it is by now, with one thing to do."""

import contextlib
import errno
import os
import sqlite3
from collections.abc import Iterator
from types import SimpleNamespace
from typing import NoReturn

import pytest

from till_agent.reloading.starting import LAST_GOOD_FILE
from till_agent.store_words import ENGLISH, store_catalogue
from till_installer.doctor import checks_state
from till_installer.doctor.checks_bridge import FIXES, OF_DEVICES, TOLD_ELSEWHERE
from till_installer.doctor.scene import Scene
from unit.doctor.doctor_world import NOW_MS, Healthy, bad

NOT_SO_LONG = {"device", "stopping", "till_retired"}
"""Words without a code of their own, or of an agent that nobody can ask for long."""


def _problem(code: str) -> list[dict[str, str]]:
    return [{"code": code, "text": "as the agent says it", "level": "warning"}]


def test_every_problem_of_the_agent_has_its_fix() -> None:
    """Not a page to search: the one thing to do."""
    known = set(store_catalogue(ENGLISH)["problems"])
    assert known - NOT_SO_LONG - TOLD_ELSEWHERE - set(FIXES) == set()
    assert not [code for code in FIXES if code.startswith(OF_DEVICES)]


@pytest.mark.parametrize("was_taken_in", [True, False])
def test_a_file_that_was_taken_in_without_a_restart_is_not_waiting_for_one(till: Healthy, was_taken_in: bool) -> None:
    """`tillside config apply` keeps the file as it took it in; a file that nobody took in is told."""
    till.scene()
    os.utime(till.layout.config, (NOW_MS / 1000,) * 2)
    text = till.layout.config.read_text() if was_taken_in else "# before\n"
    (till.state / LAST_GOOD_FILE).write_text(text)
    till.status["problems"] = _problem("restart_needed") if was_taken_in else []
    with till.running():
        found = bad(till.told())
    assert set(found) == {"agent_troubles" if was_taken_in else "config_unseen"}
    fix = next(iter(found.values())).fix
    assert ("systemctl restart" if was_taken_in else "config apply") in fix


@pytest.mark.parametrize("is_mended", [True, False])
def test_a_bad_file_is_told_once(till: Healthy, is_mended: bool) -> None:
    """While it is bad by what is wrong with it; once it is mended and not yet taken in, by how that is done."""
    till.scene()
    if not is_mended:
        with till.layout.config.open("a") as file:
            file.write('colour = "red"\n')
    os.utime(till.layout.config, (NOW_MS / 1000,) * 2)
    (till.state / LAST_GOOD_FILE).write_text("# before\n")
    till.status["problems"] = _problem("config_bad")
    with till.running():
        found = bad(till.told())
    assert set(found) == {"agent_troubles" if is_mended else "config_invalid"}
    if is_mended:
        assert "config apply" in found["agent_troubles"].fix


def test_a_halted_exchange_is_told_with_its_fix(till: Healthy) -> None:
    """The code once, and what to do about it, not where to read of it."""
    till.status["sync"].update(halted="token_invalid", last_error="token_invalid: 401 token_invalid: expected another")
    with till.running():
        found = bad(till.told())["sync_halted"]
    assert found.found == "halted: token_invalid: 401 token_invalid: expected another"
    assert "enrol --again" in found.fix


def test_a_journal_that_was_begun_anew_is_no_old_copy(till: Healthy) -> None:
    """The running agent has the new epoch in its log alone: "take the backup away" would be the wrong thing to do."""
    with contextlib.closing(sqlite3.connect(till.state / "journal.db", isolation_level=None)) as agent:
        for words in ("locking_mode = EXCLUSIVE", "journal_mode = WAL", "wal_autocheckpoint = 0"):
            agent.execute(f"PRAGMA {words}")
        (last,) = agent.execute("SELECT max(epoch) FROM epochs").fetchone()
        agent.execute("INSERT INTO epochs SELECT epoch + 1, till, salt, made_wall_ms, reason, 0 FROM epochs")
        till.identity(last_epoch=last + 1)
        with till.running():
            assert "journal_epoch" not in bad(till.told())
            till.identity(last_epoch=last + 2)
            assert "journal_epoch" in bad(till.told())


@pytest.mark.parametrize("code", ["ops_rejected", "ops_parked"])
def test_the_newest_verdicts_are_told_as_the_agent_tells_them(till: Healthy, code: str) -> None:
    """They are in its log alone for some hundred sales."""
    till.status["problems"] = _problem(code)
    with till.running():
        assert bad(till.told())[code].found == "as the agent says it"


def test_a_full_disk_is_told_once(till: Healthy, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not as a disk with faults, nor as a broken journal: SQLite can't open one at rest without room beside it."""

    def no_room(*_: object, **__: object) -> NoReturn:
        raise OSError(errno.ENOSPC, "No space left on device")

    class Closed:
        def execute(self, *_: object) -> NoReturn:
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = sqlite3.SQLITE_IOERR
            raise error

    @contextlib.contextmanager
    def database(_: Scene, name: str) -> Iterator[sqlite3.Connection | Closed]:
        with contextlib.closing(sqlite3.connect(till.state / name)) as connection:
            yield Closed() if name == "journal.db" else connection

    till.unit["ActiveState"] = "inactive"
    till.config_lines["bridge"] = ["port = 0"]
    till.devices = ""
    room = SimpleNamespace(f_bavail=0, f_frsize=4096, f_files=10**6, f_favail=10**5)
    monkeypatch.setattr(os, "statvfs", lambda _: room)
    monkeypatch.setattr(checks_state.os, "fsync", no_room)
    monkeypatch.setattr(Scene, "database", database)
    assert set(bad(till.told())) == {"service_stopped", "disk_low"}
    room.f_bavail = 10**6
    found = bad(till.told())
    assert {"state_dir_readonly", "journal_unreadable"} <= set(found)
    assert "make room" in found["state_dir_readonly"].fix
    assert "puts the file aside" not in found["journal_unreadable"].fix


def test_a_disk_that_takes_nothing_is_told_once_of_the_agent(till: Healthy) -> None:
    """Not once more for the journal, for the print queue, and for an exchange that has not begun; and it goes on by
    itself."""
    till.agent.answers["/readyz"] = (503, {}, b'{"ready":false,"reason":"journal_unavailable","missing":[]}')
    till.status["ready"] = False
    till.status["sync"]["online"] = False
    till.status["problems"] = _problem("journal_unavailable") + _problem("print_queue_unavailable")
    with till.running():
        found = bad(till.told())
    assert set(found) == {"agent_not_ready"}
    assert "restart" not in found["agent_not_ready"].fix
