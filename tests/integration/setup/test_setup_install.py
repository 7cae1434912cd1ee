"""Installing from a bundle: once, twice, broken off anywhere, mended, taken off. Small bundles of the real form."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from integration.setup.setup_kit import Stub, killed, put_in, quick
from kit.bundles import PUBLIC, small_bundle, tree
from kit.fake_systemctl import calls, put_on_path
from kit.updates import Shop
from kit.waiting import wait_for
from till_agent.audit_trail import AUDIT_FILE, read
from till_config.exceptions import ConfigError
from till_installer.exceptions import InstallerError
from till_installer.layout import Layout
from till_installer.services.systemd import SystemdManager
from till_installer.setup import bootstrap
from till_installer.setup.cli import setup
from till_installer.setup.looking import standing
from till_installer.setup.removing import uninstall
from till_installer.setup.repairing import look, repair
from till_installer.upgrade.pointers import named
from till_sync.keys import new_key

STEPS = ("version", "files", "switched", "enrolled", "started")


def refused(layout: Layout, bundle: Path, **more: Any) -> str:
    """The code of the refusal, after which nothing is there that was not."""
    before = tree(layout.root)
    with pytest.raises(InstallerError) as caught:
        put_in(layout, bundle, **more)
    assert tree(layout.root) == before
    return caught.value.code


def _alone() -> list[str]:
    """Words before a command that take its network away, where that is permitted."""
    permitted = shutil.which("unshare") and not subprocess.run(["unshare", "-n", "true"], check=False).returncode
    return ["unshare", "-n"] if permitted else []


def test_the_script_of_a_bundle_installs_without_a_network_and_twice_as_once(bundle: Path, layout: Layout) -> None:
    """With nothing but Python; the second run changes neither a byte nor a date."""
    command = [*_alone(), str(bundle / "install"), "--root", str(layout.root), "--silent"]
    command += ["--config", str(layout.root.parent / "till.toml"), "--release-key", PUBLIC]
    environment = {"PATH": os.environ["PATH"], "PIP_INDEX_URL": "http://127.0.0.1:9/", "HOME": "/nonexistent"}
    first = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert (first.returncode, first.stdout, first.stderr) == (0, "", "")
    before = tree(layout.root)
    again = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")
    assert tree(layout.root) == before
    assert named(layout.current) == "0.1.0"
    assert look(layout, None) == []


@quick
def test_a_second_installation_changes_nothing(bundle: Path, layout: Layout) -> None:
    """Nor does it say that it did; new settings are the one thing that changes."""
    manager = Stub()
    assert "service" in put_in(layout, bundle, manager).changed
    before = tree(layout.root)
    done = put_in(layout, bundle, manager)
    assert (done.changed, done.version, done.service) == ((), "0.1.0", "stub")
    assert tree(layout.root) == before
    settings = layout.root.parent / "till.toml"
    settings.write_text(settings.read_text() + "# another day\n")
    assert put_in(layout, bundle, manager).changed == ("till.toml", "service")


@quick
@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills a fork of this process")
@pytest.mark.parametrize("step", STEPS)
def test_an_installation_that_is_killed_is_finished_by_the_next(step: str, bundle: Path, layout: Layout) -> None:
    """Whatever it had done by then."""
    killed(layout, bundle, step)
    manager = Stub()
    put_in(layout, bundle, manager)
    assert (named(layout.current), manager.state) == ("0.1.0", "running")
    assert look(layout, manager) == []
    assert not list(layout.root.rglob(".*.????????")), "no draft is left"


@quick
def test_a_version_whose_making_was_cut_off_is_made_anew(
    bundle: Path, layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its folder has no list of its files, and never runs."""
    folder = layout.version_dir("0.1.0")

    def die(folder: Path) -> dict[str, str]:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(bootstrap, "list_files", die)
        with pytest.raises(KeyboardInterrupt):
            put_in(layout, bundle)
    assert folder.is_dir()
    assert bootstrap.read_complete(folder) is None
    assert not layout.current.is_symlink()
    (folder / "left").touch()
    put_in(layout, bundle)
    assert not (folder / "left").exists()
    assert named(layout.current) == "0.1.0"


