"""How much rules give: ways of giving, discounts, limits, lives, funding, coupons."""

from datetime import date
from typing import Any, NamedTuple

import pytest

from till_loyalty.coupons import coupons_back
from till_loyalty.engine import calculate
from till_loyalty.exceptions import ProgrammeError, ReceiptError
from till_loyalty.life import life_of
from till_loyalty.limits import budget_used, period_key, usage_of
from till_loyalty.programme import Exclusion, Programme, Redemption, Rule, Tier
from till_loyalty.programme_document import parse_programme
from till_loyalty.receipt import Line, MemberState, Receipt, StoreClock, Usage
from till_loyalty.results import Calculation, Reversal
from till_loyalty.returns import reverse
from till_loyalty.rule_parts import (
    Coupon,
    Discount,
    Funding,
    Life,
    Limit,
    Match,
    PerMoney,
    PerUnit,
    Step,
    Who,
)
from unit.loyalty.loyalty_support import CLOCK, line, programme, receipt

NOBODY = MemberState()


class Back(NamedTuple):
    """A line and how much of it comes back."""

    number: int
    quantity_thousandths: int
    amount_minor: int | None = None


def points(rules: Programme, *amounts: int, **fields: Any) -> list[int]:
    return [each.earned_points for each in calculate(rules, NOBODY, receipt(*amounts), CLOCK, **fields).lines]


def off(terms: Discount, *lines: Line, **fields: Any) -> list[int]:
    result = calculate(programme(Rule(id="d", discount=terms), **fields), NOBODY, Receipt(lines=lines), CLOCK)
    assert result.discount_minor == sum(each.discount_minor for each in result.lines)
    assert result.payable_minor == sum(each.payable_minor for each in result.lines)
    assert result.total_minor - result.discount_minor == result.payable_minor
    return [each.discount_minor for each in result.lines]


def units(number: int, price: int, count: int, **fields: Any) -> Line:
    return line(number, price * count, quantity_thousandths=count * 1000, **fields)


@pytest.mark.parametrize(
    ("rule", "amounts", "given"),
    [
        (Rule(id="r", per_money=PerMoney(points=1, per_minor=1000)), (999, 1), [1, 0]),
        (Rule(id="r", per_money=PerMoney(points=1, per_minor=1000)), (500, 499), [0, 0]),
        (Rule(id="r", per_money=PerMoney(points=3, per_minor=1000)), (2999,), [6]),
        (Rule(id="r", per_unit=PerUnit(points=5)), (100, 0), [5, 0]),
        (Rule(id="r", points=7), (200, 100), [5, 2]),
        (Rule(id="r", steps=(Step(), Step(from_minor=100, percent_basis_points=1000))), (50, 49), [0, 0]),
        (Rule(id="r", steps=(Step(from_minor=100, points=2), Step(from_minor=200, points=9))), (199,), [2]),
        (Rule(id="r", steps=(Step(from_minor=100, points=2), Step(from_minor=200, points=9))), (200,), [9]),
    ],
)
def test_ways_of_giving(rule: Rule, amounts: tuple[int, ...], given: list[int]) -> None:
    assert points(programme(rule), *amounts) == given


def test_points_per_unit_count_whole_portions() -> None:
    sold = Receipt(lines=(line(1, 500, quantity_thousandths=2999), line(2, 500, quantity_thousandths=1500)))
    rules = programme(Rule(id="r", per_unit=PerUnit(points=2, per_thousandths=1500)))
    assert [each.earned_points for each in calculate(rules, NOBODY, sold, CLOCK).lines] == [2, 2]


def test_a_multiplier_repeats_what_earlier_rules_gave_its_lines() -> None:
    base = Rule(id="base", percent_basis_points=1000)
    other = Rule(id="other", points=10)
    double = Rule(id="double", priority=200, multiplier_basis_points=25_000, match=Match(skus=("sku-1",)))
    assert points(programme(base, double), 1000, 1000) == [2, 1]
    named = Rule(id="double", priority=200, multiplier_basis_points=20_000, multiplies=("base",))
    assert sum(points(programme(base, other, named), 1000, 1000)) == 2 + 10 + 2


def test_a_tier_multiplies_percent_and_not_fixed_points_with_one_rounding() -> None:
    tiers = (Tier(id="gold", multiplier_basis_points=15_000),)
    rules = programme(Rule(id="base", percent_basis_points=100), Rule(id="gift", points=10), tiers=tiers)
    result = calculate(rules, MemberState(tier="gold"), receipt(19_999), CLOCK)
    assert {each.rule: each.points for each in result.accruals} == {"base": 2, "gift": 10}  # 1.9999 x 1.5 = 2.99
    assert calculate(rules, MemberState(tier="gold"), receipt(20_000), CLOCK).earned_points == 13


