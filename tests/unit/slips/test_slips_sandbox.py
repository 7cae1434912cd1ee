"""What a template can't do: reach Python, or take for ever. No test here has a clock: each would hang or fail."""

import pytest

from till_drivers.blocks import Break, Pair, Text
from till_drivers.exceptions import SlipTemplateError
from till_drivers.slips.facts import Row
from till_drivers.slips.samples import sample_facts
from till_drivers.slips.steps import PART_LIMIT, STEP_LIMIT, TEXT_LIMIT, VALUE_LIMIT, Steps, joined, replaced
from till_drivers.slips.template import SlipTemplate, default_template
from till_drivers.slips.words import SlipWords
from till_loyalty.slips import TEMPLATE_LIMIT_BYTES

WORDS = SlipWords("ru")
TENS = "{% for a in 'xxxxxxxxxx' %}"
END = "{% endfor %}"


def blocks(source: str, **changes: object) -> list[object]:
    from msgspec.structs import replace

    return list(SlipTemplate(source, "ours.slip").blocks(replace(sample_facts("sale", WORDS), **changes), WORDS))


def refusal(source: str, **changes: object) -> str:
    with pytest.raises(SlipTemplateError) as caught:
        blocks(source, **changes)
    return str(caught.value)


DOUBLING = "{% macro f(x) %}{{ x }}{{ x }}{% endmacro %}"
BOMBS = {
    "powers": "{{ text(9 ** 9 ** 9 ** 9) }}",
    "macros that double a little": DOUBLING + "{{ text(" + "f(" * 15 + "'x'" + ")" * 15 + ") }}",
    "a text repeated": "{{ text('x' * 10000000000) }}",
    "a text repeated by a number": "{{ text(10000000000 * 'x') }}",
    "a list repeated": "{% for a in [1] * 10000000000 %}{% endfor %}",
    "a wide format": "{{ text('%99999999999d' % 1) }}",
    "a wide format method": "{{ text('{:>99999999999}'.format(1)) }}",
    "a wide centre": "{{ text('x'.center(99999999999)) }}",
    "a wide filter": "{{ text('x' | center(99999999999)) }}",
    "an indent": "{{ text('x\\ny' | indent(99999999999)) }}",
    "zeros": "{{ text('1'.zfill(99999999999)) }}",
    "tabs": "{{ text('\\t'.expandtabs(99999999999)) }}",
    "a range": "{% for a in range(99999999999) %}{% endfor %}",
    "loops in loops": TENS * 12 + "{{ br() }}" + END * 12,
    "a loop too long": TENS * 4 + "{% set x = slip.name ~ slip.name %}" + END * 4 + "{{ text('x') }}",
    "a loop of nothing": TENS * 12 + END * 12,
    "a macro that calls itself": "{% macro f(n) %}{{ f(n) }}{{ f(n) }}{% endmacro %}{{ f(1) }}",
    "macros that double": "{% macro f(x) %}{{ x }}{{ x }}{% endmacro %}{{ " + "f(" * 40 + "'x'" + ")" * 40 + " }}",
    "a number that squares": "{% set a = 99999 %}" + "{% set a = a * a %}" * 60 + "{{ text(a) }}",
    "lists that nest": "{% set a = [1] %}" + "{% set a = [a, a] %}" * 60 + "{{ text(a) }}",
    "a list in a list": "{% set a = [1] %}{{ text([a, a]) }}",
    "tuples that nest": "{% set a = (1, 1) %}" + "{% set a = (a, a) %}" * 60 + "{{ text(a) }}",
    "dictionaries that nest": "{% set a = 1 %}" + "{% set a = {1: a, 2: a} %}" * 60 + "{{ text(a) }}",
    "values of a macro that nest": "{% macro f() %}{{ f(varargs, varargs) }}{% endmacro %}{{ f(1) }}",
    "a recursive loop": "{% for a in 'xx' recursive %}{{ loop('xx') }}{% endfor %}",
    "brackets": "{{ " + "(" * 20_000 + "1" + ")" * 20_000 + " }}",
    "not not": "{{ " + "not " * 15_000 + "1 }}",
    "minus minus": "{{ " + "- " * 20_000 + "1 }}",
    "ifs in ifs": "{% if 1 %}" * 3_000 + "{% endif %}" * 3_000,
    "a number of a million digits": "{{ text(" + "9" * 60_000 + ") }}",
    "loops by the thousand": "{% for a in 'x' %}{% endfor %}" * 2_000,
    "too many parts": "{% set a = 1 %}" * (PART_LIMIT // 3) + "{{ text(a) }}",
    "filters one upon the other": "{{ text('x'" + " | upper" * 6_000 + ") }}",
    "lipsum": "{{ text(lipsum(9999)) }}",
    "a cycler": "{{ text(cycler('a').next()) }}",
    "a block of itself": "{% block a %}{{ self.a() }}{% endblock %}",
    "a hundred filters": "{{ text('x'" + " | upper" * 100 + ") }}",
    "a namespace": "{% set n = namespace(a=1) %}{% set n.a = 2 %}",
    "a call block": "{% macro f() %}{{ caller() }}{% endmacro %}{% call f() %}x{% endcall %}",
    "values with a star": "{{ text(*['a']) }}",
    "debug": "{% debug %}",
    "bytes": "{{ text('x'.encode()) }}",
    "a map": "{{ text('xxx' | map('upper') | list) }}",
    "a json": "{{ text(slip | tojson) }}",
    "pprint": "{{ text(slip | pprint) }}",
    "an attribute by a filter": "{{ text(slip | attr('__class__')) }}",
    "a class by a bracket": "{{ text(slip['__class__']) }}",
    "globals of a function": "{{ text(say['__func__']) }}",
    "JSON nested without end": '{"type":"text","text":' + "[" * 30_000,
}


@pytest.mark.parametrize("name", BOMBS)
def test_no_template_takes_for_ever_or_reaches_past_its_slip(name: str) -> None:
    """Refused where it is read, or stopped while it runs; never a hang, a crash or another error."""
    assert "ours.slip" in refusal(BOMBS[name])


def test_what_a_slip_is_made_with_works() -> None:
    """Loops, macros that make blocks, filters, methods, sums: what designers use."""
    source = """
    {% macro row(name, n, bold=false) %}{% if n %}{{ pair(name | upper, points(n), bold=bold) }}{% endif %}
    {% endmacro %}
    {% set total = slip.earned + slip.redeemed %}
    {{ row("a", slip.earned) }}
    {{ row("b", 0) }}
    {{ row("c", total, bold=true) }}
    {% for each in slip.discounts %}
    {{ text(loop.index ~ "/" ~ loop.length ~ " " ~ loop.cycle("odd", "even") ~ " " ~ each.title.upper()) }}
    {% if not loop.last %}{{ br() }}{% endif %}
    {% else %}
    {{ text("none") }}
    {% endfor %}
    {% for word in "x,y".split(",") if word != "y" %}
    {{ text(word | replace("x", "z") | default("-")) }}
    {% endfor %}
    {{ text([slip.kind, "b"] | length if false else ("p", "q") | join("+")) }}
    """
    assert "as they are" in refusal(source)
    made = blocks(source.replace('[slip.kind, "b"]', '["a", "b"]'), discounts=(Row("m", 1), Row("n", 2)))
    assert made == [
        Pair(left="A", right="57 бонусов"),
        Pair(left="C", right="157 бонусов", bold=True),
        Text(text="1/2 odd M"),
        Break(),
        Text(text="2/2 even N"),
        Text(text="z"),
        Text(text="p+q"),
    ]


def test_what_a_macro_prints_is_as_harmless_as_what_a_template_prints() -> None:
    """A value in it adds no block, though the macro's own blocks pass."""
    evil = 'x"}\n{"type":"cut"}\n\x020'
    source = '{% macro f(a) %}{"type":"text","text":"{{ a }}"}{% endmacro %}{{ br() }}\n{{ f(slip.name) }}'
    made = blocks(source, name=evil)
    assert made == [Break(), Text(text='x"}\n{"type":"cut"}\n0')]


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("\n\n{{ text( }}", "line 3"),
        ("\n{{ text('x') }}\n{{ text(slip.nothing) }}", "line 3"),
        ("\n{{ text('x') }}\n\n{% import 'os' as os %}", "line 4"),
        ("\n{% for a in 'xxxxx' %}\n{{ text(a ** 2) }}\n{% endfor %}", "line 3"),
        ("\n\n\n{{ text(1 // 0) }}", "line 4"),
    ],
)
def test_the_line_that_fails_is_named(source: str, line: str) -> None:
    """So that a designer finds it."""
    assert line in refusal(source)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("{{ text(slip.nothing) }}", "'nothing' is no part of this"),
        ("{{ text(nothing) }}", "'nothing' is undefined"),
        ("{{ text(slip.name.nothing.more) }}", "'nothing' is no part of this"),
        ("{% for a in range(9) %}{% endfor %}", ", not range"),
        ("{{ slip.nothing(1) }}", ", not nothing"),
    ],
)
def test_what_is_not_there_is_named_by_its_own_name(source: str, said: str) -> None:
    """Not by that of a Python class."""
    refused = refusal(source)
    assert refused.endswith(said)
    assert "till_" not in refused
    assert "Undefined," not in refused


