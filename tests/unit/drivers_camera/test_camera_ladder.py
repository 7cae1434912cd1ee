"""The ladder and the eye above it, with decoders that say what they are told to: what is tried when, and what isn't."""

from collections.abc import Sequence
from typing import Any

from till_drivers.camera.eye import LOOK_AGAIN_MS, Eye
from till_drivers.camera.ladder import Ladder, Rung, as_is
from till_drivers.camera.sightings import Found

CODE = Found(raw=b"A", text="A", aim="Q1", is_matrix=True)
BARS = Found(raw=b"1", text="1", aim="E0", is_matrix=False)


class Scripted:
    """A decoder that finds `found` and notes that it was asked."""

    def __init__(self, name: str, log: list[str]) -> None:
        self.name = name
        self.log = log
        self.found: list[Found] = []
        self.takes_s = 0.0
        self.asked_formats: list[tuple[str, ...]] = []

    def decode(self, gray: Any, formats: Sequence[str], budget_ms: int) -> list[Found]:
        self.log.append(self.name)
        self.asked_formats.append(tuple(formats))
        Steps.now_s += self.takes_s
        return list(self.found)


class Steps:
    """A ladder of three rungs with a clock that only decoders move."""

    now_s = 0.0

    def __init__(self) -> None:
        self.log: list[str] = []
        self.first, self.a, self.b, self.c = (Scripted(name, self.log) for name in ("first", "a", "b", "c"))
        rungs = [Rung(each.name, as_is, each) for each in (self.a, self.b, self.c)]
        self.ladder = Ladder(Rung("first", as_is, self.first), rungs, clock_s=lambda: Steps.now_s)

    def look(self, budget_ms: int = 80) -> list[Found]:
        self.log.clear()
        return self.ladder.decode(None, ("qr",), budget_ms)


def test_a_code_that_is_found_at_once_costs_one_look() -> None:
    """No rung is climbed."""
    steps = Steps()
    steps.first.found = [CODE]
    assert steps.look() == [CODE]
    assert steps.log == ["first"]


def test_one_rung_a_picture_in_turn() -> None:
    """And round again, for the code may come in any moment."""
    steps = Steps()
    tried = []
    for _ in range(5):
        assert steps.look() == []
        tried.append(steps.log[1:])
    assert tried == [["a"], ["b"], ["c"], ["a"], ["b"]]


def test_the_rung_that_found_something_is_tried_first_on_the_next_picture() -> None:
    """Bars need it twice. When it finds nothing any more, the others have their turn."""
    steps = Steps()
    steps.b.found = [BARS]
    assert [steps.look() for _ in range(3)] == [[], [BARS], [BARS]]
    assert steps.log == ["first", "b"]
    steps.b.found = []
    assert steps.look() == []
    assert steps.log == ["first", "b"]
    tried = [steps.look() or steps.log[1] for _ in range(2)]
    assert sorted(tried) != ["b", "b"]


def test_a_rung_waits_for_the_next_picture_when_the_budget_is_used_up() -> None:
    """A slow machine climbs at half the speed, but it climbs."""
    steps = Steps()
    steps.first.takes_s = 0.2
    asked = [list(steps.log) for _ in range(6) if steps.look() == []]
    assert asked == [["first"], ["a"], ["first"], ["b"], ["first"], ["c"]]


def test_the_ladder_is_climbed_once_every_rung_was_tried_in_vain() -> None:
    """Until the scene is another."""
    steps = Steps()
    climbed = []
    for _ in range(4):
        climbed.append(steps.ladder.is_climbed)
        steps.look()
    assert climbed == [False, False, False, True]
    steps.ladder.restart()
    assert not steps.ladder.is_climbed


def test_the_formats_reach_every_rung() -> None:
    """A till that wants QR is not told of bars."""
    steps = Steps()
    for _ in range(3):
        steps.look()
    assert {formats for each in (steps.first, steps.a, steps.b, steps.c) for formats in each.asked_formats} == {("qr",)}


class Scene:
    """Says that it moved when it is told to."""

    moved = True

    def has_moved(self, gray: Any) -> bool:
        return self.moved

    def forget(self) -> None:
        pass


def test_an_empty_still_scene_is_looked_at_once_a_second() -> None:
    """After the whole ladder was tried; a movement starts anew at once."""
    steps, scene = Steps(), Scene()
    eye = Eye(steps.ladder, scene, formats=(), budget_ms=80)
    eye.see("x", 0)
    scene.moved = False
    for at_ms in range(100, 300, 100):
        eye.see("x", at_ms)
    assert eye.looks == 3
    for at_ms in range(300, 200 + LOOK_AGAIN_MS, 100):
        eye.see("x", at_ms)
    assert eye.looks == 3
    eye.see("x", 200 + LOOK_AGAIN_MS)
    assert eye.looks == 4
    scene.moved = True
    eye.see("x", 300 + LOOK_AGAIN_MS)
    assert eye.looks == 5


def test_a_code_that_lies_still_is_told_on_without_being_read_on() -> None:
    """It is in view for as long as nothing moves, and read again once a second."""
    steps, scene = Steps(), Scene()
    steps.first.found = [CODE]
    eye = Eye(steps.ladder, scene, formats=(), budget_ms=80)
    told = len(eye.see("x", 0))
    scene.moved = False
    told += sum(len(eye.see("x", at_ms)) for at_ms in range(100, 1000, 100))
    assert (told, eye.looks) == (4, 1)


def test_bars_that_lie_still_are_looked_at_again_until_they_are_confirmed() -> None:
    """Stillness is no second picture."""
    steps, scene = Steps(), Scene()
    steps.first.found = [BARS]
    eye = Eye(steps.ladder, scene, formats=(), budget_ms=80)
    assert eye.see("x", 0) == []
    scene.moved = False
    assert [each.frames for each in eye.see("x", 100)] == [2]
    assert eye.looks == 2


def test_no_picture_is_nothing_in_view() -> None:
    """What was found before is not told of an empty stream."""
    steps, scene = Steps(), Scene()
    steps.first.found = [CODE]
    eye = Eye(steps.ladder, scene, formats=(), budget_ms=80)
    eye.see("x", 0)
    assert eye.see(None, 1000) == []


def test_a_stream_slower_than_the_eye_is_as_still_as_any_other() -> None:
    """Between two of its pictures there is none: that is no movement, or an empty counter would keep a core busy. A
    source that was lost and is back shows another scene."""

    class Remembering(Scene):
        def forget(self) -> None:
            self.moved = True

    steps, scene = Steps(), Remembering()
    eye = Eye(steps.ladder, scene, formats=(), budget_ms=80)
    eye.see("x", 0)
    scene.moved = False
    for at_ms in range(50, 800, 50):
        assert eye.see(None if at_ms % 100 else "x", at_ms) == []
    assert eye.looks == 3
    eye.forget()
    eye.see("x", 850)
    assert eye.looks == 4
