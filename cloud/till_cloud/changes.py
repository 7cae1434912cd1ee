"""The changes feed: current states in the order of their last change, read in one transaction.

A cursor is opaque to tills: this database's incarnation and the position that the page reached.
"""

import base64
import binascii
import sqlite3
from collections.abc import Sequence

from msgspec import structs

from till_cloud import budgets, windows
from till_cloud.exceptions import CursorError
from till_cloud.facts import open_keys
from till_cloud.registry import Registry
from till_cloud.store import grants, members, meta, ops, programmes, slow_tags, tills
from till_cloud.store.windows import days_of
from till_cloud.waves.choosing import programme_key
from till_sync import digests
from till_sync.ops import NEWEST_PROTOCOL
from till_sync.packing import ZSTD
from till_sync.wire import ChangeRow, ChangesAnswer, EpochEnd, HelloAnswer, Limits, ProgrammeRow, StretchDigest

PAGE_LIMIT = 10_000
"""Rows of the largest page: about 3 MB of JSON and under a second of reading."""

DEFAULT_PAGE = 1_000

FORMER_EPOCHS = 8
"""Told in hello. A till begins one where its journal is not as it was left; what waits is of the newest ones."""

CURSOR_TEXT_LIMIT = 200
"""Ours take under 60 characters; nothing longer is decoded."""

LARGEST_POSITION = 2**63 - 1


def encode_cursor(incarnation: str, position: int) -> str:
    return _encoded(f"{incarnation}:{position}")


def _encoded(plain: str) -> str:
    return base64.urlsafe_b64encode(plain.encode()).decode().rstrip("=")


def decode_cursor(text: str, *, incarnation: str, newest: int) -> int:
    """The position of a cursor; 0 for "". CursorError: `stale` when another incarnation made it."""
    return decode_places(text, incarnation=incarnation, newest=newest, scope=None)[0]


def encode_places(incarnation: str, position: int, own: int, scope: str = windows.WHOLE) -> str:
    """The cursor of a till that has everybody's rows up to `position`, and what is its own alone up to `own`.

    `scope`: of the members, it has only those of that store.
    """
    if scope != windows.WHOLE:
        return _encoded(f"{incarnation}:{position}:{own}:{scope}")
    if own == position:
        return encode_cursor(incarnation, position)
    return _encoded(f"{incarnation}:{position}:{own}")


def decode_places(text: str, *, incarnation: str, newest: int, scope: str | None = windows.WHOLE) -> tuple[int, int]:
    """The positions of `encode_places`; the same twice of a usual cursor. `stale` of another scope; None: of any."""
    if not text:
        return 0, 0
    if len(text) > CURSOR_TEXT_LIMIT:
        raise CursorError(f"expected a cursor of at most {CURSOR_TEXT_LIMIT} characters, not {len(text)}", stale=False)
    try:
        plain = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True).decode("ascii")
    except (binascii.Error, UnicodeError, ValueError):
        raise CursorError("expected a cursor that this cloud made, not this text", stale=False) from None
    name, separator, rest = plain.partition(":")
    digits, _, rest = rest.partition(":")
    own, _, of_scope = rest.partition(":")
    own = own or digits
    longest = max(len(digits), len(own))
    if not (separator and digits.isdigit() and own.isdigit()) or longest > len(str(LARGEST_POSITION)):
        raise CursorError("expected a cursor that this cloud made, not this text", stale=False)
    if name != incarnation or int(digits) > newest or int(own) > int(digits):
        raise CursorError("the cursor belongs to another life of this database: start again without one", stale=True)
    if scope is not None and of_scope != scope:
        raise CursorError("the till is to hold other members than those before: start again without one", stale=True)
    return int(digits), int(own)


def page(
    connection: sqlite3.Connection,
    registry: Registry,
    till: tills.TillRow,
    *,
    since: str,
    limit: int,
    now_ms: int,
    with_grants: bool = False,
    windowed: bool = False,
    check: str | None = None,
) -> ChangesAnswer:
    """Up to `limit` rows after `since`. Call it within one read transaction; `till` may be older than that.

    `with_grants`: the till knows rows of grants, which a former one can't read. `windowed`: it can do with the members
    of its store, and reads who has left. `check`: with the last page, the digest of some members after that id.
    """
    incarnation = meta.incarnation(connection)
    newest = meta.position(connection)
    current = tills.till(connection, till.till) or till
    scope = windows.scope_of(connection, current.store, asked=windowed)
    after, own = decode_places(since, incarnation=incarnation, newest=newest, scope=scope)
    rows: list[ChangeRow] = []
    if not since:
        # A new cache can sell as soon as it has the programme, however many members are still to come.
        rows += _selling(connection, till.till)
    room = max(limit - len(rows), 1)
    found, reached = _members(connection, scope, after, newest, room, now_ms)
    versions = programmes.page(connection, after, reached, room)
    if len(versions) == room:
        reached = min(reached, versions[-1][0])
    lent = grants.page(connection, till.till, after, reached, room) if with_grants else []
    if len(lent) == room:
        reached = min(reached, lent[-1].position)
    rows += _as_of_till(connection, till.till, [version for position, version in versions if position <= reached])
    rows += [row for position, row in found if position <= reached]
    rows += lent
    if own < after:
        # The till has a snapshot, which is everybody's: its own comes first.
        ahead = [] if own else _selling(connection, till.till)
        theirs, own = _own_rows(connection, till.till, own, after, limit)
        theirs = [*ahead, *theirs]
        rows = [*theirs, *rows] if own == after else theirs
        reached = reached if own == after else after
    own = reached if own >= after else own
    wanted = None if min(reached, own) < newest else check
    selling_by = registry.of_till(connection, till.till)
    tags = slow_tags.phone_tags(connection)
    return ChangesAnswer(
        incarnation=incarnation,
        rows=tuple(rows),
        next=encode_places(incarnation, reached, own, scope),
        more=min(reached, own) < newest,
        epoch=current.epoch,
        acked_seq=current.acked_seq,
        server_time_ms=now_ms,
        shares={} if selling_by is None else budgets.shares(connection, till.till, selling_by.programme),
        place=tills.place(connection, current.store),
        phone_cost=tags.cost,
        phone_slow_only=tags.only,
        stretch=None if wanted is None else stretch_digest(connection, wanted, now_ms, scope),
        window_days=0 if scope == windows.WHOLE else days_of(connection, scope),
    )