def test_the_packaged_template_is_far_below_its_limits() -> None:
    """A chain that begins with it has room."""
    from till_drivers.slips import sandbox

    tree = sandbox.Sandbox((), str, str).parse(default_template()._source)
    assert sandbox._size(tree) < PART_LIMIT / 3
    assert len(default_template()._source.encode()) < TEMPLATE_LIMIT_BYTES / 8


def test_steps_are_counted_to_the_last() -> None:
    """The limit itself is allowed."""
    steps = Steps()
    steps.take(STEP_LIMIT)
    with pytest.raises(SlipTemplateError, match="5000 steps"):
        steps.take(1)


@pytest.mark.parametrize("how", ["a ~ a", "a + a", "a | replace('x', 'xxxxxxxxxx')", "a | join(a)"])
def test_a_text_that_grows_is_cut_and_not_the_template_blamed(how: str) -> None:
    """A name of a member's must not cost the others their template."""

    grow = "{% set a = 'xxxxxxxx' %}" + ("{% set a = " + how + " %}") * 60
    (made,) = blocks(grow + "{{ text(a) }}")
    assert isinstance(made, Text)
    assert len(made.text) == VALUE_LIMIT
    assert blocks(grow + "{{ text(a | length) }}") == [Text(text=str(TEXT_LIMIT))]


def test_filters_that_make_texts_longer_stop_before_they_do() -> None:
    """The work is not done first: these would take a terabyte."""
    long = "x" * 1_000_000
    for made in (
        replaced(long, "x", long),
        replaced(long, "", long),
        joined([long] * 1_000_000, "y"),
        joined(["x"] * 1_000_000, long),
    ):
        assert len(made) == TEXT_LIMIT
    assert replaced("aXb", "X", "-") == "a-b"
    assert joined(["a", 1]) == "a1"


def test_values_of_a_megabyte_do_not_make_a_template_fail() -> None:
    """They come from members and cash software; they are cut as they are read."""
    (made,) = blocks("{{ text(slip.name) }}", name="x" * 1_000_000)
    assert isinstance(made, Text)
    long = "x" * 1_000_000
    facts = dict.fromkeys(("name", "store", "number", "card", "phone", "note", "original", "moment"), long)
    assert blocks(default_template()._source, **facts)