@pytest.mark.parametrize(
    ("terms", "lines", "expected"),
    [
        (Discount(percent_basis_points=1000), (line(1, 105), line(2, 205)), [11, 20]),
        (Discount(amount_minor=300), (line(1, 4000), line(2, 2000), line(3, 2000)), [150, 75, 75]),
        (Discount(amount_minor=300, per="line"), (line(1, 400), line(2, 200)), [300, 200]),
        (Discount(amount_minor=300, per="unit"), (units(1, 200, 2), units(2, 400, 1)), [400, 300]),
        (Discount(unit_price_minor=150), (units(1, 200, 2), units(2, 100, 3)), [100, 0]),
        (Discount(bundle_units=3, bundle_price_minor=2000), (units(1, 700, 1), units(2, 700, 2)), [33, 67]),
        (Discount(bundle_units=3, bundle_price_minor=2000), (units(1, 500, 4),), [0]),
        (Discount(buy_units=2, get_units=1), (units(1, 510, 6),), [1020]),
        (Discount(buy_units=2, get_units=1), (units(1, 510, 2),), [0]),
        (Discount(buy_units=2, get_units=2), (units(1, 500, 2), units(2, 1000, 2)), [1000, 0]),
        (Discount(buy_units=1, get_units=1, maximum_groups=1), (units(1, 500, 4),), [500]),
        (Discount(percent_basis_points=9000, maximum_units=1), (units(1, 320, 6),), [288]),
        (Discount(percent_basis_points=10_000, maximum_minor=4000), (line(1, 2500), line(2, 3000)), [1818, 2182]),
        (Discount(amount_minor=2000), (line(1, 5000, minimum_price_minor=4500), line(2, 2000)), [500, 1500]),
        (Discount(percent_basis_points=5000), (line(1, 1000, minimum_price_minor=900),), [100]),
        (Discount(percent_basis_points=10_000), (line(1, 77, quantity_thousandths=333),), [77]),
    ],
)
def test_discounts(terms: Discount, lines: tuple[Line, ...], expected: list[int]) -> None:
    assert off(terms, *lines) == expected


def test_what_is_bought_may_differ_from_what_is_got() -> None:
    terms = Discount(buy=Match(skus=("board",)), buy_units=3, get_units=1)
    rules = programme(Rule(id="d", discount=terms, match=Match(skus=("pen",))))
    sold = Receipt(lines=(units(1, 198, 6, sku="board"), units(2, 320, 3, sku="pen")))
    assert [each.discount_minor for each in calculate(rules, NOBODY, sold, CLOCK).lines] == [0, 640]


def test_discounts_act_in_order_on_what_is_left_and_points_come_from_the_rest() -> None:
    tenth = Rule(id="a", discount=Discount(percent_basis_points=1000))
    fixed = Rule(id="b", discount=Discount(amount_minor=100))
    earn = Rule(id="earn", percent_basis_points=1000)
    result = calculate(programme(earn, fixed, tenth, point_value_minor=1), NOBODY, receipt(1000), CLOCK)
    assert (result.payable_minor, result.earned_points) == (800, 80)
    assert [(each.rule, each.base_minor, each.amount_minor) for each in result.discounts] == [
        ("a", 1000, 100),
        ("b", 900, 100),
    ]


def test_the_best_discount_of_a_group_acts_and_an_exclusive_one_takes_its_lines() -> None:
    group = {"stack": "best_of_group", "group": "g"}
    one = Rule(id="a", discount=Discount(amount_minor=10), **group)
    two = Rule(id="b", discount=Discount(amount_minor=30), **group)
    three = Rule(id="c", discount=Discount(amount_minor=30), **group)
    result = calculate(programme(one, two, three), NOBODY, receipt(1000), CLOCK)
    assert [each.rule for each in result.discounts] == ["b"]
    first = Rule(id="a", discount=Discount(amount_minor=10), stack="exclusive", match=Match(skus=("sku-1",)))
    result = calculate(programme(first, two), NOBODY, receipt(1000, 1000), CLOCK)
    assert [(each.rule, each.line) for each in result.discounts] == [("a", 1), ("b", 2)]


def test_no_discount_touches_what_the_law_protects() -> None:
    legal = Exclusion(id="law", match=Match(skus=("sku-1",)), legal=True)
    rules = programme(Rule(id="d", discount=Discount(amount_minor=500)), exclusions=(legal,))
    result = calculate(rules, NOBODY, receipt(1000, 100), CLOCK)
    assert [each.discount_minor for each in result.lines] == [0, 100]


