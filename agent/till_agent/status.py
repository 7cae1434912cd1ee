"""What store IT must know at a glance: problems in words, and the whole status. Nothing personal."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from msgspec import Struct
from msgspec.structs import replace

from till_agent.api import Health, Message, SyncStatus
from till_agent.desk.allowing import HOUR_MS
from till_agent.desk.lending import Lending
from till_agent.device_words import Why
from till_agent.journal.aside import DamageReport
from till_agent.journal.figures import Figures
from till_agent.journal.marks import PRUNED_CODE
from till_agent.journal.place import OpenReport
from till_agent.store_words import ENGLISH, store_text
from till_drivers.states import DeviceState
from till_sync.status import WorkerStatus

if TYPE_CHECKING:
    from till_agent.cache import CacheStore

SKEW_LIMIT_MS = 120_000
"""A clock that is further off is shown; what the till writes on slips is wrong then."""

CACHE_AGE_LIMIT_MS = 24 * 3_600_000
"""Balances older than a day are said to be old."""

FLOOR_WARNING_PERCENT = 80
"""Of the till's points or hours within the floor limit: then store IT is told while there is still time."""

FORMER_CLOUD_CODE = "protocol_unsupported"
"""The cloud's word for operations that its release does not know: a sealed registration at one that was rolled back."""

_WELL = frozenset({DeviceState.READY.value, DeviceState.BUSY.value, DeviceState.DISABLED.value})
_NO_TROUBLE = _WELL | {DeviceState.OPENING.value}
"""A device that is being opened is told as its state, not as something to mend: it is so at every start."""

DISK_LOW_BYTES = 512 * 1024 * 1024
"""A month without a line takes some 300 MB of journal; below it store IT is told while sales can still be written."""

NOT_READY = frozenset(
    ("starting", "till_not_enrolled", "till_retired", "identity_unusable", "journal_unavailable", "stopping")
)
"""Why no sale is taken, by code."""


class Part(Struct, frozen=True):
    """A sentence or a part of one, by its place in `store_words`; a value may be a part itself, None says nothing."""

    section: str
    code: str
    values: Mapping[str, Any] = {}

    def said(self, language: str) -> str:
        """In words."""
        return store_text(
            language, self.section, self.code, {name: _word(language, each) for name, each in self.values.items()}
        )


class Trouble(Struct, frozen=True):
    """Something that somebody should mend. `about` tells apart what has the same code: a device's name."""

    code: str
    level: Literal["warning", "error"]
    text: Part
    detail: str = ""
    about: str = ""

    def said(self, language: str = ENGLISH) -> Message:
        """In words; what drivers and libraries say is theirs, in English."""
        text = self.text.said(language)
        return Message(
            code=self.code, text=f"{text} ({self.detail})" if self.detail else text.strip(), level=self.level
        )


class ReportTrouble(Struct, frozen=True, kw_only=True):
    """What keeps a sales report from being read, marked or understood."""

    code: Literal["unreadable", "not_marked", "several_tills", "store"]
    path: str
    detail: str


class Facts(Struct, frozen=True, kw_only=True):
    """What problems are worked out from. `worker` is None without a cloud or an identity."""

    not_ready: str
    detail: str
    now_wall_ms: int
    has_cloud_url: bool
    figures: Figures | None
    report: OpenReport | None
    worker: WorkerStatus | None
    has_programme: bool
    devices: Sequence[Health]
    cache_as_of_ms: int = 0
    print_trouble: str = ""
    slip_trouble: str = ""
    lending: Lending | None = None
    codes_on_trust: int = 0
    disk_free_bytes: int = -1
    """-1: not known."""
    report_findings: int = 0
    """Documents of Frontol's sales reports that wait for a person."""
    report_troubles: Sequence[ReportTrouble] = ()
    config_trouble: str = ""
    """What is wrong with the configuration file; one before it is in force."""
    policy_refused: int = 0
    """The version of the chain's policy that this till could not take."""
    policy_trouble: str = ""
    restart_needed: Sequence[str] = ()
    """Keys of the configuration that were changed and wait for a restart."""


