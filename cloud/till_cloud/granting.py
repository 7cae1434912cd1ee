"""Grants: points of a member lent to a holder (a till), who may spend them without asking anybody.

Decision: docs/decisions/0015. A grant comes back only by its holder's own operation, or with the holder's journal: when
a till begins a new one, or staff give it up, the rest is written off, as the most that may have been spent unseen.
Time alone never gives one back: a till without a line may be spending it at this moment.
"""

import sqlite3
from datetime import timedelta
from typing import Literal

from msgspec.structs import replace

from till_cloud.ledger.account import Account, Draft
from till_cloud.ledger.book import Book
from till_cloud.store import grants, vouchers
from till_cloud.store.grants import GrantRow
from till_loyalty.days import local_day
from till_loyalty.lending import wanted
from till_loyalty.programme import Programme

REST_MS = 120_000
"""After points were asked back nothing is lent of that member for so long: the receipt that wants them comes first."""

WriteOffReason = Literal["epoch", "till_removed", "hand"]


def lends(programme: Programme) -> bool:
    """Whether tills may get grants by this programme."""
    return programme.redemption.enabled and programme.redemption.offline in {"grant", "floor"}


def shown_held(connection: sqlite3.Connection, account: Account, till: str) -> int:
    """What a till shows as held: points that it can't spend, be they promised to receipts or lent to others."""
    if not account.granted:
        return account.held
    return account.held + account.granted - grants.points_of(connection, till, account.member_id)


def share_out(book: Book, programme: Programme, account: Account) -> list[GrantRow]:
    """Lend what the strategy says of one member's free points; the rows that grew. Nothing while a recall rests."""
    connection, lending = book.connection, programme.redemption.lending
    if account.status != "active" or not account.available:
        return []
    if grants.recalled_at_ms(connection, account.member_id) > book.now_ms - REST_MS:
        return []
    soonest_ms = grants.soonest_expiry_ms(connection, account.member_id)
    if soonest_ms and soonest_ms <= book.now_ms:
        return []  # what is over expires first; the member comes again then
    seen = timedelta(days=lending.seen_days)
    tills = grants.candidates(
        connection,
        account.member_id,
        since_day=(local_day(book.now_ms, "UTC") - seen).isoformat(),
        seen_since_ms=book.now_ms - int(seen.total_seconds()) * 1_000,
    )
    if not tills:
        return []
    had = {row.holder: row for row in grants.open_of_member(connection, account.member_id)}
    more = wanted(
        lending,
        free_points=account.available,
        granted={holder: row.points for holder, row in had.items()},
        tills=[use for use, _ in tills.values()],
        step_points=max(programme.redemption.step_points, 1),
    )
    return [
        lend(book, account, holder, tills[holder][1], points, until_ms=soonest_ms) for holder, points in more.items()
    ]


def lend(book: Book, account: Account, holder: str, epoch: int, points: int, *, until_ms: int) -> GrantRow:
    """Put points of a member that are free under a holder's journal; InvariantError where they are not free."""
    connection = book.connection
    book.touch(Draft(account, granted=account.granted + points), book.next_position())
    row = grants.find(connection, holder, account.member_id) or GrantRow(
        holder=holder, member_id=account.member_id, epoch=epoch
    )
    row = replace(
        row,
        epoch=epoch,
        points=row.points + points,
        granted=row.granted + points,
        until_ms=until_ms,
        position=book.next_position(),
    )
    grants.put(connection, row)
    return row


def used(book: Book, row: GrantRow, points: int) -> None:
    """A sale spent points of a grant; its draft has taken them off what the member has granted."""
    left = row.points - points
    grown = replace(
        row, points=left, used=row.used + points, recall=min(row.recall, left), position=book.next_position()
    )
    grants.put(book.connection, grown)


def release(book: Book, account: Account, row: GrantRow, points: int) -> int:
    """The holder gives points back, as many as it has; they are the member's again. Answers how many."""
    given = min(points, row.points)
    if not given:
        return 0
    _free(book, account, given)
    left = row.points - given
    recall = min(max(row.recall - given, 0), left)
    back = replace(row, points=left, released=row.released + given, recall=recall, position=book.next_position())
    grants.put(book.connection, back)
    return given


def recall(book: Book, account: Account, points: int) -> int:
    """Ask every holder of the member's points for what is lacking; how many points are lent in all.

    All of them, for some may be without a line; none when all together would not be enough. What comes back beyond need
    is lent again.
    """
    rows = grants.open_of_member(book.connection, account.member_id)
    lent = sum([row.points for row in rows])
    for row in rows if lent >= points else ():
        asked = max(row.recall, min(row.points, points))
        grants.put(
            book.connection,
            replace(row, recall=asked, recalled_at_ms=book.now_ms, position=book.next_position()),
        )
    return lent


def begin_epoch(connection: sqlite3.Connection, holder: str, epoch: int, now_ms: int) -> None:
    """A holder has a new journal: what its earlier ones still had is written off, and is the members' again.

    Its vouchers go back too: the journal that remembered which were taken is gone. Call it before the book of the
    transaction is opened.
    """
    book = Book(connection, now_ms)
    owing = grants.owing(connection, holder, epoch)
    count = grants.stale_count(connection, holder, epoch)
    if count:
        before = book.take_positions(2 * count)
        grants.write_off_stale(connection, holder, epoch, before=before, reason="epoch", now_ms=book.now_ms)
    for row in vouchers.open_of_holder(connection, holder):
        give_up_voucher(book, row, epoch=epoch - 1, reason="epoch")
    for member_id in owing:
        account = book.account(member_id)
        if account is not None:
            _free(book, account, 0)
    book.flush()


def write_off(book: Book, row: GrantRow, reason: WriteOffReason) -> int:
    """Give one grant up, without its holder: how many points are the member's again."""
    account = book.account(row.member_id)
    if account is None or not row.points:
        return 0
    _free(book, account, row.points)
    closed = replace(row, points=0, recall=0, written_off=row.written_off + row.points, position=book.next_position())
    grants.put(book.connection, closed)
    grants.add_write_off(book.connection, row.holder, row.member_id, row.epoch, row.points, reason, now_ms=book.now_ms)
    return row.points


def give_up_voucher(book: Book, row: vouchers.VoucherRow, *, epoch: int, reason: WriteOffReason) -> None:
    """Give a voucher's points back to its member though its till may have taken it."""
    return_voucher(book, row, reason)
    grants.add_write_off(book.connection, row.holder, row.member_id, epoch, row.points, reason, now_ms=book.now_ms)


def return_voucher(book: Book, row: vouchers.VoucherRow, resolved_by: str) -> None:
    """An open voucher that nobody will take any more: its points are the member's again."""
    account = book.account(row.member_id)
    if account is not None and vouchers.resolve(book.connection, row.voucher, "returned", resolved_by):
        _free(book, account, row.points)


def return_forgotten_vouchers(book: Book, holder: str, ended_before_ms: int) -> None:
    """Vouchers that are over, of a till that has pushed all it had: no sale that took one can still be on its way."""
    for row in vouchers.open_of_holder(book.connection, holder, ended_before_ms=ended_before_ms):
        return_voucher(book, row, "expired")


def _free(book: Book, account: Account, points: int) -> None:
    """Granted points are the member's own again; a debt is paid from them first."""
    draft = Draft(account, granted=account.granted - points)
    if account.debt:
        book.load_lots(account)
        draft.settle_debt()
    book.touch(draft, book.next_position())
