"""The quick look at digits that may be a phone never says no to one that libphonenumber takes."""

from random import Random

import phonenumbers
import pytest

from till_loyalty.phone_lengths import may_be_phone

COUNTRIES = ("RU", "KZ", "KG", "UA", "UZ", "TJ", "BY", "AM", "GE", "US", "GB", "DE", "IT", "BR", "AR", "MX")
ROUNDS = 400


@pytest.mark.parametrize("country", COUNTRIES)
def test_no_phone_is_passed_by(country: str) -> None:
    """Real numbers of the country in every way of writing them as digits, and digits drawn at random."""
    random = Random(country)
    code = str(phonenumbers.country_code_for_region(country))
    example = str(phonenumbers.example_number(country).national_number)
    tried = [
        lead + example for lead in ("", "0", "8", "1", code, f"{code}8", f"00{code}", f"810{code}", f"{code}{code}")
    ]
    for _ in range(ROUNDS):
        digits = "".join(random.choices("0123456789", k=random.randint(5, 18)))
        tried += [digits, code + digits, "8" + digits, code + "8" + digits]
    passed_by = 0
    for text in tried:
        if may_be_phone(text, country):
            continue
        passed_by += 1
        try:
            number = phonenumbers.parse(text, country)
        except phonenumbers.NumberParseException:
            continue
        assert not phonenumbers.is_valid_number(number), (text, country)
    assert passed_by > 0 or country in {"BY", "GB", "BR", "AR", "MX"}


@pytest.mark.parametrize("text", ["+79161234567", "8 916 123-45-67", "tel:89161234567", ""])
def test_what_is_more_than_digits_is_left_to_the_library(text: str) -> None:
    assert may_be_phone(text, "RU")


@pytest.mark.parametrize(("text", "taken"), [("89161234567", True), ("9161234567", True), ("2900000000001", False)])
def test_a_card_is_no_phone_of_russia(text: str, taken: bool) -> None:
    assert may_be_phone(text, "RU") is taken


def test_an_unknown_country_is_left_to_the_library() -> None:
    assert may_be_phone("2900000000001", "XX")
