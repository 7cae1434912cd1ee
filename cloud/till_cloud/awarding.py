"""Points of events posted to the ledger: each award once, as a movement and lots of its own, billed to who pays."""

from collections.abc import Iterable
from datetime import date

from till_cloud.ledger.account import Account, Draft
from till_cloud.ledger.book import Book
from till_cloud.ledger.issuing import issue
from till_cloud.store import events, funded
from till_cloud.store.events import GivenRow
from till_loyalty.events import Award

BASIS = 10_000
"""Basis points of a whole."""


def give(
    book: Book,
    account: Account,
    awards: Iterable[Award],
    *,
    day: date,
    time_zone: str,
    about: str = "",
    till: str = "",
) -> int:
    """Post each award that the member has not had; the minor points given in all.

    `about`: the op that brought them. `time_zone` (IANA): where the days of their lots begin and end.
    """
    given = 0
    for award in awards:
        position = book.next_position()
        if not events.add(book.connection, account.member_id, GivenRow(award.event, award.key, position, about)):
            continue
        draft = Draft(account)
        draft.earn_lots(issue(book, [award.lot], time_zone))
        book.post(draft, kind="event", op=None, uid=award.event, about_uid=about, position=position)
        bill(book, account, position, award, award.points, day=day, till=till)
        given += award.points
    return given


def bill(book: Book, account: Account, position: int, award: Award, points: int, *, day: date, till: str) -> None:
    """Write down what a supplier pays of `points`, which are below 0 where they were taken back."""
    if not award.supplier:
        return
    share = abs(points) * award.supplier_share_basis_points // BASIS
    row = funded.FundedRow(award.supplier, award.event, points=points, points_share=share if points > 0 else -share)
    funded.add(book.connection, account.member_id, position, [row], till=till, business_date=day.isoformat())
