"""The op that the cloud can't take is found by halves and parked; its neighbours go through, and the line goes on."""

from math import log2

import msgspec
import pytest

from till_sync.ops import OpId, fingerprint
from till_sync.parking import FAILURES_BEFORE_SEARCH, PARKED_IN_A_ROW
from till_sync.retry import HALT_PROBE_MS
from till_sync.transport import Reply
from till_sync.wire import OpResult, PushRequest
from unit.sync.sync_bench import Bench
from unit.sync.sync_fakes import SALT, TILL, json_reply, problem_reply, settle

WAITS_MS = (60_000, 240_000)
"""Three tries over five minutes, for the tests' own time; `test_flapping_backend` has those of the product."""

FIVE_MINUTES_MS = sum(WAITS_MS)
STEP_MS = 10_000

REFUSALS = {
    "413 alone": problem_reply(413, "batch_too_large"),
    "413 of a proxy": Reply(413, {}, b"<html>too large</html>"),
    "400": problem_reply(400, "body_malformed"),
    "422": problem_reply(422, "body_invalid"),
    "500 with our problem": problem_reply(500, "internal_error"),
    "500 of somebody": Reply(500, {}, b"oops"),
}


def bench_of(count: int, refusal: Reply, *culprits: int, protocol: int = 3) -> Bench:
    """A till with `count` waiting ops, and a cloud that can't take some of them."""
    bench = Bench(count, spread_ms=0, park_waits_ms=WAITS_MS)
    bench.cloud.protocol = protocol
    bench.cloud.cant_take = dict.fromkeys(culprits, refusal)
    return bench


async def pass_time(bench: Bench, ms: int) -> None:
    await bench.clock.advance(ms)


def sent(bench: Bench) -> list[PushRequest]:
    return [msgspec.json.decode(body, type=PushRequest) for body in bench.cloud.pushes()]


@pytest.mark.parametrize("name", REFUSALS)
@pytest.mark.parametrize("culprit", [1, 37, 64])
def test_the_one_op_is_parked_and_all_others_go_through(name: str, culprit: int) -> None:
    """Whatever the cloud says to it and wherever it stands: 63 ops are applied, one is parked, within minutes."""
    bench = bench_of(64, REFUSALS[name], culprit)

    async def case(bench: Bench) -> None:
        await pass_time(bench, FIVE_MINUTES_MS + 60_000)
        assert bench.outbox.acked == 64
        assert list(bench.cloud.parked) == [culprit]
        verdicts = {seq: (verdict.status, verdict.code) for seq, verdict in bench.outbox.verdicts.items()}
        assert verdicts.pop(culprit) == ("rejected", "parked")
        assert set(verdicts.values()) == {("applied", "")}
        assert (bench.status.parked, bench.status.rejected, bench.status.halted) == (1, 1, "")

    bench.run(case)


def test_the_parked_op_keeps_its_fingerprint_and_the_chain_its_hashes() -> None:
    """What goes out in its place tells uid, kind, size and reason, and nothing else of it."""
    bench = bench_of(5, REFUSALS["422"], 3)

    async def case(bench: Bench) -> None:
        await pass_time(bench, FIVE_MINUTES_MS + 60_000)
        request = next(request for request in sent(bench) if any(op.parked for op in request.ops))
        body = bench.outbox.bodies[2]
        assert len(request.ops) == 1
        assert request.protocol == 3
        assert request.ops[0].fingerprint == fingerprint(OpId(TILL, 1, 3), SALT, body)
        assert (request.prev_hash, request.head_hash) == ("h2", "h3")
        stands = bench.cloud.parked[3]
        assert (stands.uid, stands.op_kind, stands.size_bytes) == ("s3", "sale", len(body))
        assert stands.reason == "body_invalid"

    bench.run(case)