def test_points_pay_only_what_discounts_left() -> None:
    rules = programme(Rule(id="d", discount=Discount(percent_basis_points=5000)), point_value_minor=1)
    result = calculate(rules, MemberState(spendable_points=10_000), receipt(1000), CLOCK, redeem_points=-1)
    assert (result.redeemed_minor, result.payable_minor, result.discount_minor) == (499, 1, 500)


def test_pieces_of_a_return_give_back_the_reduced_price_exactly() -> None:
    sale = calculate(
        programme(Rule(id="d", discount=Discount(amount_minor=1000))),
        NOBODY,
        Receipt(lines=(units(1, 10_000, 3),)),
        CLOCK,
    )
    backs: list[Reversal] = []
    for _ in range(3):
        backs.append(reverse(sale, backs, [Back(1, 1000)]))
    assert [each.money_back_minor for each in backs] == [9667, 9667, 9666]


def limited(*limits: Limit) -> Programme:
    return programme(Rule(id="r", points=10, limits=limits))


def run(rules: Programme, usage: tuple[Usage, ...] = (), **fields: Any) -> tuple[int, list[str]]:
    result = calculate(rules, MemberState(usage=usage), receipt(100, 200), CLOCK, **fields)
    return result.earned_points, [each.code for each in result.reasons if each.code.startswith("rule_")]


@pytest.mark.parametrize(
    ("limit", "usage", "fields", "expected"),
    [
        (Limit(per="receipt", amount=4), (), {}, (4, ["rule_limited_by_receipt"])),
        (Limit(per="receipt", amount=10), (), {}, (10, [])),
        (Limit(per="day", amount=15), (("day", "2017-12-23", 8, 1),), {}, (7, ["rule_limited_by_day"])),
        (Limit(per="day", amount=15), (("day", "2017-12-22", 8, 1),), {}, (10, [])),
        (Limit(per="week", uses=1), (("week", "2017-W51", 8, 1),), {}, (0, ["rule_limited_by_week"])),
        (Limit(per="week", uses=2), (("week", "2017-W51", 8, 1),), {}, (10, [])),
        (Limit(per="month", amount=9), (("month", "2017-12", 9, 1),), {}, (0, ["rule_limited_by_month"])),
        (Limit(per="life", amount=9), (("life", "", 2, 1),), {}, (7, ["rule_limited_by_life"])),
        (Limit(per="budget", amount=99), (), {"budgets": {"r": 3}}, (3, ["rule_limited_by_budget"])),
        (Limit(per="budget", amount=99), (), {"budgets": {"r": -3}}, (0, ["rule_limited_by_budget"])),
        (Limit(per="budget", amount=99), (), {}, (10, [])),
        (Limit(per="budget", amount=99, offline="share"), (), {"offline": True}, (0, ["rule_without_share"])),
        (
            Limit(per="budget", amount=99, offline="share"),
            (),
            {"offline": True, "budgets": {"r": 6}},
            (6, ["rule_limited_by_budget"]),
        ),
        (Limit(per="day", amount=99, offline="refuse"), (), {"offline": True}, (0, ["rule_refused_offline"])),
        (Limit(per="day", amount=99, offline="refuse"), (), {}, (10, [])),
        (Limit(per="day", amount=15), (("day", "2017-12-23", 8, 1),), {"offline": True}, (7, ["rule_limited_by_day"])),
    ],
)
def test_limits_trim_and_say_so(
    limit: Limit, usage: tuple[tuple[str, str, int, int], ...], fields: dict[str, Any], expected: tuple[int, list[str]]
) -> None:
    rows = tuple(Usage(rule="r", per=per, key=key, amount=had, uses=uses) for per, key, had, uses in usage)
    assert run(limited(limit), rows, **fields) == expected


def test_usage_of_a_sale_is_what_the_next_sale_finds() -> None:
    rules = limited(Limit(per="day", amount=15), Limit(per="week", amount=100), Limit(per="budget", amount=1000))
    first = calculate(rules, NOBODY, receipt(100), CLOCK)
    usage = usage_of(rules, first, CLOCK.business_date)
    assert [(each.per, each.key, each.amount, each.uses) for each in usage] == [
        ("day", "2017-12-23", 10, 1),
        ("week", "2017-W51", 10, 1),
    ]
    assert run(rules, usage)[0] == 5
    assert budget_used(first, rules.rules) == {"r": 10}


