"""Tables go between the markers, and nothing else of the page changes."""

from pathlib import Path

import pytest

from tillbench import page

SUMMARY = {
    "seconds": 700,
    "machine": {"cores": 2, "python": "3.11.0", "sqlite": "3.40.1"},
    "parts": [
        {"part": "drain", "commit": "abc1234", "seconds": 50, "load_before": 0.1, "load_after": 1.9},
        {"part": "calls", "commit": "abc1234", "seconds": 70, "load_before": 0.9, "load_after": 0.9},
    ],
    "aims": [{"aim": "drain", "wanted": ">= 3,000 ops/s", "found": "2,999 ops/s", "reached": False}],
}
ROWS = [
    {"figure": "call", "call": "quote", "connection": "keep-alive", "p50_us": 512, "p95_us": 700, "p99_us": 1500}
    | {"samples": 9, "echo_ratio": 2.95},
    {"figure": "plain", "name": "ready, full till", "value": 412, "unit": "ms"},
    {"figure": "journal", "ratio_p50": 1.1},
    {"figure": "cells", "table": "sales", "head": ["sale while", "p99"], "row": ["at rest", "4.00 ms"]},
    {"figure": "cells", "table": "sales", "head": ["sale while", "p99"], "row": ["a queue goes out", "5.00 ms"]},
]


def test_tables_say_what_was_found() -> None:
    """Calls, aims and single figures; rows of other kinds are for the machine."""
    text = page.render(ROWS, SUMMARY)
    assert "| quote | keep-alive | 0.51 ms | 0.70 ms | 1.50 ms | 3.0 x |" in text
    assert "| drain | >= 3,000 ops/s | 2,999 ops/s | no |" in text
    assert "| ready, full till | 412 ms |" in text
    assert "measured at abc1234, in 700 s. Load of the machine between parts, our own included: 0.1 to 1.9." in text
    assert "**Sales**\n\n| sale while | p99 |\n|---|---|\n| at rest | 4.00 ms |\n| a queue goes out | 5.00 ms |" in text


def test_writing_twice_is_as_writing_once(tmp_path: Path) -> None:
    """The prose around the tables stays."""
    path = tmp_path / "page.md"
    path.write_text(f"before\n{page.BEGIN}\nold\n{page.END}\nafter\n", encoding="utf-8")
    page.write(path, "new")
    page.write(path, "newer")
    assert path.read_text(encoding="utf-8") == f"before\n{page.BEGIN}\nnewer\n{page.END}\nafter\n"


@pytest.mark.parametrize("text", ["", page.BEGIN, f"{page.END}\n{page.BEGIN}", f"{page.BEGIN}{page.BEGIN}{page.END}"])
def test_a_page_without_its_markers_is_left_alone(tmp_path: Path, text: str) -> None:
    """Rather than putting tables just anywhere."""
    path = tmp_path / "page.md"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match="once each"):
        page.write(path, "new")
    assert path.read_text(encoding="utf-8") == text


def test_the_projects_own_page_has_its_markers() -> None:
    """So that `make bench ARGS=--write` has a place to write to."""
    found = Path(__file__).resolve().parents[3] / "docs" / "explanation" / "performance.md"
    text = found.read_text(encoding="utf-8")
    assert (text.count(page.BEGIN), text.count(page.END)) == (1, 1)
