"""Plain letters, which are let through at one look, are those that the long way would leave as they are."""

import sys
import unicodedata

from till_drivers.blocks import Pair
from till_drivers.printers import text

STEERING = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def test_a_plain_letter_is_printable_narrow_and_composed() -> None:
    """No plain letter steers anything, is a kind of space that is replaced, combines, is wide, or has another form."""
    plain = [chr(code) for code in range(1, sys.maxunicode + 1) if text._PLAIN.fullmatch(chr(code))]
    assert {"a", "Я", "ә", "ё", "ў", "₸", "…", "é", " ", "\u00a0"} <= set(plain)
    for letter in plain:
        category = unicodedata.category(letter)
        assert category not in STEERING
        assert category != "Zs" or letter in " \u00a0"
        assert not unicodedata.combining(letter)
        assert unicodedata.east_asian_width(letter) not in "WF"
        assert letter not in text._NO_GLYPH
    assert unicodedata.normalize("NFC", "".join(plain)) == "".join(plain)


def test_a_long_line_breaks_as_it_did_when_every_letter_was_measured() -> None:
    """Wide letters, marks, kinds of space and words longer than a line: each line fits, and no letter is lost."""
    samples = (
        "aaaa bbbb cc",
        "а\u0301 ббб  вввв",
        "漢字 ab漢",
        "word\u00a0glued tail",
        "x" * 23,
        "",
        "  lead and trail ",
    )
    for sample in samples:
        for columns in (4, 5, 9, 16):
            lines = text.wrap(sample, columns)
            assert all(text.width(line) <= columns for line in lines)
            assert "".join(lines).replace(" ", "") == text.clean(sample).replace(" ", "")


def test_a_separator_of_two_columns_does_not_widen_the_line() -> None:
    """The room that wide dots leave is counted in columns, not in letters."""
    for separator in (".", "⺀", "\u0301"):
        for columns in (9, 16, 17):
            lines = text.pair(Pair(left="a", right="b", separator=separator), columns)
            assert [text.width(line) for line in lines] == [columns]
