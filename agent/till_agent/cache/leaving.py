"""Members who left this store's window: dropped, or kept while ops of this till speak of them that the cloud lacks.

Who is kept stands in a table of its own, and counts for no digest. A former release knows nothing of the table; the
cloud has it pull everything anew. Within a page's transaction.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any

from till_agent.cache import schema
from till_agent.cache.rows import UNREADABLE, Noted, tags_of

CREATE = "CREATE TABLE IF NOT EXISTS leaving (member_id TEXT PRIMARY KEY) STRICT, WITHOUT ROWID"
_ADD = "INSERT OR IGNORE INTO leaving (member_id) VALUES (?)"
_ALL = "SELECT member_id FROM leaving"
_ANY = "SELECT 1 FROM leaving LIMIT 1"
_KEPT = "SELECT 1 FROM leaving WHERE member_id = ?"
_STAYS = "DELETE FROM leaving WHERE member_id = ?"
_AS_OF_SNAPSHOT = (
    "UPDATE balances SET included_epoch = ?, included_seq = ? WHERE member_id = ? AND included_epoch < 0",
    "UPDATE balances SET facts_epoch = ?, facts_seq = ? WHERE member_id = ? AND facts_epoch < 0",
)
_GRANTED = "SELECT member_id FROM grants WHERE member_id = ?"
_MEMBER = "SELECT member_id, generation, data FROM members WHERE member_id = ?"
_BALANCE = "SELECT * FROM balances WHERE member_id = ?"


def is_any(connection: sqlite3.Connection) -> bool:
    """Whether somebody is kept who has left."""
    return connection.execute(_ANY).fetchone() is not None


def is_kept(connection: sqlite3.Connection, member_id: str) -> bool:
    """Whether they have left, and are kept."""
    return connection.execute(_KEPT, (member_id,)).fetchone() is not None


def leave(
    connection: sqlite3.Connection, member_ids: Iterable[str], waiting: frozenset[str], base: tuple[int, int] | None
) -> int:
    """Let members go who left, but for those whom waiting ops speak of; how many went.

    `base`: what rows of a snapshot include, which is no more than that for who stays; None while that is not known.
    """
    gone = 0
    for member_id in member_ids:
        stored = connection.execute(schema.STORED, (member_id,)).fetchone()
        if stored is None:
            connection.execute(_STAYS, (member_id,))
        elif is_needed(connection, member_id, stored[1], waiting):
            _keep(connection, member_id, base)
        else:
            drop(connection, member_id, stored[1])
            gone += 1
    return gone


def keep(connection: sqlite3.Connection, member_id: str, waiting: frozenset[str], base: tuple[int, int]) -> bool:
    """Keep a member whom no page brought, if a waiting op speaks of them; whether they stay. `base`: as in `leave`."""
    stored = connection.execute(schema.STORED, (member_id,)).fetchone()
    if stored is None or not is_needed(connection, member_id, stored[1], waiting):
        return False
    _keep(connection, member_id, base)
    return True


def _keep(connection: sqlite3.Connection, member_id: str, base: tuple[int, int] | None) -> None:
    """With what their row includes written down: no later page says it of them."""
    connection.execute(_ADD, (member_id,))
    if base is None:
        return
    for statement in _AS_OF_SNAPSHOT:
        connection.execute(statement, (*base, member_id))


def settle(connection: sqlite3.Connection, waiting: frozenset[str]) -> int:
    """Let those go of whom the cloud has everything by now; how many went."""
    return leave(connection, [row[0] for row in connection.execute(_ALL).fetchall()], waiting, (0, 0))


def stay(connection: sqlite3.Connection, member_ids: Iterable[str]) -> None:
    """They are seen here again."""
    connection.executemany(_STAYS, [(member_id,) for member_id in member_ids])


def is_needed(connection: sqlite3.Connection, member_id: str, data: bytes, waiting: frozenset[str]) -> bool:
    """Whether an op that the cloud lacks speaks of the member, or this till was lent points of theirs."""
    if member_id in waiting or connection.execute(_GRANTED, (member_id,)).fetchone() is not None:
        return True
    return any(tag in waiting for tag in _tags(data))


def drop(connection: sqlite3.Connection, member_id: str, data: bytes) -> None:
    """Forget a member."""
    connection.executemany(schema.DROP_TAG, [(tag, member_id) for tag in _tags(data)])
    connection.execute(schema.DROP_MEMBER, (member_id,))
    connection.execute(schema.DROP_BALANCE, (member_id,))
    connection.execute(_STAYS, (member_id,))


def carry_over(
    source: sqlite3.Connection,
    target: sqlite3.Connection,
    base: tuple[int, int],
    waiting: frozenset[str],
    removed: set[str],
) -> int:
    """Take those whom waiting ops speak of into a new cache that did not bring them, but for `removed`; how many it has
    more by that.

    Who left since the snapshot is taken so too: own operations may have moved their balance meanwhile, and no page says
    to what. `base`: what rows of a snapshot include in the former cache.
    """
    more = 0
    for member_id in sorted({found for key in waiting if (found := _owner(source, key))} - removed):
        member = source.execute(_MEMBER, (member_id,)).fetchone()
        balance = source.execute(_BALANCE, (member_id,)).fetchone()
        stored = target.execute(schema.STORED, (member_id,)).fetchone()
        if member is None or balance is None or (stored is not None and not is_kept(target, member_id)):
            continue
        if stored is not None:
            drop(target, member_id, stored[1])
        _take_in(target, member, balance, base)
        more += stored is None
    return more


def bring_back(connection: sqlite3.Connection, noted: Noted, generation: int) -> None:
    """Take somebody in again as they were when they were looked up."""
    columns, base = noted
    member_id, data, *balance = columns
    _take_in(connection, (member_id, generation, data), (member_id, *balance), base)


def _take_in(
    connection: sqlite3.Connection, member: tuple[str, int, bytes], balance: Sequence[Any], base: tuple[int, int]
) -> None:
    """One who is kept: a row of each table, with those tags that lead to nobody else."""
    member_id, _generation, data = member
    columns = list(balance)
    for at in (INCLUDED_EPOCH, FACTS_EPOCH):
        if columns[at] < 0:
            columns[at], columns[at + 1] = base
    connection.execute(schema.PUT_MEMBER, member)
    connection.execute(schema.PUT_BALANCE_ANYWAY, columns)
    for tag in _tags(data):
        if connection.execute(schema.OWNER, (tag,)).fetchone() is None:
            connection.execute(schema.PUT_TAG, (tag, member_id))
    connection.execute(_ADD, (member_id,))


INCLUDED_EPOCH, FACTS_EPOCH = 6, 11
"""Columns of `balances`, each followed by its sequence."""


def _owner(connection: sqlite3.Connection, key: str) -> str:
    row = connection.execute(schema.OWNER, (key,)).fetchone()
    return key if row is None else str(row[0])


def _tags(data: bytes) -> tuple[str, ...]:
    try:
        return tags_of(data)
    except UNREADABLE:
        return ()
