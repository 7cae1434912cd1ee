"""From the answer of a committed sale, void or return, or from a quote, to the blocks of a slip."""

import logging
from typing import Any, Literal

import msgspec
from msgspec import Struct

from till_agent.api import Member, Reversed, Sale
from till_agent.exceptions import SlipTemplateError
from till_agent.ports import Entry
from till_agent.slips.rule_facts import Later, Row, rule_facts, tier_title
from till_agent.slips.template import SlipTemplate, default_template
from till_agent.texts import Words
from till_drivers.blocks import Block
from till_loyalty.receipt import StoreClock
from till_loyalty.results import Calculation

log = logging.getLogger(__name__)

SlipKind = Literal["sale", "quote", "return", "void"]


class SlipContext(Struct, frozen=True, kw_only=True):
    """What an answer does not say by itself. `at_wall_ms` is when it was given: ages are told from then, so that a copy
    of a slip says what the slip said. `moment` is its local date and time, for people."""

    store_name: str
    time_zone: str
    at_wall_ms: int
    moment: str
    number: str = ""
    copy: bool = False
    today: str = ""
    """The business date of the receipt."""


class SlipFacts(Struct, frozen=True, kw_only=True):
    """What a template knows as `slip`. Points are minor points; dates and times are written out in the language.

    `known` is false for somebody this till knows by a number only. `has_rules` is false when the cloud will work the
    points out. `discounts` and `earned_by` are rows of `title` and `amount` (minor money, minor points), the latter
    only when several rules gave; `later` are rows of `date` and `points` of this receipt that can be spent from then;
    `inactive` is what else of the balance can't be spent yet.

    `as_of` is "" for a balance that was never confirmed, `age` for one that is fresh.
    """

    kind: SlipKind
    store: str
    moment: str
    number: str = ""
    original: str = ""
    copy: bool = False
    has_member: bool = False
    known: bool = False
    status: str = ""
    name: str = ""
    card: str = ""
    phone: str = ""
    tier: str = ""
    before: int = 0
    earned: int = 0
    redeemed: int = 0
    taken: int = 0
    given_back: int = 0
    can_redeem: int = 0
    after: int = 0
    unconfirmed: int = 0
    as_of: str = ""
    age: str = ""
    expiring_points: int = 0
    expiring_date: str = ""
    offline: bool = False
    has_rules: bool = True
    tier_title: str = ""
    discounts: tuple[Row, ...] = ()
    discount_minor: int = 0
    coupons: tuple[str, ...] = ()
    earned_by: tuple[Row, ...] = ()
    later: tuple[Later, ...] = ()
    inactive: int = 0


def compose(
    answer: Sale | Reversed, context: SlipContext, words: Words, *, template: SlipTemplate | None = None
) -> list[Block]:
    """The slip of a committed sale, void or return. A template that fails is replaced by the packaged one."""
    facts = _of_sale(answer, context, words) if isinstance(answer, Sale) else _of_reversal(answer, context, words)
    return _blocks(template, facts, words)


def compose_quote(
    calculation: Calculation,
    member: Member | None,
    context: SlipContext,
    words: Words,
    *,
    template: SlipTemplate | None = None,
) -> list[Block]:
    """What the slip would say, were the receipt sold as quoted. A failing template is replaced by the packaged one."""
    balance = member.balance_points if member else 0
    facts = _facts(
        "quote",
        member,
        context,
        words,
        before=balance,
        after=balance,
        earned=calculation.earned_points,
        redeemed=calculation.redeemed_points,
        can_redeem=calculation.redeemable_points,
        **_of_rules(calculation, member, context, words),
        has_rules=bool(calculation.programme_id),
        offline=member.offline if member else False,
    )
    return _blocks(template, facts, words)


def _blocks(template: SlipTemplate | None, facts: SlipFacts, words: Words) -> list[Block]:
    if template is not None:
        try:
            return template.blocks(facts, words)
        except SlipTemplateError as exc:
            # The member still gets a slip, and the log says what to mend.
            log.error("the slip template failed, the packaged one is used instead: %s", exc)  # noqa: TRY400
    return default_template().blocks(facts, words)


def _of_sale(sale: Sale, context: SlipContext, words: Words) -> SlipFacts:
    return _facts(
        "sale",
        sale.member,
        context,
        words,
        before=sale.balance_before_points,
        after=sale.balance_after_points,
        earned=sale.calculation.earned_points,
        redeemed=sale.calculation.redeemed_points,
        **_of_rules(sale.calculation, sale.member, context, words),
        has_rules=bool(sale.calculation.programme_id),
        offline=sale.offline,
    )


