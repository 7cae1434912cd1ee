"""What the chain's managers ask of a span of days: suppliers' bills, and what each rule gave."""

import sqlite3
from datetime import date, timedelta

import msgspec
from msgspec import Struct

from till_cloud.registry import Registry
from till_loyalty.days import day_start_ms
from till_loyalty.programme import Programme
from till_loyalty.results import Calculation

# A bill: what the rules paid for by a supplier gave in these days, less what came back.
_FUNDED = """
SELECT supplier, rule, sum(points), sum(points_share), sum(discount_minor), sum(discount_share_minor) FROM funded
WHERE business_date BETWEEN ? AND ? GROUP BY supplier, rule ORDER BY supplier, rule
"""

# Sales that stand, with the cloud's figures where the op's body has others; days are looked at in the body.
_SALES = """
SELECT o.body, s.result FROM sales s JOIN ops o ON o.till = s.till AND o.epoch = s.epoch AND o.seq = s.seq
WHERE s.voided = 0 AND o.received_at_ms >= ? ORDER BY s.till, s.uid
"""

# Points of events by their id, given less taken back.
_EVENTS = """
SELECT uid, count(*) FILTER (WHERE earned > 0), sum(earned - reversed) FROM movements
WHERE kind = 'event' AND at_ms >= ? AND at_ms < ? GROUP BY uid ORDER BY uid
"""

EARLIEST_ZONE_MS = 2 * 86_400_000
"""A sale comes here no sooner than its day begins anywhere; a till's clock may be some hours ahead."""


class SupplierLine(Struct, frozen=True):
    """What a rule gave at a supplier's cost: minor points, and minor money. `value_minor` is what the points pay for.

    The shares are the supplier's part; `to_pay_minor` is the money of both of them.
    """

    supplier: str
    rule: str
    points: int
    value_minor: int
    points_share: int
    share_value_minor: int
    discount_minor: int
    discount_share_minor: int
    to_pay_minor: int


class RuleLine(Struct, frozen=True):
    """What a rule, or an event, gave: in how many sales (or how often), minor points, minor money off."""

    kind: str
    rule: str
    times: int
    points: int
    discount_minor: int


def suppliers(connection: sqlite3.Connection, first: date, last: date) -> list[SupplierLine]:
    """Bills of the business days `first` to `last`, by supplier and rule. Points are worth what the programme says."""
    active = Registry().active(connection)
    programme = None if active is None else active.programme
    lines: list[SupplierLine] = []
    for supplier, rule, points, share, discount, discount_share in connection.execute(
        _FUNDED, (first.isoformat(), last.isoformat())
    ):
        worth = _value(programme, share)
        lines.append(
            SupplierLine(
                *(supplier, rule, points, _value(programme, points), share, worth),
                *(discount, discount_share, worth + discount_share),
            )
        )
    return lines


def given(connection: sqlite3.Connection, first: date, last: date) -> list[RuleLine]:
    """What each rule gave in the sales of these business days that were not voided; returns are not taken off.

    Reads every sale of those days: some seconds for a hundred thousand.
    """
    span = (first.isoformat(), last.isoformat())
    totals: dict[str, list[int]] = {}
    since_ms = day_start_ms(first, "UTC") - EARLIEST_ZONE_MS
    for raw, result in connection.execute(_SALES, (since_ms,)):
        body = _body.decode(raw)
        if not span[0] <= body.clock.business_date <= span[1]:
            continue
        _add(totals, body.result if result is None else _calculation.decode(result))
    rows = [RuleLine("rule", rule, *totals[rule]) for rule in sorted(totals)]
    after_ms = day_start_ms(last + timedelta(days=1), "UTC")
    for event, times, points in connection.execute(_EVENTS, (day_start_ms(first, "UTC"), after_ms)):
        rows.append(RuleLine("event", event, times, points, 0))
    return rows


def _add(totals: dict[str, list[int]], counted: Calculation) -> None:
    for accrual in counted.accruals:
        totals.setdefault(accrual.rule, [0, 0, 0])[1] += accrual.points
    for discount in counted.discounts:
        totals.setdefault(discount.rule, [0, 0, 0])[2] += discount.amount_minor
    for rule in {each.rule for each in counted.accruals} | {each.rule for each in counted.discounts}:
        totals[rule][0] += 1


def _value(programme: Programme | None, points: int) -> int:
    """Money that minor points pay for, rounded down towards 0 from above it and from below."""
    if programme is None:
        return 0
    value: int = abs(points) * programme.point_value_minor // 10**programme.points_exponent
    return value if points >= 0 else -value


class _Clock(Struct, frozen=True):
    business_date: str


class _Sale(Struct, frozen=True):
    clock: _Clock
    result: Calculation


_body: msgspec.json.Decoder[_Sale] = msgspec.json.Decoder(_Sale)
_calculation: msgspec.json.Decoder[Calculation] = msgspec.json.Decoder(Calculation)
