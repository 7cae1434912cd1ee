"""The engine case by case: exclusions, redemption, rules, rounding, and what it says about each."""

import subprocess
import sys

import pytest

from till_loyalty.engine import calculate, empty_calculation
from till_loyalty.exceptions import ReceiptError
from till_loyalty.plan import PLANS_KEPT
from till_loyalty.programme import Exclusion, Match, Programme, Redemption, Rule
from till_loyalty.receipt import LARGEST_AMOUNT_MINOR, LINE_LIMIT, MemberState, Receipt
from till_loyalty.results import Calculation, Reason
from unit.loyalty.loyalty_support import CLOCK, line, member, programme, receipt, steps_of

BASE = Rule(id="base", percent_basis_points=100)
FRUIT = Match(categories=(("fruit",),))


def run(rules: Programme, goods: Receipt, points: int = 0, wish: int = 0, tier: str = "") -> Calculation:
    return calculate(rules, member(points, tier), goods, CLOCK, redeem_points=wish)


def earned(result: Calculation) -> list[int]:
    return [each.earned_points for each in result.lines]


def paid(result: Calculation) -> list[int]:
    return [each.paid_by_points_minor for each in result.lines]


def codes(result: Calculation) -> list[str]:
    return [reason.code for reason in result.reasons]


@pytest.mark.parametrize(
    ("rounding", "round_at", "expected"),
    [
        ("floor", "receipt", [1, 1, 0]),  # 1 % of 2.97 is 2.97 points
        ("half_up", "receipt", [1, 1, 1]),
        ("half_even", "receipt", [1, 1, 1]),
        ("ceil", "receipt", [1, 1, 1]),
        ("floor", "line", [0, 0, 0]),
        ("half_up", "line", [1, 1, 1]),
        ("half_even", "line", [1, 1, 1]),
        ("ceil", "line", [1, 1, 1]),
    ],
)
def test_rounding_once_for_the_receipt_or_on_each_line(rounding: str, round_at: str, expected: list[int]) -> None:
    rules = programme(BASE, points_exponent=2, rounding=rounding, round_at=round_at)
    assert earned(run(rules, receipt(99, 99, 99))) == expected


@pytest.mark.parametrize(("base", "expected"), [("payable", [4, 4]), ("gross", [10, 10])])
def test_base_is_what_is_paid_or_the_whole_price(base: str, expected: list[int]) -> None:
    rules = programme(BASE, points_exponent=2, earn_base=base)
    assert earned(run(rules, receipt(1000, 1000), points=1200, wish=1200)) == expected


def test_a_point_worth_more_than_one_unit_of_money() -> None:
    """5 % of 30.00 is 1.50 of money: one whole point of 1.50."""
    rules = programme(Rule(id="five", percent_basis_points=500), point_value_minor=150)
    assert earned(run(rules, receipt(3000))) == [1]
    assert run(rules, receipt(2999)).reasons[-1] == Reason(
        code="rule_rounded_to_zero", rule="five", numbers={"base_minor": 2999}
    )


def test_rules_act_by_priority_and_then_by_id() -> None:
    rules = programme(
        Rule(id="z", percent_basis_points=100, priority=1),
        Rule(id="b", percent_basis_points=100, priority=2),
        Rule(id="a", percent_basis_points=100, priority=2),
        points_exponent=2,
    )
    assert [each.rule for each in run(rules, receipt(100)).accruals] == ["z", "a", "b"]


def test_rules_that_stack_add_up() -> None:
    rules = programme(BASE, Rule(id="more", percent_basis_points=200), points_exponent=2)
    assert earned(run(rules, receipt(1000))) == [30]


def test_of_a_group_each_line_gets_the_best_rule() -> None:
    """3 % on fruit beats the 2 % of the gold tier there, and only there."""
    group = {"stack": "best_of_group", "group": "g"}
    rules = programme(
        Rule(id="base", percent_basis_points=100, **group),
        Rule(id="gold", percent_basis_points=200, tiers=("gold",), **group),
        Rule(id="fruit", percent_basis_points=300, match=FRUIT, **group),
        points_exponent=2,
    )
    goods = Receipt(lines=(line(1, 1000), line(2, 1000, category=("fruit", "apples"))))
    assert earned(run(rules, goods, tier="gold")) == [20, 30]
    assert earned(run(rules, goods)) == [10, 30]
    assert [each.rule for each in run(rules, goods, tier="gold").accruals] == ["fruit", "gold"]


