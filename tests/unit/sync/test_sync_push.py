"""The pusher: batches in sequence, and verdicts from nothing but the answer to that very batch."""

from typing import Any

import msgspec
import pytest

from kit.loops import run
from till_sync.exceptions import (
    AnswerMismatch,
    CloudBusy,
    CloudRefused,
    CloudUnreachable,
    HistoryConflict,
    IdentityRefused,
    IncarnationChanged,
    NotOurCloud,
    OpTooLarge,
    SequenceGap,
    SyncError,
    UpgradeNeeded,
)
from till_sync.ops import OpId, fingerprint
from till_sync.push import FIRST_BATCH_OPS, RESEND_AGE_MS
from till_sync.transport import Reply
from till_sync.wire import Limits, OpResult, PushAnswer, PushRequest
from unit.sync.sync_bench import PushBench
from unit.sync.sync_fakes import SALT, TILL, Request, json_reply, problem_reply


def answer_for(bench: PushBench, first: int, last: int, **changed: Any) -> Reply:
    """A well-formed answer, honest but for what the test changes."""
    fields: dict[str, Any] = {
        "incarnation": bench.cloud.incarnation,
        "acked_seq": last,
        "results": tuple(OpResult(seq=seq, status="applied") for seq in range(first, last + 1)),
        "server_time_ms": bench.clock.wall,
    }
    return json_reply(PushAnswer(**{**fields, **changed}))


def test_every_op_goes_out_once_in_sequence_and_as_stored() -> None:
    """Bodies are sent byte for byte, without a gap, and each gets its verdict."""
    bench = PushBench(1_234)
    run(bench.drain())
    sent = [op for request in bench.requests() for op in request.ops]
    assert [op.seq for op in sent] == list(range(1, 1_235))
    assert [bytes(op.body) for op in sent] == bench.outbox.bodies
    for op in sent:
        assert op.fingerprint == fingerprint(OpId(TILL, 1, op.seq), SALT, bytes(op.body))
    assert bench.outbox.acked == 1_234
    assert set(bench.outbox.verdicts) == set(range(1, 1_235))
    assert (bench.pusher.counts.pushed, bench.pusher.counts.resent) == (1_234, 0)


def test_an_empty_outbox_asks_nothing() -> None:
    """With nothing waiting there is no request."""
    bench = PushBench()
    run(bench.drain())
    assert bench.cloud.pushes() == []


def test_verdicts_are_counted_by_kind() -> None:
    """Adjusted and rejected ops are counted, and the line moves on past them."""
    bench = PushBench(10)
    bench.cloud.statuses = {3: "adjusted", 4: "rejected", 5: "rejected"}
    run(bench.drain())
    counts = bench.pusher.counts
    assert (counts.pushed, counts.adjusted, counts.rejected) == (10, 1, 2)
    assert bench.outbox.verdicts[4].status == "rejected"


LOST = [
    CloudUnreachable("cut"),
    CloudUnreachable("slow", code="timeout"),
    Reply(200, {"content-type": "text/html"}, b"<html>Log in to the hotel's network</html>"),
    Reply(200, {"content-type": "application/json"}, b"<html>Log in</html>"),
    Reply(200, {}, b"{}"),
    Reply(200, {"content-type": "application/json"}, b""),
    Reply(200, {"content-type": "application/json"}, b"{}"),
    Reply(200, {"content-type": "application/json"}, b'{"status":"ok"}'),
    Reply(200, {"content-type": "application/json"}, b"[" * 100_000),
    Reply(200, {"content-type": "application/json"}, b'{"acked_seq":' + b"9" * 5_000 + b"}"),
    Reply(200, {"content-type": "application/json"}, b'{"incarnation":"\xff"}'),
    Reply(202, {"content-type": "application/json"}, b"{}"),
    Reply(204, {}, b""),
    Reply(302, {"location": "http://portal/"}, b""),
    Reply(401, {"content-type": "text/html"}, b"log in"),
    Reply(409, {"content-type": "application/json"}, b'{"code":"seq_gap","status":409,"expected_seq":99}'),
    Reply(500, {}, b""),
    Reply(511, {"content-type": "text/html"}, b"portal"),
    problem_reply(503, "overloaded"),
]


