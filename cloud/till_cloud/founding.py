"""What a database is given on its first day, in one transaction; what is there already keeps what it has."""

import sqlite3

from till_cloud.exceptions import StoreFormatError
from till_cloud.store import meta, slow_tags


def found(connection: sqlite3.Connection, *, phone_cost: int = 0) -> bool:
    """Give a new database its incarnation and keys, and slow tags of phones at that cost (0: none); True if it was new.

    Within the caller's transaction: a kill leaves no chain that was to have slow tags and has none. A database of a
    former release gets the keys that it lacks, and no slow tags: that is for `cloud privacy slow-phones` to say, once
    all tills know them.
    """
    is_new = not meta.is_founded(connection)
    meta.initialise(connection)
    if is_new and phone_cost:
        slow_tags.begin(connection, phone_cost)
    return is_new


def keep(connection: sqlite3.Connection) -> None:
    """Give a chain of a former release the keys that it lacks. Within the caller's transaction.

    StoreFormatError for a database that was not founded, as a `cloud init` that was killed leaves it: only that command
    knows what its chain is to begin with, and a chain that was founded in passing would have no slow tags.
    """
    if not meta.is_founded(connection):
        raise StoreFormatError(
            "expected a chain's database, not one that was begun only: `tillside cloud init` makes it to the end"
        )
    meta.initialise(connection)
