"""For each rule of the Priority API: a build that breaks it is found out by the test named beside it."""

import inspect
import sys
import textwrap
from typing import Any, NamedTuple

import pytest

from till_agent.frontol import amounts as of_amounts
from till_agent.frontol import app, confirming, documents, drafts, naming, reading, refunds, settling
from till_agent.frontol import clients as of_clients
from unit.frontol_api import test_frontol_api_buyers as buyers
from unit.frontol_api import test_frontol_api_clients as clients
from unit.frontol_api import test_frontol_api_leftovers as leftovers
from unit.frontol_api import test_frontol_api_receipts as receipts
from unit.frontol_api import test_frontol_api_returns as returns
from unit.frontol_api import test_frontol_api_shapes as shapes
from unit.frontol_api import test_frontol_api_stalled as stalled
from unit.frontol_api.frontol_api_till import cash
from unit.frontol_api.test_frontol_api_naming import BARE, test_a_uid_is_the_same_with_and_without_braces_in_either_case


class Mistake(NamedTuple):
    """In `holder.name`, `old` becomes `new`; `caught_by` fails."""

    holder: Any
    name: str
    old: str
    new: str
    caught_by: Any


def returned(test: Any, *more: Any) -> Any:
    """A test of returns, with the till that it is given."""
    return lambda: test(inspect.unwrap(returns.till)(), *more)


def registered(test: Any) -> Any:
    return lambda: test(inspect.unwrap(clients.till)())


