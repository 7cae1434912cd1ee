"""Each file in `bad/` is refused with exactly the text that stands beside it in `.expected`."""

from pathlib import Path

import pytest

from till_config import ConfigError, load

BAD = sorted((Path(__file__).parent / "bad").glob("*.toml"))


def test_there_are_many_bad_files() -> None:
    """An empty folder would let the test below pass without looking at anything."""
    assert len(BAD) >= 45


@pytest.mark.parametrize("file", BAD, ids=lambda file: file.stem)
def test_all_problems_of_a_bad_file_are_named_with_their_places(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole list is compared: place, key, what was expected, what was found, the nearest key."""
    monkeypatch.chdir(file.parent)
    with pytest.raises(ConfigError) as caught:
        load(file.name)
    assert f"{caught.value}\n" == file.with_suffix(".expected").read_text("utf-8")


@pytest.mark.parametrize("file", BAD, ids=lambda file: file.stem)
def test_no_problem_repeats_a_secret(file: Path) -> None:
    """What was put into the file as a secret by mistake doesn't go on into logs and tickets."""
    with pytest.raises(ConfigError) as caught:
        load(file)
    assert "hush-hush" not in str(caught.value)


@pytest.mark.parametrize("file", BAD, ids=lambda file: file.stem)
def test_line_ends_of_windows_change_no_place(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same file saved as Notepad does, with CR LF and a byte order mark, has its problems in the same places."""
    copy = tmp_path / file.name
    copy.write_text(file.read_text("utf-8"), encoding="utf-8-sig", newline="\r\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError) as caught:
        load(file.name)
    assert f"{caught.value}\n" == file.with_suffix(".expected").read_text("utf-8")
