"""A camera's process that takes ever more memory ends by itself, is started again, and takes nobody else's."""

import asyncio
import sys
from pathlib import Path

import pytest

from till_config.settings import ScannerSettings
from till_drivers.camera.bounds import MEMORY_LIMIT_BYTES
from till_drivers.camera.scanner import CameraScanner
from till_drivers.ports import DeviceHealth

pytestmark = [
    pytest.mark.faults,
    pytest.mark.skipif(sys.platform != "linux", reason="looks at processes where Linux shows them"),
]

LIMIT_BYTES = 128 * 1024 * 1024
PATIENCE_S = 30.0
GREEDY = f"""import sys
from pathlib import Path
from till_drivers.camera.bounds import bound_memory
bound_memory({LIMIT_BYTES})
sys.stdin.readline()
sys.stdout.write('{{"type":"eyes","open":true}}\\n')
sys.stdout.flush()
kept = []
most = 0
try:
    while True:
        kept.append(bytearray(8 * 1024 * 1024))
        most = int(Path("/proc/self/statm").read_text().split()[1]) * 4096
except MemoryError:
    del kept
    with open(sys.argv[1], "a") as told:
        told.write(str(most) + " " + Path("/proc/self/oom_score_adj").read_text())
    raise SystemExit(4)
"""


def test_a_process_that_runs_out_of_memory_is_started_again(tmp_path: Path) -> None:
    """Each run stays within its bound and says that it may be taken first; the loop of the agent goes on all along."""
    told = tmp_path / "told"
    command = (sys.executable, "-c", GREEDY, str(told))
    picture = tmp_path / "now.png"
    picture.touch()
    healths: list[DeviceHealth] = []
    beats = 0

    async def play() -> None:
        nonlocal beats
        camera = CameraScanner(ScannerSettings(name="c1", driver="camera", port=str(picture)), command=command)
        running = asyncio.create_task(camera.run(lambda _scan: None, healths.append))
        async with asyncio.timeout(PATIENCE_S):
            while not told.exists() or len(told.read_text().splitlines()) < 2:
                beats += 1
                await asyncio.sleep(0.01)
        await camera.stop()
        await running

    asyncio.run(play())
    rows = [tuple(map(int, row.split())) for row in told.read_text().splitlines()]
    assert all(resident < 2 * LIMIT_BYTES and first_to_go == 900 for resident, first_to_go in rows)
    assert beats > 5
    assert any(health.state == "lost" for health in healths)
    assert LIMIT_BYTES < MEMORY_LIMIT_BYTES