MISTAKES = {
    "points that paid and are not named stay the client's": Mistake(
        settling,
        "with_held",
        "if not held_minor or document.bonus_minor:",
        "if True:",
        lambda: leftovers.test_points_that_paid_are_spent_though_the_receipt_does_not_name_them([cash(80)], False),
    ),
    "points are spent though all was paid in money": Mistake(
        settling,
        "with_held",
        "return named if money + held_minor in whole or taken_off",
        "return named if money + held_minor in whole or money in whole",
        lambda: leftovers.test_points_of_a_client_who_is_not_the_buyer_after_all_are_free_again(
            {"mobilePhone": leftovers.ANNA_PHONE}, [cash(100)]
        ),
    ),
    "the digest is of what was parsed": Mistake(
        app.FrontolApp,
        "_answer",
        'self._check_access(dict(scope["headers"]).get(b"authorization", b""), raw, name)',
        'self._check_access(dict(scope["headers"]).get(b"authorization", b""), encoded(read_json(raw)), name)',
        shapes.TestAccess().test_the_digest_is_of_the_bytes_as_they_came,
    ),
    "no key is asked for": Mistake(
        app.FrontolApp,
        "_check_access",
        "if client is None:",
        "if client is None:\n        return None\n    if client is None:",
        shapes.TestAccess().test_a_wrong_key_is_the_only_error_of_http,
    ),
    "a uid keeps its braces": Mistake(
        naming,
        "normal_uid",
        ".strip(_BRACKETS)",
        "",
        lambda: test_a_uid_is_the_same_with_and_without_braces_in_either_case("{" + BARE + "}"),
    ),
    "a uid keeps its capitals": Mistake(
        reading,
        "read_document",
        'uid = normal_uid(_text(found, "uid"))',
        'uid = _text(found, "uid").strip("{}")',
        receipts.test_the_same_receipt_again_gets_the_same_answer,
    ),
    "a confirm is sold twice": Mistake(
        confirming.Confirming,
        "confirm",
        "earlier = await self._found(document)",
        'earlier = None; document = replace(document, uid=f"{document.uid}-{self._counter.now_ms()}")',
        receipts.test_the_same_receipt_again_gets_the_same_answer,
    ),
    "a repeated confirm is held against what was sold": Mistake(
        confirming.Confirming,
        "confirm",
        "if earlier is not None:",
        "if False:",
        receipts.test_another_body_under_the_same_uid_changes_nothing,
    ),
    "a discount is off by one": Mistake(
        settling,
        "sold",
        "lines.append(_line(position, price + off))",
        "lines.append(_line(position, price + off + 1))",
        receipts.test_a_receipt_is_sold_with_discount_and_points,
    ),
    "a discount is taken off twice": Mistake(
        settling,
        "_gross_to_quote",
        "position.total_minor in (left, left - seen.paid_minor)",
        "False",
        receipts.test_a_recalculation_does_not_take_a_discount_off_twice,
    ),
    "a discount counts that was not taken": Mistake(
        settling,
        "sold",
        "min(seen.discount_minor, max(0, seen.gross_minor - price)) if",
        "seen.discount_minor if",
        receipts.test_a_discount_that_frontol_did_not_take_is_none,
    ),
    "points are taken off the positions and beside them": Mistake(
        settling,
        "_paid_parts",
        "if not bonus or not totals_lack_points(document, draft):",
        "if True:",
        receipts.test_positions_may_lack_the_points_too,
    ),
    "the hold is forgotten at a restart": Mistake(
        confirming.Confirming,
        "_request",
        "redeem_points=points if member is not None else 0",
        "redeem_points=points if member is not None and len(self._counter.drafts) else 0",
        receipts.test_the_agent_restarted_in_mid_receipt_finds_what_it_held,
    ),
    "the draft is forgotten at a restart": Mistake(
        confirming.Confirming,
        "_request",
        "or await self._documents.recalled(document, of_sale=True)",
        "",
        receipts.test_the_agent_restarted_in_mid_receipt_finds_what_it_held,
    ),
    "a receipt waits for whoever looks a phone up": Mistake(
        confirming.Confirming,
        "_request",
        "recalled(document, of_sale=True)",
        "recalled(document)",
        stalled.test_nobody_is_asked_who_a_stranger_is_that_has_paid,
    ),
    "points that can not be taken stop the sale": Mistake(
        confirming,
        "_without",
        "if code in OF_POINTS and request.redeem_points:",
        "if False:",
        receipts.test_a_receipt_that_shrank_after_it_was_paid_gives_what_it_bears,
    ),
    "points that were not taken are not spoken of": Mistake(
        confirming.Confirming,
        "_answer",
        "document.bonus_minor > money_of",
        "False and document.bonus_minor > money_of",
        receipts.test_a_receipt_whose_points_can_no_more_be_taken_is_sold_all_the_same,
    ),
    "points and gift cards are money": Mistake(
        confirming,
        "_payments",
        "if paid.fiscal and not paid.is_bonus",
        "if True",
        receipts.test_payments_outside_the_fiscal_receipt_are_no_money,
    ),
    "a card that can not be read stops the sale": Mistake(
        confirming,
        "_without",
        "if code.startswith(OF_CLIENT) and",
        "if False and",
        lambda: receipts.test_a_card_that_can_not_be_read_does_not_stop_a_sale({"card": "29000000000181"}),
    ),
    "what may be a phone too is sold to nobody": Mistake(
        confirming.Confirming,
        "_named_otherwise",
        'if exc.code == "identifier_ambiguous" and',
        "if False and",
        buyers.test_a_card_that_may_be_a_phone_is_the_card_that_frontol_was_given,
    ),
    "points that were paid by are nobody's": Mistake(
        confirming.Confirming,
        "_named_otherwise",
        "not held or",
        "True or",
        buyers.test_points_reserved_are_of_who_has_them_whatever_names_the_buyer_now,
    ),
    "both print": Mistake(
        confirming.Confirming,
        "_request",
        "print_slip=False",
        "print_slip=True",
        receipts.test_a_receipt_is_sold_with_discount_and_points,
    ),
    "a wish is met by a little less": Mistake(
        documents.Documents,
        "pay",
        "if quote.calculation.redeemed_minor != wanted:",
        "if False:",
        receipts.test_more_than_the_receipt_bears_is_refused_with_what_it_bears,
    ),
    "cancelling keeps the points": Mistake(
        documents.Documents,
        "give_back",
        "await desk.release(stored.hold)",
        "pass",
        receipts.test_cancelling_gives_the_points_back_and_may_be_repeated,
    ),
    "points of another client stay reserved": Mistake(
        confirming.Confirming,
        "confirm",
        "await self._free_the_rest(document)",
        "pass",
        lambda: leftovers.test_points_of_a_client_who_is_not_the_buyer_after_all_are_free_again({}, [cash(100)]),
    ),
    "totals before discounts are taken for what was paid": Mistake(
        settling,
        "sold",
        "if seen is not None and beside:",
        "if seen is None and beside:",
        lambda: leftovers.test_totals_before_our_discounts_are_told_by_the_money(20, restarted=False),
    ),
    "what came back before is forgotten": Mistake(
        refunds.Refunding,
        "_sold",
        "return (await self._counter.desk.lines(document.reference_uid)).lines",
        "return ()",
        returns.test_the_same_goods_on_two_lines_come_back_one_by_one,
    ),
    "no quantity is every quantity": Mistake(
        refunds.Refunding,
        "_lines",
        "if document.positions and not lines:",
        "if document.positions is None:",
        returned(returns.test_positions_of_no_quantity_bring_nothing_back),
    ),
    "holds outlive their receipt": Mistake(
        documents.Documents,
        "_hold",
        "min(counter.life_ms, LONGEST_HOLD_MS)",
        "LONGEST_HOLD_MS",
        receipts.test_abandoned_receipts_give_their_points_back,
    ),
    "a receipt has no turns": Mistake(
        drafts.Drafts,
        "turn",
        "async with lock:",
        "if True:",
        receipts.test_turns_are_taken_by_uid,
    ),
    "amounts are floats": Mistake(
        of_amounts,
        "units",
        "return int(_EXACT.to_integral_value(_EXACT.scaleb(number, digits)))",
        "return round(float(number) * 10**digits)",
        lambda: shapes.test_amounts_are_read_exactly_and_rounded_half_up("1.005", 101),
    ),
    "a minus is passed by": Mistake(
        reading,
        "_amount",
        "if is_refund:",
        "if True:",
        lambda: shapes.test_amounts_that_no_receipt_has_are_refused_in_words("-1", "totalAmount"),
    ),
    "a minimum price is the line's": Mistake(
        of_amounts,
        "smallest",
        "-(-price_minor * quantity_thousandths // 1000)",
        "price_minor",
        receipts.test_a_position_is_not_paid_below_its_minimum_price,
    ),
    "a refund stops at what is not known": Mistake(
        refunds.Refunding,
        "confirm",
        "if exc.retryable or exc.status >= 500:",
        "if True:",
        returned(returns.test_more_than_was_sold_does_not_come_back),
    ),
    "a refund without a line is lost": Mistake(
        refunds.Refunding,
        "confirm",
        "if exc.retryable or exc.status >= 500:",
        "if False:",
        returned(returns.test_another_tills_sale_without_a_line_is_to_be_sent_again),
    ),
    "a check registers": Mistake(
        of_clients.Clients,
        "_check",
        "commit=False",
        "commit=True",
        registered(clients.test_somebody_is_registered_with_a_code),
    ),
}


