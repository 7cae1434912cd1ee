"""`frontol.db`: what is known of reports and documents. Calls come from threads, one at a time; each writes at once.

A slice of a report is one transaction: how far it was read, the documents it closed, and those it left open.
"""

import contextlib
import hashlib
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from till_agent.frontol_files import schema
from till_agent.frontol_files.documents import Document, Gathering
from till_agent.frontol_files.exceptions import StoreUnavailable
from till_agent.frontol_files.gathering import Refused
from till_agent.frontol_files.records import DocumentRecord, FileRecord, SoldRecord
from till_agent.report_api import ReportTotals
from till_loyalty.exceptions import invariant

STORE_FILE = "frontol.db"
REFUSED_KEPT = 1_000
"""Refused rows kept of each report, by line; more of them say that it is no report."""
LOCK_WAIT_S = 5.0
"""A command may read or mark a load file while the agent writes."""
KEPT_DAYS = 400
"""Documents are remembered for more than a year, so that a report from an archive is known again."""

NUMBERS_LAST = timedelta(days=3)
"""A number that comes again with another document sooner is a fault that a person should look at."""

_encode = msgspec.json.Encoder().encode
_gathering = msgspec.json.Decoder(Gathering)
_document = msgspec.json.Decoder(Document)
_DOCUMENT_INSERT = (
    f"INSERT INTO documents ({schema.DOCUMENT_COLUMNS}) VALUES (NULL" + ", ?" * 21 + ")"  # noqa: S608 - our own names
)


