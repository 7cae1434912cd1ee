"""Every check is proven by a fault: on a till that is well but for one thing, that one code is found, with its fix; and
what `--fix` mends is well afterwards.
"""

import json
import os
import shutil
import sqlite3
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from till_installer.doctor.every import all_checks
from till_installer.doctor.running import mend
from till_sync.heartbeat import UpdateState
from unit.doctor.doctor_world import NOW_MS, TILL, VERSION, Healthy, bad

DAY_MS = 86_400_000
Break = Callable[[Healthy, pytest.MonkeyPatch], object]


def _config(text: str) -> Break:
    def apply(till: Healthy, _: pytest.MonkeyPatch) -> None:
        till.scene()
        till.layout.config.write_text(text.replace("STATE", str(till.state)))

    return apply


def _status(**changes: Any) -> Break:
    return lambda till, _: till.status.update(changes)


def _sync(**changes: Any) -> Break:
    return lambda till, _: till.status["sync"].update(changes)


def _unit(**changes: str) -> Break:
    return lambda till, _: till.unit.update(changes)


def _device(number: int, state: str, detail: str) -> Break:
    return lambda till, _: till.status["devices"][number].update(state=state, detail=detail)


def _answer(path: str, status: int, body: bytes, **headers: str) -> Break:
    return lambda till, _: till.agent.answers.update({path: (status, headers, body)})


def _cloud(status: int, body: bytes, **headers: str) -> Break:
    return lambda till, _: till.cloud.answers.update({"/livez": (status, headers, body)})


def _file(path: str, text: str) -> Break:
    return lambda till, _: till.write(path, text)


def _state_file(name: str, text: str) -> Break:
    return lambda till, _: (till.state / name).write_text(text)


def _sql(name: str, *statements: str) -> Break:
    return lambda till, _: till.sql(name, *statements, trusted=name == "journal.db" and "entries" in statements[0])


def _verdict(code: str) -> Break:
    row = f"({(1 << 40) | 3}, 'rejected', '{code}', '', '', 0, 0, 0, 0)"
    return _sql("journal.db", f"INSERT INTO verdicts VALUES {row}")


def _room(**changes: int) -> Break:
    def apply(_: Healthy, patch: pytest.MonkeyPatch) -> None:
        told = {"f_bavail": 10**6, "f_frsize": 4096, "f_files": 10**6, "f_favail": 10**5} | changes
        patch.setattr(os, "statvfs", lambda _path: SimpleNamespace(**told))

    return apply


def _update(**fields: Any) -> Break:
    state = UpdateState(to_version="0.2.0", at_ms=NOW_MS - DAY_MS, **fields)
    return _state_file("update-state.json", msgspec.json.encode(state).decode())


def _aged(ms: int) -> Break:
    return _sql("cache.db", f"UPDATE progress SET as_of_ms = {NOW_MS - ms}")


def _slow(till: Healthy, patch: pytest.MonkeyPatch) -> None:
    from till_installer.doctor import asking, checks_bridge, scene

    def slow(port: int, path: str, token: str = "") -> asking.Answer:
        answer = asking.ask(port, path, token)
        return msgspec.structs.replace(answer, took_ms=900) if path == "/readyz" else answer

    patch.setattr(checks_bridge, "ask", slow)
    patch.setattr(scene, "asking", SimpleNamespace(ask=slow))


def _link_away(till: Healthy, _: pytest.MonkeyPatch) -> None:
    python = till.layout.version_dir(VERSION) / "bin/python"
    python.unlink()
    python.symlink_to("/usr/bin/python3.9-that-was")


def _previous(till: Healthy, _: pytest.MonkeyPatch) -> None:
    till.layout.previous.symlink_to("versions/0.0.9")


def _stray_version(till: Healthy, _: pytest.MonkeyPatch) -> None:
    (till.layout.versions / ".0.2.0.part").mkdir()


def _offset(till: Healthy, _: pytest.MonkeyPatch) -> None:
    till.cloud.date_ms = NOW_MS + 600_000


def _past(till: Healthy, _: pytest.MonkeyPatch) -> None:
    till.now_ms = till.cloud.date_ms = 1_000_000_000_000
    till.scene()
    os.utime(till.layout.config, (1, 1))


