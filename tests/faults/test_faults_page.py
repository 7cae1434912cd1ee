"""docs/reference/faults.md names tests that are there, wherever; and every test of this folder is on it."""

import re
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
PAGE = TESTS.parent / "docs" / "reference" / "faults.md"


def names_in(folder: Path, pattern: str = "test_*.py") -> set[str]:
    """The names of all tests of a folder's files."""
    return {
        name
        for path in folder.glob(pattern)
        for name in re.findall(r"^def (test_\w+)\(", path.read_text("utf-8"), re.MULTILINE)
    }


def test_the_page_and_the_tests_speak_of_the_same() -> None:
    """A fault without a test is a promise, and a test that nobody finds is half a test."""
    named = set(re.findall(r"`(test_\w+)`", PAGE.read_text("utf-8")))
    faults = names_in(Path(__file__).parent)
    of_pages = names_of_this_file()
    assert named - names_in(TESTS, "**/test_*.py") == set()
    assert faults - named - of_pages - {"test_every_case_has_a_name_of_its_own"} == set()


def names_of_this_file() -> set[str]:
    """Those that show nothing about a till."""
    return {name for name in globals() if name.startswith("test_")}
