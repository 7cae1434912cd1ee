"""What a version puts into the system comes with it, and what was there comes back with the version before."""

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from kit.fake_systemctl import Asking, calls, put_on_path
from till_installer.layout import Layout, linux_layout
from till_installer.services.choosing import agent_command
from till_installer.services.systemd import ENABLED, SystemdManager
from till_installer.setup import system
from till_installer.setup.cli import setup
from till_installer.upgrade.exceptions import UpgradeError
from till_installer.upgrade.system_files import UNITS, Brought, SystemFiles, ask, of_this_version

RULES = "etc/udev/rules.d/60-tillside.rules"
SERVICE = f"{UNITS}tillside.service"
TIMER = f"{UNITS}tillside-new.timer"
TMPFILES = "etc/tmpfiles.d/tillside.conf"
OLD = Brought(files={RULES: "old\n", TMPFILES: "same\n", SERVICE: "[Service]\n# old\n"}, enabled=("tillside.service",))
NEW = Brought(
    files={TMPFILES: "same\n", SERVICE: "[Service]\n# new\n", TIMER: "[Timer]\n"},
    enabled=("tillside.service", "tillside-new.timer"),
)


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """With what the old version has put there."""
    made = linux_layout(tmp_path / "root")
    made.updates_dir.mkdir(parents=True)
    for path, text in OLD.files.items():
        (made.root / path).parent.mkdir(parents=True, exist_ok=True)
        (made.root / path).write_text(text)
    return made


def files(layout: Layout) -> dict[str, str]:
    """All below the system's folder."""
    found = [path for path in (layout.root / "etc").rglob("*") if path.is_file()]
    return {path.relative_to(layout.root).as_posix(): path.read_text() for path in found}


@pytest.fixture
def program(layout: Layout, tmp_path: Path) -> Path:
    """A systemctl that knows the old version's units."""
    made = put_on_path(tmp_path / "bin", layout.root / UNITS)
    manager = Asking(layout, made)
    manager.change({"tillside.service": OLD.files[SERVICE].encode()}, enabled=OLD.enabled, disabled=())
    (made.parent / "state/calls").unlink()
    return made


def asked(_: Layout, version: str) -> Brought:
    """The two versions' words."""
    return NEW if version == "1.1.0" else OLD


def test_they_come_and_go_with_their_version_however_often_it_is_begun(layout: Layout, program: Path) -> None:
    """A power cut may repeat each; what both have is not touched, what only one has comes and goes."""
    before = files(layout)
    node = (layout.root / TMPFILES).stat().st_ino
    changing = SystemFiles(layout, Asking(layout, program), asked)
    assert changing.prepare("1.0.0", "1.1.0") == ""
    assert files(layout) == before
    for _ in range(2):
        changing.put_new()
        assert files(layout) == NEW.files
    assert calls(program) == [
        "daemon-reload",
        "enable tillside.service tillside-new.timer",
        "restart tillside-new.timer",
        "daemon-reload",
        "restart tillside-new.timer",
    ]
    for _ in range(2):
        changing.put_back()
        assert files(layout) == before
    assert calls(program)[5:] == [
        "disable tillside-new.timer",
        "stop tillside-new.timer",
        "daemon-reload",
        "daemon-reload",
    ]
    assert (layout.root / TMPFILES).stat().st_ino == node
    changing.clear()
    changing.put_new()
    assert files(layout) == before, "the change is over"


def test_what_somebody_had_altered_is_there_again_after_a_way_back(layout: Layout) -> None:
    """Byte by byte: a way back leaves the till as it was."""
    (layout.root / RULES).write_bytes(b"# \xff\r\n")
    changing = SystemFiles(layout, SystemdManager(layout), lambda *_: Brought(files={RULES: "new\n"}))
    changing.prepare("1.0.0", "1.1.0")
    changing.put_new()
    changing.put_back()
    assert (layout.root / RULES).read_bytes() == b"# \xff\r\n"


