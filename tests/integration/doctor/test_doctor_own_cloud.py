"""What the doctor learns of our own cloud, with no proxy before it."""

import asyncio
from pathlib import Path

import pytest

from integration.agent_stores.snapshot_kit import served
from till_installer.doctor.cloud_look import look_at_cloud
from unit.cloud.cloud_kit import Chain


@pytest.mark.parametrize("behind_ms", [0, 600_000])
def test_the_tills_clock_is_held_against_the_clouds(tmp_path: Path, behind_ms: int) -> None:
    """To a second and a half, however fast this machine is: the cloud's clock stands in this test."""

    async def work() -> None:
        made = Chain(tmp_path / "cloud.db")
        async with served(made) as port:
            here = made.wall() - behind_ms
            look = await asyncio.to_thread(look_at_cloud, f"http://127.0.0.1:{port}", now_ms=lambda: here)
        assert look.step == "through"
        assert look.offset_ms is not None
        # Half of the way there and back is added to it, and that may take long on a busy machine.
        assert -500 <= look.offset_ms - behind_ms <= 10_000

    asyncio.run(work())
