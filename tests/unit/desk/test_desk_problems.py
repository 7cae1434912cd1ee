"""Every problem that the desk raises: how cash software makes it happen, its status, and that nothing is written."""

from collections.abc import Callable, Coroutine
from typing import Any

import msgspec
import pytest

from fakes.till import ANNA_CARD, ANNA_PHONE, PROGRAMME, STRANGER_CARD, FakeTill, anna, receipt
from till_agent.api import (
    DiscountTaken,
    HoldCreate,
    Identify,
    QuoteRequest,
    ReturnLineRequest,
    ReturnRequest,
    SaleRequest,
)
from till_agent.desk.problems import PROBLEMS, of_receipt, of_return
from till_agent.exceptions import DeskProblem, HoldRefused
from till_agent.texts import LANGUAGES
from till_loyalty.engine import empty_calculation
from till_loyalty.exceptions import ReceiptError, ReturnError
from till_loyalty.programme import CardRange, Redemption
from till_loyalty.receipt import LARGEST_AMOUNT_MINOR, Line, Receipt
from unit.desk import offline_cases, registration_cases, wallet_cases

ANNA = Identify(card=ANNA_CARD)
Call = Coroutine[Any, Any, Any]


def sale(**changes: Any) -> SaleRequest:
    fields: dict[str, Any] = {"receipt": receipt(10_000), "member": ANNA}
    return SaleRequest(**(fields | changes))


def hold_for(till: FakeTill, points: int = 50, sale_uid: str = "u1") -> str:
    return till.run(till.desk.hold(HoldCreate(sale_uid=sale_uid, member=ANNA, points=points))).hold


def give_back(till: FakeTill, *lines: ReturnLineRequest, uid: str = "r1", sale_uid: str = "u1") -> Call:
    return till.desk.give_back(uid, ReturnRequest(sale_uid=sale_uid, lines=lines))


def till_not_enrolled(till: FakeTill) -> Call:
    return FakeTill(enrolled=False).desk.identify(ANNA)


def journal_unavailable(till: FakeTill) -> Call:
    till.journal.broken = True
    return till.desk.sell("u1", sale())


def identifier_invalid(till: FakeTill) -> Call:
    return till.desk.identify(Identify(phone="12"))


def identifier_choice(till: FakeTill) -> Call:
    return till.desk.quote(QuoteRequest(receipt=receipt(1), member=Identify(card=ANNA_CARD, phone=ANNA_PHONE)))


def bank_card(till: FakeTill) -> Call:
    return till.desk.identify(Identify(scan="4111111111111111"))


def identifier_ambiguous(till: FakeTill) -> Call:
    cards = (CardRange(prefix="7", lengths=(11,)),)
    identifiers = msgspec.structs.replace(PROGRAMME.identifiers, cards=cards)
    till.cache.sell_by(msgspec.structs.replace(PROGRAMME, identifiers=identifiers))
    return till.desk.identify(Identify(code="79161231235"))


def reference_unknown(till: FakeTill) -> Call:
    return till.desk.identify(Identify(reference="m-nobody"))


def member_unknown(till: FakeTill) -> Call:
    return till.desk.hold(HoldCreate(sale_uid="u1", member=Identify(card=STRANGER_CARD), points=1))


def member_not_here(till: FakeTill) -> Call:
    till.gateway.online = False
    return till.desk.hold(HoldCreate(sale_uid="u1", member=Identify(card=STRANGER_CARD), points=1))


def member_blocked(till: FakeTill) -> Call:
    till.know(anna(status="blocked"))
    return till.desk.hold(HoldCreate(sale_uid="u1", member=ANNA, points=1))


def member_provisional(till: FakeTill) -> Call:
    till.know(anna(status="provisional"))
    return till.desk.hold(HoldCreate(sale_uid="u1", member=ANNA, points=1))


def receipt_empty(till: FakeTill) -> Call:
    return till.desk.sell("u1", sale(receipt=Receipt(lines=())))


def receipt_too_large(till: FakeTill) -> Call:
    return till.desk.quote(QuoteRequest(receipt=receipt(LARGEST_AMOUNT_MINOR, 1)))


def codes_too_many(till: FakeTill) -> Call:
    return till.desk.quote(QuoteRequest(receipt=receipt(1), member=ANNA, codes=tuple(map(str, range(51)))))


def discount_line_unknown(till: FakeTill) -> Call:
    return till.desk.sell("u1", sale(discounts=(DiscountTaken(rule="off", line=7, amount_minor=1),)))


def discount_invalid(till: FakeTill) -> Call:
    return till.desk.sell("u1", sale(discounts=(DiscountTaken(rule="off", line=1, amount_minor=-1),)))


def discount_too_large(till: FakeTill) -> Call:
    return till.desk.sell("u1", sale(discounts=(DiscountTaken(rule="off", line=1, amount_minor=10_001),)))


def line_number_repeated(till: FakeTill) -> Call:
    line = Line(number=1, sku="a", amount_minor=1)
    return till.desk.quote(QuoteRequest(receipt=Receipt(lines=(line, line))))