@pytest.mark.parametrize("reply", LOST, ids=range(len(LOST)))
def test_nothing_but_a_well_formed_answer_acknowledges(reply: Reply | Exception) -> None:
    """A portal's page, half an answer, a proxy's error: no verdict, and the same bytes go out again."""
    bench = PushBench(5)

    async def case() -> None:
        await bench.greet()
        bench.cloud.script["ops"] = [reply]
        with pytest.raises(SyncError) as caught:
            await bench.step()
        assert caught.value.retryable
        assert bench.outbox.recorded == []
        assert bench.outbox.acked == 0
        await bench.step()

    run(case())
    first, second = bench.cloud.pushes()
    assert first == second
    assert bench.outbox.acked == 5
    assert bench.pusher.counts.resent == 5


@pytest.mark.parametrize(
    "changed",
    [
        {"acked_seq": 4},
        {"acked_seq": 0},
        {"acked_seq": 6},
        {"acked_seq": 2**53},
        {"results": ()},
        {"results": tuple(OpResult(seq=seq, status="applied") for seq in (1, 2, 3, 4))},
        {"results": tuple(OpResult(seq=seq, status="applied") for seq in (1, 2, 3, 4, 5, 6))},
        {"results": tuple(OpResult(seq=seq, status="applied") for seq in (1, 2, 3, 4, 4))},
        {"results": tuple(OpResult(seq=seq, status="applied") for seq in (2, 1, 3, 4, 5))},
        {"results": tuple(OpResult(seq=seq, status="applied") for seq in (6, 7, 8, 9, 10))},
        {"head_hash": "of another batch"},
    ],
)
def test_an_answer_to_another_batch_records_nothing(changed: dict[str, Any]) -> None:
    """Verdicts missing, extra, doubled, in another order, of other ops; acknowledged too little or too much."""
    bench = PushBench(5)

    async def case() -> None:
        await bench.greet()
        bench.cloud.script["ops"] = [answer_for(bench, 1, 5, **changed)]
        with pytest.raises(AnswerMismatch):
            await bench.step()
        assert bench.outbox.recorded == []

    run(case())


def test_an_answer_of_another_incarnation_records_nothing() -> None:
    """A cloud restored from a backup is greeted before anything it says is believed."""
    bench = PushBench(5)

    async def case() -> None:
        await bench.greet()
        bench.cloud.script["ops"] = [answer_for(bench, 1, 5, incarnation="inc-2")]
        with pytest.raises(IncarnationChanged):
            await bench.step()

    run(case())
    assert bench.outbox.recorded == []


def test_a_lost_answer_is_made_good_by_sending_again() -> None:
    """The batch was applied and its answer lost: the second says duplicate, and what the first verdict was."""
    bench = PushBench(7)
    bench.cloud.statuses = {4: "adjusted", 5: "rejected"}

    async def lose(request: Request) -> Reply:
        bench.cloud.answer(request)
        raise CloudUnreachable("cut after the commit")

    async def case() -> None:
        await bench.greet()
        bench.cloud.script["ops"] = [lose]
        with pytest.raises(CloudUnreachable):
            await bench.step()
        await bench.step()

    run(case())
    assert bench.outbox.acked == 7
    assert {result.status for result in bench.outbox.verdicts.values()} == {"duplicate"}
    assert bench.pusher.counts.duplicate == 7
    assert bench.outbox.verdicts[4].first == "adjusted"
    assert (bench.pusher.counts.adjusted, bench.pusher.counts.rejected) == (1, 1)


def test_a_cloud_that_holds_more_than_the_batch_is_believed_for_the_batch_only() -> None:
    """After a lost answer and a restart the cloud may hold later ops too; only the batch's own are recorded."""
    bench = PushBench(50)
    bench.outbox.bodies = bench.outbox.bodies[:20]

    async def case() -> None:
        await bench.greet()
        await bench.step()
        bench.outbox.acked = 5
        bench.outbox.bodies = bench.outbox.bodies[:10]
        await bench.step()

    run(case())
    assert [(first[0], first[1]) for first in bench.outbox.recorded] == [(1, 20), (1, 10)]


def test_an_answer_that_could_not_be_stored_is_asked_for_again() -> None:
    """The disk refuses the verdicts: the batch stays unacknowledged and the same bytes go out again."""
    bench = PushBench(5)

    async def case() -> None:
        await bench.greet()
        bench.outbox.fail_record = [OSError("disk full")]
        with pytest.raises(OSError, match="disk full"):
            await bench.step()
        bench.outbox.add(2)
        await bench.step()

    run(case())
    first, second = bench.cloud.pushes()
    assert first == second
    assert bench.outbox.acked == 5
    assert bench.pusher.counts.pushed == 5


