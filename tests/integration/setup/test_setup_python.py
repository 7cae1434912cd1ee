"""The distribution brings another Python, or takes the one away that a version was made with."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from kit.bundles import PUBLIC, THIS_PYTHON, install_quickly, small_bundle
from kit.processes import free_port
from till_installer.doctor.checks_versions import version_current
from till_installer.doctor.findings import Bad
from till_installer.layout import Layout, linux_layout
from till_installer.services.ports import ServiceStatus
from till_installer.setup import bootstrap, installing
from till_installer.setup.installing import Installing, Wishes
from till_installer.setup.repairing import look, repair
from till_installer.upgrade.pointers import named, point


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "_install_packages", install_quickly)


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """An empty root with the till's settings beside it."""
    made = linux_layout(tmp_path / "root")
    (tmp_path / "till.toml").write_text(f'[agent]\nstate_dir = "{made.state_dir}"\n[bridge]\nport = {free_port()}\n')
    return made


@pytest.fixture
def system_python(tmp_path: Path, layout: Layout, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The system's Python, which version 0.1.0 was made with; a test may take it away."""
    python = tmp_path / "usr/bin/python3"
    python.parent.mkdir(parents=True)
    python.symlink_to(Path(sys.executable).resolve())
    with monkeypatch.context() as patch:
        patch.setattr(sys, "_base_executable", str(python))
        wishes = Wishes(bundle=small_bundle(tmp_path / "bundle"), config=tmp_path / "till.toml", release_keys=(PUBLIC,))
        Installing(layout, None).install(wishes)
    assert look(layout, None) == []
    return python


def change(python: Path, how: str) -> None:
    """As the distribution does it."""
    python.unlink()
    if how == "another":
        python.write_text('#!/bin/sh\ncase "$*" in *version_info*) echo 3.99;; *) exit 1;; esac\n')
        python.chmod(0o755)


def must_start(layout: Layout) -> None:
    """The version that `current` names, with its packages."""
    command = [str(layout.python(layout.current)), "-P", "-c", "import tillside_note, msgspec"]
    assert subprocess.run(command, check=False).returncode == 0
    assert look(layout, None) == []


@pytest.mark.parametrize("how", ["gone", "another"])
def test_a_version_without_its_python_is_found_and_made_anew(layout: Layout, system_python: Path, how: str) -> None:
    """From the bundle on the till, with the Python that there is; both for what runs and for the way back."""
    point(layout.previous, "0.1.0")
    change(system_python, how)
    (fault,) = look(layout, None)
    assert fault.code == "version_python"
    assert f"made with Python {THIS_PYTHON}" in fault.found
    assert ("is gone" if how == "gone" else "is Python 3.99") in fault.found
    found = version_current(cast("Any", SimpleNamespace(layout=layout)))
    assert isinstance(found, Bad)
    assert fault.found.endswith(found.found.removeprefix("version 0.1.0 "))
    assert all(each.fixed for each in repair(layout, None))
    must_start(layout)


def test_what_the_bundle_has_no_packages_for_stays_and_says_so(
    layout: Layout, system_python: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is taken away that another Python may still be installed for."""
    change(system_python, "gone")
    monkeypatch.setattr(bootstrap, "this_python", lambda: "3.99")
    said: list[str] = []
    (fault,) = repair(layout, None, say=said.append)
    assert (fault.code, fault.fixed) == ("version_python", False)
    assert any("expected one of Python" in each for each in said)
    assert bootstrap.read_complete(layout.version_dir("0.1.0")) is not None


@pytest.mark.soak
@pytest.mark.parametrize("how", ["gone", "another"])
def test_the_bundle_on_the_till_mends_it_where_no_command_of_ours_starts(
    layout: Layout, system_python: Path, tmp_path: Path, how: str
) -> None:
    """`tillside` is such a command: so the bundle's own `install` does it, also when it was cut off before."""
    change(system_python, how)
    folder = layout.version_dir("0.1.0")
    command = [str(folder / "bundle/install"), "--root", str(layout.root), "--silent"]
    for cut_off in (False, True):
        if cut_off:
            (folder / bootstrap.COMPLETE_FILE).unlink()
            (folder / "bin/python").unlink()
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        must_start(layout)
    assert named(layout.current) == "0.1.0"


class Keeper:
    """Of an agent that runs all the time."""

    kind = "stub"

    def __init__(self) -> None:
        self.asked: list[str] = []

    def install(self, command: tuple[str, ...], *, config: Path) -> None:
        """Known already."""

    def remove(self) -> None:
        """Not asked."""

    def start(self) -> None:
        """Noted."""
        self.asked.append("start")

    def stop(self, timeout_s: float = 10.0) -> None:
        """Noted."""
        self.asked.append("stop")

    def status(self) -> ServiceStatus:
        """Runs."""
        return ServiceStatus(state="running", pid=4_000_000)


@pytest.mark.parametrize(("exe", "starts"), [("", False), ("/usr/bin/python3.9", True), (" (deleted)", True)])
def test_an_agent_that_lives_on_by_a_python_that_went_is_started_anew(
    layout: Layout, system_python: Path, monkeypatch: pytest.MonkeyPatch, exe: str, starts: bool
) -> None:
    """It would find its modules no more, some time later; any other is left alone by an installation."""
    real = str(layout.python(layout.version_dir("0.1.0")).resolve())
    monkeypatch.setattr(installing, "program_of", lambda _: exe if exe.startswith("/") else f"{real}{exe}")
    manager = Keeper()
    Installing(layout, manager).install(Wishes(bundle=layout.version_dir("0.1.0") / "bundle"))
    assert manager.asked == (["stop", "start"] if starts else [])
    assert system_python.exists()


def test_another_python_beside_it_changes_nothing(layout: Layout, system_python: Path, tmp_path: Path) -> None:
    """Then the version goes on with its own, whichever one the second installation is begun with."""
    assert system_python.exists()
    complete = layout.version_dir("0.1.0") / bootstrap.COMPLETE_FILE
    before = complete.stat().st_ino
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bootstrap, "this_python", lambda: "3.99")
        bootstrap.make_version(tmp_path / "bundle", layout.versions, frozenset(("0.1.0",)))
    assert complete.stat().st_ino == before
