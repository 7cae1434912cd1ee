"""Checks of the journal: opens, is as it was written, belongs to this till and this epoch, and of a sensible size."""

import sqlite3
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from till_agent.bridge.exceptions import AgentUnreachableError
from till_agent.cli.files import open_view
from till_agent.exceptions import JournalCorrupt, JournalUnavailable
from till_agent.journal import schema
from till_agent.journal.carrying_out import CarryingError, copied
from till_agent.journal.connect import translate
from till_agent.journal.migrations import STEPS
from till_agent.journal.place import WITNESS_SUFFIX
from till_agent.journal.proving import Proof, Told, prove
from till_agent.journal.reader import EntryReader, EpochState
from till_agent.journal.verify import first_slices
from till_agent.journal.witness import Witness
from till_agent.journal_told import told_beside
from till_installer.doctor.catalogue import Answer, check
from till_installer.doctor.checks_state import is_full
from till_installer.doctor.findings import Bad, NotLooked
from till_installer.doctor.scene import JOURNAL_FILE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from till_installer.doctor.scene import Scene

AREA = "journal"
TRIES = 3
"""An agent that runs or is being started may change the file while it is read; what is broken is so every time."""
SIZE_LIMIT_BYTES = 4 * 1024**3
"""Some five years of a busy till."""
LOG_LIMIT_BYTES = 64 * 1024**2
"""The agent keeps it under 20 MB."""
SUPPORT = "send `tillside support` to support before anything else is done; sales go on meanwhile"


def epochs_of(connection: sqlite3.Connection) -> tuple[EpochState, ...]:
    """As the file has them; Bad.found-worthy words in a sqlite3.Error otherwise."""
    states: list[EpochState] = []
    for epoch, _till, salt, acked_seq in connection.execute(schema.EPOCHS).fetchall():
        bounds = (schema.row_id(epoch, 1), schema.row_id(epoch, schema.LARGEST_SEQ))
        last = connection.execute(schema.LAST_OF, bounds).fetchone()
        last_seq, head = (schema.split_id(last[0])[1], bytes(last[1])) if last else (0, b"")
        states.append(EpochState(epoch, salt, last_seq, acked_seq, head))
    return tuple(states)


@contextmanager
def opened(scene: "Scene", *, with_log: bool = False) -> "Iterator[tuple[sqlite3.Connection, tuple[EpochState, ...]]]":
    """The journal and its epochs; `with_log`: also what a running agent has only in its log as yet. NotLooked when
    there is none, or it is none of ours: another check tells that."""
    with _file(scene, with_log=with_log) as connection:
        try:
            application = connection.execute("PRAGMA application_id").fetchone()[0]
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            states = epochs_of(connection) if application == schema.APPLICATION_ID and version <= len(STEPS) else ()
        except sqlite3.Error as exc:
            raise NotLooked(f"the journal can't be opened: {exc}") from exc
        if not states:
            raise NotLooked("the journal holds no epoch")
        yield connection, states


@contextmanager
def _file(scene: "Scene", *, with_log: bool = False) -> "Iterator[sqlite3.Connection]":
    """The journal to read. Of a till of today the running agent has all of it in the log, which is its own: a copy of
    file and log then, which are small as yet. A copy of months is made only where it is asked for."""
    with ExitStack() as stack:
        connection = stack.enter_context(scene.database(JOURNAL_FILE))
        if not scene.is_up() or not (with_log or _is_empty(connection)):
            yield connection
            return
        try:
            copy = stack.enter_context(copied(scene.state() / JOURNAL_FILE))
            reading = sqlite3.connect(copy, timeout=1, isolation_level=None)
        except (CarryingError, OSError, sqlite3.Error) as exc:
            raise NotLooked(f"the running agent's log can't be copied: {exc}") from exc
        stack.callback(reading.close)
        reading.execute("PRAGMA query_only = ON")
        reading.execute("PRAGMA trusted_schema = OFF")
        yield reading