def missing(facts: Facts) -> tuple[str, ...]:
    """What sales go on without: `cloud`, `cache` (nothing newer than a day), `programme`, `printer`."""
    worker = facts.worker
    age_ms = facts.now_wall_ms - facts.cache_as_of_ms
    lacking = {
        "cloud": worker is None or not worker.online or bool(worker.halted),
        "cache": not facts.cache_as_of_ms or age_ms > CACHE_AGE_LIMIT_MS,
        "programme": not facts.has_programme,
        "printer": bool(facts.print_trouble)
        or any(device.role == "printer" and device.state not in _WELL for device in facts.devices),
    }
    return tuple([name for name, is_so in lacking.items() if is_so])


def problems(facts: Facts, language: str = ENGLISH) -> tuple[Message, ...]:
    """Everything that somebody should mend, in words, the gravest first."""
    return tuple([trouble.said(language) for trouble in troubles(facts)])


def troubles(facts: Facts) -> tuple[Trouble, ...]:
    """Everything that somebody should mend, the gravest first."""
    found: list[Trouble] = []
    if facts.not_ready:
        known = facts.not_ready if facts.not_ready in NOT_READY else "starting"
        text = Part("problems", known)
        found.append(Trouble(facts.not_ready, "error", text, facts.detail))
    found += _of_journal(facts)
    found += _of_sync(facts)
    found += _of_lending(facts.lending)
    if facts.codes_on_trust:
        found.append(_said("wallet_on_trust", count=facts.codes_on_trust))
    if facts.print_trouble:
        found.append(_said("print_queue_unavailable", "error", why=facts.print_trouble))
    if facts.slip_trouble:
        found.append(_said("slip_template_failed", why=facts.slip_trouble))
    if 0 <= facts.disk_free_bytes < DISK_LOW_BYTES:
        found.append(_said("disk_low", "error", free_mb=facts.disk_free_bytes // 1024**2))
    if facts.figures is not None and not facts.has_programme:
        found.append(_said("no_programme"))
    found += _of_settings(facts)
    if facts.report_findings:
        found.append(_said("frontol_findings", count=facts.report_findings))
    found += [_of_report(each) for each in facts.report_troubles]
    found += [_of_device(device) for device in facts.devices if device.state not in _NO_TROUBLE]
    return tuple(sorted(found, key=lambda trouble: trouble.level != "error"))


def _of_settings(facts: Facts) -> list[Trouble]:
    found: list[Trouble] = []
    if facts.config_trouble:
        found.append(_said("config_bad", "error", why=facts.config_trouble))
    if facts.policy_trouble:
        found.append(_said("policy_refused", version=facts.policy_refused, why=facts.policy_trouble))
    if facts.restart_needed:
        found.append(_said("restart_needed", keys=", ".join(facts.restart_needed)))
    return found


def _of_report(trouble: ReportTrouble) -> Trouble:
    path, why = trouble.path, trouble.detail
    said = {
        "unreadable": _said("frontol_report_unreadable", path=path, why=why),
        "not_marked": _said("frontol_report_not_marked", path=path, why=why),
        "several_tills": _said("frontol_several_tills", path=path, why=why),
        "store": _said("frontol_store_unavailable", why=why),
    }
    return replace(said[trouble.code], about=path)


def _of_device(device: Health) -> Trouble:
    values = {
        "role": Part("roles", device.role),
        "device": device.device,
        "state": Part("states", device.state),
        "why": Why(device.detail),
    }
    return Trouble(f"{device.role}_{device.state}", "warning", Part("problems", "device", values), about=device.device)


def _of_journal(facts: Facts) -> list[Trouble]:
    found: list[Trouble] = []
    if facts.figures is not None:
        level = facts.figures.level(facts.now_wall_ms)
        waiting: dict[str, Any] = facts.figures.waiting_values(facts.now_wall_ms)
        if level == "over":
            found.append(_said("queue_over_limit", "error", **waiting))
        elif level == "warning":
            found.append(_said("queue_near_limit", **waiting))
        refused = facts.figures.rejected - facts.figures.parked
        if refused:
            found.append(_said("ops_rejected", count=refused))
        if facts.figures.parked:
            found.append(_said("ops_parked", count=facts.figures.parked))
    report = facts.report
    if report is not None and report.reason not in ("", "new"):
        lost = Part("parts", "lost", {"count": report.rows_lost}) if report.rows_lost else None
        moved = Part("parts", "moved", {"file": report.damage.moved_to}) if report.damage else None
        saved = _of_salvage(report.damage) if report.damage else None
        found.append(_said("journal_replaced", "error", reason=report.reason, lost=lost, moved=moved, saved=saved))
    return found


def _of_salvage(damage: DamageReport) -> Part | None:
    """What became of the operations that waited in a file that was put aside."""
    found = damage.salvage
    if found is None:
        return None
    if damage.left_there:
        return Part("parts", "foreign", {"count": damage.left_there})
    unread = Part("parts", "unread", {"count": found.unread}) if found.unread else None
    return Part("parts", "saved", {"sent_on": found.sent_on, "anew": found.anew, "lost": found.lost, "unread": unread})


def _of_sync(facts: Facts) -> list[Trouble]:
    if not facts.has_cloud_url:
        return [_said("no_cloud_url")]
    worker = facts.worker
    if worker is None:
        return []
    found: list[Trouble] = []
    if worker.halted == PRUNED_CODE:
        found.append(_said("history_pruned", "error"))
    elif worker.halted == FORMER_CLOUD_CODE:
        found.append(_said("cloud_too_old", "error"))
    elif worker.halted:
        found.append(_said("sync_halted", "error", why=worker.last_error or worker.halted))
    elif not worker.online:
        found.append(_said("offline", why=worker.last_error or Part("parts", "not_reached")))
    if worker.skew_ms is not None and abs(worker.skew_ms) > SKEW_LIMIT_MS:
        found.append(_said("clock_skew", seconds=-(worker.skew_ms // 1000)))
    return found


def _of_lending(lending: Lending | None) -> list[Trouble]:
    """How near this till is to the end of what members may spend here at the retailer's risk."""
    if lending is None or not lending.floor_limit_points:
        return []
    spent, most = lending.floor_spent_points, lending.floor_limit_points
    silent_ms, longest_ms = lending.silent_ms, lending.floor_limit_ms
    silent = None
    if silent_ms >= 0:
        silent = Part("parts", "silent", {"hours": silent_ms // HOUR_MS, "hours_limit": longest_ms // HOUR_MS})
    if spent >= most or silent_ms >= longest_ms or silent_ms < 0:
        return [_said("floor_reached", "error", spent=spent, most=most, silent=silent)]
    if max(spent * 100 // most, silent_ms * 100 // longest_ms) >= FLOOR_WARNING_PERCENT:
        return [_said("floor_near_limit", spent=spent, most=most, silent=silent)]
    return []


def sync_status(
    *,
    enrolled: bool,
    figures: Figures | None,
    worker: WorkerStatus | None,
    now_wall_ms: int,
    last_error: str = "",
    cache: "CacheStore | None" = None,
) -> SyncStatus:
    """Queue by the journal, exchange by the worker; verdicts are counted over the journal's whole life."""
    worker = worker or WorkerStatus(last_error=last_error)
    oldest_ms = figures.oldest_waiting_wall_ms if figures else 0
    return SyncStatus(
        online=worker.online,
        enrolled=enrolled,
        waiting=figures.waiting if figures else 0,
        oldest_waiting_ms=max(0, now_wall_ms - oldest_ms) if oldest_ms else 0,
        acked_seq=figures.acked_seq if figures else 0,
        last_seq=figures.last_seq if figures else 0,
        last_push_ms=worker.last_push_ms,
        last_pull_ms=worker.last_pull_ms,
        last_error=worker.last_error,
        pushed=worker.pushed,
        resent=worker.resent,
        adjusted=figures.adjusted if figures else 0,
        rejected=figures.rejected if figures else 0,
        halted=worker.halted,
        loading=cache is not None and cache.filling,
        members=cache.member_count if cache else 0,
        snapshot_bytes=worker.loading.total_bytes,
        fetched_bytes=worker.loading.fetched_bytes,
        divergences=cache.divergences if cache else 0,
        retry_in_ms=worker.retry_in_ms,
    )


def _said(code: str, level: Literal["warning", "error"] = "warning", **values: object) -> Trouble:
    return Trouble(code, level, Part("problems", code, values))


def _word(language: str, value: object) -> object:
    if value is None:
        return ""
    return value.said(language) if isinstance(value, Part | Why) else value
