"""Vouchers: points of a member put aside for one till, as a text that the member shows there. Decision: 0015."""

import secrets
import sqlite3

from till_cloud.exceptions import AdminError
from till_cloud.granting import recall
from till_cloud.ledger.account import Draft
from till_cloud.ledger.book import Book
from till_cloud.showing import member
from till_cloud.store import meta, tills
from till_cloud.store import vouchers as rows
from till_cloud.store.vouchers import VoucherRow
from till_sync import vouchers

ID_BYTES = 9
DAY_MS = 86_400_000

LONGEST_DAYS = 366
"""A voucher's points lie idle until it ends and its till has been heard of."""


def call_in(connection: sqlite3.Connection, reference: str, points: int, *, now_ms: int) -> int:
    """Ask tills for what a voucher of so many points would lack; how much is asked for, 0 where they can't help.

    AdminError: no such member.
    """
    book = Book(connection, now_ms)
    account = book.account(member(connection, reference=reference).member_id)
    lacking = 0 if account is None or account.status != "active" else points - account.available
    if account is None or not 0 < lacking <= account.granted:
        return 0
    lent = recall(book, account, lacking)
    book.flush()
    return lacking if lent >= lacking else 0


def issue(
    connection: sqlite3.Connection, reference: str, *, till: str, points: int, days: int, now_ms: int
) -> tuple[VoucherRow, str]:
    """Put `points` of a member (member id or tag) aside for that till, and sign for it; the row and its text.

    AdminError: no such member or till, a member who may not spend, points that are not free.
    """
    if points < 1 or not 1 <= days <= LONGEST_DAYS:
        raise AdminError(f"expected at least one point, and 1 to {LONGEST_DAYS} days, not {points} and {days}")
    place = tills.till(connection, till)
    if place is None or not place.enrolled_at_ms:
        raise AdminError(f"expected a till that is enrolled, not {till!r}")
    book = Book(connection, now_ms)
    account = book.account(member(connection, reference=reference).member_id)
    if account is None or account.status != "active":
        raise AdminError("expected an active member, who may spend")
    if book.due_points(account) or points > account.available:
        raise AdminError(f"expected at most {account.available} points (smallest parts) that are free, not {points}")
    book.touch(Draft(account, granted=account.granted + points), book.next_position())
    book.flush()
    voucher = vouchers.Voucher(
        voucher=f"v-{secrets.token_urlsafe(ID_BYTES)}",
        member_id=account.member_id,
        holder=till,
        store=place.store,
        points=points,
        made_at_ms=now_ms,
        expires_at_ms=now_ms + days * DAY_MS,
    )
    row = VoucherRow(
        *(voucher.voucher, voucher.member_id, till, place.store, points, "open", now_ms, voucher.expires_at_ms)
    )
    rows.add(connection, row)
    return row, vouchers.encode(voucher, meta.voucher_key(connection))
