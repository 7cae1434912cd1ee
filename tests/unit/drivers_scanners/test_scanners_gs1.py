"""GS1 element strings: what ends a value, what is refused, and that a code that is none keeps its text."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from till_drivers.exceptions import ProtocolError
from till_drivers.scanners import gs1
from till_drivers.scanners.codes import read_code
from till_drivers.scanners.gs1 import GS, measure, parse_element_strings
from till_drivers.scanners.gs1_identifiers import forms
from till_loyalty.digits import gtin_check_digit

GTIN = "04600000000015"
CASES = {
    "a gtin": (f"01{GTIN}", {"01": GTIN}),
    "fixed lengths need no separator": (
        f"01{GTIN}310300125017261231",
        {"01": GTIN, "3103": "001250", "17": "261231"},
    ),
    "a separator behind a fixed length does no harm": (f"01{GTIN}{GS}17261231", {"01": GTIN, "17": "261231"}),
    "a variable length ends at a separator": (f"10AB-1{GS}21X/9", {"10": "AB-1", "21": "X/9"}),
    "or with the code": (f"01{GTIN}10AB-1", {"01": GTIN, "10": "AB-1"}),
    "digits that look like an identifier belong to the value": (
        f"10170101{GS}17261231",
        {"10": "170101", "17": "261231"},
    ),
    "a separator first and last": (f"{GS}01{GTIN}21X{GS}", {"01": GTIN, "21": "X"}),
    "an sscc": ("00046000000000000015", {"00": "046000000000000015"}),
    "the end of a month": ("17260200", {"17": "260200"}),
    "a leap day": ("15280229", {"15": "280229"}),
    "a price with its currency": ("3932643000199900", {"3932": "643000199900"}),
    "an optional part": ("7007261122261125", {"7007": "261122261125"}),
    "marked goods": (
        f"01{GTIN}215Dk9sB!xY_5/r{GS}91EE10{GS}92abc+/=",
        {"01": GTIN, "21": "5Dk9sB!xY_5/r", "91": "EE10", "92": "abc+/="},
    ),
    "the same twice": (f"01{GTIN}01{GTIN}", {"01": GTIN}),
}
NONE = {
    "nothing": "",
    "separators only": GS + GS,
    "text for people": f"(01){GTIN}",
    "a bare gtin": GTIN,
    "an ean": "4600000000015",
    "a scale label": "2012345678901",
    "an identifier that is not assigned": "0400000000000000",
    "five decimals at most": "3106001250",
    "too short": "0104600000",
    "a wrong check digit": "0104600000000016",
    "a wrong check digit of a place": "4144600000000016",
    "a month that there is not": "17261301",
    "a day that there is not": "17260230",
    "no leap year": "15270229",
    "too long for its identifier": "10" + "A" * 21,
    "empty": f"10{GS}17261231",
    "letters for digits": "30AB",
    "a letter that GS1 has not": "10Партия",
    "two values of one identifier": f"21A{GS}21B",
    "an address": "https://id.example/01/04600000000015",
    "a lone identifier": "01",
}


@pytest.mark.parametrize("name", CASES)
def test_element_strings(name: str) -> None:
    """Each value by its identifier, in order."""
    text, elements = CASES[name]
    assert list(parse_element_strings(text).items()) == list(elements.items())


@pytest.mark.parametrize("name", NONE)
def test_what_is_no_element_string_keeps_its_text(name: str) -> None:
    """The parser says so, in words without the code; the scan is told as it came."""
    text = NONE[name]
    with pytest.raises(ProtocolError) as refused:
        parse_element_strings(text)
    assert len(text) < 6 or text not in str(refused.value)
    reading = read_code(f"]Q3{text}" if text else "")
    assert (reading.text.strip(GS), reading.gs1) == (text.strip(GS), None)


def test_weights_have_their_decimals_in_the_identifier() -> None:
    """1.250 kg is 3103 001250 and 3102 000125 alike; what is no measure has none."""
    assert measure({"01": GTIN, "3103": "001250"}, "310") == Decimal("1.250")
    assert measure({"3102": "000125"}, "310") == Decimal("1.25")
    assert measure({"3100": "000012"}, "310") == Decimal(12)
    assert measure({"01": GTIN, "3200": "000012"}, "310") is None


@pytest.mark.parametrize(
    ("text", "setting", "parsed"),
    [
        (f"]C101{GTIN}", False, True),
        (f"]Q301{GTIN}", False, True),
        (f"]d201{GTIN}", False, True),
        (f"]e001{GTIN}", False, True),
        (f"]z101{GTIN}", False, True),
        (f"]C001{GTIN}", False, False),
        (f"]Q101{GTIN}", False, False),
        (f"01{GTIN}", False, False),
        (f"01{GTIN}", True, True),
        (f"]Q101{GTIN}", True, True),
        (f"]E0{GTIN[1:]}", True, False),
        ("]E02100000000005", True, False),
        ("2100000000005", True, False),
    ],
)
def test_parsed_only_when_the_prefix_or_the_setting_says_so(text: str, setting: bool, parsed: bool) -> None:
    """A shop's own EAN of `21...` is no serial number, whatever the setting."""
    reading = read_code(text, gs1=setting)
    assert (reading.gs1 is not None) == parsed
    assert reading.text == (text[3:] if text.startswith("]") else text)


