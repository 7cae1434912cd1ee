"""`tillside demo`, short: what it says at the end, and that nothing of it is left, however it ends."""

import json
import os
import signal
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from kit.processes import COMMAND, all_listening, listening, marked, wait_gone
from kit.waiting import wait_for

RECEIPTS = 30
DEMO_TIMEOUT_S = 100
KEYS = {
    *("receipts", "members", "sold_offline", "queue_peak", "redeemed_offline", "pushed", "resent"),
    *("lost", "double_applied"),
    *("adjusted", "coupons_used", "discount_minor", "birthdays", "tier_moves"),
    *("balances_checked", "balances_equal", "points_till", "points_cloud", "slips_printed"),
    *("identify_ms_p50", "quote_ms_p50", "sale_ms_p50", "sale_ms_p99"),
}


def _listen_to_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Demo:
    """A demo under way, with all its processes marked by a word in their environment."""

    def __init__(self, folder: Path, receipts: int, **variables: str) -> None:
        self.mark = f"mark-{uuid.uuid4().hex}"
        self.temporary = folder / "tmp"
        self.temporary.mkdir()
        self.out = folder / "out"
        self.complaints = folder / "stderr"
        environment = os.environ | variables | {"TMPDIR": str(self.temporary), "TILLSIDE_TEST_MARK": self.mark}
        with self.complaints.open("wb") as complaints:
            self.process = subprocess.Popen(
                [*COMMAND, "demo", "--receipts", str(receipts), "--out", str(self.out)],
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=complaints,
                text=True,
                start_new_session=True,
                # A suite in the background of a shell has SIGINT ignored, and so would the demo: a terminal's has not.
                preexec_fn=_listen_to_interrupts,
            )

    def finish(self) -> tuple[int, str, str]:
        """Exit status and what was printed, when it has ended."""
        out, _ = self.process.communicate(timeout=DEMO_TIMEOUT_S)
        return self.process.returncode, out, self.said()

    def said(self) -> str:
        """What is in its stderr so far."""
        return self.complaints.read_text(encoding="utf-8", errors="replace")

    def slips(self) -> int:
        """How many slips are out."""
        return len(list(self.temporary.glob("*/slips/slip-*.txt")))


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    """A long demo, for those who end it before its time. It says what it has imported so far."""
    started = Demo(tmp_path, 628, PYTHONPROFILEIMPORTTIME="1")
    try:
        yield started
    finally:
        if started.process.poll() is None:
            started.process.kill()
        started.process.communicate(timeout=DEMO_TIMEOUT_S)
        for pid in marked(started.mark):
            os.kill(pid, signal.SIGKILL)


@pytest.mark.slow
def test_the_demo_proves_itself_and_leaves_nothing(tmp_path: Path) -> None:
    """Exit status 0, a last line of JSON with every promised key, a slip as a picture, no process, no folder."""
    demo = Demo(tmp_path, RECEIPTS)
    status, out, err = demo.finish()
    assert status == 0, out + err
    facts = json.loads(out.splitlines()[-1])
    assert set(facts) == KEYS
    assert (facts["receipts"], facts["slips_printed"]) == (RECEIPTS, RECEIPTS)
    assert (facts["lost"], facts["double_applied"], facts["adjusted"], facts["balances_equal"]) == (0, 0, 0, True)
    assert facts["birthdays"] > 0, "the last receipt of the day is of a member who has a birthday tomorrow"
    assert facts["points_till"] == facts["points_cloud"]
    assert facts["balances_checked"] == facts["members"] > 20
    assert 0 < facts["sold_offline"] < RECEIPTS
    assert 0 < facts["queue_peak"] <= facts["pushed"]
    assert facts["pushed"] >= RECEIPTS
    assert 0 < facts["sale_ms_p50"] <= facts["sale_ms_p99"]
    assert (demo.out / "demo-slip.png").read_bytes().startswith(b"\x89PNG")
    wait_gone(demo.mark)
    assert list(demo.temporary.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_demo_that_is_ended_in_its_middle_leaves_nothing(demo: Demo, number: signal.Signals) -> None:
    """Ctrl-C reaches the whole foreground group, as a terminal sends it; a service manager ends the one process."""
    wait_for(lambda: demo.slips() >= 3, "the day to be under way", patience_s=60)
    parts = marked(demo.mark)
    sockets = listening(parts)
    assert len(parts) == 5, f"expected the demo, cloud, agent, printer and scanner, not {parts}"
    assert len({port for _, port in sockets}) >= 4, "the cloud, the bridge, the printer and the line listen"
    if number is signal.SIGINT:
        os.killpg(demo.process.pid, number)
    else:
        os.kill(demo.process.pid, number)
    status, _, err = demo.finish()
    assert status == 130
    assert "Nothing is left running" in err
    wait_gone(demo.mark)
    assert not sockets & all_listening()


BEGINNING = {
    "the root is being loaded": "click.globals",
    "the command is being loaded": "till_installer.demo.interruption",
    "the day is being loaded": "till_installer.demo.check",
}
"""Moments of the first second, each with the module whose import shows that it has come."""


@pytest.mark.slow
@pytest.mark.parametrize("moment", [*BEGINNING, "a first command is under way"])
def test_a_demo_that_is_ended_at_its_beginning_says_so_in_a_line(demo: Demo, moment: str) -> None:
    """Ctrl-C comes while hardly anything is there: the same status, no traceback, no process."""
    if moment in BEGINNING:
        wait_for(lambda: f" {BEGINNING[moment]}\n" in demo.said(), moment)
    else:
        wait_for(lambda: len(marked(demo.mark)) > 1, moment)
    os.killpg(demo.process.pid, signal.SIGINT)
    status, _, err = demo.finish()
    words = [line for line in err.splitlines() if line and not line.startswith(("import time:", "Databases and logs:"))]
    assert (status, words) in [(130, []), (130, ["Stopped."]), (130, ["Stopped. Nothing is left running."])], err
    wait_gone(demo.mark)
