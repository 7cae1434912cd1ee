"""Checks of what the cloud gave and what waits: cache, programme, queue, print queue."""

import sqlite3
from typing import TYPE_CHECKING

from till_agent.cache import schema as cache_schema
from till_agent.cache.pages import load_progress
from till_agent.journal import schema as journal_schema
from till_agent.status import CACHE_AGE_LIMIT_MS
from till_installer.doctor.catalogue import Answer, check
from till_installer.doctor.checks_journal import opened
from till_installer.doctor.findings import Bad, NotLooked
from till_installer.doctor.scene import CACHE_FILE

if TYPE_CHECKING:
    from till_installer.doctor.scene import Scene

AREA = "data"
SPOOL_FILE = "spool.db"
HOUR_MS = 3_600_000
PROGRAMME_AGE_LIMIT_MS = 7 * 24 * HOUR_MS
"""Of the last word of the cloud on it; rules that began or ended since are not known here."""
STUCK_MS = 10 * 60_000
"""A slip that waits for longer has lost its member."""


@check(
    "cache_unusable",
    area=AREA,
    title="The members' cache can be read",
    severity="warning",
    looks_at="`cache.db`: opens, ours, of this version and this till; the cloud fills another one",
    fix="restart the agent with the line up: it fills a new cache by itself",
)
def cache_unusable(scene: "Scene") -> Answer:
    """It opens, and is of this version and till."""
    try:
        with scene.database(CACHE_FILE) as connection:
            application = connection.execute("PRAGMA application_id").fetchone()[0]
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            if application != cache_schema.APPLICATION_ID:
                return Bad(found=f"{CACHE_FILE} is a file of another program ({application:#x})")
            if version != cache_schema.VERSION:
                return Bad(found=f"{CACHE_FILE} has schema {version}, this version has {cache_schema.VERSION}")
            progress = load_progress(connection)
            connection.execute("SELECT count(*) FROM programmes").fetchone()
    except (sqlite3.Error, ValueError, TypeError) as exc:
        return Bad(found=f"{CACHE_FILE}: {exc}")
    till = scene.till
    if till and progress.till != till:
        return Bad(found=f"{CACHE_FILE} is of till {progress.till}, this is {till}")
    return f"{progress.members} members"


def _as_of_ms(scene: "Scene") -> tuple[int, bool]:
    """(when the cloud was last heard, whether there is a programme) by the cache's file."""
    try:
        with scene.database(CACHE_FILE) as connection:
            as_of_ms = load_progress(connection).as_of_ms
            return as_of_ms, connection.execute(cache_schema.ACTIVE_PROGRAMME).fetchone() is not None
    except (sqlite3.Error, ValueError, TypeError) as exc:
        raise NotLooked("the cache can't be read") from exc


def _age(ms: int) -> str:
    hours = ms // HOUR_MS
    return f"{hours // 24} days" if hours >= 48 else f"{hours} hours"


@check(
    "cache_old",
    area=AREA,
    title="Balances are of the last day",
    severity="warning",
    looks_at="when the cloud last told what members have",
    fix="mend the line to the cloud: the findings of the area `cloud` say where it ends",
)
def cache_old(scene: "Scene") -> Answer:
    """The cloud was heard within a day."""
    as_of_ms, _ = _as_of_ms(scene)
    if not as_of_ms:
        return Bad(found="the cloud has never filled the cache")
    age_ms = scene.now_ms() - as_of_ms
    said = f"as of {_age(max(0, age_ms))} ago"
    return Bad(found=said) if age_ms > CACHE_AGE_LIMIT_MS else said


@check(
    "programme_missing",
    area=AREA,
    title="There is a loyalty programme",
    severity="error",
    looks_at="the programme in the cache: without one a sale gives no points until the cloud works them out",
    fix="make a programme active in the cloud (`tillside cloud programme upload FILE`), then `tillside sync now` here",
)
def programme_missing(scene: "Scene") -> Answer:
    """One is active."""
    as_of_ms, has_programme = _as_of_ms(scene)
    if not as_of_ms:
        raise NotLooked("the cloud has never filled the cache")
    return "one is active" if has_programme else Bad(found="the cloud has told this till of no active programme")


@check(
    "programme_old",
    area=AREA,
    title="The programme is of this week",
    severity="warning",
    looks_at="when the cloud last told the rules",
    fix="mend the line to the cloud, or bring the rules by hand: the findings of the area `cloud` say where it ends",
)
def programme_old(scene: "Scene") -> Answer:
    """The cloud confirmed it within a week."""
    as_of_ms, has_programme = _as_of_ms(scene)
    if not as_of_ms or not has_programme:
        raise NotLooked("there is no programme")
    age_ms = max(0, scene.now_ms() - as_of_ms)
    said = f"confirmed {_age(age_ms)} ago"
    return Bad(found=said) if age_ms > PROGRAMME_AGE_LIMIT_MS else said