def test_a_retry_carries_identical_bytes_even_when_more_ops_have_come() -> None:
    """A batch under way is not rebuilt with what was sold meanwhile, nor with a later time."""
    bench = PushBench(3)

    async def case() -> None:
        await bench.greet()
        bench.cloud.script["ops"] = [CloudUnreachable("cut"), CloudBusy("busy")]
        for _ in range(2):
            with pytest.raises(SyncError):
                await bench.step()
            bench.outbox.add(10)
            await bench.clock.advance(5_000)
        await bench.step()

    run(case())
    assert len(set(bench.cloud.pushes())) == 1
    assert bench.outbox.acked == 3


def test_an_old_batch_is_made_anew_with_the_same_ops_first() -> None:
    """After a minute the times in the envelope are renewed; the ops keep their order, ids and bytes."""
    bench = PushBench(3)

    async def case() -> None:
        await bench.greet()
        bench.cloud.script["ops"] = [CloudUnreachable("cut")]
        with pytest.raises(CloudUnreachable):
            await bench.step()
        bench.outbox.add(1)
        await bench.clock.advance(RESEND_AGE_MS + 1)
        await bench.step()

    run(case())
    first, second = bench.requests()
    assert second.sent_mono_ms > first.sent_mono_ms
    assert second.ops[:3] == first.ops
    assert bench.pusher.counts.resent == 3


def test_batches_grow_while_the_cloud_is_quick() -> None:
    """From a hundred they double up to what the cloud takes."""
    bench = PushBench(5_000)
    bench.cloud.limits = Limits(max_ops=1_000)
    run(bench.drain())
    sizes = [len(request.ops) for request in bench.requests()]
    assert sizes[:5] == [FIRST_BATCH_OPS, 200, 400, 800, 1_000]
    assert max(sizes) == 1_000


def test_batches_shrink_while_the_cloud_is_slow() -> None:
    """An exchange that takes seconds halves the next batch."""
    bench = PushBench(400)
    bench.cloud.latency_ms = 3_000

    async def step() -> None:
        import asyncio

        task = asyncio.ensure_future(bench.step())
        while not task.done():
            await bench.clock.advance(1_000)
        await task

    async def case() -> None:
        bench.cloud.latency_ms = 0
        await bench.greet()
        bench.cloud.latency_ms = 3_000
        for _ in range(3):
            await step()

    run(case())
    assert [len(request.ops) for request in bench.requests()] == [100, 50, 25]


def test_a_batch_that_runs_out_of_time_is_sent_once_more_and_then_split() -> None:
    """A line too slow for a hundred ops gets them in smaller pieces instead of the same ones for ever."""
    bench = PushBench(100)
    slow = CloudUnreachable("slow", code="timeout")

    async def case() -> None:
        await bench.greet()
        bench.cloud.script["ops"] = [slow, slow, slow, slow]
        for _ in range(4):
            with pytest.raises(CloudUnreachable):
                await bench.step()
        await bench.step()

    run(case())
    assert [len(request.ops) for request in bench.requests()] == [100, 100, 50, 50, 25]


@pytest.mark.parametrize("by_proxy", [False, True])
def test_413_halves_the_batch_until_it_fits(*, by_proxy: bool) -> None:
    """The cloud, or a proxy before it, takes less than it says: the batch is halved, and stays so."""
    bench = PushBench(300)

    async def choosy(request: Request) -> Reply:
        if len(msgspec.json.decode(request.body, type=PushRequest).ops) > 30:
            return Reply(413, {}, b"nginx") if by_proxy else problem_reply(413, "batch_too_large")
        return bench.cloud.answer(request)

    bench.cloud.script["ops"] = [choosy] * 100
    run(bench.drain())
    sizes = [len(request.ops) for request in bench.requests()]
    assert sizes[:3] == [100, 50, 25]
    assert all(size <= 25 for size in sizes[3:])
    assert bench.outbox.acked == 300


def test_an_op_too_large_alone_is_an_error_and_not_a_loop() -> None:
    """One op that is refused for its size is named; nothing is recorded and nothing sent again by itself."""
    bench = PushBench(1)

    async def case() -> None:
        await bench.greet()
        bench.cloud.script["ops"] = [problem_reply(413, "body_too_large")] * 3
        with pytest.raises(OpTooLarge, match="operation 1 takes") as caught:
            await bench.step()
        assert not caught.value.retryable

    run(case())
    assert len(bench.cloud.pushes()) == 1
    assert bench.outbox.recorded == []


