"""From the answer of a committed sale, void or return, or from a quote, to the blocks of a slip."""

from typing import Any

import msgspec
from msgspec import Struct

from till_agent.api import Member, Reversed, Sale
from till_agent.ports import Entry
from till_agent.slips.rule_facts import offer_facts, rule_facts, tier_title
from till_agent.slips.templates import SlipTemplates
from till_agent.texts import Words
from till_drivers.blocks import Block
from till_drivers.slips.facts import SlipFacts, SlipKind
from till_loyalty.receipt import StoreClock
from till_loyalty.results import Calculation
from till_loyalty.slips import qr_text

PACKAGED = SlipTemplates()
"""No template of anybody's own in the settings."""
UID_END = 6
"""Of a uid's characters on paper: two sales of one minute differ in them, and they fit beside the time on 58 mm."""


class SlipContext(Struct, frozen=True, kw_only=True):
    """What an answer does not say by itself. `at_wall_ms` is when it was given: ages are told from then, so that a copy
    of a slip says what the slip said. `moment` is its local date and time, for people."""

    store_name: str
    time_zone: str
    at_wall_ms: int
    moment: str
    number: str = ""
    uid: str = ""
    """The client's own id of the document; "" before there is one."""
    copy: bool = False
    today: str = ""
    """The business date of the receipt."""


def compose(
    answer: Sale | Reversed, context: SlipContext, words: Words, *, templates: SlipTemplates = PACKAGED
) -> list[Block]:
    """The slip of a committed sale, void or return."""
    facts = _of_sale(answer, context, words) if isinstance(answer, Sale) else _of_reversal(answer, context, words)
    return templates.blocks(facts, words)


def compose_quote(
    calculation: Calculation,
    member: Member | None,
    context: SlipContext,
    words: Words,
    *,
    templates: SlipTemplates = PACKAGED,
) -> list[Block]:
    """What the slip would say, were the receipt sold as quoted."""
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
    return templates.blocks(facts, words)


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
        original=_named(reversed_, words),
        original_uid=reversed_.sale_uid,
        offline=reversed_.member.offline if reversed_.member else False,
    )


def _named(reversed_: Reversed, words: Words) -> str:
    """The sale that goods came back of, as people know it: by its receipt's number, else by its time and the end of its
    uid. Its whole uid where an agent of a former release wrote down nothing else."""
    if reversed_.sale_number:
        return reversed_.sale_number
    if at := reversed_.sale_time:
        told = words.local_moment(at) if "T" in at else words.day(at)
        return f"{told}, {reversed_.sale_uid[-UID_END:]}"
    return reversed_.sale_uid


def _facts(kind: SlipKind, member: Member | None, context: SlipContext, words: Words, **figures: Any) -> SlipFacts:
    fields: dict[str, Any] = {
        "kind": kind,
        "store": context.store_name,
        "moment": context.moment,
        "number": context.number,
        "uid": context.uid,
        "copy": context.copy,
        **figures,
    }
    slips = words.programme.slips
    if slips.note:
        fields["note"] = words.title(slips.note, "")
    if slips.qr and context.uid:
        fields["qr"] = qr_text(slips, uid=context.uid, number=context.number, kind=kind, language=words.language)
    if member is not None:
        fields |= _of_member(member, context, words)
    return SlipFacts(**fields)


def _of_rules(calculation: Calculation, member: Member | None, context: SlipContext, words: Words) -> dict[str, Any]:
    if not calculation.programme_id:
        return {}
    inactive = member.inactive_points if member else 0
    offers = offer_facts(member.offers if member else (), calculation, words)
    return offers | rule_facts(calculation, words, today=context.today, inactive_points=inactive)


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
    templates: SlipTemplates = PACKAGED,
) -> list[Block]:
    """The slip of a journal's row."""
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
        uid=entry.uid,
        copy=copy,
        today=today,
    )
    return compose(answer, context, words, templates=templates)
