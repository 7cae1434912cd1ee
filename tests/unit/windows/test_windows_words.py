"""The words of set-up and uninstaller, as Windows hands them on."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from till_installer.setup.exceptions import PreconditionError
from till_installer.windows.__main__ import windows
from till_installer.windows.words import INSTALL, REMOVE, Words


def test_values_are_taken_whole(tmp_path: Path) -> None:
    """With the slashes of addresses, in any case; paths lie beside the set-up unless they say otherwise."""
    origins = "https://a.example/,https://b.example"
    typed = ("/S", f"/posorigin={origins}", "/CONFIG=till.toml", f"/ENROLL={tmp_path}/x=1.txt")
    words = Words(typed, INSTALL, tmp_path)
    assert words.text("POSORIGIN") == origins
    assert words.path("CONFIG") == tmp_path / "till.toml"
    assert words.path("ENROLL") == tmp_path / "x=1.txt"
    assert (words.path("FRONTOL"), words.is_yes("REPAIR"), words.text("ACCOUNT")) == (None, False, "")
    removal = Words(("/PURGE=1", "/DISCARDQUEUE=12"), REMOVE)
    assert (removal.is_yes("PURGE"), removal.count("DISCARDQUEUE"), removal.count("CARRYTO")) == (True, 12, None)


@pytest.mark.parametrize("typed", ["/CONFG=till.toml", "/CONFIG", "/PURGE=1", "till.toml", "/D", "--config=x"])
def test_a_word_that_is_not_known_is_refused(typed: str) -> None:
    """Rather than that a till is installed without what it was to have."""
    with pytest.raises(PreconditionError, match="/CONFIG="):
        Words(("/S", typed), INSTALL)


def test_a_value_that_makes_no_sense_is_refused() -> None:
    """Half a path for the uninstaller, which runs from a folder of its own; no number; neither yes nor no."""
    words = Words(("/CARRYTO=stick", "/DISCARDQUEUE=all", "/PURGE=0"), REMOVE)
    for read in (lambda: words.path("CARRYTO"), lambda: words.count("DISCARDQUEUE"), lambda: words.is_yes("PURGE")):
        with pytest.raises(PreconditionError) as caught:
            read()
        assert caught.value.code == "word"


def test_a_refused_word_is_said_and_logged_by_the_set_up(tmp_path: Path) -> None:
    """Before anything is done."""
    options = ["install", "--version", "0.1.0", "--programs", str(tmp_path / "p"), "--data", str(tmp_path / "d")]
    done = CliRunner().invoke(windows, [*options, "--", "/S", "/CONFG=x"])
    assert (done.exit_code, "/CONFG=x" in done.output) == (1, True)
    assert "word" in (tmp_path / "d/logs/setup.log").read_text()
    assert not (tmp_path / "p").exists()


def test_what_nobody_expected_is_in_the_log_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With where it was: the set-up's window is gone by the time that somebody asks."""

    def break_down(*_: object, **__: object) -> None:
        raise RuntimeError("nobody thought of this")

    monkeypatch.setattr("till_installer.windows.removing.uninstall", break_down)
    done = CliRunner().invoke(windows, ["uninstall", "--programs", str(tmp_path), "--data", str(tmp_path / "d")])
    said = (tmp_path / "d/logs/setup.log").read_text()
    assert (done.exit_code, "nobody thought of this" in said, "break_down" in said) == (1, True, True)
