"""Cards, phones, tags and masks; no number ever shows up in a message."""

import json
import string

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from till_loyalty import digits, identifiers
from till_loyalty.exceptions import IdentifierError, InvariantError
from till_loyalty.identifiers import (
    Identifier,
    classify,
    mask_card,
    mask_name,
    mask_phone,
    normalise_phone,
    parse_card,
    tag,
)
from till_loyalty.programme import CardRange, Identifiers
from unit.loyalty.loyalty_support import shared

GOODS = "4600682000099"
BOX = "14600682000089"
"""An EAN-13 and a GTIN-14 with the check digit of a bank card, as one in ten has."""
DINERS = "30569309025904"

RU = Identifiers(
    phone_countries=("RU", "KZ"),
    cards=(
        CardRange(prefix="29", lengths=(13,), check="ean13"),
        CardRange(prefix="7770", lengths=(16,), check="luhn", strip_prefix="LC-"),
        CardRange(prefix="5", lengths=(6, 8)),
    ),
)
EAN = "29" + "0000000012"
EAN += digits.gtin_check_digit(EAN)
LUHN = "777012345678901"
LUHN += digits.luhn_check_digit(LUHN)
BANK = "4111111111111111"


def refusal(text: str, reads: Identifiers = RU) -> str:
    with pytest.raises(IdentifierError) as caught:
        classify(text, reads)
    return caught.value.code


def test_every_phone_on_which_three_libraries_agree() -> None:
    """Valid ones come out in E.164, the others are refused: national forms, trunk prefixes, odd spaces, dummies."""
    cases = [case for case in json.loads(shared("phones.json").read_text())["cases"] if case["agree"] == "all"]
    assert len(cases) > 100
    for case in cases:
        try:
            got = normalise_phone(case["input"], (case["default_region"],))
        except IdentifierError as error:
            got = error.code
        assert got == (case["e164"] if case["valid"] else "phone_invalid"), case["input"]


@pytest.mark.parametrize(
    ("text", "countries", "expected"),
    [
        ("89161234567", ("RU", "KZ"), "+79161234567"),
        ("8 701 123 45 67", ("RU", "KZ"), "+77011234567"),
        ("89161234567", ("US", "RU", "KZ"), "+79161234567"),
        ("2015550123", ("US", "RU"), "+12015550123"),
        ("(201) 555-0123", ("US", "RU"), "+12015550123"),
        ("0700123456", ("RU", "KG"), "+996700123456"),
        ("  +7 916 123-45-67\r\n", ("RU",), "+79161234567"),
        ("tel:+79161234567", ("RU",), "+79161234567"),
        ("8 (916) 123.45.67 доб. 12", ("RU",), "+79161234567"),
        ("+380501234567", ("RU",), "+380501234567"),
    ],
)
def test_phones_of_several_countries(text: str, countries: tuple[str, ...], expected: str) -> None:
    assert normalise_phone(text, countries) == expected


@pytest.mark.parametrize(
    "text", ["https://shop.example/79161234567", "id=89161234567", "1-800-FLOWERS", "89161234567;89161234567", "++7916"]
)
def test_a_number_inside_other_text_is_no_phone(text: str) -> None:
    """A product's QR code must not become a member."""
    with pytest.raises(IdentifierError) as caught:
        normalise_phone(text, ("RU", "US"))
    assert caught.value.code == "phone_invalid"


def test_every_barcode_of_the_oracle() -> None:
    """EAN-13 (own cards and scale labels among them), EAN-8, UPC-A and Luhn as python-stdnum has them; swiped cards."""
    cases = json.loads(shared("barcodes.json").read_text())["cases"]
    assert len(cases) > 50
    anything = Identifiers(cards=(CardRange(lengths=(13, 16)),))
    for case in cases:
        code, kind = case["code"], case["kind"]
        if kind == "LUHN":
            assert digits.is_luhn(code) is case["valid"]
        elif kind in {"TRACK2", "CARD"}:
            assert parse_card(code, anything) == case["card"]
        else:
            assert digits.is_gtin(code) is case["valid"]
            assert digits.gtin_check_digit(code[:-1]) == case["check_digit"]
            assert digits.is_ean13(code) is (len(code) == 13)


