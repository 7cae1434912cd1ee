"""Templates that would take seconds, half a gigabyte, or the slip itself: each is bounded."""

import pytest

from till_drivers.blocks import Text
from till_drivers.exceptions import SlipTemplateError
from till_drivers.slips import sandbox, template
from till_drivers.slips.samples import sample_facts
from till_drivers.slips.steps import PRINTED_LIMIT, TEXT_LIMIT
from till_drivers.slips.template import SlipTemplate
from till_drivers.slips.words import SlipWords

WORDS = SlipWords("ru")
LONG = "aB " * 20_000
LOOP = "{% for i in '" + "1" * 450 + "' %}"
END = "{% endfor %}"


def blocks(source: str) -> list[object]:
    return list(SlipTemplate(source, "ours.slip").blocks(sample_facts("sale", WORDS), WORDS))


def refusal(source: str) -> str:
    with pytest.raises(SlipTemplateError) as caught:
        blocks(source)
    return str(caught.value)


GREEDY = {
    "a long text of its own, written out in each turn": (LOOP + " " * 59_000 + "😀" + END, "steps"),
    "the same in a macro": ("{% macro m() %}" + LOOP + " " * 50_000 + END + "{% endmacro %}{{ m() }}", "steps"),
    "a long text in quotes, filtered in each turn": (
        LOOP + "{{ (('" + LONG + "' if i else '') | title) | length }}" + END,
        f"at most {TEXT_LIMIT} letters in quotes",
    ),
    "what a macro printed, over and over": (
        "{% macro m() %}" + "x" * 15_000 + "{% endmacro %}{% set x = m() %}" + LOOP + "{{ x }}" + END,
        f"at most {PRINTED_LIMIT} letters in all",
    ),
}


@pytest.mark.parametrize("name", GREEDY)
def test_what_a_template_prints_and_works_on_is_bounded(name: str) -> None:
    """Refused in words; until then the first took 474 MB, the third seven seconds."""
    source, words = GREEDY[name]
    assert words in refusal(source)


@pytest.mark.parametrize("form", ["", " | upper", " | upper | lower"])
def test_what_a_set_block_takes_in_is_cut_as_other_texts_are(form: str) -> None:
    """Else a filter could be given sixty thousand letters in each turn of a loop."""
    made = blocks("{% set a" + form + " %}" + LONG + "{% endset %}{{ text(a | length) }}")
    assert made == [Text(text=str(TEXT_LIMIT))]


def test_the_filter_title_takes_no_more_than_other_texts_have() -> None:
    """A macro prints up to sixteen thousand letters, and `title` is slow."""
    made = blocks("{% macro m() %}" + "ab " * 3_000 + "{% endmacro %}{{ text((m() | title) | length) }}")
    assert made == [Text(text=str(TEXT_LIMIT))]


def test_a_mark_that_is_no_number_of_pythons_is_a_fault_of_the_template() -> None:
    """Five thousand digits made `int` raise what nobody took for the template's fault: no slip, and no other template
    in its place."""
    assert "expected a block a line" in refusal(template.MARK + "9" * 5_000)


@pytest.mark.parametrize("source", ["{{ say('\x1b]0;owned\x07') }}", "{{ text(slip['\x1b[2J']) }}", '{"\x1b[2J'])
def test_what_is_said_of_a_template_steers_no_terminal(source: str) -> None:
    """It is shown by `slip check`, by `cloud programme upload` and in the till's status."""
    assert refusal(source).isprintable()


def test_a_sandbox_that_counts_no_letters_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mistake that there was."""
    monkeypatch.setattr(sandbox, "_letters", lambda _: 0)
    source, words = GREEDY["a long text of its own, written out in each turn"]
    assert words not in refusal(source)
