"""One way to find the installed till's configuration, with the same words where there is none."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from till_config import installed
from till_config.main import main

COMMANDS = (
    ("audit", "verify"),
    ("audit", "list"),
    ("sync", "status"),
    ("sync", "now"),
    ("queue", "list"),
    ("config", "apply"),
)


@pytest.fixture(autouse=True)
def _nowhere_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(installed.CONFIG_VARIABLE, raising=False)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_config_of_the_installed_till_is_found_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    """No --config: the file that set-up made is read, here one with a fault that the command tells."""
    monkeypatch.setattr(installed, "LINUX_CONFIG_DIR", tmp_path)
    monkeypatch.setattr(installed, "WINDOWS_CONFIG_DIR", tmp_path)
    (tmp_path / "till.toml").write_text("[agent]\nstate_dirr = 'x'\n")
    done = CliRunner().invoke(main, list(words))
    assert done.exit_code == 1
    assert "state_dirr" in done.output


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_config_that_is_nowhere_is_told_in_the_same_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    """Every command says where it looked and what to do, as the doctor does."""
    monkeypatch.setattr(installed, "LINUX_CONFIG_DIR", tmp_path)
    monkeypatch.setattr(installed, "WINDOWS_CONFIG_DIR", tmp_path)
    done = CliRunner().invoke(main, list(words))
    assert done.exit_code == 1
    path = installed.installed_config()
    assert f"{installed.missing_words(path)}: {installed.missing_fix()}" in done.output
    looked = CliRunner().invoke(main, ["doctor", "--root", str(tmp_path), "--only", "config_missing", "--json"])
    assert (
        installed.missing_words(tmp_path / "etc/tillside/till.toml") in looked.output or "ProgramData" in looked.output
    )
    assert installed.missing_fix() in looked.output
