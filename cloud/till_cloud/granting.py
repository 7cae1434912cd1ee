"""Grants: points of a member lent to a holder (a till), who may spend them without asking anybody.

Decision: docs/decisions/0015. A grant comes back only by its holder's own operation, or with the holder's journal: when
a till begins a new one, or staff give it up, the rest is written off, as the most that may have been spent unseen.
Time alone never gives one back: a till without a line may be spending it at this moment.
"""

import sqlite3
from typing import Literal

from msgspec.structs import replace

from till_cloud import windows
from till_cloud.exceptions import AdminError, RefusedError
from till_cloud.ledger.account import Account, Draft
from till_cloud.ledger.book import Book
from till_cloud.store import grants, tills, vouchers
from till_cloud.store.grants import GrantRow
from till_cloud.store.tills import TillRow
from till_cloud.takers import Takers
from till_loyalty.days import local_day
from till_loyalty.exceptions import invariant
from till_loyalty.lending import wanted
from till_loyalty.programme import Programme
from till_sync.asking import GrantAnswer, GrantRequest

REST_MS = 120_000
"""After points were asked back nothing is lent of that member for so long: the receipt that wants them comes first."""

LEFT_BEHIND_AT_ONCE = 100
"""Grants closed with one push of a till that stopped taking them: the rest goes with its next ones."""

WriteOffReason = Literal["epoch", "till_removed", "hand"]


def lends(programme: Programme) -> bool:
    """Whether tills may get grants by this programme."""
    return programme.redemption.enabled and programme.redemption.offline in {"grant", "floor"}


def shown_held(connection: sqlite3.Connection, account: Account) -> int:
    """What tills show as held: promised to receipts, or by vouchers. What is lent can be called back, and is not held.

    But of a member who owes, what is lent pays the debt: else a till without a line would lend on it once more.
    """
    if not account.granted:
        return account.held
    return account.held + (account.granted if account.debt else vouchers.points_of(connection, account.member_id))


def share_out(book: Book, programme: Programme, account: Account, takers: Takers | None = None) -> list[GrantRow]:
    """Lend what the strategy says of one member's free points; the rows that grew. Nothing while a recall rests.

    `takers`: of this transaction, for whoever comes with more than one member.
    """
    connection, lending = book.connection, programme.redemption.lending
    if account.status != "active" or not account.available:
        return []
    if takers is None:
        takers = Takers(connection, lending, book.now_ms)
    rows = grants.of_member(connection, account.member_id)
    takers.looked_at += len(rows)
    if max([row.recalled_at_ms for row in rows], default=0) > book.now_ms - REST_MS:
        return []
    soonest_ms = grants.soonest_expiry_ms(connection, account.member_id)
    if soonest_ms and soonest_ms <= book.now_ms:
        return []  # what is over expires first; the member comes again then
    grants.count_visits(connection, account.member_id)
    tills = takers.of_member(account.member_id)
    if not tills:
        return []
    more = wanted(
        lending,
        free_points=account.available,
        granted={row.holder: row.points for row in rows if row.points},
        tills=[use for use, _ in tills.values()],
        step_points=max(programme.redemption.step_points, 1),
    )
    known = {row.holder: row for row in rows}
    shares: list[tuple[GrantRow, int]] = []
    for holder, points in more.items():
        epoch = tills[holder][1]
        had = known.get(holder) or GrantRow(holder=holder, member_id=account.member_id, epoch=epoch)
        shares.append((replace(had, epoch=epoch), points))
    return _lend(book, account, shares, {tills[holder][0].store for holder in more}, soonest_ms)


def lend(book: Book, account: Account, holder: str, epoch: int, points: int, *, until_ms: int) -> GrantRow:
    """Put points of a member that are free under a holder's journal; InvariantError where they are not free."""
    known = grants.find(book.connection, holder, account.member_id)
    had = known or GrantRow(holder=holder, member_id=account.member_id, epoch=epoch)
    till = tills.till(book.connection, holder)
    stores = set() if till is None else {till.store}
    return _lend(book, account, [(replace(had, epoch=epoch), points)], stores, until_ms)[0]


