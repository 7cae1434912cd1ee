"""The camera's process and the agent: where one dies, hangs or talks nonsense, the other knows what to do."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("cv2", reason="the extra camera is not installed")
pytest.importorskip("zxingcpp", reason="the extra camera is not installed")
pytest.importorskip("zint", reason="the encoder of the tests is not installed")

from integration.drivers_camera.camera_kit import PATIENCE_S, Counter, StreamServer, is_gone, play, running
from kit.waiting import wait_for
from till_drivers.camera.lines import Alive, Eyes, Start
from till_drivers.camera.process import CameraProcess
from till_drivers.exceptions import TransportLost
from unit.drivers_camera.camera_codes import drawn, png, put

pytestmark = [
    pytest.mark.faults,
    pytest.mark.skipif(sys.platform != "linux", reason="looks at processes where Linux shows them"),
]

READY = """import sys
sys.stdin.readline()
sys.stdout.write('{"type":"eyes","open":true}\\n')
sys.stdout.flush()
"""

AGENT = """import asyncio, sys
from till_config.settings import ScannerSettings
from till_drivers.camera.scanner import CameraScanner

camera = CameraScanner(ScannerSettings(name="c1", driver="camera", port=sys.argv[1]))

async def tell():
    while camera.process_id is None:
        await asyncio.sleep(0.01)
    print(camera.process_id, flush=True)

async def main():
    await asyncio.gather(tell(), camera.run(lambda scan: None, lambda health: None))

asyncio.run(main())
"""


def card(folder: Path) -> Path:
    put(folder / "now.png", png(drawn("QRCODE", "A")))
    return folder / "now.png"


def test_a_killed_process_is_started_again(tmp_path: Path) -> None:
    """The camera is lost and ready again, and its scans go on under the next numbers."""

    async def day() -> None:
        async with running(Counter(card(tmp_path))) as counter:
            await counter.until(lambda: bool(counter.scans))
            first = await counter.process_id()
            os.kill(first, signal.SIGKILL)
            await counter.until(lambda: counter.states.count("ready") == 2)
            assert counter.states == ["opening", "ready", "lost", "opening", "ready"]
            assert counter.health[2].detail == "the camera's process has ended"
            before = counter.scans[-1].seq
            await counter.until(lambda: counter.scans[-1].seq > before)
            assert await counter.process_id() != first
        assert [scan.seq for scan in counter.scans] == list(range(1, len(counter.scans) + 1))

    play(day)


def test_a_process_that_hangs_is_replaced(tmp_path: Path) -> None:
    """As one does whose camera's driver never answers."""

    async def day() -> None:
        async with running(Counter(card(tmp_path), silence_ms=3_000)) as counter:
            await counter.until(lambda: bool(counter.scans))
            first = await counter.process_id()
            os.kill(first, signal.SIGSTOP)
            await counter.until(lambda: "lost" in counter.states, patience_s=15)
            assert counter.health[2].detail == "the camera's process says nothing for 3000 ms"
            await counter.until(lambda: counter.states.count("ready") == 2)
            assert is_gone(first)

    play(day)


def test_what_the_process_says_in_the_moment_of_a_stop_harms_nobody(tmp_path: Path) -> None:
    """The driver ended with an error then, once in thousands of stops."""

    async def day() -> None:
        async with running(Counter(card(tmp_path))) as counter:
            await counter.until(lambda: bool(counter.scans))
            process = counter.driver._process
            assert process is not None
            stopping = asyncio.create_task(counter.driver.stop())
            await asyncio.sleep(0)
            process._said.append(Eyes(open=True))
            process._news.set()
            await stopping

    play(day)


