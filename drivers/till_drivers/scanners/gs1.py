"""GS1 element strings: a code's values by their application identifiers. No I/O: text in, values out.

A value whose length the standard fixes for ever ends by itself; any other ends at a separator (FNC1, which scanners
send as GS, 0x1D) or with the code. Texts for people, `(01)04600000000015`, are no element strings.
"""

from datetime import date
from decimal import Decimal

from till_drivers.exceptions import ProtocolError
from till_drivers.scanners.gs1_identifiers import LONGEST_IDENTIFIER, MEASURES, Form, forms
from till_loyalty.digits import gtin_check_digit

GS = "\x1d"
_CENTURY = 2000
"""Of a date's two digits; all that is asked is whether the year is a leap year, and 2000 to 2099 tell it right."""


def parse_element_strings(text: str) -> dict[str, str]:
    """Values by application identifier, in their order in the code.

    Raises ProtocolError, which names the place and the identifier and never the value, for an identifier that is not
    assigned, a value of another form, a wrong check digit, a date that there is not, and two values of one identifier.
    """
    elements: dict[str, str] = {}
    place = 0
    while place < len(text):
        if text[place] == GS:
            place += 1
            continue
        identifier, form = _identifier_at(text, place)
        start = place + len(identifier)
        end = start + form.length if form.length else _separator_after(text, start)
        value = text[start:end]
        _check(identifier, form, value, place)
        if elements.setdefault(identifier, value) != value:
            raise ProtocolError(f"expected one value of ({identifier}), not another at place {place}")
        place = end
    if not elements:
        raise ProtocolError("expected element strings, not an empty code")
    return elements


def measure(elements: dict[str, str], kind: str) -> Decimal | None:
    """A measure by the first three digits of its identifier: `310` is the net weight in kilograms. None: has none."""
    for identifier, value in elements.items():
        if identifier.startswith(kind) and MEASURES.fullmatch(identifier):
            return Decimal(int(value)).scaleb(-int(identifier[-1]))
    return None


def _identifier_at(text: str, place: int) -> tuple[str, Form]:
    for length in range(2, LONGEST_IDENTIFIER + 1):
        identifier = text[place : place + length]
        if (form := forms().get(identifier)) is not None:
            return identifier, form
    raise ProtocolError(f"expected an application identifier at place {place}")


def _separator_after(text: str, start: int) -> int:
    found = text.find(GS, start)
    return len(text) if found < 0 else found


def _check(identifier: str, form: Form, value: str, place: int) -> None:
    if form.pattern.fullmatch(value) is None:
        raise ProtocolError(f"expected a value of the form of ({identifier}) at place {place}, not {len(value)} others")
    digits = value[: form.checked]
    if digits and gtin_check_digit(digits[:-1]) != digits[-1]:
        raise ProtocolError(f"expected a right check digit of ({identifier}) at place {place}")
    if form.is_date and not _is_date(value[:6]):
        raise ProtocolError(f"expected a date in ({identifier}) at place {place}")


def _is_date(digits: str) -> bool:
    """Whether YYMMDD is a day; DD may be 00, the end of the month."""
    try:
        date(_CENTURY + int(digits[:2]), int(digits[2:4]), int(digits[4:6]) or 1)
    except ValueError:
        return False
    return True
