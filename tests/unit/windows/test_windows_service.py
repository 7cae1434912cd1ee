"""The Windows service through NSSM, by a fake of that which keeps settings and answers in UTF-16 as it does."""

import contextlib
import socket
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from till_agent.instance import RUNNING_FILE, Running
from till_installer.exceptions import ServiceError
from till_installer.layout import Layout, windows_layout
from till_installer.services.windows import STARTS_FILE, WindowsManager, service_command
from till_installer.windows import start


class FakeNssm(WindowsManager):
    """A manager whose programs are played here: settings in a dict, answers in UTF-16, statuses as NSSM has them."""

    def __init__(self, layout: Layout) -> None:
        super().__init__(layout, nssm=(sys.executable,), sc=("sc.exe",))
        self.known: dict[str, str] = {}
        self.calls: list[str] = []

    def _run(  # type: ignore[override]  # each fake has a state of its own
        self, program: tuple[str, ...], *words: str
    ) -> "subprocess.CompletedProcess[bytes]":
        self.calls.append(" ".join(words))
        status, said = self._play(*words)
        return subprocess.CompletedProcess([*program, *words], status, f"{said}\r\n".encode("utf-16-le"), b"")

    def _play(self, verb: str, *words: str) -> tuple[int, str]:
        if verb == "install":
            self.known = {"state": "SERVICE_STOPPED"}
        elif not self.known:
            return 3, "Can't open service!"
        elif verb == "get":
            return 0, self.known.get(" ".join(words[1:]), "")
        elif verb == "set":
            self.known[" ".join(words[1:-1])] = words[-1]
        elif verb == "remove":
            self.known = {}
        elif verb in ("start", "stop"):
            self.known["state"] = "SERVICE_RUNNING" if verb == "start" else "SERVICE_STOPPED"
        return 0, self.known.get("state", "")


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """With the folders that the set-up makes."""
    made = windows_layout(tmp_path / "Program Files/Tillside", tmp_path / "ProgramData/Tillside")
    made.state_dir.mkdir(parents=True)
    return made


def test_a_service_is_made_once_and_then_left_as_it_is(layout: Layout) -> None:
    """The second time nothing is set; what was changed by hand is noticed and put back."""
    manager, command = FakeNssm(layout), service_command(layout)
    assert manager.status().state == "absent"
    manager.install(command, config=layout.config)
    assert manager.is_as_installed(command, config=layout.config)
    calls = list(manager.calls)
    manager.calls.clear()
    assert "set tillside AppExit Default Restart" in calls
    assert "config tillside obj= NT SERVICE\\tillside" in calls
    assert any("agent run --config" in each for each in calls if "AppParameters" in each)
    manager.install(command, config=layout.config)
    assert not [each for each in manager.calls if each.startswith(("set", "install"))]
    manager.known["AppThrottle"] = "1"
    assert not manager.is_as_installed(command, config=layout.config)


def test_states_are_told_as_they_are(layout: Layout) -> None:
    """Running only when the bridge answers; restarts counted by the starter since it was started by hand."""
    manager = FakeNssm(layout)
    with pytest.raises(ServiceError, match="installed"):
        manager.start()
    manager.install(service_command(layout), config=layout.config)
    manager.start()
    assert manager.status().state == "starting"
    for _ in range(3):
        start.count(layout.state_dir / STARTS_FILE)
    with socket.create_server(("127.0.0.1", 0)) as bridge:
        running = Running(port=bridge.getsockname()[1], pid=4321)
        (layout.state_dir / RUNNING_FILE).write_bytes(msgspec.json.encode(running))
        status = manager.status()
    assert (status.state, status.pid, status.restarts) == ("running", 4321, 2)
    manager.known["state"] = "SERVICE_PAUSED"
    assert manager.status().state == "failed"
    manager.stop()
    assert manager.status().state == "stopped"
    manager.remove()
    assert manager.status().state == "absent"
    assert not (layout.state_dir / STARTS_FILE).exists()


@pytest.mark.parametrize(("state", "is_fault"), [("SERVICE_START_PENDING", False), ("SERVICE_STOPPED", True)])
def test_a_start_that_takes_its_time_is_no_fault(layout: Layout, state: str, is_fault: bool) -> None:
    """NSSM stops waiting on a slow machine, and says so by its status; one that refuses to start does the same."""

    class Slow(FakeNssm):
        def _play(self, verb: str, *words: str) -> tuple[int, str]:
            if verb == "start":
                self.known["state"] = state
                return 1, "Unexpected status in response to START control."
            return super()._play(verb, *words)

    manager = Slow(layout)
    manager.install(service_command(layout), config=layout.config)
    with pytest.raises(ServiceError, match="START control") if is_fault else contextlib.nullcontext():
        manager.start()
