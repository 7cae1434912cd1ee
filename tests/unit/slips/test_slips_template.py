"""Templates: what they may do, and that nothing in a name, a number or a chain's own template gets past the blocks."""

import logging
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes import slip_samples as samples
from fakes.till import IDENTITY, PROGRAMME
from till_agent.api import Sale
from till_agent.slips.compose import SlipContext, compose, compose_entry
from till_agent.slips.templates import SlipTemplates
from till_agent.texts import Words
from till_drivers.blocks import Barcode, Block, Break, Cut, Image, Pair, QrCode, Rule, Text
from till_drivers.exceptions import SlipTemplateError
from till_drivers.slips.facts import SlipFacts
from till_drivers.slips.template import (
    BLOCK_LIMIT,
    TEMPLATE_LIMIT_BYTES,
    VALUE_LIMIT,
    SlipTemplate,
    clean,
    default_template,
    load_template,
)

WORDS = Words("en", PROGRAMME)


def facts(**changes: object) -> SlipFacts:
    fields = {"kind": "sale", "store": "Shop", "moment": "today"} | changes
    return msgspec.convert(fields, SlipFacts)


def blocks(source: str, **changes: object) -> list[Block]:
    return SlipTemplate(source).blocks(facts(**changes), WORDS)


def test_each_function_makes_its_block() -> None:
    """All there are."""
    made = blocks(
        """
        {{ text("a", align="center", bold=true, double=true) }} {# one call, one block, one line #}
        {{ pair("l", "r", separator=".", bold=true) }}
        {{ rule("=") }}
        {{ br() }}
        {{ image("logo") }}
        {{ qrcode("q", correction="H") }}
        {{ barcode("2900000000018", symbology="ean13", print_text=false) }}
        {{ cut() }}
        """
    )
    assert made == [
        Text(text="a", align="center", bold=True, double=True),
        Pair(left="l", right="r", separator=".", bold=True),
        Rule(symbol="="),
        Break(),
        Image(name="logo"),
        QrCode(data="q", correction="H"),
        Barcode(data="2900000000018", symbology="ean13", print_text=False),
        Cut(),
    ]


def test_a_template_may_say_points_and_words_and_write_a_block_by_hand() -> None:
    """What is printed within a block written by hand is made harmless."""
    made = blocks('{"type":"text","text":"{{ slip.store }}, {{ points(slip.earned) }}"}', store='A "B" \\ C', earned=3)
    assert made == [Text(text='A "B" \\ C, 3 points')]
    assert blocks('{{ text(say("unconfirmed", points=2)) }}') == [Text(text="Not confirmed yet: 2\u00a0points")]
    assert blocks("{{ text(number(1200) ~ language) }}") == [Text(text="1200en")]


@pytest.mark.parametrize(
    "value",
    [
        '"}\n{"type":"cut"}\n{"type":"text","text":"',
        "{{ cut() }}",
        "\x1b@\x1bp\x00",
        "\u202eevil",
        "\x00",
        "line\r\nline",
        "line\u2028line\u2029line\x85line",
        "{% for x in y %}",
        "\ud800",
    ],
)
def test_no_value_adds_a_block_or_reaches_the_printer_as_a_command(value: str) -> None:
    """Names come from members and cash software."""
    for source in ("{{ text(slip.name) }}", '{"type":"text","text":"{{ slip.name }}"}'):
        (block,) = blocks(source, name=value)
        assert isinstance(block, Text)
        assert block.text == clean(value)
        assert not any(letter < " " and letter != "\n" for letter in block.text)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=80))
def test_any_text_is_one_block_and_comes_out_as_it_went_in_but_for_control_codes(value: str) -> None:
    """A property, in all three ways that a value can be printed."""
    made = blocks(
        '{{ text(slip.name) }}\n{{ pair("x", slip.name) }}\n{"type":"text","text":"{{ slip.name }}"}', name=value
    )
    assert made == [Text(text=clean(value)), Pair(left="x", right=clean(value)), Text(text=clean(value))]


