"""Slow tags of phones, made of the fast ones that the chain has: each takes the fast one's place, and tills hear of the
member once more. Decision: docs/decisions/0040.

What is left to do is what lies under a fast tag: nothing else has to be remembered, and a stop or a kill costs a block.
Once nothing is left, tills record slow tags only; what old tills and files still bring is seen to as it comes. A phone
that both kinds of tills met as a stranger has two members by then: they are one person, and merged as decision 0012
says.
"""

import logging
import sqlite3
from collections.abc import Callable, Sequence

from msgspec import Struct

from till_cloud.ledger.account import Account, Draft
from till_cloud.ledger.book import Book
from till_cloud.merging import may_merge, merge
from till_cloud.registry import Registry
from till_cloud.store import meta, people, slow_tags
from till_cloud.store.erased import mark_of
from till_loyalty.identifiers import slow_tag

log = logging.getLogger(__name__)

BLOCK_TAGS = 20
"""Tags of one transaction: a second of making them beside the writer, and a few milliseconds in it."""


class SlowPhones(Struct, frozen=True, kw_only=True):
    """How far it is. `cost` 0: nobody has asked for it."""

    cost: int = 0
    only: bool = False
    slow: int = 0
    waiting: int = 0


def progress(connection: sqlite3.Connection) -> SlowPhones:
    """Counts all phones: half a second for a million."""
    told = slow_tags.phone_tags(connection)
    slow, waiting = slow_tags.counts(connection)
    return SlowPhones(cost=told.cost, only=told.only, slow=slow, waiting=waiting)


def is_due(connection: sqlite3.Connection) -> bool:
    """Whether there is something to make; two indexed reads."""
    told = slow_tags.phone_tags(connection)
    return bool(told.cost) and (not told.only or bool(slow_tags.waiting(connection, "", 1)))


def run(
    read: Callable[[Callable[[sqlite3.Connection], list[str]]], list[str]],
    write: Callable[[Callable[[sqlite3.Connection], int]], int],
    *,
    cost: int,
    registry: Registry,
    wall_ms: Callable[[], int],
    pause: Callable[[], bool] = lambda: False,
) -> int:
    """Make all that are waiting; how many took their place. `pause` is called between blocks: True ends it.

    To be called in a worker thread: tags are made here, outside Python's lock, and only put down by the writer.
    """
    done, after = 0, ""
    while True:
        tags = read(lambda connection, after=after: slow_tags.waiting(connection, after, BLOCK_TAGS))  # type: ignore[misc]  # mypy infers no lambda with a default
        made = [(tag, slow_tag(tag, cost)) for tag in tags]
        done += write(lambda connection, made=made: put(connection, registry, made, wall_ms()))  # type: ignore[misc]  # the same
        if len(tags) < BLOCK_TAGS or pause():
            return done
        after = tags[-1]


def put(connection: sqlite3.Connection, registry: Registry, made: Sequence[tuple[str, str]], now_ms: int) -> int:
    """Give members their slow tags within the caller's transaction; how many. With nothing left, tills are to record
    no others from then on.
    """
    book = Book(connection, now_ms)
    done = sum([_take_place(book, registry, tag, slow) for tag, slow in made])
    book.flush()
    if not slow_tags.phone_tags(connection).only and not slow_tags.waiting(connection, "", 1):
        slow_tags.set_only(connection)
    return done


def _take_place(book: Book, registry: Registry, tag: str, slow: str) -> bool:
    """False: the member has points held for a receipt under way, and it comes by once more; or the tag is gone."""
    connection = book.connection
    mine, theirs = slow_tags.owner(connection, tag), slow_tags.owner(connection, slow)
    if not mine:
        return False
    account, other = book.account(mine), book.account(theirs) if theirs else None
    if account is None or account.status == "removed":
        # Only a trace of somebody who was merged.
        owner = theirs or mine
    elif other is account or other is None or other.status == "removed":
        owner = mine
    else:
        kept = _one_person(book, registry, account, other)
        if kept is None:
            return False
        owner = kept
    erased = "" if theirs else slow_tags.owner(connection, mark_of(meta.identifier_key(connection), slow))
    slow_tags.note(connection, tag, slow)
    if erased and account is not None and not _is_registered(connection, account):
        # Nobody begins anew under the number of somebody who was erased.
        slow_tags.forget(connection, slow)
        people.put_tag(connection, mark_of(meta.identifier_key(connection), tag), erased)
    else:
        people.put_tag(connection, slow, owner)
    for name in {mine, owner}:
        told = book.account(name)
        if told is not None:
            book.touch(Draft(told), book.next_position())
    return True


def _one_person(book: Book, registry: Registry, account: Account, other: Account) -> str | None:
    """Whose the phone is of two who turned out to have the same; None while they can't be merged."""
    connection = book.connection
    mine, theirs = _is_registered(connection, account), _is_registered(connection, other)
    if mine and theirs:
        # Two registered members are never merged by a program's word.
        names = (account.member_id, other.member_id)
        log.warning("One phone, two members: `cloud member merge %s %s` if one person", *names)
        return other.member_id
    old, into = (other, account) if mine else (account, other)
    if not may_merge(old, into):
        return None
    version = registry.active(connection)
    merge(book, old, into, uid="", programme=None if version is None else version.programme)
    return into.member_id


def _is_registered(connection: sqlite3.Connection, account: Account) -> bool:
    person = people.find(connection, account.member_id)
    return person is not None and person.registered
