"""Sales by the whole programme at one till: limits, budgets, coupons, discounts and facts that hold offline as well."""

import dataclasses
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from fakes.till import ANNA_CARD, PROGRAMME, STRANGER_CARD, FakeTill, anna, receipt
from till_agent.api import (
    DiscountTaken,
    HoldCreate,
    Identify,
    Quote,
    QuoteRequest,
    ReturnLineRequest,
    ReturnRequest,
    Sale,
    SaleRequest,
)
from till_agent.desk import Desk
from till_agent.exceptions import CloudUnreachable
from till_agent.ports import Shares
from till_loyalty import engine
from till_loyalty.masks import mask_card
from till_loyalty.programme import Redemption, RotatingCode, Rule
from till_loyalty.receipt import Place, Usage
from till_loyalty.rule_parts import Coupon, Discount, Life, Limit, Where, Who
from till_sync.asking import CouponAnswer, CouponQuestion
from till_sync.ops import ReturnBody, SaleBody, VoidBody, decode_body
from till_sync.wire import MemberFacts, OpResult

ANNA = Identify(card=ANNA_CARD)
RULES = replace(
    PROGRAMME,
    rules=(
        Rule(id="base", percent_basis_points=500),
        Rule(id="daily", points=30, limits=(Limit(per="day", amount=50),), title={"ru": "Подарок дня"}),
        Rule(id="first", points=7, who=Who(purchase_number=3)),
        Rule(id="north", points=3, where=Where(regions=("north",))),
        Rule(id="fund", points=10, limits=(Limit(per="budget", amount=1_000, offline="share"),)),
        Rule(id="promo", points=11, who=Who(coupon="once"), title={"ru": "Промо"}),
        Rule(id="later", points=5, who=Who(segments=("vip",)), life=Life(activates_after_days=2)),
        Rule(id="off", discount=Discount(percent_basis_points=1_000), who=Who(coupon="minus")),
    ),
    coupons=(
        Coupon(id="once", codes=("ONCE",), uses_per_member=1, uses_per_code=2, title={"ru": "Один раз"}),
        Coupon(id="minus", codes=("MINUS",)),
    ),
)


class FakeCoupons:
    """The cloud's answers about codes; `rows` None: it can't be reached."""

    def __init__(self) -> None:
        self.asked: list[CouponQuestion] = []
        self.rows: tuple[Usage, ...] | None = ()

    async def ask(self, question: CouponQuestion, *, budget_ms: int) -> CouponAnswer:
        self.asked.append(question)
        assert budget_ms == 800
        if self.rows is None:
            raise CloudUnreachable("no line")
        return CouponAnswer(usage=self.rows, server_time_ms=1)


class CouponTill(FakeTill):
    """A till whose cloud can be asked about codes."""

    def __init__(self, **settings: Any) -> None:
        self.coupons = FakeCoupons()
        super().__init__(programme=RULES, **settings)

    def new_desk(self) -> Any:
        return Desk(dataclasses.replace(self.parts(), coupons=self.coupons))


def till(**facts: Any) -> CouponTill:
    """Anna, who has bought twice before, at a till of the north with a share of 25."""
    made = CouponTill()
    fields: dict[str, Any] = {"purchases": 2, "last_purchase": "2017-12-01"}
    made.know(anna(facts=MemberFacts(**(fields | facts))))
    made.cache.place = Place(store="s1", region="north")
    made.cache.shares = Shares(left={"fund": 25}, included=(1, 0))
    return made


def sell(till: FakeTill, uid: str, **changes: Any) -> Sale:
    """A receipt of 100,00 for Anna."""
    fields: dict[str, Any] = {"receipt": receipt(10_000), "member": ANNA}
    answered = till.run(till.desk.sell(uid, SaleRequest(**(fields | changes))))
    return msgspec.json.decode(answered.body, type=Sale)


def quote(till: FakeTill, **changes: Any) -> Quote:
    """The same receipt, asked about."""
    fields: dict[str, Any] = {"receipt": receipt(10_000), "member": ANNA}
    return till.run(till.desk.quote(QuoteRequest(**(fields | changes))))


def body(till: FakeTill, place: int = -1) -> SaleBody:
    """The op of a sale."""
    found = decode_body(till.journal.entries[place].body)
    assert isinstance(found, SaleBody)
    return found


def given(sale: Sale | Quote) -> dict[str, int]:
    """Points by rule."""
    return {each.rule: each.points for each in sale.calculation.accruals}