def test_of_equal_rules_of_a_group_the_earlier_gives() -> None:
    group = {"percent_basis_points": 100, "stack": "best_of_group", "group": "g"}
    rules = programme(Rule(id="b", **group), Rule(id="a", **group), points_exponent=2)
    assert [each.rule for each in run(rules, receipt(100)).accruals] == ["a"]


def test_an_exclusive_rule_takes_its_lines_from_later_rules_only() -> None:
    rules = programme(
        Rule(id="first", percent_basis_points=100, priority=1),
        Rule(id="only", percent_basis_points=500, priority=2, stack="exclusive", match=Match(skus=("sku-1",))),
        Rule(id="last", percent_basis_points=1000, priority=3),
        points_exponent=2,
    )
    assert earned(run(rules, receipt(1000, 1000))) == [60, 110]


def test_an_exclusive_rule_that_does_not_apply_takes_nothing() -> None:
    rules = programme(
        Rule(id="only", percent_basis_points=500, priority=1, stack="exclusive", minimum_sum_minor=5000),
        Rule(id="last", percent_basis_points=100, priority=2),
        points_exponent=2,
    )
    assert earned(run(rules, receipt(1000))) == [10]


@pytest.mark.parametrize(("amount", "expected"), [(499, 0), (500, 5), (501, 5)])
def test_minimum_sum_counts_from_the_very_sum(amount: int, expected: int) -> None:
    rules = programme(Rule(id="from", percent_basis_points=100, minimum_sum_minor=500), points_exponent=2)
    result = run(rules, receipt(amount))
    assert result.earned_points == expected
    if not expected:
        numbers = {"needed_minor": 500, "have_minor": 499}
        assert result.reasons[-1] == Reason(code="rule_below_minimum_sum", rule="from", numbers=numbers)


def test_minimum_sum_looks_at_the_rules_own_lines() -> None:
    """Bread does not help a rule on fruit, and excluded fruit does not either."""
    rules = programme(
        Rule(id="from", percent_basis_points=100, minimum_sum_minor=500, match=FRUIT),
        points_exponent=2,
        exclusions=(Exclusion(id="sale", match=Match(skus=("sku-3",))),),
    )
    fruit = {"category": ("fruit",)}
    assert earned(run(rules, Receipt(lines=(line(1, 1000), line(2, 499, **fruit), line(3, 900, **fruit))))) == [0, 0, 0]
    assert earned(run(rules, Receipt(lines=(line(1, 1000), line(2, 500, **fruit))))) == [0, 5]


@pytest.mark.parametrize(
    ("category", "takes"),
    [(("fruit",), True), (("fruit", "apples"), True), (("fruits",), False), (("food", "fruit"), False), ((), False)],
)
def test_category_is_matched_from_its_root(category: tuple[str, ...], takes: bool) -> None:
    rules = programme(Rule(id="fruit", percent_basis_points=100, match=FRUIT), points_exponent=2)
    assert bool(earned(run(rules, Receipt(lines=(line(1, 1000, category=category),))))[0]) is takes


def test_a_line_that_a_match_names_twice_counts_once() -> None:
    match = Match(skus=("sku-1", "sku-1"), categories=(("fruit",), ("fruit", "apples"), ("fruit",)))
    rules = programme(Rule(id="fruit", percent_basis_points=100, match=match), points_exponent=2)
    assert earned(run(rules, Receipt(lines=(line(1, 1000, category=("fruit", "apples")),)))) == [10]


@pytest.mark.parametrize(
    ("exclusion", "earns", "redeems", "code"),
    [
        ({"legal": True}, 0, 0, "line_excluded_by_law"),
        ({"legal": True, "earn": False, "redeem": False}, 0, 0, "line_excluded_by_law"),
        ({}, 0, 0, "line_excluded"),
        ({"redeem": False}, 0, 1, "line_not_earning"),
        ({"earn": False}, 1, 0, "line_not_redeemable"),
        ({"earn": False, "redeem": False}, 1, 1, ""),
    ],
)
def test_an_exclusion_blocks_what_it_says_and_a_legal_one_both(
    exclusion: dict[str, bool], earns: int, redeems: int, code: str
) -> None:
    rules = programme(
        Rule(id="base", percent_basis_points=10_000, stack="exclusive"),
        points_exponent=2,
        exclusions=(Exclusion(id="not-this", match=Match(skus=("sku-1",)), **exclusion),),
    )
    spent = run(rules, receipt(1000, 1000), points=10**6, wish=-1)
    assert paid(spent) == [999 * redeems, 999]
    assert earned(run(rules, receipt(1000, 1000))) == [1000 * earns, 1000]
    told = [reason for reason in spent.reasons if reason.rule == "not-this"]
    assert told == ([Reason(code=code, rule="not-this", line=1)] if code else [])


