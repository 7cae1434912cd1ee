"""What a scan is: ranges of the programme first, goods by symbology and GTIN, and bank cards refused in every form."""

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from fakes.till import ANNA_CARD, ANNA_PHONE, PROGRAMME, FakeTill
from till_agent.bank_cards import is_bank_card
from till_agent.devices import Resolved, unknown
from till_agent.scanned import Scanned
from till_drivers.ports import Scan
from till_drivers.scanners.codes import read_code
from till_loyalty.digits import gtin_check_digit, is_luhn, luhn_check_digit
from till_loyalty.programme import CardRange, Identifiers

RULES = PROGRAMME.identifiers
VISA = "4111111111111111"
MIR = "2200770212727079"
HUMO = "9860" + "01234567890" + luhn_check_digit("986001234567890")
DINERS = "3692710000000" + luhn_check_digit("3692710000000")
GOODS_LIKE_A_CARD = next(
    code for body in range(460000000000, 460000000100) if is_luhn(code := f"{body}{gtin_check_digit(str(body))}")
)
UPC_LIKE_A_PHONE = next(
    code for body in range(38067123450, 38067123460) if not is_luhn(code := f"{body}{gtin_check_digit(str(body))}")
)
GS1_TEXT = "0104600000000015215Dk9sB!xY_5/r\x1d91EE10"


def scanned(raw: str, *, gs1: bool = False) -> Scan:
    """A scan as the drivers make it."""
    reading = read_code(raw, gs1=gs1)
    return Scan(
        device_id="s1",
        seq=1,
        at_mono=0,
        raw=raw.encode(),
        text=reading.text,
        aim=reading.aim,
        symbology=reading.symbology,
        gs1=reading.gs1,
    )


def resolve(scan: Scan, rules: Identifiers = RULES) -> Resolved:
    till = FakeTill(programme=replace(PROGRAMME, identifiers=rules))
    return asyncio.run(Scanned(till.desk, lambda: rules).resolve(scan))


KINDS = {
    "a card of a range": (ANNA_CARD, "card"),
    "a card of a range as ean": (f"]E0{ANNA_CARD}", "card"),
    "a card of a range in a qr": (f"]Q1{ANNA_CARD}", "card"),
    "a phone": (ANNA_PHONE, "phone"),
    "goods": ("4600000000015", "goods"),
    "goods as ean": ("]E04600000000015", "goods"),
    "goods with an add-on": ("]E3460000000001512", "goods"),
    "ean-8": ("]E44600001" + gtin_check_digit("4600001"), "goods"),
    "goods that have a bank card's check digit": (GOODS_LIKE_A_CARD, "goods"),
    "the same as ean": (f"]E0{GOODS_LIKE_A_CARD}", "goods"),
    "a scale label": ("221234501234" + gtin_check_digit("221234501234"), "goods"),
    "a scale label as ean": ("]E0201234501234" + gtin_check_digit("201234501234"), "goods"),
    "marked goods": (f"]d2{GS1_TEXT}", "goods"),
    "goods by gs1 with a weight": ("]e001046000000000153103001250", "goods"),
    "text": ("Привет", "unknown"),
    "a voucher that is none": ("TSV1.x.y", "unknown"),
}


@pytest.mark.parametrize("name", KINDS)
def test_kinds(name: str) -> None:
    """The text is told as it was scanned, but for the reader's prefix."""
    raw, kind = KINDS[name]
    found = resolve(scanned(raw))
    assert (found.kind, found.text) == (kind, scanned(raw).text)


def test_a_range_in_the_shops_own_numbers_names_members_and_only_those() -> None:
    """EAN 20 to 29 are cards where the programme says so, and goods next to it."""
    rules = Identifiers(cards=(CardRange(prefix="21", lengths=(13,), check="ean13"),))
    card, label = (body + gtin_check_digit(body) for body in ("210000000001", "220000000001"))
    for raw in (card, f"]E0{card}"):
        assert resolve(scanned(raw), rules).kind == "card"
    for raw in (label, f"]E0{label}"):
        assert resolve(scanned(raw), rules).kind == "goods"
        assert resolve(scanned(raw), rules).member is None


@given(st.integers(20, 29).filter(lambda prefix: prefix != 29), st.integers(0, 9_999_999_999), st.booleans())
def test_no_scale_label_is_ever_a_member(prefix: int, rest: int, has_aim: bool) -> None:
    """Whatever it weighs, whatever it looks like otherwise."""
    body = f"{prefix}{rest:010d}"
    label = body + gtin_check_digit(body)
    found = resolve(scanned(f"]E0{label}" if has_aim else label))
    assert (found.kind, found.member, found.text) == ("goods", None, label)


