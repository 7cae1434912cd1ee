"""What the Windows set-up does once its files are unpacked: once, twice, killed half-way, beside an agent, refused."""

import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kit.bundles import tree
from kit.processes import free_port
from till_agent.audit_trail import AUDIT_FILE, read
from till_config.exceptions import ConfigError
from till_installer.bundle.manifest import Manifest
from till_installer.exceptions import InstallerError
from till_installer.layout import Layout
from till_installer.services.ports import ServiceState
from till_installer.setup.exceptions import SetupError
from till_installer.upgrade.engine import Upgrader
from till_installer.upgrade.pointers import named, point
from till_installer.upgrade.record import Marker, Records
from till_installer.windows import installing
from till_installer.windows.installing import STARTER, Done, Installing, Wishes
from till_sync.heartbeat import UpdateStage, UpdateState
from unit.windows.windows_kit import JOURNAL, Manager, layout_in, unpack

STEPS = ("compiled", "settings", "programs", "service", "protected", "switched", "enrolled", "started")
KILLED = 137
MARK = "bundle/whole-1"


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """Version 0.1.0 is unpacked, and the till's settings lie beside it."""
    made = layout_in(tmp_path / "c")
    unpack(made)
    (tmp_path / "till.toml").write_text(
        f'[agent]\nstate_dir = "{made.state_dir}"\n[bridge]\nport = {free_port()}\n[cloud]\nurl = "http://127.0.0.1:1"\n'
    )
    return made


def settings_of(layout: Layout) -> Path:
    """The file that the set-up is given."""
    return layout.programs.parents[2] / "till.toml"


def put_in(
    layout: Layout, manager: Manager, at: Callable[[str], None] = lambda _: None, *, protect: Any = None, **more: Any
) -> Done:
    """Install with the usual wishes."""
    wishes = {"version": "0.1.0", "config": settings_of(layout), "mark": MARK, **more}
    made = Installing(
        layout, manager, at=at, protect_data=protect or (lambda *_: None), allow=lambda origins: list(origins)
    )
    return made.install(Wishes(**wishes))


def done(layout: Layout) -> list[str]:
    """What the audit log says was done."""
    lines, bad = read(layout.state_dir / AUDIT_FILE)
    assert bad is None
    return [line.what for line in lines]


def test_a_first_installation_puts_all_in_place_and_a_second_changes_nothing(layout: Layout) -> None:
    """Starter, service manager, command, settings, pointer, policies; each is said once, and the audit log tells it."""
    manager = Manager()
    first = put_in(layout, manager, pos_origins=("https://pos.example",))
    assert {"till.toml", "start.py", "nssm.exe", "tillside.cmd", "current", "service"} <= set(first.changed)
    assert "https://pos.example" in first.changed
    assert (named(layout.current), manager.state, first.before) == ("0.1.0", "running", "")
    assert {each.name for each in (layout.programs / "starter").iterdir()} == {*STARTER, "start.py", "python311._pth"}
    assert (layout.version_dir("0.1.0") / MARK).exists()
    assert done(layout) == ["installed"]
    before = tree(layout.state_dir), tree(layout.programs / "starter")
    assert put_in(layout, manager).changed == ()
    assert (tree(layout.state_dir), tree(layout.programs / "starter")) == before
    assert manager.calls.count("start") == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills a fork of this process")
@pytest.mark.parametrize("step", STEPS)
def test_a_set_up_that_is_killed_is_finished_by_the_next(step: str, layout: Layout) -> None:
    """Whatever it had done by then, and whether or not its service is known already."""
    pid = os.fork()
    if pid == 0:
        try:
            put_in(layout, Manager(), lambda name: os._exit(KILLED) if name == step else None)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == KILLED
    assert (layout.version_dir("0.1.0") / MARK).exists(), "else it would be unpacked over an agent that may run"
    manager = Manager("stopped" if STEPS.index(step) > STEPS.index("programs") else "absent")
    put_in(layout, manager)
    assert (named(layout.current), manager.state) == ("0.1.0", "running")
    assert done(layout) == ["installed"]
    assert put_in(layout, manager).changed == ()


