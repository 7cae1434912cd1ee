"""Points of events: a movement of their own, once each, taken back where a return undoes what they were for."""

from collections.abc import Iterable
from datetime import date

from till_cloud import awarding
from till_cloud.ingest.context import Context
from till_cloud.ledger.account import Account, Draft
from till_cloud.store import events
from till_cloud.store.events import GivenRow
from till_loyalty.events import Award
from till_loyalty.lots import ReturnPolicy
from till_loyalty.programme import Programme


def give(context: Context, account: Account, awards: Iterable[Award], *, about: str, day: date) -> None:
    """Post each award that the member has not had. `about`: the op that brought them."""
    awarding.give(context.book, account, awards, day=day, time_zone=context.time_zone(), about=about, till=context.till)


def take_back(
    context: Context, account: Account, rows: Iterable[GivenRow], programme: Programme, *, day: date, voided: bool
) -> None:
    """Take back what these events gave. Those of a voided sale may come again: it has never been.

    After a return they do not: what was given and taken once stays given, so that no loop of buying gains a point.
    """
    book = context.book
    points_of = {event.id: event.points for event in programme.events}
    funding = {event.id: event.funded_by for event in programme.events}
    for row in rows:
        own = book.lots_of(account.member_id, row.position)
        book.load_lots(account, own)
        points = sum([account.lots[number].earned for number in own]) or points_of.get(row.event, 0)
        draft = Draft(account)
        # A programme that refuses returns of spent points speaks of the goods; the event's points are owed then.
        policy: ReturnPolicy = "debt" if programme.return_policy == "refuse" else programme.return_policy
        draft.take_back(own, points, policy)
        position = book.next_position()
        if draft.moves:
            book.post(draft, kind="event", op=None, uid=row.event, about_uid=row.about, position=position)
        if voided and not draft.forgiven:
            events.forget(book.connection, account.member_id, row)
        else:
            events.taken_back(book.connection, account.member_id, row)
        paid_by = funding.get(row.event)
        if paid_by is not None:
            award = Award(
                event=row.event,
                key=row.key,
                points=points,
                supplier=paid_by.supplier,
                supplier_share_basis_points=paid_by.share_basis_points,
            )
            awarding.bill(book, account, position, award, -points, day=day, till=context.till)
