"""The whole worker through seeded bad hours in simulated time: what the journal believes is what the cloud holds."""

import asyncio
from random import Random

import msgspec
import pytest

from till_sync.exceptions import CloudUnreachable
from till_sync.transport import Reply
from till_sync.wire import OpResult, PushRequest
from unit.sync.sync_bench import Bench
from unit.sync.sync_fakes import FakeCloud, Request, problem_reply, settle

SEEDS = 60


class HostileLine:
    """Stands before the fake cloud: loses questions or answers, answers in its place, delays, repeats, cuts."""

    def __init__(self, cloud: FakeCloud, random: Random) -> None:
        self._cloud = cloud
        self._random = random
        self.hostile = True
        self._honest = cloud.exchange
        cloud.exchange = self.exchange  # type: ignore[method-assign]  # the line is put between

    async def exchange(self, method: str, path: str, **rest: object) -> Reply:
        if not self.hostile:
            return await self._honest(method, path, **rest)  # type: ignore[arg-type]  # handed on as it came
        fault = self._random.choice(
            ["none", "none", "drop", "lose", "twice", "portal", "503", "slow", "mangle", "html"]
        )
        if fault == "drop":
            raise CloudUnreachable("lost on the way")
        if fault == "portal":
            return Reply(200, {"content-type": "application/json"}, b'{"acked_seq":1000000,"results":[]}')
        if fault == "html":
            return Reply(200, {"content-type": "text/html"}, b"<html>")
        if fault == "503":
            return problem_reply(503, "busy", retry_after_ms=self._random.randrange(5_000))
        if fault == "slow":
            await asyncio.Event().wait()
        reply = await self._honest(method, path, **rest)  # type: ignore[arg-type]  # handed on as it came
        if fault == "twice":
            reply = await self._honest(method, path, **rest)  # type: ignore[arg-type]  # handed on as it came
        if fault == "lose":
            raise CloudUnreachable("the answer was lost")
        return Reply(reply.status, reply.headers, reply.body[:-3]) if fault == "mangle" else reply


class WatchedOutbox:
    """Fails the test at once when a verdict is recorded that the cloud never gave, or ops are skipped."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._record = bench.outbox.record
        bench.outbox.record = self.record  # type: ignore[method-assign]  # watched by this test

    async def record(self, epoch: int, acked_seq: int, results: tuple[OpResult, ...]) -> None:
        cloud = self._bench.cloud
        assert acked_seq <= cloud.acked
        assert [result.seq for result in results][-1] == acked_seq
        assert results[0].seq <= self._bench.outbox.acked + 1
        assert all((epoch, result.seq) in cloud.fingerprints for result in results)
        await self._record(epoch, acked_seq, results)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_after_bad_hours_both_ends_agree(seed: int) -> None:
    """Sales go on meanwhile; when the faults stop, everything drains with nobody's help, each op once and in order."""
    random = Random(seed)
    bench = Bench(0, share=0.5, spread_ms=10_000)
    line = HostileLine(bench.cloud, random)
    WatchedOutbox(bench)

    async def case(bench: Bench) -> None:
        for _ in range(60):
            for _ in range(random.randrange(6)):
                bench.outbox.add(1)
                bench.worker.nudge()
            await bench.clock.advance(random.randrange(30_000))
        assert bench.status.unexpected == 0
        line.hostile = False
        await bench.clock.advance(120_000)
        await settle()
        assert bench.status.online
        assert (bench.status.halted, bench.status.last_error) == ("", "")
        assert bench.outbox.acked == bench.cloud.acked == len(bench.outbox.bodies)
        assert bench.sink.pages[-1].acked_seq == bench.cloud.acked

    bench.run(case)
    for body in bench.cloud.pushes():
        request = msgspec.json.decode(body, type=PushRequest)
        sent = [op.seq for op in request.ops]
        assert sent == list(range(sent[0], sent[0] + len(sent)))
        assert [bytes(op.body) for op in request.ops] == bench.outbox.bodies[sent[0] - 1 : sent[-1]]


def test_an_outage_of_a_month_costs_few_requests_and_ends_by_itself() -> None:
    """Thirty days without a line: a few probes a minute at most, no growth, and then everything arrives."""
    bench = Bench(10, share=0.9)
    bench.cloud.down = True

    async def case(bench: Bench) -> None:
        hours = 30 * 24
        for _ in range(hours):
            bench.clock.mono += 3_600_000 - 60_000
            await bench.clock.advance(60_000)
        asked = len(bench.cloud.requests)
        assert asked <= hours * 6
        assert {type(request) for request in bench.cloud.requests} == {Request}
        bench.cloud.down = False
        await bench.clock.advance(200_000)
        assert bench.outbox.acked == 10

    bench.run(case)