def _zone(till: Healthy, _: pytest.MonkeyPatch) -> None:
    link = till.root / "etc/localtime"
    link.unlink()
    link.symlink_to("/usr/share/zoneinfo/Asia/Almaty")


def _policy(till: Healthy, _: pytest.MonkeyPatch) -> None:
    (till.state / "policy.json").write_text(json.dumps({"version": 3, "text": "[bridge]\nport = 1\n"}))


def _origins(till: Healthy, _: pytest.MonkeyPatch) -> None:
    till.config_lines["bridge"].append('allowed_origins = ["https://pos.example"]')
    till.write("etc/chromium/policies/managed/other.json", "{}")


def _alien(till: Healthy, _: pytest.MonkeyPatch) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a file to another user")
    os.chown(till.state / "cache.db", 12_345, 12_345)


def _unsteady(till: Healthy, _: pytest.MonkeyPatch) -> None:
    till.devices = '[[scanners]]\nname = "front"\nport = "/dev/ttyUSB0"\n'


def _stuck(till: Healthy, _: pytest.MonkeyPatch) -> None:
    old = NOW_MS - 3_600_000
    columns = "job_id, printer, reference, copy, state, waits, attempts, detail, created_ms, updated_ms, data"
    till.sql("spool.db", f"INSERT INTO jobs ({columns}) VALUES ('j','receipt','r',0,'queued',1,0,'',{old},{old},x'')")


def _grow(name: str, size: int) -> Break:
    def apply(till: Healthy, _: pytest.MonkeyPatch) -> None:
        with (till.root / name).open("ab") as file:
            file.truncate(size)

    return apply


def _old_draft(till: Healthy, _: pytest.MonkeyPatch) -> None:
    """As a crash leaves it while the identity is replaced."""
    draft = till.state / ".identity.json.0a1b2c3d"
    draft.write_text("{}")
    os.utime(draft, ((NOW_MS - 2 * 3_600_000) / 1000,) * 2)


def _frontol_folder(till: Healthy) -> Any:
    return till.write("frontol/readme", "").parent


