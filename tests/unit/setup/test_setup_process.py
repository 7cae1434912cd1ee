"""The keeper: starts a process, starts it again for ever, hears whether it lives, and leaves nothing behind."""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kit.waiting import wait_for
from till_installer.exceptions import ServiceError
from till_installer.services import keeper
from till_installer.services.process import ProcessManager, _is_there

CONFIG = Path("till.toml")
SAYS = (
    "import os, socket, sys, time\n"
    "def say(text):\n"
    "    address = os.environ['NOTIFY_SOCKET'].replace('@', chr(0), 1)\n"
    "    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as to: to.sendto(text.encode(), address)\n"
)


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[ProcessManager]:
    """One that is stopped at the end."""
    made = ProcessManager(tmp_path / "run")
    yield made
    made.remove()


def test_a_process_is_kept_running_until_it_is_stopped(manager: ProcessManager, tmp_path: Path) -> None:
    """Killed, it is back at once under another number; stopped, nothing is left; each call may be repeated."""
    assert manager.status().state == "absent"
    with pytest.raises(ServiceError):
        manager.start()
    manager.install(("sleep", "60"), config=CONFIG)
    assert manager.status().state == "stopped"
    manager.start()
    manager.start()
    first = manager.status()
    assert (first.state, first.restarts) == ("running", 0)
    os.kill(first.pid, signal.SIGKILL)
    second = wait_for(lambda: (found := manager.status()).restarts == 1 and found.pid and found, "another process")
    assert second.pid != first.pid
    manager.stop()
    manager.stop()
    assert manager.status().state == "stopped"
    assert not _is_there(second.pid)
    manager.remove()
    assert not (tmp_path / "run").exists()


def test_a_process_that_does_not_end_is_killed_with_its_children(manager: ProcessManager, tmp_path: Path) -> None:
    """It ignores SIGTERM, and has a child that holds on too."""
    child = tmp_path / "child"
    manager.install(("sh", "-c", f"trap '' TERM; sleep 60 & echo $! > {child}; wait; wait"), config=CONFIG)
    manager.start()
    pid = int(wait_for(lambda: child.exists() and child.read_text().strip(), "the child"))
    manager.stop(0.2)
    wait_for(lambda: not _is_there(pid), "the child to end")
    assert manager.status().state == "stopped"


def test_what_can_not_be_started_is_tried_again_and_said(manager: ProcessManager, tmp_path: Path) -> None:
    """And runs as soon as it is there."""
    program = tmp_path / "program"
    manager.install((str(program),), config=CONFIG)
    manager.start()
    wait_for(lambda: manager.status().state == "failed", "it to fail")
    assert "No such file" in manager.status().detail
    program.write_text("#!/bin/sh\nexec sleep 60\n")
    program.chmod(0o755)
    wait_for(lambda: manager.status().state == "running", "it to run")


def test_a_process_whose_keeper_is_killed_ends_too(manager: ProcessManager) -> None:
    """It would hold the journal, and nobody could stop it; the next start has a keeper again."""
    manager.install(("sleep", "60"), config=CONFIG)
    manager.start()
    pid = manager.status().pid
    os.kill(manager._keeper(), signal.SIGKILL)
    wait_for(lambda: not _is_there(pid), "the process to end")
    assert manager.status().state == "stopped"
    manager.start()
    assert manager.status().state == "running"


@pytest.mark.parametrize("is_long", [False, True])
def test_readiness_and_silence_are_heard(tmp_path: Path, *, is_long: bool) -> None:
    """Starting until READY=1; silent for too long, it is started again. Folders may have long names."""
    folder = tmp_path / ("x" * 120 if is_long else "run")
    program = tmp_path / "program.py"
    program.write_text(f"{SAYS}open(sys.argv[1], 'a').write('x')\nsay('READY=1')\nsay('WATCHDOG=1')\ntime.sleep(60)\n")
    manager = ProcessManager(folder, notify=True, watchdog_s=0.3)
    manager.install((sys.executable, "-I", "-S", str(program), str(tmp_path / "starts")), config=CONFIG)
    try:
        manager.start()
        wait_for(lambda: manager.status().restarts >= 1, "a silent process to be started again")
        wait_for(lambda: manager.status().state == "running", "it to say that it is ready")
        assert len((tmp_path / "starts").read_text()) >= 2
    finally:
        manager.remove()


def test_a_process_that_never_says_ready_is_starting(tmp_path: Path) -> None:
    """For as long as it does not."""
    manager = ProcessManager(tmp_path / "run", notify=True)
    manager.install(("sleep", "60"), config=CONFIG)
    try:
        manager.start()
        assert manager.status().state == "starting"
    finally:
        manager.remove()


def test_the_keeper_needs_only_the_standard_library() -> None:
    """It stays for as long as the till runs."""
    lines = Path(keeper.__file__).read_text().splitlines()
    names = {line.split()[1].split(".")[0] for line in lines if line.strip().startswith(("import ", "from "))}
    assert names <= sys.stdlib_module_names