def _lend(
    book: Book, account: Account, shares: list[tuple[GrantRow, int]], stores: set[str], until_ms: int
) -> list[GrantRow]:
    """Lend so many points more to each of the holders, who are tills of these stores, as one change of the member."""
    total = sum([points for _, points in shares])
    if not total:
        return []
    invariant(total <= account.available, f"expected at most {account.available} points to lend, not {total}")
    book.set_aside(Draft(account, granted=account.granted + total))
    for store in sorted(stores):
        windows.see(book, store, account.member_id)  # a grant is no use to a till that does not know whose
    rows: list[GrantRow] = []
    for had, points in shares:
        row = replace(
            had,
            points=had.points + points,
            granted=had.granted + points,
            until_ms=until_ms,
            position=book.next_position(),
        )
        grants.put(book.connection, row)
        rows.append(row)
    return rows


def ask(
    connection: sqlite3.Connection, till: str, request: GrantRequest, programme: Programme | None, now_ms: int
) -> GrantAnswer:
    """What a till asks for: `points` of a member in all, or its usual share; as many as are free, in the programme's
    limits. RefusedError: 404 `member_unknown`; 409 `grants_off`, `grants_not_taken`.
    """
    if programme is None or not lends(programme):
        raise RefusedError(409, "grants_off", "expected a programme that lends points to tills")
    row = tills.till(connection, till)
    if row is None or not row.epoch or not grants.takes(connection, till):
        raise RefusedError(409, "grants_not_taken", "expected a till that has pushed, and asks for grants with changes")
    book = Book(connection, now_ms)
    account = book.account(request.member_id)
    if account is None or account.status == "removed":
        raise RefusedError(404, "member_unknown", "expected a member of this chain")
    if request.points:
        _top_up(book, programme, account, row, request.points)
    else:
        # The till says that the member is here.
        grants.seen_in(connection, account.member_id, row.store, local_day(now_ms, "UTC").isoformat())
        share_out(book, programme, account)
    book.flush()
    found = grants.find(connection, till, request.member_id)
    granted = found or GrantRow(holder=till, member_id=request.member_id, epoch=row.epoch)
    return GrantAnswer(grant=granted.wire(), server_time_ms=now_ms)


