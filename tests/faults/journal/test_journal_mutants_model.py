"""The model of journal, cache and effects is worth something: it catches builds that are broken on purpose."""

from pathlib import Path

import pytest
from hypothesis import Phase

from faults.journal.journal_mutants import MUTANTS
from integration.agent_stores.test_agent_stores_model import a_page_of_before, play

pytestmark = pytest.mark.faults

EXAMPLES = 150
"""Most are caught within ten histories."""


@pytest.mark.parametrize(
    "mutant",
    [
        "included op counted",
        "included op left out",
        "cursor before rows",
        "verdicts in any order",
        "older pages win",
        "lost ops not counted again",
        "cache floor ignored",
    ],
)
def test_the_model_catches_a_broken_build(mutant: str, monkeypatch: pytest.MonkeyPatch):
    """Some random history shows another balance than the plain reckoning."""
    monkeypatch.setattr(*MUTANTS[mutant]())
    with pytest.raises((AssertionError, KeyError)):
        # Without shrinking: that it fails is enough, how is of no interest here.
        play(EXAMPLES, phases=(Phase.generate,), derandomize=True)


def test_what_is_forgotten_when_it_is_acknowledged_is_missed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A page of before is too rare among random histories."""
    monkeypatch.setattr(*MUTANTS["effects forgotten early"]())
    with pytest.raises(AssertionError):
        a_page_of_before(tmp_path)
