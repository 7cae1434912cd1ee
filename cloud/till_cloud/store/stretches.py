"""Stretches of members by id, of which digests are made."""

import sqlite3

END_OF_MEMBERS = "\U0010ffff"
"""Stands for "" as the last id: after every id."""

_IDS = "SELECT member_id FROM members WHERE member_id > ? AND member_id <= ? ORDER BY member_id LIMIT ?"


def ids_after(connection: sqlite3.Connection, after: str, limit: int, last: str = "") -> tuple[list[str], str]:
    """Up to `limit` ids in (`after`, `last`], and up to which id these are all: `last` when there are no more."""
    found = connection.execute(_IDS, (after, last or END_OF_MEMBERS, limit)).fetchall()
    ids = [str(row[0]) for row in found]
    return ids, ids[-1] if len(ids) == limit else last