def _is_empty(connection: sqlite3.Connection) -> bool:
    """Whether nothing was copied into the file yet."""
    try:
        tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        return not tables and not connection.execute("PRAGMA application_id").fetchone()[0]
    except sqlite3.Error:
        return False


@check(
    "journal_unreadable",
    area=AREA,
    title="The journal can be opened",
    severity="error",
    looks_at="`journal.db`: an SQLite file, and ours",
    fix="restart the agent: it puts the file aside, saves what can be proven of it, and sells on; " + SUPPORT,
)
def journal_unreadable(scene: "Scene") -> Answer:
    """It opens, and is ours."""
    try:
        with _file(scene) as connection:
            application = connection.execute("PRAGMA application_id").fetchone()[0]
            if scene.is_up() and _is_empty(connection):
                raise NotLooked("the running agent has not begun it yet")
            if application != schema.APPLICATION_ID:
                return Bad(found=f"{JOURNAL_FILE} is an SQLite file of another program ({application:#x})")
            if connection.execute("PRAGMA user_version").fetchone()[0] <= len(STEPS):
                connection.execute(schema.EPOCHS).fetchall()
    except sqlite3.Error as exc:
        found = f"{JOURNAL_FILE}: {exc}"
        if not isinstance(translate(scene.state() / JOURNAL_FILE, exc), JournalUnavailable):
            return Bad(found=found)
        if is_full(scene.state()):
            raise NotLooked(f"without room it can't be opened, and another finding tells of that: {exc}") from exc
        return Bad(found=found, fix="mend the disk (`dmesg`); the agent takes the file up again as it is")
    return "it opens"


@check(
    "journal_too_new",
    area=AREA,
    title="The journal is of this version or an earlier one",
    severity="error",
    looks_at="the number of its schema: a newer program's journal is not touched by an older one",
    fix="go forward again to the version that wrote it: `tillside upgrade`",
)
def journal_too_new(scene: "Scene") -> Answer:
    """Its schema is known."""
    with _file(scene) as connection:
        try:
            version = connection.execute("PRAGMA user_version").fetchone()[0]
        except sqlite3.Error as exc:
            raise NotLooked("the journal can't be opened") from exc
    said = f"schema {version}, this version knows {len(STEPS)}"
    return Bad(found=said) if version > len(STEPS) else said


@check(
    "journal_chain",
    area=AREA,
    title="The journal is as it was written",
    severity="error",
    looks_at="the newest 1,000 rows and the next 1,000 to be sent, as the agent does at its start; with `--deep` every "
    "row, and what witness and cloud know of the end, as `tillside audit verify` does",
    fix=SUPPORT,
)
def journal_chain(scene: "Scene") -> Answer:
    """Each row leads to the next."""
    wrong: Answer = ""
    for _ in range(TRIES):
        try:
            proof = _proven_whole(scene) if scene.deep else _proven_in_part(scene)
        except (JournalCorrupt, sqlite3.Error) as exc:
            wrong = Bad(found=str(exc))
            continue
        bad = proof.first_bad
        if bad is None:
            held = "; the running agent has the newest in its log" if scene.is_up() and not scene.deep else ""
            return f"{proof.rows} rows were checked, the last one is {proof.head}{held}"
        wrong = Bad(found=f"the first bad row is {bad.op} ({bad.why}): {bad.detail}")
    return wrong


def _proven_in_part(scene: "Scene") -> Proof:
    """What the agent looks at when it starts."""
    with opened(scene) as (connection, states):
        return _proven(connection, states, (), in_part=True)


def _proven_whole(scene: "Scene") -> Proof:
    """As `tillside audit verify` does, beside a running agent too: what is told is read before the journal."""
    told = told_beside(scene.state())
    if not scene.is_up():
        with opened(scene) as (connection, states):
            return _proven(connection, states, told)
    try:
        with copied(scene.state() / JOURNAL_FILE) as copy, open_view(scene.state(), copy.name) as view:
            return prove(view.reader, told)
    except (AgentUnreachableError, CarryingError, FileNotFoundError) as exc:
        raise NotLooked(f"the running agent's journal can't be copied: {exc}") from exc


