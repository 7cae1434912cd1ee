"""What a damaged journal tells that no chain proves: what the cloud said to its rows, and which rows were about a sale.

A verdict decides nothing here: it is shown, and lets go of its row in time. The other is asked only of rows that are
gone: a wrong answer sends a cashier to the cloud, who would have done without.
"""

import sqlite3
from typing import Any, get_args

from till_agent.journal import schema
from till_agent.journal.wreck import Wreck
from till_sync.wire import Status

Verdict = tuple[Any, ...]
"""As `schema.RECORD_VERDICT` takes it: the row's id, then the verdict."""

_VERDICTS = (
    "SELECT id, status, code, member_id, tag, balance, held, effect_points, position FROM verdicts "
    "WHERE id BETWEEN ? AND ?"
)
_ABOUT = "SELECT id, about_uid FROM entries INDEXED BY entries_by_about WHERE about_uid <> ''"
_TYPES = (int, str, str, str, str, int, int, int, int)


def read_verdicts(wreck: Wreck, epoch: int, first: int, last: int) -> list[Verdict]:
    """Those of an epoch's rows from `first` to `last`, as far as they can be read."""
    found: dict[int, Verdict] = {}
    bounds = (schema.row_id(epoch, first), schema.row_id(epoch, last))

    def read(view: sqlite3.Connection) -> bool:
        for columns in view.execute(_VERDICTS, bounds):
            if tuple(map(type, columns)) == _TYPES and columns[1] in get_args(Status):
                found.setdefault(columns[0], columns)
        return True

    wreck.look(read)
    return list(found.values())


def read_about(wreck: Wreck) -> dict[int, set[str]]:
    """By row id, the uids of the sales that voids and returns are about; the rows themselves may be gone."""
    found: dict[int, set[str]] = {}

    def read(view: sqlite3.Connection) -> bool:
        for identity, uid in view.execute(_ABOUT):
            found.setdefault(int(identity), set()).add(str(uid))
        return False  # what stood in the log behind a bad page, another view has

    wreck.look(read)
    return found