def _members(
    connection: sqlite3.Connection, scope: str, after: int, newest: int, room: int, now_ms: int
) -> tuple[Sequence[tuple[int, ChangeRow]], int]:
    """Members' rows with their positions, and the position reached."""
    keys = open_keys(now_ms)
    if scope != windows.WHOLE:
        return windows.page(connection, scope, after, newest, room, keys)
    found = members.page(connection, after, room, keys)
    return [(row.position, row) for row in found], found[-1].position if len(found) == room else newest


def _selling(connection: sqlite3.Connection, till: str) -> list[ProgrammeRow]:
    """The version that a till is to sell by, active for it; nothing where there is none."""
    key = programme_key(connection, till)
    found = None if key is None else programmes.version(connection, *key)
    return [] if found is None else [structs.replace(found, active=True)]


def _as_of_till(connection: sqlite3.Connection, till: str, rows: list[ProgrammeRow]) -> list[ProgrammeRow]:
    """Versions as a till is to see them: the one that a wave brought it is active, and no other."""
    if not rows:
        return rows
    key = programme_key(connection, till)
    return [structs.replace(row, active=(row.programme_id, row.version) == key) for row in rows]


def _own_rows(
    connection: sqlite3.Connection, till: str, own: int, after: int, limit: int
) -> tuple[list[ChangeRow], int]:
    """Grants of a till up to position `after`, and the place reached."""
    room = max(limit, 1)
    lent = grants.page(connection, till, own, after, room)
    return [*lent], lent[-1].position if len(lent) == room else after


def stretch_digest(
    connection: sqlite3.Connection, after: str, now_ms: int, scope: str = windows.WHOLE
) -> StretchDigest:
    """The digest of the next members after an id, of those that a till of that scope is to hold."""
    ids, last = windows.ids_after(connection, scope, after, digests.STRETCH_MEMBERS)
    keys = open_keys(now_ms)
    return digests.digest_of(members.of_ids(connection, ids, keys), keys, after=after, last=last)


def stretch(
    connection: sqlite3.Connection,
    till: tills.TillRow,
    *,
    since: str,
    after: str,
    last: str,
    now_ms: int,
    windowed: bool = False,
) -> ChangesAnswer:
    """All members of a stretch as they are now, for a till that has come apart there; at most a page of them.

    It is no page of the feed: `next` is the cursor that the till has. CursorError as of `page`.
    """
    incarnation = meta.incarnation(connection)
    current = tills.till(connection, till.till) or till
    scope = windows.scope_of(connection, current.store, asked=windowed)
    decode_places(since, incarnation=incarnation, newest=meta.position(connection), scope=scope)
    ids, reached = windows.ids_after(connection, scope, after, PAGE_LIMIT, last)
    keys = open_keys(now_ms)
    rows = members.of_ids(connection, ids, keys)
    tags = slow_tags.phone_tags(connection)
    return ChangesAnswer(
        incarnation=incarnation,
        rows=tuple(rows),
        next=since,
        more=False,
        epoch=current.epoch,
        acked_seq=current.acked_seq,
        server_time_ms=now_ms,
        place=tills.place(connection, current.store),
        phone_cost=tags.cost,
        phone_slow_only=tags.only,
        stretch=digests.digest_of(rows, keys, after=after, last=reached),
        window_days=0 if scope == windows.WHOLE else days_of(connection, scope),
    )


def hello(connection: sqlite3.Connection, till: tills.TillRow, *, limits: Limits, now_ms: int) -> HelloAnswer:
    """What the cloud holds of a till, read in one transaction."""
    current = tills.till(connection, till.till) or till
    tags = slow_tags.phone_tags(connection)
    former = ops.ends(connection, current.till, current.epoch, limit=FORMER_EPOCHS)
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
        former=tuple([EpochEnd(epoch=epoch, seq=seq, fingerprint=mark) for epoch, seq, mark in former]),
        cloud_key=meta.cloud_key(connection),
        wallet_keys=meta.wallet_keys(connection),
        seal_key=meta.seal_key(connection),
        phone_cost=tags.cost,
        phone_slow_only=tags.only,
    )
