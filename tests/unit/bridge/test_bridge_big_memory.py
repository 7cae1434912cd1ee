"""Slow tags of phones take 16 MB each for a moment, and none of it afterwards, whichever thread made them."""

import subprocess
import sys

import pytest

from till_agent.footprint import BIG_BYTES, keep_big_apart

LOOK_UPS = """
import ctypes, sys, threading
from till_agent.footprint import keep_big_apart
from till_loyalty.identifiers import slow_tag

def resident_kib():
    return int(next(line for line in open("/proc/self/status") if line.startswith("VmRSS:")).split()[1])

def look_up():
    for _ in range(2):
        slow_tag("phone:" + "0" * 32, 16384)

if not hasattr(ctypes.CDLL(None), "mallopt"):
    sys.exit("no mallopt")
keep_big_apart()
before = resident_kib()
threads = [threading.Thread(target=look_up) for _ in range(2)]
for each in threads:
    each.start()
for each in threads:
    each.join()
print(resident_kib() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's memory is asked about")
def test_what_slow_tags_took_is_given_back_at_once() -> None:
    """Without being asked to keep it apart, glibc keeps 16 MB for each thread that made two."""
    done = subprocess.run([sys.executable, "-c", LOOK_UPS], capture_output=True, text=True, timeout=120, check=False)
    if "no mallopt" in done.stderr:
        pytest.skip("the C library keeps nothing big")
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) * 1024 < BIG_BYTES


def test_another_system_is_asked_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    keep_big_apart()
