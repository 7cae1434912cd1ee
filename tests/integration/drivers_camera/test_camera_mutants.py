"""The tests of the camera are worth something: they notice a driver that is broken on purpose."""

from pathlib import Path

import pytest

pytest.importorskip("cv2", reason="the extra camera is not installed")
pytest.importorskip("zint", reason="the encoder of the tests is not installed")

from kit.broken import Mutant, notice, pass_unbroken
from kit.forks import Forks

pytestmark = pytest.mark.faults

UNIT = "tests/unit/drivers_camera"
PROCESS = "tests/integration/drivers_camera/test_camera_process.py"
MUTANTS: list[Mutant] = [
    (
        "bars are told from one picture",
        "camera/sightings.py",
        "AGREEING_FRAMES = 2",
        "AGREEING_FRAMES = 1",
        f"{UNIT}/test_camera_sightings.py::test_bars_are_told_when_two_pictures_agree",
    ),
    (
        "a picture agrees with itself",
        "camera/sightings.py",
        "for each in codes.values():",
        "for each in list(found):",
        f"{UNIT}/test_camera_sightings.py::test_one_picture_agrees_with_nobody_however_often_it_says_a_code",
    ),
    (
        "two readings in turn agree",
        "camera/sightings.py",
        "        self._doubt(codes)\n",
        "",
        f"{UNIT}/test_camera_sightings.py::test_a_reading_in_doubt_needs_two_pictures_in_a_row",
    ),
    (
        "the process outlives the agent",
        "camera/child.py",
        '    threading.Thread(target=_end_with_input, name="input", daemon=True).start()\n',
        "",
        f"{PROCESS}::test_the_process_dies_with_the_agent",
    ),
    (
        "a process that hangs is waited for",
        "camera/scanner.py",
        "            patience_ms = self._silence_ms\n",
        "",
        f"{PROCESS}::test_a_process_that_hangs_is_replaced",
    ),
]


@pytest.mark.parametrize("mutant", MUTANTS, ids=[mutant[0] for mutant in MUTANTS])
def test_a_broken_camera_is_noticed(mutant: Mutant, forks: Forks, tmp_path: Path) -> None:
    """Some test fails over it."""
    notice(forks, tmp_path, "till_drivers", mutant)


def test_the_unbroken_camera_passes(forks: Forks, tmp_path: Path) -> None:
    """It is not the copying that they notice."""
    pass_unbroken(forks, tmp_path, "till_drivers", MUTANTS)