def asked_discounts(asked: Quote) -> tuple[DiscountTaken, ...]:
    """What cash software takes off that does as the quote says."""
    return msgspec.convert(msgspec.to_builtins(asked.calculation.discounts), tuple[DiscountTaken, ...])


def codes_said(answer: Sale | Quote) -> set[str]:
    return {message.code for message in answer.messages}


@pytest.mark.parametrize("online", [True, False])
def test_limits_purchases_and_budgets_hold_over_sales_that_no_cloud_has_seen(online: bool) -> None:
    """50 points a day, the third purchase, 25 of the budget; with a line and without one."""
    at = till()
    at.gateway.online = online
    sales = [sell(at, uid) for uid in ("a", "b", "c")]
    assert [given(each).get("daily", 0) for each in sales] == [30, 20, 0]
    assert [given(each).get("first", 0) for each in sales] == [7, 0, 0]
    assert [given(each).get("fund", 0) for each in sales] == [10, 10, 5]
    assert {given(each)["north"] for each in sales} == {3}
    assert "rule_limited_by_day" in codes_said(sales[1])
    assert next(each.text for each in sales[1].messages if each.code == "rule_limited_by_day").endswith("Подарок дня.")


def test_facts_do_not_count_twice_when_the_cloud_includes_the_sale() -> None:
    """By a verdict first, which brings no facts, and then by a page, which does."""
    at = till()
    first = sell(at, "a")
    assert given(first)["daily"] == 30
    balance = first.balance_after_points
    at.cache.record(1, (OpResult(seq=1, status="applied", member_id="m-anna", balance=balance),))
    assert given(quote(at))["daily"] == 20
    day = body(at).clock.business_date
    facts = MemberFacts(
        purchases=3, last_purchase=day, usage=(Usage(rule="daily", per="day", key=day, amount=30, uses=1),)
    )
    at.know(anna(balance=balance, facts=facts), included=(1, 1))
    at.cache.shares = Shares(left={"fund": 15}, included=(1, 1))
    again = quote(at)
    assert given(again)["daily"] == 20
    assert given(again)["fund"] == 10
    assert sell(at, "b").balance_before_points == balance
    assert body(at).facts is not None
    assert body(at).facts.purchases == 3
    assert body(at).budgets == {"fund": 15}


def test_the_op_says_what_the_rules_were_given_so_that_the_cloud_can_count_it_again() -> None:
    """The same engine on the op's own facts gives the op's own result."""
    at = till(segments=("vip",))
    quote(at, codes=("once ", "MINUS"))
    sell(at, "a", codes=("once ", "MINUS", "ONCE"), discounts=(DiscountTaken(rule="off", line=1, amount_minor=1_000),))
    op = body(at)
    assert op.codes == ("once", "MINUS")
    assert op.place == Place(store="s1", region="north", channel="till")
    assert op.result.coupons == ("minus", "once")
    again = engine.calculate(
        RULES,
        op.facts,
        op.receipt,
        op.clock,
        place=op.place,
        codes=op.codes,
        budgets=op.budgets,
        offline=op.offline,
        taken=op.result.discounts,
    )
    assert again == op.result
    assert Usage(rule="once", per="code", key="ONCE", uses=1) in op.usage


@pytest.mark.parametrize("text", ["4111 1111 1111 1111", ";4111111111111111=2512101?", STRANGER_CARD, "rotating"])
def test_a_card_scanned_in_the_place_of_a_coupon_is_kept_in_part(text: str) -> None:
    """The scanner was in the wrong field: what says so and what is written has no card's number, and no wallet code."""
    at = till()
    at.cache.sell_by(replace(RULES, identifiers=replace(RULES.identifiers, rotating=RotatingCode())))
    text = f"{STRANGER_CARD}-1800000000-12345678" if text == "rotating" else text
    given_codes = (text, "MINUS", STRANGER_CARD[:6])
    asked = quote(at, codes=given_codes)
    assert "coupon_unknown" in codes_said(asked)
    sold = sell(at, "a", codes=given_codes, discounts=asked_discounts(asked))
    assert sold.calculation.coupons == ("minus",)
    assert body(at).codes == (mask_card(text), "MINUS", STRANGER_CARD[:6])
    entry = at.journal.entries[-1]
    kept = f"{entry.body!r} {entry.answer!r} {asked}".replace(" ", "")
    assert not any(number in kept for number in ("4111111111111111", STRANGER_CARD, "12345678"))


