"""Commands of the receipt under way: member, codes, quote, points, payments, closing."""

from typing import Any

from till_agent.api import HoldCreate, Identify, Quote, QuoteRequest
from till_agent.cli.pos_commands import command, number_of, one
from till_agent.cli.pos_parsing import NotUnderstoodError, read_quantity, split_options
from till_agent.cli.pos_receipt import ALL
from till_agent.cli.pos_session import Session, SoldHere
from till_agent.cli.pos_unsent import Document
from till_agent.client import ClientError, RefusedError
from till_agent.member_api import CodeRequest
from till_loyalty.conduct import Entry
from till_sync.ops import Payment


@command("del NUMBER", "Take a line out")
def _remove(session: Session, words: list[str]) -> Any:
    line = session.open.remove(number_of(one(words, "the number of a line"), "the number of a line"))
    session.screen.say(f"  out: {line.name}")
    return line


@command("lines", "The receipt as it is")
def _lines(session: Session, _words: list[str]) -> Any:
    session.screen.lines(session.open)
    return {"uid": session.open.uid, "lines": session.open.lines, "to_pay_minor": session.open.payable_minor}


def _identify(session: Session, who: Identify) -> Any:
    receipt = session.open
    receipt.changed()
    # Whoever types here is the cashier: a card's number is typed, unless it says that a scanner read it.
    entry: Entry = "typed" if who.card is not None else "keyed" if who.phone is not None else "scanned"
    try:
        member = session.ask(lambda: session.till.identify(who, language=session.language))
    except RefusedError:
        raise
    except ClientError:
        # Nobody to ask: the sale will name what was keyed, and whose it is is found out when it is sent.
        receipt.named(who, None, entry)
        raise
    receipt.named(who, member, entry)
    session.screen.member(member)
    return member


@command("card NUMBER", "The member by card")
def _card(session: Session, words: list[str]) -> Any:
    return _identify(session, Identify(card=one(words, "a card's number")))


@command("phone NUMBER", "The member by phone")
def _phone(session: Session, words: list[str]) -> Any:
    return _identify(session, Identify(phone=" ".join(words) or one(words, "a phone number")))


@command("scan TEXT", "The member by what a scanner read")
def _scan(session: Session, words: list[str]) -> Any:
    return _identify(session, Identify(scan=" ".join(words) or one(words, "what was scanned")))


@command("nobody", "No member after all")
def _nobody(session: Session, _words: list[str]) -> Any:
    receipt = session.open
    receipt.named(None, None, "")
    receipt.wish = 0
    return None


@command("coupon CODE", "Put a coupon's code on the receipt, or take it off: coupon -CODE")
def _coupon(session: Session, words: list[str]) -> Any:
    code = one(words, "a coupon's code")
    receipt = session.open
    receipt.changed()
    if code.startswith("-") and code[1:] in receipt.codes:
        receipt.codes.remove(code[1:])
        return None
    reference = receipt.member.reference if receipt.member is not None else None
    # A voucher stands for a member, but is no name of one on this path.
    plain = reference if reference is not None and reference.startswith(("m-", "card:", "phone:", "phone2:")) else None
    found = session.ask(lambda: session.till.coupon(code, reference=plain, language=session.language))
    if found.usable and code not in receipt.codes:
        receipt.codes.append(code)
    text = f"good: {found.title or found.coupon}" if found.usable else f"not good: {found.reason}"
    session.screen.say(f"  {text}", "green" if found.usable else "yellow")
    session.screen.messages(found.messages)
    return found


def _quoted(session: Session, *, explain: bool = False) -> Quote:
    receipt = session.open
    if not receipt.lines:
        raise NotUnderstoodError("expected a line first, such as `3x milk 89.90`")
    asked: QuoteRequest = receipt.quote_request(session.language, explain=explain)
    receipt.quote = quote = session.ask(lambda: session.till.quote(asked))
    receipt.settled = True
    if quote.member is not None:
        receipt.member = quote.member
    return quote