UP: dict[str, Break] = {
    "config_missing": lambda till, _: shutil.rmtree(till.layout.config_dir) if till.scene() else None,
    "config_rights": lambda till, _: (till.scene(), till.layout.config.chmod(0o666)),
    "config_unseen": lambda till, _: (till.scene(), os.utime(till.layout.config, (NOW_MS / 1000,) * 2)),
    "policy_refused": _policy,
    "state_dir_owner": _alien,
    "state_dir_rights": lambda till, _: till.state.chmod(0o755),
    "state_dir_readonly": _file("proc/mounts", "/dev/sda1 / ext4 ro,relatime 0 0\n"),
    "disk_low": _room(f_bavail=30_000),
    "inodes_low": _room(f_favail=12),
    "state_on_network": _file("proc/mounts", "//server/share / cifs rw 0 0\n"),
    "state_leftovers": _old_draft,
    "journal_chain": _sql("journal.db", "UPDATE entries SET effect_points = 500 WHERE uid = 'u-5'"),
    "journal_too_new": _sql("journal.db", "PRAGMA user_version = 99"),
    "journal_owner": lambda till, _: till.identity(till="t-8"),
    "journal_epoch": lambda till, _: till.identity(last_epoch=9),
    "journal_size": _grow("var/lib/tillside/journal.db-wal", 80 * 1024**2),
    "cache_unusable": _sql("cache.db", "PRAGMA user_version = 1"),
    "cache_old": _aged(2 * DAY_MS),
    "programme_missing": _sql("cache.db", "DELETE FROM programmes"),
    "queue_size": _sync(waiting=90_000),
    "queue_age": _sync(oldest_waiting_ms=3 * DAY_MS),
    "ops_parked": _sql(
        "journal.db", f"INSERT INTO verdicts VALUES ({(1 << 40) | 3},'rejected','parked','','',0,0,0,0)"
    ),
    "ops_rejected": _sql("journal.db", f"INSERT INTO verdicts VALUES ({(1 << 40) | 3},'rejected','bad','','',0,0,0,0)"),
    "spool_unusable": _state_file("spool.db", "no database at all" * 100),
    "spool_stuck": _stuck,
    "identity_rights": lambda till, _: (till.state / "identity.json").chmod(0o644),
    "counter_unusable": _state_file("counter", "many"),
    "clone_suspected": _sync(halted="till_quarantined"),
    "tokens_rights": lambda till, _: (till.state / "tokens/pos.token").chmod(0o644),
    "tokens_missing": lambda till, _: (till.state / "tokens/pos.token").unlink(),
    "clock_zone": _zone,
    "clock_offset": _offset,
    "clock_not_synchronised": lambda till, _: (till.root / "run/systemd/timesync/synchronized").unlink(),
    "service_missing": _unit(LoadState="not-found"),
    "service_stopped": _unit(ActiveState="failed", SubState="failed", Result="exit-code"),
    "service_restarts": _unit(NRestarts="9"),
    "service_not_enabled": _unit(UnitFileState="disabled"),
    "service_altered": _unit(NeedDaemonReload="yes"),
    "watchdog_off": _unit(WatchdogUSec="0"),
    "version_mixed": _status(version="0.0.9"),
    "version_previous": _previous,
    "version_leftovers": _stray_version,
    "update_failed": _update(stage="rolled_back", code="probe_failed"),
    "sqlite_version": lambda _, patch: patch.setattr(sqlite3, "sqlite_version_info", (3, 34, 1)),
    "packages_missing": lambda _, patch: patch.setattr(
        "till_installer.doctor.checks_versions.metadata.requires", lambda _name: ["no-such-package-of-ours>=1"]
    ),
    "memory_low": _file("proc/meminfo", "MemAvailable: 20000 kB\n"),
    "agent_memory": _file(f"proc/{os.getpid()}/status", "VmRSS: 900000 kB\n"),
    "log_size": _grow("var/log/tillside/agent.log", 300 * 1024**2),
    "loopback_name": _file("etc/hosts", "10.0.0.7 localhost\n"),
    "proxy_environment": lambda till, _: till.environment.update(http_proxy="http://proxy:3128"),
    "policy_missing": _origins,
    "agent_not_ready": _answer("/readyz", 503, b'{"ready":false,"reason":"journal_unavailable","missing":[]}'),
    "bridge_slow": _slow,
    "agent_troubles": _status(
        problems=[{"code": "journal_replaced", "text": "The journal was replaced", "level": "error"}]
    ),
    "cloud_url": lambda till, _: till.config_lines.update(cloud=[]),
    "cloud_name": lambda till, _: till.config_lines.update(cloud=['url = "https://no-such-cloud.invalid"']),
    "cloud_connect": lambda till, _: till.config_lines.update(cloud=['url = "http://127.0.0.1:9"']),
    "cloud_tls": lambda till, _: till.config_lines.update(cloud=[f'url = "https://127.0.0.1:{till.cloud.port}"']),
    "cloud_answer": _cloud(200, b"<html>Sign in to the Wi-Fi</html>"),
    "sync_halted": _sync(halted="salt_mismatch", last_error="another salt"),
    "sync_offline": _sync(online=False, last_error="timeout"),
    "scanner_absent": _device(0, "lost", ""),
    "scanner_rights": _device(0, "fault", "/dev/ttyACM0: permission denied"),
    "scanner_held": _device(0, "fault", "/dev/ttyACM0 is held by another program"),
    "scanner_fault": _device(0, "fault", "its driver failed: ValueError"),
    "device_name_changes": _unsteady,
    "printer_absent": _device(1, "absent", "not plugged in"),
    "printer_unreachable": _device(1, "lost", "connect call failed"),
    "printer_paper": _device(1, "fault", "paper out"),
    "printer_fault": _device(1, "fault", "its driver failed: ValueError"),
}
"""With the agent running."""
ALSO = {
    "config_missing": {"port_taken"},
    "journal_owner": {"cache_unusable"},
    "programme_old": {"cache_old"},
    "clock_wrong": {"cloud_tls"},
}
"""What has to be found besides, since it is so."""
DOWN: dict[str, Break] = {
    "config_unreadable": _config("[agent\n"),
    "config_invalid": _config('[agent]\nstate_dir = "STATE"\nlanguage = "xx"\n'),
    "state_dir_missing": lambda till, _: shutil.rmtree(till.state),
    "journal_unreadable": _state_file("journal.db", "no database at all" * 100),
    "identity_missing": lambda till, _: (till.state / "identity.json").unlink(),
    "identity_unusable": _state_file("identity.json", '{"till": 3}'),
    "version_current": lambda till, _: till.layout.current.unlink(),
    "version_files": lambda till, _: next(till.layout.versions.rglob("core.py")).write_text("x = 2\n"),
    "programme_old": _aged(9 * DAY_MS),
    "python_version": _link_away,
    "clock_wrong": _past,
    "port_taken": lambda till, _: till.config_lines.update(bridge=[f"port = {till.agent.port}"]),
    "frontol_script": lambda _till, _: None,
    "journal_pages": _sql(
        "journal.db", "PRAGMA writable_schema = ON", "DELETE FROM sqlite_master WHERE name = 'holds'"
    ),
    "agent_silent": lambda _till, _: None,
}
"""With the agent stopped; `service_stopped` is found besides."""
APART = {"frontol_script", "journal_pages", "agent_silent"}
"""Have tests of their own below."""