def test_nothing_is_done_where_nothing_differs(layout: Layout, program: Path) -> None:
    """Most versions bring the same files: then nobody is told to read anything anew."""
    changing = SystemFiles(layout, Asking(layout, program), lambda *_: OLD)
    changing.prepare("1.0.0", "1.1.0")
    changing.put_new()
    changing.put_back()
    assert calls(program) == []
    assert not changing.plan_path.exists()


def test_what_the_operator_shut_off_stays_so_and_is_said(layout: Layout, program: Path) -> None:
    """A masked unit is no file that differs, and a disabled one is not enabled: neither there nor on the way back."""
    manager = Asking(layout, program)
    (layout.root / TIMER).write_text("[Timer]\n# old\n")
    manager._call("daemon-reload")
    masked = layout.root / SERVICE
    masked.unlink()
    masked.symlink_to(os.devnull)
    changing = SystemFiles(layout, manager, asked)
    said = changing.prepare("1.0.0", "1.1.0")
    assert "tillside.service" in said
    assert "tillside-new.timer" in said
    for change in (changing.put_new, changing.put_back):
        change()
        assert masked.is_symlink()
        assert manager.left_out(NEW.enabled) == NEW.enabled
    assert not [call for call in calls(program) if call.startswith(("enable", "restart"))]


def test_a_folder_that_takes_nothing_keeps_no_version_away(layout: Layout) -> None:
    """The updater's unit of an older version may write nothing below /etc: it says so, and the version comes."""
    rules = layout.root / RULES
    rules.unlink()
    rules.parent.rmdir()
    rules.parent.write_text("no folder")
    changing = SystemFiles(layout, SystemdManager(layout), lambda *_: Brought(files={RULES: "new\n"}))
    assert "tillside setup repair" in changing.prepare("1.0.0", "1.1.0")
    changing.put_new()
    assert rules.parent.read_text() == "no folder"


def version_that_says(layout: Layout, said: str, status: int = 0) -> str:
    """A version whose program answers so."""
    folder = layout.version_dir("1.1.0")
    (folder / "bundle").mkdir(parents=True)
    python = layout.python(folder)
    python.parent.mkdir()
    python.write_text(f"#!/bin/sh\ncat <<'END'\n{said}\nEND\nexit {status}\n")
    python.chmod(0o755)
    return "1.1.0"


@pytest.mark.parametrize(
    "path", ["etc/passwd", "etc/systemd/system/../../passwd", "etc/systemd/system/tillside.d/../ssh", "/etc/tillside"]
)
def test_a_version_is_asked_for_files_of_its_own_only(layout: Layout, path: str) -> None:
    """Whoever signed it: a slip there would cost the machine."""
    version = version_that_says(layout, json.dumps({"files": {path: "x"}}))
    with pytest.raises(UpgradeError, match="only files of Tillside"):
        ask(layout, version)


def test_a_version_from_before_that_question_brings_nothing(layout: Layout) -> None:
    """What is there stays, as it did then; one that fails over it is none to switch to."""
    assert ask(layout, version_that_says(layout, "No such command", 2)) is None
    layout.python(layout.version_dir("1.1.0")).write_text("#!/bin/sh\nexit 1\n")
    with pytest.raises(UpgradeError, match="does not say"):
        ask(layout, "1.1.0")


def test_what_a_version_says_is_what_its_installation_writes(layout: Layout) -> None:
    """Else `tillside setup status` would find fault with a till that was upgraded."""
    done = CliRunner().invoke(setup, ["system-files", "--root", str(layout.root)])
    said = json.loads(done.stdout)
    assert said["enabled"] == list(ENABLED)
    said = said["files"]
    assert said == of_this_version(layout).files
    system.put_files(layout)
    for path, text in said.items():
        if path.startswith(UNITS):
            (layout.root / path).write_text(text)
    assert system.are_files_ours(layout) == []
    assert SystemdManager(layout).is_as_installed(agent_command(layout), config=layout.config)
    assert (layout.root / system.COMMAND).is_symlink()