@quick
def test_what_is_wrong_from_the_start_changes_nothing(bundle: Path, layout: Layout, tmp_path: Path) -> None:
    """Each with its code and what to do."""
    assert refused(layout, bundle, config=tmp_path / "none.toml") == "no_config"
    assert refused(layout, bundle, release_keys=()) == "bundle_no_key"
    assert refused(layout, bundle, release_keys=("0" * 64,)) == "bundle_foreign_key"
    assert refused(layout, bundle, enroll_file=tmp_path / "none.txt") == "no_code"
    assert refused(layout, bundle, frontol=tmp_path / "none") == "frontol"
    (tmp_path / "other.toml").write_text('[agent]\nstate_dir = "/srv/elsewhere"\n')
    assert refused(layout, bundle, config=tmp_path / "other.toml") == "state_dir_elsewhere"
    (tmp_path / "bad.toml").write_text('[agent]\nlog_level = "loud"\n[bridge]\nport = 99999\n')
    with pytest.raises(ConfigError) as caught:
        put_in(layout, bundle, config=tmp_path / "bad.toml")
    assert "log_level" in str(caught.value)
    assert "port" in str(caught.value), "all problems at once"
    assert not layout.root.exists()


@quick
def test_a_port_that_is_taken_is_said_before_anything_is_done(bundle: Path, layout: Layout) -> None:
    """By another program: the agent's own is none."""
    import socket

    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        (layout.root.parent / "till.toml").write_text(
            f'[agent]\nstate_dir = "{layout.state_dir}"\n[bridge]\nport = {port}\n'
        )
        assert refused(layout, bundle, manager=Stub()) == "port_taken"


