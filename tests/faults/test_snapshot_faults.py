"""A till that is killed, or whose disk is full, while it takes a snapshot: what it has is whole, and it gets there."""

import asyncio
import json
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from faults.snapshot_child import DIES_AT
from integration.agent_stores.snapshot_kit import add_members, make_snapshot, served
from kit.loops import run
from unit.cloud.cloud_kit import Chain, Till

MEMBERS = 6_000
CHILD = Path(__file__).with_name("snapshot_child.py")


@pytest.fixture
def world(tmp_path: Path) -> Chain:
    chain = Chain(tmp_path / "cloud.db")
    add_members(chain, MEMBERS)
    return chain


async def pull(folder: Path, port: int, till: Till, fate: str = "") -> dict[str, Any] | int:
    """What the child said at its end, or the signal that it died of."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, str(CHILD), str(folder), str(port), till.name, till.token, fate, stdout=asyncio.subprocess.PIPE
    )
    said, _ = await child.communicate()
    return json.loads(said) if child.returncode == 0 else -(child.returncode or 0)


def test_a_till_killed_at_any_step_gets_its_cache(world: Chain, tmp_path: Path) -> None:
    """kill -9 while bytes come, while the cache is built, while it is swapped in; then it starts again."""
    till = world.till()
    make_snapshot(world)

    async def killed(port: int, number: int, step: str) -> None:
        folder = tmp_path / f"till-{number}"
        folder.mkdir()
        assert await pull(folder, port, till, step) == signal.SIGKILL, step
        if step == "in a range":
            # Three ranges came before it died, so two were written, and are not fetched again.
            assert (folder / "cache.db.snapshot").stat().st_size == 2 * 64 * 1024
            assert (folder / "cache.db.snapshot.json").exists()
        said = await pull(folder, port, till)
        assert isinstance(said, dict), step
        assert (said["members"], said["served"], said["failed"]) == (MEMBERS, MEMBERS, ""), step
        assert set(said["left"]) <= {"cache.db", "cache.db-wal", "cache.db-shm"}, step

    async def work() -> None:
        async with served(world) as port:
            for number, step in enumerate(DIES_AT):
                await killed(port, number, step)

    run(work())


def test_a_full_disk_leaves_what_there_was(world: Chain, tmp_path: Path) -> None:
    """No room for the bytes, for the new cache, or for its last pages: nothing is broken, and with room it goes on."""
    till = world.till()
    make_snapshot(world)

    async def filled(port: int, limit: int) -> None:
        folder = tmp_path / f"till-{limit}"
        folder.mkdir()
        said = await pull(folder, port, till, f"limit:{limit}")
        assert isinstance(said, dict), limit
        assert "cache.db.next" not in said["left"], limit
        said = await pull(folder, port, till)
        assert isinstance(said, dict), limit
        assert (said["served"], said["failed"]) == (MEMBERS, ""), limit

    async def work() -> None:
        async with served(world) as port:
            for limit in (100_000, 700_000, 1_500_000):
                await filled(port, limit)

    run(work())
