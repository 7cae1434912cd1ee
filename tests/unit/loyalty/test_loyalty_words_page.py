"""The worked example of docs/explanation/rules.md is what the rules say."""

import re
from pathlib import Path

from till_loyalty.explain_receipt import explain_receipt
from till_loyalty.programme_document import parse_programme

PAGE = Path(__file__).resolve().parents[3] / "docs" / "explanation" / "rules.md"


def block(language: str) -> str:
    found = re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert len(found) == 1
    return str(found[0])


def test_the_example_is_what_the_command_answers() -> None:
    rules = parse_programme(block("toml"))
    assert list(explain_receipt(rules, block("json"), "en")) == block("text").splitlines()


def test_the_figures_in_the_words_below_are_those_of_the_example() -> None:
    told, words = block("text"), PAGE.read_text(encoding="utf-8").split("```")[-1]
    for figure in ("876.85", "814.19"):
        assert figure in words
        assert figure in told
    assert 87_685 * 500 * 15_000 // (10_000 * 10_000 * 100) == 65
    assert "to 65" in words
    assert "= 65 points" in told
