"""The right to be forgotten: who a member was goes, what the ledger needs stays under an id that names nobody.

What stays: points as they moved, receipts, and a keyed mark of each identifier, so that a card shown again finds nobody
instead of beginning a new member. Tills hear of it by the feed and drop their row. Backups and files that the chain
made elsewhere are its own to see to (docs/how-to/erase-a-member.md).
"""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from till_cloud import granting
from till_cloud.exceptions import AdminError
from till_cloud.ledger.account import Draft
from till_cloud.ledger.book import Book
from till_cloud.store import members, meta, people, slow_tags, windows
from till_cloud.store.connection import Gate, open_writer
from till_cloud.store.erased import MARK, mark_of
from till_loyalty.identifiers import FAST_PHONE, slow_tag
from till_sync.ops import OpId

SECURE = "secure_delete"
"""In the database's meta: everything deleted from it was overwritten, from its first day or since a vacuum."""

_NAMING = frozenset(
    {"sealed", "name", "name_masked", "birth_date", "birthday", "sex", "phone_masked", "card_masked", "card_tag"}
    | {"language", "referrer", "segments", "coupons", "confirmation"}
)
"""Fields of operations' bodies that say something of a person; those of a receipt are of goods."""
_DEEP = ("subject", "facts")
"""Parts of a body, besides itself, where such fields are."""

_MERGED = "SELECT member_id FROM members WHERE merged_into = ?"
# Operations of a member, and refused ones that name one of the identifiers.
_OPS = """
SELECT till, epoch, seq FROM ops WHERE member_id IN (SELECT value FROM json_each(:ids))
    OR tag IN (SELECT value FROM json_each(:tags))
    OR (status = 'rejected' AND EXISTS (SELECT 1 FROM json_each(:tags) t WHERE instr(body, CAST(t.value AS BLOB)) > 0))
"""
_BODY = "SELECT body FROM ops WHERE till = ? AND epoch = ? AND seq = ?"
_PUT_BODY = "UPDATE ops SET body = ?, tag = '' WHERE till = ? AND epoch = ? AND seq = ?"
_FORGET_NOTE = "UPDATE poison SET note = '' WHERE till = ? AND epoch = ? AND seq = ?"
_FORGET = (
    """
    DELETE FROM confirmations WHERE member_id = :id OR tag IN (
        SELECT tag FROM identifiers WHERE member_id = :id
        UNION SELECT s.tag FROM slow_tags s JOIN identifiers i ON i.tag = s.slow WHERE i.member_id = :id)
    """,
    "DELETE FROM member_pins WHERE member_id = :id",
    "DELETE FROM member_coupons WHERE member_id = :id",
    "UPDATE adjustments SET why = 'erased' WHERE member_id = :id",
)
_DROP_TAGS = "DELETE FROM identifiers WHERE member_id = ?"


class Erased(Struct, frozen=True, kw_only=True):
    """What was done: how many identifiers, operations and merged members were made to name nobody."""

    member_id: str
    identifiers: int
    operations: int
    merged: int


def operations_of(connection: sqlite3.Connection, member_id: str) -> list[OpId]:
    """Every operation that speaks of a member. Reads all operations once: minutes for tens of millions."""
    ids = _ids(connection, member_id)
    tags = _every_tag(connection, ids)
    named = {"ids": msgspec.json.encode(ids).decode(), "tags": msgspec.json.encode(tags).decode()}
    return [OpId(*row) for row in connection.execute(_OPS, named)]


def erase(connection: sqlite3.Connection, member_id: str, ops: list[OpId], now_ms: int) -> Erased:
    """Erase a member within the caller's transaction; `ops` as `operations_of` found them.

    AdminError: no such member, one who was merged into another, or points held for a receipt under way.
    """
    book = Book(connection, now_ms)
    account, person = book.account(member_id), people.find(connection, member_id)
    if account is None or person is None:
        raise AdminError(f"expected a member id of this chain, not {member_id!r}")
    if person.merged_into:
        raise AdminError(f"expected {person.merged_into}, whom {member_id} was merged into")
    if account.held:
        raise AdminError(f"expected no points held: wait until the receipts of {member_id} are through, and try again")
    if account.granted:
        granting.recall(book, account, account.granted)
    ids = _ids(connection, member_id)
    tags = _every_tag(connection, ids)
    for op_id in ops:
        _blank(connection, op_id, member_id)
    key = meta.identifier_key(connection)
    for each in ids:
        _forget(connection, each)
        windows.tell_erased(connection, each, book.next_position())
    for tag in tags:
        slow_tags.forget(connection, tag)
        people.put_tag(connection, mark_of(key, tag), member_id)
    account.status = "removed"
    book.touch(Draft(account), book.next_position())
    book.flush()
    return Erased(member_id=member_id, identifiers=len(tags), operations=len(ops), merged=len(ids) - 1)


