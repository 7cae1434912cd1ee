"""How long calls wait for the cloud, broken on purpose: the tests that hold it must fail."""

from pathlib import Path

import pytest

from kit.broken import Mutant, notice, pass_unbroken
from kit.forks import Forks

HERE = "tests/unit/desk/test_desk_patience.py::"
STALLED = "tests/unit/frontol_api/test_frontol_api_stalled.py::"
FRONTOL = "tests/unit/frontol_api/test_frontol_api_clients.py::"

MUTANTS: list[Mutant] = [
    (
        "what was waited is forgotten",
        "desk/patience.py",
        "budget_ms - self._waited.get(of, 0) - under_way",
        "budget_ms - under_way",
        HERE + "test_questions_beside_each_other_count_once_and_calls_within_a_call_are_that_call",
    ),
    (
        "questions beside each other count twice",
        "desk/patience.py",
        "            if not self._asking[of]:\n                self._waited",
        "            if True:\n                self._waited",
        HERE + "test_questions_beside_each_other_count_once_and_calls_within_a_call_are_that_call",
    ),
    (
        "something is asked in no time at all",
        "desk/patience.py",
        "if left_ms < LEAST_MS:",
        "if left_ms < 0:",
        HERE + "test_a_quote_of_a_stranger_with_a_code_waits_for_one_budget",
    ),
    (
        "a code that is handed in takes nothing of the codes' budget",
        "desk/codes.py",
        'ask(budget_ms, given, of="code")',
        "ask(budget_ms, given)",
        HERE + "test_a_registration_waits_for_one_budget_of_codes_whoever_was_asked_about_before",
    ),
    (
        "whoever reserves points waits for all others",
        "desk/patience.py",
        "milliseconds=left_ms).total_seconds()):\n                await turn.acquire()",
        "milliseconds=10**8).total_seconds()):\n                await turn.acquire()",
        STALLED + "test_a_receipt_waits_for_no_other_call_that_is_at_the_cloud",
    ),
    (
        "each call within a call of Frontol has a budget",
        "frontol/app.py",
        "            with one_call(self._agent.clock.mono_ms):\n                return await handler(read_json(raw))",
        "            return await handler(read_json(raw))",
        FRONTOL + "test_a_call_of_frontol_waits_for_the_cloud_within_one_budget",
    ),
]


@pytest.mark.parametrize("mutant", MUTANTS, ids=[each[0] for each in MUTANTS])
def test_a_call_that_waits_too_long_is_noticed(forks: Forks, tmp_path: Path, mutant: Mutant) -> None:
    notice(forks, tmp_path, "till_agent", mutant)


def test_the_unbroken_copy_passes_the_tests_of_patience(forks: Forks, tmp_path: Path) -> None:
    pass_unbroken(forks, tmp_path, "till_agent", MUTANTS)
