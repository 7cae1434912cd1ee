"""The daemon lets go of memory once, and is not harmed where the system has no call for it."""

import gc
import subprocess
import sys

import pytest

from till_agent import footprint


def test_settling_takes_what_is_loaded_out_of_later_collections() -> None:
    """In a process of its own: what is frozen stays so, and this one has other tests to run."""
    frozen = gc.get_freeze_count()
    code = (
        "import gc, sys, asyncio, till_agent.footprint as f;"
        "before = len(gc.get_objects()); f.settle(); "
        "sys.exit(not (len(gc.get_objects()) < before / 10 and gc.get_threshold()[0] == f.YOUNG_OBJECTS))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    assert gc.get_freeze_count() == frozen


@pytest.mark.parametrize("platform", ["win32", "darwin", "linux"])
def test_giving_back_is_silent_everywhere(platform: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also with a C library that has no such call."""
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr("ctypes.CDLL", lambda _name: object())
    footprint.give_back()