@pytest.mark.parametrize("culprit", [1, 500, 1000])
def test_the_search_takes_as_many_requests_as_halvings(culprit: int) -> None:
    """A thousand ops: ten halvings, a few tries, three by itself with a control push each, and no request more."""
    bench = bench_of(0, REFUSALS["500 with our problem"], culprit)
    bench.worker._pusher._ops._set(1000)

    async def case(bench: Bench) -> None:
        bench.outbox.add(1000)
        bench.worker.nudge()
        await pass_time(bench, FIVE_MINUTES_MS + 120_000)
        assert bench.outbox.acked == 1000
        requests = sent(bench)
        whole = FAILURES_BEFORE_SEARCH
        alone = 2 * (len(WAITS_MS) + 1)  # and a control push after each
        parked = 1
        # What lies behind it goes in batches that grow anew from one.
        behind = [request for request in requests if request.first_seq > culprit]
        assert len(requests) - len(behind) <= whole + log2(1024) + alone + parked
        assert len(behind) <= 2 * log2(1024)

    bench.run(case)


def test_it_is_tried_three_times_with_growing_waits() -> None:
    """Not parked before five minutes have passed, however often somebody asks."""
    bench = bench_of(1, REFUSALS["400"], 1)

    async def case(bench: Bench) -> None:
        assert bench.status.halted == "body_malformed"
        for _ in range(10):
            await bench.worker.sync_now()
            await bench.clock.advance(1_000)
        assert not bench.cloud.parked
        await pass_time(bench, FIVE_MINUTES_MS - 10_000)
        assert not bench.cloud.parked
        await pass_time(bench, 20_000)
        assert list(bench.cloud.parked) == [1]
        assert bench.status.halted == ""

    bench.run(case)


def test_an_op_that_is_taken_at_last_is_not_parked() -> None:
    """The cloud was mended within the five minutes: the op has its place in the ledger."""
    bench = bench_of(9, REFUSALS["500 of somebody"], 4)

    async def case(bench: Bench) -> None:
        await pass_time(bench, FIVE_MINUTES_MS - 30_000)
        assert bench.outbox.acked == 3
        bench.cloud.cant_take.clear()
        await pass_time(bench, 60_000)
        assert (bench.outbox.acked, bench.cloud.parked) == (9, {})

    bench.run(case)


def test_nothing_is_parked_while_the_cloud_itself_is_unwell() -> None:
    """Its hello fails as well: that is an outage, and for an hour nothing is laid to the ops."""
    bench = bench_of(20, REFUSALS["500 with our problem"])
    bench.cloud.unwell = REFUSALS["500 with our problem"]

    async def case(bench: Bench) -> None:
        await pass_time(bench, 3_600_000)
        assert (bench.outbox.acked, bench.cloud.parked) == (0, {})
        bench.cloud.unwell = None
        await pass_time(bench, 60_000)
        assert (bench.outbox.acked, bench.cloud.parked) == (20, {})

    bench.run(case)


def test_a_cloud_that_falls_ill_at_the_last_try_parks_nothing() -> None:
    """The last refusal counts only if a hello right after it is answered well."""
    bench = bench_of(1, REFUSALS["500 with our problem"], 1)

    async def case(bench: Bench) -> None:
        await pass_time(bench, FIVE_MINUTES_MS - STEP_MS)
        assert bench.names().count("ops") >= 2
        bench.cloud.script["hello"] = [json_reply(bench.cloud.hello()), *[REFUSALS["500 with our problem"]] * 100]
        before = bench.names().count("ops")
        while bench.names().count("ops") == before:
            await bench.clock.advance(1_000)
        await pass_time(bench, 60_000)
        assert not bench.cloud.parked
        bench.cloud.script.clear()
        await pass_time(bench, 120_000)
        assert list(bench.cloud.parked) == [1]

    bench.run(case)


@pytest.mark.parametrize("name", ["413 alone", "400", "500 with our problem"])
def test_a_former_cloud_is_sent_no_parked_op(name: str) -> None:
    """It would take it for other bytes. The line waits as it did."""
    bench = bench_of(8, REFUSALS[name], 5, protocol=2)

    async def case(bench: Bench) -> None:
        await pass_time(bench, 3_600_000)
        assert not bench.cloud.parked
        assert bench.outbox.acked < 5
        assert not any(op.parked for request in sent(bench) for op in request.ops)

    bench.run(case)


@pytest.mark.parametrize("code", ["digest_mismatch", "encoding_broken"])
def test_what_was_spoilt_on_the_way_is_no_op_s_fault(code: str) -> None:
    """Neither is anything searched for: the push waits and goes on when the way is mended."""
    bench = bench_of(4, problem_reply(400, code), 2)

    async def case(bench: Bench) -> None:
        await pass_time(bench, 3_600_000)
        assert (bench.cloud.parked, bench.outbox.acked) == ({}, 0)
        bench.cloud.cant_take.clear()
        await pass_time(bench, 2 * HALT_PROBE_MS)
        assert bench.outbox.acked == 4

    bench.run(case)


