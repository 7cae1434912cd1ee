"""The look at a version that has just begun to serve."""

from pathlib import Path
from typing import Any

import pytest

from till_installer.upgrade import probe
from till_installer.upgrade.probe import PROBE_AMOUNT_MINOR, look


def answer(version: str) -> Any:
    """An agent of that version, as far as the look asks it."""

    def ask(_state_dir: Path, _method: str, path: str, *_body: object) -> Any:
        return {"version": version} if path == "/v1/status" else {"calculation": {"payable_minor": PROBE_AMOUNT_MINOR}}

    return ask


@pytest.mark.parametrize(
    ("runs", "wanted", "trouble"),
    [
        ("1.2.0", "1.2.0", ""),
        ("1.2.0", "1.2.0+camera", ""),
        ("1.2.1", "1.2.0", "other_version"),
        ("1.2.1", "1.2.0+camera", "other_version"),
    ],
)
def test_a_bundles_version_is_its_programs_and_what_came_along(
    runs: str, wanted: str, trouble: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An agent says what its programs are; a bundle with cameras was taken back for that."""
    monkeypatch.setattr(probe, "_readyz", lambda _state_dir: "")
    monkeypatch.setattr(probe, "ask", answer(runs))
    assert look(tmp_path, wanted, sells=True).trouble == trouble
