"""The till's side of heartbeats: when they go out, what they say, and what is done about the answer."""

import asyncio
import os
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest

from fakes.clock import FakeClock
from till_agent import beating
from till_agent.api import Health, Message, Status
from till_agent.beating import Beating, read_told_head, read_update_state
from till_agent.journal.figures import Figures
from till_agent.status import sync_status
from till_sync.exceptions import CloudRefused, CloudUnreachable
from till_sync.heartbeat import (
    HEARTBEAT_PAUSE_MS,
    UPDATE_STATE_FILE,
    UPDATE_WANTED_FILE,
    Heartbeat,
    HeartbeatAnswer,
    UpdateState,
    Wanted,
)

HEAD = "c" * 64


class Policies:
    """Fetches what it is asked for, at once."""

    def __init__(self) -> None:
        self.version, self.refused = 0, 0
        self.asked: list[int] = []

    async def fetch(self, version: int) -> None:
        self.asked.append(version)
        self.version = version


class Till:
    """An agent and its cloud, as far as heartbeats know them."""

    def __init__(self, folder: Path, seed: int = 1) -> None:
        self.clock = FakeClock()
        self.online = True
        self.problems: tuple[str, ...] = ()
        self.policies = Policies()
        self.figures_of_journal = Figures("t1", 2, 7, 5, 2, 0, 0, 1, parked=1, head_hash=HEAD)
        self.sent: list[tuple[int, Heartbeat]] = []
        self.wanted = Wanted()
        self.error: Exception | None = None
        self.line = self
        self.beating = Beating(self, folder, clock=self.clock, random=Random(seed))

    async def heartbeat(self, beat: Heartbeat) -> HeartbeatAnswer:
        self.sent.append((self.clock.mono_ms(), beat))
        if self.error is not None:
            raise self.error
        return HeartbeatAnswer(server_time_ms=1, wanted=self.wanted)

    def codes(self) -> tuple[bool, tuple[str, ...]]:
        return True, self.problems

    async def status(self) -> Status:
        return Status(
            version="1.0",
            till="t1",
            store="s1",
            started_ms=1,
            now_ms=self.clock.wall_ms(),
            ready=True,
            problems=tuple([Message(code=code, text="words that stay here", level="error") for code in self.problems]),
            programme="gold 12",
            members_cached=3,
            cache_as_of_ms=4,
            clock_skew_ms=-20,
            sync=sync_status(enrolled=True, figures=self.figures_of_journal, worker=None, now_wall_ms=1),
            devices=(Health(device="desk", role="scanner", state="fault", detail="at COM3", since_ms=1),),
            prints_waiting=0,
        )

    def run(self, seconds: float) -> None:
        """So much simulated time."""

        async def go() -> None:
            end = self.clock.mono_ms() + int(seconds * 1000)
            while self.clock.mono_ms() < end:
                await self.beating.look()
                await self.clock.sleep(self.beating.look_pause_ms / 1000)

        asyncio.run(go())


@pytest.fixture
def till(tmp_path: Path) -> Till:
    return Till(tmp_path)


def test_one_goes_out_soon_after_the_start_and_then_every_five_minutes(till: Till) -> None:
    """Each a little sooner or later, so that a chain's tills come apart."""
    till.run(3_600)
    times = [at for at, _ in till.sent]
    pauses = [later - sooner for sooner, later in pairwise(times)]
    assert times[0] - 1_000_000 <= beating.FIRST_MS + beating.LOOK_MS
    assert 11 <= len(times) <= 14
    assert all(0.9 * HEARTBEAT_PAUSE_MS <= pause <= 1.1 * HEARTBEAT_PAUSE_MS + beating.LOOK_MS for pause in pauses)
    assert len(set(pauses)) > 1


@pytest.mark.parametrize("seed", range(12))
def test_the_first_does_not_wait_as_after_an_outage_because_the_agent_had_to_greet_the_cloud(
    tmp_path: Path, seed: int
) -> None:
    """A wave waits for the word of a version that has just started; a line that is up after a second was not away."""
    till = Till(tmp_path, seed)
    till.online = False
    till.run(1)
    till.online = True
    till.run(60)
    assert till.sent[0][0] - 1_000_000 <= beating.FIRST_MS + beating.FIRST_LOOK_MS


def test_the_first_of_a_till_that_started_without_a_line_is_spread(tmp_path: Path) -> None:
    """All tills of a region that was cut off start in their shops, and get their lines back at once."""
    times = set()
    for seed in range(20):
        till = Till(tmp_path, seed)
        till.online = False
        till.run(600)
        back = till.clock.mono_ms()
        till.online = True
        till.run(120)
        times.add(till.sent[0][0] - back)
    assert max(times) > beating.FIRST_MS
    assert len(times) > 5


