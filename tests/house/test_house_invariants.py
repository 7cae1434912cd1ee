"""The page on reliability names tests and planted mistakes that are there, for each of the fifteen invariants."""

import re

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
