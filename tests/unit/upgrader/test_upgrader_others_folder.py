"""Root's upgrader works in a folder that another user owns: no link of that user's leads it elsewhere."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from till_agent.instance import LOCK_FILE, RUNNING_FILE
from till_agent.journal.aside import DamageReport, write_report
from till_installer.layout import Layout, linux_layout
from till_installer.upgrade import going_back, rehearsal
from till_installer.upgrade.files import bring_up_to_date, copy_live, give_to, write_for_agent
from till_installer.upgrade.record import Records
from till_sync.heartbeat import UpdateState

pytestmark = pytest.mark.skipif(
    sys.platform == "win32" or os.geteuid() != 0, reason="only root can be led into another user's trap"
)
NOBODY = 65534
SECRET = b"root:$6$secret"


@pytest.fixture
def layout() -> Iterator[Layout]:
    """An installation whose state is another user's, where that user can come to it."""
    root = Path(tempfile.mkdtemp(prefix="tillside-others-"))
    try:
        root.chmod(0o755)
        found = linux_layout(root)
        found.state_dir.mkdir(parents=True)
        found.updates_dir.mkdir(mode=0o700, parents=True)
        found.config_dir.mkdir(parents=True)
        found.state_dir.chmod(0o700)
        os.chown(found.state_dir, NOBODY, NOBODY)
        yield found
    finally:
        shutil.rmtree(root)


@pytest.fixture
def secret(layout: Layout) -> Path:
    """What only root may read."""
    path = layout.root / "shadow"
    path.write_bytes(SECRET)
    path.chmod(0o600)
    return path


def is_untouched(path: Path) -> bool:
    """As root made it."""
    found = path.stat()
    return path.read_bytes() == SECRET and found.st_uid == 0 and found.st_mode & 0o777 == 0o600


def test_a_link_in_place_of_the_journal_is_not_copied(layout: Layout, secret: Path) -> None:
    """A copy is given to the agent later: it would hand over what the link names."""
    (layout.state_dir / "journal.db").symlink_to(secret)
    with pytest.raises(OSError, match=r"."):
        copy_live(layout.state_dir / "journal.db", layout.updates_dir / "copy.db")
    assert SECRET not in b"".join(path.read_bytes() for path in layout.updates_dir.iterdir())


def test_a_link_in_place_of_the_log_at_rest_is_not_copied(layout: Layout, secret: Path) -> None:
    """Also between two copies nothing but a file is read."""
    (layout.state_dir / "journal.db-wal").symlink_to(secret)
    with pytest.raises(OSError, match=r"."):
        bring_up_to_date(layout.state_dir / "journal.db-wal", layout.updates_dir / "copy.db-wal")


def test_a_second_name_of_roots_file_is_not_copied(layout: Layout, secret: Path) -> None:
    """A hard link is no link to be seen, but its file is somebody else's."""
    os.link(secret, layout.state_dir / "journal.db")
    with pytest.raises(OSError, match=r"."):
        copy_live(layout.state_dir / "journal.db", layout.updates_dir / "copy.db")


def test_giving_a_link_away_gives_nothing_else(layout: Layout, secret: Path) -> None:
    """Whoever puts a link in the place of a file is given the link."""
    link = layout.state_dir / "update-state.json"
    link.symlink_to(secret)
    give_to(link, layout.state_dir)
    assert is_untouched(secret)
    assert link.lstat().st_uid == NOBODY


def test_a_file_for_the_agent_is_its_own_before_it_has_its_name(
    layout: Layout, secret: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the rename the agent may put anything in its place, at once."""
    replace = Path.replace

    def swapped(self: Path, target: Path) -> Path:
        assert self.stat().st_uid == NOBODY
        moved = replace(self, target)
        target.unlink()
        target.symlink_to(secret)
        return moved

    monkeypatch.setattr(Path, "replace", swapped)
    write_for_agent(layout.state_dir / "update-state.json", b"{}")
    assert is_untouched(secret)


def test_what_is_told_is_the_agents(layout: Layout) -> None:
    """And for nobody else."""
    Records(layout).tell(UpdateState(stage="done"))
    found = (layout.state_dir / "update-state.json").stat()
    assert (found.st_uid, found.st_gid, found.st_mode & 0o777) == (NOBODY, NOBODY, 0o600)


def test_a_journal_that_is_put_back_is_written_through_no_link(layout: Layout, secret: Path) -> None:
    """Where it can't be renamed it is copied, into a file that is new."""
    source = layout.updates_dir / "journal.db"
    source.write_bytes(b"journal")
    target = layout.state_dir / "journal.db-wal"
    (layout.state_dir / ".journal.db-wal.back").symlink_to(secret)
    target.mkdir()  # as another disk would, it refuses the rename
    with pytest.raises(OSError, match=r"."):
        going_back._move(source, target, layout.state_dir)
    assert is_untouched(secret)


def test_a_report_is_written_through_no_link(layout: Layout, secret: Path) -> None:
    """Its name can be guessed."""
    (layout.state_dir / "journal.db.damaged-1.json.draft").symlink_to(secret)
    report = DamageReport(found_wall_ms=0, code="damaged", detail="", moved_to="journal.db.damaged-1")
    write_report(layout.state_dir, report)
    assert is_untouched(secret)


def test_the_rests_of_a_rehearsal_name_nobody_elses_process(layout: Layout) -> None:
    """Only processes of the folder's owner are ended, whatever number its files hold."""
    folder = layout.state_dir / rehearsal.FOLDER
    folder.mkdir(mode=0o700)
    os.chown(folder, NOBODY, NOBODY)
    (folder / LOCK_FILE).touch()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as victim:
        (folder / RUNNING_FILE).write_text(json.dumps({"port": 1, "pid": victim.pid}))
        code = (
            "import fcntl,sys; f = open(sys.argv[1]); fcntl.flock(f, fcntl.LOCK_EX); print('held', flush=True); input()"
        )
        with subprocess.Popen(
            [sys.executable, "-c", code, str(folder / LOCK_FILE)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as holder:
            assert holder.stdout is not None
            assert holder.stdout.readline() == b"held\n"
            rehearsal.clear(layout)
            assert victim.poll() is None
            holder.communicate(b"\n")
        victim.communicate(b"\n")
    assert not folder.exists()


def test_a_rehearsal_is_set_up_with_the_agents_rights(
    layout: Layout, secret: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its owner may put another folder in its place at any moment: then nothing is opened that is not his."""
    (layout.config_dir / "till.toml").write_text("[agent]\n")
    seen: list[int] = []

    def trap(layout: Layout, folder: Path, identity: object) -> rehearsal.QueueProof:
        seen.append(os.geteuid())
        folder.mkdir()
        (folder / "agent.log").symlink_to(secret)
        return rehearsal.QueueProof()

    monkeypatch.setattr(rehearsal, "_set_up", trap)
    with pytest.raises((rehearsal.RefusedError, OSError)):
        rehearsal.rehearse(layout, "1.0.0")
    assert seen == [NOBODY]
    assert os.geteuid() == 0
    assert is_untouched(secret)
