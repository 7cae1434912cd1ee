"""When each till may push, while more of them come than the cloud can serve: advice in milliseconds, kept in memory.

The cloud's time ahead is one line of work. A till that finds too much before it is given a place in that line, as long
as its work is expected to take by what work took lately. Nothing here is durable or counted on: a till that misses its
slot is served when it comes, one without a slot when there is room, and after a restart everybody simply asks again.

A place promised too early costs one refusal more; one promised too late costs the cloud's idle time, which nobody gets
back. So promises are a little early, by the better of what work took just now and over a while: a cloud that is starved
for some seconds, as at the beginning of every storm, does not spread its tills over as long as it would then take. A
till sent away at its slot goes to the end of the line, in the same order as the others, and is let in there.
"""

from collections.abc import Callable
from typing import NamedTuple

PUSH_MS = 4.0
OP_MS = 0.2
"""What a push and each of its ops take before anything was measured, and in what proportion: reading, checking and
committing takes as long as 20 ops.
"""

MEMORY_MS = 5_000.0
"""Of the cloud's own working time: what was measured so long ago counts half."""

LONG_MEMORY_MS = 20_000.0
"""The same for the pace that outlasts a starved moment, and yields to a lasting one within a minute."""

EARLINESS = 0.9
"""Share of the expected time that is promised: tills come late more often than early, and idle time is lost."""

PACE_LEAST, PACE_MOST = 0.05, 50.0
"""A measured pace is taken for real within these times of the above; beyond, a clock or a stopped machine lied."""

WAITING_WORK_MS = 500.0
"""Work taken on that waits for the writer: enough that it never runs dry when a till comes late, little to wait for."""

HOLDERS_WORK_MS = 4_000.0
HOLDERS_AT_ONCE = 32
"""The same for tills that come at their slots, and how many at once: they wait for their answers meanwhile, which is
cheaper than coming again, well within the 10 s that a till waits; and half the cloud's room is left to all others.
"""

LATE_WORK_MS = 6_000.0
LATE_AT_ONCE = 40
"""The same for tills that were sent away at their slots: the next ones are sure, unless the cloud stands still."""

EARLY_MS = 250.0
"""A till that comes so much before its slot is served: its timer is no better."""

MISSED_MS = 60_000.0
"""A slot stays a till's own for so long after its time: who is late finds room like those in time, for the work was
counted on. Then it is forgotten, and the till gets another if it asks.
"""

LONGEST_WAIT_MS = 300_000
"""Nobody is told to come later than this. Who has a place further back is told again then: paces change, and a till
believes nobody who asks for much more.
"""

SLOTS_LIMIT = 20_000
"""Slots promised at once, some 4 MB; more tills than that are told a time at random."""

FIRST_BATCH_OPS = 100
"""What a till sends first after an outage."""


def _as_assumed_ms(ops: int) -> float:
    return PUSH_MS + ops * OP_MS


class _Measure:
    """Times that work takes of what is assumed, over a while."""

    def __init__(self, memory_ms: float) -> None:
        self._memory_ms = memory_ms
        self._taken_ms = 0.0
        self._assumed_ms = 0.0

    @property
    def factor(self) -> float:
        if not self._assumed_ms:
            return 1.0
        return max(PACE_LEAST, min(PACE_MOST, self._taken_ms / self._assumed_ms))

    def add(self, assumed_ms: float, took_ms: float) -> None:
        kept = 0.5 ** (took_ms / self._memory_ms)
        self._taken_ms = self._taken_ms * kept + took_ms
        self._assumed_ms = self._assumed_ms * kept + assumed_ms


class Pace:
    """How long work takes, learnt from work that was done."""

    def __init__(self) -> None:
        self._lately = _Measure(MEMORY_MS)
        self._long = _Measure(LONG_MEMORY_MS)
        self._typical_ops = float(FIRST_BATCH_OPS)

    @property
    def factor(self) -> float:
        """Times that the cloud needs of what `PUSH_MS` and `OP_MS` say, lately."""
        return self._lately.factor

    @property
    def typical_ops(self) -> int:
        """Ops of a push lately."""
        return max(1, round(self._typical_ops))

    @property
    def ops_per_second(self) -> float:
        """Measured capacity, in pushes of the usual first size."""
        return FIRST_BATCH_OPS * 1000 / self.cost_ms(FIRST_BATCH_OPS)

    def cost_ms(self, ops: int) -> float:
        """What a push of so many ops is expected to take."""
        return _as_assumed_ms(ops) * self.factor

    def promised_ms(self, ops: int) -> float:
        """What it is given in the line: at the better pace of the two, and a little less."""
        return _as_assumed_ms(ops) * min(self._lately.factor, self._long.factor) * EARLINESS

    def learn(self, ops: int, took_ms: float) -> None:
        """A push of so many ops took so much of the cloud's time."""
        for measure in (self._lately, self._long):
            measure.add(_as_assumed_ms(ops), took_ms)
        self._typical_ops += (ops - self._typical_ops) / 16


