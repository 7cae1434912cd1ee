"""What store IT must know at a glance: problems in words, and the whole status. Nothing personal."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from till_agent.api import Health, Message, SyncStatus
from till_agent.desk.allowing import HOUR_MS
from till_agent.desk.lending import Lending
from till_agent.journal.aside import DamageReport
from till_agent.journal.figures import Figures
from till_agent.journal.place import OpenReport
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

_WELL = frozenset({DeviceState.READY.value, DeviceState.BUSY.value, DeviceState.DISABLED.value})

NOT_READY = {
    "starting": "the agent is starting",
    "till_not_enrolled": "this till is not enrolled: run `tillside agent enrol`",
    "identity_unusable": "the identity file can't be used: enrol the till again, or put the file back from a backup",
    "journal_unavailable": "the journal can't be opened: look at the disk (space, rights, mount); it is tried again",
    "stopping": "the agent is stopping",
}
"""Why no sale is taken, by code, with what to do."""


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


def problems(facts: Facts) -> tuple[Message, ...]:
    """Everything that somebody should mend, the gravest first."""
    found: list[Message] = []
    if facts.not_ready:
        text = NOT_READY.get(facts.not_ready, facts.not_ready)
        found.append(_said(facts.not_ready, f"{text} ({facts.detail})" if facts.detail else text, "error"))
    found += _of_journal(facts)
    found += _of_sync(facts)
    found += _of_lending(facts.lending)
    if facts.codes_on_trust:
        text = f"wallet codes taken since the start without knowing whether they are old: {facts.codes_on_trust}. "
        text += "This till can't tell the time without the cloud: mend the line, and set the clock"
        found.append(_said("wallet_on_trust", text))
    if facts.print_trouble:
        text = f"{facts.print_trouble}: no slip comes out. Free the disk of agent.state_dir, let the agent write there"
        found.append(_said("print_queue_unavailable", text, "error"))
    if facts.slip_trouble:
        text = f"a slip template does not work, the packaged one is used instead: {facts.slip_trouble}"
        found.append(_said("slip_template_failed", text))
    if facts.figures is not None and not facts.has_programme:
        found.append(
            _said("no_programme", "no programme has come from the cloud yet: sales are taken, points come later")
        )
    found += [
        _said(
            f"{device.role}_{device.state}", f"{device.role} {device.device}: {device.state}. {device.detail}".strip()
        )
        for device in facts.devices
        if device.state not in _WELL
    ]
    return tuple(sorted(found, key=lambda message: message.level != "error"))


def _of_journal(facts: Facts) -> list[Message]:
    found: list[Message] = []
    if facts.figures is not None:
        level = facts.figures.level(facts.now_wall_ms)
        fix = "mend the line, `tillside sync status` says what is wrong with it"
        waiting = facts.figures.waiting_text(facts.now_wall_ms)
        if level == "over":
            text = f"{waiting}: past the limit. Sales go on and none is dropped; {fix}"
            found.append(_said("queue_over_limit", text, "error"))
        elif level == "warning":
            found.append(_said("queue_near_limit", f"{waiting}: {fix}"))
        see = "see `tillside queue list --rejected` here and `tillside cloud ops rejected` there"
        refused = facts.figures.rejected - facts.figures.parked
        if refused:
            found.append(_said("ops_rejected", f"refused by the cloud: {refused}, {see}"))
        if facts.figures.parked:
            text = f"parked, since the cloud could not take them: {facts.figures.parked}; they are kept here, {see}"
            found.append(_said("ops_parked", text))
    if facts.report is not None and facts.report.reason not in ("", "new"):
        missing = facts.report.rows_lost
        lost = f", operations that the file has no more: {missing}" if missing else ""
        moved = f", the old file is {facts.report.damage.moved_to}" if facts.report.damage else ""
        saved = _of_salvage(facts.report.damage) if facts.report.damage else ""
        text = f"the journal was not as it was left ({facts.report.reason}{lost}{moved}){saved}; call support"
        found.append(_said("journal_replaced", text, "error"))
    return found


def _of_salvage(damage: DamageReport) -> str:
    """What became of the operations that waited in a file that was put aside."""
    found = damage.salvage
    if found is None:
        return ""
    if damage.code == "foreign" and damage.waiting > 0:
        return f"; another till's operations that waited there stay there: {damage.waiting}, its report names them"
    unread = f", not read in time {found.unread} (`tillside queue salvage`)" if found.unread else ""
    return f"; of what waited there, sent on {found.sent_on}, journalled anew {found.anew}, lost {found.lost}{unread}"


def _of_sync(facts: Facts) -> list[Message]:
    if not facts.has_cloud_url:
        return [_said("no_cloud_url", "cloud.url is not set: nothing is sent or fetched")]
    worker = facts.worker
    if worker is None:
        return []
    found: list[Message] = []
    if worker.halted:
        found.append(_said("sync_halted", f"sync is halted ({worker.last_error or worker.halted})", "error"))
    elif not worker.online:
        found.append(_said("offline", f"no line to the cloud ({worker.last_error or 'not reached yet'})"))
    if worker.skew_ms is not None and abs(worker.skew_ms) > SKEW_LIMIT_MS:
        seconds = worker.skew_ms // 1000
        found.append(_said("clock_skew", f"the till's clock is {-seconds} s from the cloud's: set it"))
    return found


def _of_lending(lending: Lending | None) -> list[Message]:
    """How near this till is to the end of what members may spend here at the retailer's risk."""
    if lending is None or not lending.floor_limit_points:
        return []
    spent, most = lending.floor_spent_points, lending.floor_limit_points
    silent_ms, longest_ms = lending.silent_ms, lending.floor_limit_ms
    told = f"spent without a line within the floor limit: {spent} of {most} points"
    if silent_ms >= 0:
        told += f"; the cloud has been silent for {silent_ms // HOUR_MS} of {longest_ms // HOUR_MS} hours"
    if spent >= most or silent_ms >= longest_ms or silent_ms < 0:
        return [_said("floor_reached", f"{told}: points are earned and not spent till the line is back", "error")]
    if max(spent * 100 // most, silent_ms * 100 // longest_ms) >= FLOOR_WARNING_PERCENT:
        return [_said("floor_near_limit", f"{told}: mend the line")]
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


def _said(code: str, text: str, level: Literal["warning", "error"] = "warning") -> Message:
    return Message(code=code, text=text, level=level)
