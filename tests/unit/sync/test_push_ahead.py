"""The batch that follows the one under way is read meanwhile; whatever happens, what goes out is as if it were not."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from kit.loops import run
from till_sync.exceptions import CloudUnreachable, SyncError
from till_sync.push import FIRST_BATCH_OPS, RESEND_AGE_MS
from till_sync.transport import Reply
from till_sync.wire import Limits
from unit.sync.sync_bench import PushBench
from unit.sync.sync_fakes import Request, problem_reply, settle


class Line(PushBench):
    """One whose pushes are told by their first and last ops."""

    def sent(self) -> list[tuple[int, int]]:
        """First and last op of each push, in order."""
        return [(request.ops[0].seq, request.ops[-1].seq) for request in self.requests()]

    def before_answering(self, act: Callable[[], Awaitable[None]]) -> None:
        """Do that while the next push is under way."""

        async def answer(request: Request) -> Reply:
            await act()
            return self.cloud.answer(request)

        self.cloud.script.setdefault("ops", []).append(answer)


def test_what_follows_is_read_while_a_batch_is_under_way_and_goes_out_next() -> None:
    """It is there before the first answer, as large as a batch may be by then, and is read no second time."""

    async def work() -> None:
        line = Line(7 * FIRST_BATCH_OPS)
        await line.greet()

        async def look() -> None:
            await settle()
            assert line.outbox.read_ahead == [(1, FIRST_BATCH_OPS)]

        line.before_answering(look)
        while await line.step():
            pass
        n = FIRST_BATCH_OPS
        assert line.sent() == [(1, n), (n + 1, 3 * n), (3 * n + 1, 7 * n)]
        assert line.outbox.read_ahead == [(1, n), (1, 3 * n)], "nothing follows the last"

    run(work())


@pytest.mark.parametrize("failure", [CloudUnreachable("cut"), problem_reply(500, "broken"), problem_reply(503, "busy")])
def test_a_batch_that_failed_goes_out_before_what_follows_it(failure: Exception | Reply) -> None:
    async def work() -> None:
        line = Line(3 * FIRST_BATCH_OPS)
        await line.greet()
        line.cloud.script["ops"] = [failure]
        with pytest.raises(SyncError):
            await line.step()
        while await line.step():
            pass
        n = FIRST_BATCH_OPS
        assert line.sent() == [(1, n), (1, n), (n + 1, 3 * n)]
        assert line.outbox.acked == 3 * n

    run(work())


def test_what_was_read_behind_a_batch_that_is_halved_waits_for_its_second_half() -> None:
    """Two answers that did not come make a smaller batch, and what was read behind the whole one waits."""

    async def work() -> None:
        line = Line(2 * FIRST_BATCH_OPS)
        await line.greet()
        line.cloud.script["ops"] = [CloudUnreachable("slow", code="timeout")] * 2
        for _ in range(2):
            with pytest.raises(CloudUnreachable):
                await line.step()
        await line.step()
        n = FIRST_BATCH_OPS
        assert line.sent() == [(1, n), (1, n), (1, n // 2)]

    run(work())


@pytest.mark.parametrize("rest", [10, FIRST_BATCH_OPS])
def test_a_rest_that_fits_into_the_half_of_a_batch_waits_for_that_batch_too(rest: int) -> None:
    """What failed was given up, and what was read behind it is no larger than what goes out next: it has its turn when
    all before it was acknowledged."""

    async def work() -> None:
        n = FIRST_BATCH_OPS
        line = Line(n + rest)
        await line.greet()
        line.cloud.script["ops"] = [CloudUnreachable("slow", code="timeout")] * 2
        for _ in range(2):
            with pytest.raises(CloudUnreachable):
                await line.step()
            await settle()
        while await line.step():
            pass
        assert line.sent()[:3] == [(1, n), (1, n), (1, n // 2)]
        assert line.outbox.acked == n + rest

    run(work())


def test_an_error_in_reading_ahead_is_left_to_the_turn_of_those_ops() -> None:
    """The batch under way is acknowledged all the same."""

    async def work() -> None:
        line = Line(2 * FIRST_BATCH_OPS)
        await line.greet()
        line.outbox.fail_ahead.append(RuntimeError("a damaged row"))
        while await line.step():
            pass
        assert line.outbox.acked == 2 * FIRST_BATCH_OPS

    run(work())


def test_what_was_read_is_given_up_when_the_cloud_takes_less_has_changed_or_it_is_old() -> None:
    async def work() -> None:
        line = Line(3 * FIRST_BATCH_OPS)
        await line.greet()
        line.cloud.limits = Limits(max_ops=FIRST_BATCH_OPS)  # said with the first answer, when twice as many were read
        await line.step()
        await line.step()
        n = FIRST_BATCH_OPS
        assert line.sent() == [(1, n), (n + 1, 2 * n)]
        await line.clock.advance(RESEND_AGE_MS + 1)
        line.outbox.bodies[2 * n] = b'{"kind":"sale","uid":"as it is now"}'
        await line.step()
        assert b"as it is now" in line.cloud.pushes()[-1]

    run(work())


@pytest.mark.parametrize("reply", [None, CloudUnreachable("cut")], ids=["read ahead", "not answered"])
def test_what_was_read_of_a_journal_that_was_opened_again_is_read_anew(reply: Exception | None) -> None:
    """It may have been put aside, and what waits has other ids in the new one."""

    async def work() -> None:
        n = FIRST_BATCH_OPS
        line = Line(2 * n)
        await line.greet()
        await line.step()
        if reply is not None:
            line.cloud.script["ops"] = [reply]
            with pytest.raises(CloudUnreachable):
                await line.step()
        line.outbox.opened += 1
        line.outbox.bodies[n] = b'{"kind":"sale","uid":"of the new one"}'
        await line.step()
        assert line.sent()[-1] == (n + 1, 2 * n)
        assert b"of the new one" in line.cloud.pushes()[-1]

    run(work())


def test_nothing_is_read_ahead_while_an_operation_is_searched_for() -> None:
    """Halves are sent from the oldest op on, and what comes behind them depends on how they fare."""

    async def work() -> None:
        line = Line(2 * FIRST_BATCH_OPS)
        line.cloud.protocol = 3
        await line.greet()
        line.cloud.cant_take = {3: problem_reply(422, "strange")}
        with pytest.raises(SyncError) as met:
            await line.step()
        assert line.pusher.suspects(met.value)
        line.pusher.doubt(met.value)
        line.outbox.read_ahead.clear()
        with pytest.raises(SyncError):
            await line.step()
        assert line.outbox.read_ahead == []

    run(work())


def test_a_step_that_is_cut_off_leaves_no_reading_behind() -> None:
    """As at a stop: nothing of it runs on, and nobody is told of an error that nobody waited for."""

    async def work() -> None:
        line = Line(3 * FIRST_BATCH_OPS)
        await line.greet()
        never = asyncio.Event()

        async def hang() -> None:
            await never.wait()

        line.before_answering(hang)
        step = asyncio.ensure_future(line.step())
        await settle()
        step.cancel()
        await asyncio.gather(step, return_exceptions=True)
        await settle()
        assert [task for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []

    run(work())
