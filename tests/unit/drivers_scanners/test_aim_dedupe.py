"""Symbology prefixes, and one scan for one code held still."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from till_drivers.scanners.aim import Labelled, split_aim
from till_drivers.scanners.dedupe import OTHER_DEVICE_MS, SAME_DEVICE_MS, Deduper


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("]C1010460", ("010460", "C1", "code128")),
        ("]Q3HELLO", ("HELLO", "Q3", "qr")),
        ("]d2X", ("X", "d2", "datamatrix")),
        ("]E02900000000001", ("2900000000001", "E0", "ean-upc")),
        ("2900000000001", ("2900000000001", "", "")),
        ("]C1", ("]C1", "", "")),
        ("]", ("]", "", "")),
        ("]ЖЖX", ("]ЖЖX", "", "")),
        ("]?1X", ("]?1X", "", "")),
        ("]Z04111", ("4111", "Z0", "no-barcode")),
        ("]Q2A\\000026B\\\\C", ("AB\\C", "Q2", "qr")),
        ("]Q1A\\000026B", ("A\\000026B", "Q1", "qr")),
        ("]Q2C:\\new", ("C:\\new", "Q2", "qr")),
    ],
)
def test_split_aim(text: str, expected: tuple[str, str, str]) -> None:
    """A known prefix is taken off; anything else stays whole."""
    labelled = split_aim(text)
    assert (labelled.text, labelled.aim, labelled.symbology) == expected


def test_identifier_that_came_beside_the_code_names_it() -> None:
    """HID-POS tells it apart from the data; a scanner that sends it in both says it once."""
    assert split_aim("0104", "C1") == Labelled(text="0104", aim="C1", symbology="code128")
    assert split_aim("]C10104", "C1") == Labelled(text="0104", aim="C1", symbology="code128")
    assert split_aim("]E0104", "C1") == Labelled(text="]E0104", aim="C1", symbology="code128")
    assert split_aim("0104", "?") == Labelled(text="0104")


@given(st.text(max_size=20).filter(lambda text: "\\" not in text))
def test_any_text_keeps_all_but_the_prefix(text: str) -> None:
    """Whatever comes, it is told."""
    labelled = split_aim(text)
    assert text == (f"]{labelled.aim}" if labelled.aim else "") + labelled.text


def test_same_device_repeats_within_its_window_are_dropped() -> None:
    """Each repeat extends the time; after a pause the code counts again."""
    deduper = Deduper()
    times = [0, 1000, 2000, 2000 + SAME_DEVICE_MS]
    assert [deduper.is_repeat("a", "X", at) for at in times] == [False, True, True, False]


def test_another_device_repeats_within_a_shorter_window() -> None:
    """Two scanners over one counter read a code once; a second till's worth of time later it is new."""
    deduper = Deduper()
    assert not deduper.is_repeat("a", "X", 0)
    assert deduper.is_repeat("b", "X", OTHER_DEVICE_MS - 1)
    assert not deduper.is_repeat("b", "X", 2 * OTHER_DEVICE_MS)


def test_other_codes_are_never_repeats() -> None:
    """Two cards in a row are two scans."""
    deduper = Deduper()
    assert [deduper.is_repeat("a", key, 0) for key in ("X", "Y", "Z")] == [False, False, False]
