"""Journal, cache and effects together against a simple model: the shown balance never flickers back (invariant 9).

Random commits, replays, pushes whose answers are lost, pages that are read early and stored late, restarts, a cache
that is wiped, a cloud restored from a backup.
"""

import asyncio
import os
import shutil
import sqlite3
import tempfile
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from integration.agent_stores.stores_cloud import ModelCloud
from till_agent.balances import OwnEffects
from till_agent.cache import CacheStore, CacheUnavailable, open_cache, pages
from till_agent.journal import DiskJournal, open_journal
from till_sync.wire import ChangesAnswer, OpResult
from unit.agent_stores.stores_kit import TILL, Identity, draft, once, place

MEMBERS = ("m-1", "m-2", "m-3")
TAGS = {"m-1": "card:1", "m-2": "card:2", "m-3": "card:3"}
UNKNOWN = ("card:x", "card:y")
SUBJECTS = (*MEMBERS, *UNKNOWN)
START = {"m-1": 100, "m-2": 0, "m-3": -5}


EXAMPLES = int(os.environ.get("TILLSIDE_MODEL_EXAMPLES", "40"))


class Till:
    """The real stores of one till, and what the till should show by the simplest reckoning."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.identity = Identity()
        self.effects = OwnEffects()
        self.journal: DiskJournal
        self.cache: CacheStore
        self.own: list[tuple[tuple[int, int], str, int]] = []
        self.uids: list[str] = []
        self.known: dict[str, tuple[tuple[int, int], int]] = {}

    async def open(self) -> None:
        """As the composition root does: cache, then journal with the cache's floor."""
        self.effects = OwnEffects()
        self.cache = await open_cache(self.folder / "cache.db", TILL, on_complete=self.effects.forget)
        self.journal = await open_journal(
            place(self.folder, self.identity), self.effects, self.cache, floor=self.cache.floor
        )
        assert self.journal.report.damage is None

    async def close(self) -> None:
        """In reverse order."""
        assert await self.journal.stop()
        assert await self.cache.stop()

    async def sell(self, uid: str, subject: str, points: int) -> None:
        """One sale by its uid, perhaps again."""
        body = msgspec.json.encode({"uid": uid, "subject": subject, "points": points})
        done = await self.journal.commit(once(draft(uid, member=subject, points=points, body=body)))
        assert done.replayed == (uid in self.uids)
        if not done.replayed:
            op_id = done.entry.op_id
            self.own.append(((op_id.epoch, op_id.seq), subject, points))
            self.uids.append(uid)

    def shown(self, subject: str) -> int:
        """As the sale desk works it out."""
        cached = self.cache.by_id(subject) if subject.startswith("m-") else self.cache.by_tag(subject)
        if cached is None:
            return self.effects.effect((subject,), (0, 0))
        row = cached.row
        return row.balance + self.effects.effect((row.member_id, *row.tags), cached.included)

    def own_after(self, keys: tuple[str, ...], included: tuple[int, int]) -> int:
        """The plain sum."""
        return sum(points for where, subject, points in self.own if subject in keys and where > included)