def export(connection: sqlite3.Connection, member_id: str) -> dict[str, Any]:
    """Everything that this database says of a member, table by table, for the member themselves. AdminError."""
    if people.find(connection, member_id) is None:
        raise AdminError(f"expected a member id of this chain, not {member_id!r}")
    ids = _ids(connection, member_id)
    told: dict[str, Any] = {"member_id": member_id, "merged": ids[1:]}
    for table in _tables(connection):
        rows = [row for each in ids for row in _rows(connection, table, each)]
        if rows:
            told[table] = rows
    return told


def scrub(path: Path) -> bool:
    """Leave no former page behind: of the file, where things were deleted before that was always overwritten, and of
    its log. False when a running cloud still reads the log: it is emptied once that has let go. StoreUnavailableError.
    """
    gate = Gate(path)
    try:
        with gate.held():
            connection = open_writer(path)
            try:
                if not meta.told(connection, SECURE):
                    connection.execute("VACUUM")
                    meta.tell(connection, SECURE, "yes")
                return not connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
            finally:
                connection.close()
    finally:
        gate.close()


def _every_tag(connection: sqlite3.Connection, ids: list[str]) -> list[str]:
    """All tags of members, also those that tills of another release would name them by; 54 ms for each such."""
    cost = slow_tags.phone_tags(connection).cost
    tags = {tag for each in ids for tag in members.tags(connection, each) if not tag.startswith(MARK)}
    fast = {each for tag in tags for each in slow_tags.fast_of(connection, tag)}
    slow = {slow_tag(tag, cost) for tag in tags if cost and tag.startswith(FAST_PHONE)}
    return sorted(tags | fast | slow)


def _ids(connection: sqlite3.Connection, member_id: str) -> list[str]:
    """The member, and who was merged into them."""
    return [member_id, *(row[0] for row in connection.execute(_MERGED, (member_id,)))]


def _forget(connection: sqlite3.Connection, member_id: str) -> None:
    person = people.find(connection, member_id)
    if person is None:
        return
    blank = replace(
        person,
        **dict.fromkeys(("name", "name_masked", "phone_masked", "card_masked", "language", "birth_date", "sex"), ""),
        **dict.fromkeys(("member_since", "referrer", "referral_code"), ""),
        segments="[]",
        status="removed",
    )
    people.write(connection, blank)
    for statement in _FORGET:
        connection.execute(statement, {"id": member_id})
    connection.execute(_DROP_TAGS, (member_id,))


def _blank(connection: sqlite3.Connection, op_id: OpId, member_id: str) -> None:
    """An operation's body without who it was; its fingerprint stays that of the bytes that came."""
    key = (op_id.till, op_id.epoch, op_id.seq)
    connection.execute(_FORGET_NOTE, key)
    (raw,) = connection.execute(_BODY, key).fetchone()
    try:
        body = msgspec.json.decode(raw)
    except msgspec.DecodeError:
        body = None
    if not isinstance(body, dict):
        connection.execute(_PUT_BODY, (b"{}", *key))  # a refused one, of which nothing is read any more
        return
    for part in (body, *(body[name] for name in _DEEP if isinstance(body.get(name), dict))):
        for name in _NAMING & part.keys():
            del part[name]
    if isinstance(body.get("subject"), dict):
        body["subject"] = {"member_id": member_id}
    connection.execute(_PUT_BODY, (msgspec.json.encode(body), *key))


def _tables(connection: sqlite3.Connection) -> Iterator[str]:
    """Tables that say whose each row is; a PIN is no word about a member, and must not leave."""
    for (table,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").fetchall():
        columns = {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}
        if "member_id" in columns and table != "member_pins":
            yield str(table)


def _rows(connection: sqlite3.Connection, table: str, member_id: str) -> list[dict[str, Any]]:
    # The name is one of the schema's own.
    cursor = connection.execute(f"SELECT * FROM {table} WHERE member_id = ?", (member_id,))  # noqa: S608
    names = [column[0] for column in cursor.description]
    return [{name: _shown(value) for name, value in zip(names, row, strict=True)} for row in cursor]


def _shown(value: object) -> object:
    if not isinstance(value, bytes):
        return value
    try:
        return msgspec.json.decode(value)
    except msgspec.DecodeError:
        return value.hex()