def test_an_excluded_line_does_not_raise_the_share_for_others() -> None:
    """Half of the bread, not half of bread and tobacco."""
    rules = programme(
        points_exponent=2,
        exclusions=(Exclusion(id="tobacco", match=Match(skus=("sku-1",)), legal=True),),
        redemption=Redemption(max_share_basis_points=5000),
    )
    assert paid(run(rules, receipt(10_000, 1000), points=10**6, wish=-1)) == [0, 500]


TRIMS = [
    # points, wish, terms, redeemable, redeemed, codes
    (1000, 0, {}, 1000, 0, []),
    (1000, 300, {}, 1000, 300, []),
    (1000, -1, {}, 1000, 1000, []),
    (200, 300, {}, 200, 200, ["redeem_limited_by_balance"]),
    (9999, -1, {"max_share_basis_points": 5000}, 1000, 1000, ["redeem_limited_by_share"]),
    (9999, 1001, {"max_share_basis_points": 5000}, 1000, 1000, ["redeem_limited_by_share"]),
    (9999, 1000, {"max_share_basis_points": 5000}, 1000, 1000, []),
    (9999, -1, {}, 1998, 1998, ["redeem_limited_by_line_prices"]),
    (9999, -1, {"minimum_line_price_minor": 0}, 2000, 2000, ["redeem_limited_by_share"]),
    (9999, -1, {"minimum_line_price_minor": 600}, 800, 800, ["redeem_limited_by_line_prices"]),
    (1999, 1234, {"step_points": 100}, 1900, 1200, ["redeem_trimmed_to_step"]),
    (1150, 1234, {"step_points": 100}, 1100, 1100, ["redeem_limited_by_balance", "redeem_trimmed_to_step"]),
    (1000, 50, {"step_points": 100}, 1000, 0, ["redeem_trimmed_to_step"]),
    (1000, 50, {"enabled": False}, 0, 0, ["redeem_disabled"]),
    (0, 50, {}, 0, 0, ["redeem_nothing_spendable"]),
    (-70, 50, {}, 0, 0, ["redeem_nothing_spendable"]),
    (99, -1, {"minimum_balance_points": 100}, 0, 0, ["redeem_below_minimum_balance"]),
    (100, -1, {"minimum_balance_points": 100}, 100, 100, []),
    (99, -1, {"step_points": 100}, 0, 0, ["redeem_below_step"]),
    (1000, -1, {"max_share_basis_points": 0}, 0, 0, ["redeem_nothing_payable"]),
    (1000, -1, {"minimum_line_price_minor": 1000}, 0, 0, ["redeem_nothing_payable"]),
]


@pytest.mark.parametrize(("points", "wish", "terms", "redeemable", "redeemed", "expected"), TRIMS)
def test_redemption_is_trimmed_and_says_by_what(
    points: int, wish: int, terms: dict[str, int], redeemable: int, redeemed: int, expected: list[str]
) -> None:
    """Two lines of 10.00; one point is 0.01."""
    rules = programme(points_exponent=2, redemption=Redemption(**terms))  # type: ignore[arg-type]  # a wrong type on purpose
    result = run(rules, receipt(1000, 1000), points=points, wish=wish)
    assert (result.redeemable_points, result.redeemed_points) == (redeemable, redeemed)
    assert result.payable_minor == 2000 - redeemed
    assert [code for code in codes(result) if code.startswith("redeem_")] == expected


def test_a_trim_tells_what_was_asked_and_given() -> None:
    rules = programme(points_exponent=2, redemption=Redemption(max_share_basis_points=5000))
    reasons = run(rules, receipt(1000), points=900, wish=800).reasons
    assert reasons[0] == Reason(code="redeem_limited_by_share", numbers={"asked": 800, "given": 500})