def minimum_price_too_high(till: FakeTill) -> Call:
    line = Line(number=1, sku="a", amount_minor=1, minimum_price_minor=2)
    return till.desk.quote(QuoteRequest(receipt=Receipt(lines=(line,))))


def local_time_invalid(till: FakeTill) -> Call:
    return till.desk.sell("u1", sale(local_time="2023-02-29T10:00:00"))


def uid_conflict(till: FakeTill) -> Call:
    till.run(till.desk.sell("u1", sale()))
    return till.desk.sell("u1", sale(number="2"))


def sale_exists(till: FakeTill) -> Call:
    till.run(till.desk.sell("u1", sale()))
    return till.desk.hold(HoldCreate(sale_uid="u1", member=ANNA, points=1))


def sale_unknown(till: FakeTill) -> Call:
    return give_back(till)


def sale_elsewhere(till: FakeTill) -> Call:
    till.sales.online = False
    return give_back(till)


def sale_ambiguous(till: FakeTill) -> Call:
    for other in ("t2", "t3"):
        till.sales.know("u1", empty_calculation(receipt(10_000)), till=other)
    return give_back(till)


def sale_voided(till: FakeTill) -> Call:
    till.run(till.desk.sell("u1", sale()))
    till.run(till.desk.void("u1"))
    return give_back(till)


def sale_has_returns(till: FakeTill) -> Call:
    till.run(till.desk.sell("u1", sale()))
    till.run(give_back(till, ReturnLineRequest(number=1, quantity_thousandths=1)))
    return till.desk.void("u1")


def return_line_unknown(till: FakeTill) -> Call:
    till.run(till.desk.sell("u1", sale()))
    return give_back(till, ReturnLineRequest(number=9, quantity_thousandths=1))


def return_nothing_asked(till: FakeTill) -> Call:
    till.run(till.desk.sell("u1", sale()))
    return give_back(till, ReturnLineRequest(number=1, quantity_thousandths=0))


def return_quantity_exceeds(till: FakeTill) -> Call:
    till.run(till.desk.sell("u1", sale()))
    till.run(give_back(till, ReturnLineRequest(number=1, quantity_thousandths=400)))
    return give_back(till, ReturnLineRequest(number=1, quantity_thousandths=601), uid="r2")


def return_amount_exceeds(till: FakeTill) -> Call:
    till.run(till.desk.sell("u1", sale()))
    return give_back(till, ReturnLineRequest(number=1, quantity_thousandths=1, amount_minor=10_001))


def return_nothing_left(till: FakeTill) -> Call:
    till.run(till.desk.sell("u1", sale()))
    till.run(give_back(till))
    return give_back(till, uid="r2")


def redemption_disabled(till: FakeTill) -> Call:
    till.cache.sell_by(msgspec.structs.replace(PROGRAMME, redemption=Redemption(enabled=False)))
    return till.desk.hold(HoldCreate(sale_uid="u1", member=ANNA, points=1))


def redemption_needs_hold(till: FakeTill) -> Call:
    return till.desk.sell("u1", sale(redeem_points=10))


def redemption_exceeds(till: FakeTill) -> Call:
    return till.desk.sell("u1", sale(redeem_points=51, hold=hold_for(till, 60)))


def hold_unknown(till: FakeTill) -> Call:
    return till.desk.sell("u1", sale(redeem_points=10, hold="h-t1-nobody"))


def hold_expired(till: FakeTill) -> Call:
    hold = hold_for(till)
    till.clock.advance(600_000)
    return till.desk.sell("u1", sale(redeem_points=10, hold=hold))


def hold_used(till: FakeTill) -> Call:
    hold = hold_for(till)
    till.run(till.desk.sell("u1", sale(redeem_points=10, hold=hold)))
    return till.desk.release(hold)


def hold_mismatch(till: FakeTill) -> Call:
    return till.desk.sell("u2", sale(redeem_points=10, hold=hold_for(till)))


def hold_refused(till: FakeTill) -> Call:
    till.gateway.refusal = HoldRefused("till_revoked", "no")
    return till.desk.hold(HoldCreate(sale_uid="u1", member=ANNA, points=1))


def insufficient_points(till: FakeTill) -> Call:
    return till.desk.hold(HoldCreate(sale_uid="u1", member=ANNA, points=501))


def cloud_unreachable(till: FakeTill) -> Call:
    till.gateway.lose_request = True
    return till.desk.hold(HoldCreate(sale_uid="u1", member=ANNA, points=1))


PROVOKERS: dict[str, Callable[[FakeTill], Call]] = (
    {
        function.__name__: function
        for function in (
            till_not_enrolled,
            journal_unavailable,
            identifier_invalid,
            identifier_choice,
            bank_card,
            identifier_ambiguous,
            reference_unknown,
            member_unknown,
            member_not_here,
            member_blocked,
            member_provisional,
            receipt_empty,
            receipt_too_large,
            line_number_repeated,
            minimum_price_too_high,
            codes_too_many,
            discount_line_unknown,
            discount_invalid,
            discount_too_large,
            local_time_invalid,
            uid_conflict,
            sale_exists,
            sale_unknown,
            sale_elsewhere,
            sale_ambiguous,
            sale_voided,
            sale_has_returns,
            return_line_unknown,
            return_nothing_asked,
            return_quantity_exceeds,
            return_amount_exceeds,
            return_nothing_left,
            redemption_disabled,
            redemption_needs_hold,
            redemption_exceeds,
            hold_unknown,
            hold_expired,
            hold_used,
            hold_mismatch,
            hold_refused,
            insufficient_points,
            cloud_unreachable,
        )
    }
    | registration_cases.PROVOKERS
    | offline_cases.PROVOKERS
    | wallet_cases.PROVOKERS
)

