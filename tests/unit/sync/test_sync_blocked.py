"""Something on the way refuses a push for what is in it, while the cloud is well: a firewall that dislikes a word.

Nothing is lost and nothing is parked, for a person can mend it; what else there is to push and to pull goes on.
"""

import msgspec
import pytest

from till_sync.parking import BLOCKED_TRIES, BLOCKED_WAIT_MS
from till_sync.retry import HALT_PROBE_MS
from till_sync.transport import Reply
from till_sync.wire import PushRequest
from unit.sync.sync_bench import Bench
from unit.sync.sync_fakes import Request, problem_reply, settle

STEP_MS = 10_000
WAITS_MS = (60_000, 240_000)

BLOCKED = {
    "403": Reply(403, {"content-type": "text/html"}, b"<html>Request blocked</html>"),
    "406": Reply(406, {"content-type": "text/html"}, b"<html>Not Acceptable!</html>"),
    "422": Reply(422, {"content-type": "text/html"}, b"<html>no</html>"),
    "400": Reply(400, {"content-type": "text/html"}, b"<html>Bad Request</html>"),
    "200 and a page": Reply(200, {"content-type": "text/html"}, b"<html>The request was rejected. Support id</html>"),
}


def bench_of(count: int, protocol: int = 3) -> Bench:
    bench = Bench(count, spread_ms=0, park_waits_ms=WAITS_MS)
    bench.cloud.protocol = protocol
    return bench


async def pass_time(bench: Bench, ms: int) -> None:
    for _ in range(ms // STEP_MS):
        await bench.clock.advance(STEP_MS)
        await settle()


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("name", BLOCKED)
def test_one_blocked_op_lets_those_before_it_through_and_stops_no_pull(name: str, protocol: int) -> None:
    """It is named, nothing is parked, and when the firewall is mended everything goes through."""
    bench = bench_of(64, protocol)
    bench.cloud.cant_take = {37: BLOCKED[name]}

    async def case(bench: Bench) -> None:
        await pass_time(bench, BLOCKED_TRIES * BLOCKED_WAIT_MS + 240_000)
        assert (bench.outbox.acked, bench.cloud.parked) == (36, {})
        assert (bench.status.halted, bench.status.online) == ("push_blocked", True)
        assert "operation 37" in bench.status.last_error
        pulls = bench.names().count("changes")
        await pass_time(bench, 60_000)
        assert bench.names().count("changes") - pulls > 20
        bench.cloud.cant_take.clear()
        await pass_time(bench, 2 * HALT_PROBE_MS)
        assert (bench.outbox.acked, bench.cloud.parked) == (64, {})
        assert bench.status.halted == ""

    bench.run(case)


def test_a_firewall_that_blocks_long_bodies_gets_short_ones() -> None:
    """Some look at 8 KB and refuse what is longer: batches shrink until they pass, and no op waits for a person."""
    bench = bench_of(200)
    honest = bench.cloud.answer

    def answer(request: Request) -> Reply:
        if request.path.endswith("/ops") and len(msgspec.json.decode(request.body, type=PushRequest).ops) > 7:
            return BLOCKED["403"]
        return honest(request)

    bench.cloud.answer = answer  # type: ignore[method-assign]  # a firewall stands before this cloud

    async def case(bench: Bench) -> None:
        await pass_time(bench, 300_000)
        assert (bench.outbox.acked, bench.cloud.parked) == (200, {})

    bench.run(case)


def test_a_firewall_that_blocks_every_push_halts_it_and_nothing_else() -> None:
    bench = bench_of(20)
    honest = bench.cloud.answer
    bench.cloud.answer = lambda request: BLOCKED["403"] if request.path.endswith("/ops") else honest(request)  # type: ignore[method-assign]  # as above

    async def case(bench: Bench) -> None:
        await pass_time(bench, 1_800_000)
        assert (bench.outbox.acked, bench.cloud.parked) == (0, {})
        assert (bench.status.halted, bench.status.online) == ("push_blocked", True)
        before = bench.names().count("ops")
        await pass_time(bench, 1_800_000)
        assert bench.names().count("ops") - before <= 6
        assert bench.names().count("changes") > 1_000

    bench.run(case)


def test_a_portal_that_answers_everything_is_an_outage_as_ever() -> None:
    """Its hello is a stranger's as well: nothing is suspected, and the till is not online."""
    bench = bench_of(20)
    bench.cloud.unwell = BLOCKED["200 and a page"]

    async def case(bench: Bench) -> None:
        await pass_time(bench, 1_800_000)
        assert (bench.status.halted, bench.status.online) == ("", False)
        bench.cloud.unwell = None
        await pass_time(bench, 60_000)
        assert bench.outbox.acked == 20

    bench.run(case)


def test_a_block_and_a_refusal_in_turn_prove_nothing_together() -> None:
    """Two strangers' pages and one 422 of the cloud are not three tries: the op is not parked by them."""
    bench = bench_of(1)
    bench.cloud.cant_take = {1: BLOCKED["403"]}

    async def case(bench: Bench) -> None:
        await pass_time(bench, BLOCKED_WAIT_MS + 30_000)
        bench.cloud.cant_take = {1: problem_reply(422, "body_invalid")}
        await pass_time(bench, 60_000)
        assert bench.cloud.parked == {}
        await pass_time(bench, sum(WAITS_MS) + 60_000)
        assert list(bench.cloud.parked) == [1]

    bench.run(case)
