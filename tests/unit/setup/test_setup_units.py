"""What is put into the system: units, rules, rights, policies. Checked by the programs that read them."""

import json
import os
import re
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from till_drivers.discovery.ids import SCANNER_MAKERS
from till_installer.layout import linux_layout
from till_installer.services.choosing import agent_command
from till_installer.services.systemd import ENABLED, UNITS, unit_texts
from till_installer.setup import system
from till_installer.upgrade.pointers import upgrader
from till_installer.upgrade.record import Records

HIGHEST_EXPOSURE = 2.0

needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not there")


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """The units as installed, and programs where they look for them."""
    layout = linux_layout(tmp_path)
    for name in ("current", "upgrader"):
        python = layout.programs / name / "bin/python"
        python.parent.mkdir(parents=True)
        python.touch(mode=0o755)
    folder = tmp_path / "etc/systemd/system"
    folder.mkdir(parents=True)
    for name, text in unit_texts(layout, agent_command(layout), layout.config).items():
        (folder / name).write_text(text)
    return folder


@needs_systemd
def test_systemd_has_nothing_to_say_of_the_units(units: Path) -> None:
    """It ends with 0 over unknown keys too: so nothing may be printed."""
    done = subprocess.run(
        ["systemd-analyze", "verify", *(str(units / name) for name in UNITS)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_a_change_of_version_that_was_cut_off_is_finished_at_once(units: Path, tmp_path: Path) -> None:
    """At each start and when the updater was killed, not when the timer comes again, by the version that is proven."""
    layout = linux_layout(tmp_path)
    text = (units / "tillside-finish.service").read_text()
    assert f"ConditionPathExists={Records(layout).marker_path}" in text
    assert f"ExecStart={upgrader(layout)}/bin/python -P -m till_installer upgrade finish" in text
    assert "WantedBy=multi-user.target" in text
    assert "tillside-finish.service" in ENABLED
    assert "OnFailure=tillside-finish.service" in (units / "tillside-update.service").read_text()


@needs_systemd
def test_the_agent_is_shut_in(units: Path) -> None:
    """As systemd reckons it, from 10.0 (open) to 0."""
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", str(units / "tillside.service")],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "LC_ALL": "C.UTF-8"},
    )
    match = re.search(r"Overall exposure level for tillside.service: ([0-9.]+)", done.stdout)
    assert match is not None, done.stdout + done.stderr
    assert float(match[1]) <= HIGHEST_EXPOSURE


def test_the_agent_is_watched_started_for_ever_and_reaches_its_devices(units: Path) -> None:
    """Whatever is shut, scanners, printers and cameras are not."""
    lines = (units / "tillside.service").read_text().splitlines()
    for wanted in ("Type=notify", "NotifyAccess=main", "WatchdogSec=10", "Restart=always", "StartLimitIntervalSec=0"):
        assert wanted in lines
    assert "ExecReload=/bin/kill -HUP $MAINPID" in lines, "`systemctl reload` takes settings in while it sells"
    assert "WatchdogSignal=SIGKILL" in lines, "no core with what is in memory"
    devices = {line.split("=")[1] for line in lines if line.startswith("DeviceAllow=")}
    for kind in ("ttyS", "ttyUSB", "ttyACM", "hidraw", "input", "lp", "usb", "usb_device", "video4linux"):
        assert f"char-{kind} rw" in devices
    assert not any(line.startswith(("PrivateDevices=", "ProcSubset=pid")) for line in lines), "boot id and devices"


def test_no_mark_is_left_in_what_is_installed(tmp_path: Path) -> None:
    """`@STATE@` in a file would be a folder of that name."""
    layout = linux_layout(tmp_path)
    system.put_files(layout)
    for target in system.DATA.values():
        assert not re.search(r"@[A-Z_]+@", (tmp_path / target).read_text()), target
    assert system.put_files(layout) == []
    assert system.are_files_ours(layout) == []


def test_the_rules_know_every_maker_of_scanners() -> None:
    """As `tillside devices` does."""
    from importlib import resources

    text = (resources.files("till_installer") / "data/60-tillside.rules").read_text()
    match = re.search(r'ATTRS\{idVendor\}=="([0-9a-f|]+)"', text)
    assert match is not None
    assert {int(each, 16) for each in match[1].split("|")} == set(SCANNER_MAKERS)
    for line in text.splitlines():
        if line and not line.startswith("#"):
            for part in re.split(r",\s*(?=(?:[^\"]*\"[^\"]*\")*[^\"]*$)", line):
                assert re.fullmatch(r'[A-Z]+(\{[A-Za-z_]+\})?(==|!=|=|\+=)"[^"]*"', part.strip()), part


@pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("systemd-sysusers") is None or shutil.which("systemd-tmpfiles") is None,
    reason="only root makes users, by systemd's programs",
)
def test_the_user_and_the_rights_are_made_by_systemds_own_programs(tmp_path: Path) -> None:
    """In another root: the agent's user with its groups, and folders that are its own."""
    layout = linux_layout(tmp_path)
    system.put_files(layout)
    assert system.make_user(layout)
    assert not system.make_user(layout), "once is enough"
    groups = (tmp_path / "etc/group").read_text()
    for name in ("dialout", "lp", "input", "video"):
        assert re.search(rf"^{name}:.*tillside", groups, re.MULTILINE)
    assert len(system.make_folders(layout)) == 5
    assert system.make_folders(layout) == []
    assert stat.S_IMODE(layout.state_dir.stat().st_mode) == 0o700
    uid = layout.state_dir.stat().st_uid
    assert uid != 0
    layout.state_dir.chmod(0o777)
    conf = tmp_path / "tmpfiles.conf"
    conf.write_text((tmp_path / system.DATA["tillside.tmpfiles"]).read_text().replace(str(tmp_path), ""))
    done = subprocess.run(
        ["systemd-tmpfiles", "--create", f"--root={tmp_path}", str(conf)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    about = layout.state_dir.stat()
    assert (stat.S_IMODE(about.st_mode), about.st_uid) == (0o700, uid)


def test_browsers_let_the_pages_of_the_cash_software_in(tmp_path: Path) -> None:
    """And those alone; a policy file of Firefox that somebody else wrote stays as it is."""
    layout = linux_layout(tmp_path)
    origins = ("https://pos.example",)
    changed, remark = system.put_policies(layout, origins)
    assert (len(changed), remark) == (5, "")
    for target in system.CHROMIUM_POLICIES:
        policy = json.loads((tmp_path / target).read_text())
        assert set(policy) == {"LocalNetworkAccessAllowedForUrls", "LoopbackNetworkAllowedForUrls"}
        assert all(each == [*origins] for each in policy.values())
    assert system.put_policies(layout, origins) == ([], "")
    system.remove_files(layout)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
    firefox = tmp_path / system.FIREFOX_POLICIES
    firefox.write_text('{"policies": {"DisableTelemetry": true}}')
    _, remark = system.put_policies(layout, origins)
    assert "LocalNetworkAccess" in remark
    system.remove_files(layout)
    assert json.loads(firefox.read_text()) == {"policies": {"DisableTelemetry": True}}
