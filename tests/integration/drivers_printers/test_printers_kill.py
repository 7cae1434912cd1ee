"""kill -9 of a real process while it prints: what was begun is unknown, and nothing comes out twice."""

import asyncio
import os
import random
import signal
import sys
from pathlib import Path

import pytest

from integration.drivers_printers.printers_rig import tcp_simulator, until
from kit.loops import run
from till_drivers.printers import EscposPrinter
from till_drivers.spool import Spool
from till_drivers.spool_worker import SpoolWorker
from till_drivers.transports import TcpTransport

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs kill -9")

CHILD = """
import asyncio, sys
from pathlib import Path
from till_drivers.printers import EscposPrinter
from till_drivers.spool import Spool
from till_drivers.spool_worker import SpoolWorker
from till_drivers.transports import TcpTransport
from integration.drivers_printers.printers_rig import slip

async def main(folder, port, names):
    spool = Spool(Path(folder) / "spool.db")
    spool.start()
    await SpoolWorker(spool, {"p": EscposPrinter("p", TcpTransport("127.0.0.1", int(port)), keep_open=False)}).start()
    for name in names:
        spool.enqueue(job_id=name, printer="p", reference=name, data=slip(name))
    await spool.opened()
    print("ready", flush=True)
    await asyncio.sleep(60)

asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3:]))
"""


async def till(folder: Path, port: int, *names: str) -> asyncio.subprocess.Process:
    """A process with queue and printer; it is on disk when this returns."""
    tests = str(Path(__file__).resolve().parents[2])
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", CHILD, str(folder), str(port), *names,
        stdout=asyncio.subprocess.PIPE, env=os.environ | {"PYTHONPATH": tests},
    )  # fmt: skip
    assert child.stdout is not None
    assert (await child.stdout.readline()).strip() == b"ready"
    return child


async def kill(child: asyncio.subprocess.Process) -> None:
    child.send_signal(signal.SIGKILL)
    await child.wait()


def state(spool: Spool, name: str) -> str:
    job = spool.newest(name)
    return job.state.value if job is not None else ""


def test_a_slip_that_was_being_printed_at_a_kill_is_unknown_and_queued_ones_go_on(tmp_path: Path) -> None:
    """The printer had taken its bytes; it comes out once, from the first run."""

    async def go() -> None:
        async with tcp_simulator() as (simulator, port):
            await simulator.behave("late")
            child = await till(tmp_path, port, "A", "B")
            await until(lambda: simulator.received_bytes > 100)  # not only questions
            await kill(child)
            spool = Spool(tmp_path / "spool.db")
            spool.start()
            await spool.opened()
            assert (state(spool, "A"), state(spool, "B")) == ("unknown", "queued")
            await simulator.behave("normal")
            printer = EscposPrinter("p", TcpTransport("127.0.0.1", port), keep_open=False)
            worker = SpoolWorker(spool, {"p": printer})
            await worker.start()
            await until(lambda: state(spool, "B") == "printed")
            assert state(spool, "A") == "unknown"
            await worker.stop()
            await asyncio.to_thread(spool.stop, 5)
            assert sorted(kept.text().split()[1] for kept in simulator.slips) == ["A", "B"]

    run(go())


@pytest.mark.faults
def test_through_kills_at_random_moments_no_slip_comes_out_twice(tmp_path: Path) -> None:
    """Six runs, each killed somewhere: each slip is on paper at most once, and at most one a kill is missing."""

    async def go() -> None:
        moments = random.Random(7)
        async with tcp_simulator() as (simulator, port):
            await simulator.behave("slow")
            total = [f"{number:02d}" for number in range(18)]
            for kills in range(6):
                child = await till(tmp_path, port, *total[kills * 3 : kills * 3 + 3])
                await asyncio.sleep(moments.uniform(0, 0.6))
                await kill(child)
            await simulator.behave("normal")
            spool = Spool(tmp_path / "spool.db")
            spool.start()
            printer = EscposPrinter("p", TcpTransport("127.0.0.1", port), keep_open=False)
            worker = SpoolWorker(spool, {"p": printer})
            await worker.start()
            await until(lambda: all(state(spool, name) in ("printed", "unknown") for name in total))
            await worker.stop()
            unknown = [name for name in total if state(spool, name) == "unknown"]
            await asyncio.to_thread(spool.stop, 5)
            words = " ".join(kept.text() for kept in simulator.slips).split()
            counts = {name: words.count(name) for name in total}
            assert max(counts.values()) == 1
            assert len(unknown) <= 6
            assert {name for name, count in counts.items() if not count} <= set(unknown)

    run(go())