POINTERS = (
    {
        "identifier_invalid": "/phone",
        "identifier_choice": "/member",
        "bank_card": "/scan",
        "reference_unknown": "/reference",
        "receipt_empty": "/receipt/lines",
        "line_number_repeated": "/receipt/lines/1/number",
        "minimum_price_too_high": "/receipt/lines/0/minimum_price_minor",
        "local_time_invalid": "/local_time",
        "codes_too_many": "/codes",
        "discount_line_unknown": "/discounts/0/line",
        "discount_too_large": "/discounts/0/amount_minor",
        "sale_unknown": "/sale_uid",
        "sale_elsewhere": "/sale_uid",
        "sale_ambiguous": "/sold_at",
        "return_line_unknown": "/lines/0/number",
        "return_quantity_exceeds": "/lines/0/quantity_thousandths",
        "return_amount_exceeds": "/lines/0/amount_minor",
        "redemption_exceeds": "/redeem_points",
        "hold_expired": "/hold",
        "insufficient_points": "/points",
        "member_unknown": "/member",
        "member_not_here": "/member",
    }
    | registration_cases.POINTERS
    | offline_cases.POINTERS
)
EXTRAS = (
    {
        "return_quantity_exceeds": {"line": 1, "left_thousandths": 600},
        "redemption_exceeds": {"allowed_points": 50},
        "insufficient_points": {"available_points": 500},
    }
    | registration_cases.EXTRAS
    | offline_cases.EXTRAS
)


def test_every_problem_of_the_table_is_provoked_here() -> None:
    """A code that nothing can raise would be a promise to nobody; the general ones, the slips', that of a machine
    that is a till no more and of too many look-ups have tests of their own.
    """
    others = {"receipt_invalid", "return_invalid", "no_printer", "till_retired", "too_busy"}
    assert set(PROVOKERS) | others == set(PROBLEMS)


@pytest.mark.parametrize("code", PROVOKERS)
def test_a_problem_has_its_code_status_place_and_words_and_writes_nothing(code: str) -> None:
    """The whole of what the bridge makes a problem from, and no op in the journal."""
    till = FakeTill().know(anna())
    call = PROVOKERS[code](till)
    count = len(till.journal.entries)
    with pytest.raises(DeskProblem) as caught:
        till.run(call)
    error = caught.value
    assert error.code == code
    assert (error.status, error.retryable) == (PROBLEMS[code].status, PROBLEMS[code].retryable)
    assert error.pointer == POINTERS.get(code, error.pointer)
    assert EXTRAS.get(code, {}).items() <= error.extras.items()
    assert len(till.journal.entries) == count
    assert all(till.desk.sentence(code, error.extras, language=language) for language in LANGUAGES)


@pytest.mark.parametrize("code", PROVOKERS)
def test_no_problem_tells_a_number_that_was_keyed_or_scanned(code: str) -> None:
    """Details reach logs."""
    till = FakeTill().know(anna())
    with pytest.raises(DeskProblem) as caught:
        till.run(PROVOKERS[code](till))
    told = f"{caught.value} {caught.value.detail} {caught.value.extras} {caught.value.__cause__}"
    for number in (ANNA_CARD, ANNA_PHONE.lstrip("+"), "4111111111111111", STRANGER_CARD):
        assert number not in told


def test_rules_may_grow_errors_that_the_desk_has_no_word_for() -> None:
    """They are told under the general code, with their place."""
    assert of_receipt(ReceiptError("new", pointer="/receipt/x", code="brand_new")).code == "receipt_invalid"
    assert of_return(ReturnError("new", code="brand_new")).code == "return_invalid"


def test_the_sentence_of_a_limit_names_it() -> None:
    """The cashier is told how many, in words."""
    till = FakeTill().know(anna())
    with pytest.raises(DeskProblem) as caught:
        till.run(redemption_exceeds(till))
    assert (
        till.desk.sentence("redemption_exceeds", caught.value.extras)
        == "Столько списать нельзя. Можно списать: 50 бонусов."
    )


def test_a_code_of_the_bridge_gets_a_general_sentence_by_its_status() -> None:
    """The bridge has errors of its own; the cashier still hears what to do."""
    desk = FakeTill(enrolled=False).desk
    assert desk.sentence("body_invalid", status=422, language="en").startswith("The till sent something wrong.")
    assert desk.sentence("rate_limited", status=429, language="en").startswith("Too many requests.")
    assert desk.sentence("boom", status=500, language="en").startswith("Points don't work right now.")
