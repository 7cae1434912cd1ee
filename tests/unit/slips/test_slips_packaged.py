"""The short ways of a preview: the packaged slip without its sandbox, lines without the layout. Both say the same."""

import random
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from till_agent.slips import packaged
from till_agent.slips.packaged import packaged_blocks
from till_agent.slips.preview import preview_text
from till_agent.slips.straight import compile_straight
from till_agent.texts import LANGUAGES, Words
from till_drivers.blocks import Barcode, Block, Break, Cut, Image, Pair, QrCode, Rule, Text
from till_drivers.exceptions import RenderError, SlipTemplateError
from till_drivers.printers.text import to_text
from till_drivers.slips.facts import KINDS, Later, Offer, Row, SlipFacts
from till_drivers.slips.samples import SITUATIONS, sample_facts
from till_drivers.slips.template import default_template

LETTERS = "aZ9 -.%Жқ№\u00a0«»—\t\n\r\x1b\x02\u202e\u0301漢😀\u00ad\ud800{}%"
TEXTS = st.one_of(st.just(""), st.text(LETTERS, max_size=60), st.text(LETTERS, min_size=995, max_size=1_010))
NUMBERS = st.one_of(st.just(0), st.integers(-(10**12), 10**12))
ROWS = {
    "discounts": st.builds(Row, TEXTS, NUMBERS),
    "earned_by": st.builds(Row, TEXTS, NUMBERS),
    "later": st.builds(Later, TEXTS, NUMBERS),
    "offers": st.builds(Offer, TEXTS, TEXTS),
    "coupons": TEXTS,
}
OF_TYPE: dict[Any, st.SearchStrategy[Any]] = {str: TEXTS, int: NUMBERS, bool: st.booleans()}
FACTS = st.builds(
    SlipFacts,
    **{name: OF_TYPE[kind] for name, kind in SlipFacts.__annotations__.items() if kind in OF_TYPE},
    **{name: st.lists(each, max_size=4).map(tuple) for name, each in ROWS.items()},
    kind=st.sampled_from(KINDS),
)
LINES = st.text("aZ9 -Жқ\u00a0漢\u0301\n\t", max_size=50)
BLOCKS = st.lists(
    st.one_of(
        st.builds(Text, text=LINES, align=st.sampled_from(("left", "center", "right")), double=st.booleans()),
        st.builds(Pair, left=LINES, right=LINES, separator=st.sampled_from((" ", ".", "")), bold=st.booleans()),
        st.builds(Rule, symbol=st.sampled_from(("-", "=", "漢", ""))),
        st.sampled_from((Break(), Cut(), Image(), QrCode(data="q"), Barcode(data="b"))),
    ),
    max_size=30,
)


def made(facts: SlipFacts, words: Words, make: Any) -> list[Block] | type[Exception]:
    try:
        found: list[Block] = make(facts, words)
    except SlipTemplateError as exc:
        return type(exc)
    return found


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_sample_is_the_sandboxs_slip(language: str) -> None:
    """All kinds of slips in all situations, block for block."""
    words = Words(language)
    for kind in KINDS:
        for situation in SITUATIONS:
            facts = sample_facts(kind, words, situation)
            assert packaged_blocks(facts, words) == default_template().blocks(facts, words), (kind, situation)


@given(FACTS, st.sampled_from(LANGUAGES))
def test_whatever_stands_in_the_facts_the_slip_is_the_sandboxs(facts: SlipFacts, language: str) -> None:
    """Control codes, marks, halves of letters, texts past their length, numbers past reason."""
    words = Words(language)
    assert made(facts, words, packaged_blocks) == made(facts, words, default_template().blocks)


def test_samples_do_without_the_sandbox(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the short way would be no way at all, and nobody would notice."""
    monkeypatch.setattr(packaged, "default_template", None)
    for language in LANGUAGES:
        words = Words(language)
        for kind in KINDS:
            assert packaged_blocks(sample_facts(kind, words), words)


def test_a_text_with_control_codes_goes_to_the_sandbox(monkeypatch: pytest.MonkeyPatch) -> None:
    """It cleans texts before a template looks at them."""
    words = Words("ru")
    facts = replace(sample_facts("sale", words), discounts=(Row("Milk\x1b@", 5),))
    assert packaged_blocks(facts, words) == default_template().blocks(facts, words)
    monkeypatch.setattr(packaged, "default_template", None)
    with pytest.raises(TypeError, match="not callable"):
        packaged_blocks(facts, words)


def test_slips_of_several_threads_do_not_mix() -> None:
    """Each has the blocks of its own facts: no member sees another one's balance."""
    words, wrong = Words("ru"), []

    def work(seed: int) -> None:
        numbers = random.Random(seed)
        for _ in range(200):
            facts = replace(sample_facts("quote", words), before=numbers.randrange(10**9), name=f"N{seed}")
            said = {each.right for each in packaged_blocks(facts, words) if isinstance(each, Pair)}
            if not {f"N{seed}", words.points(facts.before)} <= said:
                wrong.append(seed)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert not wrong


@pytest.mark.parametrize("source", ["{{ slip.store }}", '{{ say("x") }}', '{{ text("a") ~ "b" }}'])
def test_a_template_that_prints_anything_else_is_not_taken(source: str) -> None:
    """What it prints would be lost."""
    with pytest.raises(SlipTemplateError, match="expected a"):
        compile_straight(source, "own.slip", frozenset({"text"}))


@given(BLOCKS, st.integers(16, 80))
def test_lines_are_those_of_the_layout(blocks: list[Block], columns: int) -> None:
    """Plain and odd letters, pairs that fit and that don't, pictures and codes."""
    assert lines(blocks, columns, preview_text) == lines(blocks, columns, to_text)


@given(st.integers(0, 30), st.integers(0, 30))
def test_a_pair_about_as_wide_as_the_paper_is_that_of_the_layout(left: int, right: int) -> None:
    """At the very edge, and with spaces at its ends."""
    for edge in ("", " "):
        blocks = [Pair(left=edge + "l" * left, right="r" * right + edge)]
        assert preview_text(blocks, 32) == to_text(blocks, 32)


@pytest.mark.parametrize(
    "blocks",
    [
        [Image()] * 20,
        [Image()] * 21,
        [QrCode(data="q")] * 21,
        [Text(text="w " * 1_990)] * 4,
        [Text(text="w " * 1_990, double=True)] * 2,
        [Text(text="w " * 1_990, double=True)] * 4,
        [Text(text="x")] * 101,
        [Text(text="x")] * 1_001,
        [Pair(left="l" * 50, right="r")] * 100,
    ],
)
def test_what_is_too_much_is_the_layouts_to_refuse(blocks: list[Block]) -> None:
    """Pictures, lines, double ones, and what is just not too much."""
    assert lines(blocks, 16, preview_text) == lines(blocks, 16, to_text)


def lines(blocks: list[Block], columns: int, make: Any) -> str | type[Exception]:
    try:
        return str(make(blocks, columns))
    except RenderError as exc:
        return type(exc)
