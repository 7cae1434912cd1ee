"""Policy over local file over default: what wins, where it is said to stand, and which policies are refused."""

from pathlib import Path

import pytest

from till_config import ConfigError, PolicyError, PolicyText, load
from till_config.explaining import explain
from till_config.layers import check_policy, kept_policy, layered, settings_with
from till_config.loading import read

BAD = Path(__file__).parent / "bad_policy"
LOCAL = BAD / "local.toml"
POLICIES = sorted(file for file in BAD.glob("*.toml") if file != LOCAL)


def test_there_are_many_bad_policies() -> None:
    """An empty folder would let the test below pass without looking at anything."""
    assert len(POLICIES) >= 12


@pytest.mark.parametrize("file", POLICIES, ids=lambda file: file.stem)
def test_a_policy_that_does_not_fit_is_refused_with_all_its_places(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whole list: whose line it is, what was expected; the file that it does not fit is good by itself."""
    monkeypatch.chdir(BAD)
    load("local.toml")
    with pytest.raises(PolicyError) as caught:
        load("local.toml", PolicyText(7, file.read_text("utf-8")))
    assert f"{caught.value}\n" == file.with_suffix(".expected").read_text("utf-8")
    assert "hush-hush" not in str(caught.value)


def test_the_policys_keys_win_one_by_one(tmp_path: Path) -> None:
    """What it does not name stays the file's, and what neither names has its default."""
    file = tmp_path / "till.toml"
    file.write_text('[agent]\nlanguage = "kk"\nlog_level = "debug"\n[slips]\nprint = false\n')
    settings = load(file, PolicyText(3, '[agent]\nlanguage = "uk"\n'))
    assert (settings.agent.language, settings.agent.log_level, settings.slips.print) == ("uk", "debug", False)
    assert settings.cloud.poll_interval_ms == 2_000


def test_devices_are_merged_by_name_and_none_is_taken_away() -> None:
    """A policy's printer of the till's name changes keys of it; one of another name is added behind."""
    label = '[[printers]]\nname = "label"\ndriver = "tcp"\nhost = "192.0.2.99"\n'
    receipt = '[[printers]]\nname = "receipt"\ncolumns = 32\n'
    settings = load(LOCAL, PolicyText(1, label + receipt))
    assert [(each.name, each.host, each.columns) for each in settings.printers] == [
        ("receipt", "192.0.2.10", 32),
        ("label", "192.0.2.99", 48),
    ]
    assert [each.name for each in settings.scanners] == ["front"]


def test_explain_says_who_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    """Policy with its version and line, and whom it overrules; the file; the default. Devices by their places."""
    monkeypatch.chdir(BAD)
    text = '[cloud]\nspread_ms = 5\n[[printers]]\nname = "receipt"\nhost = "192.0.2.77"\ncut = false\n'
    layers = layered(read("local.toml"), PolicyText(7, text))
    settings = settings_with(layers)

    def origin(key: str) -> str:
        return explain(key, settings, layers)[0].origin

    assert origin("printers[0].host") == "policy 7:5:1, over local.toml:11:1"
    assert origin("printers.cut") == "policy 7:6:1"
    assert origin("printers[0].driver") == "local.toml:10:1"
    assert origin("printers[0].columns") == "the default"
    assert origin("cloud.spread_ms") == "policy 7:2:1"
    assert origin("scanners[0].port") == "local.toml:7:1"


def test_a_bad_file_is_the_files_fault_whatever_the_policy_says(tmp_path: Path) -> None:
    """A policy hides no mistake of the till's own file: that one would come up the day the policy goes."""
    file = tmp_path / "till.toml"
    file.write_text('[agent]\nlanguage = "kz"\n')
    with pytest.raises(ConfigError) as caught:
        load(file, PolicyText(1, '[agent]\nlanguage = "kk"\n'))
    assert not isinstance(caught.value, PolicyError)


def test_a_policy_for_devices_that_only_tills_know_passes_the_cloud() -> None:
    """The cloud can't know whether a till has that printer, so a name is enough; nonsense does not pass."""
    check_policy(PolicyText(1, '[slips]\nprinter = "receipt"\n[[printers]]\nname = "receipt"\ncolumns = 32\n'))
    with pytest.raises(PolicyError, match="policy 2:2:1"):
        check_policy(PolicyText(2, "[bridge]\nport = 18000\n"))


def test_the_policy_that_a_folder_keeps_is_found(tmp_path: Path) -> None:
    """As the agent keeps it; none is no error, a broken one is."""
    assert kept_policy(str(tmp_path)) is None
    (tmp_path / "policy.json").write_text('{"version": 4, "text": "[agent]", "signature": "00"}')
    assert kept_policy(str(tmp_path)) == PolicyText(4, "[agent]")
    (tmp_path / "policy.json").write_text("{")
    with pytest.raises(ConfigError):
        kept_policy(str(tmp_path))