@pytest.mark.parametrize(
    ("name", "mutant", "missed"),
    [
        ("_check", lambda _identifier, _form, _value, _place: None, NONE),
        ("_is_date", lambda _digits: True, NONE),
        ("gtin_check_digit", lambda body: "6", NONE),
        ("_separator_after", lambda text, _start: len(text), CASES),
        ("GS", "|", CASES),
    ],
)
def test_broken_parsers_are_noticed(monkeypatch: pytest.MonkeyPatch, name: str, mutant: Any, missed: Any) -> None:
    """Mutants: nothing checked, any date, any check digit, values that go on to the end, another separator."""
    monkeypatch.setattr(gs1, name, mutant)
    wrong = [
        case
        for case, expected in missed.items()
        if _parsed(expected if missed is NONE else expected[0]) != (None if missed is NONE else expected[1])
    ]
    assert wrong


def _parsed(text: str) -> dict[str, str] | None:
    try:
        return parse_element_strings(text)
    except ProtocolError:
        return None


_IDENTIFIERS = st.sampled_from(sorted(forms()))


@st.composite
def _strings(draw: st.DrawFn) -> tuple[str, dict[str, str]]:
    """A code made of element strings by the table, and what it says."""
    elements: dict[str, str] = {}
    text = ""
    for identifier in draw(st.lists(_IDENTIFIERS, min_size=1, max_size=5, unique=True)):
        form = forms()[identifier]
        value = draw(st.from_regex(form.pattern, fullmatch=True))
        if form.is_date:
            value = "261122" + value[6:]
        if form.checked:
            value = value[: form.checked - 1] + gtin_check_digit(value[: form.checked - 1]) + value[form.checked :]
        elements[identifier] = value
        text += identifier + value + ("" if form.length else GS)
    return text, elements


@given(_strings())
def test_what_is_written_is_read(written: tuple[str, dict[str, str]]) -> None:
    """Any values of any identifiers come back whole."""
    text, elements = written
    assert parse_element_strings(text) == elements
    assert parse_element_strings(GS + text) == elements


@given(st.one_of(st.text(max_size=60), st.text(alphabet="0123456789ABab\x1d()]C", max_size=60)), st.booleans())
def test_any_text_parses_or_is_refused_and_is_never_lost(text: str, setting: bool) -> None:
    """Nothing else is raised; the text stays, but for the prefix; what is parsed can be written down as it came."""
    reading = read_code(text, gs1=setting)
    prefix = f"]{reading.aim}" if reading.aim else ""
    if "\\" not in text:
        assert text in (prefix + reading.text, prefix + GS + reading.text)
    if reading.gs1 is not None:
        assert all(identifier + value in reading.text for identifier, value in reading.gs1.items())
