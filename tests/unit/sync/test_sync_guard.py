"""The guard under any network: an honest till is never taken for two machines, two live copies always are, and soon.

A small model of the transport: runs with a name and a counter, a file that may not take it, requests that are delayed,
doubled minutes later and overtaken, answers that are lost, restarts of either end.
"""

import hashlib
import random
from typing import Any

import pytest

from till_cloud.exceptions import RefusedError
from till_cloud.guard import CloneFoundError, Guard
from till_cloud.store.tills import TillRow
from till_sync.counters import BLOCK
from till_sync.secured import COUNTER_JUMP
from till_sync.signing import Signed

NOW_S = 1_800_000_000
LONGEST_DELAY_S = 250
"""Within the age of a signature: what comes later is refused for its time."""


MOST_TURNS = 40
"""Requests of two copies together until they are found; most fates of a request here bring no answer."""


class Cloud:
    """The guard, and what the database keeps: the counter that came with the last push."""

    def __init__(self, chance: random.Random, monkeypatch: pytest.MonkeyPatch) -> None:
        self.chance, self.now_s = chance, NOW_S
        self.stored = 0
        self.quarantined = False
        self.asked = 0
        monkeypatch.setattr("till_cloud.guard.verify", lambda _key, head, till: head)
        monkeypatch.setattr("till_cloud.guard.is_signed", lambda _headers: True)
        self.restart()

    def restart(self) -> None:
        self.guard = Guard(self.now_s * 1000)

    def ask(self, signed: Any) -> tuple[str, int]:
        """The code that a request is refused with, "" for none, and the number that it brings."""
        self.asked += 1
        row = TillRow("t1", "s1", "", 1, "", 0, "", 0, 0, "key", self.stored)
        try:
            self.guard.admit(row, signed, self.now_s * 1000)
        except CloneFoundError:
            self.quarantined = True
            return "till_quarantined", 0
        except RefusedError as error:
            return error.code, int(error.problem.extras.get("counter", 0))
        if self.chance.random() < 0.3:
            self.stored = max(self.stored, self.guard.highest("t1"))
        return "", 0


class Head(Signed, frozen=True):
    """A `Signed` that is handed on as if it had been read."""

    @property
    def headers(self) -> dict[str, str]:
        return {}


class Machine:
    """One state directory: `file` is what its disk has; `keeps`: whether the disk takes the counter."""

    def __init__(self, cloud: Cloud, *, keeps: bool = True) -> None:
        self.cloud, self.keeps = cloud, keeps
        self.file = 0
        self.line: list[tuple[int, Any]] = []
        self.start()

    def start(self) -> None:
        self.run = f"{self.cloud.chance.getrandbits(64):016x}"
        self.last = self.reserved = self.file

    def next(self) -> int:
        self.last += 1
        if self.last > self.reserved:
            self.reserved = self.last + BLOCK
            self.file = self.reserved if self.keeps else self.file
        return self.last

    def sign(self) -> Any:
        number = self.next()
        text = f"{self.run}:{number}:{self.cloud.chance.random()}"
        return Head("t1", number, self.run, self.cloud.now_s, hashlib.sha256(text.encode()).digest()[:8])

    def exchange(self) -> str:
        """One request as the product's transport makes it, with its one mend; the network may do what it likes."""
        code = ""
        for _ in range(2):
            signed = self.sign()
            fate = self.cloud.chance.random()
            if fate < 0.15:
                self.later(signed)
                return "lost"
            if fate < 0.4:
                self.later(signed)
            code, counter = self.cloud.ask(signed)
            if code == "counter_behind":
                self.last = max(self.last, counter + COUNTER_JUMP - 1)
            elif code != "signature_stale":
                break
            if self.cloud.chance.random() < 0.1:
                return "answer lost"
        return code

    def later(self, signed: Any) -> None:
        for _ in range(self.cloud.chance.randint(1, 3)):
            self.line.append((self.cloud.now_s + self.cloud.chance.randint(0, LONGEST_DELAY_S), signed))

    def pass_on(self) -> None:
        """What the network kept back and is due now, in any order."""
        due = [signed for at_s, signed in self.line if at_s <= self.cloud.now_s]
        self.line = [(at_s, signed) for at_s, signed in self.line if at_s > self.cloud.now_s]
        self.cloud.chance.shuffle(due)
        for signed in due:
            self.cloud.ask(signed)


@pytest.mark.parametrize("keeps", [True, False], ids=["a disk that keeps", "a disk that takes nothing"])
@pytest.mark.parametrize("seed", range(60))
def test_an_honest_till_is_never_taken_for_two(seed: int, keeps: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Restarts of till and cloud, crashes with requests under way, a file put back, numbers lost: hundreds of steps."""
    chance = random.Random(seed)
    cloud = Cloud(chance, monkeypatch)
    till = Machine(cloud, keeps=keeps)
    for _ in range(600):
        cloud.now_s += chance.choice([0, 0, 1, 5, 60, 200])
        step = chance.random()
        if step < 0.06:
            till.start()
        elif step < 0.09:
            cloud.restart()
        elif step < 0.10:
            till.file = chance.choice([0, max(0, till.file - 5 * BLOCK)])  # lost, or put back from a backup
            till.start()
        elif step < 0.5:
            till.pass_on()
        else:
            till.exchange()
        assert not cloud.quarantined
    for _ in range(5):
        assert till.exchange() in ("", "lost", "answer lost")


@pytest.mark.parametrize("seed", range(60))
def test_two_live_copies_are_found_within_a_bounded_number_of_requests(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However their requests are mixed, as long as both go on; a restart of the cloud or of one hides nothing."""
    chance = random.Random(seed)
    cloud = Cloud(chance, monkeypatch)
    one = Machine(cloud)
    for _ in range(chance.randint(1, 30)):
        one.exchange()
    two = Machine(cloud)
    two.file = one.file
    two.start()
    if chance.random() < 0.5:
        one.start()
    if chance.random() < 0.3:
        cloud.restart()
    for _ in range(MOST_TURNS):
        cloud.now_s += chance.choice([0, 1, 30])
        chance.choice([one, two]).exchange()
        for machine in (one, two):
            machine.pass_on()
        if cloud.quarantined:
            break
    assert cloud.quarantined


def test_a_released_till_is_taken_again_and_its_copy_found_again(monkeypatch: pytest.MonkeyPatch) -> None:
    cloud = Cloud(random.Random(1), monkeypatch)
    one = Machine(cloud)
    one.exchange()
    cloud.guard._tills["t1"].forget()
    assert [one.exchange() for _ in range(20)].count("till_quarantined") == 0