@command("quote [explain]", "What the receipt would give")
def _quote(session: Session, words: list[str]) -> Any:
    quote = _quoted(session, explain=words == ["explain"])
    session.screen.quote(session.open, quote)
    return quote


@command("redeem all|POINTS|0 [pin=...]", "Spend points: they are reserved, and the price falls")
def _redeem(session: Session, words: list[str]) -> Any:
    plain, options = split_options(words, ("pin",))
    wish = one(plain, "how many points, or `all`")
    receipt = session.open
    if receipt.identify is None:
        raise NotUnderstoodError("expected a member first: `card`, `phone` or `scan`")
    receipt.wish = ALL if wish == "all" else session.units.read_points(wish)
    receipt.pin = options.get("pin", [""])[-1]
    try:
        _reserve(session)
    except ClientError:
        receipt.wish = 0
        receipt.changed()
        raise
    if receipt.quote is not None:
        session.screen.quote(receipt, receipt.quote)
        member = receipt.quote.member
        if receipt.wish and receipt.hold is None and member is not None and member.spendable_text:
            session.screen.say(f"  {member.spendable_text}")
    return {"quote": receipt.quote, "hold": receipt.hold}


@command("bonus all|POINTS|0 [pin=...]", "The same")
def _bonus(session: Session, words: list[str]) -> Any:
    return _redeem(session, words)


def _reserve(session: Session) -> None:
    """A quote with the wish, and a hold for what it comes to."""
    receipt = session.open
    quote = _quoted(session)
    points = quote.calculation.redeemed_points
    if receipt.hold is not None and receipt.hold.points == points:
        return
    if not points or receipt.identify is None:
        _release(session)
        return
    # Of the same receipt: the agent gives a smaller one back itself.
    asked = HoldCreate(
        sale_uid=receipt.uid,
        member=receipt.identify,
        points=points,
        confirmation=receipt.confirmation,
        pin=receipt.pin,
        language=session.language,
    )
    receipt.hold = session.ask(lambda: session.till.hold(asked))


def _release(session: Session) -> None:
    hold, session.open.hold = session.open.hold, None
    if hold is not None:
        session.ask(lambda: session.till.release(hold.hold))


@command("confirm PHONE [CODE]", "A one-time code for many points: have it sent, then say it")
def _confirm(session: Session, words: list[str]) -> Any:
    receipt = session.open
    if receipt.identify is None or not 1 <= len(words) <= 2:
        raise NotUnderstoodError("expected a member first, and then the phone, and the code when it has come")
    asked = CodeRequest(
        uid=f"{receipt.uid}-code",
        member=receipt.identify,
        phone=words[0],
        code=words[1] if len(words) > 1 else "",
        language=session.language,
    )
    found = session.ask(lambda: session.till.confirm(asked))
    if found.confirmation.state == "confirmed":
        receipt.confirmation = found.confirmation.confirmation
    session.screen.say(f"  code {found.confirmation.state}")
    session.screen.messages(found.messages)
    return found


@command("pay cash|card|KIND [AMOUNT]", "Take money; the whole rest when no amount is named")
def _pay(session: Session, words: list[str]) -> Any:
    if not 1 <= len(words) <= 2:
        raise NotUnderstoodError("expected `pay cash`, or with an amount: `pay cash 500`")
    receipt = session.open
    if not receipt.lines:
        raise NotUnderstoodError("expected a line first, such as `3x milk 89.90`")
    _settle(session)
    due = max(receipt.payable_minor - receipt.paid_minor, 0)
    amount = session.units.read_money(words[1]) if len(words) > 1 else due
    change = max(amount - due, 0)
    if change and words[0] != "cash":
        raise NotUnderstoodError(f"expected at most {session.units.money(due)}: only cash gives change")
    receipt.payments.append(Payment(kind=words[0], amount_minor=amount - change))
    left = due - (amount - change)
    session.screen.say(f"  {words[0]} {session.units.money(amount)}, change {session.units.money(change)}")
    session.screen.say(f"  left to pay {session.units.money(left)}" if left else "  paid: `close` commits the sale")
    return {"kind": words[0], "amount_minor": amount - change, "change_minor": change, "left_minor": left}


