"""A seed played out: a plan of steps drawn from it, tills and cloud that live through them, and what must hold.

Each step draws from random numbers of its own, so that a plan without some of its steps plays the others as before:
that is how a failing plan is made short.
"""

import asyncio
import atexit
import hashlib
import random as global_random
import secrets
import shutil
import sqlite3
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any
from unittest import mock

from msgspec import Struct

from simulation import chain, fleet, keeping
from simulation.centre import SimulatedCloud
from simulation.checks import Broken, Checks, check_quiet
from simulation.loop import run
from simulation.network import LATE_S
from simulation.shop import Cashier
from simulation.swallowed import Swallowed, listening
from simulation.till import SimulatedTill
from till_agent.desk import StoreIdentity
from till_agent.journal import rebuilding
from till_loyalty.exceptions import InvariantError

STEPS = 60
QUIET_STEPS = 400
"""Half-minutes after the last fault in which every queue must have drained."""
QUIET_S = 700.0
"""The longest wait that a cloud may ask for (ten minutes) is over then, and a poll was made."""
WITH_THREADS = ("till_cloud.app", "till_cloud.snapshot_routes", "till_sync.http.packed")
"""Modules that hand work to threads; here it is done on the spot, or a seed would not play the same again."""
ROOM_BYTES = 2**40
"""Free on every disk that is asked: that of the machine must not decide what a seed plays."""
TEN_YEARS_MS = 10 * 365 * 86_400_000
CLOUD_CLOCK_STEPS = 12
"""One step of so many sets the cloud's clock, where that is set at all."""

WEIGHTS = {
    "sell": 30,
    "redeem": 12,
    "redeem_offline": 10,
    "void": 3,
    "give_back": 5,
    "ask_again": 6,
    "wait": 10,
    "wait_long": 2,
    "kill": 3,
    "kill_in_commit": 3,
    "cut_power": 3,
    "stop": 1,
    "start": 8,
    "cut_line": 3,
    "mend_line": 8,
    "bad_line": 4,
    "set_clock": 2,
    "disk_full": 1,
    "lose_cache": 1,
    "lose_journal": 1,
    "copy_journal": 1,
    "put_copy_back": 1,
    "crash_cloud": 2,
    "back_up_cloud": 1,
    "restore_cloud": 1,
}


class Step(Struct, frozen=True):
    """One thing that happens to one till (or the cloud)."""

    number: int
    what: str
    till: str


class Failure(Struct, frozen=True):
    """What broke, at which step of which plan."""

    seed: int
    step: int
    reason: str
    plan: tuple[Step, ...]


def plan_of(seed: int, steps: int = STEPS) -> tuple[Step, ...]:
    """The steps that a seed stands for."""
    random = Random(f"plan {seed}")
    names = [name for each in chain.STORES.values() for name in each]
    kinds, weights = list(WEIGHTS), list(WEIGHTS.values())
    return tuple(
        Step(number, random.choices(kinds, weights)[0], random.choice(names)) for number in range(1, steps + 1)
    )


