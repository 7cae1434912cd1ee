"""The changes feed: current states in the order of their last change, read in one transaction.

A cursor is opaque to tills: this database's incarnation and the position that the page reached.
"""

import base64
import binascii
import sqlite3

from till_cloud import budgets
from till_cloud.exceptions import CursorError
from till_cloud.facts import open_keys
from till_cloud.registry import Registry
from till_cloud.store import grants, members, meta, programmes, tills
from till_sync.ops import NEWEST_PROTOCOL
from till_sync.packing import ZSTD
from till_sync.wire import ChangeRow, ChangesAnswer, HelloAnswer, Limits

PAGE_LIMIT = 10_000
"""Rows of the largest page: about 3 MB of JSON and under a second of reading."""

DEFAULT_PAGE = 1_000

CURSOR_TEXT_LIMIT = 200
"""Ours take under 60 characters; nothing longer is decoded."""

LARGEST_POSITION = 2**63 - 1


def encode_cursor(incarnation: str, position: int) -> str:
    return base64.urlsafe_b64encode(f"{incarnation}:{position}".encode()).decode().rstrip("=")


def decode_cursor(text: str, *, incarnation: str, newest: int) -> int:
    """The position of a cursor; 0 for "". CursorError: `stale` when another incarnation made it."""
    if not text:
        return 0
    if len(text) > CURSOR_TEXT_LIMIT:
        raise CursorError(f"expected a cursor of at most {CURSOR_TEXT_LIMIT} characters, not {len(text)}", stale=False)
    try:
        plain = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True).decode("ascii")
    except (binascii.Error, UnicodeError, ValueError):
        raise CursorError("expected a cursor that this cloud made, not this text", stale=False) from None
    name, separator, digits = plain.partition(":")
    if not separator or not digits.isdigit() or len(digits) > len(str(LARGEST_POSITION)):
        raise CursorError("expected a cursor that this cloud made, not this text", stale=False)
    if name != incarnation or int(digits) > newest:
        raise CursorError("the cursor belongs to another life of this database: start again without one", stale=True)
    return int(digits)


def page(
    connection: sqlite3.Connection,
    registry: Registry,
    till: tills.TillRow,
    *,
    since: str,
    limit: int,
    now_ms: int,
    with_grants: bool = False,
) -> ChangesAnswer:
    """Up to `limit` rows after `since`. Call it within one read transaction; `till` may be older than that.

    `with_grants`: the till knows rows of grants, which a former one can't read.
    """
    incarnation = meta.incarnation(connection)
    newest = meta.position(connection)
    after = decode_cursor(since, incarnation=incarnation, newest=newest)
    current = tills.till(connection, till.till) or till
    rows: list[ChangeRow] = []
    if not since:
        # A new cache can sell as soon as it has the programme, however many members are still to come.
        selling = programmes.active(connection)
        rows += [] if selling is None else [selling]
    room = max(limit - len(rows), 1)
    found = members.page(connection, after, room, open_keys(now_ms), holder=till.till)
    full = len(found) == room
    reached = found[-1].position if full else newest
    versions = programmes.page(connection, after, reached, room)
    if len(versions) == room:
        reached = min(reached, versions[-1][0])
    lent = grants.page(connection, till.till, after, reached, room) if with_grants else []
    if len(lent) == room:
        reached = min(reached, lent[-1].position)
    rows += [version for position, version in versions if position <= reached]
    rows += [member for member in found if member.position <= reached]
    rows += lent
    selling_by = registry.active(connection)
    return ChangesAnswer(
        incarnation=incarnation,
        rows=tuple(rows),
        next=encode_cursor(incarnation, reached),
        more=reached < newest,
        epoch=current.epoch,
        acked_seq=current.acked_seq,
        server_time_ms=now_ms,
        shares={} if selling_by is None else budgets.shares(connection, till.till, selling_by.programme),
        place=tills.place(connection, current.store),
    )


def hello(connection: sqlite3.Connection, till: tills.TillRow, *, limits: Limits, now_ms: int) -> HelloAnswer:
    """What the cloud holds of a till, read in one transaction."""
    current = tills.till(connection, till.till) or till
    return HelloAnswer(
        incarnation=meta.incarnation(connection),
        till=current.till,
        store=current.store,
        epoch=current.epoch,
        acked_seq=current.acked_seq,
        head_hash=current.head_hash,
        server_time_ms=now_ms,
        limits=limits,
        protocol=NEWEST_PROTOCOL,
        encodings=(ZSTD,),
        cloud_key=meta.cloud_key(connection),
    )
