"""Points for becoming a member: given by the cloud alone, once in a member's life, when the phone is proven."""

import datetime as dt

from till_cloud.ingest.context import Context
from till_cloud.ledger.account import Account, Draft
from till_cloud.ledger.issuing import issue, time_zone_of
from till_loyalty.life import LotTerms, life_of
from till_loyalty.programme import Event, Programme
from till_loyalty.receipt import StoreClock
from till_loyalty.rule_parts import Life

# False when the member had this event before.
_ONCE = """
INSERT INTO events_given (member_id, event, key, position) VALUES (?, 'registered', '', ?)
ON CONFLICT (member_id, event, key) DO NOTHING
"""


def give_registered(context: Context, account: Account, programme: Programme | None, clock: StoreClock) -> int:
    """Post what the programme gives to a new member; answers the points."""
    book = context.book
    day = _day(clock.business_date, book.now_ms)
    due = [event for event in programme.events if _due(event, day)] if programme is not None else []
    position = book.next_position()
    if not book.connection.execute(_ONCE, (account.member_id, position)).rowcount or programme is None or not due:
        return 0
    time_zone = time_zone_of(book.connection, context.till)
    terms = [LotTerms(*life_of(event.life or programme.life or Life(), day), event.points) for event in due]
    lots = issue(book, terms, time_zone)
    draft = Draft(account)
    draft.earn_lots(lots)
    book.post(draft, kind="event", op=None, uid="registered", position=position)
    return sum([event.points for event in due])


def _due(event: Event, day: dt.date) -> bool:
    text = day.isoformat()
    within = event.from_date <= text and (not event.to_date or text < event.to_date)
    return event.on == "registered" and within


def _day(text: str, now_ms: int) -> dt.date:
    """The store's business date; the cloud's where a till sends something else."""
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        return dt.datetime.fromtimestamp(now_ms / 1000, dt.UTC).date()
