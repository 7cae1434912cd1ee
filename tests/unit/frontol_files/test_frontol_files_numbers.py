"""Frontol's decimals and dates as whole numbers and ISO texts, exactly."""

from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.frontol_report import decimal
from till_agent.frontol_files.exceptions import RowRefused
from till_agent.frontol_files.numbers import moment, scaled, whole


@pytest.mark.parametrize(
    ("text", "digits", "expected"),
    [
        ("53,17", 2, 5317),
        ("53.17", 2, 5317),
        ("0,548", 3, 548),
        ("66", 2, 6600),
        ("-3,3", 2, -330),
        ("", 2, 0),
        ("0,005", 2, 1),
        ("-0,005", 2, -1),
        ("1 234,56", 2, 123456),
        ("1\u00a0234,5", 2, 123450),
        (",5", 2, 50),
        ("7,", 2, 700),
        ("0,1", 0, 0),
        ("33,333333", 2, 3333),
    ],
)
def test_decimals_with_comma_or_point_are_exact(text: str, digits: int, expected: int) -> None:
    """Half a unit goes up, away from zero."""
    assert scaled(text, digits) == expected


@pytest.mark.parametrize("text", ["1,2,3", "abc", "1e5", "--1", ".", "1234567890123456", "٣", "0x10", "NaN"])
def test_what_is_no_decimal_is_refused_without_being_shown(text: str) -> None:
    """Where fields have slipped it may be a card."""
    with pytest.raises(RowRefused) as caught:
        scaled(text, 2)
    assert caught.value.code == "number"
    assert text not in str(caught.value).replace("number, not", "")


@given(st.integers(-(10**14), 10**14), st.integers(0, 6), st.sampled_from(",."))
def test_every_number_comes_back_as_it_was_written(value: int, digits: int, point: str) -> None:
    """Written with as many digits as are read."""
    assert scaled(decimal(value, digits, point), digits) == value


@given(st.decimals(-(10**9), 10**9, places=6), st.integers(0, 4))
def test_rounding_is_half_up(value: Decimal, digits: int) -> None:
    """As bookkeepers round, by an arithmetic of another kind."""
    wanted = int(value.scaleb(digits).quantize(Decimal(1), ROUND_HALF_UP))
    assert scaled(f"{value:f}".replace(".", ","), digits) == wanted


def test_hours_of_one_digit_and_missing_seconds_are_usual() -> None:
    assert moment("6.07.2026", "8:56:44") == "2026-07-06T08:56:44"
    assert moment("31.12.2025", "23:05") == "2025-12-31T23:05:00"


@pytest.mark.parametrize(
    ("date", "time"),
    [("31.02.2026", "8:00:00"), ("2026-07-06", "8:00:00"), ("06.07.26", "8:00:00"), ("6.7.2026", "25:00:00")],
)
def test_what_no_calendar_has_is_refused(date: str, time: str) -> None:
    with pytest.raises(RowRefused, match=r"dd\.mm|calendar"):
        moment(date, time)


def test_a_rows_number_is_whole() -> None:
    assert whole(" 1603292 ") == 1603292
    with pytest.raises(RowRefused):
        whole("-1")