@given(st.text(string.digits, min_size=12, max_size=12), st.integers(0, 12), st.integers(1, 9))
def test_one_wrong_digit_never_passes_ean13(body: str, place: int, shift: int) -> None:
    code = body + digits.gtin_check_digit(body)
    wrong = code[:place] + str((int(code[place]) + shift) % 10) + code[place + 1 :]
    assert digits.is_ean13(code)
    assert not digits.is_ean13(wrong)


@given(st.text(string.digits, min_size=1, max_size=30), st.integers(0, 30), st.integers(1, 9))
def test_one_wrong_digit_never_passes_luhn(body: str, place: int, shift: int) -> None:
    code = body + digits.luhn_check_digit(body)
    place %= len(code)
    wrong = code[:place] + str((int(code[place]) + shift) % 10) + code[place + 1 :]
    assert digits.is_luhn(code)
    assert not digits.is_luhn(wrong)


@pytest.mark.parametrize(
    ("text", "card"),
    [
        (EAN, EAN),
        (f" {EAN[:4]} {EAN[4:8]} {EAN[8:]} ", EAN),
        (LUHN, LUHN),
        (f"LC-{LUHN}", LUHN),
        (f"LC-{LUHN[:4]}-{LUHN[4:]}", LUHN),
        (f";{LUHN}=99121010000000000?", LUHN),
        (f"%B{LUHN}^IVANOV/IVAN^9912101?", LUHN),
        ("512345", "512345"),
        ("51\u00a023\u201145\u200967", "51234567"),
    ],
)
def test_cards_keyed_scanned_and_swiped(text: str, card: str) -> None:
    assert parse_card(text, RU) == card
    assert classify(text, RU) == Identifier("card", card)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "identifier_empty"),
        (" \t ", "identifier_empty"),
        ("9" * 200, "identifier_too_long"),
        (EAN[:-1] + str((int(EAN[-1]) + 1) % 10), "card_check_digit"),
        ("7770123456789010", "card_check_digit"),
        ("5123456", "card_unknown_range"),
        ("4600000000000", "card_unknown_range"),
        ("hello", "card_invalid"),
        ("\u0665\u0661\u0662\u0663\u0664\u0665", "card_invalid"),
        (GOODS, "card_unknown_range"),
        (BOX, "card_unknown_range"),
        (DINERS, "bank_card"),
        (BANK, "bank_card"),
        ("4111 1111 1111 1111", "bank_card"),
        ("4111.1111.1111.1111", "bank_card"),
        (f";{BANK}=2512101?", "bank_card"),
        ("2200000000000004", "bank_card"),
    ],
)
def test_what_is_no_member_card_is_refused_by_code_and_without_its_number(text: str, code: str) -> None:
    with pytest.raises(IdentifierError) as caught:
        parse_card(text, RU)
    assert caught.value.code == code
    shown = str(caught.value)
    for size in (4, 6):
        assert not any(
            text[start : start + size] in shown for start in range(len(text) - size) if text[start].isdigit()
        )
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_a_member_range_wins_over_the_look_of_a_bank_card() -> None:
    assert digits.is_luhn(LUHN)
    assert parse_card(LUHN, RU) == LUHN
    with pytest.raises(IdentifierError) as caught:
        parse_card(LUHN, Identifiers())
    assert caught.value.code == "bank_card"


@given(st.text(string.digits, min_size=12, max_size=18), st.sampled_from(("", " ", "-")))
def test_no_bank_card_gets_through_however_it_is_written(body: str, separator: str) -> None:
    """13 to 19 digits with a Luhn check outside the ranges: refused by both ways in, and no digit is told. But for
    goods: a cashier who looks a member up by a packet of tea is not to be told of bank cards."""
    number = f"4{body[1:]}"
    number += digits.luhn_check_digit(number)
    text = separator.join(number[start : start + 4] for start in range(0, len(number), 4))
    assume(not digits.is_gtin(text))
    for read in (parse_card, classify):
        with pytest.raises(IdentifierError) as caught:
            read(text, RU)
        assert caught.value.code == "bank_card"
        assert not any(character.isdigit() for character in str(caught.value))