def test_a_coupon_may_look_like_a_card() -> None:
    """The programme has said what it is; without one, nobody knows the chain's cards and coupons, but bank cards."""
    at = till()
    both = ("4111111111111111", STRANGER_CARD)
    at.cache.sell_by(replace(RULES, coupons=(Coupon(id="minus", codes=both),)))
    assert "coupon_unknown" not in codes_said(sell(at, "a", codes=both))
    assert body(at).codes == both
    bare = FakeTill(programme=None)
    bare.run(bare.desk.sell("b", SaleRequest(receipt=receipt(10_000), codes=both)))
    assert body(bare).codes == (mask_card(both[0]), both[1])


def test_points_that_are_not_active_yet_are_in_the_balance_and_not_to_be_spent() -> None:
    """Neither those of the cloud's row nor those of a sale a minute ago."""
    at = till(segments=("vip",))
    at.know(anna(balance=500, inactive=100, facts=MemberFacts(segments=("vip",))))
    before = at.run(at.desk.identify(ANNA))
    assert (before.balance_points, before.spendable_points, before.spendable_reason) == (500, 400, "inactive")
    sold = sell(at, "a")
    assert sold.member is not None
    assert sold.member.inactive_points == 105
    assert "earned_later" in codes_said(sold)
    after = at.run(at.desk.identify(ANNA))
    assert after == sold.member
    assert after.spendable_points == after.balance_points - 105
    at.clock.advance(3 * 24 * 3_600_000)
    assert at.run(at.desk.identify(ANNA)).inactive_points == 100, "own points are active now"


def test_the_cash_software_says_which_discounts_it_took() -> None:
    """A quote hands them out; a sale that names none has none, one that names them counts on what is left."""
    at = till()
    asked = quote(at, codes=("MINUS",), explain=True, language="en")
    assert asked.calculation.discount_minor == 1_000
    assert {"discount_total", "coupon_applied"} <= codes_said(asked)
    assert any(each.kind == "discount" for each in asked.explain)
    taken = sell(at, "a", codes=("MINUS",), discounts=asked_discounts(asked))
    assert taken.calculation.payable_minor == 9_000
    assert taken.calculation.coupons == ("minus",)
    assert given(taken)["base"] == 4, "5 % of 90,00, in whole points"
    untaken = sell(at, "b", codes=("MINUS",))
    assert (untaken.calculation.payable_minor, untaken.calculation.coupons) == (10_000, ())


def test_a_rule_that_holds_no_more_does_not_refuse_a_sale_that_was_quoted_by_it() -> None:
    """The coupon is out of the programme; the money was taken."""
    at = till()
    at.cache.sell_by(replace(RULES, version=2, rules=RULES.rules[:1], coupons=()))
    sold = sell(at, "a", discounts=(DiscountTaken(rule="off", line=1, amount_minor=1_000, supplier="brand"),))
    assert sold.calculation.payable_minor == 9_000
    assert sold.calculation.discounts[0].supplier == "brand"


def test_codes_of_limited_use_are_asked_about_once_and_a_sale_never_asks() -> None:
    """Five minutes long, and not of codes that nobody counts."""
    at = till()
    assert given(quote(at, codes=("ONCE", "MINUS")))["promo"] == 11
    assert given(quote(at, codes=("ONCE",)))["promo"] == 11
    assert at.coupons.asked == [CouponQuestion(codes=("ONCE",), member_id="m-anna")]
    at.clock.advance(6 * 60_000)
    assert given(sell(at, "a", codes=("ONCE",)))["promo"] == 11, "quoted by it, so sold by it"
    assert len(at.coupons.asked) == 1
    assert "promo" not in given(quote(at, codes=("ONCE",))), "used by this sale"
    assert "coupon_used_up" in codes_said(quote(at, codes=("ONCE",)))


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ((Usage(rule="once", per="life", uses=1),), "coupon_used_up"),
        ((Usage(rule="once", per="code", key="ONCE", uses=2),), "coupon_used_up"),
        ((Usage(rule="once", per="code", key="OTHER", uses=9), Usage(rule="once", per="code", key="ONCE", uses=1)), ""),
        (None, "coupon_refused_offline"),
    ],
)
def test_what_the_cloud_says_of_a_code_decides(rows: tuple[Usage, ...] | None, reason: str) -> None:
    """Without an answer the code counts as it would offline."""
    at = till()
    at.coupons.rows = rows
    asked = quote(at, codes=("ONCE",))
    assert ("promo" in given(asked)) == (not reason)
    assert reason in codes_said(asked) | {""}
    found = at.run(at.desk.coupon("ONCE", "m-anna", None))
    assert (found.usable, found.reason, found.coupon, found.checked) == (not reason, reason, "once", rows is not None)


