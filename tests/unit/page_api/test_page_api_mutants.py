"""For each promise of what pages are told: a build that breaks it is found out by the test named beside it."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from integration.page_api import test_page_search_index as of_index
from kit.mistakes import Mistake, must_be_caught
from till_agent import logs, tail
from till_agent.cache import matching, pages, search_index, searching
from till_agent.desk import lookup, recent
from unit.page_api import test_page_api_recent as of_recent
from unit.page_api import test_page_api_tail as of_tail


def in_a_folder(check: Callable[[Path], None]) -> Callable[[], None]:
    def run() -> None:
        with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
            of_index.make_small(patch.setattr)
            check(Path(folder))

    return run


MISTAKES = {
    "the tail keeps what the log strikes out": Mistake(
        logs, "redact", '_DIGITS.sub(lambda found: found[1] or "[digits]", ', "(", of_tail.of_canaries
    ),
    "the tail keeps tokens": Mistake(
        logs, "redact", '_SECRET.sub(r"\\1\\2[secret]", text)', "text", of_tail.of_canaries
    ),
    "the tail keeps the bare message": Mistake(
        tail.Tail,
        "emit",
        'self.format(record).encode("utf-8", "replace")',
        '__import__("json").dumps({"at": "2026-01-01", "level": "info", "logger": "x", '
        '"message": record.getMessage()}).encode()',
        of_tail.of_canaries,
    ),
    "a page of sales begins with the last one's end": Mistake(
        recent.Recent, "sales", "places[:limit]", "places", of_recent.of_pages
    ),
    "a voided sale's lines are offered": Mistake(
        recent,
        "_lines",
        "0 if voided else line.quantity_thousandths - quantity",
        "line.quantity_thousandths",
        of_recent.of_lines,
    ),
    "what came back is not counted": Mistake(
        lookup, "state_of", "if quantity or amount else", "if True else", of_recent.of_lines
    ),
    "a search takes any one word": Mistake(
        matching.Wanted,
        "fits",
        "return all(any(name.startswith(word)",
        "return any(any(name.startswith(word)",
        of_recent.of_search,
    ),
    "a search does not compare digits": Mistake(
        matching.Wanted, "fits", "if self.digits and not", "if False and not", in_a_folder(of_index.of_changes)
    ),
    "a new name is not noted": Mistake(
        pages, "_write_some", "shown.append(row.member_id)", "pass", in_a_folder(of_index.of_changes)
    ),
    "what was read anew is not noted": Mistake(
        search_index,
        "note",
        "if state is not None and state.cursor == before:",
        "if state is not None and state.cursor == before != after:",
        in_a_folder(of_index.of_changes),
    ),
    "an index that missed a page is believed": Mistake(
        searching._Looked, "rows", "state.cursor == cursor", "True", in_a_folder(of_index.of_another_program)
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_in_what_pages_are_told_is_caught(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test passes without the mistake and fails with it."""
    must_be_caught(MISTAKES[name], monkeypatch)
