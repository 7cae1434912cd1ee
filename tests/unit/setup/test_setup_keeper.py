"""The keeper of a machine without systemd: whom it ends, and that it never ends itself."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from till_installer.services import keeper
from till_installer.services.keeper import LOOK_S, SERVICE_FILE, STATE_FILE, Keeper

WATCHDOG_S = 10.0


@pytest.fixture
def kept(tmp_path: Path) -> Keeper:
    """One that has not begun."""
    service = {"command": ["true"], "watchdog_s": WATCHDOG_S, "notify": False, "environment": {}}
    (tmp_path / SERVICE_FILE).write_text(json.dumps(service))
    made = Keeper(tmp_path)
    yield made  # type: ignore[misc]  # a generator, as fixtures that clean up are
    made.inbox.close()
    os.close(made.wake)
    os.close(made._poke)


class Alive:
    """A process that runs, until its disk lets it end."""

    pid = 2**22 + 1  # no process has it
    stuck = 0

    def poll(self) -> int | None:
        return None

    def wait(self, timeout: float) -> int:
        if self.stuck:
            self.stuck -= 1
            raise subprocess.TimeoutExpired("agent", timeout)
        return -9


def watched(
    kept: Keeper, monkeypatch: pytest.MonkeyPatch, heard: list[tuple[float, list[list[str]]]]
) -> tuple[str, int]:
    """Why the process was ended, and after how many looks; `heard`: what each look takes and brings."""
    now, looks = [1_000.0], [0]

    def next_one(wait_s: float | None) -> list[list[str]]:
        looks[0] += 1
        if not heard:
            now[0] += wait_s or 0.0
            return []
        took_s, messages = heard.pop(0)
        now[0] += took_s
        return messages

    process: Any = Alive()
    kept.process = process
    monkeypatch.setattr(kept, "_heard", next_one)
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return kept._watch(), looks[0]


def test_a_machine_that_stood_still_costs_no_restart(kept: Keeper, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten minutes passed for keeper and agent alike; then the agent speaks on, and later falls silent."""
    heard: list[tuple[float, list[list[str]]]] = [(600.0, []), (0.1, [["WATCHDOG=1"]])]
    why, looks = watched(kept, monkeypatch, heard)
    assert why == f"said nothing for {WATCHDOG_S:g} s"
    assert looks == 2 + WATCHDOG_S / LOOK_S


def test_silence_is_found_in_time(kept: Keeper, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not later than the watchdog's time."""
    assert watched(kept, monkeypatch, [])[1] == WATCHDOG_S / LOOK_S


def test_a_process_that_its_disk_does_not_let_go_of_is_waited_for(
    kept: Keeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A keeper that gave up would leave a till that nobody starts again."""
    process: Any = Alive()
    process.stuck = 4
    kept.process = process
    monkeypatch.setattr(keeper.os, "kill", lambda *_: None)
    monkeypatch.setattr(keeper.os, "killpg", lambda *_: None)
    kept._end()
    assert process.stuck == 0
    assert "disk" in json.loads((kept.folder / STATE_FILE).read_text())["detail"]


pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has services")


@pytest.mark.parametrize("trouble", [PermissionError(13, "Permission denied"), subprocess.SubprocessError("preexec")])
def test_one_that_can_not_be_started_is_tried_again(
    kept: Keeper, monkeypatch: pytest.MonkeyPatch, trouble: Exception
) -> None:
    """Whatever the system says of it: a keeper that ends is missed by nobody, and the till would sell no more."""

    def refuses(*_: Any, **__: Any) -> None:
        raise trouble

    monkeypatch.setattr(keeper.subprocess, "Popen", refuses)
    kept._live_once()
    told = json.loads((kept.folder / STATE_FILE).read_bytes())
    assert told["state"] == "failed"
    assert str(trouble) in told["detail"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts it as another user")
def test_an_agents_user_who_can_not_read_its_python_has_it_started_all_the_same(
    kept: Keeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is done in the new process before it is the agent needs no file: that user may read none of the keeper's."""

    class Unreadable:
        """As a file system has it that is root's alone."""

        def find_spec(self, name: str, *_: object) -> None:
            if os.geteuid() != 0:
                raise PermissionError(13, "Permission denied", name)

    for name in [each for each in sys.modules if each.partition(".")[0] == "ctypes"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [Unreadable(), *sys.meta_path])
    kept.user, kept.command = "nobody", ["/bin/true"]
    kept._start()
    assert kept.process is not None
    assert kept.process.wait(30) == 0
