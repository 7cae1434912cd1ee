"""What is typed into `tillside pos`, and what is written down of it."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from till_agent.cli import pos_carrying
from till_agent.cli.pos_commands import COMMANDS
from till_agent.cli.pos_parsing import (
    NotUnderstoodError,
    Units,
    quantity_words,
    read_line,
    read_quantity,
    split_words,
)
from till_agent.cli.pos_record import masked

UNITS = Units(currency="KZT")


@pytest.mark.parametrize(
    ("typed", "name", "quantity", "amount"),
    [
        ("3x молоко 89.90", "молоко", 3000, 26_970),
        ("3х молоко 89,90", "молоко", 3000, 26_970),
        ("2 x сок яблочный 100", "сок яблочный", 2000, 20_000),
        ("0.455x сыр 799.99", "сыр", 455, 36_400),
        ('"Milk 3.2%" 89.9', "Milk 3.2%", 1000, 8_990),
        ("3× tea =250", "tea", 3000, 25_000),
        ("O'Brien 5", "O'Brien", 1000, 500),
    ],
)
def test_a_line_is_read_as_people_type_it(typed: str, name: str, quantity: int, amount: int) -> None:
    """Quantity in front, price of one at the end, or of all after `=`; rounded half up to the smallest coin."""
    line = read_line(split_words(typed), 1, UNITS)
    assert (line.name, line.quantity_thousandths, line.amount_minor) == (name, quantity, amount)
    assert line.sku


def test_a_line_takes_what_rules_look_at() -> None:
    """Stock number, category, brand, labels, the least price."""
    line = read_line(split_words("milk 10 sku=460 category=FOOD/MILK brand=B label=a label=b min=5"), 7, UNITS)
    assert (line.number, line.sku, line.category, line.brand) == (7, "460", ("FOOD", "MILK"), "B")
    assert (line.labels, line.minimum_price_minor) == (("a", "b"), 500)


@pytest.mark.parametrize(
    "typed",
    ["milk", "89.90", "milk 1.234", "0x milk 5", "milk -5", "milk 5 colour=red", 'milk "5', "milk 99999999999999"],
)
def test_what_is_no_line_is_said_to_be_none(typed: str) -> None:
    """With what was expected."""
    with pytest.raises(NotUnderstoodError, match="expected"):
        read_line(split_words(typed), 1, UNITS)


def test_comments_and_empty_lines_have_no_words() -> None:
    """A script may have both; `#` within a line is a letter."""
    assert split_words("# all of this") == split_words("  ") == []
    assert split_words("tea #1 5") == ["tea", "#1", "5"]


@given(st.integers(0, 10**13), st.integers(0, 4))
def test_an_amount_that_was_written_is_read_as_the_same(minor: int, exponent: int) -> None:
    """In every currency."""
    units = Units(currency_exponent=exponent, points_exponent=exponent)
    assert units.read_money(units.money(minor)) == minor
    assert units.read_points(units.points(minor)) == minor


@given(st.integers(0, 10**9))
def test_a_quantity_that_was_written_is_read_as_the_same(thousandths: int) -> None:
    """To the gram."""
    assert read_quantity(quantity_words(thousandths)) == thousandths


@given(st.text(max_size=40))
def test_whatever_is_typed_is_read_or_refused(typed: str) -> None:
    """Nothing else comes of it."""
    with contextlib.suppress(NotUnderstoodError):
        assert read_line(split_words(typed), 1, UNITS).name


def test_a_record_names_nobody() -> None:
    """Numbers, names and codes keep their last four letters at most; goods and coupons stay as they are."""
    body = {
        "member": {"card": "2900000000018"},
        "phone": "+79161231234",
        "name": "Anna",
        "pin": "1234",
        "codes": ["MILK10"],
        "receipt": {"lines": [{"name": "milk", "sku": "m"}]},
    }
    assert masked(body) == {
        "member": {"card": "*********0018"},
        "phone": "********1234",
        "name": "****",
        "pin": "****",
        "codes": ["MILK10"],
        "receipt": {"lines": [{"name": "milk", "sku": "m"}]},
    }


def test_every_command_says_what_it_does() -> None:
    """And begins its usage with its name."""
    assert {"add", "close", "return"} <= set(COMMANDS), pos_carrying.MODULES
    for name, command in COMMANDS.items():
        assert command.usage.split()[0] == name
        assert command.help