@pytest.mark.parametrize(
    ("per", "day", "key"),
    [("week", "2021-01-03", "2020-W53"), ("week", "2024-12-30", "2025-W01"), ("month", "2024-02-29", "2024-02")],
)
def test_periods(per: str, day: str, key: str) -> None:
    assert period_key(per, date.fromisoformat(day)) == key


@pytest.mark.parametrize(
    ("life", "day", "bounds"),
    [
        (Life(expires_after_months=1), "2026-01-31", ("", "2026-02-28")),
        (Life(expires_after_months=1), "2028-01-31", ("", "2028-02-29")),
        (Life(expires_after_months=12), "2028-02-29", ("", "2029-02-28")),
        (Life(expires_after_months=2), "2026-11-30", ("", "2027-01-30")),
        (Life(activates_after_days=14, expires_after_days=30), "2026-01-01", ("2026-01-15", "2026-02-14")),
        (Life(expires_after_days=30, expires_on="2026-01-20"), "2026-01-01", ("", "2026-01-20")),
        (Life(activates_after_days=1), "2026-12-31", ("2027-01-01", "")),
        (Life(expires_after_months=1200), "9990-01-01", ("", "9999-12-31")),
        (Life(expires_after_days=36_600), "9999-01-01", ("", "9999-12-31")),
    ],
)
def test_lives(life: Life, day: str, bounds: tuple[str, str]) -> None:
    assert life_of(life, date.fromisoformat(day)) == bounds


def test_accruals_carry_life_and_funding() -> None:
    own = Rule(
        id="a", points=1, life=Life(expires_after_days=1), funded_by=Funding(supplier="acme", share_basis_points=5000)
    )
    rules = programme(own, Rule(id="b", points=1), life=Life(activates_after_days=1))
    one, two = calculate(rules, NOBODY, receipt(100), CLOCK).accruals
    assert (one.active_from, one.expires_on, one.supplier, one.supplier_share_basis_points) == (
        "",
        "2017-12-24",
        "acme",
        5000,
    )
    assert (two.active_from, two.expires_on, two.supplier) == ("2017-12-24", "", "")


def test_a_ceiling_of_the_receipt_trims_redemption() -> None:
    rules = programme(redemption=Redemption(maximum_receipt_minor=300), point_value_minor=1)
    result = calculate(rules, MemberState(spendable_points=999), receipt(1000), CLOCK, redeem_points=-1)
    assert result.redeemed_points == 300
    assert result.reasons[0].code == "redeem_limited_by_receipt_ceiling"


def use(coupon: Coupon, *codes: str, member: MemberState = NOBODY, **fields: Any) -> Calculation:
    rule = Rule(id="r", discount=Discount(amount_minor=100), who=Who(coupon="c"))
    return calculate(programme(rule, coupons=(coupon,)), member, receipt(1000), CLOCK, codes=codes, **fields)


@pytest.mark.parametrize(
    ("coupon", "codes", "member", "fields", "reason"),
    [
        ({}, (" santa ",), {}, {}, ""),
        ({}, ("elf",), {}, {}, "coupon_unknown"),
        ({"valid_from": "2017-12-23", "valid_to": "2017-12-24"}, ("SANTA",), {}, {}, ""),
        ({"valid_to": "2017-12-23"}, ("SANTA",), {}, {}, "coupon_not_in_term"),
        ({"valid_from": "2017-12-24"}, ("SANTA",), {}, {}, "coupon_not_in_term"),
        ({"assigned": True}, ("SANTA",), {}, {}, "coupon_not_held"),
        ({"assigned": True}, ("SANTA",), {"coupons": ("c",)}, {}, ""),
        ({"uses_per_member": 1}, ("SANTA",), {"usage": (Usage(rule="c", per="life", uses=1),)}, {}, "coupon_used_up"),
        ({"uses_per_member": 1}, ("SANTA",), {}, {"offline": True}, "coupon_refused_offline"),
        ({"uses_per_member": 1, "offline": "allow"}, ("SANTA",), {}, {"offline": True}, ""),
        ({"uses_per_member": 1}, ("SANTA",), {"coupons": ("c",)}, {"offline": True}, ""),
        ({}, ("SANTA",), {}, {"offline": True}, ""),
        ({"offline": "refuse"}, ("SANTA",), {}, {"offline": True}, "coupon_refused_offline"),
    ],
)
def test_coupons(
    coupon: dict[str, Any], codes: tuple[str, ...], member: dict[str, Any], fields: dict[str, Any], reason: str
) -> None:
    result = use(Coupon(id="c", codes=("Santa",), **coupon), *codes, member=MemberState(**member), **fields)
    assert (result.coupons == ("c",)) == (not reason) == (result.discount_minor == 100)
    assert not reason or result.reasons[0].code == reason


