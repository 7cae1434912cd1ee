"""Secrets put wherever they could be are in no bundle, in whatever form; a bundle holds nothing that is not listed."""

import base64
import gzip
import io
import json
import re
import sqlite3
import tarfile
from pathlib import Path
from urllib.parse import quote

import msgspec
import pytest
from click.testing import CliRunner

from till_installer.support import allowed, packing
from till_installer.support.cleaning import Cleaner
from till_installer.support.cli import support
from till_installer.support.exceptions import NotAllowedError, TooLargeError
from till_installer.support.gathering import Gathered, gather
from till_installer.support.packing import FOLDER, MANIFEST, SIZE_LIMIT_BYTES, manifest, pack
from till_loyalty.identifiers import tag
from till_sync.heartbeat import UpdateState
from unit.doctor.doctor_world import NOW_MS, Healthy

KEY = bytes.fromhex("ab" * 32)
CANARIES = {
    "phone": "+79161234567",
    "phone, as written": "8 (916) 123-45-67",
    "card": "2900000000018",
    "card of a bank": "4276550012345678",
    "PIN": "648213",
    "name": "Жанна Бекова",
    "name in Latin": "Zhanna Bekova",
    "mail": "zhanna.bekova@mail.example",
    "enrolment code": "K7QF-2M9P-XW4T-8HJL",
    "password": "hunter2-Korovka",
    "token": "canary_TOKEN_0123456789abcdefghijklmnopqrst",
    "api key": "sk-live-51HxyzCANARYkey",
    "voucher": "VCH-9Z8Y7X6W5V",
    "member": "m-7Q2KZHANNA",
    "uid": "receipt-of-zhanna-118",
    "home": "zhannabekova",
    "secret host": "intern-kassa-geheim",
    "tag of a card": tag(KEY, "card", "2900000000018"),
    "tag of a phone": tag(KEY, "phone", "79161234567"),
}
"""What must not go out, by what it is."""
ALL = " ; ".join(f"{name}={value}" for name, value in CANARIES.items())


def _seed(till: Healthy) -> None:
    """Everywhere that somebody, or a defect, could have put them."""
    password, host = CANARIES["password"], CANARIES["secret host"]
    till.config_lines["cloud"] = [f'url = "http://127.0.0.1:{till.cloud.port}/{CANARIES["api key"]}"']
    till.devices = (
        f'[[scanners]]\nname = "front"\nport = "/home/{CANARIES["home"]}/scanner"\nprefix = "{CANARIES["PIN"]}"\n'
        f'[[printers]]\nname = "receipt"\ndriver = "tcp"\nhost = "{host}.example"\n'
        f'[slips]\ntemplate = "/home/{CANARIES["home"]}/{CANARIES["name in Latin"]}.slip"\n'
        f'[[frontol.reports]]\npath = "/srv/{CANARIES["card"]}/report.txt"\n'
    )
    till.identity(
        token=CANARIES["token"],
        store_name=CANARIES["name"],
        wallet_keys=["cd" * 32],
        extra=ALL,
    )
    (till.state / "tokens/pos.earlier").write_text(json.dumps([{"token": "e" * 43}]))
    (till.state / f"{CANARIES['card']}.txt").write_text(ALL)
    (till.state / f"journal.db.damaged-{CANARIES['phone']}").write_text(ALL)
    (till.state / "ready.json").write_text(json.dumps({"store_name": ALL}))
    (till.state / "policy.json").write_text(json.dumps({"version": 1, "text": f'[agent]\nlanguage = "{password}"\n'}))
    update = UpdateState(stage="refused", to_version="0.2.0", code=CANARIES["password"], detail=ALL[:480])
    (till.state / "update-state.json").write_bytes(msgspec.json.encode(update))
    till.sql(
        "journal.db",
        f"UPDATE entries SET uid = '{CANARIES['uid']}', body = CAST('{ALL}' AS BLOB) WHERE uid = 'u-5'",
        f"UPDATE entries SET kind = '{CANARIES['voucher']}' WHERE uid = 'u-6'",
        f"UPDATE entries SET subject_key = '{CANARIES['tag of a card']}' WHERE uid = 'u-7'",
        trusted=True,
    )
    till.status["problems"] = [{"code": "x", "text": ALL, "level": "warning"}]
    till.status["sync"]["last_error"] = ALL
    till.status["devices"][0] |= {"detail": ALL, "name": ALL}
    till.status["secret_field"] = ALL
    till.status["programme"] = CANARIES["token"]
    metrics = [
        "tillside_up 1",
        'tillside_device_up{device="receipt"} 1',
        f'tillside_device_up{{device="{CANARIES["token"]}"}} 1',
        f'tillside_member{{name="{CANARIES["name"]}"}} 1',
        f"# HELP tillside_x {ALL}",
    ]
    till.agent.answers["/metrics"] = (200, {}, "\n".join(metrics).encode())
    _seed_logs(till)
    till.environment |= {"CLOUD_PASSWORD": password, "API_KEY": CANARIES["api key"]}
    till.unit |= {"SubState": CANARIES["password"], "WatchdogUSec": CANARIES["token"]}
    till.write(f"opt/tillside/versions/{CANARIES['name in Latin'].replace(' ', '-')}/x")


