"""Bank cards under a scanner: recognised in every form that a reader may give them, so that they can be refused.

Nothing here tells, logs or keeps a number.
"""

import re
from collections.abc import Iterator

from till_drivers.ports import Scan
from till_drivers.scanners.aim import EAN, PREFIX_LENGTH
from till_drivers.scanners.gs1_identifiers import forms
from till_loyalty import identifiers
from till_loyalty.digits import EAN13_LENGTH, is_digits, is_ean13, is_gtin
from till_loyalty.exceptions import IdentifierError
from till_loyalty.programme import Identifiers

_TRACK = re.compile(r"(?<!\d)\d(?:[ -]?\d){12,18}(?=\s*[=^D])")
"""A number on a magnetic track, whichever of its signs the reader left: `%B4...^NAME^`, `;4...=`, `4...D`."""
_BRACKETS = re.compile(r"\(\d{2,4}\)")
_LABELLED = re.compile(r"\](?:[A-Za-z][0-9A-Za-z])")
_ADD_ONS = (2, 5)
"""Digits of the small symbol beside a magazine's EAN-13."""


def is_trade_item(scan: Scan) -> bool:
    """Whether the code names goods by its symbology, its element strings or its check digit.

    A code of 14 digits that a bank card may begin with is goods only when the reader says so.
    """
    if scan.gs1 is not None and "01" in scan.gs1:
        return True
    text = scan.text
    if scan.symbology == EAN and is_digits(text) and len(text) - EAN13_LENGTH in _ADD_ONS:
        return is_ean13(text[:EAN13_LENGTH])
    return identifiers.is_trade_number(text) or (scan.symbology == "itf" and is_gtin(text))


def is_bank_card(scan: Scan, rules: Identifiers) -> bool:
    """Whether a form of the code looks like a bank card (Luhn, 13 to 19 digits) and is in no range of the programme."""
    forms = _tracks(scan.text) if is_trade_item(scan) else _forms(scan)
    return any(_is_refused(form, rules) for form in forms)


def _forms(scan: Scan) -> Iterator[str]:
    text = scan.text
    yield text
    if _LABELLED.match(text):
        yield text[PREFIX_LENGTH:]
    yield from _tracks(text)
    yield from _BRACKETS.split(text)
    for identifier, value in (scan.gs1 or {}).items():
        form = forms().get(identifier)
        if form is None or not form.checked:
            yield value


def _tracks(text: str) -> Iterator[str]:
    return iter(_TRACK.findall(text))


def _is_refused(text: str, rules: Identifiers) -> bool:
    try:
        identifiers.parse_card(text, rules)
    except IdentifierError as exc:
        return exc.code == "bank_card"
    return False
