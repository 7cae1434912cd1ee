"""Holds: remembered before they are asked for, resolved in the transaction of the op that names them."""

from pathlib import Path

import pytest

from kit.loops import run
from till_agent.journal import DiskHoldStore, HoldNotOpen
from till_agent.journal.holdstore import RESOLVED_LIMIT
from till_agent.ports import StoredHold
from till_sync.asking import HoldAnswer, HoldRequest
from unit.agent_stores.stores_kit import Identity, StepClock, draft, journal_in, once


def request(hold: str, *, member: str = "m-1", points: int = 100) -> HoldRequest:
    """What will be asked of the cloud."""
    return HoldRequest(hold=hold, till="t-7", sale_uid=f"sale of {hold}", member_id=member, points=points)


def answer(hold: str, points: int = 80) -> HoldAnswer:
    """What the cloud reserved."""
    return HoldAnswer(hold=hold, points=points, expires_at_ms=9, server_time_ms=1, balance=500, held=points, position=3)


async def granted(holds: DiskHoldStore, hold: str, points: int = 80) -> None:
    """Asked for and reserved."""
    await holds.remember(request(hold), 5_000)
    await holds.granted(answer(hold, points), 4_000)


def test_a_hold_survives_a_restart_in_the_state_it_was_in(tmp_path: Path):
    """With its deadline and the run that deadline belongs to, oldest first."""

    async def work() -> None:
        clock = StepClock()
        async with journal_in(tmp_path, clock=clock) as journal:
            await journal.holds.remember(request("h-1"), 5_000)
            await granted(journal.holds, "h-2")
            before = journal.holds.unresolved()
        clock.boot = "boot-2"
        async with journal_in(tmp_path, Identity(1), clock=clock) as journal:
            assert journal.holds.unresolved() == before
            assert [(each.hold, each.state, each.points, each.boot) for each in before] == [
                ("h-1", "asked", 100, "boot-1"),
                ("h-2", "granted", 80, "boot-1"),
            ]
            assert journal.holds.get("h-2") == StoredHold(
                hold="h-2",
                sale_uid="sale of h-2",
                member_id="m-1",
                points=80,
                state="granted",
                deadline_mono_ms=4_000,
                boot="boot-1",
            )
            assert journal.holds.for_member("m-1") == 180
            assert journal.holds.for_member("m-2") == 0
            assert journal.holds.get("h-3") is None

    run(work())


def test_a_sale_uses_its_hold_in_its_own_transaction(tmp_path: Path):
    """Once: a second sale that names it is refused, and is not written."""

    async def work() -> None:
        async with journal_in(tmp_path) as journal:
            await granted(journal.holds, "h-1")
            await journal.commit(once(draft("s-1", hold="h-1", points=-80)))
            stored = journal.holds.get("h-1")
            assert stored is not None
            assert stored.state == "used"
            assert journal.holds.for_member("m-1") == 0
            with pytest.raises(HoldNotOpen, match="used"):
                await journal.commit(once(draft("s-2", hold="h-1")))
            with pytest.raises(HoldNotOpen, match="used"):
                await journal.commit(once(draft("h-1", kind="hold-release", hold="h-1")))
            assert (await journal.commit(once(draft("s-1", hold="h-1")))).replayed
            assert journal.figures.last_seq == 1
        async with journal_in(tmp_path, Identity(1)) as journal:
            assert journal.holds.unresolved() == []
            with pytest.raises(HoldNotOpen):
                await journal.commit(once(draft("s-3", hold="h-1")))

    run(work())


def test_a_release_takes_a_hold_whose_answer_never_came(tmp_path: Path):
    """A sale does not: what was reserved is not known."""

    async def work() -> None:
        async with journal_in(tmp_path) as journal:
            await journal.holds.remember(request("h-1"), 5_000)
            with pytest.raises(HoldNotOpen, match="asked"):
                await journal.commit(once(draft("s-1", hold="h-1")))
            await journal.commit(once(draft("h-1", kind="hold-release", hold="h-1")))
            stored = journal.holds.get("h-1")
            assert stored is not None
            assert stored.state == "released"
            with pytest.raises(HoldNotOpen, match="unknown"):
                await journal.commit(once(draft("s-2", hold="h-9")))

    run(work())


def test_an_answer_that_comes_after_the_release_changes_nothing(tmp_path: Path):
    """The hold stays released, so nobody sells on it."""

    async def work() -> None:
        async with journal_in(tmp_path) as journal:
            await journal.holds.remember(request("h-1"), 5_000)
            await journal.commit(once(draft("h-1", kind="hold-release", hold="h-1")))
            await journal.holds.granted(answer("h-1"), 4_000)
            stored = journal.holds.get("h-1")
            assert stored is not None
            assert stored.state == "released"
            assert journal.holds.unresolved() == []

    run(work())


def test_a_refused_hold_needs_no_release(tmp_path: Path):
    """The cloud reserved nothing."""

    async def work() -> None:
        async with journal_in(tmp_path) as journal:
            await journal.holds.remember(request("h-1"), 5_000)
            await journal.holds.refused("h-1")
            assert journal.holds.unresolved() == []
            with pytest.raises(HoldNotOpen):
                await journal.holds.granted(answer("h-2"), 4_000)

    run(work())


def test_asking_again_under_the_same_name_keeps_the_first(tmp_path: Path):
    """A retry is the same hold."""

    async def work() -> None:
        async with journal_in(tmp_path) as journal:
            await granted(journal.holds, "h-1", points=80)
            await journal.holds.remember(request("h-1", points=999), 1)
            stored = journal.holds.get("h-1")
            assert stored is not None
            assert (stored.points, stored.state, stored.deadline_mono_ms) == (80, "granted", 4_000)

    run(work())


def test_the_memory_of_resolved_holds_is_bounded(tmp_path: Path):
    """The newest ones are known, so that a late call is told why."""

    async def work() -> None:
        async with journal_in(tmp_path) as journal:
            for n in range(RESOLVED_LIMIT + 5):
                journal.holds.note(
                    StoredHold(
                        hold=f"h-{n}",
                        sale_uid="s",
                        member_id="m-1",
                        points=1,
                        state="used",
                        deadline_mono_ms=1,
                        boot="b",
                    )
                )
            assert journal.holds.get("h-4") is None
            assert journal.holds.get("h-5") is not None

    run(work())