def _seed_logs(till: Healthy) -> None:
    told = {"at": "2026-11-22T10:00:00.000Z", "level": "error", "logger": "till_agent.root"}
    lines = [json.dumps(told | {"message": f"sale failed for {value}"}) for value in CANARIES.values()]
    lines += [json.dumps(told | {"message": f"{name}: {value}"}) for name, value in CANARIES.items()]
    lines += [json.dumps(told | {"message": "device state", "device": value}) for value in CANARIES.values()]
    lines += [json.dumps(told | {"message": "x", "error": value, value: value}) for value in CANARIES.values()]
    lines += [json.dumps(told | {"message": f"GET https://zhanna:{CANARIES['password']}@cloud.example/?code=1 failed"})]
    lines += [json.dumps(told | {"message": "the printer takes no data", "device": "receipt"})]
    lines += [f"plain text with {ALL}"]
    till.write("var/log/tillside/agent.log", "\n".join(lines))


def _forms(value: str) -> set[bytes]:
    raw = value.encode()
    forms = {raw, raw.lower(), raw.hex().encode(), quote(value, safe="").encode(), raw[::-1]}
    for shift in range(3):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            forms.add(encode(b"\0" * shift + raw).rstrip(b"=")[(0, 2, 3)[shift] : -1])
    digits = re.sub(r"\D", "", value).encode()
    return {form for form in forms | ({digits} if len(digits) >= 6 else set()) if len(form) >= 6}


def _opened(data: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(data))) as archive:
        found = {}
        for entry in archive:
            file = archive.extractfile(entry)
            assert file is not None
            found[entry.name] = file.read()
    return found


