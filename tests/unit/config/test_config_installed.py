"""One way to find the installed till's configuration, with the same words where there is none."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from till_config import installed
from till_config.main import main
from till_installer.layout import this_layout

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


# It can do without one: what is plugged in it lists anywhere.
@pytest.mark.parametrize("words", [*COMMANDS, ("devices",)], ids=" ".join)
def test_config_of_the_installed_till_is_found_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    """No --config: the file that set-up made is read, here one with a fault that the command tells."""
    monkeypatch.setattr(installed, "installed_config", lambda: tmp_path / "till.toml")
    (tmp_path / "till.toml").write_text("[agent]\nstate_dirr = 'x'\n")
    done = CliRunner().invoke(main, list(words))
    assert done.exit_code == 1
    assert "state_dirr" in done.output


def test_a_key_is_explained_as_the_till_has_it_wherever_its_file_was_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the variable, or where set-up put it; the defaults are explained only where there is no till."""
    path = tmp_path / "till.toml"
    monkeypatch.setattr(installed, "installed_config", lambda: path)

    def explained() -> str:
        done = CliRunner().invoke(main, ["config", "explain", "bridge.port"])
        assert done.exit_code == 0, done.output
        return done.output.partition("\n  default")[0]

    assert explained() == "bridge.port = 17532\n  from:     the default"
    path.write_text("[bridge]\nport = 17533\n")
    assert explained() == f"bridge.port = 17533\n  from:     {path}:2:1"
    other = tmp_path / "other.toml"
    other.write_text("[bridge]\nport = 17534\n")
    monkeypatch.setenv(installed.CONFIG_VARIABLE, str(other))
    assert explained() == f"bridge.port = 17534\n  from:     {other}:2:1"


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_config_that_is_nowhere_is_told_in_the_same_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    """Every command says where it looked and what to do, as the doctor does."""
    monkeypatch.setattr(installed, "installed_config", lambda: tmp_path / "till.toml")
    done = CliRunner().invoke(main, list(words))
    assert done.exit_code == 1
    path = tmp_path / "till.toml"
    assert f"{installed.missing_words(path)}: {installed.missing_fix()}" in done.output


def test_config_that_is_nowhere_is_told_by_the_doctor_in_those_words(tmp_path: Path) -> None:
    """Of the place where set-up puts it, below the root that it was given."""
    done = CliRunner().invoke(main, ["doctor", "--root", str(tmp_path), "--only", "config_missing", "--json"])
    assert installed.missing_words(this_layout(tmp_path).config) in json.loads(done.output)["findings"][0]["found"]
    assert installed.missing_fix() in done.output
    # What the commands take for the installed till's is where set-up puts it.
    assert installed.installed_config() == this_layout().config
