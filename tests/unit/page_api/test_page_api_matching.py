"""What a query of the member search means."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from till_agent.cache.matching import tail_of, wanted
from till_loyalty.masks import mask_card, mask_name, mask_phone

MARIA = ("Мария К.", "+7 *** ***-45-67", "**** 0018")


@pytest.mark.parametrize(
    ("query", "fits"),
    [
        ("мария", True),
        ("МАР", True),
        ("Мария К", True),
        ("к. мария", True),
        ("мария п", False),
        ("ария", False),
        ("4567", True),
        ("45-67", True),
        ("67", True),
        ("45", False),
        ("234567", True),
        ("+7 701 123 45 67", True),
        ("0018", True),
        ("2900000000018", True),
        ("0019", False),
        ("мария 4567", True),
        ("мария 0018", True),
        ("анна 4567", False),
        ("maria", False),
        ("...", False),
        ("*** ***", False),
    ],
)
def test_words_begin_and_digits_end(query: str, fits: bool) -> None:
    asked = wanted(query)
    assert (not asked.is_nothing and asked.fits(*MARIA)) is fits


@pytest.mark.parametrize(
    ("query", "name"),
    [("алена", "Алёна В."), ("АЛЁНА", "Алена"), ("jos", "José P."), ("josé", "José P."), ("əli", "Əli M.")],
)
def test_case_and_the_two_ways_to_write_a_letter_do_not_count(query: str, name: str) -> None:
    fits = wanted(query).fits(name, "", "")
    assert fits


def test_nobody_without_a_number_is_found_by_one() -> None:
    assert not wanted("4567").fits("Анна", "", "")
    assert not wanted("7").fits("Анна", "+7 *** **-", "")


@given(st.text(max_size=60))
def test_any_query_is_read(query: str) -> None:
    asked = wanted(query)
    asked.fits(*MARIA)


@settings(max_examples=40)
@given(
    st.sampled_from(["Мария", "анна мария", "Ян", "John Smith", "Жұлдыз"]),
    st.from_regex(r"\+79[0-9]{9}", fullmatch=True),
    st.from_regex(r"29[0-9]{11}", fullmatch=True),
    st.integers(2, 4),
)
def test_whoever_is_masked_is_found_by_what_the_mask_leaves(name: str, phone: str, card: str, digits: int) -> None:
    shown = (mask_name(name), mask_phone(phone), mask_card(card))
    assert wanted(f"{name.split(maxsplit=1)[0].upper()[:3]} {phone[-digits:]}").fits(*shown)
    assert wanted(card[-digits:]).fits(*shown)
    assert wanted(phone).fits(*shown)
    assert tail_of(shown[1]) == phone[-4:]
