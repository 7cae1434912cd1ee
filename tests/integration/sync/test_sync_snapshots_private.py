"""A cloud's snapshots are personal data: who reads them, what a kill and a full disk leave behind, who is served."""

import asyncio
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from click.testing import CliRunner

from integration.agent_stores.snapshot_kit import add_members, make_snapshot
from integration.cloud.cloud_http_kit import served
from kit.loops import run
from till_cloud import snapshots
from till_cloud.exceptions import StoreUnavailableError
from till_cloud.jobs.snapshots import FAILED_REST_S, SnapshotService, remove_old
from till_config.main import main
from till_sync import snapshot_layout
from till_sync.snapshot_file import SPARE_BYTES
from unit.cloud.cloud_kit import Chain, chain


class Usage(NamedTuple):
    total: int
    used: int
    free: int


@pytest.fixture
def world(tmp_path: Path) -> Any:
    with chain(tmp_path / "c.db") as made:
        add_members(made, 20)
        yield made


def folder_of(world: Chain) -> Path:
    return snapshots.folder_of(world.centre.path)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("before", [None, 0o755, 0o777])
def test_nobody_else_reads_a_snapshot(before: int | None, world: Chain) -> None:
    """Masked names and tags of everybody: folder 0700 and file 0600, whatever the umask and whoever made the folder."""
    folder = folder_of(world)
    if before is not None:
        folder.mkdir()
        folder.chmod(before)
    umask = os.umask(0)
    try:
        row = make_snapshot(world)
    finally:
        os.umask(umask)
    assert mode(folder) == 0o700
    assert mode(folder / row.snapshot) == 0o600


