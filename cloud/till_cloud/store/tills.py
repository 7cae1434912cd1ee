"""Stores, tills and their enrolment codes, as rows."""

import sqlite3

import msgspec
from msgspec import Struct

from till_loyalty.receipt import Place

_groups: msgspec.json.Decoder[tuple[str, ...]] = msgspec.json.Decoder(tuple[str, ...])


class StoreRow(Struct, frozen=True):
    """`time_zone` is an IANA name. `region` and `groups` are what rules may name."""

    store: str
    name: str
    time_zone: str
    region: str = ""
    groups: tuple[str, ...] = ()


class TillRow(Struct, frozen=True):
    """A till and how far its ops have come: `acked_seq` and `head_hash` belong to `epoch` (0: it never pushed).

    `public_key` "": it signs nothing yet. `counter` is the highest of its requests that was stored, with some push.
    """

    till: str
    store: str
    token_sha256: str
    epoch: int
    salt: str
    acked_seq: int
    head_hash: str
    enrolled_at_ms: int
    seen_at_ms: int
    public_key: str = ""
    counter: int = 0
    quarantined_at_ms: int = 0
    quarantine_reason: str = ""


class CodeRow(Struct, frozen=True):
    """A till's enrolment code; only its hash is kept."""

    till: str
    code_sha256: str
    expires_at_ms: int
    tries: int
    used_at_ms: int


_TILL = """
SELECT till, store, token_sha256, epoch, salt, acked_seq, head_hash, enrolled_at_ms, seen_at_ms,
    public_key, counter, quarantined_at_ms, quarantine_reason
FROM tills WHERE till = ?
"""
_TILLS = """
SELECT till, store, token_sha256, epoch, salt, acked_seq, head_hash, enrolled_at_ms, seen_at_ms,
    public_key, counter, quarantined_at_ms, quarantine_reason
FROM tills ORDER BY store, till
"""
_ANY_ENROLLED = "SELECT EXISTS (SELECT 1 FROM tills WHERE enrolled_at_ms > 0)"
_ADD_TILL = "INSERT INTO tills (till, store, added_at_ms) VALUES (?, ?, ?)"
_ADVANCE = """
UPDATE tills SET epoch = ?, salt = ?, acked_seq = ?, head_hash = ?, seen_at_ms = ? WHERE till = ?
"""
_ENROL = """
UPDATE tills SET token_sha256 = ?, enrolled_at_ms = ?, public_key = ?, counter = 0, quarantined_at_ms = 0,
    quarantine_reason = '', window_since_ms = 0
WHERE till = ?
"""
_ADD_KEY = "UPDATE tills SET public_key = ?, counter = 0 WHERE till = ? AND public_key = ''"
_FORGET_KEY = "UPDATE tills SET public_key = '', counter = 0 WHERE till = ?"
_COUNT = "UPDATE tills SET counter = ? WHERE till = ? AND counter < ?"
_QUARANTINE = """
UPDATE tills SET quarantined_at_ms = ?, quarantine_reason = ? WHERE till = ? AND quarantined_at_ms = 0
"""
_RELEASE = "UPDATE tills SET quarantined_at_ms = 0, quarantine_reason = '' WHERE till = ?"
_STORE = "SELECT store, name, time_zone, region, groups FROM stores WHERE store = ?"
_STORES = "SELECT store, name, time_zone, region, groups FROM stores ORDER BY store"
_PLACE_OF_TILL = """
SELECT s.store, s.region, s.groups FROM tills t JOIN stores s ON s.store = t.store WHERE t.till = ?
"""
_PUT_STORE = """
INSERT INTO stores (store, name, time_zone, region, groups, added_at_ms) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (store) DO UPDATE SET name = excluded.name, time_zone = excluded.time_zone, region = excluded.region,
    groups = excluded.groups
"""
_CODE = "SELECT till, code_sha256, expires_at_ms, tries, used_at_ms FROM enrolment_codes WHERE till = ?"
_SET_CODE = """
INSERT INTO enrolment_codes (till, code_sha256, made_at_ms, expires_at_ms) VALUES (?, ?, ?, ?)
ON CONFLICT (till) DO UPDATE SET code_sha256 = excluded.code_sha256, made_at_ms = excluded.made_at_ms,
    expires_at_ms = excluded.expires_at_ms, tries = 0, used_at_ms = 0, salt = ''
"""
_COUNT_TRY = "UPDATE enrolment_codes SET tries = tries + 1 WHERE till = ?"
_USE_CODE = "UPDATE enrolment_codes SET used_at_ms = ?, salt = ? WHERE till = ?"