@pytest.mark.parametrize(
    ("text", "phone"),
    [("89161234567", "+79161234567"), ("+7 916 123-45-67", "+79161234567"), ("9161234567", "+79161234567")],
)
def test_a_text_of_either_kind_may_be_a_phone(text: str, phone: str) -> None:
    assert classify(text, RU) == Identifier("phone", phone)


def test_what_could_be_both_is_for_the_cashier_to_say() -> None:
    """A chain with cards of 11 digits beginning with 8, as phones do; with a plus it can only be a phone."""
    both = Identifiers(cards=(CardRange(prefix="8", lengths=(11,)),))
    assert refusal("89161234567", both) == "identifier_ambiguous"
    assert classify("+79161234567", both).kind == "phone"
    assert classify("81111111111", both).kind == "card"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "identifier_empty"),
        ("8" * 101, "identifier_too_long"),
        ("4607001771562", "identifier_unknown"),  # goods
        (GOODS, "identifier_unknown"),
        (BOX, "identifier_unknown"),
        (f"4600-682-{GOODS[7:]}", "bank_card"),  # nobody writes goods in groups
        (f";{GOODS}=2512101?", "bank_card"),
        (DINERS, "bank_card"),
        ("https://e.example/89161234567", "identifier_unknown"),
        (EAN[:-1] + str((int(EAN[-1]) + 1) % 10), "card_check_digit"),
        (BANK, "bank_card"),
    ],
)
def test_what_is_neither_is_refused(text: str, code: str) -> None:
    assert refusal(text) == code


@given(st.one_of(st.text(max_size=120), st.text("0123456789 +-();=?^%BLC", max_size=40)))
def test_any_text_is_an_identifier_or_an_identifier_error(text: str) -> None:
    for read in (
        lambda: classify(text, RU).value,
        lambda: parse_card(text, RU),
        lambda: normalise_phone(text, ("RU", "US")),
    ):
        try:
            value = read()
        except IdentifierError:
            continue
        assert value.removeprefix("+").isascii()
        assert value.removeprefix("+").isdigit()


def test_tags_are_keyed_by_kind_and_never_the_number() -> None:
    """Fixed vectors: cache, journal and cloud of every version must agree on them."""
    assert tag(b"key", "phone", "+79161234567") == "phone:df3e0064f88ddfa28cb1a5c0c3db0eda"
    assert tag(b"key", "card", "+79161234567") != tag(b"key", "phone", "+79161234567")
    assert tag(b"other", "card", EAN) != tag(b"key", "card", EAN)
    assert EAN not in tag(b"key", "card", EAN)
    with pytest.raises(InvariantError):
        tag(b"", "card", EAN)


def test_an_identifier_shows_itself_masked() -> None:
    assert repr(Identifier("phone", "+79161231234")) == "Identifier(kind='phone', value='+7 *** ***-12-34')"
    assert repr(Identifier("card", EAN)) == f"Identifier(kind='card', value='**** {EAN[-4:]}')"


@pytest.mark.parametrize(
    ("mask", "value", "shown"),
    [
        (mask_phone, "+79161231234", "+7 *** ***-12-34"),
        (mask_phone, "+12015550123", "+1 *** ***-01-23"),
        (mask_phone, "+996700123456", "+996 *** ***-34-56"),
        (mask_phone, "+3545551234", "+354 *** **-34"),
        (mask_phone, "", ""),
        (mask_phone, "not a phone 12", "*** **-12"),
        (mask_card, "2900000000123", "**** 0123"),
        (mask_card, "512345", "**** 45"),
        (mask_card, "", ""),
        (mask_name, "Anna Karenina", "Anna K."),
        (mask_name, "Анна Аркадьевна Каренина", "Анна К."),
        (mask_name, "  anna   karenina ", "anna K."),
        (mask_name, "Айгүл", "Айгүл"),
        (mask_name, "", ""),
        (mask_name, "x" * 90, "x" * 40),
    ],
)
def test_masks(mask: object, value: str, shown: str) -> None:
    assert mask(value) == shown  # type: ignore[operator]  # called as the property under test calls it


def test_the_public_names_are_all_here() -> None:
    assert all(hasattr(identifiers, name) for name in identifiers.__all__)
