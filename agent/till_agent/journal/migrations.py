"""Numbered steps from one schema to the next, forward only; `PRAGMA user_version` says where a file stands.

A step gets a `sqlite3.Connection` inside a transaction. One that reshapes a table imports sqlite-utils for it
(`sqlite_utils.Database(connection)["t"].transform(...)`); creating a new file does not, because the import costs 0.3 s
and up to 30 MB, half of what the daemon may take to be ready.
"""

import sqlite3
from collections.abc import Callable, Sequence

from till_agent.journal.schema import APPLICATION_ID, CREATE_V1

Step = Callable[[sqlite3.Connection], None]


def version_of(connection: sqlite3.Connection) -> int:
    """The schema version of an open file; 0 for one that no step has touched."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def migrate(connection: sqlite3.Connection, steps: Sequence[Step], first: Step | None = None) -> int:
    """Apply the steps that the file lacks, step N making version N, each in a transaction with its number.

    `first` runs inside the transaction of step 1, so that a new file is either empty or complete. Gives the version
    before. The connection is in autocommit mode (`isolation_level=None`). sqlite3.Error leaves the file at the last
    complete step.
    """
    before = version_of(connection)
    for number, step in enumerate(steps, start=1):
        if number <= before:
            continue
        connection.execute("BEGIN IMMEDIATE")
        try:
            step(connection)
            if number == 1 and first is not None:
                first(connection)
            # A pragma takes no parameters; the number is our own.
            connection.execute(f"PRAGMA user_version = {number:d}")
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
    return before


def _create(connection: sqlite3.Connection) -> None:
    for statement in CREATE_V1:
        connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID:d}")


STEPS: tuple[Step, ...] = (_create,)