def test_the_process_dies_with_the_agent() -> None:
    """Killed, the agent has no time to end anything; the camera must not be held by what it leaves behind, not even by
    a process that waits for a camera that never finishes its answer.
    """
    server = StreamServer(b"HTTP/1.1 200 OK\r\nX-Slow: ", lambda: b"x")
    agent = subprocess.Popen([sys.executable, "-c", AGENT, f"http://{server.address}/"], stdout=subprocess.PIPE)
    assert agent.stdout is not None
    try:
        camera = int(agent.stdout.readline())
        wait_for(lambda: server.requests, "the camera's process to ask for pictures", patience_s=PATIENCE_S)
        assert not is_gone(camera)
        agent.kill()
        wait_for(lambda: is_gone(camera), "the camera's process to end", patience_s=15)
    finally:
        agent.kill()
        agent.wait(PATIENCE_S)
        agent.stdout.close()
        server.close()


@pytest.mark.parametrize(
    ("says", "detail"),
    [
        ("sys.stdout.write('Traceback 4600000000015\\n')", "expected a line of the camera's process"),
        ("sys.stdout.write('x' * 200_000)", "expected a line of at most 65536 bytes"),
        ('sys.stdout.write(\'{"type":"seen"}\\n\')', "expected a line of the camera's process"),
        ("pass", "the camera's process has ended"),
    ],
    ids=["traceback", "endless", "half a message", "nothing"],
)
def test_nonsense_ends_the_process_and_is_told_without_its_words(tmp_path: Path, says: str, detail: str) -> None:
    """What it said may be a code; the state says only what was expected."""

    async def day() -> None:
        script = f"{READY}{says}\nsys.stdout.flush()\n"
        async with running(Counter(tmp_path, command=(sys.executable, "-c", script))) as counter:
            await counter.until(lambda: "lost" in counter.states)
            assert counter.health[2].detail.startswith(detail)
            assert "4600000000015" not in str(counter.health)

    play(day)


def test_a_process_that_will_not_end_is_killed(tmp_path: Path) -> None:
    """Stopping leaves nothing behind."""

    async def day() -> None:
        script = f"{READY}import time\nwhile True:\n    time.sleep(1)\n"
        async with running(Counter(tmp_path, command=(sys.executable, "-c", script))) as counter:
            await counter.until(lambda: "ready" in counter.states)
            pid = await counter.process_id()
        assert is_gone(pid)

    play(day)


def test_what_the_process_says_of_itself_outlives_its_end(tmp_path: Path) -> None:
    """A library that can't be loaded is the reason, not that the process has ended; it is told once."""

    async def day() -> None:
        script = READY.replace("true", 'false,"detail":"no libGL"')
        async with running(Counter(tmp_path, command=(sys.executable, "-c", script))) as counter:
            await counter.until(lambda: bool(counter.health))
            async with asyncio.timeout(PATIENCE_S):
                while counter.driver._backoff._wait_ms < 1_000:  # three starts
                    await asyncio.sleep(0.02)
            assert [(each.state, each.detail) for each in counter.health] == [("absent", "no libGL")]

    play(day)


def test_a_command_that_can_not_be_started_is_a_state(tmp_path: Path) -> None:
    """No interpreter, no memory: tried again, like a device."""

    async def day() -> None:
        async with running(Counter(tmp_path, command=(str(tmp_path / "nothing"),))) as counter:
            await counter.until(lambda: bool(counter.health))
            assert counter.health[0].state == "absent"
            assert "can't be started" in counter.health[0].detail

    play(day)


def test_a_process_that_spoke_while_the_agent_was_held_up_is_not_given_up() -> None:
    """The loop hears of the line and of the deadline in one turn: it was not the process that was silent."""
    script = f'{READY}import time; time.sleep(0.1); print(\'{{"type":"alive"}}\', flush=True); sys.stdin.read()'

    async def day() -> None:
        process = CameraProcess(Start(port="x"), (sys.executable, "-c", script))
        try:
            assert await process.hear(10_000) == Eyes(open=True)
            heard = asyncio.create_task(process.hear(500))
            await asyncio.sleep(0)
            time.sleep(1.5)
            assert await heard == Alive()
            with pytest.raises(TransportLost, match="nothing for 1 ms"):
                await process.hear(1)
        finally:
            await process.end()

    play(day)