def test_drafts_are_private_too(world: Chain, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []

    def look(draft: Path, packed: Path) -> tuple[int, str]:
        seen.extend(mode(path) for path in draft.parent.iterdir())
        raise OSError("stop here")

    monkeypatch.setattr(snapshots, "pack_file", look)
    with pytest.raises(StoreUnavailableError):
        make_snapshot(world)
    assert seen == [0o600, 0o600]
    assert list(folder_of(world).iterdir()) == []


@pytest.mark.parametrize("free", [0, SPARE_BYTES, SPARE_BYTES + 20 * 100])
def test_a_snapshot_is_not_begun_where_it_would_fill_the_disk(
    free: int, world: Chain, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ledger lies on the same disk: tills push, whether there is a snapshot or not."""
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: Usage(10**12, 10**12 - free, free))
    with pytest.raises(StoreUnavailableError, match="free"):
        make_snapshot(world)
    assert list(folder_of(world).iterdir()) == []


def test_a_disk_that_fills_meanwhile_ends_the_making(world: Chain, monkeypatch: pytest.MonkeyPatch) -> None:
    """Something else writes too: what was made so far is given back at once."""
    left = [10**12, SPARE_BYTES - 1]
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: Usage(0, 0, left.pop(0) if len(left) > 1 else left[0]))
    with pytest.raises(StoreUnavailableError, match="free"):
        make_snapshot(world)
    assert list(folder_of(world).iterdir()) == []


KILLED = """
import sys, time
from pathlib import Path
from till_cloud import snapshots
def hang(source, target):
    target.write_bytes(b"half")
    print("here", flush=True)
    time.sleep(60)
snapshots.pack_file = hang
snapshots.make(Path(sys.argv[1]), wall_ms=lambda: 1)
"""


def test_what_a_killed_maker_leaves_is_never_offered_and_goes(world: Chain) -> None:
    """kill -9 between the draft and the rename: an hour later nothing is left, a whole snapshot stays."""
    row = make_snapshot(world)
    child = subprocess.Popen([sys.executable, "-c", KILLED, str(world.centre.path)], stdout=subprocess.PIPE)
    assert child.stdout is not None
    assert child.stdout.readline() == b"here\n"
    child.send_signal(signal.SIGKILL)
    child.wait(10)
    child.stdout.close()
    folder = folder_of(world)
    assert len(list(folder.iterdir())) == 3
    assert world.centre.read(lambda c: snapshots.newest(c, folder)) == row
    now_ms = int(time.time() * 1000)
    assert remove_old(world.centre, now_ms) == 0
    for path in folder.iterdir():
        os.utime(path, (1, 1))
    assert remove_old(world.centre, now_ms) == 2
    assert [path.name for path in folder.iterdir()] == [row.snapshot]


def test_a_maker_that_fails_rests_before_it_is_tried_again(world: Chain, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a full disk it would else write and give back some hundred MB each minute."""
    monkeypatch.setattr(snapshot_layout, "LEAST_MEMBERS", 10)
    tried: list[float] = []
    now = [0.0]

    async def case() -> None:
        service = SnapshotService(world.centre)
        service.now = lambda: now[0]  # type: ignore[method-assign]  # a clock in the test's hand

        async def fail(*_scope: object) -> bool:
            tried.append(now[0])
            return False

        service._make = fail  # type: ignore[method-assign]  # this disk is full
        for _ in range(24 * 60):
            await service._once()
            now[0] += 60

    run(case())
    assert len(tried) <= 24 * 3600 // FAILED_REST_S + 1


def test_the_service_makes_one_and_the_command_lists_it(tmp_path: Path) -> None:
    """The real loop, the real process, 5,000 members; then a till fetches it by ranges from the real server."""

    async def case() -> None:
        async with served(tmp_path / "c.db") as (world, http):
            add_members(world, snapshot_layout.LEAST_MEMBERS)
            till = world.till()
            service = SnapshotService(world.centre, period_s=0.2)
            service.start()
            folder = folder_of(world)
            try:
                while world.centre.read(lambda c: snapshots.newest(c, folder)) is None:
                    await asyncio.sleep(0.1)
            finally:
                await service.stop()
            listed = CliRunner().invoke(main, ["cloud", "snapshot", "list", "--json", "--db", str(tmp_path / "c.db")])
            assert listed.exit_code == 0, listed.output
            assert '"members":5000' in listed.output.replace(" ", "")
            made = CliRunner().invoke(main, ["cloud", "snapshot", "make", "--db", str(tmp_path / "c.db")])
            assert made.exit_code == 0, made.output
            assert "5000 members" in made.output
            await _fetch(http, till.name, {"Authorization": f"Bearer {till.token}"})

    run(case())


async def _fetch(http: httpx.AsyncClient, till: str, headers: dict[str, str]) -> None:
    told = (await http.get(f"/v1/tills/{till}/snapshot", headers=headers)).json()
    size, tag = told["bytes"], f'"{told["sha256"]}"'
    path = f"/v1/snapshots/{told['snapshot']}?till={till}"

    async def ask(**extra: str) -> httpx.Response:
        return await http.get(path, headers={**headers, **extra})

    part = await ask(**{"Range": "bytes=10-19", "If-Range": tag})
    assert (part.status_code, part.headers["content-range"], len(part.content)) == (206, f"bytes 10-19/{size}", 10)
    assert part.headers["etag"] == tag
    other = await ask(**{"Range": "bytes=10-19", "If-Range": '"another"'})
    assert (other.status_code, len(other.content)) == (200, size)
    beyond = await ask(Range=f"bytes={size}-{size + 9}")
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, f"bytes */{size}")
    for garbage in (
        "bytes=a-b",
        "bytes=9-1",
        "bytes=",
        "lines=1-2",
        "bytes=-5",
        "bytes=0-0,5-9",
        "bytes=" + "0-0," * 999,
    ):
        assert (await ask(Range=garbage)).status_code in (200, 206, 400, 416), garbage


@pytest.mark.parametrize(
    "name",
    ["..%2F..%2Fc.db", "..", "%2e%2e%2fc.db", "c.db", "%00", "chain-%0a", "%ff", ".new", "x" * 5_000],
)
def test_no_id_leads_out_of_the_folder(name: str, tmp_path: Path) -> None:
    async def case() -> None:
        async with served(tmp_path / "c.db") as (world, http):
            add_members(world, 20)
            make_snapshot(world)
            (folder_of(world) / "chain-draft.new").write_bytes(b"x")
            till = world.till()
            headers = {"Authorization": f"Bearer {till.token}"}
            answer = await http.get(f"/v1/snapshots/{name}?till={till.name}", headers=headers)
            assert answer.status_code == 404
            assert "problem+json" in answer.headers["content-type"]
            assert (await http.get(f"/v1/snapshots/{name}", headers=headers)).status_code in (401, 404)

    run(case())