def play(seed: int, plan: Sequence[Step] | None = None) -> tuple[Failure | None, str]:
    """Play a plan; gives what broke, if anything, and a digest of all that was stored, which is the seed's own."""
    steps = tuple(plan_of(seed) if plan is None else plan)
    folder = Path(tempfile.mkdtemp(prefix="tillside-sim-", dir=_memory_disk()))
    try:
        _template(chain.policy_of(seed), phones=keeping.keeps(seed))
        with _one_chance(seed):
            return run(_World(seed, steps, folder).play())
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class _World:
    def __init__(self, seed: int, plan: tuple[Step, ...], folder: Path) -> None:
        self._seed = seed
        self._plan = plan
        self._folder = folder
        self._step = 0

    async def play(self) -> tuple[Failure | None, str]:
        keeps = keeping.keeps(self._seed)
        template, identities = _template(chain.policy_of(self._seed), phones=keeps)
        self._members = 0
        self._cloud_shift_ms = 0
        self.cloud = SimulatedCloud(self._folder, template, self._cloud_ms, self._new_id)
        if keeps:
            self.cloud.centre.write(chain.see_members).result()
        if chain.signs(self._seed):
            self.cloud.centre.write(chain.add_keys).result()
        self.tills = {
            name: SimulatedTill(
                identity,
                chain.token(name),
                self._folder,
                self.cloud,
                chain.BASE_MS,
                Random(f"till {self._seed} {name}"),
            )
            for name, identity in identities.items()
        }
        if chain.signs(self._seed):
            for name, till in self.tills.items():
                till.private_key = chain.private_key(name)
        self.keeping = keeping.Keeping(self.cloud, list(self.tills.values()), self._seed)
        if keeps:
            self.keeping.make_snapshots()
        self.cashiers = {name: Cashier(till, phones=keeps) for name, till in self.tills.items()}
        swallowed = Swallowed(lambda: self.cloud.restored, lambda: self.cloud.clock_was_set)
        asyncio.get_running_loop().set_exception_handler(swallowed.hear)
        self._checks = Checks(self.cloud, self.tills, swallowed)
        self.fleet = fleet.Fleet(self.cloud, self._folder / "sticks", chain.policy_of(self._seed))
        reason = ""
        try:
            with listening(swallowed):
                await self._live()
        except (Broken, AssertionError, InvariantError) as error:
            reason = f"{type(error).__name__}: {error}"
        digest = self._digest()
        for till in self.tills.values():
            till.life.end()
            till.close()
        self.cloud.close()
        return (Failure(self._seed, self._step, reason, self._plan) if reason else None), digest

    async def _live(self) -> None:
        for till in self.tills.values():
            await till.start()
        for step in self._plan:
            self._step = step.number
            await self._take(step)
            self._lend(step)
            await self._take_extra(step)
            self._set_cloud_clock(step)
            self.keeping.take(step.number)
            self._checks.check()
        self._step = 0
        await self._calm_down()
        check_quiet(self.cloud, self.tills, self.cashiers)

    async def _take(self, step: Step) -> None:
        random = Random(f"step {self._seed} {step.number}")
        till, cashier = self.tills[step.till], self.cashiers[step.till]
        await getattr(self, f"_{step.what}")(till, cashier, random)
        await asyncio.sleep(random.uniform(0.0, 2.0))

    async def _take_extra(self, step: Step) -> None:
        random = Random(f"take extra {self._seed} {step.number}")
        cashier = self.cashiers[random.choice(list(self.cashiers))]
        await self.fleet.take(fleet.extra_of(self._seed, step.number), cashier, random)

    def _lend(self, step: Step) -> None:
        """The cloud's jobs come by, as they do every few seconds, mostly."""
        if self.cloud.up and Random(f"lend {self._seed} {step.number}").randrange(3):
            self.cloud.lend()

    def _set_cloud_clock(self, step: Step) -> None:
        """The cloud's clock is set, at times by years."""
        random = Random(f"cloud's clock {self._seed} {step.number}")
        if chain.sets_cloud_clock(self._seed) and not random.randrange(CLOUD_CLOCK_STEPS):
            self.cloud.clock_was_set = True
            self._cloud_shift_ms = random.choice((0, 3_600_000, -3_600_000, TEN_YEARS_MS, -TEN_YEARS_MS))

    async def _sell(self, _till: SimulatedTill, cashier: Cashier, random: Random) -> None:
        if cashier.till.life.alive:
            await cashier.sell(random)

    async def _redeem(self, _till: SimulatedTill, cashier: Cashier, random: Random) -> None:
        if cashier.till.life.alive:
            await cashier.sell(random, redeem=True)

    async def _redeem_offline(self, till: SimulatedTill, cashier: Cashier, random: Random) -> None:
        """The line is cut, for a moment or for long, and somebody wants to pay with points, receipt after receipt."""
        was_cut, till.line.cut = till.line.cut, True
        who = random.randrange(chain.MEMBERS)
        for _ in range(random.randint(1, 3)):
            if till.life.alive:
                await cashier.sell(random, redeem=True, who=who)
        if random.randrange(4):
            till.line.cut = was_cut

    async def _void(self, _till: SimulatedTill, cashier: Cashier, random: Random) -> None:
        await cashier.void(random)

    async def _give_back(self, _till: SimulatedTill, cashier: Cashier, random: Random) -> None:
        await cashier.give_back(random)

    async def _ask_again(self, _till: SimulatedTill, cashier: Cashier, random: Random) -> None:
        await cashier.ask_again(random)

    async def _wait(self, _till: SimulatedTill, _cashier: Cashier, random: Random) -> None:
        await asyncio.sleep(random.uniform(1, 60))

    async def _wait_long(self, till: SimulatedTill, _cashier: Cashier, random: Random) -> None:
        await asyncio.sleep(random.uniform(600, 4_000))
        if till.life.alive:
            await till.desk.release_abandoned()

    async def _kill(self, till: SimulatedTill, _cashier: Cashier, _random: Random) -> None:
        if till.life.alive:
            till.kill()

    async def _kill_in_commit(self, till: SimulatedTill, cashier: Cashier, random: Random) -> None:
        """The process ends around the next commit."""
        if not till.life.alive:
            return
        till.life.death = random.choice(("before_commit", "after_commit"))
        await cashier.sell(random)

    async def _cut_power(self, till: SimulatedTill, _cashier: Cashier, _random: Random) -> None:
        if till.life.alive:
            till.cut_power()

    async def _stop(self, till: SimulatedTill, _cashier: Cashier, _random: Random) -> None:
        await till.stop()

    async def _start(self, till: SimulatedTill, _cashier: Cashier, _random: Random) -> None:
        await till.start()

    async def _cut_line(self, till: SimulatedTill, _cashier: Cashier, _random: Random) -> None:
        till.line.cut = True

    async def _mend_line(self, till: SimulatedTill, _cashier: Cashier, _random: Random) -> None:
        till.line.cut = False
        till.line.fault_percent = 0

    async def _bad_line(self, till: SimulatedTill, _cashier: Cashier, random: Random) -> None:
        till.line.fault_percent = random.choice((5, 30, 80))

    async def _set_clock(self, till: SimulatedTill, _cashier: Cashier, random: Random) -> None:
        till.shift_clock(random.choice((0, -TEN_YEARS_MS, TEN_YEARS_MS, random.randint(-3_600_000, 3_600_000))))

    async def _disk_full(self, till: SimulatedTill, cashier: Cashier, random: Random) -> None:
        """The disk is full for some receipts."""
        if till.life.alive:
            till.fill_disk(full=True)
            for _ in range(4):
                await cashier.sell(random)
            till.fill_disk(full=False)

    async def _lose_cache(self, till: SimulatedTill, _cashier: Cashier, _random: Random) -> None:
        if till.life.alive:
            till.lose_cache()

    async def _lose_journal(self, till: SimulatedTill, cashier: Cashier, _random: Random) -> None:
        """The disk breaks: what no cloud had is gone, and nobody can promise otherwise."""
        if till.life.alive:
            till.lose_journal()
            cashier.forget(set())

    async def _copy_journal(self, till: SimulatedTill, _cashier: Cashier, _random: Random) -> None:
        till.keep_copy()

    async def _put_copy_back(self, till: SimulatedTill, cashier: Cashier, random: Random) -> None:
        """An old copy of the journal in place of the journal, under a till that was stopped for it or not."""
        if till.has_copy and random.randrange(2):
            await till.stop()
        if till.put_copy_back():
            await till.start()
            entries = await till.journal.read(lambda reader: reader.recent(10_000))
            cashier.forget({(entry.kind, entry.uid) for entry in entries})

    async def _crash_cloud(self, _till: SimulatedTill, _cashier: Cashier, random: Random) -> None:
        if self.cloud.up:
            self.cloud.crash()
            asyncio.get_running_loop().call_later(random.uniform(0.1, 300.0), self.cloud.restart)

    async def _back_up_cloud(self, _till: SimulatedTill, _cashier: Cashier, _random: Random) -> None:
        self.cloud.back_up()

    async def _restore_cloud(self, _till: SimulatedTill, cashier: Cashier, random: Random) -> None:
        if self.cloud.has_newest:
            await self.fleet.take("restore_older", cashier, random)
        else:
            self.cloud.restore()

    async def _calm_down(self) -> None:
        """Every fault ends; all that was asked is asked until it is answered; then no queue may last."""
        self._cloud_shift_ms = 0
        self.cloud.restart()
        self.keeping.end()
        for name, till in self.tills.items():
            till.line.cut, till.line.fault_percent = False, 0
            if till.life.alive and till.life.death:
                till.life.death = ""
            await till.start()
            for document in [each for each in self.cashiers[name].documents.values() if each.open]:
                await self.cashiers[name].ask(document)
        await asyncio.sleep(LATE_S)  # requests that the network still keeps
        for _ in range(QUIET_STEPS):
            await asyncio.sleep(30)
            for till in self.tills.values():
                await till.desk.release_abandoned()
            if not any(till.journal.figures.waiting or not till.worker.line.online for till in self.tills.values()):
                break
        self.keeping.end()
        await asyncio.sleep(QUIET_S)
        self._checks.check()

    def _cloud_ms(self) -> int:
        return chain.BASE_MS + self._cloud_shift_ms + int(asyncio.get_running_loop().time() * 1000)

    def _new_id(self) -> str:
        self._members += 1
        return f"m-new-{self._members}"

    def _digest(self) -> str:
        """Of every op and every balance that the cloud holds."""
        found = hashlib.sha256()
        self.cloud.restart()

        def rows(connection: sqlite3.Connection) -> list[object]:
            ops = connection.execute(
                "SELECT till, epoch, seq, fingerprint, status FROM ops ORDER BY 1, 2, 3"
            ).fetchall()
            return [*ops, *connection.execute("SELECT member_id, balance, position FROM balances ORDER BY 1")]

        for row in self.cloud.read(rows):
            found.update(repr(row).encode())
        return found.hexdigest()


