"""Journals as an agent leaves them, made row by row: small, quick, and as long as a test wants."""

import contextlib
import sqlite3
from pathlib import Path

from till_agent.journal import schema
from till_agent.journal.chain import FIRST, Row, row_hash
from till_agent.journal.witness import Mark, Witness
from till_sync.ops import OpId

TILL = "till-1"
SALT = "00" * 16


def make(path: Path, rows: int = 0, *, acked: int = 0, epoch: int = 1) -> Path:
    """A journal with sales s1 to s<rows>, of which the cloud has the first `acked`."""
    with _opened(path) as connection:
        for statement in schema.CREATE_V1:
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {schema.APPLICATION_ID:d}")
        connection.execute(f"PRAGMA user_version = {schema.VERSION:d}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(schema.ADD_EPOCH, (epoch, TILL, SALT, 1, "new"))
    append(path, *[f"s{number}" for number in range(1, rows + 1)], epoch=epoch)
    acknowledge(path, acked, epoch=epoch)
    return path


def append(path: Path, *uids: str, epoch: int = 1) -> None:
    """More sales, and the witness of the last."""
    with _opened(path) as connection:
        last = connection.execute(
            schema.LAST_OF, (schema.row_id(epoch, 1), schema.row_id(epoch, schema.LARGEST_SEQ))
        ).fetchone()
        seq, previous = (schema.split_id(last[0])[1], bytes(last[1])) if last else (0, FIRST)
        for uid in uids:
            seq += 1
            row = Row(seq, 0, "sale", uid, "", "", "", uid.encode(), b"{}", b'{"uid":"%s"}' % uid.encode())
            previous, _ = row_hash(previous, OpId(TILL, epoch, seq), SALT, row)
            values = (row.at_wall_ms, row.effect_points, row.kind, row.uid, row.about_uid, row.subject_key, row.hold)
            values += (row.request_digest, row.answer, row.body)
            connection.execute(schema.APPEND, (schema.row_id(epoch, seq), previous, *values))
    witness = Witness(path.with_name(f"{path.name}-witness"))
    witness.write(Mark(TILL, epoch, seq))
    witness.close()


def acknowledge(path: Path, acked: int, *, epoch: int = 1) -> None:
    """The cloud has the rows up to this one."""
    with _opened(path) as connection:
        connection.execute(schema.MOVE_ACKED, (acked, epoch))


def spoil(path: Path, seq: int, *, epoch: int = 1) -> None:
    """Change a row behind the journal's back."""
    with _opened(path) as connection:
        connection.execute("DROP TRIGGER entries_never_change")
        connection.execute("UPDATE entries SET body = x'00' WHERE id = ?", (schema.row_id(epoch, seq),))


def uids(path: Path) -> list[str]:
    """Of all rows, in order."""
    with _opened(path) as connection:
        return [row[0] for row in connection.execute("SELECT uid FROM entries ORDER BY id")]


@contextlib.contextmanager
def _opened(path: Path):  # type: ignore[no-untyped-def]  # a generator of one connection
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        yield connection
