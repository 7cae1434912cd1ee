"""A rehearsal that can't be set up refuses the version, and says why: the till goes on, and the cloud is told."""

import errno
from pathlib import Path

import pytest

from till_installer.layout import linux_layout
from till_installer.upgrade import rehearsal
from till_installer.upgrade.exceptions import RefusedError


@pytest.mark.parametrize(("number", "code"), [(errno.ENOSPC, "disk_full"), (errno.EACCES, "rehearsal_start")])
def test_files_that_can_not_be_copied_refuse_the_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, code: str
) -> None:
    """As when somebody ran the agent as root, once: its files are not the agent's user's any more."""
    layout = linux_layout(tmp_path)
    layout.config_dir.mkdir(parents=True)
    layout.config.write_text("[agent]\n")
    layout.state_dir.mkdir(parents=True)

    def fail(*_: object) -> None:
        raise OSError(number, "so it is", str(layout.state_dir / "cache.db-wal"))

    monkeypatch.setattr(rehearsal, "_set_up", fail)
    with pytest.raises(RefusedError, match=r"cache\.db-wal") as caught:
        rehearsal.rehearse(layout, "1.1.0")
    assert caught.value.code == code
    assert not (layout.state_dir / rehearsal.FOLDER).exists()
