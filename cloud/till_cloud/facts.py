"""Facts of a member as the rules see them (`MemberState`), and as tills get them (`MemberFacts`)."""

import sqlite3
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

from till_cloud.registry import Version
from till_cloud.store import people, usage
from till_cloud.store.facts import FactsRow
from till_loyalty.coupons import coupons_by_code, normalise_code
from till_loyalty.limits import period_key
from till_loyalty.receipt import MemberState, Usage
from till_sync.asking import CouponAnswer, CouponQuestion

PERIODS = ("day", "week", "month", "life")

DAYS_KEPT = 64
"""Days whose keys are remembered: sales that come at one time are of few days."""


@lru_cache(maxsize=DAYS_KEPT)
def keys_of(day: date) -> tuple[str, ...]:
    """Keys of the periods that a day lies in."""
    return tuple([period_key(per, day) for per in PERIODS])


def open_keys(now_ms: int) -> tuple[str, ...]:
    """Keys of all periods that are not over in some time zone of the world."""
    today = datetime.fromtimestamp(now_ms / 1000, UTC).date()
    days = [today + timedelta(days=shift) for shift in (-1, 0, 1)]
    return tuple(dict.fromkeys(key for day in days for key in keys_of(day)))


def birthday_of(birth_date: str) -> str:
    """`MM-DD` of a full date: the year stays in the cloud, so that both ends count by the same fact."""
    return birth_date[-len("12-31") :]


def state_of(
    connection: sqlite3.Connection,
    member_id: str,
    known: FactsRow | None,
    day: date,
    *,
    tier: str,
    blocked: bool,
    spendable_points: int,
    codes: Sequence[str],
    with_usage: bool,
) -> MemberState:
    """A member's state for the rules on a business day: the columns, and the rows of use where asked for.

    `known` None: no rule asks. `codes` are those of the receipt; `with_usage` False: there is no limit and no coupon.
    """
    used: tuple[Usage, ...] = ()
    held: tuple[str, ...] = ()
    if with_usage:
        used = usage.of_member(connection, member_id, keys_of(day))
        held = usage.coupons(connection, member_id)
        if codes:
            used += usage.of_codes(connection, [normalise_code(code) for code in codes])
    if known is None:
        return MemberState(tier=tier, spendable_points=spendable_points, blocked=blocked, usage=used, coupons=held)
    return MemberState(
        tier=tier,
        spendable_points=spendable_points,
        blocked=blocked,
        segments=known.segment_list,
        birth_date=birthday_of(known.birth_date),
        member_since=known.member_since,
        purchases=known.purchases,
        last_purchase=known.last_purchase,
        usage=used,
        coupons=held,
    )


def answer_codes(
    connection: sqlite3.Connection, selling: Version | None, question: CouponQuestion, now_ms: int
) -> CouponAnswer:
    """How often the codes were used by all, and how often the member used the coupons behind them."""
    codes = [normalise_code(code) for code in question.codes]
    rows = list(usage.of_codes(connection, codes))
    if question.member_id and selling is not None:
        by_code = coupons_by_code(selling.programme.coupons)
        asked = {by_code[code].id for code in codes if code in by_code}
        own = usage.of_member(connection, people.kept(connection, question.member_id), ("",))
        rows += [row for row in own if row.per == "life" and row.rule in asked]
    return CouponAnswer(usage=tuple(rows), server_time_ms=now_ms)
