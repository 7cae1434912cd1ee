"""Loop and journal of a running agent have short turns on the processor, and nobody else of it has."""

import sys
import threading
from pathlib import Path

import pytest

from kit.world import World
from till_agent import going_first
from till_agent.going_first import TURN_NS, Schedule, go_first, schedule_of


def _own() -> Schedule | None:
    return schedule_of(threading.get_native_id())


def _in_a_thread(found: list[Schedule | None], *, first: bool = False) -> bool:
    said = []

    def work() -> None:
        said.append(first and go_first())
        found.append(_own())
        if first:
            _in_a_thread(found)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    return said[0]


@pytest.fixture
def ordinary() -> Schedule:
    """How any thread here is let onto a processor."""
    found: list[Schedule | None] = []
    _in_a_thread(found)
    if found[0] is None or found[0].turn_ns == 0:
        pytest.skip("this system has turns of one length")
    return found[0]


def test_who_goes_first_is_the_thread_that_asked_and_none_that_it_starts(ordinary: Schedule) -> None:
    """Neither those beside it nor its own: they are what it must not wait for."""
    found: list[Schedule | None] = []
    assert _in_a_thread(found, first=True)
    asked, started = found
    assert asked is not None
    assert (asked.turn_ns, asked.policy, asked.nice) == (TURN_NS, ordinary.policy, ordinary.nice)
    assert ordinary.turn_ns > TURN_NS
    assert [started, _own()] == [ordinary, ordinary]


def test_a_running_agent_lets_its_loop_and_its_journal_go_first(ordinary: Schedule, world: World) -> None:
    """Two threads of all that it has, and its first is the loop's."""
    till = world.till().start()
    assert till.agent is not None
    pid = till.agent.process.pid
    found = {int(task.name): schedule_of(int(task.name)) for task in Path(f"/proc/{pid}/task").iterdir()}
    turns = {thread: each.turn_ns for thread, each in found.items() if each is not None}
    assert turns[pid] == TURN_NS
    assert sorted(turns.values())[:3] == [TURN_NS, TURN_NS, ordinary.turn_ns], turns


@pytest.mark.parametrize(
    "now", [{"policy": 1, "priority": 5}, {"policy": 3}, {"nice": -5}, {"turn_ns": 0}], ids=lambda now: next(iter(now))
)
def test_what_somebody_else_has_settled_stays(now: dict[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Real time, batches, a priority above others; and a kernel of one length for all."""
    asked: list[object] = []
    plain = Schedule(48, 0, 0, 0, 0, 2_800_000, 0, 0)
    monkeypatch.setattr(going_first, "schedule_of", lambda _thread: plain._replace(**now))
    monkeypatch.setattr(going_first, "_call", lambda *values: asked.append(values))
    assert go_first() is False
    assert asked == []


@pytest.mark.parametrize("platform", ["win32", "darwin", "linux"])
def test_asking_is_silent_everywhere(platform: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also with a C library that has no such call, or a filter that refuses it."""

    class Refusing:
        def syscall(self, *_: object) -> int:
            return -1

    monkeypatch.setattr(sys, "platform", platform)
    for library in (Refusing(), object()):
        monkeypatch.setattr("ctypes.CDLL", lambda _name, library=library: library)
        assert go_first() is False