REFUSALS = [
    (problem_reply(409, "stale_epoch"), HistoryConflict, "stale_epoch"),
    (problem_reply(409, "salt_mismatch"), HistoryConflict, "salt_mismatch"),
    (problem_reply(409, "chain_mismatch"), HistoryConflict, "chain_mismatch"),
    (problem_reply(422, "fingerprint_mismatch"), HistoryConflict, "fingerprint_mismatch"),
    (problem_reply(401, "token_invalid"), IdentityRefused, "token_invalid"),
    (problem_reply(403, "till_revoked"), IdentityRefused, "till_revoked"),
    (problem_reply(426, "upgrade"), UpgradeNeeded, "upgrade"),
    (problem_reply(404, "not_found"), CloudRefused, "not_found"),
    (problem_reply(422, "body_invalid"), CloudRefused, "body_invalid"),
]


@pytest.mark.parametrize(("reply", "kind", "code"), REFUSALS, ids=[code for _, _, code in REFUSALS])
def test_refusals_that_a_person_must_mend_are_not_retryable(reply: Reply, kind: type[SyncError], code: str) -> None:
    """Each conflict keeps the cloud's code, and nothing is recorded."""
    bench = PushBench(5)

    async def case() -> None:
        await bench.greet()
        bench.cloud.script["ops"] = [reply]
        with pytest.raises(kind) as caught:
            await bench.step()
        assert (caught.value.code, caught.value.retryable) == (code, False)

    run(case())
    assert bench.outbox.recorded == []


def test_a_gap_names_where_the_cloud_stands() -> None:
    """409 seq_gap carries the sequence to go on with."""
    bench = PushBench(5)

    async def case() -> None:
        await bench.greet()
        bench.cloud.script["ops"] = [problem_reply(409, "seq_gap", expected_seq=3)]
        with pytest.raises(SequenceGap) as caught:
            await bench.step()
        assert (caught.value.expected_seq, caught.value.retryable) == (3, True)

    run(case())


@pytest.mark.parametrize("expected", [None, "3", 0, -1, True, 1.5])
def test_a_gap_that_does_not_say_where_is_not_ours(expected: object) -> None:
    """A seq_gap without a usable `expected_seq` is no answer of our protocol."""
    bench = PushBench(5)

    async def case() -> None:
        await bench.greet()
        bench.cloud.script["ops"] = [problem_reply(409, "seq_gap", expected_seq=expected)]
        with pytest.raises(NotOurCloud):
            await bench.step()

    run(case())


@pytest.mark.parametrize("order", [[1, 3, 2], [1, 2, 4], [1, 1, 2], [2, 3, 4], []])
def test_a_batch_out_of_order_never_leaves(order: list[int]) -> None:
    """Should the outbox ever hand out ops with a gap or in another order, nothing is sent."""
    bench = PushBench(4)

    def mangle(request: PushRequest) -> PushRequest:
        by_seq = {op.seq: op for op in request.ops}
        return msgspec.structs.replace(request, ops=tuple(by_seq[seq] for seq in order))

    async def case() -> None:
        await bench.greet()
        bench.outbox.mangle = mangle
        with pytest.raises(HistoryConflict) as caught:
            await bench.step()
        assert caught.value.code == "outbox_out_of_order"

    run(case())
    assert bench.cloud.pushes() == []


def test_the_cloud_s_wait_between_batches_is_handed_on() -> None:
    """`retry_after_ms` of a good answer is when the next batch may come."""
    bench = PushBench(1)
    bench.cloud.retry_after_ms = 1_500

    async def case() -> int:
        await bench.greet()
        return (await bench.pusher.step(bench.cloud.incarnation)).wait_ms

    assert run(case()) == 1_500


def test_a_restored_cloud_gets_again_what_it_lost() -> None:
    """The cloud comes back from an older backup as another incarnation: hello tells, and the rest is sent again."""
    bench = PushBench(40)

    async def case() -> None:
        await bench.drain()
        bench.cloud.incarnation, bench.cloud.acked = "inc-2", 25
        bench.cloud.fingerprints = {key: kept for key, kept in bench.cloud.fingerprints.items() if key[1] <= 25}
        bench.outbox.add(5)
        with pytest.raises(SequenceGap) as caught:
            await bench.pusher.step("inc-1")
        assert caught.value.expected_seq == 26
        await bench.drain()

    run(case())
    assert bench.outbox.acked == bench.cloud.acked == 45
    assert all(bench.outbox.verdicts[seq].status == "applied" for seq in range(1, 46))
