"""The commands for devices with a mistake in them: each is noticed by the tests that are named beside it."""

from pathlib import Path

import pytest

from kit.broken import Mutant, notice
from kit.forks import Forks

HERE = "tests/unit/devices"
MUTANTS: list[Mutant] = [
    (
        "a bank card within element strings is shown",
        "bank_cards.py",
        "if form is None or not form.checked:",
        "if False:",
        f"{HERE}/test_devices_listing.py::test_what_a_code_is_without_a_programme",
    ),
    (
        "a printer without paper gets a test slip that comes out hours later",
        "trials.py",
        "if state not in _TAKES_A_SLIP:",
        "if not state:",
        f"{HERE}/test_trials.py::test_a_printer_that_takes_none_gets_none_that_comes_out_hours_later",
    ),
    (
        "both lines of the code page are sent as letters",
        "trial_slip.py",
        "if not _fits(each, profile.code_page)",
        "if _fits(each, profile.code_page)",
        f"{HERE}/test_trials.py::test_the_code_page_is_shown_once_as_letters_and_once_drawn",
    ),
]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant[0])
def test_mistakes_of_the_devices_commands_are_noticed(forks: Forks, tmp_path: Path, mutant: Mutant) -> None:
    notice(forks, tmp_path, "till_agent", mutant)
