"""Compares stretches of the cache with the cloud's digests, and mends those that have come apart. Within a page's
transaction.
"""

import logging
import sqlite3
from collections.abc import Iterator

import msgspec

from till_agent.cache import leaving, pages, schema, search_index
from till_agent.cache.pages import Progress, save_progress
from till_agent.cache.rows import as_member, tags_of
from till_agent.cache.turns import in_turns
from till_sync import digests
from till_sync.snapshot_rows import balance_columns, pack
from till_sync.wire import ChangesAnswer, MemberRow, StretchDigest

_log = logging.getLogger(__name__)


def compare(connection: sqlite3.Connection, progress: Progress, page: ChangesAnswer) -> tuple[Progress, bool]:
    """The progress after the page's digest was compared, and whether the cache agrees with it.

    A stretch with a verdict that is newer than the page is not compared now; its turn comes again.
    """
    stretch = page.stretch
    if stretch is None or page.more or progress.filling or stretch.after != progress.checked_to:
        return progress, True
    included = (page.epoch, page.acked_seq)
    rows = []
    for part in in_turns(connection.execute(schema.STRETCH, _limits(stretch)).fetchall()):
        for columns in part:
            member = as_member(columns, progress.base)
            if member.included > included:
                return progress, True
            rows.append(member.row)
    keys = digests.open_keys(page.server_time_ms)
    found = digests.digest_of(_as_found(connection, rows), keys, after=stretch.after, last=stretch.last)
    agrees = (found.count, found.digest) == (stretch.count, stretch.digest)
    if agrees:
        after = msgspec.structs.replace(progress, checked_to=stretch.last)
    else:
        _log.error(
            "members after %r to %r have come apart from the cloud (%d here, %d there) and are read anew",
            stretch.after,
            stretch.last,
            found.count,
            stretch.count,
        )
        after = msgspec.structs.replace(progress, divergences=progress.divergences + 1)
    save_progress(connection, after)
    return after, agrees


def mend(
    connection: sqlite3.Connection, page: ChangesAnswer, stretch: StretchDigest, waiting: frozenset[str]
) -> Progress:
    """Put the members of a stretch in place of what the cache has there, but for those whom waiting ops speak of. Who
    was erased goes nevertheless."""
    progress = pages.load_progress(connection)
    included = (page.epoch, page.acked_seq)
    rows = {row.member_id: row for row in page.rows if isinstance(row, MemberRow) and row.status != "removed"}
    limits, dropped, erased = _limits(stretch), [], pages.removed_by(page)
    for member_id, data in connection.execute(schema.STRETCH_IDS, limits).fetchall():
        if (
            member_id not in rows
            and member_id not in erased
            and leaving.keep(connection, member_id, waiting, progress.base)
        ):
            continue
        connection.executemany(schema.DROP_TAG, [(tag, member_id) for tag in _tags(data)])
        if member_id not in rows:
            dropped.append(member_id)
            connection.execute(schema.DROP_MEMBER, (member_id,))
            connection.execute(schema.DROP_BALANCE, (member_id,))
    leaving.stay(connection, rows)
    connection.execute(schema.DROP_BALANCES_OF_NOBODY, limits)
    connection.executemany(
        schema.PUT_MEMBER, [(row.member_id, progress.generation, pack(row)) for row in rows.values()]
    )
    pages.claim_tags(connection, [(tag, row.member_id) for row in rows.values() for tag in row.tags], set(rows))
    connection.executemany(
        schema.PUT_BALANCE_ANYWAY,
        [(row.member_id, *balance_columns(row, included, page.server_time_ms)) for row in rows.values()],
    )
    members = connection.execute("SELECT count(*) FROM members").fetchone()[0]
    after = msgspec.structs.replace(progress, members=members, checked_to=stretch.last)
    save_progress(connection, after)
    search_index.note(connection, progress.cursor, progress.cursor, rows)
    search_index.forget(connection, dropped)
    _log.warning("members after %r to %r are as the cloud has them again", stretch.after, stretch.last)
    return after


def _as_found(connection: sqlite3.Connection, rows: list[MemberRow]) -> Iterator[MemberRow]:
    """The rows with those tags alone that lead to them: a card that nobody is found by is a difference too."""
    for part in in_turns(rows):
        for row in part:
            found = [(tag, connection.execute(schema.OWNER, (tag,)).fetchone()) for tag in row.tags]
            leading = [tag for tag, owner in found if owner == (row.member_id,)]
            yield row if len(leading) == len(row.tags) else msgspec.structs.replace(row, tags=tuple(leading))


def _limits(stretch: StretchDigest) -> tuple[str, str]:
    return stretch.after, stretch.last or schema.END_OF_MEMBERS


def _tags(data: bytes) -> tuple[str, ...]:
    try:
        return tags_of(data)
    except (msgspec.DecodeError, ValueError):
        return ()