def till(connection: sqlite3.Connection, till_id: str) -> TillRow | None:
    row = connection.execute(_TILL, (till_id,)).fetchone()
    return None if row is None else TillRow(*row)


def all_tills(connection: sqlite3.Connection) -> list[TillRow]:
    """Every till, by store."""
    return [TillRow(*row) for row in connection.execute(_TILLS)]


def any_enrolled(connection: sqlite3.Connection) -> bool:
    """Whether any till was ever enrolled: what it sells without a line nobody knows."""
    return bool(connection.execute(_ANY_ENROLLED).fetchone()[0])


def add_till(connection: sqlite3.Connection, till_id: str, store_id: str, now_ms: int) -> None:
    connection.execute(_ADD_TILL, (till_id, store_id, now_ms))


def advance(
    connection: sqlite3.Connection, till_id: str, *, epoch: int, salt: str, acked_seq: int, head_hash: str, now_ms: int
) -> None:
    """Store how far a till's ops have come."""
    connection.execute(_ADVANCE, (epoch, salt, acked_seq, head_hash, now_ms, till_id))


def enrol(
    connection: sqlite3.Connection, till_id: str, token_sha256: str, now_ms: int, *, public_key: str = ""
) -> None:
    """Give a till its token, and take its key; those before stop working, and with them a quarantine ends."""
    connection.execute(_ENROL, (token_sha256, now_ms, public_key, till_id))


def add_key(connection: sqlite3.Connection, till_id: str, public_key: str) -> bool:
    """Take the key of a till that has none; False when it has one."""
    return connection.execute(_ADD_KEY, (public_key, till_id)).rowcount == 1


def forget_key(connection: sqlite3.Connection, till_id: str) -> None:
    """Ask no signatures of a till until it hands in a key again."""
    connection.execute(_FORGET_KEY, (till_id,))


def count(connection: sqlite3.Connection, till_id: str, counter: int) -> None:
    """Store the highest counter that was seen of a till's requests."""
    connection.execute(_COUNT, (counter, till_id, counter))


def quarantine(connection: sqlite3.Connection, till_id: str, reason: str, now_ms: int) -> None:
    """Refuse a till's requests from now on; one that is refused already stays so for its first reason."""
    connection.execute(_QUARANTINE, (now_ms, reason, till_id))


def release(connection: sqlite3.Connection, till_id: str) -> None:
    """End a till's quarantine."""
    connection.execute(_RELEASE, (till_id,))


def store(connection: sqlite3.Connection, store_id: str) -> StoreRow | None:
    row = connection.execute(_STORE, (store_id,)).fetchone()
    return None if row is None else _store_row(row)


def place(connection: sqlite3.Connection, store_id: str) -> Place:
    """Where a store's tills stand, for rules that ask."""
    row = store(connection, store_id)
    return Place(store=store_id) if row is None else Place(store=row.store, region=row.region, groups=row.groups)


def place_of_till(connection: sqlite3.Connection, till_id: str) -> Place:
    """Where a till stands."""
    row = connection.execute(_PLACE_OF_TILL, (till_id,)).fetchone()
    return Place() if row is None else Place(store=row[0], region=row[1], groups=_groups.decode(row[2]))


def all_stores(connection: sqlite3.Connection) -> list[StoreRow]:
    return [_store_row(row) for row in connection.execute(_STORES)]


def _store_row(row: tuple[str, str, str, str, str]) -> StoreRow:
    store_id, name, time_zone, region, groups = row
    return StoreRow(store_id, name, time_zone, region, _groups.decode(groups))


def put_store(connection: sqlite3.Connection, row: StoreRow, now_ms: int) -> None:
    """Add a store, or change all that is known of it."""
    groups = msgspec.json.encode(row.groups).decode()
    connection.execute(_PUT_STORE, (row.store, row.name, row.time_zone, row.region, groups, now_ms))


def code(connection: sqlite3.Connection, till_id: str) -> CodeRow | None:
    row = connection.execute(_CODE, (till_id,)).fetchone()
    return None if row is None else CodeRow(*row)


def set_code(connection: sqlite3.Connection, till_id: str, code_sha256: str, now_ms: int, expires_at_ms: int) -> None:
    """Replace a till's code."""
    connection.execute(_SET_CODE, (till_id, code_sha256, now_ms, expires_at_ms))


def count_try(connection: sqlite3.Connection, till_id: str) -> None:
    connection.execute(_COUNT_TRY, (till_id,))


def use_code(connection: sqlite3.Connection, till_id: str, salt: str, now_ms: int) -> None:
    connection.execute(_USE_CODE, (now_ms, salt, till_id))
