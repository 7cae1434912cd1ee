"""Who a file belongs to that a command run as root replaces or makes."""

import os
from pathlib import Path

import pytest

from till_agent.instance import LOCK_FILE, StateDir
from till_sync.files import replace_file

AGENT = 4711

pytestmark = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="names of descriptors are read from /proc")


@pytest.fixture
def given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int, int]]:
    """This process is root, and the folder another user's; gives what was given to whom."""
    seen: list[tuple[str, int, int]] = []
    stat = Path.stat

    class Owned:
        st_uid = st_gid = AGENT
        st_mode = 0o40700

    def fchown(handle: int, uid: int, gid: int) -> None:
        seen.append((Path(f"/proc/self/fd/{handle}").readlink().name, uid, gid))

    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(os, "fchown", fchown)
    monkeypatch.setattr(Path, "stat", lambda path, **more: Owned() if path == tmp_path else stat(path, **more))
    return seen


def test_what_root_replaces_stays_the_agents(tmp_path: Path, given: list[tuple[str, int, int]]) -> None:
    """An identity of root's, mode 600, is a till that does not start."""
    replace_file(tmp_path / "identity.json", b"{}")
    ((name, *owner),) = given
    assert name.startswith(".identity.json.")
    assert owner == [AGENT, AGENT]


def test_a_lock_that_root_makes_is_the_agents(tmp_path: Path, given: list[tuple[str, int, int]]) -> None:
    """An agent that may not open its own lock does not start either."""
    with StateDir(tmp_path):
        assert given == [(LOCK_FILE, AGENT, AGENT)]
