"""docs/reference/faults.md names tests that are there, and every fault test is on it."""

import ast
import re
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
PAGE = TESTS.parent / "docs" / "reference" / "faults.md"


def names_in(folder: Path) -> set[str]:
    """The names of all tests of a folder's files."""
    return {
        node.name
        for path in folder.glob("test_*.py")
        for node in ast.parse(path.read_text("utf-8")).body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


def test_the_page_and_the_tests_speak_of_the_same() -> None:
    """A fault without a test is a promise, and a test that nobody finds is half a test."""
    named = set(re.findall(r"`(test_\w+)`", PAGE.read_text("utf-8")))
    faults = names_in(Path(__file__).parent)
    of_pages = names_of_this_file()
    assert named - faults - names_in(TESTS / "e2e") == set()
    assert faults - named - of_pages - {"test_every_case_has_a_name_of_its_own"} == set()


def names_of_this_file() -> set[str]:
    """Those that show nothing about a till."""
    return {name for name in globals() if name.startswith("test_")}