def test_a_coupon_that_gave_nothing_is_not_used_up() -> None:
    rule = Rule(id="r", points=1, who=Who(coupon="c"), match=Match(skus=("other",)))
    rules = programme(rule, coupons=(Coupon(id="c", codes=("C",)),))
    result = calculate(rules, NOBODY, receipt(100), CLOCK, codes=("c",))
    assert (result.coupons, result.reasons[-1].code) == ((), "coupon_without_effect")


def test_a_coupon_comes_back_only_on_a_full_return_within_its_term() -> None:
    coupon = Coupon(id="c", codes=("SANTA",), valid_to="2018-01-01")
    sale = use(coupon, "santa")
    rules = programme(coupons=(coupon,))
    assert coupons_back(rules, sale, returned_minor=1000, on="2017-12-31") == ("c",)
    assert coupons_back(rules, sale, returned_minor=999, on="2017-12-31") == ()
    assert coupons_back(rules, sale, returned_minor=1000, on="2018-01-01") == ()
    never = programme(coupons=(Coupon(id="c", codes=("SANTA",), returns="never"),))
    assert coupons_back(never, sale, returned_minor=1000, on="2017-12-31") == ()
    assert usage_of(rules, sale, "2017-12-23") == (Usage(rule="c", per="life", uses=1),)


def test_a_receipt_has_a_handful_of_codes() -> None:
    with pytest.raises(ReceiptError) as caught:
        use(Coupon(id="c", codes=("SANTA",)), *["x"] * 51)
    assert (caught.value.code, caught.value.pointer) == ("codes_too_many", "/codes")


def test_the_clock_is_read_only_where_a_rule_asks() -> None:
    broken = StoreClock(local_time="", business_date="")
    assert calculate(programme(Rule(id="r", points=1)), NOBODY, receipt(100), broken).earned_points == 1


HEAD = 'format = 1\nid = "p"\nversion = 1\ncurrency = "RUB"\n'
RULE = '[[rules]]\nid = "r"\n'
COUPON = '[[coupons]]\nid = "c"\ncodes = ["A"]\n'
FAULTS = {
    RULE: "rules[0].percent_basis_points: expected this field, or one of per_money, per_unit, points, steps, "
    "multiplier_basis_points, discount, not nothing",
    RULE + "points = 1\npercent_basis_points = 1": "rules[0].points: expected one way of giving in a rule, not this "
    "beside percent_basis_points",
    RULE + 'points = 1\nstack = "best_of_group"\ngroup = "g"': "rules[0].stack: expected a percent or a discount in a "
    "group, not points",
    RULE + "steps = [{ points = 1 }, { points = 2 }]": "rules[0].steps[1].from_minor: expected more than 0, not 0",
    RULE + "points = 1\nlimits = [{ per = 'day' }]": "rules[0].limits[0].amount: expected an amount or uses above 0, "
    "not a limit of nothing",
    RULE
    + "points = 1\nlimits = [{ per = 'dya', amount = 1 }]": "rules[0].limits[0].per: expected 'receipt' or 'day' or "
    "'week' or 'month' or 'life' or 'budget', not 'dya'; did you mean 'day'?",
    RULE + "points = 1\nlife = {}": "rules[0].life: expected days, months or a date, not an empty table",
    RULE + "discount = { amount_minor = 1, percent_basis_points = 1 }": "rules[0].discount.amount_minor: expected one "
    "way of giving in a discount, not this beside percent_basis_points",
    RULE + "discount = { bundle_units = 3 }": "rules[0].discount.bundle_units: expected a bundle's price and its units "
    "together, not one of them",
    RULE
    + "multiplier_basis_points = 20000\nmultiplies = ['x']": "rules[0].multiplies[0]: expected another rule, not 'x'",
    RULE
    + "points = 1\nwho = { coupon = 'd' }\n"
    + COUPON: "rules[0].who.coupon: expected a coupon of the programme (c), not 'd'",
    COUPON + COUPON.replace('"c"', '"e"').replace("A", " a"): "coupons[1].codes[0]: expected a code of its own, "
    "not ' a' as in coupons[0]",
    RULE
    + "points = 1\n"
    + COUPON.replace('"c"', '"r"'): "coupons[0].id: expected an id that no rule or other coupon has, not 'r'",
}


@pytest.mark.parametrize("text", FAULTS)
def test_faults_of_what_is_given(text: str) -> None:
    with pytest.raises(ProgrammeError) as caught:
        parse_programme(HEAD + text)
    assert FAULTS[text] in caught.value.problems
