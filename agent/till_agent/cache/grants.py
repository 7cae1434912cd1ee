"""This till's grants in the cache: what pages bring of them, and how they are looked up.

Own ops after the page that brought a row are not in its `points`: whoever asks takes them off (`desk.lending`).
"""

import sqlite3
from collections.abc import Iterable

from till_agent.cache import schema
from till_agent.ports import CachedGrant
from till_sync.wire import GrantRow

GrantColumns = tuple[str, int, int, int, int, int, int]
"""member_id, points, epoch, recall, until_ms, included_epoch, included_seq"""


def write_grants(
    connection: sqlite3.Connection, rows: Iterable[GrantRow], included: tuple[int, int], generation: int
) -> None:
    """Keep what a page says; a grant of no points is gone. In the page's transaction."""
    for row in rows:
        if row.points:
            values = (row.member_id, row.points, row.epoch, row.recall, row.until_ms, *included, generation)
            connection.execute(schema.PUT_GRANT, values)
        else:
            connection.execute(schema.DROP_GRANT, (row.member_id,))


def drop_grants(connection: sqlite3.Connection, before_generation: int) -> None:
    """Forget what no page brought since a pull began anew: the cloud grants it no more."""
    connection.execute(schema.STALE_GRANTS, (before_generation,))


def drop_all(connection: sqlite3.Connection) -> None:
    """Another incarnation of the cloud may never have granted any of it."""
    connection.execute(schema.NO_GRANTS)


def totals(connection: sqlite3.Connection) -> dict[int, tuple[int, int]]:
    """How many grants there are and of how many points, by epoch of the till."""
    return {epoch: (count, points) for epoch, count, points in connection.execute(schema.GRANT_TOTALS)}


def as_grant(columns: GrantColumns) -> CachedGrant:
    """A look-up's row as the sale desk sees it."""
    member_id, points, epoch, recall, until_ms, included_epoch, included_seq = columns
    return CachedGrant(
        member_id=member_id,
        points=points,
        epoch=epoch,
        recall=recall,
        until_ms=until_ms,
        included=(included_epoch, included_seq),
    )
