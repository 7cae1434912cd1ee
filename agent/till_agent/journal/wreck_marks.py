"""The marks of a damaged journal: which documents it had let go of for their age. Read around bad pages, like its rows.

No chain proves a mark. One that was changed keeps a document from being sold that has one chance in 10**12 to come; one
that is missing would let a document be sold again as if it were new.
"""

import sqlite3
from collections.abc import Callable

from till_agent.journal import schema

LARGEST_MARK = 2**63 - 1
PARTS = 256
"""Read one by one: marks are spread evenly, so that 2 million of them are 8,000 at once in memory."""
HALVINGS = 8
"""Of a part that can't be read: what is lost with a bad page is then little more than the page."""
_MARKS = "SELECT mark FROM pruned WHERE mark BETWEEN ? AND ?"

Taker = Callable[[list[tuple[int]]], None]


def read_marks(
    view: sqlite3.Connection, take: Taker, unreadable: tuple[type[Exception], ...], end: Callable[[], None]
) -> bool:
    """Give all marks that this view can read to `take`; whether that was all of them.

    `unreadable`: what reading a bad page raises; `end` is called then and raises when there is no time left.
    """
    try:
        if view.execute(schema.HAS_PRUNED).fetchone() is None:
            return True
    except unreadable:
        end()
        return False
    step = (LARGEST_MARK + 1) // PARTS
    whole = True
    for begin in range(0, LARGEST_MARK, step):
        whole &= _read(view, begin, begin + step - 1, HALVINGS, take, unreadable, end)
    return whole


def _read(
    view: sqlite3.Connection,
    low: int,
    high: int,
    halvings: int,
    take: Taker,
    unreadable: tuple[type[Exception], ...],
    end: Callable[[], None],
) -> bool:
    try:
        found = view.execute(_MARKS, (low, high)).fetchall()
    except unreadable:
        end()
        if not halvings:
            return False
        middle = (low + high) // 2
        lower = _read(view, low, middle, halvings - 1, take, unreadable, end)
        return _read(view, middle + 1, high, halvings - 1, take, unreadable, end) and lower
    if found:
        take(found)
    return True
