"""What in a cashier's receipts with one member's card a person should look at. A flag blocks and accuses nobody.

Pure: receipts in, signals out. A cashier who takes points for customers who have no card leaves three marks: many
receipts a day on one card, a card that is nearly always at one cashier, and receipts soon after one another. One of
them is an eager customer, two are worth a look. Beside them stand three ways of handling a card that are rare in honest
work; each of those is worth a look by itself.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import date, timedelta
from itertools import pairwise
from typing import Literal

from msgspec import Struct

WINDOW_DAYS = 20
A_DAY = 4
"""Receipts on one card at one cashier in a day."""
AT_LEAST, SHARE_PERCENT = 12, 85
"""Receipts on one card in the window, and how many of a hundred of them are at one cashier."""
SOON_MS = 60 * 60_000
SOON_TIMES = 2
"""Gaps under an hour between receipts of one card at one cashier."""
OF_THE_FIRST = 2
"""So many of the first three signals make a flag."""
TYPED_TIMES = 5
"""Receipts of one card at one cashier whose number was typed: a worn card is typed, and replaced."""
LATE_TIMES = 3
"""Receipts to which the member was added after the total: people do forget, and search their bags."""
BACK_TIMES = 3
"""Returns and voids by one cashier that took points of one card back."""

Entry = Literal["", "scanned", "keyed", "typed"]
"""How a member was named: read by a device, a phone keyed, a card's number typed; "": nobody said."""
Code = Literal["many_a_day", "mostly_one_cashier", "close_together", "typed_cards", "late_member", "return_after_earn"]
_FIRST: tuple[Code, ...] = ("many_a_day", "mostly_one_cashier", "close_together")


class Done(Struct, frozen=True, gc=False):
    """A receipt on a member's card, or (`back`) goods of one brought back with points that it had earned.

    `place` orders what one till did; `day` is the store's date (ISO); `late`: the member was added after the total.
    A till keeps thousands; they hold nothing that could lead back to them, so Python need not look for it.
    """

    place: int
    cashier: str
    at_ms: int
    day: str
    entry: Entry = ""
    late: bool = False
    back: bool = False


class Signal(Struct, frozen=True):
    """One mark: `count` of it; `of` is what it is a part of, 0 where it is part of nothing."""

    code: Code
    count: int
    of: int = 0


class Flagged(Struct, frozen=True):
    """One cashier and the card in question; `receipts` are the cashier's with it in the window."""

    cashier: str
    signals: tuple[Signal, ...]
    receipts: tuple[Done, ...]


def first_day(today: str) -> str:
    """The first day that still counts on `today`."""
    return (date.fromisoformat(today) - timedelta(days=WINDOW_DAYS - 1)).isoformat()


def flags(done: Sequence[Done], today: str) -> tuple[Flagged, ...]:
    """What a person should look at of one member's receipts at one till, by cashier; none in the usual case.

    Receipts of no named cashier say nothing of one, and count in no share either.
    """
    since = first_day(today)
    known = sorted((each for each in done if each.cashier and since <= each.day <= today), key=lambda each: each.place)
    of_all = sum(not each.back for each in known)
    found: list[Flagged] = []
    for cashier in dict.fromkeys(each.cashier for each in known):
        own = tuple([each for each in known if each.cashier == cashier])
        signals = _signals(own, of_all)
        first = sum(signal.code in _FIRST for signal in signals)
        if first >= OF_THE_FIRST or len(signals) > first:
            found.append(Flagged(cashier, signals, own))
    return tuple(found)


def _signals(own: Sequence[Done], of_all: int) -> tuple[Signal, ...]:
    receipts = [each for each in own if not each.back]
    most = max(Counter(each.day for each in receipts).values(), default=0)
    count = len(receipts)
    soon = sum(0 <= after.at_ms - before.at_ms < SOON_MS for before, after in pairwise(receipts))
    typed = sum(each.entry == "typed" for each in receipts)
    late = sum(each.late for each in receipts)
    back = len(own) - count
    marks: tuple[tuple[bool, Signal], ...] = (
        (most >= A_DAY, Signal("many_a_day", most)),
        (
            of_all >= AT_LEAST and count * 100 >= of_all * SHARE_PERCENT,
            Signal("mostly_one_cashier", count, of_all),
        ),
        (soon >= SOON_TIMES, Signal("close_together", soon)),
        (typed >= TYPED_TIMES, Signal("typed_cards", typed, count)),
        (late >= LATE_TIMES, Signal("late_member", late, count)),
        (back >= BACK_TIMES, Signal("return_after_earn", back)),
    )
    return tuple([signal for is_so, signal in marks if is_so])
