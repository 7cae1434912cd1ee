"""Corrections of points by the chain's staff: a movement of its own, with who and why. No verdict is ever changed."""

import re
import sqlite3
from datetime import date

from msgspec import Struct

from till_cloud.exceptions import AdminError
from till_cloud.ledger.account import Account, Draft
from till_cloud.ledger.book import Book
from till_cloud.ledger.issuing import issue
from till_cloud.registry import Registry
from till_cloud.store import grants, jobs, members, ops, people, poison
from till_loyalty.life import LotTerms, life_of
from till_sync.ops import OpId
from till_sync.wire import TILL_ID_PATTERN

TEXT_LIMIT = 500
POINTS_LIMIT = 10**13
"""Minor points of one correction; a larger number is a slip of the finger."""

_TILL = re.compile(TILL_ID_PATTERN)

_ADD = "INSERT INTO adjustments (member_id, position, points, why, made_by, about, at_ms) VALUES (?, ?, ?, ?, ?, ?, ?)"
_ABOUT = "SELECT member_id, points, made_by FROM adjustments WHERE about = ? LIMIT 1"
_OF_MEMBER = """
SELECT position, points, why, made_by, about, at_ms FROM adjustments WHERE member_id = ? ORDER BY position DESC LIMIT ?
"""


class Adjustment(Struct, frozen=True):
    """A correction as it is kept for ever. `about` is the op that it makes good, `till:epoch:seq` or ""."""

    position: int
    points: int
    why: str
    made_by: str
    about: str
    at_ms: int


class Adjusted(Struct, frozen=True):
    """What a correction has done: the member's balance after it, below 0 only where a debt was allowed."""

    member_id: str
    points: int
    balance: int
    position: int


def parse_op(text: str) -> OpId:
    """`till:epoch:seq`; AdminError when it is something else."""
    try:
        op_id = OpId.parse(text)
    except ValueError:
        op_id = OpId("", 0, 0)
    if not _TILL.fullmatch(op_id.till) or not (0 < op_id.epoch < 2**63 and 0 < op_id.seq < 2**63):
        raise AdminError(f"expected an operation such as K1:1:17, not {text[:80]!r}")
    return op_id


def adjust(
    connection: sqlite3.Connection,
    reference: str,
    points: int,
    *,
    why: str,
    by: str,
    now_ms: int,
    about: str = "",
    into_debt: bool = False,
    again: bool = False,
) -> Adjusted:
    """Give a member (id or tag) `points` minor points, or take them, in the caller's transaction.

    Points given live as the programme says. Points taken are never those promised to a receipt under way or by a
    voucher; what is not there is refused, or owed with `into_debt`. What tills were lent is there, and asked back.
    `about` marks a rejected op as put right. AdminError: nobody, nothing to do, not enough, or a second correction
    of the same op without `again`.
    """
    _check(points, why, by)
    op_id = parse_op(about) if about else None
    if op_id is not None and not again:
        _check_first(connection, op_id)
    book = Book(connection, now_ms)
    account = _account(book, reference)
    book.load_lots(account)
    draft = Draft(account)
    position = book.next_position()
    if points > 0:
        day, time_zone = jobs.chain_day(connection, now_ms)
        draft.earn_lots(issue(book, [_terms(connection, points, day)], time_zone))
    else:
        lent = sum([row.points for row in grants.open_of_member(connection, account.member_id)])
        _take(draft, -points, account.balance - account.held - (account.granted - lent), into_debt=into_debt)
    uid = "" if op_id is None else _uid(connection, op_id)
    book.post(draft, kind="adjust", op=None, about_uid=uid, position=position)
    book.flush()
    named = "" if op_id is None else str(op_id)
    connection.execute(_ADD, (account.member_id, position, points, why, by, named, now_ms))
    if op_id is not None:
        _mark(connection, op_id, by=by, note=f"{points} points: {why}"[:TEXT_LIMIT], now_ms=now_ms)
    return Adjusted(account.member_id, points, account.balance, position)


def adjustments(connection: sqlite3.Connection, reference: str, limit: int) -> list[Adjustment]:
    """The newest corrections of a member, newest first."""
    member_id = members.owner(connection, reference) if ":" in reference else reference
    return [Adjustment(*row) for row in connection.execute(_OF_MEMBER, (member_id or "", limit))]


def resolve(connection: sqlite3.Connection, op: str, *, by: str, note: str, now_ms: int) -> bool:
    """Mark a rejected op as put right or as in order; False when it was marked before. AdminError when it is none."""
    if not by.strip() or len(by) > TEXT_LIMIT or len(note) > TEXT_LIMIT:
        raise AdminError(f"expected a name and a note of at most {TEXT_LIMIT} characters")
    return _mark(connection, parse_op(op), by=by, note=note, now_ms=now_ms, strictly=True)


def _mark(
    connection: sqlite3.Connection, op_id: OpId, *, by: str, note: str, now_ms: int, strictly: bool = False
) -> bool:
    found = poison.one(connection, op_id)
    if found is None or found[1] != "rejected":
        if strictly:
            raise AdminError(f"expected a rejected operation, not {op_id}: `cloud ops rejected` lists them")
        return False
    return poison.resolve(connection, op_id, code=found[0].code, by=by, note=note, now_ms=now_ms)


def _check(points: int, why: str, by: str) -> None:
    if not points or abs(points) > POINTS_LIMIT:
        raise AdminError(f"expected points other than 0, at most {POINTS_LIMIT}, not {points}")
    for name, text in (("why", why), ("by", by)):
        if not text.strip() or len(text) > TEXT_LIMIT:
            raise AdminError(f"expected --{name} with 1 to {TEXT_LIMIT} characters")


def _check_first(connection: sqlite3.Connection, op_id: OpId) -> None:
    row = connection.execute(_ABOUT, (str(op_id),)).fetchone()
    if row is not None:
        raise AdminError(
            f"expected an operation without a correction: for {op_id} {row[2]} gave {row[1]} points to {row[0]} "
            "already; --again makes another"
        )
    if ops.body(connection, op_id) is None:
        raise AdminError(f"expected an operation that has come to this cloud, not {op_id}")


def _account(book: Book, reference: str) -> Account:
    member_id = members.owner(book.connection, reference) if ":" in reference else reference
    account = None if member_id is None else book.account(people.kept(book.connection, member_id))
    if account is None or account.status == "removed":
        raise AdminError("expected a member of this chain, but nobody has this reference")
    return account


def _take(draft: Draft, points: int, most: int, *, into_debt: bool) -> None:
    if points > most and not into_debt:
        raise AdminError(
            f"expected to take no more points than are there and not held, not {points}: "
            "--into-debt lets the member owe the rest"
        )
    draft.take_back((), points, "debt")


def _terms(connection: sqlite3.Connection, points: int, day: date) -> LotTerms:
    active = Registry().active(connection)
    if active is None or active.programme.life is None:
        return LotTerms("", "", points)
    return LotTerms(*life_of(active.programme.life, day), points)


def _uid(connection: sqlite3.Connection, op_id: OpId) -> str:
    found = poison.one(connection, op_id)
    return "" if found is None else found[0].uid
