"""Verdicts of a long queue are stored while the next batch is under way: in order, and none without those before it."""

import asyncio

import pytest

from kit.loops import run
from till_sync import rounds
from till_sync.exceptions import CloudFailed, CloudUnreachable
from till_sync.push import FIRST_BATCH_OPS
from till_sync.transport import Reply
from unit.sync.sync_bench import Bench, PushBench
from unit.sync.sync_fakes import Request, settle

N = FIRST_BATCH_OPS


class Line(PushBench):
    """A pusher whose outbox may be slow."""

    def hold(self) -> asyncio.Event:
        """Nothing is stored until that is set."""
        self.outbox.may_record = asyncio.Event()
        return self.outbox.may_record

    def sent(self) -> list[tuple[int, int]]:
        """First and last op of each push, in order."""
        return [(request.ops[0].seq, request.ops[-1].seq) for request in self.requests()]

    def stored(self) -> list[int]:
        """The acknowledged positions, as they were stored."""
        return [acked for _, acked, _ in self.outbox.recorded]


def test_the_next_batch_goes_out_while_verdicts_are_stored_and_its_own_wait_for_them() -> None:
    """Nor is anything read ahead before: what waits, as a batch says it, is counted from what is stored."""

    async def work() -> None:
        line = Line(7 * N)
        await line.greet()
        let = line.hold()
        await line.step()
        step = asyncio.ensure_future(line.step())
        await settle()
        assert line.sent() == [(1, N), (N + 1, 3 * N)], "the second went out"
        assert (line.outbox.acked, line.outbox.read_ahead) == (0, [(1, N)])
        let.set()
        assert await step
        while await line.step():
            pass
        assert line.sent() == [(1, N), (N + 1, 3 * N), (3 * N + 1, 7 * N)]
        assert line.stored() == [N, 3 * N, 7 * N]
        assert [seq for _, _, seqs in line.outbox.recorded for seq in seqs] == list(range(1, 7 * N + 1))

    run(work())


@pytest.mark.parametrize("slot", [False, True], ids=["nothing follows", "a slot is waited for"])
def test_a_step_that_no_batch_follows_at_once_ends_with_its_verdicts_stored(slot: bool) -> None:
    """What comes then, a pull perhaps, finds them in the journal."""

    async def work() -> None:
        line = Line(3 * N if slot else N)
        await line.greet()
        if slot:
            line.cloud.retry_after_ms = 5_000
        step = await line.pusher.step(line.cloud.incarnation)
        assert (step.wait_ms, line.stored()) == (5_000 if slot else 0, [N])

    run(work())


def test_what_failed_to_be_stored_goes_out_again_before_what_followed_it() -> None:
    """The cloud had acknowledged both. Were the second one's verdicts stored, the first ones would never come."""

    async def work() -> None:
        line = Line(3 * N)
        await line.greet()
        line.outbox.fail_record.append(CloudFailed("the disk is full"))
        await line.step()
        with pytest.raises(CloudFailed):
            await line.step()
        assert (line.sent(), line.stored()) == ([(1, N), (N + 1, 3 * N)], [])
        while await line.step():
            pass
        assert [seq for _, _, seqs in line.outbox.recorded for seq in seqs] == list(range(1, 3 * N + 1))
        assert sorted(line.outbox.verdicts) == list(range(1, 3 * N + 1))

    run(work())


@pytest.mark.parametrize("fails", [False, True], ids=["stored", "not stored"])
def test_a_batch_that_fails_beside_it_ends_the_step_when_nothing_is_stored_any_more(fails: bool) -> None:
    """A greeting that follows compares with what is there. What was stored stays, and the batch goes out as it was."""

    async def work() -> None:
        line = Line(3 * N)
        await line.greet()
        let = line.hold()
        await line.step()
        line.cloud.script["ops"] = [CloudUnreachable("cut")]
        if fails:
            line.outbox.fail_record.append(RuntimeError("the disk is full"))
        step = asyncio.ensure_future(line.step())
        await settle()
        assert not step.done(), "the verdicts are under way"
        let.set()
        with pytest.raises(CloudUnreachable):
            await step
        assert line.stored() == ([] if fails else [N])
        while await line.step():
            pass
        assert line.sent()[2] == ((1, 2 * N) if fails else (N + 1, 3 * N))
        assert sorted(line.outbox.verdicts) == list(range(1, 3 * N + 1))

    run(work())


def test_a_step_that_is_cancelled_leaves_nothing_under_way() -> None:
    """The next one begins where the journal stands."""

    async def work() -> None:
        line = Line(3 * N)
        await line.greet()
        let = line.hold()
        await line.step()

        async def never(_request: Request) -> Reply:
            await asyncio.Event().wait()
            raise AssertionError

        line.cloud.script["ops"] = [never]
        step = asyncio.ensure_future(line.step())
        await settle()
        step.cancel()
        await asyncio.gather(step, return_exceptions=True)
        await settle()
        assert [task for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []
        let.set()
        while await line.step():
            pass
        assert line.sent()[2][0] == 1
        assert sorted(line.outbox.verdicts) == list(range(1, 3 * N + 1))

    run(work())


def test_a_pull_that_has_its_turn_within_a_queue_finds_all_verdicts_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise a page could include an operation that the journal takes for one that waits."""
    monkeypatch.setattr(rounds, "BATCHES_PER_ROUND", 1)
    bench = Bench(3 * N)
    bench.outbox.may_record = asyncio.Event()

    async def case(bench: Bench) -> None:
        assert (len(bench.cloud.pushes()), bench.cloud.asked("changes")) == (1, [])
        assert bench.outbox.may_record is not None
        bench.outbox.may_record.set()
        await settle()
        assert bench.cloud.asked("changes")
        assert bench.outbox.recorded[0][:2] == (1, N)

    bench.run(case)