def _waiting(scene: "Scene") -> tuple[int, int]:
    """(operations that wait, age of the oldest in ms), by the running agent, else by its journal."""
    if scene.is_up():
        told = scene.status()["sync"]
        return int(told["waiting"]), int(told["oldest_waiting_ms"])
    with opened(scene) as (connection, states):
        waiting = sum(state.waiting for state in states)
        oldest = next((state for state in states if state.waiting), None)
        if oldest is None:
            return 0, 0
        key = journal_schema.row_id(oldest.epoch, oldest.acked_seq)
        row = connection.execute("SELECT at_wall_ms FROM entries WHERE id > ? ORDER BY id LIMIT 1", (key,)).fetchone()
    return waiting, max(0, scene.now_ms() - int(row[0])) if row else 0


@check(
    "queue_size",
    area=AREA,
    title="The queue to the cloud is short",
    severity="warning",
    looks_at="operations that wait, of the 100,000 that may; an error past them",
    fix="mend the line, or carry the queue out by a stick: docs/how-to/update-by-usb-stick.md",
)
def queue_size(scene: "Scene") -> Answer:
    """Under 80 % of what may wait."""
    waiting, _ = _waiting(scene)
    limit = journal_schema.WAITING_OPS_LIMIT
    said = f"{waiting} operations wait (limit {limit})"
    if waiting >= limit:
        return Bad(found=said, severity="error")
    return Bad(found=said) if waiting * 100 >= limit * journal_schema.WARN_AT_PERCENT else said


@check(
    "queue_age",
    area=AREA,
    title="What waits for the cloud has not waited long",
    severity="warning",
    looks_at="age of the oldest operation; an error past the 30 days that are promised",
    fix="mend the line to the cloud: the findings of the area `cloud` say where it ends",
)
def queue_age(scene: "Scene") -> Answer:
    """Nothing waits for more than a day."""
    waiting, age_ms = _waiting(scene)
    if not waiting:
        return "nothing waits"
    said = f"the oldest of {waiting} waits for {_age(age_ms)}"
    if age_ms >= journal_schema.WAITING_AGE_LIMIT_MS:
        return Bad(found=said, severity="error")
    return Bad(found=said) if age_ms > 24 * HOUR_MS else said


def _judged(scene: "Scene") -> tuple[int, int]:
    """(parked, rejected beside those)."""
    with opened(scene) as (connection, _):
        parked, repeated = connection.execute(journal_schema.COUNT_REFUSED).fetchone()
        counts = dict(connection.execute(journal_schema.COUNT_VERDICTS).fetchall())
    return int(parked), int(counts.get("rejected", 0)) - int(parked) - int(repeated)


def _newest(scene: "Scene", code: str) -> Bad | None:
    """As the running agent tells it: its newest verdicts are in its log alone, which is not looked at."""
    problems = scene.status()["problems"] if scene.is_up() else ()
    return next((Bad(found=str(each["text"])) for each in problems if each["code"] == code), None)


@check(
    "ops_parked",
    area=AREA,
    title="The cloud could take every operation",
    severity="warning",
    looks_at="operations that the cloud put aside as it could not read them; their bytes are only here",
    fix="`tillside queue list --rejected` names them; send `tillside support` to support",
)
def ops_parked(scene: "Scene") -> Answer:
    """None is parked."""
    parked, _ = _judged(scene)
    if parked:
        return Bad(found=f"{parked} operations are parked")
    return _newest(scene, "ops_parked") or "none is parked"


@check(
    "ops_rejected",
    area=AREA,
    title="The cloud refused no operation",
    severity="warning",
    looks_at="operations with the verdict `rejected`",
    fix="`tillside queue list --rejected` names them and why; put right what it says in the cloud",
)
def ops_rejected(scene: "Scene") -> Answer:
    """None was refused."""
    _, rejected = _judged(scene)
    if rejected:
        return Bad(found=f"{rejected} operations were refused")
    return _newest(scene, "ops_rejected") or "none was refused"


@check(
    "spool_unusable",
    area=AREA,
    title="The print queue can be read",
    severity="warning",
    looks_at="`spool.db`",
    fix="restart the agent: it puts the file aside and begins a new one",
)
def spool_unusable(scene: "Scene") -> Answer:
    """It opens."""
    try:
        with scene.database(SPOOL_FILE) as connection:
            waits = connection.execute("SELECT count(*) FROM jobs WHERE waits = 1").fetchone()[0]
    except sqlite3.Error as exc:
        return Bad(found=f"{SPOOL_FILE}: {exc}")
    return f"{waits} slips wait"


@check(
    "spool_stuck",
    area=AREA,
    title="Slips don't wait for the printer",
    severity="warning",
    looks_at="age of the oldest slip that waits (10 minutes)",
    fix="look at the printer: paper, cover, cable; `tillside devices` says what it tells. Old slips are given up after "
    "4 hours by themselves",
)
def spool_stuck(scene: "Scene") -> Answer:
    """None waits for more than ten minutes."""
    try:
        with scene.database(SPOOL_FILE) as connection:
            rows = connection.execute(
                "SELECT printer, count(*), min(created_ms) FROM jobs WHERE waits = 1 GROUP BY printer"
            ).fetchall()
    except sqlite3.Error as exc:
        raise NotLooked("the print queue can't be read") from exc
    stuck = [row for row in rows if scene.now_ms() - row[2] > STUCK_MS]
    if not stuck:
        return "none waits for long"
    return [
        Bad(found=f"{count} slips wait for {printer}, the oldest for {(scene.now_ms() - oldest) // 60_000} minutes")
        for printer, count, oldest in stuck
    ]