class Store:
    """Open on one file; `close` it. StoreUnavailable from every call when the disk refuses."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.RLock()
        self._path = path
        with _translated():
            # Transactions are begun and ended by us; the lock keeps threads apart.
            self._db = sqlite3.connect(path, timeout=LOCK_WAIT_S, isolation_level=None, check_same_thread=False)
            try:
                self._prepare()
            except BaseException:
                self._db.close()
                raise

    def _prepare(self) -> None:
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.execute("PRAGMA trusted_schema = OFF")
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version > schema.VERSION:
            raise StoreUnavailable(f"expected {STORE_FILE} of version {schema.VERSION}, not {version}")
        if version == 0:
            self._db.executescript(f"BEGIN IMMEDIATE; {schema.CREATE} PRAGMA user_version = {schema.VERSION}; COMMIT;")

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._db.close()

    @contextlib.contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction; within another of the same thread, a part of it."""
        with self._lock, _translated():
            if self._db.in_transaction:
                yield self._db
                return
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def query(self, statement: str, values: Sequence[object] = ()) -> list[Any]:
        """Rows of a reading statement."""
        with self._lock, _translated():
            return self._db.execute(statement, values).fetchall()

    def meta(self, key: str) -> str:
        """A remembered value; "" for none."""
        found = self.query("SELECT value FROM meta WHERE key = ?", (key,))
        return str(found[0][0]) if found else ""

    def put_meta(self, key: str, value: str) -> None:
        """Remember a value."""
        with self.writing() as db:
            db.execute(
                "INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value", (key, value)
            )

    def file(self, path: str) -> FileRecord | None:
        """How far a report was read; None when it never was."""
        found = self.query(f"SELECT {schema.FILE_COLUMNS} FROM files WHERE path = ?", (path,))  # noqa: S608 - as above
        return _file_of(found[0]) if found else None

    def files(self, limit: int = 200) -> list[FileRecord]:
        """Reports, the one read last first."""
        statement = f"SELECT {schema.FILE_COLUMNS} FROM files ORDER BY read_ms DESC, path LIMIT ?"  # noqa: S608 - as above
        return [_file_of(columns) for columns in self.query(statement, (limit,))]

    def put_file(self, record: FileRecord) -> None:
        """Remember how a report stands."""
        with self.writing() as db:
            _put_file(db, record)

    def restart_file(self, record: FileRecord) -> None:
        """A report is read from its beginning: what was refused of it before is of another one."""
        with self.writing() as db:
            db.execute("DELETE FROM refused WHERE path = ?", (record.path,))
            _put_file(db, record)

    def open_documents(self, database: str) -> list[Gathering]:
        """Documents whose end has not come."""
        found = self.query("SELECT body FROM open_documents WHERE database = ?", (database,))
        return [_gathering.decode(columns[0]) for columns in found]

    def commit_slice(
        self,
        record: FileRecord,
        closed: Sequence[Document],
        refused: Sequence[Refused],
        still_open: Sequence[Gathering],
        *,
        policy: str,
        ready_ms: int,
        now_ms: int,
    ) -> int:
        """All of a slice at once; gives how many documents were known already. `record.known` and `.refused` grow."""
        known = 0
        invariant(not any(each.cards for each in still_open), "expected documents without card numbers")
        with self.writing() as db:
            for document in closed:
                known += not self._insert(db, document, record.path, policy, ready_ms, now_ms)
            for each in refused[:REFUSED_KEPT]:
                if record.refused < REFUSED_KEPT:
                    values = (record.path, each.line, each.code, each.detail)
                    db.execute("INSERT OR REPLACE INTO refused VALUES (?, ?, ?, ?)", values)
                record.refused += 1
            db.execute("DELETE FROM open_documents WHERE database = ?", (record.database,))
            db.executemany(
                "INSERT INTO open_documents VALUES (?, ?, ?, ?, ?)",
                [(record.database, *each.key, _encode(each)) for each in still_open],
            )
            record.known += known
            _put_file(db, record)
        return known

    def _insert(
        self, db: sqlite3.Connection, document: Document, path: str, policy: str, ready_ms: int, now_ms: int
    ) -> bool:
        """False when the document is known. Another one under its number is written down as a finding."""
        number = document.close_number
        before = db.execute(
            "SELECT till, shift, number, local_time, total_minor FROM documents"
            " WHERE database = ? AND close_number = ?",
            (document.database, number),
        ).fetchone()
        state, finding = "waiting", ""
        if before is not None:
            mine = (document.till, document.shift, document.number, document.local_time, document.total_minor)
            if tuple(before) == mine:
                return False
            # Below zero, where no number of Frontol's is: it can be told apart, and is written down once.
            number = -_stable_number(document)
            if not _is_apart(str(before[3]), document.local_time):
                state, finding = "found", "numbers_reused"
        values = (
            document.database, number, document.kind, document.till, document.shift, document.number, document.uid,
            document.local_time, document.total_minor, path, document.line, policy, state, finding, "",
            document.references[0] if document.references else "", 0, "", ready_ms, now_ms,
            _encode(replace(document, cards=())),
        )  # fmt: skip
        return db.execute(_DOCUMENT_INSERT.replace("INSERT", "INSERT OR IGNORE", 1), values).rowcount > 0

    def refused(self, path: str, limit: int = REFUSED_KEPT) -> list[Refused]:
        """Rows of a report that could not be taken, by line."""
        statement = "SELECT line, code, detail FROM refused WHERE path = ? ORDER BY line LIMIT ?"
        return [
            Refused(line=line, code=code, detail=detail) for line, code, detail in self.query(statement, (path, limit))
        ]

    def ready(self, now_ms: int, limit: int) -> list[DocumentRecord]:
        """Documents to be judged now, and those that were about to be accrued, oldest first."""
        where = "state = 'accruing' OR (state = 'waiting' AND ready_ms <= ?) ORDER BY id LIMIT ?"
        return self._documents(where, (now_ms, limit))

    def document(self, identity: int) -> DocumentRecord | None:
        """One document."""
        found = self._documents("id = ?", (identity,))
        return found[0] if found else None

    def listed(self, *, only_open: bool, limit: int) -> list[DocumentRecord]:
        """Findings, newest first: those that wait for a person, or all."""
        where = "state IN ('found', 'accruing')" if only_open else "finding <> ''"
        return self._documents(f"{where} ORDER BY id DESC LIMIT ?", (limit,))

    def of_sale(self, number: str, shift: str) -> list[DocumentRecord]:
        """Documents of a number within a shift, newest first."""
        return self._documents("number = ? AND shift = ? ORDER BY id DESC LIMIT 10", (number, shift))

    def of_number(self, database: str, till: str, number: str, until: str) -> list[DocumentRecord]:
        """Sales of a till by their document's number, whatever the shift, newest first."""
        where = "number = ? AND kind = 'sale' AND database = ? AND till = ? AND local_time <= ?"
        return self._documents(f"{where} ORDER BY local_time DESC LIMIT 10", (number, database, till, until))

    def by_uid(self, uid: str) -> list[DocumentRecord]:
        """Documents of that uid, newest first."""
        return self._documents("uid = ? ORDER BY id DESC LIMIT 10", (uid,))

    def settle(
        self, record: DocumentRecord, state: str, *, finding: str = "", sale_uid: str = "", detail: str = "",
        points: int = 0, now_ms: int = 0,
    ) -> None:  # fmt: skip
        """Write down what became of a document. Its lines are kept while a person may still accept it."""
        body = record.body if state in ("waiting", "found", "accruing", "accrued") else b""
        with self.writing() as db:
            db.execute(
                "UPDATE documents SET state = ?, finding = ?, sale_uid = ?, detail = ?, points = ?, changed_ms = ?,"
                " body = ? WHERE id = ?",
                (state, finding, sale_uid, detail, points, now_ms, body, record.id),
            )
            if sale_uid and state in ("matched", "found", "accrued"):
                kind = "return" if record.kind == "return" else "sale"
                db.execute("UPDATE sold SET document = ? WHERE kind = ? AND uid = ?", (record.id, kind, sale_uid))

    def tally(self) -> ReportTotals:
        """How many documents are in which state."""
        found = dict(self.query("SELECT state, count(*) FROM documents GROUP BY state"))
        found["found"] = found.get("found", 0) + found.pop("accruing", 0)
        return msgspec.convert(found, ReportTotals)

    def forget_before(self, changed_ms: int, local_time: str) -> None:
        """Let go of documents that nobody will ask about any more."""
        with self.writing() as db:
            db.execute(
                "DELETE FROM documents WHERE changed_ms < ? AND state NOT IN ('found', 'accruing')", (changed_ms,)
            )
            db.execute("DELETE FROM sold WHERE local_time < ?", (local_time,))

    def sold(self, where: str, values: Sequence[object]) -> list[SoldRecord]:
        """Sales and returns of the journal that `where` (ours, never a caller's text) holds for."""
        statement = f"SELECT {schema.SOLD_COLUMNS} FROM sold WHERE {where}"  # noqa: S608 - as above
        names = SoldRecord.__struct_fields__
        return [SoldRecord(**dict(zip(names, columns, strict=True))) for columns in self.query(statement, values)]

    def _documents(self, where: str, values: Sequence[object]) -> list[DocumentRecord]:
        statement = f"SELECT {schema.DOCUMENT_COLUMNS} FROM documents WHERE {where}"  # noqa: S608 - as above
        names = DocumentRecord.__struct_fields__
        return [DocumentRecord(**dict(zip(names, columns, strict=True))) for columns in self.query(statement, values)]


def document_of(record: DocumentRecord) -> Document:
    """What the report said of it, without cards."""
    return _document.decode(record.body)


def _is_apart(one: str, other: str) -> bool:
    """Whether a number has come again because Frontol's database began anew, with the same id as before."""
    return abs(datetime.fromisoformat(one) - datetime.fromisoformat(other)) > NUMBERS_LAST


def _stable_number(document: Document) -> int:
    text = f"{document.close_number}/{document.till}/{document.shift}/{document.number}/{document.local_time}"
    return 1 + int.from_bytes(hashlib.sha256(text.encode()).digest()[:7])


def _file_of(columns: Sequence[Any]) -> FileRecord:
    return FileRecord(**dict(zip(FileRecord.__struct_fields__, columns, strict=True)))


def _put_file(db: sqlite3.Connection, record: FileRecord) -> None:
    values = [getattr(record, name) for name in FileRecord.__struct_fields__]
    marks = ", ".join("?" * len(values))
    db.execute(f"INSERT OR REPLACE INTO files ({schema.FILE_COLUMNS}) VALUES ({marks})", values)  # noqa: S608 - as above


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, msgspec.DecodeError) as exc:
        raise StoreUnavailable(f"{STORE_FILE} can't be used: {exc}") from exc
