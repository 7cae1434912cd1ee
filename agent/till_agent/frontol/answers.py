"""Answers as Frontol takes them: a code, what the cashier should know, amounts with all their digits. Pure."""

from collections.abc import Iterable
from typing import Any

import msgspec

from till_agent.api import Member, Message, Quote
from till_agent.bridge.answers import in_ascii
from till_agent.frontol.amounts import decimal_of
from till_agent.frontol.codes import number_of
from till_agent.frontol.shapes import Who
from till_agent.texts import Words
from till_loyalty.programme import Programme
from till_loyalty.results import Calculation

Body = dict[str, Any]

WORTH_A_WINDOW = frozenset(
    ("member_unknown", "member_provisional", "birthday", "expiring_soon", "coupon_applied", "coupon_without_effect")
)
"""Told although nothing is wrong. Frontol opens a window for what it is told, and the cashier has to close it: what is
on the slip, or in the sum that may be paid by points, needs none. Warnings are always told."""

_encoder = msgspec.json.Encoder(decimal_format="number")


def encoded(body: Body, *, ascii_only: bool = False) -> bytes:
    """The JSON; `ascii_only`: every other letter as an escape, for readers that guess the encoding wrong."""
    raw = _encoder.encode(body)
    return in_ascii(raw) if ascii_only else raw


def good(**parts: Any) -> Body:
    """`code` 0; parts that are empty are left out."""
    return {"code": 0} | {name: part for name, part in parts.items() if part}


def bad(code: str, text: str) -> Body:
    """A business error: its number, and the sentence for the cashier, which Frontol shows by itself."""
    return {"code": number_of(code), "error": text}


def windows(messages: Iterable[Message], *, everything: bool = False) -> list[Body]:
    """What the cashier is told, each sentence once."""
    texts = [each.text for each in messages if everything or each.level != "info" or each.code in WORTH_A_WINDOW]
    return [{"text": text} for text in dict.fromkeys(texts)]


def told_of(member: Member | None, quote: Quote) -> tuple[Message, ...]:
    """Everything that a quote has to say, the member's first."""
    return (*(member.messages if member is not None else ()), *quote.messages)


def client_part(who: Who, available_minor: int | None, exponent: int) -> Body:
    """`client` of an answer: the phone as it came, since nobody keeps it, and what may be paid by points."""
    body: Body = {"mobilePhone": who.phone} if who.phone else {}
    if available_minor is not None:
        body["availableAmount"] = decimal_of(available_minor, exponent)
    return body


def discount_rows(calculation: Calculation, exponent: int) -> list[Body]:
    """`document.positions` of calculate: each position, so that a discount that is gone goes."""
    return [
        {"index": line.number, "discountAmount": decimal_of(line.discount_minor, exponent)}
        for line in calculation.lines
    ]


def paid_rows(calculation: Calculation, exponent: int) -> list[Body]:
    """`document.positions` of payByBonus."""
    return [
        {"index": line.number, "paidAmount": decimal_of(line.paid_by_points_minor, exponent)}
        for line in calculation.lines
    ]


def unit_of(programme: Programme) -> int:
    """Minor points in a whole one."""
    return int(10**programme.points_exponent)


def money_of(points: int, programme: Programme) -> int:
    """Minor money that so many minor points pay."""
    return points * programme.point_value_minor // unit_of(programme)


def points_for(minor: int, programme: Programme) -> int:
    """Minor points that pay so much, or a little less where it is no whole number of them."""
    return minor * unit_of(programme) // programme.point_value_minor


def available(quote: Quote, programme: Programme | None) -> int:
    """Minor money that may be paid by points without a proof of who the member is: Frontol has nowhere to ask it."""
    most = quote.redeemable
    if most is None or programme is None:
        return 0
    points = most.points
    if most.proof:
        points = min(points, most.proof_above_points)
        points -= points % programme.redemption.step_points
    return money_of(points, programme)


def member_window(words: Words, member: Member) -> Message:
    """Who it is, and what they have."""
    name = member.name_masked or member.phone_masked or member.card_masked or "?"
    text = words.frontol("member_shown", name=name, points=member.balance_points)
    return Message(code="member_shown", text=text)
