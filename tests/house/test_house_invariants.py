"""The page on reliability names tests and planted mistakes that are there, for each of the fifteen invariants."""

import ast
import re
from collections.abc import Iterator

from house.tree import texts

PAGE = "docs/explanation/reliability.md"
HEADING = "## Each promise, its tests, and what breaks it"
INVARIANTS = 15


def promises() -> dict[int, tuple[set[str], set[str]]]:
    """The table: number -> (tests, mistakes)."""
    section = texts()[PAGE].split(HEADING, 1)[1].split("\n## ", 1)[0]
    rows = (line.split("|") for line in section.splitlines() if re.match(r"\| \d+ \|", line))
    return {int(row[1]): (set(re.findall(r"`([^`]+)`", row[3])), set(re.findall(r"`([^`]+)`", row[4]))) for row in rows}


def test_every_invariant_has_a_test_and_a_mistake_that_it_notices() -> None:
    """None is left out, and nothing is named that is not there."""
    found = promises()
    assert sorted(found) == list(range(1, INVARIANTS + 1))
    code = "".join(text for name, text in texts().items() if name.startswith("tests/") and name.endswith(".py"))
    for number, (tests, mistakes) in found.items():
        assert tests, f"invariant {number} has no test"
        assert mistakes, f"nothing shows that a test of invariant {number} can fail"
        assert [each for each in sorted(tests) if f"def {each}(" not in code] == [], f"invariant {number}"
        assert all(each.startswith("test_") for each in tests), f"invariant {number}"
        missing = [each for each in sorted(mistakes) if f"def {each}(" not in code and f'"{each}"' not in code]
        assert missing == [], f"invariant {number}"


FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
MARKS = "pytestmark"
LATER = ("soak", "mutants")
"""What the default suite leaves out: by the mark, and modules with the latter in their name."""


def at_once(names: set[str]) -> Iterator[str]:
    """Those tests that the default suite runs. A mark of one parameter leaves the others in it."""
    for path, text in texts().items():
        if not path.startswith("tests/") or not path.endswith(".py") or "mutants" in path:
            continue
        if names.isdisjoint(re.findall(r"def (test_\w+)\(", text)):
            continue
        body = ast.parse(text).body
        tests = [each for each in body if isinstance(each, FUNCTIONS) and each.name in names]
        if _is_later([each for each in body if isinstance(each, ast.Assign)]):
            continue
        for test in tests:
            if not _is_later([each for each in test.decorator_list if "parametrize" not in ast.dump(each)]):
                yield test.name


def _is_later(nodes: list[ast.Assign] | list[ast.expr]) -> bool:
    """Whether a mark stands there: of a function, or as `pytestmark`."""
    marks = [
        ast.dump(each) for each in nodes if not isinstance(each, ast.Assign) or ast.unparse(each.targets[0]) == MARKS
    ]
    return any(f"attr='{mark}'" in each for each in marks for mark in LATER)


def test_every_invariant_has_a_test_in_the_default_suite() -> None:
    """What runs at night alone says nothing of a change before it is taken."""
    found = promises()
    there = set(at_once(set().union(*(tests for tests, _ in found.values()))))
    assert "test_the_queue_is_the_same" in there
    assert "test_before_the_switch_it_is_undone" not in there
    assert [number for number, (tests, _) in found.items() if not tests & there] == []