def test_points_that_are_no_whole_money_are_not_spent() -> None:
    """A point of 0.50, kept to hundredths: two minor points are the smallest that is a whole cent."""
    rules = programme(points_exponent=2, point_value_minor=50)
    result = run(rules, receipt(1000), points=301, wish=-1)
    assert (result.redeemed_points, result.redeemed_minor) == (300, 150)


def test_points_of_whole_roubles_are_split_over_lines_to_the_kopeck() -> None:
    """7 points pay 7.00; each line's part of the money is exact, and the points follow the money."""
    result = run(programme(), receipt(1000, 1000, 1000), points=7, wish=7)
    assert paid(result) == [234, 233, 233]
    assert [each.redeemed_points for each in result.lines] == [3, 2, 2]


def test_the_dearer_of_two_least_prices_holds_for_a_line() -> None:
    rules = programme(points_exponent=2, redemption=Redemption(minimum_line_price_minor=100))
    goods = Receipt(lines=(line(1, 1000, minimum_price_minor=900), line(2, 1000, minimum_price_minor=1)))
    assert paid(run(rules, goods, points=10**6, wish=-1)) == [100, 900]


def test_points_of_this_receipt_can_not_be_spent_on_it() -> None:
    rules = programme(Rule(id="all", percent_basis_points=10_000), points_exponent=2)
    assert run(rules, receipt(1000), points=0, wish=-1).redeemed_points == 0


@pytest.mark.parametrize(
    ("who", "code"), [(None, "no_member"), (MemberState(blocked=True, spendable_points=99), "member_blocked")]
)
def test_nobody_and_the_blocked_get_totals_only(who: MemberState | None, code: str) -> None:
    result = calculate(programme(BASE, points_exponent=2), who, receipt(1000, 50), CLOCK, redeem_points=5)
    assert (result.total_minor, result.payable_minor) == (1050, 1050)
    assert (result.earned_points, result.redeemable_points, result.redeemed_points) == (0, 0, 0)
    assert [each.payable_minor for each in result.lines] == [1000, 50]
    assert result.reasons == (Reason(code=code, numbers={"asked": 5}),)


def test_no_programme_gives_totals_and_says_so() -> None:
    result = empty_calculation(receipt(1000, 50), redeem_points=-1)
    assert (result.programme_id, result.programme_version, result.total_minor) == ("", 0, 1050)
    assert result.reasons == (Reason(code="no_programme"),)


def test_a_tier_that_the_programme_does_not_know_is_told() -> None:
    rules = programme(Rule(id="gold", percent_basis_points=100, tiers=("gold",)), points_exponent=2)
    assert codes(run(rules, receipt(1000), tier="platinum"))[-1] == "tier_unknown"
    assert codes(run(rules, receipt(1000), tier="silver"))[-1] == "no_rule_applied"


def test_lines_of_nothing_earn_nothing_and_stay() -> None:
    """Quantity without money, money without quantity, and neither: real receipts have all three."""
    goods = Receipt(
        lines=(
            line(1, 0, quantity_thousandths=1000),
            line(2, 500, quantity_thousandths=0),
            line(3, 0, quantity_thousandths=0),
        )
    )
    result = run(programme(BASE, points_exponent=2), goods, points=100, wish=-1)
    assert paid(result) == [0, 100, 0]
    assert earned(result) == [0, 4, 0]


def test_a_receipt_of_nothing_has_reasons() -> None:
    result = run(programme(BASE), receipt(0), points=5, wish=-1)
    assert codes(result) == ["redeem_nothing_payable", "no_rule_applied"]


@pytest.mark.parametrize(
    ("goods", "code"),
    [
        (Receipt(lines=()), "receipt_empty"),
        (Receipt(lines=(line(1, 1), line(1, 2))), "line_number_repeated"),
        (Receipt(lines=(line(1, 1, minimum_price_minor=2),)), "minimum_price_too_high"),
        (Receipt(lines=(line(1, LARGEST_AMOUNT_MINOR), line(2, 1))), "receipt_too_large"),
    ],
)
def test_a_receipt_that_contradicts_itself_is_refused(goods: Receipt, code: str) -> None:
    for count in (
        lambda: calculate(programme(BASE), None, goods, CLOCK),
        lambda: calculate(programme(BASE), member(), goods, CLOCK),
        lambda: empty_calculation(goods),
    ):
        with pytest.raises(ReceiptError) as caught:
            count()
        assert caught.value.code == code
        assert caught.value.pointer.startswith("/receipt/lines")