def test_doctor_has_a_fault_for_every_check() -> None:
    """A check that no fault proves is a promise."""
    assert set(UP) | set(DOWN) == {each.code for each in all_checks()}


LIKE_OTHERS = frozenset(
    [
        "agent_memory",
        "bridge_slow",
        "clock_not_synchronised",
        "cloud_connect",
        "inodes_low",
        "log_size",
        "loopback_name",
        "memory_low",
        "ops_rejected",
        "printer_absent",
        "printer_fault",
        "printer_unreachable",
        "proxy_environment",
        "queue_age",
        "scanner_fault",
        "scanner_held",
        "scanner_rights",
        "service_altered",
        "service_missing",
        "service_not_enabled",
        "service_restarts",
        "sync_offline",
        "tokens_missing",
        "version_mixed",
        "version_previous",
        "watchdog_off",
        "update_failed",
        "cache_old",
        "counter_unusable",
    ]
)
"""Read one figure as others do: their faults are tried by `make soak`, for the time of the suite."""


def _case(code: str) -> Any:
    return pytest.param(code, marks=pytest.mark.soak) if code in LIKE_OTHERS else code


@pytest.mark.parametrize("code", [_case(code) for code in sorted(UP)])
def test_doctor_finds_the_one_thing(till: Healthy, monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    """With the agent running: this code and no other, with a cause and one fix; mended where it says it can."""
    UP[code](till, monkeypatch)
    with till.running():
        told = till.told()
        _judge(till, code, told, ALSO.get(code, set()))


@pytest.mark.parametrize("code", sorted(set(DOWN) - APART))
def test_doctor_finds_the_one_thing_while_the_agent_is_down(
    till: Healthy, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    """The same with the agent stopped, which the doctor tells, too."""
    till.unit["ActiveState"] = "inactive"
    till.config_lines["bridge"] = ["port = 0"]
    till.devices = ""
    DOWN[code](till, monkeypatch)
    _judge(till, code, till.told(), ALSO.get(code, set()) | {"service_stopped"})


def _judge(till: Healthy, code: str, told: list[Any], also: set[str]) -> None:
    found = bad(told)
    assert set(found) - also == {code}, {each.code: each.found for each in found.values()}
    finding = found[code]
    assert finding.state == "bad"
    assert finding.found
    assert finding.fix
    mends = next(each.mends for each in all_checks() if each.code == code)
    assert bool(mends) == finding.fixable, (mends, finding)
    if finding.fixable:
        _, after = mend(till.scene(), all_checks(), told)
        assert code not in bad(after)
        assert next(each.finding.mended for each in after if each.finding.code == code)


def test_doctor_finds_frontols_script(till: Healthy) -> None:
    """Only where Frontol's folder is named."""
    with till.running():
        found = bad(till.told(frontol=_frontol_folder(till)))
    assert set(found) == {"frontol_script"}
    assert "install" in found["frontol_script"].fix


def test_doctor_finds_the_till_whose_file_went_bad(till: Healthy) -> None:
    """Its agent goes on by the last good one, in a folder of its own: that one is looked at, and one thing is wrong."""
    elsewhere = till.root / "data"
    till.state = till.state.rename(elsewhere)
    till.scene()
    good = till.layout.config.read_text()
    (elsewhere / "last-good.toml").write_text(good)
    till.layout.config.write_text(good.replace("[agent]", "[agent]\nlangage = 'ru'"))
    with till.running():
        found = bad(till.told())
    assert set(found) == {"config_invalid"}
    assert "`language`" in found["config_invalid"].found


def test_doctor_leaves_what_was_put_aside_and_drafts_of_a_moment_ago(till: Healthy) -> None:
    """The one is for support, with drafts of its report told apart from it; the other is being written."""
    damaged = "journal.db.damaged-20260301T101500Z"
    (till.state / damaged).write_text("x" * 3000)
    (till.state / ".pos.token.0a1b2c3d").write_text("x")
    old = [
        till.state / name for name in ("journal.db.damaged-20260301T101500Z.json.draft", ".t-7-1-9.tillside-queue.new")
    ]
    for each in (*old, till.state / "tokens" / ".pos.token.11223344"):
        each.write_text("x")
        os.utime(each, ((NOW_MS - 2 * 3_600_000) / 1000,) * 2)
    with till.running():
        told = till.told()
        found = bad(told)["state_leftovers"]
        assert found.found.startswith(f"1 put aside (2 KB): {damaged}; 3 drafts of a crash")
        assert "support" in found.fix
        _, after = mend(till.scene(), all_checks(), told)
    assert bad(after)["state_leftovers"].found == f"1 put aside (2 KB): {damaged}"
    assert sorted(each.name for each in till.state.glob(".*")) == [".pos.token.0a1b2c3d"]


def test_doctor_finds_broken_pages_when_it_looks_deep(till: Healthy) -> None:
    """A page that SQLite can't make sense of, in a part that no row is read from."""
    path = till.state / "journal.db"
    with sqlite3.connect(path) as connection:
        page = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'verdicts_to_look_at'").fetchone()[0]
        size = connection.execute("PRAGMA page_size").fetchone()[0]
    connection.close()
    with path.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\x0a\x00\x00\xff\xff" + bytes(20))
    with till.running():
        found = bad(till.told(deep=True))
    assert "journal_pages" in found
    assert "support" in found["journal_pages"].fix


def test_doctor_finds_an_agent_that_hangs(till: Healthy) -> None:
    """It has the port and takes no request; what needs its status is not looked at."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as deaf, till.running():
        port = deaf.getsockname()[1]
        till.config_lines["bridge"] = [f"port = {port}"]
        (till.state / "running.json").write_text(json.dumps({"port": port, "pid": os.getpid()}))
        found = bad(till.told())
    assert set(found) == {"agent_silent"}
    assert found["agent_silent"].state == "bad"


def test_doctor_ends_in_time_whatever_hangs(till: Healthy, monkeypatch: pytest.MonkeyPatch) -> None:
    """A check that never answers is told as late, all others answer, and nobody waits for it."""
    import threading

    from till_installer.doctor.running import examine

    never = threading.Event()
    checks = [
        msgspec.structs.replace(each, look=lambda _scene: str(never.wait(30))) if each.code == "disk_low" else each
        for each in all_checks()
        if not each.deep
    ]
    try:
        with till.running():
            told = examine(till.scene(), tuple(checks), limit_s=1.0)
    finally:
        never.set()
    found = bad(told)
    assert set(found) == {"disk_low"}
    assert found["disk_low"].state == "late"
    assert len(told) >= len(checks)


def test_doctor_says_so_when_a_check_fails_itself(till: Healthy) -> None:
    """The others answer all the same, and the exit status is that of a doctor that failed."""
    from till_installer.doctor.running import examine, report_of

    def broken(_scene: object) -> str:
        raise RuntimeError("a defect")

    checks = [
        msgspec.structs.replace(each, look=broken) if each.code == "disk_low" else each
        for each in all_checks()
        if each.code in ("disk_low", "inodes_low")
    ]
    told = examine(till.scene(), tuple(checks))
    report = report_of(till.scene(), told, 0.1)
    assert [each.state for each in report.findings] == ["broken", "good"]
    assert (report.status, report.till) == (3, TILL)


def test_doctor_names_the_one_fix_of_a_cloud_that_was_rolled_back(till: Healthy) -> None:
    """It does not know what waits here: said once, with what to do, not as one code among many."""
    till.status["sync"].update(halted="protocol_unsupported", last_error="426 protocol_unsupported")
    till.status["problems"] = [{"code": "cloud_too_old", "text": "the cloud is of a former release", "level": "error"}]
    with till.running():
        found = bad(till.told())
    assert set(found) == {"sync_halted"}
    assert "bring it to the newer one again, then `tillside sync now`" in found["sync_halted"].fix
