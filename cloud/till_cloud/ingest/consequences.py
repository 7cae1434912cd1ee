"""What follows from a sale beside its points, and from its return: uses, budgets, purchases, tier, events, suppliers.

All in the op's own transaction. It touches the sale's member and the till's row; only a member who brought this one is
another, and codes that all members share are counted for all. Nothing here refuses an op.
"""

from collections.abc import Sequence
from datetime import date

import msgspec
from msgspec.structs import replace

from till_cloud import funding
from till_cloud.ingest import awards
from till_cloud.ingest.context import Context
from till_cloud.ingest.counting import BLOCKED, Counted, day_of, within
from till_cloud.ledger.account import Account, Draft
from till_cloud.registry import Version
from till_cloud.store import budgets, events, facts, ops, people, tiers, usage
from till_cloud.store.events import GivenRow
from till_loyalty.coupons import coupons_back
from till_loyalty.days import local_day
from till_loyalty.events import (
    OF_A_PURCHASE,
    Purchase,
    for_referrer,
    lost_by_return,
    lost_by_tier,
    on_purchase,
    on_tiers_reached,
)
from till_loyalty.limits import budget_used, usage_of
from till_loyalty.programme import Programme
from till_loyalty.receipt import StoreClock
from till_loyalty.results import Calculation, Reversal
from till_loyalty.tiers import move_of, period_of
from till_sync.ops import OpId, ReturnBody, SaleBody, VoidBody

WAITING = GivenRow("(referrer)", "", 0, "")
"""Whoever brought this member is not thanked yet: nobody has shown that there is such a person. A sale after that does
it; otherwise numbers from the air would bring points that can be spent at once. No event of a programme has this name.
"""


def after_sale(
    context: Context,
    op_id: OpId,
    body: SaleBody,
    version: Version | None,
    counting: Counted,
    account: Account | None,
    position: int,
) -> None:
    """Everything that a counted sale brings with it. `position`: where its points stand; 0: it moved none."""
    connection, counted = context.book.connection, counting.result
    if version is not None and version.needs.budgets:
        budgets.use(connection, context.till, version.programme.id, budget_used(counted, version.programme.rules))
    billed = funding.of_sale(counted)
    if account is None or account.status in BLOCKED:
        if billed:
            where = position or context.book.next_position()
            funding.write(context, "" if account is None else account.member_id, where, billed, counting.day)
        return
    if version is not None and version.needs.usage:
        _use(context, body, version, counting, account)
    known = counting.known
    context.book.bought(account.member_id, counting.day.isoformat(), counted.payable_minor)
    if not position:
        # Tills hear of the purchase by the member's row.
        position = context.book.next_position()
        context.book.touch(Draft(account), position)
    if billed:
        funding.write(context, account.member_id, position, billed, counting.day)
    active = context.active()
    if active is None:
        return
    if active.needs.spending:
        period = period_of(active.programme, counting.day)
        tiers.spend(connection, account.member_id, period, counted.payable_minor)
        _move_tier(context, active.programme, account, str(op_id))
    if active.needs.events and known is not None and known.purchases >= 0:
        purchase = Purchase(
            member_id=account.member_id,
            business_date=counting.day.isoformat(),
            paid_minor=counted.payable_minor,
            purchases_before=known.purchases,
            largest_before_minor=known.largest_purchase_minor,
        )
        _reward(context, active.programme, account, purchase, known.referrer, str(op_id))


def after_reversal(
    context: Context,
    body: VoidBody | ReturnBody,
    row: ops.SaleRow,
    sale: Calculation,
    earlier: list[Reversal],
    counted: Reversal,
    positions: Sequence[int],
) -> None:
    """What a void or a return of this sale undoes; limits stay used, so that returning is no way around them.

    `positions`: where the points of the sale's returns moved, this one's too.
    """
    connection = context.book.connection
    original = _original(context, row)
    day = _return_day(context, body)
    voided = isinstance(body, VoidBody)
    billed = funding.of_reversal(sale, earlier, counted)
    account = context.book.account(people.kept(connection, row.member_id)) if row.member_id else None
    if account is None:
        if billed:
            funding.write(context, "", context.book.next_position(), billed, day)
        return
    back = sum([line.amount_minor for reversal in (*earlier, counted) for line in reversal.lines])
    before = back - sum([line.amount_minor for line in counted.lines])
    whole = voided or (bool(sale.total_minor) and before < sale.total_minor <= back)
    # A sale to a blocked member was no purchase and no spending: its return is none less.
    counts = all(each.code != "member_blocked" for each in sale.reasons)
    if whole and counts:
        _give_back_whole(context, account, row, sale, day, positions)
    position = context.book.next_position()
    context.book.touch(Draft(account), position)
    if billed:
        funding.write(context, account.member_id, position, billed, day)
    active = context.active()
    if active is None:
        return
    if active.needs.spending and counts:
        spent_before = tiers.spent(connection, account.member_id)
        sold_on = _sold_on(context, row, original) or day
        tiers.spend(connection, account.member_id, period_of(active.programme, sold_on), -counted.money_back_minor)
        _move_tier(context, active.programme, account, "")
        _unreach(context, active.programme, account, spent_before, day, voided=voided)
    if active.needs.events:
        kept = sale.payable_minor - sum([each.money_back_minor for each in (*earlier, counted)])
        about = str(OpId(row.till, row.epoch, row.seq))
        _unreward(context, active.programme, account, row.member_id, about, 0 if voided else kept, day, voided=voided)


