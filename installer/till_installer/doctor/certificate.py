"""The certificate of readiness: what was tried, what keeps the till from selling, until when it holds, and its number.

The number is the beginning of a SHA-256 of all the rest; a till that has a key signs that, so that the chain can tell a
certificate of this till from one that somebody typed.
"""

import hashlib
import zoneinfo
from datetime import UTC, datetime, time, timedelta
from typing import Literal

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from till_installer.doctor.findings import Finding, Report
from till_sync import keys

STEPS = ("agent", "sale", "scanner", "printer", "clock", "disk", "cloud", "programme", "till")
"""What tomorrow's sale needs, in the order of the slip."""
NUMBER_LENGTH = 12

State = Literal["good", "bad", "noted", "skipped"]
"""`noted`: sales go on without it, and somebody should look; `skipped`: not tried, or there is nothing to try."""

_OF_CODE = {
    "service_stopped": "agent",
    "agent_silent": "agent",
    "agent_not_ready": "agent",
    "port_taken": "agent",
    "disk_low": "disk",
    "inodes_low": "disk",
    "state_dir_readonly": "disk",
    "state_on_network": "disk",
    "programme_missing": "programme",
    "programme_old": "programme",
    "cache_old": "programme",
}
_WITHOUT_CLOUD = frozenset(("cloud_url", "cloud_name", "cloud_connect", "cloud_tls", "cloud_answer", "sync_offline"))
"""A sale needs no line: it is kept, and goes to the cloud later. So these are noted, and no more."""


class Step(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of the certificate. `found` and `fix` are English; `ready_details` has them in the till's language."""

    name: str
    state: State
    found: str = ""
    fix: str = ""
    codes: tuple[str, ...] = ()
    """Of what was found: the doctor's, and those of `ready` itself."""
    subject: str = ""
    """Name of the device that it is about."""
    fix_code: str = ""
    """Of what to do about a device, as `till_agent.fixes` names it."""


class Certificate(Struct, frozen=True, kw_only=True):
    """`at` and `valid_until` are local times of the store, without their zone, as people read them."""

    format: Literal[1] = 1
    ready: bool
    till: str
    store: str
    store_name: str
    version: str
    at_ms: int
    at: str
    valid_until_ms: int
    valid_until: str
    time_zone: str
    language: str
    steps: tuple[Step, ...]
    number: str = ""
    signature: str = ""
    """Hex, Ed25519 by the till's key over the SHA-256 that the number begins; "" for a till without one."""

    @property
    def reasons(self) -> tuple[Step, ...]:
        """Why not, when it is not ready."""
        return tuple(each for each in self.steps if each.state == "bad")


def digest(certificate: Certificate) -> bytes:
    """SHA-256 of all but number and signature."""
    bare = replace(certificate, number="", signature="")
    return hashlib.sha256(msgspec.json.encode(bare, order="sorted")).digest()


def sealed(certificate: Certificate, private_key: str) -> Certificate:
    """With its number, and signed where there is a key."""
    found = digest(certificate)
    number = found.hex()[:NUMBER_LENGTH].upper()
    return replace(certificate, number=number, signature=keys.sign(private_key, found).hex() if private_key else "")


def is_genuine(certificate: Certificate, public_key: str) -> bool:
    """Whether nothing of it was changed since the till of that key signed it."""
    found = digest(certificate)
    try:
        signature = bytes.fromhex(certificate.signature)
    except ValueError:
        return False
    is_numbered = certificate.number == found.hex()[:NUMBER_LENGTH].upper()
    return is_numbered and keys.verify(public_key, found, signature)


def end_of_next_day(now_ms: int, zone: zoneinfo.ZoneInfo) -> datetime:
    """The last minute of tomorrow in the store."""
    today = datetime.fromtimestamp(now_ms // 1000, UTC).astimezone(zone).date()
    return datetime.combine(today + timedelta(days=1), time(23, 59), zone)


def zone_of(name: str) -> zoneinfo.ZoneInfo:
    """UTC where this machine does not know the name; the doctor tells that."""
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return zoneinfo.ZoneInfo("UTC")


def step_of(finding: Finding) -> str:
    """The line of the certificate that a finding belongs to."""
    if finding.code in _OF_CODE:
        return _OF_CODE[finding.code]
    if finding.area in ("clock", "cloud"):
        return finding.area
    if finding.code.startswith(("scanner_", "printer_")):
        return finding.code.split("_")[0]
    return "till"


def steps_of(report: Report, tried: dict[str, Step]) -> tuple[Step, ...]:
    """Every line: what was tried, and what the doctor found. What was tried and went well stands against a warning."""
    steps: list[Step] = []
    for name in STEPS:
        mine = [each for each in report.findings if step_of(each) == name]
        grave = [each for each in mine if _keeps_from_selling(each)]
        noted = [each for each in mine if each.state in ("bad", "late", "broken") and each not in grave]
        told = tried.get(name)
        if grave:
            steps.append(_step(name, "bad", grave))
        elif told is not None and told.state in ("bad", "good"):
            steps.append(told)
        elif noted:
            steps.append(_step(name, "noted", noted))
        elif told is not None:
            steps.append(told)
        elif any(each.state == "good" for each in mine):
            steps.append(Step(name=name, state="good"))
        else:
            steps.append(Step(name=name, state="skipped"))
    return tuple(steps)


def _keeps_from_selling(finding: Finding) -> bool:
    return finding.state == "bad" and finding.severity == "error" and finding.code not in _WITHOUT_CLOUD


def _step(name: str, state: State, findings: list[Finding]) -> Step:
    first = findings[0]
    codes = tuple(dict.fromkeys(each.code for each in findings))
    return Step(
        name=name,
        state=state,
        found=first.found,
        fix=first.fix,
        codes=codes,
        subject=first.subject,
        fix_code=first.fix_code,
    )
