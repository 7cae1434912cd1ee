"""Parts of a run: each is kept when done, and what another release or a crash left is not mistaken for it."""

from pathlib import Path

import pytest

import run
from tillbench import parts
from tillbench.catalogue import PARTS
from tillbench.parts import QUICK, Bench, Found, kept_of, plain, run_part


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """A bench that keeps what it finds in a folder of the test."""
    monkeypatch.setattr(parts, "KEPT", tmp_path / "kept")
    return Bench(tmp_path, QUICK, lambda _words: None)


def test_what_a_part_found_is_kept(bench: Bench) -> None:
    """Rows and aims, for a page that is written later."""
    found = Found([plain("drain", 12.4, "ops/s")], [{"aim": "drain", "reached": False}])
    kept = run_part("drain", lambda _bench: found, bench)
    assert kept_of("drain", "quick") == kept
    assert (kept.rows, kept.aims) == (found.rows, found.aims)
    assert kept_of("drain", "full") is None


def test_a_part_that_fails_keeps_what_was_there(bench: Bench) -> None:
    """An older figure is better than none, and the run says that it failed."""

    def fail(_bench: Bench) -> Found:
        raise RuntimeError("no disk")

    kept = run_part("drain", lambda _bench: Found(), bench)
    with pytest.raises(RuntimeError, match="no disk"):
        run_part("drain", fail, bench)
    assert kept_of("drain", "quick") == kept


@pytest.mark.parametrize("text", ["", "{", "{}", '{"part": "drain", "unknown": 1}', "[]"])
def test_what_is_not_ours_counts_as_nothing(bench: Bench, text: str) -> None:
    """A file of another release, or half of one."""
    parts.KEPT.mkdir()
    (parts.KEPT / "quick-drain.json").write_text(text, encoding="utf-8")
    assert kept_of("drain", "quick") is None


def test_the_summary_has_the_aims_of_all_parts_that_are_there(bench: Bench) -> None:
    """In the order of the catalogue, whichever was measured last."""
    first, second = list(PARTS)[:2]
    run_part(second, lambda _bench: Found([], [{"aim": second}]), bench)
    run_part(first, lambda _bench: Found([plain("one", 1, "")], [{"aim": first}]), bench)
    assert [aim["aim"] for aim in run.summarise("quick")["aims"]] == [first, second]
    assert run.all_rows("quick") == [plain("one", 1, "")]