def _top_up(book: Book, programme: Programme, account: Account, till: TillRow, points: int) -> None:
    """Up to `points` in all, of what is free, by the programme's limits."""
    lending, step = programme.redemption.lending, max(programme.redemption.step_points, 1)
    had = grants.points_of(book.connection, till.till, account.member_id)
    total = account.available + account.granted
    most = min(points, lending.maximum_points or points)
    more = min(most - had, account.available, total * lending.share_basis_points // 10_000 - account.granted)
    more -= more % step
    soonest_ms = grants.soonest_expiry_ms(book.connection, account.member_id)
    if account.status == "active" and more > 0 and not 0 < soonest_ms <= book.now_ms:
        lend(book, account, till.till, till.epoch, more, until_ms=soonest_ms)


def used(book: Book, row: GrantRow, points: int) -> None:
    """A sale spent points of a grant; its draft has taken them off what the member has granted."""
    left = row.points - points
    grown = replace(
        row, points=left, used=row.used + points, recall=min(row.recall, left), position=book.next_position()
    )
    grants.put(book.connection, grown)


def release(book: Book, account: Account, row: GrantRow, points: int) -> int:
    """The holder gives points back, as many as it has; they are the member's again. Answers how many.

    They rest as after a recall: the till may be about to ask for a hold of them. The job lends them again after that.
    """
    given = min(points, row.points)
    if not given:
        return 0
    _free(book, account, given)
    left = row.points - given
    recall = min(max(row.recall - given, 0), left)
    back = replace(
        row,
        points=left,
        released=row.released + given,
        recall=recall,
        recalled_at_ms=book.now_ms,
        position=book.next_position(),
    )
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
        if asked == row.recall and book.now_ms < row.recalled_at_ms + REST_MS // 2:
            continue  # it was asked just now
        grants.put(
            book.connection,
            replace(row, recall=asked, recalled_at_ms=book.now_ms, position=book.next_position()),
        )
    return lent


def move_grants(book: Book, old: str, into: str) -> None:
    """What holders have of a merged member they have of the one kept; both accounts are changed by the caller.

    A holder's sale that names the old member finds the new grant, for `old` leads to `into`.
    """
    connection = book.connection
    for row in grants.open_of_member(connection, old):
        closed = replace(row, points=0, recall=0, released=row.released + row.points, position=book.next_position())
        grants.put(connection, closed)
        had = grants.find(connection, row.holder, into)
        if had is None or had.epoch != row.epoch:
            had = replace(
                had or GrantRow(holder=row.holder, member_id=into, epoch=row.epoch), epoch=row.epoch, until_ms=0
            )
        ends = [each for each in (had.until_ms, row.until_ms) if each]
        grown = replace(
            had,
            points=had.points + row.points,
            granted=had.granted + row.points,
            recall=had.recall + row.recall,
            until_ms=min(ends, default=0),
            position=book.next_position(),
        )
        grants.put(connection, grown)
    vouchers.move(connection, old, into)


def begin_epoch(connection: sqlite3.Connection, holder: str, epoch: int, now_ms: int) -> None:
    """A holder has a new journal: what its earlier ones still had is written off, and is the members' again.

    Its vouchers go back too: the journal that remembered which were taken is gone. Call it before the book of the
    transaction is opened.
    """
    book = Book(connection, now_ms)
    owing = grants.owing(connection, holder, epoch)
    count = grants.stale_count(connection, holder, epoch)
    if count:
        before = book.take_positions(count)
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
    closed = replace(
        row,
        points=0,
        recall=0,
        written_off=row.written_off + row.points,
        recalled_at_ms=book.now_ms,
        position=book.next_position(),
    )
    grants.put(book.connection, closed)
    grants.add_write_off(book.connection, row.holder, row.member_id, row.epoch, row.points, reason, now_ms=book.now_ms)
    return row.points


def revoke(
    connection: sqlite3.Connection, till: str, member_id: str, reason: WriteOffReason, now_ms: int
) -> tuple[int, int]:
    """Give up what a till has of a member, or of all (""): how many members, and how many points.

    It is lent nothing more until it asks for its changes again, which shows that it lives. Of all members, its vouchers
    go back too.
    """
    row = tills.till(connection, till)
    if row is None:
        raise AdminError(f"expected a till of this chain, not {till!r}")
    book = Book(connection, now_ms)
    members: set[str] = set()
    points = 0
    for lent in grants.open_rows(connection, holder=till, member_id=member_id, limit=-1):
        points += write_off(book, lent, reason)
        members.add(lent.member_id)
    for voucher in () if member_id else vouchers.open_of_holder(connection, till):
        give_up_voucher(book, voucher, epoch=row.epoch, reason=reason)
        points += voucher.points
        members.add(voucher.member_id)
    grants.set_takes(connection, till, asks=False)
    book.flush()
    return len(members), points


def close_left_behind(book: Book, till: str) -> int:
    """Give back what is lent to a till that went back to a release which knows no grants; how many grants were closed.

    Call it only when the till has pushed all it had: then every sale that spent of them is counted.
    """
    rows = grants.left_behind(book.connection, till, LEFT_BEHIND_AT_ONCE)
    if rows is None:
        return 0
    for row in rows:
        account = book.account(row.member_id)
        if account is not None:
            release(book, account, row, row.points)
    if not rows:
        grants.set_takes(book.connection, till, asks=False)
    return len(rows)


def give_up_voucher(book: Book, row: vouchers.VoucherRow, *, epoch: int, reason: WriteOffReason) -> None:
    """Give a voucher's points back to its member though its till may have taken it."""
    return_voucher(book, row, reason)
    grants.add_write_off(book.connection, row.holder, row.member_id, epoch, row.points, reason, now_ms=book.now_ms)


def return_voucher(book: Book, row: vouchers.VoucherRow, resolved_by: str) -> None:
    """An open voucher that nobody will take any more: its points are the member's again."""
    account = book.account(row.member_id)
    if account is not None and vouchers.resolve(book.connection, row.voucher, "returned", resolved_by):
        _free(book, account, row.points)
        book.touch(Draft(account), book.next_position())  # so that the job comes by, and lends them


def return_forgotten_vouchers(book: Book, holder: str, ended_before_ms: int) -> None:
    """Vouchers that are over, of a till that has pushed all it had: no sale that took one can still be on its way."""
    for row in vouchers.open_of_holder(book.connection, holder, ended_before_ms=ended_before_ms):
        return_voucher(book, row, "expired")


def _free(book: Book, account: Account, points: int) -> None:
    """Granted points are the member's own again; a debt is paid from them first."""
    draft = Draft(account, granted=account.granted - points)
    if not account.debt:
        book.set_aside(draft)
        return
    book.load_lots(account)
    draft.settle_debt()
    book.touch(draft, book.next_position())
