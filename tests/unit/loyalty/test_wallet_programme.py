"""What a programme may say of wallet codes, and what is said of it when it says it wrongly."""

import pytest
from msgspec.structs import replace

from till_loyalty.explain import explain_programme
from till_loyalty.explain_words import LANGUAGES
from till_loyalty.identifiers import is_rotating_only
from till_loyalty.programme import CardRange, Identifiers, RotatingCode
from till_loyalty.programme_checks import programme_problems
from unit.loyalty.loyalty_support import programme

PHONES = CardRange(prefix="29", lengths=(13,), check="ean13", rotating_only=True)
PLASTIC = CardRange(prefix="77", lengths=(8,))
CODES = Identifiers(cards=(PLASTIC, PHONES), rotating=RotatingCode())


def places(identifiers: Identifiers) -> list[str]:
    return [place for place, _ in programme_problems(programme(identifiers=identifiers))]


def test_changing_codes_are_told_in_every_language() -> None:
    for language in LANGUAGES:
        text = "\n".join(explain_programme(programme(identifiers=CODES), language))
        assert "30" in text
        assert "60" in text
    assert places(CODES) == []


def test_cards_of_phones_alone_need_codes_that_change() -> None:
    assert places(replace(CODES, rotating=None)) == ["identifiers.cards[1].rotating_only"]


@pytest.mark.parametrize("pattern", ["{card}", "{card}{totp_timestamp_seconds}{totp_value_0}", "none"])
def test_a_pattern_that_leaves_doubt_is_told_of(pattern: str) -> None:
    assert set(places(replace(CODES, rotating=RotatingCode(pattern=pattern)))) == {"identifiers.rotating.pattern"}


@pytest.mark.parametrize(("card", "only"), [("2900000000001", True), ("77123456", False), ("2900000000002", False)])
def test_the_range_that_takes_a_number_says_whether_it_is_of_phones_alone(card: str, *, only: bool) -> None:
    """A wrong check digit is of no range."""
    assert is_rotating_only(card, CODES) is only
