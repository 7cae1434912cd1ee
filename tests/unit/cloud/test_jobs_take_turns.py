"""Lending leaves the writer to pushes: after an outage it took a third of the cloud's time, for nobody's good, since
most of its members were in the next push again."""

import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from till_cloud.centre import Centre
from till_cloud.jobs.service import JobsService
from till_cloud.jobs.turns import LONGEST_REST_S, REST_TIMES, in_turn, in_turns, rest_s
from unit.cloud.cloud_kit import chain


class Clock:
    """A clock in hand."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def held_up(centre: Centre, clock: Clock, work_s: float) -> threading.Event:
    """A push that takes so long stands before whatever is written next; it begins with the event."""
    begin = threading.Event()

    def push(connection: sqlite3.Connection) -> None:
        del connection
        begin.wait()
        clock.now_s += work_s

    centre.write(push)
    return begin


def test_a_block_that_waited_for_pushes_is_followed_by_a_rest_of_ten_times_that_and_its_own(tmp_path: Path) -> None:
    """One that waited for nothing by none, so that a quiet cloud lends as soon as before."""
    rests: list[float] = []
    clock = Clock()
    with chain(tmp_path / "c.db") as made, ThreadPoolExecutor(1) as threads:
        blocks = 0

        def block(connection: sqlite3.Connection) -> bool:
            nonlocal blocks
            del connection
            blocks += 1
            clock.now_s += 100.0
            return blocks < 3

        begin = held_up(made.centre, clock, 0.5)
        asked = threading.Event()

        def mono_s() -> float:
            now_s = clock.now_s
            asked.set()
            return now_s

        def pause(seconds: float) -> bool:
            rests.append(seconds)
            return False

        running = threads.submit(in_turns, made.centre, block, pause=pause, mono_s=mono_s)
        asked.wait()
        begin.set()
        running.result()
    # Of its hundred seconds of work as many count as it waited.
    assert rests == [0.5 * REST_TIMES * 2, 0.0, 0.0]


def test_no_rest_is_longer_than_half_a_minute() -> None:
    """A writer that is never idle has everybody lent to in the end; no clock brings a rest below none."""
    assert rest_s(60.0, 0.0) == LONGEST_REST_S
    assert rest_s(-5.0, -5.0) == 0.0


def test_a_block_that_took_longer_among_pushes_is_followed_by_a_longer_rest() -> None:
    """And where nobody was before it, by none, however long it took: a quiet cloud lends at once."""
    assert rest_s(0.5, 0.25) == REST_TIMES * 0.75
    assert rest_s(0.5, 0.0) == REST_TIMES * 0.5
    assert rest_s(0.0, 5.0) == 0.0


def test_a_stop_ends_the_rest_and_what_would_follow(tmp_path: Path) -> None:
    """`pause` says so."""
    with chain(tmp_path / "c.db") as made:
        blocks: list[int] = []

        def block(connection: sqlite3.Connection) -> bool:
            del connection
            blocks.append(1)
            return True

        in_turns(made.centre, block, pause=lambda _: True)
    assert len(blocks) == 1


def test_the_running_cloud_lends_in_turns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And not at all once it is to stop."""
    turns: list[object] = []
    monkeypatch.setattr("till_cloud.jobs.service.in_turns", lambda centre, _block, pause: turns.append((centre, pause)))
    monkeypatch.setattr("till_cloud.jobs.service.waiting", lambda *_: True)
    with chain(tmp_path / "c.db") as made:
        jobs = JobsService(made.centre)
        jobs._lend_once()
        assert turns == [(made.centre, jobs._halt.wait)]
        jobs._stop.set()
        jobs._lend_once()
        assert len(turns) == 1


def test_a_job_of_the_minute_rests_between_its_blocks_alone(tmp_path: Path) -> None:
    """Lending is one of them, and pushes change as many members as a block has: its blocks followed each other without
    an end."""
    rests: list[float] = []
    with chain(tmp_path / "c.db") as made:
        assert in_turn(made.centre, lambda _: True, pause=lambda seconds: bool(rests.append(seconds))) is True
        assert in_turn(made.centre, lambda _: True, pause=lambda _: True) is False
        assert in_turn(made.centre, lambda _: False, pause=lambda seconds: bool(rests.append(seconds))) is False
    assert len(rests) == 1


def test_the_jobs_of_the_minute_are_run_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of them."""
    turns: list[object] = []
    monkeypatch.setattr("till_cloud.jobs.service.in_turn", lambda centre, _block, pause: turns.append((centre, pause)))
    with chain(tmp_path / "c.db") as made:
        jobs = JobsService(made.centre)
        jobs._run()
    assert set(turns) == {(made.centre, jobs._halt.wait)}