@contextmanager
def _one_chance(seed: int) -> Iterator[None]:
    """Whatever draws random numbers draws them from the seed."""
    random = Random(f"secrets {seed}")
    state = global_random.getstate()
    global_random.seed(f"global {seed}")
    with ExitStack() as stack:
        for name, make in (
            ("token_bytes", lambda size=32: random.randbytes(size)),
            ("token_hex", lambda size=32: random.randbytes(size).hex()),
            ("token_urlsafe", lambda size=32: random.randbytes(size).hex()),
            ("randbelow", random.randrange),
        ):
            stack.enter_context(mock.patch.object(secrets, name, make))
        stack.enter_context(mock.patch("till_cloud.centre.Writer", _inline_writer()))
        stack.enter_context(mock.patch("till_cloud.snapshot_routes._SnapshotResponse", keeping.RangedBytes))
        room = SimpleNamespace(total=ROOM_BYTES, used=0, free=ROOM_BYTES)
        stack.enter_context(mock.patch("shutil.disk_usage", return_value=room))
        # Few operations are worth a file here.
        stack.enter_context(mock.patch.object(rebuilding, "LEAST_CHANGES", 1))
        for module in WITH_THREADS:
            stack.enter_context(mock.patch(f"{module}.run_in_threadpool", _on_the_spot))
        stack.enter_context(mock.patch("till_agent.desk.slow_tags.aside", _on_the_spot))
        stack.enter_context(mock.patch("asyncio.to_thread", _on_the_spot))
        stack.enter_context(mock.patch.object(threading.Thread, "start", _no_thread))
        try:
            yield
        finally:
            global_random.setstate(state)


def _inline_writer() -> type:
    from simulation.centre import InlineWriter

    return InlineWriter


def _no_thread(thread: threading.Thread) -> None:
    raise Broken(f"a seed with a thread ({thread.name}) would not play the same again: do its work on the spot")


async def _on_the_spot(function: Callable[..., Any], *args: Any, **more: Any) -> Any:
    return function(*args, **more)


@cache
def _template(policy: str, *, phones: bool) -> tuple[Path, dict[str, StoreIdentity]]:
    """The chain, made once a process; outside of any seed's random numbers it would not be the same each time."""
    folder = Path(tempfile.mkdtemp(prefix="tillside-sim-chain-", dir=_memory_disk()))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    path = folder / "chain.db"
    with _one_chance(0):
        identities = chain.make_template(path, lambda: "m-none", policy, phones=phones)
    return path, identities


def _memory_disk() -> str | None:
    """Where files are not written to a disk: thousands of seeds would wear it for nothing."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None