def test_a_coupon_is_asked_about_for_nobody_too() -> None:
    """Codes of everybody are good; those that are counted need a member; an unknown one is said so."""
    at = till()
    assert at.run(at.desk.coupon(" minus ", None, "en")).usable
    assert at.run(at.desk.coupon("ONCE", None, "en")).reason == "coupon_needs_member"
    nothing = at.run(at.desk.coupon("NOPE", None, "en"))
    assert (nothing.reason, nothing.code) == ("coupon_unknown", "NOPE")
    assert nothing.messages[0].text == "There is no coupon NOPE. Check the code."


def test_a_void_or_a_full_return_gives_a_coupon_back_and_nothing_of_a_limit() -> None:
    """At this till at once, also without a line; part of the goods does not."""
    at = till(coupons=("once",))
    for uid in ("a", "b"):
        assert given(sell(at, uid, codes=("ONCE",)))["promo"] == 11
        at.run(at.desk.void(uid))
        voided = decode_body(at.journal.entries[-1].body)
        assert isinstance(voided, VoidBody)
        assert Usage(rule="once", per="life", uses=-1) in voided.usage
        assert voided.clock is not None
    assert given(sell(at, "c", codes=("ONCE",))).get("daily", 0) == 0, "limits stay used"
    assert isinstance(decode_body(at.journal.entries[-1].body), SaleBody)
    half = ReturnRequest(sale_uid="c", lines=(ReturnLineRequest(number=1, quantity_thousandths=500),))
    at.run(at.desk.give_back("r1", half))
    assert "promo" not in given(quote(at, codes=("ONCE",)))
    at.run(at.desk.give_back("r2", ReturnRequest(sale_uid="c")))
    last = decode_body(at.journal.entries[-1].body)
    assert isinstance(last, ReturnBody)
    assert last.usage
    assert given(quote(at, codes=("ONCE",)))["promo"] == 11


def test_a_stranger_has_limits_too() -> None:
    """Own sales to a card that nobody knows here count for it."""
    at = till()
    stranger = Identify(card=STRANGER_CARD)
    assert given(sell(at, "a", member=stranger))["daily"] == 30
    assert given(sell(at, "b", member=stranger))["daily"] == 20
    assert "first" not in given(sell(at, "c", member=stranger)), "how often they bought before, nobody knows here"


def test_a_quote_says_how_much_may_be_spent_and_when_a_code_must_prove_the_member() -> None:
    """Half of the receipt, and above 30 points with a code."""
    at = till()
    at.cache.sell_by(
        replace(RULES, redemption=Redemption(max_share_basis_points=5_000, proof=("code",), proof_above_points=30))
    )
    asked = quote(at, redeem_points=-1)
    assert asked.redeemable is not None
    assert (asked.redeemable.points, asked.redeemable.amount_minor) == (50, 5_000)
    assert (asked.redeemable.proof, asked.redeemable.proof_above_points) == (("code",), 30)
    assert "proof_needed" in codes_said(asked)
    assert quote(at, member=None).redeemable is None
    at.cache.sell_by(
        replace(
            RULES, redemption=Redemption(max_share_basis_points=5_000, proof=("code", "pin"), proof_above_points=30)
        )
    )
    either = quote(at, redeem_points=-1)
    assert either.redeemable is not None
    assert either.redeemable.proof == ("code", "pin")
    assert [told.text for told in either.messages if told.code == "proof_needed"] == [
        "Чтобы списать больше, нужен код из СМС или ПИН-код. Без этого: 30 бонусов."
    ]


def test_a_hold_spends_no_points_that_are_not_active() -> None:
    """What the sale may spend is what the hold reserved."""
    at = till()
    at.know(anna(balance=500, inactive=450))
    hold = at.run(at.desk.hold(HoldCreate(sale_uid="a", member=ANNA, points=50)))
    sold = sell(at, "a", hold=hold.hold, redeem_points=50)
    assert sold.calculation.redeemed_points == 50
    assert sold.member is not None
    assert sold.member.spendable_points == sold.calculation.earned_points
