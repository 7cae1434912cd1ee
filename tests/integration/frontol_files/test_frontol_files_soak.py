"""A report of 100 MB: looked through by the command and taken in by a running agent, both in bounded memory."""

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from fakes.frontol_report import FrontolTill
from integration.bridge.agent_kit import ANNA_CARD
from integration.frontol_files.reports_kit import watched

pytestmark = [
    pytest.mark.soak,
    pytest.mark.timeout(0),
    pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc, which is not here"),
]
MEGABYTES = int(os.environ.get("TILLSIDE_REPORT_MB", "100"))
"""Of the report; fewer for a quick look."""
COMMAND_MIB = 60
"""The command by itself takes 21."""
GROWTH_MIB = 48
"""A slice and its documents, many times over, and what SQLite keeps; a report that is held is above 100."""
PROGRAM = """
import atexit, sys
atexit.register(lambda: sys.stderr.write(open("/proc/self/status").read()))
from till_config.main import main
main()
"""
"""The command, which says at its end what it held at most."""
AT_ONCE = 200
SAMPLE_S = 0.2
LONGEST_LOOK_S = 1_800
"""At 100 MB it takes some 40 s of processor time."""
LINES = (("milk", 1000, 10_000), ("bread", 2000, 4_000), ("tea", 548, 3_617))


def _report(path: Path) -> int:
    """Write one of MEGABYTES; how many sales it has. Every other one is of a member, and the bridge saw none."""
    till = FrontolTill(day=(datetime.now().astimezone() - timedelta(days=1)).strftime("%d.%m.%Y"))
    sales = size = 0
    with path.open("w", encoding="cp1251", newline="") as file:
        file.write(f"#\r\n{till.database}\r\n{till.report}\r\n")
        while size < MEGABYTES * 1_000_000:
            till.minute = 0
            for _ in range(AT_ONCE):
                till.sale(*([ANNA_CARD] if sales % 2 else []), lines=LINES)
                sales += 1
            size += file.write("\r\n".join(till.rows) + "\r\n")
            till.rows.clear()
    return sales


def _of_status(text: str, name: str) -> float:
    """A line of /proc/self/status, in MiB."""
    (line,) = [line for line in text.splitlines() if line.startswith(f"{name}:")]
    return int(line.split()[1]) / 1024


def _resident_mib() -> float:
    return _of_status(Path("/proc/self/status").read_text(), "VmRSS")


@contextmanager
def _peak() -> Iterator[list[float]]:
    """The most that this process has held within, in MiB."""
    most, over = [_resident_mib()], threading.Event()

    def sample() -> None:
        while not over.wait(SAMPLE_S):
            most[0] = max(most[0], _resident_mib())

    thread = threading.Thread(target=sample)
    thread.start()
    try:
        yield most
    finally:
        over.set()
        thread.join()


def test_a_large_report_is_looked_through_in_bounded_memory(tmp_path: Path) -> None:
    report = tmp_path / "report.txt"
    sales = _report(report)
    command = [sys.executable, "-c", PROGRAM, "frontol", "report", "check", str(report)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert f"{sales} sales ({sales // 2} with a card)" in done.stdout.replace("\u00a0", "").replace(",", "")
    assert _of_status(done.stderr, "VmHWM") < COMMAND_MIB


def test_a_running_agent_takes_a_large_report_in_bounded_memory(tmp_path: Path) -> None:
    """Every sale of a member becomes a finding, every other one is nobody's; a second look reads nothing more."""
    with watched(tmp_path, policy="list") as shop:
        sales = _report(shop.path)
        before = _resident_mib()
        with _peak() as most:
            for _ in range(2):
                asyncio.run_coroutine_threadsafe(shop.watch.look(), shop.agent.loop).result(LONGEST_LOOK_S)
        tally = shop.watch.tally
        assert (tally.found, tally.ignored, tally.waiting) == (sales // 2, sales - sales // 2, 0)
        (file,) = shop.store.files()
        assert (file.state, file.mark, file.refused, file.offset) == ("read", "@", 0, file.size)
        assert most[0] - before < GROWTH_MIB