def test_where_all_ops_are_refused_a_few_are_parked_and_the_rest_wait() -> None:
    """It is not the ops then. The line halts, as for anything that a person has to mend, and goes on afterwards."""
    bench = bench_of(10, REFUSALS["422"], *range(1, 11))

    async def case(bench: Bench) -> None:
        await pass_time(bench, 3_600_000)
        assert len(bench.cloud.parked) == PARKED_IN_A_ROW
        assert bench.status.halted == "body_invalid"
        bench.cloud.cant_take.clear()
        await pass_time(bench, 2 * HALT_PROBE_MS)
        assert (bench.outbox.acked, len(bench.cloud.parked)) == (10, PARKED_IN_A_ROW)
        assert bench.status.halted == ""

    bench.run(case)


def test_a_cloud_that_cant_even_take_the_word_for_it_halts_the_push() -> None:
    """The stand-in is refused too: nothing is lost, pulls go on, and a person has to look."""
    bench = bench_of(2, REFUSALS["422"], 1)

    async def case(bench: Bench) -> None:
        take = bench.cloud._take
        bench.cloud._take = lambda request: REFUSALS["422"] if any(op.parked for op in request.ops) else take(request)
        await pass_time(bench, 3_600_000)
        assert (bench.outbox.acked, bench.status.halted) == (0, "body_invalid")
        assert bench.names().count("changes") > 300

    bench.run(case)


def test_two_culprits_are_each_found() -> None:
    """Far apart or side by side."""
    bench = bench_of(40, REFUSALS["500 with our problem"], 7, 8, 31)

    async def case(bench: Bench) -> None:
        await pass_time(bench, 4 * FIVE_MINUTES_MS)
        assert bench.outbox.acked == 40
        assert sorted(bench.cloud.parked) == [7, 8, 31]

    bench.run(case)


@pytest.mark.parametrize("minutes", [0, 2, 5, 6])
def test_a_restart_in_the_middle_finds_it_again(minutes: int) -> None:
    """Nothing of the search is stored: the next run of the agent begins it anew and comes to the same end."""
    first = bench_of(30, REFUSALS["413 of a proxy"], 11)

    async def cut(bench: Bench) -> None:
        await pass_time(bench, minutes * 60_000)

    first.run(cut)
    second = bench_of(0, REFUSALS["413 of a proxy"], 11)
    second.worker._pusher._outbox = second.worker._rounds._outbox = second.outbox = first.outbox
    second.cloud.epoch, second.cloud.acked = first.cloud.epoch, first.cloud.acked
    second.cloud.fingerprints, second.cloud.statuses = first.cloud.fingerprints, first.cloud.statuses
    second.cloud.parked = first.cloud.parked

    async def again(bench: Bench) -> None:
        bench.outbox._clock = bench.clock
        await pass_time(bench, FIVE_MINUTES_MS + 60_000)
        await settle()
        assert bench.outbox.acked == 30
        assert list(bench.cloud.parked) == [11]
        assert bench.outbox.verdicts[11].code == "parked"

    second.run(again)


def test_an_answer_that_was_lost_after_parking_ends_in_the_same_verdict() -> None:
    """The cloud holds the op as parked; sent with its bytes once more, they are the bytes of that fingerprint."""
    bench = bench_of(6, REFUSALS["413 alone"], 2)

    async def case(bench: Bench) -> None:
        record = bench.outbox.record
        failed: list[int] = []

        async def fails_once(epoch: int, acked_seq: int, results: tuple[OpResult, ...]) -> None:
            if results[0].code == "parked" and not failed:
                failed.append(results[0].seq)
                raise OSError("the answer was not stored")
            await record(epoch, acked_seq, results)

        bench.outbox.record = fails_once
        await pass_time(bench, 3 * FIVE_MINUTES_MS)
        assert failed == [2]
        assert bench.outbox.acked == 6
        assert list(bench.cloud.parked) == [2]
        assert bench.outbox.verdicts[2].code == "parked"

    bench.run(case)