def test_an_agent_that_runs_is_started_anew_for_new_settings_alone(layout: Layout) -> None:
    """And rests while its starter is replaced, which Windows would not allow else."""
    manager = Manager()
    put_in(layout, manager)
    manager.calls.clear()
    settings_of(layout).write_text(settings_of(layout).read_text() + "# another day\n")
    assert put_in(layout, manager).changed == ("till.toml", "service")
    assert manager.calls == ["install", "stop", "start"]
    manager.calls.clear()
    unpack(layout, text="another")
    assert set(put_in(layout, manager).changed) == {*STARTER, "start.py", "nssm.exe", "service"}
    assert manager.calls == ["stop", "install", "start"]
    assert manager.state == "running"


def test_the_port_of_the_agent_is_no_fault_and_that_of_another_program_is(layout: Layout) -> None:
    """Found out before anything is changed."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        text = f'[agent]\nstate_dir = "{layout.state_dir}"\n[bridge]\nport = {other.getsockname()[1]}\n'
        settings_of(layout).write_text(text)
        assert refused(layout, Manager()) == "port_taken"
        put_in(layout, Manager("running"))


def test_a_version_that_was_taken_back_here_is_not_put_in_place_again(layout: Layout) -> None:
    """The one that runs goes on; what the upgrade refuses is the set-up's answer too."""
    manager = Manager()
    put_in(layout, manager)
    unpack(layout, "0.2.0")
    Records(layout).refuse("0.2.0", "never_ready")
    with pytest.raises(InstallerError) as caught:
        put_in(layout, manager, version="0.2.0")
    assert (caught.value.code, caught.value.exit_code) == ("rolled_back_before", 3)
    assert (named(layout.current), manager.state) == ("0.1.0", "running")


@pytest.mark.parametrize("state", ["stopped", "failed", "starting"])
def test_a_version_over_an_agent_that_rests_is_an_upgrade_as_any(
    layout: Layout, monkeypatch: pytest.MonkeyPatch, state: ServiceState
) -> None:
    """Rehearsed and watched: else a till that was stopped for the set-up would get what no till that sells does."""
    manager = Manager()
    put_in(layout, manager)
    manager.state = state
    unpack(layout, "0.2.0", text="another")
    starter = layout.programs / "starter/start.py"
    before, seen = starter.read_text(), list[str]()

    def apply(self: Upgrader, *_: object, **__: object) -> UpdateState:
        seen.append(starter.read_text())
        point(self.layout.previous, "0.1.0")
        point(self.layout.current, "0.2.0")
        manager.start()
        return UpdateState(stage="done")

    monkeypatch.setattr(Upgrader, "apply", apply)
    assert put_in(layout, manager, version="0.2.0").before == "0.1.0"
    assert seen == [before], "once, and under the starter that was there"
    assert (named(layout.current), named(layout.previous), manager.state) == ("0.2.0", "0.1.0", "running")


@pytest.mark.parametrize("ends_on", ["0.2.0", "0.1.0"])
def test_a_change_of_version_that_was_killed_is_finished_by_the_same_set_up(
    layout: Layout, monkeypatch: pytest.MonkeyPatch, ends_on: str
) -> None:
    """Watched under the starter that was there, and taken back as it would have been: here nothing else does that."""
    manager = Manager()
    put_in(layout, manager)
    starter = layout.programs / "starter/start.py"
    before, seen = starter.read_text(), list[str]()
    unpack(layout, "0.2.0", text="another")
    point(layout.current, "0.2.0")
    Records(layout).mark(Marker(step="proving", from_version="0.1.0", to_version="0.2.0"))

    def finish(self: Upgrader) -> UpdateState:
        seen.append(starter.read_text())
        point(self.layout.current, ends_on)
        stage: UpdateStage = "done" if ends_on == "0.2.0" else "rolled_back"
        return UpdateState(stage=stage, code="" if stage == "done" else "never_ready", to_version="0.2.0")

    monkeypatch.setattr(Upgrader, "finish", finish)
    if ends_on == "0.2.0":
        put_in(layout, manager, version="0.2.0")
    else:
        with pytest.raises(SetupError, match=r"taken back .*version 0\.1\.0 serves on"):
            put_in(layout, manager, version="0.2.0")
    assert seen == [before]
    assert (starter.read_text() == before, manager.state) == (ends_on == "0.1.0", "running")