def test_a_value_of_a_megabyte_stops_somewhere() -> None:
    """Paper is not endless."""
    (block,) = blocks("{{ text(slip.name) }}", name="x" * 1_000_000)
    assert isinstance(block, Text)
    assert len(block.text) == VALUE_LIMIT


@pytest.mark.parametrize(
    "source",
    [
        "{{ text(",
        "plain words",
        "{{ slip.nothing }}",
        "{{ text(slip.nothing) }}",
        '{{ text("a", align="up") }}',
        '{{ text("a") }}{{ text("b") }}',
        '{"type":"bomb"}',
        "{{ slip.__class__ }}",
        "{{ say.__self__ }}",
        "{{ say.__func__.__globals__ }}",
        "{{ range(9) }}",
        "{{ text(''.__class__.__mro__[1].__subclasses__()) }}",
        '{% include "/etc/passwd" %}',
        "{% import 'os' as os %}",
        "{{ 1 // 0 }}",
        '{{ say("no_such_words") }}',
        '{{ say("unconfirmed") }}',
        "{{ open('x') }}",
        "{% set slip.store = 'x' %}",
        "{{ text('x') }}\n" * (BLOCK_LIMIT + 1),
    ],
)
def test_what_is_no_template_is_refused_with_one_kind_of_error(source: str) -> None:
    """Wrong, reaching for Python, or endless."""
    with pytest.raises(SlipTemplateError):
        blocks(source)


def test_a_template_has_a_largest_size() -> None:
    """A picture does not belong in it."""
    with pytest.raises(SlipTemplateError, match="at most"):
        SlipTemplate("x" * (TEMPLATE_LIMIT_BYTES + 1))


def test_a_failing_template_of_the_chain_is_replaced_by_the_packaged_one(caplog: pytest.LogCaptureFixture) -> None:
    """The member gets a slip, and the log says what to mend."""
    entry = samples.sold().journal.entries[0]

    def composed(template: SlipTemplate | None) -> list[Block]:
        return compose_entry(entry, WORDS, store_name="S", time_zone="UTC", templates=SlipTemplates(template))

    with caplog.at_level(logging.ERROR):
        assert composed(SlipTemplate("{{ slip.nothing }}", "ours.slip")) == composed(None)
    assert "ours.slip" in caplog.text
    assert composed(SlipTemplate('{{ text("ours") }}')) == [Text(text="ours")]


def test_a_template_is_loaded_from_the_settings(tmp_path: Path) -> None:
    """Nothing set means the packaged one; what can't be read is said with its place."""
    assert load_template("") is None
    path = tmp_path / "our.slip"
    with pytest.raises(SlipTemplateError, match=r"our\.slip"):
        load_template(str(path))
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(SlipTemplateError, match=r"our\.slip"):
        load_template(str(path))
    path.write_text('{{ text("hello") }}', encoding="utf-8")
    loaded = load_template(str(path))
    assert loaded is not None
    assert loaded.blocks(facts(), WORDS) == [Text(text="hello")]


def test_the_packaged_template_is_compiled_once() -> None:
    """It is small, and shared."""
    assert default_template() is default_template()
    assert default_template().compile() is default_template().compile()


def test_a_hostile_member_and_shop_print_as_plain_text() -> None:
    """Through the packaged template, every field at once."""
    evil = 'X"}\n{"type":"cut"}\x1b@{{ cut() }}'
    till = samples.sold(name_masked=evil, card_masked=evil, phone_masked=evil)
    sale = msgspec.json.decode(till.journal.entries[0].answer, type=Sale)
    context = SlipContext(store_name=evil, time_zone=IDENTITY.time_zone, at_wall_ms=0, moment=evil, number=evil)
    made = compose(sale, context, WORDS)
    assert [type(block) for block in made].count(Cut) == 1
    assert isinstance(made[-1], Cut)
    assert b"\\u001b" not in msgspec.json.encode(made)
