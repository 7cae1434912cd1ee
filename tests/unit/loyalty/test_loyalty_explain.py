"""Every way of giving and every condition has its words."""

from till_loyalty.explain import explain_programme
from till_loyalty.programme import Rule
from till_loyalty.programme_document import example_text, parse_programme
from till_loyalty.rule_parts import Match, Need, Selector, Where, Who
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
    told = "\n".join(explain_programme(programme(rule)))
    assert "5 points for brands acme but not labels promo, in stores s1, in channels web" in told
    assert "for the first 2 purchases, for those who bought nothing for 90 days" in told
    assert "if the receipt holds goods of 1.00 RUB and 1.5 pieces and 2 kinds of goods" in told
