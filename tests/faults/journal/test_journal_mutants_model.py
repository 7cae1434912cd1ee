"""The model of journal, cache and effects, and the histories told beside it, are worth something: they catch builds
that are broken on purpose."""

from pathlib import Path

import pytest
from hypothesis import Phase

from faults.journal.journal_mutants import MUTANTS
from integration.agent_stores.test_agent_stores_histories import HISTORIES
from integration.agent_stores.test_agent_stores_model import play
from kit.loops import run

pytestmark = pytest.mark.faults

EXAMPLES = 150
"""Each is caught within ten."""


@pytest.mark.parametrize("mutant", ["included op counted", "included op left out", "cursor before rows"])
def test_the_model_catches_a_broken_build(mutant: str, monkeypatch: pytest.MonkeyPatch):
    """Some random history shows another balance than the plain reckoning."""
    monkeypatch.setattr(*MUTANTS[mutant]())
    with pytest.raises((AssertionError, KeyError)):
        # Without shrinking: that it fails is enough, how is of no interest here.
        play(EXAMPLES, phases=(Phase.generate,), derandomize=True)


@pytest.mark.parametrize(
    ("mutant", "history"),
    [
        ("effects forgotten early", "a page of before an op"),
        ("effects forgotten early", "an answer about somebody of before an op"),
        ("older pages win", "a page older than a verdict"),
        ("verdicts in any order", "a verdict older than a page"),
        ("lost ops not counted again", "a cloud put back"),
        ("cache floor ignored", "a death between journal and cache"),
    ],
)
def test_one_history_catches_a_broken_build(mutant: str, history: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """It takes steps in an order that is too rare among random ones."""
    monkeypatch.setattr(*MUTANTS[mutant]())
    with pytest.raises(AssertionError):
        run(HISTORIES[history](tmp_path))
