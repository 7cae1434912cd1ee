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


def test_cycles_are_looked_for_once_nobody_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not while objects are made, not for a few, and the older generations as often as Python does itself."""
    counted: list[tuple[int, int, int]] = []
    walked: list[int] = []
    monkeypatch.setattr(gc, "get_count", lambda: counted.pop(0))
    monkeypatch.setattr(gc, "collect", walked.append)
    resting = footprint.Resting()

    def looks(*counts: tuple[int, int, int]) -> list[bool]:
        counted.extend(counts)
        return [resting.look() for _ in counts]

    assert looks((5_000, 0, 0), (9_000, 0, 0), (9_100, 0, 0)) == [False, False, True]
    assert looks((100, 1, 0), (110, 1, 0)) == [False, False]
    assert looks((3_000, 10, 9), (3_010, 10, 9), (4_000, 0, 10), (4_000, 0, 10)) == [False, True, False, True]
    assert walked == [0, 1, 2]
    # Python walked through them itself meanwhile: that was a caller's turn, so nobody rests.
    assert looks((15_000, 0, 0), (1_200, 1, 0), (1_250, 1, 0)) == [False, False, True]


def test_the_generations_are_counted_as_python_counts_them() -> None:
    """The real collector, in a process of its own: what was left behind in cycles is gone at rest."""
    code = (
        "import gc, sys, weakref, till_agent.footprint as f; f.settle(); r = f.Resting(); r.look();"
        "C = type('C', (), {}); left = [C() for _ in range(3000)];"
        "[setattr(c, 'me', c) for c in left]; gone = weakref.ref(left[0]); del left;"
        "first = r.look();"
        "sys.exit(not (not first and r.look() and gone() is None))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