def test_a_wish_below_minus_one_is_refused() -> None:
    with pytest.raises(ReceiptError) as caught:
        run(programme(BASE), receipt(1), wish=-2)
    assert caught.value.pointer == "/redeem_points"


def test_the_largest_receipt_in_the_smallest_points() -> None:
    rules = programme(Rule(id="all", percent_basis_points=10_000), point_value_minor=1, points_exponent=2)
    result = run(rules, receipt(LARGEST_AMOUNT_MINOR), points=10**13, wish=-1)
    assert result.redeemed_minor == 10**11
    assert result.earned_points == (10**13 - 10**11) * 100


def test_ten_thousand_lines_with_many_rules() -> None:
    """The largest receipt, 60 rules over SKUs and categories: sums hold, and it ends well within the test's time."""
    rules = programme(
        *(
            Rule(id=f"r{n}", percent_basis_points=n + 1, match=Match(skus=(f"sku-{n}",), categories=((f"c{n}",),)))
            for n in range(60)
        ),
        points_exponent=2,
    )
    goods = Receipt(lines=tuple(line(n, n % 997, category=(f"c{n % 80}", "x")) for n in range(1, LINE_LIMIT + 1)))
    result = run(rules, goods, points=10**5, wish=-1)
    assert len(result.lines) == LINE_LIMIT
    assert result.earned_points == sum(each.points for each in result.accruals) > 0


def test_work_does_not_grow_with_the_square_of_the_lines() -> None:
    """Ten times the lines, with three rules, a group and an exclusion: about ten times the work."""
    group = {"stack": "best_of_group", "group": "g"}
    rules = programme(
        Rule(id="all", percent_basis_points=100, **group),
        Rule(id="fruit", percent_basis_points=300, match=FRUIT, **group),
        Rule(id="only", percent_basis_points=500, stack="exclusive", match=Match(skus=("sku-3",))),
        points_exponent=2,
        exclusions=(Exclusion(id="not", match=Match(skus=("sku-5",))),),
    )

    def sell(lines: int) -> None:
        goods = Receipt(lines=tuple(line(n, n % 997, category=("fruit", str(n))[: n % 3]) for n in range(1, lines + 1)))
        run(rules, goods, points=10**6, wish=-1)

    assert steps_of(lambda: sell(3000)) < 12 * steps_of(lambda: sell(300))


def test_remembered_programmes_are_told_apart_by_object_not_by_name() -> None:
    """Two versions with one id, used in turn and with many others between them, keep their own rules."""
    one = programme(Rule(id="r", percent_basis_points=100), points_exponent=2)
    two = programme(Rule(id="r", percent_basis_points=200), points_exponent=2)
    for _ in range(PLANS_KEPT):
        assert run(one, receipt(1000)).earned_points == 10
        assert run(two, receipt(1000)).earned_points == 20
        assert run(programme(points_exponent=2), receipt(1000)).earned_points == 0


SCRIPT = """
import hashlib, random
from till_loyalty.engine import calculate
from till_loyalty.programme_document import example_text, parse_programme
from till_loyalty.receipt import Line, MemberState, Receipt, StoreClock
from till_loyalty.results import canonical_bytes
rules = parse_programme(example_text("supermarket"))
seeded, digest = random.Random(1), hashlib.sha256()
for _ in range(200):
    paths = [("PRODUCE", "x"), ("FUEL",), ("DRUG GM", "CIGARS"), ("GROCERY",), ()]
    lines = [
        Line(number=n, sku=str(n), amount_minor=seeded.randrange(3000), category=seeded.choice(paths))
        for n in range(1, 12)
    ]
    state = MemberState(tier=seeded.choice(["", "silver", "gold"]), spendable_points=seeded.randrange(3000))
    clock = StoreClock(local_time="2017-12-23T12:00:00", business_date="2017-12-23")
    digest.update(canonical_bytes(calculate(rules, state, Receipt(lines=tuple(lines)), clock, redeem_points=-1)))
print(digest.hexdigest())
"""


def test_the_hash_seed_of_the_process_has_no_say() -> None:
    """Till and cloud are two processes: sets and dicts must not let their order through."""
    digests = {
        subprocess.run(
            [sys.executable, "-c", SCRIPT],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        ).stdout
        for seed in ("0", "1", "4242")
    }
    assert len(digests) == 1
