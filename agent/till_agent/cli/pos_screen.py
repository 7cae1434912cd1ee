"""What `tillside pos` shows: tables on a terminal, or a JSON document for each command."""

import sys
from collections.abc import Iterable
from typing import Any, TextIO

import msgspec
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from till_agent.api import Member, Message, Quote, Reversed, Sale
from till_agent.cli.pos_parsing import Units, quantity_words
from till_agent.cli.pos_receipt import OpenReceipt
from till_agent.client import ClientError, RefusedError

PLAIN_WIDTH = 100
"""Where no terminal says how wide it is."""


class Screen:
    """Writes for people, or with `as_json` for programs."""

    def __init__(self, units: Units, *, as_json: bool, stream: TextIO | None = None) -> None:
        self.units = units
        self.as_json = as_json
        self._stream = stream or sys.stdout
        terminal = self._stream.isatty()
        self._console = Console(
            file=self._stream, width=None if terminal else PLAIN_WIDTH, highlight=False, emoji=False, markup=False
        )

    def json(self, **members: Any) -> None:
        """One document on one line."""
        self._stream.write(msgspec.json.encode(members).decode() + "\n")
        self._stream.flush()

    def say(self, text: str, style: str = "") -> None:
        """A line; control characters are shown, not obeyed."""
        if not self.as_json:
            self._console.print(_clean(text), style=style, soft_wrap=True)

    def messages(self, messages: Iterable[Message]) -> None:
        """What the cashier is told."""
        styles = {"info": "cyan", "warning": "yellow", "error": "red"}
        for message in messages:
            self.say(f"  {message.text}", styles[message.level])

    def problem(self, error: ClientError) -> None:
        """A refusal, or no answer."""
        if isinstance(error, RefusedError):
            self.say(f"  refused: {error.code} ({error.status}); {error.detail}", "red")
            if error.cashier:
                self.say(f"  to the cashier: {error.cashier}", "yellow")
            if error.retryable:
                self.say("  the same may succeed later")
        else:
            self.say(f"  no answer: {error.detail}", "red")

    def member(self, member: Member) -> None:
        """Who it is, and what they have."""
        who = " ".join(filter(None, (member.name_masked, member.phone_masked, member.card_masked)))
        self.say(f"  {who or member.reference}  {member.status}{f', {member.tier}' if member.tier else ''}", "bold")
        points = self.units.points
        text = f"  balance {points(member.balance_points)}, may spend {points(member.spendable_points)}"
        if member.spendable_reason:
            text += f" ({member.spendable_reason})"
        if member.unconfirmed_points:
            text += f", not confirmed yet {points(member.unconfirmed_points)}"
        if member.expiring is not None:
            text += f", expires soon {points(member.expiring.points)}"
        self.say(text)
        for offer in member.offers:
            self.say(f"  offer: {offer.title or offer.coupon}{f', until {offer.valid_to}' if offer.valid_to else ''}")
        self.messages(member.messages)

    def lines(self, receipt: OpenReceipt) -> None:
        """The receipt as it is, with what the last quote says of it."""
        found = {line.number: line for line in receipt.quote.calculation.lines} if receipt.quote else {}
        table = _table("#", "goods", "quantity", "amount", "discount", "by points", "to pay", "earns")
        money, points = self.units.money, self.units.points
        for line in receipt.lines:
            quoted = found.get(line.number)
            rest = ("", "", money(line.amount_minor), "")
            if quoted is not None:
                rest = (
                    money(quoted.discount_minor) if quoted.discount_minor else "",
                    money(quoted.paid_by_points_minor) if quoted.paid_by_points_minor else "",
                    money(quoted.payable_minor),
                    points(quoted.earned_points) if quoted.earned_points else "",
                )
            quantity = quantity_words(line.quantity_thousandths)
            table.add_row(str(line.number), _clean(line.name or line.sku), quantity, money(line.amount_minor), *rest)
        self.table(table)
        for code in receipt.codes:
            self.say(f"  code {code}")

    def quote(self, receipt: OpenReceipt, quote: Quote) -> None:
        """The lines with discounts and points, and the totals."""
        calculation = quote.calculation
        self.lines(receipt)
        money, points = self.units.money, self.units.points
        text = f"  total {money(calculation.total_minor)}, discount {money(calculation.discount_minor)}"
        text += f", by points {money(calculation.redeemed_minor)}, to pay {money(calculation.payable_minor)}"
        self.say(f"{text} {self.units.currency}".rstrip(), "bold")
        self.say(f"  earns {points(calculation.earned_points)}{' (offline)' if quote.offline else ''}")
        if quote.redeemable is not None and quote.redeemable.points:
            worth = money(quote.redeemable.amount_minor)
            self.say(f"  points that may be spent: {points(quote.redeemable.points)}, worth {worth}")
        for each in quote.explain:
            self.say(f"  {each.text}")
        self.messages(quote.messages)

    def sale(self, sale: Sale) -> None:
        """A committed sale."""
        calculation, points = sale.calculation, self.units.points
        self.say(f"  sold: {sale.uid}, {self.units.money(calculation.payable_minor)} {self.units.currency}", "green")
        if sale.member is not None:
            text = f"  earned {points(calculation.earned_points)}, spent {points(calculation.redeemed_points)}"
            self.say(f"{text}, balance {points(sale.balance_after_points)}{' (offline)' if sale.offline else ''}")
        if not sale.kept:
            self.say("  the till's disk took nothing: send it again when there is room", "yellow")
        self.messages(sale.messages)

    def reversed(self, found: Reversed) -> None:
        """A committed return or void."""
        reversal, points = found.reversal, self.units.points
        self.say(f"  back: {self.units.money(reversal.money_back_minor)} {self.units.currency}".rstrip(), "green")
        if reversal.points_back or reversal.points_taken:
            self.say(f"  points back {points(reversal.points_back)}, taken {points(reversal.points_taken)}")
        self.messages(found.messages)

    def rows(self, heading: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> None:
        """Any other table."""
        table = _table(*heading)
        for row in rows:
            table.add_row(*(_clean(cell) for cell in row))
        self.table(table)

    def table(self, table: Table) -> None:
        """As wide as it needs to be."""
        if not self.as_json:
            self._console.print(table)


NUMBERS = frozenset({"#", "quantity", "amount", "discount", "by points", "to pay", "earns", "total", "spent", "earned"})


def _table(*heading: str) -> Table:
    table = Table(box=box.SIMPLE, show_edge=False, pad_edge=True)
    for word in heading:
        table.add_column(word, justify="right" if word in NUMBERS else "left")
    return table


def _clean(text: str) -> Text:
    return Text("".join(letter if letter.isprintable() or letter == "\n" else "�" for letter in text))
