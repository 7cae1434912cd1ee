"""A unit that the operator has shut off stays so: it is not written over, not enabled, and it is said."""

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from kit.fake_systemctl import Asking, calls, put_on_path
from till_installer.doctor.checks_service import service_missing
from till_installer.doctor.findings import Bad
from till_installer.doctor.service_look import Unit
from till_installer.exceptions import ServiceError
from till_installer.layout import Layout, linux_layout
from till_installer.services.choosing import agent_command
from till_installer.services.systemd import ENABLED, UNITS
from till_installer.setup import repairing, system
from till_installer.setup.exceptions import PreconditionError
from till_installer.setup.installing import Installing, Wishes
from till_installer.upgrade import checks
from till_installer.upgrade.exceptions import RefusedError

TIMER = "tillside-update.timer"
SERVICE = "tillside.service"


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    made = linux_layout(tmp_path / "root")
    (made.root / "etc/systemd/system").mkdir(parents=True)
    return made


@pytest.fixture
def program(layout: Layout, tmp_path: Path) -> Path:
    return put_on_path(tmp_path / "bin", layout.root / "etc/systemd/system")


@pytest.fixture
def manager(layout: Layout, program: Path) -> Asking:
    """Of units that are installed."""
    made = Asking(layout, program)
    made.install(agent_command(layout), config=layout.config)
    (program.parent / "state/calls").unlink()
    return made


def mask(manager: Asking, name: str) -> Path:
    path = manager.folder / name
    path.unlink()
    path.symlink_to(os.devnull)
    return path


def is_masked(path: Path) -> bool:
    return path.is_symlink() and str(path.readlink()) == os.devnull


def test_an_installation_leaves_a_masked_unit(layout: Layout, manager: Asking, program: Path) -> None:
    """All others are put back and enabled, which with its name among them systemd would refuse."""
    path = mask(manager, TIMER)
    (manager.folder / "tillside-update.service").write_text("other\n")
    (program.parent / "state/enabled.json").unlink()
    manager.install(agent_command(layout), config=layout.config)
    assert is_masked(path)
    assert "other" not in (manager.folder / "tillside-update.service").read_text()
    assert calls(program) == ["daemon-reload", f"enable {' '.join(name for name in ENABLED if name != TIMER)}"]
    assert manager.masked() == (TIMER,)
    assert manager.is_as_installed(agent_command(layout), config=layout.config)
    manager.watch_for_updates()
    assert calls(program)[-1] == "start tillside-update.path"


def test_a_masked_agent_is_started_by_nobody(manager: Asking) -> None:
    """It says how that is ended."""
    mask(manager, SERVICE)
    manager._call("daemon-reload")
    assert manager.status().detail == "masked"
    with pytest.raises(ServiceError, match="systemctl unmask tillside") as caught:
        manager.start()
    assert caught.value.code == "service_masked"


def test_repair_says_it_and_mends_the_rest(layout: Layout, manager: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the command that ends it; a masked agent is not started."""
    monkeypatch.setattr(system, "make_user", lambda _: False)
    layout.version_dir("0.1.0").mkdir(parents=True)
    paths = [mask(manager, TIMER), mask(manager, SERVICE)]
    found = {(each.found, each.fixed) for each in repairing.repair(layout, manager) if each.code == "unit_masked"}
    assert {text.split()[0] for text, _ in found} == {TIMER, SERVICE}
    assert all("systemctl unmask" in text and not fixed for text, fixed in found)
    assert all(is_masked(path) for path in paths)
    assert manager.status().state == "stopped"


def test_no_version_is_brought_to_a_masked_agent(layout: Layout, manager: Asking, tmp_path: Path) -> None:
    """Neither by an installation nor by an upgrade: it could not be started, nor proven."""
    checks.must_start(manager)
    mask(manager, SERVICE)
    with pytest.raises(RefusedError, match="systemctl unmask tillside"):
        checks.must_start(manager)
    with pytest.raises(PreconditionError, match="systemctl unmask tillside") as caught:
        Installing(layout, manager).install(Wishes(bundle=tmp_path))
    assert caught.value.code == "service_masked"


def test_what_is_disabled_or_masked_is_known(manager: Asking, program: Path) -> None:
    """Of those that are there."""
    assert manager.left_out((*ENABLED, "tillside-none.timer")) == ()
    manager._call("disable", TIMER)
    mask(manager, "tillside-update.path")
    assert set(manager.left_out((*ENABLED, "tillside-none.timer"))) == {TIMER, "tillside-update.path"}
    assert manager.masked(UNITS) == ("tillside-update.path",)


def test_the_doctor_says_how_a_mask_is_ended() -> None:
    """To install it again, which it says of a service that is missing, would leave it masked."""
    scene = SimpleNamespace(unit=lambda: Unit(told={"LoadState": "masked"}))
    found = service_missing(cast("Any", scene))
    assert isinstance(found, Bad)
    assert "systemctl unmask tillside" in found.fix
