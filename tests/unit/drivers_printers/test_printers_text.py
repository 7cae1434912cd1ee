"""Slips as lines: cleaning, wrapping, pairs, widths."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from till_drivers.blocks import Barcode, Break, Cut, Pair, QrCode, Rule, Text
from till_drivers.printers.text import TEXT_BLOCK_LIMIT, clean, to_text, width, wrap

WORDS = st.text(alphabet=st.characters(codec="utf-8"), max_size=200)


@pytest.mark.parametrize(
    ("given_", "kept"),
    [
        ("\x1b@\x1d!\x11Иван\x00\x07", "@!Иван"),
        ("a\tb\x0bc", "a b c"),
        ("a\r\nb\nc\u2028d", "a b c d"),
        ("\u202egnp\u202c \u200bx\ufeff", "gnp x"),
        ("й", "й"),
        ("1\u202f234\u00a0₽", "1\u00a0234\u00a0₽"),
        ("\ud800", ""),
        ("\ue000", "?"),
        ("100 \u20c0", "100 сом"),
        ("\x9b31m", "31m"),
    ],
)
def test_what_could_steer_a_printer_is_taken_out(given_: str, kept: str) -> None:
    """Nobody prints ESC/POS through a name, nor turns a line around."""
    assert clean(given_) == kept


@given(WORDS)
def test_a_cleaned_text_holds_no_control_and_cleaning_it_again_changes_nothing(text: str) -> None:
    """Whatever comes: no category of control, format or surrogate is left."""
    cleaned = clean(text)
    assert not {unicodedata.category(letter) for letter in cleaned} & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    assert clean(cleaned) == cleaned


@given(text=WORDS, columns=st.integers(2, 60))
def test_no_wrapped_line_is_wider_than_asked_and_no_letter_is_lost(text: str, columns: int) -> None:
    """Only spaces and line ends go."""
    lines = wrap(text, columns)
    assert lines
    assert all(width(line) <= columns for line in lines)
    before = clean(text, keep_breaks=True)
    assert "".join("".join(lines).split()) == "".join(before.split())


def test_a_line_breaks_at_a_space_but_not_at_a_non_breaking_one() -> None:
    """A sum stays with its currency."""
    assert wrap("Итого к оплате 1\u00a0234\u00a0₽", 16) == ["Итого к оплате", "1\u00a0234\u00a0₽"]


def test_a_word_longer_than_the_line_is_cut() -> None:
    """A code without spaces fills lines."""
    assert wrap("ab " + "x" * 10, 4) == ["ab", "xxxx", "xxxx", "xx"]


def test_marks_and_wide_letters_take_the_columns_they_take() -> None:
    """An accent takes none, a Chinese letter two."""
    assert width("и\u0301") == 1
    assert width("中") == 2
    assert wrap("中中中", 4) == ["中中", "中"]


def test_a_pair_fills_its_line_to_the_last_column() -> None:
    """Left, dots, right."""
    assert to_text([Pair(left="Начислено", right="12,50", separator=".")], 24) == "Начислено ........ 12,50\n"


def test_the_left_of_a_pair_wraps_and_the_right_stands_on_the_last_line() -> None:
    """A long product name keeps its price at the edge."""
    assert to_text([Pair(left="Молоко пастеризованное 3,2 %", right="89,90")], 22) == (
        "Молоко пастеризованное\n3,2 %            89,90\n"
    )


def test_the_right_of_a_pair_gets_a_line_of_its_own_when_there_is_no_room() -> None:
    """It is never cut and never glued to the left."""
    assert to_text([Pair(left="Абвгдежзик", right="123")], 12) == "Абвгдежзик\n         123\n"


def test_a_whole_slip_as_text_for_cash_software() -> None:
    """Every kind of block; no line is wider than asked, no line ends in spaces."""
    slip = [
        Text(text="Полынь", align="center", double=True, bold=True),
        Rule(symbol="="),
        Pair(left="Было", right="100"),
        Text(text="справа", align="right"),
        Break(),
        QrCode(data="https://example.org/m/1"),
        Barcode(data="2200123456"),
        Cut(),
    ]
    assert to_text(slip, 20) == (
        "       Полынь\n====================\nБыло             100\n              справа\n\n"
        "https://example.org/\nm/1\n2200123456\n\n"
    )


@given(
    blocks=st.lists(
        st.one_of(
            st.builds(Text, text=WORDS, align=st.sampled_from(["left", "center", "right"]), double=st.booleans()),
            st.builds(Pair, left=WORDS, right=WORDS, separator=WORDS),
            st.builds(Rule, symbol=WORDS),
            st.builds(QrCode, data=WORDS),
        ),
        max_size=5,
    ),
    columns=st.integers(16, 48),
)
def test_no_line_of_any_slip_is_wider_than_the_paper(blocks: list[Text | Pair | Rule | QrCode], columns: int) -> None:
    """Whatever a template or a name holds."""
    text = to_text(blocks, columns)
    assert text == "" or text.endswith("\n")
    assert all(width(line) <= columns for line in text.split("\n"))


def test_a_text_of_a_megabyte_stops_at_the_limit() -> None:
    """A name can't use up the roll."""
    assert sum(map(len, wrap("x" * 1_000_000, 40))) == TEXT_BLOCK_LIMIT