def test_it_says_codes_and_counts_and_no_words(till: Till) -> None:
    """What drivers and libraries say may hold what they have read."""
    till.problems = ("scanner_fault",)
    till.run(20)
    beat = till.sent[0][1]
    assert (beat.epoch, beat.head_seq, beat.head_hash) == (2, 7, HEAD)
    assert (beat.waiting, beat.parked, beat.rejected) == (2, 1, 1)
    assert (beat.programme, beat.programme_version, beat.clock_offset_ms) == ("gold", 12, -20)
    text = msgspec.json.encode(beat).decode()
    assert "scanner_fault" in text
    assert "words" not in text
    assert "COM3" not in text


@pytest.mark.parametrize("change", ["problem", "update", "policy"])
def test_a_change_is_told_at_once_but_not_more_often_than_every_ten_seconds(
    till: Till, tmp_path: Path, change: str
) -> None:
    """A problem, where an update stands, which policy is in force."""
    till.run(30)
    before = len(till.sent)
    if change == "problem":
        till.problems = ("disk_low",)
    elif change == "update":
        (tmp_path / UPDATE_STATE_FILE).write_bytes(msgspec.json.encode(UpdateState(stage="done", to_version="2")))
    else:
        till.policies.version = 4
    till.run(30)
    assert len(till.sent) == before + 1


def test_what_flickers_does_not_fill_the_line(till: Till) -> None:
    """A device that comes and goes every five seconds for ten minutes."""
    for number in range(120):
        till.problems = ("scanner_gone",) if number % 2 else ()
        till.run(5)
    assert len(till.sent) <= 61


def test_none_goes_out_without_a_line_and_the_next_is_spread(till: Till) -> None:
    """An outage of a region must not end in all its tills speaking at once."""
    till.run(30)
    sent = len(till.sent)
    till.online = False
    till.run(3_600)
    assert len(till.sent) == sent
    till.online = True
    back = till.clock.mono_ms()
    till.run(120)
    assert len(till.sent) == sent + 1
    assert till.sent[-1][0] - back <= beating.SPREAD_MS + beating.LOOK_MS


def test_a_cloud_that_knows_none_is_asked_every_hour(till: Till) -> None:
    """Whatever changes meanwhile."""
    till.error = CloudRefused("404", status=404, code="not_found")
    till.run(60)
    till.problems = ("disk_low",)
    till.run(2_400)
    assert len(till.sent) == 1
    till.run(7_200)
    assert 2 <= len(till.sent) <= 4


@pytest.mark.parametrize("error", [CloudUnreachable("cut"), RuntimeError("a defect")])
def test_a_failure_is_counted_and_ends_nothing(till: Till, error: Exception) -> None:
    """The next one comes in its time."""
    till.error = error
    till.run(700)
    assert till.beating.counts.failed == len(till.sent) >= 2
    till.error = None
    till.run(400)
    assert till.beating.counts.sent >= 1


def test_another_release_is_written_down_once_and_taken_back(
    till: Till, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The updater starts when the file changes: the same wish again must not touch it."""
    monkeypatch.setattr(beating, "own_version", lambda: "1.0")
    path = tmp_path / UPDATE_WANTED_FILE
    till.wanted = Wanted(release="1.0")
    till.run(20)
    assert not path.exists()
    till.wanted = Wanted(release="1.1")
    till.run(400)
    assert msgspec.json.decode(path.read_bytes(), type=Wanted).release == "1.1"
    os.utime(path, (0, 0))
    till.run(1_000)
    assert path.stat().st_mtime == 0
    till.wanted = Wanted()
    till.run(400)
    assert not path.exists()


def test_another_policy_is_fetched_until_it_is_in_force(till: Till) -> None:
    """One that was refused is not asked for again; 0 is no wish."""
    till.wanted = Wanted(policy_version=5)
    till.run(20)
    assert till.policies.asked == [5]
    till.run(1_000)
    assert till.policies.asked == [5]
    till.policies.refused = 6
    till.wanted = Wanted(policy_version=6)
    till.run(1_000)
    assert till.policies.asked == [5]


def test_what_the_cloud_was_told_is_kept_beside_the_journal(till: Till, tmp_path: Path) -> None:
    """Only what it has answered."""
    till.error = CloudUnreachable("cut")
    till.run(20)
    assert read_told_head(tmp_path) is None
    till.error = None
    till.run(400)
    told: Any = read_told_head(tmp_path)
    assert (told.epoch, told.seq, told.hash) == (2, 7, HEAD)


@pytest.mark.parametrize("content", [b"", b"{", b'{"stage":"unheard of"}', b"\xff" * 100])
def test_an_update_file_that_is_none_ends_nothing(tmp_path: Path, content: bytes) -> None:
    """An empty one says nothing, others that they can't be read."""
    (tmp_path / UPDATE_STATE_FILE).write_bytes(content)
    assert read_update_state(tmp_path) == UpdateState(code="state_unreadable" if content else "")