def _settle(session: Session) -> None:
    """The last quote before money is taken; without an agent the receipt goes on without loyalty."""
    if session.open.settled:
        return
    try:
        _reserve(session)
    except RefusedError:
        raise
    except ClientError:
        # No points without an agent: what was reserved is given back by itself, for the sale will not name it.
        session.open.wish, session.open.hold, session.open.settled = 0, None, True
        session.screen.say("  no agent: on without discounts and points", "yellow")


@command("close", "Commit the sale; what is not paid yet is paid in cash")
def _close(session: Session, _words: list[str]) -> Any:
    receipt = session.open
    if not receipt.lines:
        raise NotUnderstoodError("expected a line first, such as `3x milk 89.90`")
    _settle(session)
    due = receipt.payable_minor - receipt.paid_minor
    if due > 0 and receipt.payments:
        raise NotUnderstoodError(f"expected {session.units.money(due)} more: `pay cash`")
    if due < 0:
        raise NotUnderstoodError(f"expected {session.units.money(-due)} less: `unpay`, then `pay` again")
    if due:
        receipt.payments.append(Payment(kind="cash", amount_minor=due))
    asked = receipt.sale_request(session.language, shift=session.shift, cashier=session.cashier)
    document = Document(uid=receipt.uid, sale=asked)
    # Kept before it is sent: a crash between the two must not make another document of it.
    session.unsent.put(document)
    total = receipt.payable_minor
    row = SoldHere(uid=receipt.uid, number=receipt.number, total_minor=total, state="sold", lines=len(receipt.lines))
    try:
        sale = session.ask(lambda: session.till.sell(receipt.uid, asked))
    except (ClientError, KeyboardInterrupt) as exc:
        if isinstance(exc, RefusedError) and not exc.lost and not exc.retryable:
            # Never committed, so the receipt stays open: `redeem 0` or `nobody`, and close it again.
            session.unsent.drop(document)
            if exc.code.startswith("hold_"):
                # It serves no more: the next `close` asks for another.
                receipt.hold = None
                receipt.changed()
            raise
        row.state = "unsent"
        session.screen.say(f"  sold without an answer: {receipt.uid} will be sent when the agent is back", "yellow")
        answer: Any = {"uid": receipt.uid, "unsent": True, "why": getattr(exc, "code", "stopped")}
    else:
        session.unsent.drop(document)
        session.screen.sale(sale)
        answer = sale
    session.sold.append(row)
    session.next_receipt()
    return answer


@command("unpay", "Give the money back that was taken on this receipt")
def _unpay(session: Session, _words: list[str]) -> Any:
    session.open.payments.clear()
    return None


@command("drop", "Cancel the receipt under way; what was reserved is given back")
def _drop(session: Session, _words: list[str]) -> Any:
    uid = session.open.uid
    try:
        _release(session)
    finally:
        session.next_receipt()
    return {"uid": uid}


@command("change NUMBER QUANTITYx", "Another quantity of a line, at the same price for one")
def _change(session: Session, words: list[str]) -> Any:
    from msgspec.structs import replace

    if len(words) != 2:
        raise NotUnderstoodError("expected the number of a line and a quantity: `change 2 3x`")
    number, quantity = number_of(words[0], "the number of a line"), read_quantity(words[1].rstrip("xхXХ×*"))
    receipt = session.open
    for index, line in enumerate(receipt.lines):
        if line.number == number and quantity and line.quantity_thousandths:
            amount = (line.amount_minor * quantity * 2 + line.quantity_thousandths) // (2 * line.quantity_thousandths)
            receipt.lines[index] = replace(line, quantity_thousandths=quantity, amount_minor=amount)
            receipt.changed()
            return receipt.lines[index]
    raise NotUnderstoodError(f"expected the number of a line, not {number}, and more than none of it")
