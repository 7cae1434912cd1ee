"""Symbols drawn by one independent library and read by another come out as what was put in."""

import re

import numpy as np
import pytest

from till_drivers.exceptions import ProtocolError
from till_drivers.scanners.codes import read_code
from till_drivers.scanners.gs1 import parse_element_strings
from till_drivers.scanners.gs1_identifiers import forms

zint = pytest.importorskip("zint")
zxingcpp = pytest.importorskip("zxingcpp")

WRITTEN = {"01": "04600000000015", "3103": "001250", "10": "AB-1", "21": "X/9"}
BRACKETED = "".join(f"[{identifier}]{value}" for identifier, value in WRITTEN.items())


def drawn(symbology: str, data: str, *, gs1: bool) -> tuple[str, bytes]:
    """The AIM identifier and the bytes of a picture of `data`."""
    symbol = zint.Symbol()
    symbol.symbology = getattr(zint.Symbology, symbology)
    symbol.input_mode = zint.InputMode.GS1 if gs1 else zint.InputMode.UNICODE
    symbol.show_text = False
    symbol.encode(data)
    symbol.buffer()
    picture = np.pad(np.asarray(symbol.bitmap).mean(axis=2).astype("uint8"), 40, constant_values=255)
    (found,) = zxingcpp.read_barcodes(picture)
    return found.symbology_identifier, found.bytes


@pytest.mark.parametrize(
    ("symbology", "name"),
    [
        ("GS1_128", "code128"),
        ("DATAMATRIX", "datamatrix"),
        ("QRCODE", "qr"),
        ("DBAR_EXP", "databar"),
        ("AZTEC", "aztec"),
    ],
)
def test_gs1_symbols(symbology: str, name: str) -> None:
    """The prefix that the reader puts before them says GS1, and the values are those that were drawn."""
    prefix, data = drawn(symbology, BRACKETED, gs1=True)
    reading = read_code(prefix + data.decode())
    assert (reading.symbology, reading.gs1) == (name, WRITTEN)


@pytest.mark.parametrize(
    ("symbology", "name", "text"),
    [
        ("CODE128", "code128", "2900000000001"),
        ("QRCODE", "qr", "2900000000001"),
        ("DATAMATRIX", "datamatrix", "0104600000000015"),
        ("PDF417", "pdf417", "TSW1.abc.def"),
        ("AZTEC", "aztec", "2900000000001"),
        ("EANX", "ean-upc", "4600000000015"),
        ("CODE39", "code39", "CARD-7"),
    ],
)
def test_other_symbols_are_not_taken_for_gs1(symbology: str, name: str, text: str) -> None:
    """Their text is the code, whatever it looks like."""
    prefix, data = drawn(symbology, text, gs1=False)
    reading = read_code(prefix + data.decode())
    assert (reading.symbology, reading.text, reading.gs1) == (name, text, None)


def test_lengths_agree_with_another_table_of_identifiers() -> None:
    """For one identifier of each form, what the encoder takes is what the parser takes, and one more is too much.

    1,607 of 1,611 values of all identifiers did (2026-11-22); the rest are 423 and 425, of which the encoder wants
    whole countries, and 717, which is newer than it.
    """
    seen: set[str] = set()
    for identifier, form in forms().items():
        if form.pattern.pattern in seen or form.is_date or form.checked or identifier in {"423", "425"}:
            continue
        seen.add(form.pattern.pattern)
        for value in _longest(form.pattern.pattern):
            assert _is_taken(f"[{identifier}]{value}") == _is_parsed(identifier + value), (identifier, len(value))
    assert len(seen) > 20


def _longest(pattern: str) -> tuple[str, str]:
    """A value as long as the form allows, and one that is longer by one."""
    value = "".join(
        ("1" if kind == "[0-9]" else "A") * int(length.split(",")[-1])
        for kind, length in re.findall(r"(\[0-9\]|\[[^\]]+\])\{([0-9,]+)\}", pattern)
    )
    return value, value + "1"


def _is_taken(data: str) -> bool:
    symbol = zint.Symbol()
    symbol.symbology = zint.Symbology.DATAMATRIX
    symbol.input_mode = zint.InputMode.GS1
    try:
        symbol.encode(data)
    except RuntimeError:
        return False
    return True


def _is_parsed(text: str) -> bool:
    try:
        parse_element_strings(text)
    except ProtocolError:
        return False
    return True
