"""What a store's tills hold of the members: those seen there lately, and how they come and go.

Seen is who an operation of a till of the store concerns, whom a till asked for, and whose points or coupons a till was
lent. Until the cloud has looked at the base for the first time, and while most members were imported for no store in
particular, tills hold the whole base. Decision: docs/decisions/0040.
"""

import sqlite3

from till_cloud.exceptions import AdminError
from till_cloud.ledger.book import Book
from till_cloud.store import members, meta, stretches, tills
from till_cloud.store import windows as rows
from till_cloud.store.jobs import set_done
from till_cloud.store.windows import DAY_MS, LEAST_DAYS, MOST_DAYS, WHOLE_BASE
from till_sync.wire import LeftRow, MemberRow

JOB = "windows"

SEEN_STEP_MS = DAY_MS // 4
"""A member who is seen again within it is not written anew: a customer's receipts of one day cost one write or two."""

EVERYWHERE = rows.EVERYWHERE

WHOLE = ""
"""The scope of a till that holds the whole base; any other is a store's id."""


def scope_of(connection: sqlite3.Connection, store: str, *, asked: bool) -> str:
    """Whose members a till of that store is to hold; `asked`: it said that it can do with its store's."""
    if not asked or meta.told(connection, rows.JUDGED) != "on" or rows.days_of(connection, store) == WHOLE_BASE:
        return WHOLE
    return store


def see(book: Book, store: str, member_id: str, *, changed_after: int | None = None) -> None:
    """A member is in that store now.

    `changed_after`: if the member's account has changed since that position, the change brings them to the tills.
    """
    inside, at_ms = rows.seen_at(book.connection, store, member_id)
    if inside:
        if at_ms <= book.now_ms - SEEN_STEP_MS:
            rows.again(book.connection, store, member_id, book.now_ms)
        return
    account = book.account(member_id)
    if account is None:
        return
    changed = changed_after is not None and account.position > changed_after
    rows.put(book.connection, store, member_id, book.now_ms, account.position if changed else book.next_position())


def see_at_till(book: Book, till: str, member_id: str, *, changed_after: int | None = None) -> None:
    """The same of a till's store."""
    row = tills.till(book.connection, till)
    if row is not None:
        see(book, row.store, member_id, changed_after=changed_after)


def see_many(book: Book, store: str, placed: list[tuple[str, int]]) -> None:
    """Members who were just written, with the positions of that."""
    rows.put_many(book.connection, store, placed, book.now_ms)


def join(book: Book, old: str, into: str) -> None:
    """Where a merged member was seen, the one kept was."""
    for store, at_ms in rows.stores_of(book.connection, old):
        if rows.seen_at(book.connection, store, into)[0]:
            rows.again(book.connection, store, into, at_ms)
        else:
            rows.put(book.connection, store, into, at_ms, book.next_position())


def page(
    connection: sqlite3.Connection, store: str, after: int, newest: int, limit: int, keys: tuple[str, ...]
) -> tuple[list[tuple[int, MemberRow | LeftRow]], int]:
    """Up to `limit` rows of a store's window after a position, in order, and the position reached.

    It looks at so many changes at most: with few members of the store among them a page is short, or has no row.
    """
    last = rows.bound(connection, after, newest)
    changed = rows.changed(connection, store, after, last, limit)
    moved = rows.moved(connection, store, after, last, limit)
    for found in (changed, moved):
        if len(found) == limit:
            last = min(last, found[-1][0])
    happened = sorted([(position, member_id, True) for position, member_id in changed] + moved)
    happened = [each for each in happened if each[0] <= last]
    if len(happened) > limit:
        last = happened[limit - 1][0]
        happened = [each for each in happened if each[0] <= last]
    inside = {member_id: position for position, member_id, is_inside in happened if is_inside}
    erased = members.removed(connection, [member_id for _, member_id, is_inside in happened if not is_inside])
    found_rows = {row.member_id: row for row in members.of_ids(connection, [*inside, *erased], keys)}
    placed: list[tuple[int, MemberRow | LeftRow]] = []
    for position, member_id, is_inside in happened:
        if is_inside:
            if inside[member_id] == position and member_id in found_rows:
                placed.append((position, found_rows.pop(member_id)))
        elif member_id in erased:  # a till that keeps who left for its ops forgets them too
            placed.append((position, found_rows[member_id]))
        elif after:  # who went before a cache began is nothing to it
            placed.append((position, LeftRow(member_id=member_id, position=position)))
    return placed, last


def ids_after(
    connection: sqlite3.Connection, store: str, after: str, limit: int, last: str = ""
) -> tuple[list[str], str]:
    """As `stretches.ids_after`, of what a till of this scope holds."""
    if store == WHOLE:
        return stretches.ids_after(connection, after, limit, last)
    return rows.ids_after(connection, store, after, limit, last, stretches.END_OF_MEMBERS)


def choose(connection: sqlite3.Connection, store: str, days: int | None, now_ms: int) -> None:
    """Set how long a store's tills remember, or the chain's (""); None: no setting. AdminError. The next job, within a
    minute, lets in and out whom that concerns.
    """
    if store and tills.store(connection, store) is None:
        raise AdminError(f"expected a store that was added, not {store!r}: `cloud store list` names them")
    if days is not None and days != WHOLE_BASE and not LEAST_DAYS <= days <= MOST_DAYS:
        raise AdminError(f"expected {LEAST_DAYS} to {MOST_DAYS} days, not {days}")
    rows.set_days(connection, store, days)
    set_done(connection, JOB, "", now_ms)