def test_a_refused_version_leaves_an_agent_at_rest(layout: Layout) -> None:
    """Whoever stopped it had a reason; what did not change is not started."""
    manager = Manager()
    put_in(layout, manager)
    manager.stop()
    unpack(layout, "0.2.0")
    Records(layout).refuse("0.2.0", "never_ready")
    with pytest.raises(InstallerError, match="upgrade apply --again"):
        put_in(layout, manager, version="0.2.0")
    assert (named(layout.current), manager.state) == ("0.1.0", "stopped")


@pytest.mark.parametrize("left", ["a whole version", "a part of one"])
def test_a_version_is_switched_at_once_where_none_is_left_to_go_back_to(layout: Layout, left: str) -> None:
    """No service that could start it, or not all of its files; that it was not rehearsed is said."""
    manager = Manager()
    put_in(layout, manager)
    if left == "a whole version":
        manager.remove()
    else:
        manager.stop()
        (layout.version_dir("0.1.0") / "complete.json").unlink()
    unpack(layout, "0.2.0")
    told = put_in(layout, manager, version="0.2.0")
    assert told.remarks == ("version 0.2.0 took the place of 0.1.0 without a rehearsal",)
    assert (named(layout.current), named(layout.previous), manager.state) == ("0.2.0", "0.1.0", "running")


def refused(layout: Layout, manager: Manager, **more: Any) -> str:
    """The code of the refusal, after which everything is as it was and nobody was asked for anything."""
    before = tree(layout.programs.parents[1])
    with pytest.raises((InstallerError, ConfigError)) as caught:
        put_in(layout, manager, **more)
    assert tree(layout.programs.parents[1]) == before
    assert manager.calls == []
    return str(getattr(caught.value, "code", "config"))