def broken(mistake: Mistake) -> Any:
    """The function with the mistake in it; it must be there once."""
    whole = vars(mistake.holder)[mistake.name]
    inner = whole.__func__ if isinstance(whole, staticmethod) else whole
    source = textwrap.dedent(inspect.getsource(inspect.unwrap(inner)))
    count = source.count(mistake.old)
    assert count == 1, f"{mistake.name}: expected {mistake.old!r} once, not {count} times"
    module = sys.modules[inspect.unwrap(inner).__module__]
    space = dict(module.__dict__)
    exec(compile(source.replace(mistake.old, mistake.new), "<mistake>", "exec"), space)
    return space[mistake.name]


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_in_the_priority_api_is_caught(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test passes without the mistake and fails with it."""
    mistake = MISTAKES[name]
    mistake.caught_by()
    wrong = broken(mistake)
    monkeypatch.setattr(mistake.holder, mistake.name, wrong)
    if not inspect.isclass(mistake.holder):
        ours = [each for key, each in sys.modules.items() if key.startswith(("till_agent.frontol", "unit.frontol_api"))]
        for module in ours:
            if mistake.name in vars(module):
                monkeypatch.setattr(module, mistake.name, wrong)
    with pytest.raises((AssertionError, KeyError)):
        mistake.caught_by()
