"""Every way of giving and every condition has its words."""

import pytest

from till_loyalty.explain import explain_programme
from till_loyalty.explain_words import LANGUAGES
from till_loyalty.programme import Rule
from till_loyalty.programme_document import example_text, parse_programme
from till_loyalty.rule_parts import Discount, Match, Need, Selector, Step, UnitStep, Where, Who
from unit.loyalty.loyalty_support import programme


def text(name: str) -> str:
    return "\n".join(explain_programme(parse_programme(example_text(name))))


def test_examples_are_told_in_words() -> None:
    assert "100 % more of what base gave for everything, on wed" in text("pharmacy")
    assert "vitamin-maker pays 100 % of it" in text("pharmacy")
    assert "5 % off everything, on mon, tue, wed, thu, fri, at 08:00 to 12:00, for pensioner" in text("pharmacy")
    assert "from 555.00 RUB 1 point for each full 10.00 RUB" in text("x5")
    assert "100 % off everything, only the 1 cheapest of each 3, with the coupon season-coupon" in text("clothing")
    assert "150 % of the points that percents give" in text("clothing")


def test_conditions_are_told() -> None:
    rule = Rule(
        id="r",
        points=5,
        match=Match(brands=("acme",), none=(Selector(labels=("promo",)),)),
        where=Where(stores=("s1",), channels=("web",)),
        who=Who(silent_days=90, first_purchases=2),
        needs=(Need(minimum_sum_minor=100, minimum_quantity_thousandths=1500, minimum_different=2),),
    )
    words = told(rule)
    assert "5 points for brands acme but not labels promo, in stores s1, in channels web" in words
    assert "for the first 2 purchases, for those who bought nothing for 90 days" in words
    assert "if the receipt holds goods of 1.00 RUB and 1.5 pieces and 2 kinds of goods" in words


def told(rule: Rule, language: str = "en") -> str:
    return next(line for line in explain_programme(programme(rule), language) if f". {rule.id}: " in line)


@pytest.mark.parametrize(
    ("least", "most", "words"),
    [
        (500, 0, "5 points for everything at 5.00 RUB a unit or more"),
        (0, 999, "5 points for everything at 9.99 RUB a unit or less"),
        (500, 999, "5 points for everything at 5.00 RUB to 9.99 RUB a unit"),
    ],
)
def test_the_price_of_a_unit_is_told(least: int, most: int, words: str) -> None:
    match = Match(unit_price_from_minor=least, unit_price_to_minor=most)
    assert words in told(Rule(id="r", points=5, match=match))


def test_a_need_of_goods_of_a_price_is_told_with_it() -> None:
    need = Need(match=Match(unit_price_from_minor=500), minimum_different=2)
    assert "2 kinds of goods of everything at 5.00 RUB a unit or more" in told(Rule(id="r", points=5, needs=(need,)))


@pytest.mark.parametrize(
    ("discount", "words"),
    [
        (Discount(percent_basis_points=1000, maximum_units_per_line=1), "at most 1 unit of each line"),
        (
            Discount(amount_minor=50, per="unit", whole_groups_of=3),
            "only units that fill whole groups of 3 units, the cheapest first",
        ),
        (
            Discount(unit_steps=(UnitStep(from_unit=2, percent_basis_points=5000),), maximum_units=4),
            "the dearest first, in everything: from unit 2 on 50 % off, counting 4 units at most",
        ),
        (
            Discount(unit_steps=(UnitStep(amount_minor=100), UnitStep(from_unit=3)), per="line"),
            "on each line of everything: from unit 1 on 1.00 RUB off; from unit 3 on nothing",
        ),
    ],
)
def test_units_of_a_discount_are_told(discount: Discount, words: str) -> None:
    rule = Rule(id="r", discount=discount)
    assert words in told(rule)
    assert "only the" not in told(rule)


def test_steps_by_quantity_are_told() -> None:
    steps = (
        Step(from_quantity_thousandths=1500, percent_basis_points=100),
        Step(from_minor=500, from_quantity_thousandths=10_000, percent_basis_points=200),
    )
    assert "everything: from 1.5 pieces 1 %; from 5.00 RUB and 10 pieces 2 %" in told(Rule(id="r", steps=steps))


def test_the_words_of_units_and_prices_are_of_each_language() -> None:
    rule = Rule(
        id="r",
        match=Match(unit_price_from_minor=500, unit_price_to_minor=900),
        discount=Discount(percent_basis_points=1000, maximum_units_per_line=2),
    )
    russian = (
        "скидка 10 %: все товары, цена за единицу от 5,00 RUB до 9,00 RUB, с каждой строки не больше, чем 2 единицы"
    )
    assert russian in told(rule, "ru")
    assert "з кожного рядка не більше, ніж 2 одиниці" in told(rule, "uk")
    assert "әр жолдан ең көбі 2 дана" in told(rule, "kk")
    assert "ар бир саптан эң көбү 2 даана" in told(rule, "ky")
    assert len({told(rule, language) for language in LANGUAGES}) == len(LANGUAGES)