def _proven(
    connection: sqlite3.Connection, states: tuple[EpochState, ...], told: tuple[Told, ...], *, in_part: bool = False
) -> Proof:
    connection.execute("BEGIN")
    reader = EntryReader(connection, _owner(connection), states)
    return prove(reader, told, slices=first_slices(reader) if in_part else None)


def _owner(connection: sqlite3.Connection) -> str:
    return str(connection.execute(schema.EPOCHS).fetchone()[1])


@check(
    "journal_owner",
    area=AREA,
    title="The journal is this till's",
    severity="error",
    looks_at="the till named in the journal and the one in the identity",
    fix="put identity and journal of one till together; `tillside clone` moves a till to another machine",
)
def journal_owner(scene: "Scene") -> Answer:
    """Journal and identity name one till."""
    identity = scene.identity()
    with opened(scene) as (connection, _):
        owners = sorted({str(row[1]) for row in connection.execute(schema.EPOCHS).fetchall()})
    if owners != [identity.till]:
        return Bad(found=f"the journal is of {', '.join(owners)}, the identity of {identity.till}")
    return identity.till


@check(
    "journal_epoch",
    area=AREA,
    title="The journal is no older copy of itself",
    severity="error",
    looks_at="its epoch and length against the identity and the witness file beside it",
    fix="if a backup was put back, take it away and put the file back that was there; else start the agent, which "
    "begins a new epoch and tells the cloud",
)
def journal_epoch(scene: "Scene") -> Answer:
    """Neither identity nor witness know of more than it holds."""
    identity = scene.identity()
    with opened(scene) as (_, states):
        current = states[-1]
    if identity.last_epoch > current.epoch and scene.is_up():
        # A journal that was begun anew, or put aside, is in the log alone for some hundred sales.
        with opened(scene, with_log=True) as (_, states):
            current = states[-1]
    if identity.last_epoch > current.epoch:
        return Bad(found=f"this till was in epoch {identity.last_epoch}, the journal ends in {current.epoch}")
    if scene.is_up():
        return f"epoch {current.epoch}; the running agent keeps its length"
    mark = Witness(scene.state() / (JOURNAL_FILE + WITNESS_SUFFIX)).read()
    if mark is not None and mark.till == identity.till and mark.epoch == current.epoch and mark.seq > current.last_seq:
        return Bad(found=f"{mark.seq} rows were written, {current.last_seq} are there")
    return f"epoch {current.epoch}, {current.last_seq} rows"


@check(
    "journal_size",
    area=AREA,
    title="The journal is of a sensible size",
    severity="warning",
    looks_at="`journal.db` (4 GB) and its log (64 MB)",
    fix="start the agent anew, which copies the log into the file; if it stays, send `tillside support` to support",
)
def journal_size(scene: "Scene") -> Answer:
    """Neither file nor log is larger than years of sales make them."""
    path = scene.state() / JOURNAL_FILE
    if not path.exists():
        raise NotLooked(f"there is no {path.name}")
    size = path.stat().st_size
    log = path.with_name(path.name + "-wal")
    log_size = log.stat().st_size if log.exists() else 0
    said = f"{size // 1024} KB, its log {log_size // 1024} KB"
    return Bad(found=said) if size > SIZE_LIMIT_BYTES or log_size > LOG_LIMIT_BYTES else said


@check(
    "journal_pages",
    area=AREA,
    title="The journal's file is whole, page by page",
    severity="error",
    looks_at="SQLite's own check of structure and indexes (`--deep` only)",
    fix=SUPPORT,
    deep=True,
)
def journal_pages(scene: "Scene") -> Answer:
    """SQLite finds nothing wrong."""
    told = ""
    for _ in range(TRIES):
        with opened(scene) as (connection, _states):
            try:
                told = str(connection.execute("PRAGMA integrity_check(3)").fetchone()[0])
            except sqlite3.Error as exc:
                told = str(exc)
        if told == "ok":
            return "SQLite finds nothing wrong"
    return Bad(found=told)