def test_a_disk_without_room_is_said(bundle: Path, layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the version is begun."""
    monkeypatch.setattr(bootstrap, "SPACE_FACTOR", 10**12)
    assert refused(layout, bundle) == "no_space"


@quick
def test_a_till_takes_no_other_key_than_its_own(bundle: Path, layout: Layout, tmp_path: Path) -> None:
    """Not even by a command as root: that would be the way in for whoever tricks somebody into running an install."""
    put_in(layout, bundle)
    other = new_key()
    from till_sync.keys import public_of

    foreign = small_bundle(tmp_path / "foreign", "0.3.0", key=other)
    assert refused(layout, foreign, release_keys=(public_of(other),)) == "release_key_other"
    assert refused(layout, foreign, release_keys=()) == "bundle_foreign_key"


@quick
def test_another_build_of_the_version_is_not_laid_over_it(bundle: Path, layout: Layout, tmp_path: Path) -> None:
    """A version's number stands for its bytes."""
    put_in(layout, bundle)
    other = small_bundle(tmp_path / "other", text="other")
    before = tree(layout.versions)
    with pytest.raises(InstallerError) as caught:
        put_in(layout, other)
    assert caught.value.code == "version_differs"
    assert tree(layout.versions) == before


@quick
def test_what_was_damaged_is_found_and_mended(bundle: Path, layout: Layout) -> None:
    """A changed, a missing and a planted file, rights, links, our files in the system; data is not touched."""
    manager = Stub()
    put_in(layout, bundle, manager)
    folder = layout.version_dir("0.1.0")
    whole = bootstrap.list_files(folder)
    site = next(folder.glob("lib/python*/site-packages"))
    (site / "tillside_note.py").write_text("import os\n")
    (site / "sitecustomize.py").write_text("print('planted')\n")
    (folder / "bin/tillside").unlink()
    (site / "tillside_tree.pth").chmod(0o666)
    layout.state_dir.chmod(0o755)
    layout.previous.symlink_to("versions/0.0.9")
    layout.previous.unlink()
    layout.current.unlink()
    layout.current.symlink_to("versions/0.1.0")
    (layout.root / "etc/udev/rules.d/60-tillside.rules").write_text("")
    manager.stop()
    kept = layout.state_dir / "journal.db"
    kept.write_bytes(b"data")
    codes = {fault.code for fault in look(layout, manager)}
    assert codes == {"version_altered", "version_rights", "place_rights", "system_file", "service_down"}
    assert not standing(layout, manager).good
    assert all(fault.fixed for fault in repair(layout, manager))
    assert look(layout, manager) == []
    assert bootstrap.list_files(folder) == whole
    written = [(line.what, line.facts.get("version")) for line in read(layout.state_dir / AUDIT_FILE)[0]]
    assert written == [("installed", "0.1.0"), ("repaired", "0.1.0")]
    assert kept.read_bytes() == b"data"
    assert manager.state == "running"


@quick
def test_a_version_of_which_nothing_is_known_is_made_anew(bundle: Path, layout: Layout) -> None:
    """From the bundle that is kept with it; where that is altered too, only by another whole one."""
    put_in(layout, bundle)
    folder = layout.version_dir("0.1.0")
    (folder / bootstrap.COMPLETE_FILE).unlink()
    assert [fault.fixed for fault in repair(layout, None)] == [True]
    (folder / bootstrap.KEPT_BUNDLE / "requirements.txt").write_text("evil==1\n")
    next(folder.glob("lib/python*/site-packages/tillside_note.py")).unlink()
    with pytest.raises(InstallerError) as caught:
        repair(layout, None)
    assert caught.value.code == "bundle_altered"
    assert all(fault.fixed for fault in repair(layout, None, bundle))
    assert look(layout, None) == []


@quick
def test_uninstalling_keeps_the_data_and_purging_removes_it(bundle: Path, layout: Layout) -> None:
    """Nothing of ours is left in the system either way; the next install finds its data again."""
    manager = Stub()
    put_in(layout, bundle, manager, pos_origins=("https://pos.example",))
    (layout.state_dir / "identity.json").write_text("{}")
    uninstall(layout, manager)
    left = {path.relative_to(layout.root).as_posix() for path in layout.root.rglob("*") if path.is_file()}
    assert {each for each in left if not each.startswith(("etc/passwd", "etc/g", "etc/shadow", "etc/.pwd"))} == {
        "etc/tillside/till.toml",
        "etc/tillside/release.pub",
        "var/lib/tillside/audit.log",
        "var/lib/tillside/identity.json",
    }
    assert manager.state == "absent"
    put_in(layout, bundle, manager, config=None, release_keys=())
    uninstall(layout, manager, purge=True)
    assert not list(layout.root.rglob("*tillside*"))


def test_where_nothing_is_installed_nothing_is_mended_or_left(layout: Layout) -> None:
    """A repair by mistake puts no command, unit or user into a machine; a removal says that there was nothing."""
    with pytest.raises(InstallerError, match="use the bundle's `install`") as caught:
        repair(layout, Stub())
    assert caught.value.code == "not_installed"
    assert not layout.root.exists()
    done = CliRunner().invoke(setup, ["uninstall", "--root", str(layout.root)])
    assert (done.exit_code, done.stdout) == (0, f"Nothing was installed in {layout.programs}.\n")
    assert not list(layout.root.rglob("*tillside*"))


@quick
@pytest.mark.soak
def test_systemd_is_told_what_to_do_and_runs_it(bundle: Path, layout: Layout, tmp_path: Path) -> None:
    """Through a systemctl that really starts the agent; a second run asks for nothing."""
    program = put_on_path(tmp_path / "bin", layout.root / "etc/systemd/system")
    manager = SystemdManager(layout, str(program))
    put_in(layout, bundle, manager)
    try:
        assert calls(program) == [
            "daemon-reload",
            "enable tillside.service tillside-finish.service tillside-update.path tillside-update.timer",
            "start tillside.service",
            "start tillside-update.path tillside-update.timer",
        ]
        wait_for(lambda: manager.status().state == "running", "the agent to say that it is ready")
        assert put_in(layout, bundle, manager).changed == ()
        assert len(calls(program)) == 4
        unit = layout.root / "etc/systemd/system/tillside.service"
        unit.write_text("[Service]\n")
        assert {fault.code for fault in look(layout, manager)} == {"service_altered"}
        assert all(fault.fixed for fault in repair(layout, manager))
    finally:
        uninstall(layout, manager)
    assert manager.status().state == "absent"
    assert not list((layout.root / "etc/systemd/system").iterdir())


@quick
def test_a_refused_bundle_is_told_by_the_till_before_it_runs(bundle: Path, layout: Layout, tmp_path: Path) -> None:
    """The installed version checks it: nothing of the bundle's packages was run by then."""
    put_in(layout, bundle)
    foreign = small_bundle(tmp_path / "foreign", "0.3.0", key=new_key())
    before = tree(layout.root)
    done = subprocess.run(
        [str(foreign / "install"), "--root", str(layout.root), "--json"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 3
    assert json.loads(done.stdout)["code"] == "bundle_foreign_key"
    assert tree(layout.root) == before


@quick
def test_the_root_of_updates_comes_with_the_installation(bundle: Path, layout: Layout, tmp_path: Path) -> None:
    """No second command on each till; another chain's root is refused before anything is changed."""
    shop, other = (Shop(tmp_path / name) for name in ("shop", "other"))
    files = {}
    for name, each in (("ours", shop), ("theirs", other)):
        files[name] = tmp_path / f"{name}.json"
        each.release()
        files[name].write_bytes(each.repo.root_bytes())
    (tmp_path / "none.json").write_text("{}")
    assert refused(layout, bundle, update_root=tmp_path / "none.json") == "update_no_root"
    assert "root of updates" in put_in(layout, bundle, update_root=files["ours"]).changed
    assert (layout.updates_dir / "root.json").read_bytes() == shop.repo.root_bytes()
    assert put_in(layout, bundle, update_root=files["ours"]).changed == ()
    assert refused(layout, bundle, update_root=files["theirs"]) == "update_no_root"
