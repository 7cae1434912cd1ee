"""How much of a member's points each till should have at hand, for spending without a line to the cloud. Pure.

Points that one till has no other can spend, so the sum over the tills never passes what the member has: two tills that
can't hear of each other can't spend the same point. Counts and points are whole numbers; equal questions get equal
answers, in whatever order the tills are named.
"""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from till_loyalty.allocation import allocate
from till_loyalty.exceptions import invariant
from till_loyalty.programme import Lending

RARE_STORE_PART = 5
"""A store with less than this part of the member's purchases gets nothing, unless none has more."""


class TillUse(Struct, frozen=True):
    """A till that may get some, and how often the member lately bought in its store."""

    till: str
    store: str
    purchases: int


def wanted(
    lending: Lending,
    *,
    free_points: int,
    granted: Mapping[str, int],
    tills: Sequence[TillUse],
    step_points: int = 1,
) -> dict[str, int]:
    """How many points MORE each till should get, by till; tills that get none are left out.

    `free_points` may be granted now, `granted` is what each holder has already, of whatever store. The answers are
    above 0 and together at most `free_points`. What a till has beyond its share stays with it: nothing is taken back.
    """
    invariant(free_points >= 0 and step_points >= 1, "expected free points of 0 or more, and a step of at least 1")
    shares = _shares(lending, free_points + sum(granted.values()), tills, step_points)
    left = min(free_points, _target(lending, free_points + sum(granted.values())) - sum(granted.values()))
    more: dict[str, int] = {}
    for use in _ranked(tills):
        if use.till in more:
            continue
        lacking = min(shares.get(use.till, 0) - granted.get(use.till, 0), left)
        lacking -= lacking % step_points
        if lacking > 0 and granted.get(use.till, 0) + lacking >= lending.minimum_points:
            more[use.till] = lacking
            left -= lacking
    return more


def _target(lending: Lending, points: int) -> int:
    """What of a member's points all tills together may have."""
    return points * lending.share_basis_points // 10_000


def _shares(lending: Lending, points: int, tills: Sequence[TillUse], step_points: int) -> dict[str, int]:
    """What each till should have: by purchases of its store, in whole steps, none below the least.

    Where that would leave shares too small to be of use, the tills of the least visited stores get none.
    """
    steps = _target(lending, points) // step_points
    ranked = _worthwhile(_ranked(tills))
    # More tills than have the least each are too many, however it is split: not tried one by one.
    least_steps = -(-lending.minimum_points // step_points)
    if least_steps:
        del ranked[steps // least_steps :]
    while ranked:
        parts = allocate(steps, _weights(ranked), numbers=list(range(len(ranked))))
        if not parts or min(parts) * step_points >= lending.minimum_points:
            break
        ranked.pop()
    else:
        return {}
    most = lending.maximum_points or points
    return {use.till: min(part * step_points, most) for use, part in zip(ranked, parts, strict=True)}


def _worthwhile(ranked: Sequence[TillUse]) -> list[TillUse]:
    """Without the stores where the member buys now and then only: what lies there is missed where they do spend.

    On real receipts this served more redemptions wholly and hardly fewer points: docs/decisions/0019.
    """
    if not ranked:
        return []
    total = sum({use.store: use.purchases for use in ranked}.values())
    least = min(-(-total // RARE_STORE_PART), ranked[0].purchases)
    return [use for use in ranked if use.purchases >= least]


def _weights(tills: Sequence[TillUse]) -> list[int]:
    """A store's purchases, shared by its tills; scaled so that they are whole numbers."""
    count: dict[str, int] = {}
    for use in tills:
        count[use.store] = count.get(use.store, 0) + 1
    scale = 1
    for each in set(count.values()):
        scale *= each
    return [max(use.purchases, 1) * scale // count[use.store] for use in tills]


def _ranked(tills: Sequence[TillUse]) -> list[TillUse]:
    """Most visited stores first; each till once."""
    once = {use.till: use for use in sorted(tills, key=lambda use: (use.purchases, use.store, use.till))}
    return sorted(once.values(), key=lambda use: (-use.purchases, use.store, use.till))