def _use(context: Context, body: SaleBody, version: Version, counting: Counted, account: Account) -> None:
    """What the sale uses up of limits, coupons and codes."""
    connection = context.book.connection
    had = () if counting.state is None else counting.state.usage
    rows = usage_of(version.programme, counting.result, counting.day.isoformat(), codes=body.codes, had=had)
    usage.add(connection, account.member_id, [row for row in rows if row.per != "code"])
    codes = [(row.key, row.rule) for row in rows if row.per == "code"]
    if codes:
        usage.add_codes(connection, context.till, body.uid, codes)


def _move_tier(context: Context, programme: Programme, account: Account, about: str) -> None:
    """Up or down by what the member spent, at once. `about`: the sale whose events these are; "" on the way down."""
    connection, today = context.book.connection, context.today()
    move = move_of(programme, account.tier, tiers.spent(connection, account.member_id), today)
    if move is None:
        return
    position = context.book.next_position()
    context.book.touch(Draft(account), position)
    facts.set_tier(connection, account.member_id, move.after)
    tiers.add_move(
        connection,
        account.member_id,
        position,
        before=move.before,
        after=move.after,
        reason="spend",
        now_ms=context.book.now_ms,
    )
    account.tier = move.after
    if about and move.reached and programme.events:
        given = _had(events.given(connection, account.member_id))
        reached = on_tiers_reached(programme, move.reached, period_of(programme, today), today, given)
        awards.give(context, account, reached, about=about, day=today)


def _reward(
    context: Context, programme: Programme, account: Account, purchase: Purchase, referrer: str, about: str
) -> None:
    """Events of a purchase: for its member, and for the one who brought them."""
    if not any(event.on in OF_A_PURCHASE for event in programme.events):
        return
    connection, day = context.book.connection, date.fromisoformat(purchase.business_date)
    given = _had(events.given(connection, account.member_id))
    other = context.book.account(people.kept(connection, referrer)) if referrer else None
    brought = other is not None and other is not account and other.status not in BLOCKED
    due = on_purchase(programme, purchase, given, referred=brought)
    awards.give(context, account, due, about=about, day=day)
    if other is None or not brought:
        return
    waited = (WAITING.event, WAITING.key) in given
    if waited:
        purchase = replace(purchase, purchases_before=0)
    theirs = for_referrer(programme, purchase, _had(events.given(connection, other.member_id)))
    if theirs and account.status == "provisional":
        events.add(connection, account.member_id, WAITING)
    elif theirs:
        awards.give(context, other, theirs, about=about, day=day)
        events.forget(connection, account.member_id, WAITING)


def _unreward(
    context: Context,
    programme: Programme,
    account: Account,
    buyer: str,
    about: str,
    kept_minor: int,
    day: date,
    *,
    voided: bool,
) -> None:
    """Take back what a purchase brought, to its member and to the one who brought them, when it is no purchase now."""
    connection = context.book.connection
    known = facts.of_member(connection, account.member_id)
    referrer = "" if known is None else known.referrer
    other = context.book.account(people.kept(connection, referrer)) if referrer else None
    for who in (account, other):
        if who is None:
            continue
        rows = [
            row
            for row in events.given(connection, who.member_id)
            if row.position and row.about == about and (who is account or row.key in (buyer, account.member_id))
        ]
        lost = set(lost_by_return(programme, [(row.event, row.key) for row in rows], kept_minor))
        gone = [row for row in rows if (row.event, row.key) in lost]
        awards.take_back(context, who, gone, programme, day=day, voided=voided)


def _unreach(
    context: Context, programme: Programme, account: Account, before: dict[str, int], day: date, *, voided: bool
) -> None:
    """Take back what tiers gave that this return brought below their threshold."""
    connection = context.book.connection
    rows = [row for row in events.given(connection, account.member_id) if row.position]
    if not rows:
        return
    marks = [(row.event, row.key) for row in rows]
    lost = set(lost_by_tier(programme, marks, tiers.spent(connection, account.member_id)))
    lost -= set(lost_by_tier(programme, marks, before))
    gone = [row for row in rows if (row.event, row.key) in lost]
    awards.take_back(context, account, gone, programme, day=day, voided=voided)


def _give_back_whole(
    context: Context, account: Account, row: ops.SaleRow, sale: Calculation, day: date, positions: Sequence[int]
) -> None:
    """One purchase less, and coupons that may be used again; none where the member keeps points that they gave."""
    connection = context.book.connection
    facts.unbought(connection, account.member_id)
    if not sale.coupons or any(move.kind == "forgive" for move in context.book.moves(row.member_id, positions)):
        return
    version = context.registry.version(connection, sale.programme_id, sale.programme_version)
    if version is None:
        return
    back = coupons_back(version.programme, sale, returned_minor=sale.total_minor, on=day.isoformat())
    for coupon in back:
        usage.give_back(connection, account.member_id, coupon)
    usage.give_back_codes(connection, row.till, row.uid, back)


def _had(rows: list[GivenRow]) -> list[tuple[str, str]]:
    return [(row.event, row.key) for row in rows]


def _return_day(context: Context, body: VoidBody | ReturnBody) -> date:
    return (None if body.clock is None else day_of(within(body.clock, context.today()))) or context.today()


class _Original(msgspec.Struct, frozen=True):
    """What of a sale's body its return asks for."""

    clock: StoreClock | None = None


_originals: msgspec.json.Decoder[_Original] = msgspec.json.Decoder(_Original)


def _sold_on(context: Context, row: ops.SaleRow, original: _Original) -> date | None:
    """The day that the sale was counted on; None where it said none."""
    received_ms = ops.received_at_ms(context.book.connection, OpId(row.till, row.epoch, row.seq))
    today = local_day(received_ms, context.time_zone())
    return None if original.clock is None else day_of(within(original.clock, today))


def _original(context: Context, row: ops.SaleRow) -> _Original:
    raw = ops.body(context.book.connection, OpId(row.till, row.epoch, row.seq))
    return _Original() if raw is None else _originals.decode(raw)