def _of_reversal(reversed_: Reversed, context: SlipContext, words: Words) -> SlipFacts:
    reversal = reversed_.reversal
    return _facts(
        # A void goes by the uid of the sale that it cancels.
        "void" if reversed_.uid == reversed_.sale_uid else "return",
        reversed_.member,
        context,
        words,
        before=reversed_.balance_after_points - reversal.effect_points,
        after=reversed_.balance_after_points,
        taken=reversal.points_taken,
        given_back=reversal.points_back,
        original=reversed_.sale_uid,
        offline=reversed_.member.offline if reversed_.member else False,
    )


def _facts(kind: SlipKind, member: Member | None, context: SlipContext, words: Words, **figures: Any) -> SlipFacts:
    fields: dict[str, Any] = {
        "kind": kind,
        "store": context.store_name,
        "moment": context.moment,
        "number": context.number,
        "copy": context.copy,
        **figures,
    }
    if member is not None:
        fields |= _of_member(member, context, words)
    return SlipFacts(**fields)


def _of_rules(calculation: Calculation, member: Member | None, context: SlipContext, words: Words) -> dict[str, Any]:
    if not calculation.programme_id:
        return {}
    inactive = member.inactive_points if member else 0
    return rule_facts(calculation, words, today=context.today, inactive_points=inactive)


def _of_member(member: Member, context: SlipContext, words: Words) -> dict[str, Any]:
    said: dict[str, Any] = {
        "has_member": True,
        "known": member.known,
        "status": member.status,
        "name": member.name_masked,
        "card": member.card_masked,
        "phone": member.phone_masked,
        "tier": member.tier,
        "tier_title": tier_title(member.tier, words),
        "unconfirmed": member.unconfirmed_points,
    }
    if member.as_of_ms:
        said["as_of"] = words.moment(member.as_of_ms, context.time_zone)
        said["age"] = words.age(context.at_wall_ms - member.as_of_ms)
    if member.expiring is not None and member.balance_points > 0:
        said["expiring_points"] = min(member.expiring.points, member.balance_points)
        said["expiring_date"] = words.date(member.expiring.at_ms, context.time_zone)
    return said


class _SaleHead(Struct):
    """What a slip needs of a sale's op."""

    clock: StoreClock
    number: str = ""


class _Programme(Struct):
    programme_id: str = ""
    programme_version: int = 0


class _Whose(Struct):
    language: str = ""


class _AnswerHead(Struct):
    calculation: _Programme = msgspec.field(default_factory=_Programme)
    member: _Whose | None = None


_sale_decoder = msgspec.json.Decoder(Sale)
_reversed_decoder = msgspec.json.Decoder(Reversed)
_sale_head_decoder = msgspec.json.Decoder(_SaleHead)
_answer_head_decoder = msgspec.json.Decoder(_AnswerHead)


def programme_of(entry: Entry) -> tuple[str, int]:
    """Id and version of the programme that a sale was worked out by; ("", 0) when by none, or for a void or return."""
    calculation = _answer_head_decoder.decode(entry.answer).calculation
    return calculation.programme_id, calculation.programme_version


def has_member(entry: Entry) -> bool:
    """Whether the document was anybody's: without a member there is nothing to tell, so there is no slip."""
    return _answer_head_decoder.decode(entry.answer).member is not None


def member_language(entry: Entry) -> str:
    """The language that the member chose, as it was known when the document was committed; "" for none."""
    member = _answer_head_decoder.decode(entry.answer).member
    return member.language if member is not None else ""


def compose_entry(
    entry: Entry,
    words: Words,
    *,
    store_name: str,
    time_zone: str,
    copy: bool = False,
    template: SlipTemplate | None = None,
) -> list[Block]:
    """The slip of a journal's row. A template that fails is replaced by the packaged one."""
    number, today, moment = "", "", words.moment(entry.at_wall_ms, time_zone)
    answer: Sale | Reversed
    if entry.kind == "sale":
        head = _sale_head_decoder.decode(entry.body)
        number, today, moment = head.number, head.clock.business_date, words.local_moment(head.clock.local_time)
        answer = _sale_decoder.decode(entry.answer)
    else:
        answer = _reversed_decoder.decode(entry.answer)
    context = SlipContext(
        store_name=store_name,
        time_zone=time_zone,
        at_wall_ms=entry.at_wall_ms,
        moment=moment,
        number=number,
        copy=copy,
        today=today,
    )
    return compose(answer, context, words, template=template)