def test_what_is_wrong_from_the_start_changes_nothing(
    layout: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Settings that are not there, wrong, or elsewhere; files that are not whole; data of a newer version."""
    assert refused(layout, Manager(), config=tmp_path / "none.toml") == "no_config"
    wrong, elsewhere = tmp_path / "wrong.toml", tmp_path / "elsewhere.toml"
    wrong.write_text("[bridge]\nport = 'high'\n")
    elsewhere.write_text(f'[agent]\nstate_dir = "{tmp_path}/other"\n')
    assert refused(layout, Manager(), enroll_file=tmp_path / "none.txt") == "no_code"
    assert refused(layout, Manager(), frontol=tmp_path / "none") == "frontol"
    assert refused(layout, Manager(), config=wrong) == "config"
    assert refused(layout, Manager(), config=elsewhere) == "state_dir_elsewhere"
    with monkeypatch.context() as patch:
        patch.setattr(installing, "schema_of", lambda journal: JOURNAL + 1)
        assert refused(layout, Manager()) == "journal_unreadable"
    (layout.version_dir("0.1.0") / "complete.json").unlink()
    assert refused(layout, Manager()) == "version_incomplete"


@pytest.mark.parametrize("who", ["service", "rights", "files"])
def test_without_rights_a_first_installation_leaves_no_service(layout: Layout, who: str) -> None:
    """The set-up removes its files then: a service that needs them would be started with the machine for ever."""
    manager = Manager()

    def deny(*_: object) -> None:
        raise SetupError("`icacls` failed: Access is denied", code="rights")

    if who == "service":
        manager.refuses = {"install"}
    elif who == "files":
        (layout.programs / "starter").touch()
    with pytest.raises(InstallerError) as caught:
        put_in(layout, manager, protect=deny)
    assert caught.value.code == {"service": "service", "rights": "rights", "files": "not_written"}[who]
    assert (manager.state, named(layout.current)) == ("absent", "")


def test_without_rights_a_till_that_sells_goes_on(layout: Layout) -> None:
    """With the service and the version that it has."""
    manager = Manager()
    put_in(layout, manager)
    manager.refuses = {"install"}
    with pytest.raises(InstallerError):
        put_in(layout, manager)
    assert (manager.state, named(layout.current)) == ("running", "0.1.0")


def test_a_failure_while_the_agent_rests_does_not_leave_it_at_rest(layout: Layout) -> None:
    """Its starter is replaced, for which it has to rest; then something has no right."""
    manager = Manager()
    put_in(layout, manager)
    unpack(layout, text="another")
    manager.refuses = {"install"}
    with pytest.raises(InstallerError):
        put_in(layout, manager)
    assert (manager.calls[-3:], manager.state) == (["stop", "install", "start"], "running")
    manager.refuses = set()
    unpack(layout, text="a third")

    def deny(*_: object) -> None:
        raise SetupError("`icacls` failed: Access is denied", code="rights")

    with pytest.raises(SetupError):
        put_in(layout, manager, protect=deny)
    assert manager.state == "running"


@pytest.mark.parametrize("repair", [False, True])
def test_a_version_with_another_starter_is_an_upgrade_all_the_same(
    layout: Layout, monkeypatch: pytest.MonkeyPatch, repair: bool
) -> None:
    """Rehearsed and watched beside the agent that sells, which rests for its starter only when that is done."""
    manager = Manager()
    put_in(layout, manager)
    unpack(layout, "0.2.0", text="another")
    manager.calls.clear()
    seen: list[tuple[str, list[str]]] = []

    def apply(self: Upgrader, _bundle: Path, _manifest: Manifest, *, again: bool) -> UpdateState:
        assert not again
        seen.append((self.manager.status().state, list(manager.calls)))
        point(layout.current, "0.2.0")
        return UpdateState(stage="done")

    monkeypatch.setattr(Upgrader, "apply", apply)
    put_in(layout, manager, version="0.2.0", repair=repair)
    assert seen == [("running", ["install"])]
    assert (named(layout.current), manager.state) == ("0.2.0", "running")
    assert "another" in (layout.programs / "starter/start.py").read_text()


def test_a_repair_is_noted_and_compiles_anew(layout: Layout) -> None:
    """What was compiled before may be what was damaged."""
    manager = Manager()
    put_in(layout, manager)
    (compiled,) = layout.version_dir("0.1.0").rglob("*.pyc")
    before = compiled.read_bytes()
    compiled.write_bytes(before[:16] + b"damaged")
    put_in(layout, manager)
    assert compiled.read_bytes() != before
    put_in(layout, manager, repair=True)
    assert compiled.read_bytes() == before
    assert done(layout)[:2] == ["installed", "repaired"]


def test_a_code_that_no_cloud_takes_is_told_by_the_set_up(layout: Layout, tmp_path: Path) -> None:
    """One that no cloud takes leaves a till that is not enrolled yet, and says how it will be."""
    manager = Manager()
    (tmp_path / "code.txt").write_text("till-1.AAAA-BBBB-CCCC-DDDD\r\n", encoding="utf-8-sig")
    enrolled = put_in(layout, manager, enroll_file=tmp_path / "code.txt").enrolled
    assert (enrolled.was_tried, enrolled.till) == (True, "")
    assert "--code-file" in enrolled.detail
