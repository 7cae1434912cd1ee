"""Points that something else than the goods of a receipt gives: which events, how many points, for how long.

Pure: the caller says what happened and which events the member has had; what is due comes back. Only the cloud posts
it, once for each (member, event, key):

| event          | key                                                      |
|----------------|----------------------------------------------------------|
| registered     | ""                                                       |
| first_purchase | ""                                                       |
| referred       | ""                                                       |
| referrer       | id of the member who was brought                         |
| tier_reached   | `gold:2026-01`, tier and period                          |
| birthday       | the birthday's year                                      |

What was taken back stays given: it is not given again, so that no loop of buying and returning gains a point.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date

from msgspec import Struct

from till_loyalty.conditions import birthday_in, day_of_birth
from till_loyalty.life import LotTerms, life_of
from till_loyalty.programme import Event, Programme
from till_loyalty.rule_parts import Life
from till_loyalty.tiers import carried_by

Given = tuple[str, str]
"""An event that a member has had: its id and its key."""
OF_A_PURCHASE = ("first_purchase", "referred", "referrer")
CATCH_UP_DAYS = 31
"""A cloud that stood still for longer gives birthdays of the last month: nobody wants a present half a year late."""


class Award(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Points of an event for one member. First and last day of their life; empty: at once, never."""

    event: str
    key: str
    points: int
    active_from: str = ""
    expires_on: str = ""
    supplier: str = ""
    supplier_share_basis_points: int = 0

    @property
    def lot(self) -> LotTerms:
        """The lot that the points make."""
        return LotTerms(self.active_from, self.expires_on, self.points)


class Purchase(Struct, frozen=True, kw_only=True):
    """A sale of a member. `paid_minor`: its `payable_minor`. `purchases_before`: sales before this one.

    `largest_before_minor`: the most that one of those paid; None: not known, so none of them is taken to be too small.
    """

    member_id: str
    business_date: str
    paid_minor: int
    purchases_before: int
    largest_before_minor: int | None = None


def on_registered(programme: Programme, day: date, given: Collection[Given] = ()) -> tuple[Award, ...]:
    """A member was registered and is confirmed."""
    return tuple(_due(programme, "registered", "", day, given))


def on_purchase(
    programme: Programme, purchase: Purchase, given: Collection[Given] = (), *, referred: bool = False
) -> tuple[Award, ...]:
    """A first purchase: the first that paid at least what the event asks, and something at all.

    `referred`: another member brought this one, who gets something for that too.
    """
    awards = list(_of_purchase(programme, "first_purchase", "", purchase, given))
    if referred:
        awards += _of_purchase(programme, "referred", "", purchase, given)
    return tuple(awards)


def for_referrer(programme: Programme, purchase: Purchase, given: Collection[Given] = ()) -> tuple[Award, ...]:
    """The same purchase: what the member gets who brought the buyer. `given` is what that member has had."""
    return tuple(_of_purchase(programme, "referrer", purchase.member_id, purchase, given))


def on_tiers_reached(
    programme: Programme, tiers: Sequence[str], period: str, day: date, given: Collection[Given] = ()
) -> tuple[Award, ...]:
    """A move up by spending reached these tiers in the period (`TierMove.reached`, `period_of`)."""
    awards: list[Award] = []
    for tier in tiers:
        had = [*given, *((award.event, award.key) for award in awards)]
        due = _due(programme, "tier_reached", f"{tier}:{period}", day, had)
        awards += [award for award in due if tier in _event(programme, award.event).tiers]
    return tuple(awards)


def on_day(
    programme: Programme, birth_date: str, day: date, given: Collection[Given] = (), *, since: date | None = None
) -> tuple[Award, ...]:
    """A birthday comes near: points from `days_before` it to the day itself, once a year.

    `since`: the last day that was looked at before this one (default: yesterday), so that days without a run lose
    nothing, `CATCH_UP_DAYS` at most. `birth_date` is `YYYY-MM-DD` or `MM-DD`; one that can't be read has no birthday.
    """
    born = day_of_birth(birth_date)
    if born is None:
        return ()
    today = day.toordinal()
    last_run = today - 1 if since is None else max(since.toordinal(), today - CATCH_UP_DAYS)
    awards: list[Award] = []
    for year in (day.year - 1, day.year, day.year + 1):
        if not max(born.year, 1) <= year <= date.max.year:
            continue
        birthday = birthday_in(year, born).toordinal()
        had = [*given, *((award.event, award.key) for award in awards)]
        awards += [
            award
            for award in _due(programme, "birthday", str(year), day, had)
            if birthday - _event(programme, award.event).days_before <= today and birthday > last_run
        ]
    return tuple(awards)


def lost_by_return(programme: Programme, given: Sequence[Given], kept_minor: int) -> tuple[Given, ...]:
    """Of the events that a purchase gave (to its member, or to the one who brought them), those a return takes back.

    `kept_minor`: money of the purchase that is not given back. A purchase of which less is left than the event asks, or
    nothing, gives nothing. An event that the programme does not know any more goes with the last of the purchase.
    """
    known = {event.id: event for event in programme.events}
    lost = []
    for name, key in given:
        event = known.get(name)
        if event is not None and event.on not in OF_A_PURCHASE:
            continue
        if kept_minor < max(1, event.minimum_sum_minor if event is not None else 0):
            lost.append((name, key))
    return tuple(lost)


def lost_by_tier(programme: Programme, given: Sequence[Given], spent: Mapping[str, int]) -> tuple[Given, ...]:
    """Of the tiers reached that gave something, those that spending does not carry any more, after a return.

    `spent` is money by period; the tier of a period is carried by it or by the one before it.
    """
    reached = {event.id for event in programme.events if event.on == "tier_reached"}
    thresholds = {tier.id: tier.from_spend_minor for tier in programme.tiers}
    lost = []
    for name, key in given:
        tier, _, period = key.rpartition(":")
        if name not in reached or tier not in thresholds:
            continue
        if carried_by(spent, period) < thresholds[tier]:
            lost.append((name, key))
    return tuple(lost)


def _due(programme: Programme, on: str, key: str, day: date, given: Collection[Given]) -> Iterator[Award]:
    """Awards of the events of a kind that are in their term on the day and that the member may still have."""
    text = day.isoformat()
    for event in programme.events:
        if event.on != on or (event.from_date and text < event.from_date) or (event.to_date and text >= event.to_date):
            continue
        if (event.id, key) in given:
            continue
        if event.maximum and sum([name == event.id for name, _ in given]) >= event.maximum:
            continue
        life = event.life or programme.life or Life()
        first, last = life_of(life, day)
        funding = event.funded_by
        yield Award(
            event=event.id,
            key=key,
            points=event.points,
            active_from=first,
            expires_on=last,
            supplier=funding.supplier if funding else "",
            supplier_share_basis_points=funding.share_basis_points if funding else 0,
        )


def _of_purchase(
    programme: Programme, on: str, key: str, purchase: Purchase, given: Collection[Given]
) -> Iterator[Award]:
    for award in _due(programme, on, key, date.fromisoformat(purchase.business_date), given):
        if _is_first(_event(programme, award.event), purchase):
            yield award


def _is_first(event: Event, purchase: Purchase) -> bool:
    """Whether this purchase is the first that the event takes for one."""
    least = max(1, event.minimum_sum_minor)
    if purchase.paid_minor < least:
        return False
    largest = purchase.largest_before_minor
    return not purchase.purchases_before or (largest is not None and largest < least)


def _event(programme: Programme, name: str) -> Event:
    return next(event for event in programme.events if event.id == name)
