"""Tiers that move by what a member spends: periods of the store's calendar, and which tier a spending carries.

Spending is money paid (`Calculation.payable_minor`) less money given back, kept by the period of the sale's business
date; a return lowers the period of its sale. A member's tier is the highest whose threshold the better of the previous
and the current period reaches, so that a tier once reached lasts to the end of the next period. Nobody is moved who is
in a tier that spending doesn't give.
"""

from collections.abc import Mapping
from datetime import date
from functools import lru_cache
from typing import NamedTuple

from till_loyalty.programme import Programme, Tier

LIFE = "life"
"""The one period of a programme that counts all that a member ever spent."""
PERIODS_KEPT = 64
"""Names of periods whose predecessors are remembered: each sale that counts for a tier asks for one."""
_PARTS = {"month": 12, "quarter": 4, "year": 1}
"""Periods in a year."""


class TierMove(NamedTuple):
    """A member changes tiers. `reached`: tiers stepped into or over on the way up, lowest first; none on the way down.

    Each tier on the way counts, so it makes no difference whether one receipt or several led there.
    """

    before: str
    after: str
    reached: tuple[str, ...]


def period_of(programme: Programme, day: date) -> str:
    """The name of the day's period: `2026-01`, `2026-Q1`, `2026`, `life`; "" when no tier moves by spending."""
    if programme.tier_period in _PARTS:
        return _name(day.year * _PARTS[programme.tier_period] + _place(programme, day), _PARTS[programme.tier_period])
    return LIFE if programme.tier_period == LIFE else ""


@lru_cache(maxsize=PERIODS_KEPT)
def period_before(period: str) -> str:
    """The name of the period before the one named; "" when there is none, as for a whole life."""
    year, _, part = period.partition("-")
    mark, number = ("Q", part[1:]) if part.startswith("Q") else ("", part)
    if not year.isdigit() or (part and not number.isdigit()):
        return ""
    parts = 1 if not part else 4 if mark else 12
    return _name(int(year) * parts + int(number or 1) - 2, parts)


def carried_minor(programme: Programme, spent: Mapping[str, int], day: date) -> int:
    """What the member's tier is reckoned from on this day; `spent` is money by the name of its period."""
    return carried_by(spent, period_of(programme, day))


def carried_by(spent: Mapping[str, int], period: str) -> int:
    """The better of what was spent in the period named and in the one before it; `spent` is money by period."""
    return max(spent.get(period, 0), spent.get(period_before(period), 0))


def tier_by_spend(programme: Programme, carried: int) -> str:
    """The highest tier that spending gives and `carried` (minor money) reaches; else the first; "" with no tiers."""
    reached = [tier for tier in _by_spend(programme) if tier.from_spend_minor <= carried]
    if reached:
        return reached[-1].id
    return programme.tiers[0].id if programme.tiers else ""


def spending_given(programme: Programme, tier: str) -> int:
    """Minor money that counts as spent in the period in which staff or a members file gives the tier.

    So a tier that was given lasts as long as one that was reached: to the end of the next period. 0: nothing to count.
    """
    if not programme.tier_period:
        return 0
    return next((each.from_spend_minor for each in programme.tiers if each.id == tier and not each.by_hand), 0)


def moves_by_spend(programme: Programme, tier: str) -> bool:
    """Whether a member of the tier is moved by spending at all.

    A tier that the programme does not know any more counts as the first one.
    """
    if not programme.tier_period or not _by_spend(programme):
        return False
    for place, each in enumerate(programme.tiers):
        if each.id == tier:
            return not each.by_hand and (place == 0 or each.from_spend_minor > 0)
    return True


def move_of(programme: Programme, tier: str, spent: Mapping[str, int], day: date) -> TierMove | None:
    """The move that spending asks for on this day (the store's business date), up or down; None: the member stays.

    Ask for it before a sale's money is added and after: the first settles a period that ended meanwhile.
    """
    if not moves_by_spend(programme, tier):
        return None
    carried = carried_minor(programme, spent, day)
    after = tier_by_spend(programme, carried)
    if after == tier:
        return None
    thresholds = {each.id: each.from_spend_minor for each in programme.tiers}
    least = thresholds.get(tier, 0)
    reached = [each.id for each in _by_spend(programme) if least < each.from_spend_minor <= carried]
    return TierMove(tier, after, tuple(reached))


def _by_spend(programme: Programme) -> list[Tier]:
    """Tiers that spending gives, lowest first."""
    tiers = [tier for tier in programme.tiers if tier.from_spend_minor and not tier.by_hand]
    return sorted(tiers, key=lambda tier: tier.from_spend_minor)


def _place(programme: Programme, day: date) -> int:
    """Which period of its year the day is in, from 0."""
    return (day.month - 1) * _PARTS[programme.tier_period] // 12


def _name(number: int, parts: int) -> str:
    """The name of a period by its number since the year 0."""
    year, place = divmod(number, parts)
    if parts == 1:
        return f"{year:04d}"
    return f"{year:04d}-Q{place + 1}" if parts == 4 else f"{year:04d}-{place + 1:02d}"
