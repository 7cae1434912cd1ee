"""Problems that came up and were over, the disk's figures, and what neither may do: grow, or hold the loop."""

import asyncio
import threading
from pathlib import Path

import pytest

from till_agent import disk
from till_agent.disk import Disk, DiskRoom
from till_agent.happened import KEPT_LIMIT, History
from till_agent.status import Part, Trouble


def trouble(code: str, about: str = "", why: str = "x") -> Trouble:
    return Trouble(code, "warning", Part("problems", "offline", {"why": why}), about=about)


def test_a_problem_has_a_beginning_and_an_end_and_is_new_once() -> None:
    history = History()
    assert [each.code for each in history.note([trouble("offline")], 1000)] == ["offline"]
    assert history.note([trouble("offline", why="other")], 2000) == []
    assert [(each.at_ms, each.until_ms) for each in history.told("en")] == [(1000, 0)]
    assert "other" in history.told("ru")[0].text
    assert history.note([], 3000) == []
    assert [(each.at_ms, each.until_ms) for each in history.told("en")] == [(1000, 3000)]
    assert [each.code for each in history.note([trouble("offline")], 4000)] == ["offline"]
    assert [(each.at_ms, each.until_ms) for each in history.told("en")] == [(4000, 0), (1000, 3000)]


def test_two_devices_with_the_same_trouble_are_two_problems() -> None:
    history = History()
    both = [trouble("printer_fault", "a"), trouble("printer_fault", "b")]
    assert len(history.note(both, 1)) == 2
    history.note(both[1:], 2)
    assert sorted(each.until_ms for each in history.told("en")) == [0, 2]


def test_only_the_newest_are_kept() -> None:
    history = History()
    for number in range(3 * KEPT_LIMIT):
        history.note([trouble("offline")] if number % 2 == 0 else [], number)
    told = history.told("en")
    assert len(told) == KEPT_LIMIT
    assert told[0].at_ms == 3 * KEPT_LIMIT - 2


def test_a_disk_that_does_not_answer_is_asked_once_and_the_last_figure_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loop goes on all the while."""
    asked, answer = [], threading.Event()

    def slow(path: Path) -> DiskRoom:
        asked.append(path)
        assert answer.wait(10)
        return DiskRoom(5, 10)

    async def work() -> None:
        watch = Disk(tmp_path)
        await watch.look()
        before = watch.room
        assert 0 < before.free_bytes <= before.total_bytes
        monkeypatch.setattr(disk, "_room", slow)
        monkeypatch.setattr(disk, "WAIT_S", 0.01)
        await watch.look()
        await watch.look()
        assert (watch.room, len(asked)) == (before, 1)
        answer.set()
        monkeypatch.setattr(disk, "WAIT_S", 10.0)
        await watch.look()
        assert watch.room == DiskRoom(5, 10)

    asyncio.run(work())


def test_a_disk_that_is_gone_leaves_the_last_figure(tmp_path: Path) -> None:
    async def work() -> DiskRoom:
        watch = Disk(tmp_path / "nowhere")
        await watch.look()
        return watch.room

    assert asyncio.run(work()) == DiskRoom()
