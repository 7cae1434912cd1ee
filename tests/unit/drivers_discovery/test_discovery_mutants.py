"""Discovery with a mistake in it: each is noticed by the tests that are named beside it."""

from pathlib import Path

import pytest

from kit.broken import Mutant, notice
from kit.forks import Forks

HERE = "tests/unit/drivers_discovery"
LINUX, SOURCES = f"{HERE}/test_discovery_linux.py", f"{HERE}/test_discovery_sources.py"
MUTANTS: list[Mutant] = [
    (
        "twins share one identity",
        "discovery/ports.py",
        "is_only = identities.count(port.match) < 2",
        "is_only = True",
        f"{LINUX}::test_twins_without_a_serial_number_are_told_apart_by_their_sockets",
    ),
    (
        "any keyboard is a scanner",
        "discovery/hid.py",
        'sure=guess(vid, name) == "scanner"))',
        "sure=True))",
        f"{LINUX}::test_a_keyboard_that_calls_itself_a_scanner_is_one_and_another_may_be",
    ),
    (
        "a failing source takes all with it",
        "discovery/sources.py",
        "    except Exception as exc:",
        "    except KeyError as exc:",
        f"{SOURCES}::test_a_source_that_fails_or_hangs_keeps_no_other_from_being_read",
    ),
]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant[0])
def test_discovery_mistakes_are_noticed(forks: Forks, tmp_path: Path, mutant: Mutant) -> None:
    notice(forks, tmp_path, "till_drivers", mutant)