class StoresMachine(RuleBasedStateMachine):
    """`pure`: nobody else changes balances and the cloud agrees, so what is shown is simply the sum of all sales."""

    @initialize(pure=st.booleans())
    def begin(self, pure: bool) -> None:
        self.pure = pure
        self.runner = asyncio.Runner()
        self.folder = Path(tempfile.mkdtemp(prefix="stores-model-"))
        self.cloud = ModelCloud()
        for member_id, balance in START.items():
            self.cloud.add(member_id, balance, TAGS[member_id])
        self.saved = self.cloud.backup()
        self.till = Till(self.folder)
        self.page: ChangesAnswer | None = None
        self.number = 0
        self.greeted = 1
        self.stale: set[str] = set()
        self.do(self.till.open())

    def do(self, work: Any) -> Any:
        """Run on the machine's loop."""
        return self.runner.run(work)

    def teardown(self) -> None:
        if hasattr(self, "runner"):
            self.do(self.till.close())
            self.runner.close()
            shutil.rmtree(self.folder)

    @rule(sales=st.lists(st.tuples(st.sampled_from(SUBJECTS), st.integers(-20, 40)), min_size=1, max_size=4))
    def sell(self, sales: list[tuple[str, int]]) -> None:
        """Some sales at once."""

        async def work() -> None:
            start = self.number
            self.number += len(sales)
            await asyncio.gather(
                *(self.till.sell(f"s-{start + at}", subject, points) for at, (subject, points) in enumerate(sales))
            )

        self.do(work())

    @precondition(lambda self: self.till.uids)
    @rule(data=st.data())
    def sell_again(self, data: st.DataObject) -> None:
        """The cash software repeats a sale that it had no answer to."""
        uid = data.draw(st.sampled_from(self.till.uids))
        self.do(self.till.sell(uid, "m-1", 999))

    @precondition(lambda self: not self.pure)
    @rule(member_id=st.sampled_from(MEMBERS), points=st.integers(-30, 30))
    def other_till(self, member_id: str, points: int) -> None:
        """Another till changes a balance."""
        self.cloud.change(member_id, points)

    @rule(
        max_ops=st.integers(1, 6),
        fate=st.sampled_from(["answered", "answered", "lost", "dies before the cache knows"]),
        skew=st.sampled_from([0, 0, -3, 5]),
    )
    def push(self, max_ops: int, fate: str, skew: int) -> None:
        """A batch; the answer may be lost, or the agent may die between journal and cache."""
        if self.greeted != self.cloud.incarnation:
            self.greet()

        async def work() -> None:
            batch = await self.till.journal.next_batch(max_ops=max_ops, max_bytes=10**6, incarnation="i")
            if batch is None:
                return
            acked, results = self.cloud.push(batch, 0 if self.pure else skew)
            if fate == "lost":
                return
            if fate != "answered":
                self.till.journal._verdicts = None
                await self.till.journal.record(batch.epoch, acked, results)
                self.page = None  # whoever had asked for it is dead
                await self._restart()
                return
            await self._answered(batch.epoch, acked, results)

        self.do(work())

    async def _answered(self, epoch: int, acked: int, results: tuple[OpResult, ...]) -> None:
        await self.till.journal.record(epoch, acked, results)
        for result in results:
            known = self.till.known.get(result.member_id)
            if known is not None and (epoch, result.seq) > known[0]:
                self.till.known[result.member_id] = ((epoch, result.seq), result.balance)

    @precondition(lambda self: self.page is None)
    @rule(limit=st.integers(1, 6))
    def read_page(self, limit: int) -> None:
        """The cloud answers; the page is on its way."""
        if self.greeted != self.cloud.incarnation:
            self.greet()
        self.page = self.cloud.page(self.do(self.till.cache.cursor()), limit)

    @precondition(lambda self: self.page is not None)
    @rule(fate=st.sampled_from(["arrives", "arrives", "lost", "disk full"]))
    def store_page(self, fate: str) -> None:
        """It arrives, perhaps after much else has happened; or never does; or finds no room."""
        page, self.page = self.page, None
        if fate == "lost" or page is None:
            return
        if fate == "disk full":
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(pages, "_write_members", no_room)
                with pytest.raises(CacheUnavailable):
                    self.do(self.till.cache.store_page(page))
            return
        self._take(page)

    def _take(self, page: ChangesAnswer) -> None:
        if page.incarnation != f"i-{self.greeted}":  # the pull loop sees that, says hello and asks anew
            return
        refresh = set(self.stale)
        self.do(self.till.cache.store_page(page))
        pair = (page.epoch, page.acked_seq)
        for row in page.rows:
            known = self.till.known.get(row.member_id)
            if known is None or row.member_id in refresh or pair >= known[0]:
                self.till.known[row.member_id] = (pair, row.balance)
            self.stale.discard(row.member_id)
        if not page.more:
            for member_id in self.stale:
                self.till.known.pop(member_id, None)
            self.stale.clear()

    @rule()
    def settle(self) -> None:
        """Everything is pushed and pulled: the till holds what the cloud holds (invariant 8)."""
        self.page = None
        self.greet()

        async def push() -> None:
            while batch := await self.till.journal.next_batch(max_ops=5, max_bytes=10**6, incarnation="i"):
                await self._answered(batch.epoch, *self.cloud.push(batch))

        self.do(push())
        more = True
        while more:
            page = self.cloud.page(self.do(self.till.cache.cursor()), 3)
            more = page.more
            self._take(page)
        assert self.do(self.till.journal.waiting()) == 0
        cached = {member_id: self.till.cache.by_id(member_id) for member_id in self.cloud.balances}
        assert {each: found and found.row.balance for each, found in cached.items()} == self.cloud.balances
        assert self.till.cache.member_count == len(self.cloud.balances)
        assert {subject: self.till.shown(subject) for subject in MEMBERS} == {
            subject: self.cloud.balances[subject] for subject in MEMBERS
        }

    @rule()
    def restart(self) -> None:
        """Closed well and started again."""
        self.page = None
        self.do(self._restart())

    async def _restart(self) -> None:
        await self.till.close()
        await self.till.open()

    @rule()
    def lose_the_cache(self) -> None:
        """Somebody deletes the file while the agent is down."""

        async def work() -> None:
            await self.till.close()
            (self.folder / "cache.db").unlink()
            await self.till.open()

        self.page = None
        self.till.known.clear()
        self.stale.clear()
        self.do(work())

    @rule()
    def begin_the_pull_anew(self) -> None:
        """The cloud answered 410."""
        self.page = None
        self.stale = set(self.till.known)
        self.do(self.till.cache.reset())

    @rule()
    def greet(self) -> None:
        """Hello after a start, an error, or another incarnation."""
        self.do(self.till.journal.reconcile(self.cloud.hello()))
        if self.greeted != self.cloud.incarnation:
            self.greeted = self.cloud.incarnation
            self.stale = set(self.till.known)
            self.do(self.till.cache.reset())

    @rule()
    def back_up_the_cloud(self) -> None:
        """Remember its state."""
        self.saved = self.cloud.backup()

    @rule()
    def restore_the_cloud(self) -> None:
        """Back to the backup: another incarnation, which has lost what came after."""
        incarnation = self.cloud.incarnation
        self.cloud = self.saved.backup()
        self.cloud.incarnation = incarnation + 1

    @invariant()
    def what_is_shown_is_what_is_known_plus_own_sales(self) -> None:
        """For cached members: the last word of the cloud, and every own op after it, each once."""
        for subject in SUBJECTS:
            by_member = subject.startswith("m-")
            cached = self.till.cache.by_id(subject) if by_member else self.till.cache.by_tag(subject)
            if cached is None:
                assert not (by_member and subject in self.till.known)
                if self.pure and not self.till.cache.filling and not by_member:
                    assert self.till.shown(subject) == self.till.own_after((subject,), (0, 0)), subject
                continue
            keys = (cached.row.member_id, *cached.row.tags)
            included, balance = self.till.known[cached.row.member_id]
            assert self.till.shown(subject) == balance + self.till.own_after(keys, included), subject
            if self.pure:
                total = START.get(subject, 0) + self.till.own_after(keys, (0, 0))
                assert self.till.shown(subject) == total, subject


def no_room(*_args: object) -> int:
    """A disk that is full when the rows are to be written."""
    error = sqlite3.OperationalError("database or disk is full")
    error.sqlite_errorcode = sqlite3.SQLITE_FULL
    raise error


def play(examples: int, steps: int = 40, **other: Any) -> None:
    """So many random histories."""
    chosen = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        **other,
    )
    run_state_machine_as_test(StoresMachine, settings=chosen)


@pytest.mark.timeout(600)
def test_the_shown_balance_never_flickers_back():
    """Whatever is lost, repeated, late, wiped or restored."""
    play(EXAMPLES, print_blob=True)