def _bundle(till: Healthy) -> tuple[Gathered, dict[str, bytes]]:
    with till.running():
        found = gather(till.scene(), tell=lambda _: None)
    page = manifest(found, till="t-7", version="0.1.0", made="now")
    return found, _opened(pack(found, page=page, now_s=NOW_MS // 1000))


def test_support_bundle_holds_no_secret_in_any_form(till: Healthy) -> None:
    """Nineteen kinds, in two dozen places; beside them, the till's own keys and tokens."""
    known = json.loads((till.state / "identity.json").read_text())
    _seed(till)
    own = {name: known[name] for name in ("token", "identifier_key", "private_key")}
    own |= {path.name: path.read_text().strip() for path in (till.state / "tokens").glob("*.token")}
    _, members = _bundle(till)
    leaks = [
        f"{what} in {name}: {form!r}"
        for what, value in (CANARIES | own).items()
        for form in _forms(value)
        for name, data in members.items()
        if re.search(rb"(?<![0-9])" + re.escape(form) + rb"(?![0-9])", data, re.IGNORECASE)
    ]
    assert not leaks
    words = [b"Zhanna", b"Bekova", "Жанна".encode(), "Бекова".encode(), b"korovka", b"geheim"]
    assert not [(word, name) for word in words for name, data in members.items() if word.lower() in data.lower()]


def test_support_bundle_still_helps(till: Healthy) -> None:
    """What support needs is in it: findings with their fixes, figures, states, versions, words of the log."""
    _seed(till)
    found, members = _bundle(till)
    assert not found.missing
    told = {name.removeprefix(f"{FOLDER}/"): data for name, data in members.items()}
    assert set(told) == packing.MEMBERS
    doctor = json.loads(told["doctor.json"])
    assert {each["code"] for each in doctor["findings"] if each["state"] == "bad"} >= {"update_failed", "journal_chain"}
    assert json.loads(told["status.json"])["sync"]["waiting"] == 2
    epoch = json.loads(told["journal.json"])["epochs"][0]
    assert epoch["last_seq"] == 12
    with sqlite3.connect(f"{(till.state / 'journal.db').as_uri()}?mode=ro", uri=True) as journal:
        (head,) = journal.execute("SELECT hex(row_hash) FROM entries ORDER BY id DESC LIMIT 1").fetchone()
    journal.close()
    assert epoch["head"] == head.lower()[:16]
    assert json.loads(told["config.json"])["printers"][0]["driver"] == "tcp"
    assert json.loads(told["config.json"])["cloud"]["url"].startswith("http://127.0.0.1:")
    assert b"the printer takes no data" in told["log.jsonl"]
    assert told["metrics.txt"].splitlines() == [b"tillside_up 1", b'tillside_device_up{device="receipt"} 1']
    page = told[MANIFEST].decode()
    assert all(name in page for name in packing.MEMBERS - {MANIFEST})


def _keys(value: object, path: str = "") -> set[str]:
    if isinstance(value, dict):
        return {each for name, inner in value.items() for each in _keys(inner, f"{path}.{name}")}
    if isinstance(value, list):
        return {each for inner in value for each in _keys(inner, path)} or {path}
    return {path}


FREE_KEYS = ("packages", "kinds")
EXPECTED = {
    "doctor.json": "status errors warnings took_ms findings.code findings.area findings.state findings.severity "
    "findings.found findings.fix findings.took_ms",
    "status.json": "version till store started_ms now_ms ready problems.code problems.level programme members_cached "
    "cache_as_of_ms clock_skew_ms sync.online sync.enrolled sync.waiting sync.oldest_waiting_ms sync.acked_seq "
    "sync.last_seq sync.last_push_ms sync.last_pull_ms sync.last_error sync.pushed sync.resent sync.adjusted "
    "sync.rejected sync.halted sync.loading sync.members sync.divergences sync.retry_in_ms devices.device devices.role "
    "devices.state devices.detail devices.since_ms prints_waiting disk_free_bytes disk_total_bytes",
    "versions.json": "tillside python sqlite system machine installed current previous packages",
    "journal.json": "bytes log_bytes epochs.epoch epochs.last_seq epochs.acked_seq epochs.head kinds adjusted rejected "
    "parked",
    "files.json": "name bytes mode changed_ms",
    "update.json": "stage from_version to_version code detail at_ms queued_before queued_after queue_hash_equal "
    "downtime_ms rollbacks",
    "service.json": "load active sub enabled restarts result reload_needed watchdog altered",
    "log.jsonl": "at level logger message device role state error reason",
}
"""Every field that may go out. Whoever adds one puts it here, too, and has thought about it."""


def test_support_bundle_holds_the_listed_fields_alone(till: Healthy) -> None:
    """A field that somebody adds to the list of what may go out is seen here."""
    _seed(till)
    _, members = _bundle(till)
    for name, expected in EXPECTED.items():
        data = members[f"{FOLDER}/{name}"]
        parts = [json.loads(line) for line in data.splitlines()] if name.endswith("l") else json.loads(data)
        found = {key.lstrip(".") for key in _keys(parts)}
        found = {key.split(".")[0] if key.split(".")[0] in FREE_KEYS else key for key in found}
        assert found <= set(expected.split()), name


def test_support_list_drops_what_it_does_not_name() -> None:
    """A field that a part of the till tells, and nobody listed, is left behind."""
    told = {"code": "offline", "level": "warning", "text": "Мария", "phone": "+79161234567"}
    assert msgspec.to_builtins(allowed.only(allowed.Problem, told, Cleaner(()))) == {
        "code": "offline",
        "level": "warning",
    }


def test_support_bundle_takes_no_member_that_is_not_listed() -> None:
    """Whoever adds a file has to put it into the list, where it is seen."""
    found = Gathered()
    found.put("dump.sql", "everything", b"x")
    with pytest.raises(NotAllowedError):
        pack(found, page="", now_s=0)


def test_support_bundle_is_never_too_large_to_send() -> None:
    """Five megabytes of what can't be compressed are refused, not sent in part."""
    import random

    found = Gathered()
    found.put("log.jsonl", "log", random.Random(1).randbytes(SIZE_LIMIT_BYTES + 1))
    with pytest.raises(TooLargeError):
        pack(found, page="", now_s=0)


def test_support_command_writes_for_its_owner_alone(till: Healthy, tmp_path: Path) -> None:
    """The file, its rights, and the page that tells what is in it; also while no agent runs."""
    till.scene()
    out = tmp_path / "bundle.tar.gz"
    words = ["--root", str(till.root), "--config", str(till.layout.config), "--out", str(out)]
    done = CliRunner().invoke(support, words)
    assert done.exit_code == 0, done.output
    assert out.stat().st_mode & 0o777 == 0o600
    assert "Never in it:" in done.stdout
    assert out.stat().st_size < SIZE_LIMIT_BYTES
    assert f"{FOLDER}/doctor.json" in _opened(out.read_bytes())