def test_goods_are_no_phone_where_the_symbology_says_goods() -> None:
    """Twelve digits of a UPC-A are somebody's number in Ukraine."""
    rules = Identifiers(phone_countries=("UA",))
    assert resolve(scanned(f"]E0{UPC_LIKE_A_PHONE}"), rules).kind == "goods"
    assert resolve(scanned(f"]Q1{UPC_LIKE_A_PHONE}"), rules).kind == "phone"


def test_an_unknown_card_of_a_range_is_not_goods() -> None:
    """A new card is somebody's, though nobody here knows whose."""
    body = "299999999999"
    found = resolve(scanned(f"]E0{body}{gtin_check_digit(body)}"))
    assert found.kind == "card"
    assert found.member is not None
    assert not found.member.known


# Not AI 91: a 91 before a number leaves its check digit right.
FORMS: dict[str, tuple[str, dict[str, Any]]] = {
    "bare": ("{}", {}),
    "in code 128": ("]C0{}", {}),
    "in a qr": ("]Q1{}", {}),
    "keyed or swiped at the scanner": ("]Z0{}", {}),
    "wrongly labelled as ean": ("]E0{}", {}),
    "in gs1-128 without identifiers": ("]C1{}", {}),
    "in an internal element string": ("]C199{}", {}),
    "behind another": ("]C110LOT\x1d99{}", {}),
    "in a lot": ("]d210{}", {}),
    "by the setting": ("99{}", {"gs1": True}),
    "for people": ("(99){}", {}),
    "track 1": ("%B{}^IVANOV/IVAN^29121010000000000000?", {}),
    "track 1 without its sign": ("B{}^IVANOV/IVAN^2912101?", {}),
    "track 2": (";{}=29121010000000000?", {}),
    "track 2 without its sign": ("{}=29121010000000000?", {}),
    "track 2 of a chip": ("{}D29121010000000000F", {}),
    "all tracks at once": ("%B{0}^" + "IVANOV/IVAN" * 5 + "^29121010000000000000?;{0}=29121010000000000?", {}),
    "behind a prefix that nobody knows": ("]y7{}", {}),
    "control characters around it": ("\x1d{}\x1d", {}),
}


@pytest.mark.parametrize("card", [VISA, MIR, HUMO, DINERS], ids=["visa", "mir", "humo", "diners"])
@pytest.mark.parametrize("form", FORMS)
def test_a_bank_card_is_refused_in_every_form(form: str, card: str) -> None:
    """No text, a word for the cashier; without a programme and when the look-up fails, no text either."""
    template, settings = FORMS[form]
    scan = scanned(template.format(card), **settings)
    found = resolve(scan)
    assert (found.kind, found.text) == ("unknown", "")
    assert found.alert is not None
    assert found.alert.code == "bank_card"
    assert card not in found.alert.text
    assert unknown(scan).text == ""


def test_groups_of_four_are_refused_as_well() -> None:
    """As people write numbers."""
    for text in ("4111 1111 1111 1111", "4111-1111-1111-1111", "%B4111 1111 1111 1111^IVANOV/IVAN^2912?"):
        assert resolve(scanned(text)).text == ""


def test_a_range_of_the_programme_makes_a_co_branded_card_a_members() -> None:
    """The chain has said that these are its own."""
    rules = Identifiers(cards=(CardRange(prefix="411111", lengths=(16,), check="luhn"),))
    for form in ("bare", "in code 128", "track 1", "track 2"):
        assert not is_bank_card(scanned(FORMS[form][0].format(VISA)), rules)


def test_marked_goods_with_a_serial_number_like_a_card_are_goods() -> None:
    """One serial number of digits in ten has that check digit; it stands behind a GTIN."""
    found = resolve(scanned(f"]d2010460000000001521{VISA}"))
    assert found.kind == "goods"


@given(st.integers(0, 10**12 - 1))
def test_goods_are_never_refused_as_bank_cards(body: int) -> None:
    """One EAN in ten would be, by Luhn alone."""
    code = f"{body:012d}{gtin_check_digit(f'{body:012d}')}"
    assert not is_bank_card(scanned(code), RULES)
    assert not is_bank_card(scanned(f"]E0{code}"), RULES)
