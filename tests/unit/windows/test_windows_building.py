"""The set-up as it is packed, by a fake of makensis that works, as that does, in the folder of its script."""

import sys
from pathlib import Path

import pytest

from till_installer.bundle.exceptions import BuildError
from till_installer.layout import windows_layout
from till_installer.windows import building
from till_installer.windows.building import Wanted, build
from unit.windows.windows_kit import unpack

MAKENSIS = """#!{python} -S
import os, sys
script = sys.argv[-1]
os.chdir(os.path.dirname(script))
given = dict(word[2:].split("=", 1) for word in sys.argv[1:] if word.startswith("-D"))
if {fails!r}:
    print("Error in script")
    open(given["OUTPUT"], "w").close()
    sys.exit(1)
with open(given["OUTPUT"], "w") as file:
    file.write(given["VERSION"] + " " + given["FILE_VERSION"])
"""


@pytest.fixture
def wanted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Wanted:
    """As `make bundles` asks for it: by relative paths. What would be fetched is there."""
    monkeypatch.chdir(tmp_path)

    def lay_out(_wanted: Wanted, version: str, folder: Path, _scratch: Path, _say: object) -> None:
        made = unpack(windows_layout(folder.with_name("laid"), folder.with_name("data")), version)
        made.rename(folder)

    monkeypatch.setattr(building, "lay_out", lay_out)
    (tmp_path / "tillside-0.1.0-py3-none-any.whl").touch()
    return Wanted(
        wheel=Path("tillside-0.1.0-py3-none-any.whl"),
        lock=Path("x.lock"),
        into=Path("dist"),
        suffix="+camera",
        makensis=str(tmp_path / "makensis"),
    )


def _makensis(folder: Path, *, fails: bool) -> None:
    program = folder / "makensis"
    program.write_text(MAKENSIS.format(python=sys.executable, fails=fails), encoding="utf-8")
    program.chmod(0o755)


def test_the_set_up_lies_where_it_was_asked_for(wanted: Wanted, tmp_path: Path) -> None:
    """With its SHA-256 beside it, and numbers that Windows can compare."""
    _makensis(tmp_path, fails=False)
    made = build(wanted, lambda _: None)
    assert made == Path("dist/TillsideSetup-0.1.0+camera.exe")
    assert made.read_text() == "0.1.0+camera 0.1.0.0"
    assert {each.name for each in (tmp_path / "dist").iterdir()} == {made.name, f"{made.name}.sha256"}


def test_a_set_up_that_could_not_be_packed_leaves_nothing(wanted: Wanted, tmp_path: Path) -> None:
    """And says what NSIS said, or how NSIS is had."""
    with pytest.raises(BuildError, match="apt-get install nsis"):
        build(wanted, lambda _: None)
    _makensis(tmp_path, fails=True)
    with pytest.raises(BuildError, match="Error in script"):
        build(wanted, lambda _: None)
    assert list((tmp_path / "dist").iterdir()) == []