class Slot(NamedTuple):
    """A promise of room for so many ops. `late`: the one before it was not kept."""

    at_ms: float
    ops: int
    late: bool = False


class Turn:
    """One push that is being served."""

    def __init__(self, till: str, cost_ms: float) -> None:
        self.till = till
        self.cost_ms = cost_ms
        self.ops = 0
        self.started_ms = -1.0


class Slots:
    """The line of work ahead. Belongs to one event loop; `mono_ms` is its clock."""

    def __init__(self, mono_ms: Callable[[], float]) -> None:
        self._mono_ms = mono_ms
        self.pace = Pace()
        self._promised: dict[str, Slot] = {}
        self._booked_ms = 0.0
        self._work_ms = 0.0
        self._serving = 0
        self._last_end_ms = 0.0

    @property
    def promised(self) -> int:
        """Slots given out and neither used nor forgotten."""
        return len(self._promised)

    def wait_ms(self, till: str) -> int:
        """0: this till may push now, and `begin` is to follow. Else its slot, which is its own; -1: no slot is left."""
        now_ms = self._now_ms()
        slot = self._promised.get(till)
        if slot is not None:
            return self._wait_of_holder(till, slot, now_ms)
        room_ms = WAITING_WORK_MS / 2 if self._promised else WAITING_WORK_MS
        if not self._serving or self._work_ms + self.pace.cost_ms(self.pace.typical_ops) <= room_ms:
            return 0
        return self._promise(till, self.pace.typical_ops, now_ms)

    def book(self, till: str, waiting: int) -> int:
        """The slot, from now, of a till that is to push `waiting` ops and asks first; -1: no slot is left."""
        now_ms = self._now_ms()
        slot = self._promised.get(till)
        if slot is not None:
            return _told(slot, now_ms)
        return self._promise(till, max(1, min(waiting, FIRST_BATCH_OPS)), now_ms)

    def begin(self, till: str) -> Turn:
        """A push is let in: its slot is used."""
        slot = self._promised.pop(till, None)
        turn = Turn(till, self.pace.cost_ms(self.pace.typical_ops if slot is None else slot.ops))
        self._serving += 1
        self._work_ms += turn.cost_ms
        return turn

    def sized(self, turn: Turn, ops: int) -> None:
        """The push has been read: from now on it takes the cloud's time and not the line's."""
        cost_ms = self.pace.cost_ms(ops)
        self._work_ms += cost_ms - turn.cost_ms
        turn.ops, turn.cost_ms, turn.started_ms = ops, cost_ms, self._mono_ms()

    def done(self, turn: Turn, remaining: int) -> int:
        """The push has been carried out. When its till may send some of the `remaining` ops: 0 is at once."""
        now_ms = self._now_ms()
        # Pushes are served one after the other: this one's own time began when the one before it was done.
        self.pace.learn(turn.ops, max(0.0, now_ms - max(turn.started_ms, self._last_end_ms)))
        self._last_end_ms = now_ms
        others_ms = self._work_ms - turn.cost_ms
        if remaining < 1 or not (self._promised or others_ms > WAITING_WORK_MS / 2):
            return 0
        return max(0, self._promise(turn.till, min(remaining, max(1, 2 * turn.ops)), now_ms))

    def end(self, turn: Turn) -> None:
        """The push is over, however it ended."""
        self._serving -= 1
        self._work_ms = max(0.0, self._work_ms - turn.cost_ms) if self._serving else 0.0

    def _wait_of_holder(self, till: str, slot: Slot, now_ms: float) -> int:
        if now_ms < slot.at_ms - EARLY_MS:
            return _told(slot, now_ms)
        most_ms, at_once = (LATE_WORK_MS, LATE_AT_ONCE) if slot.late else (HOLDERS_WORK_MS, HOLDERS_AT_ONCE)
        if self._work_ms < most_ms and self._serving < at_once:
            return 0
        # The cloud fell behind what it promised, so the line's end is where there is room.
        del self._promised[till]
        return self._promise(till, max(slot.ops, self.pace.typical_ops), now_ms, late=True)

    def _promise(self, till: str, ops: int, now_ms: float, *, late: bool = False) -> int:
        if len(self._promised) >= SLOTS_LIMIT:
            return -1
        at_ms = max(self._booked_ms, now_ms + max(0.0, self._work_ms - WAITING_WORK_MS))
        self._booked_ms = at_ms + (self.pace.cost_ms(ops) if late else self.pace.promised_ms(ops))
        slot = self._promised[till] = Slot(at_ms, ops, late)
        return _told(slot, now_ms)

    def _now_ms(self) -> float:
        """The time; slots that were missed are forgotten on the way, oldest first."""
        now_ms = self._mono_ms()
        while self._promised:
            till = next(iter(self._promised))
            if self._promised[till].at_ms + MISSED_MS >= now_ms:
                break
            del self._promised[till]
        return now_ms


def _told(slot: Slot, now_ms: float) -> int:
    return max(1, min(LONGEST_WAIT_MS, round(slot.at_ms - now_ms)))
