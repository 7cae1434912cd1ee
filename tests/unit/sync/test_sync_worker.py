"""The worker: rounds by need and by time, back-off, outage, spread, halts; all by a clock that only the test moves."""

import asyncio
import logging

import msgspec
import pytest

from kit.loops import run
from till_sync.client import CloudClient
from till_sync.exceptions import CloudUnreachable
from till_sync.rounds import ASK_EVERY_MS, BATCHES_PER_ROUND
from till_sync.transport import Reply
from till_sync.wire import MemberRow
from till_sync.worker import POLL_INTERVAL_MS, PUSH_GAP_MS, SyncWorker
from unit.sync.sync_bench import Bench
from unit.sync.sync_fakes import TILL, FixedRandom, Request, json_reply, problem_reply, settle


def test_a_start_says_hello_then_pushes_then_pulls() -> None:
    """Push before pull, and nothing before the hello has been compared with the journal."""
    bench = Bench(3)

    async def case(bench: Bench) -> None:
        assert bench.names() == ["hello", "ops", "changes"]
        assert bench.outbox.hellos
        assert bench.outbox.acked == 3
        status = bench.status
        assert (status.online, status.halted, status.last_error) == (True, "", "")
        assert (status.pushed, status.resent, status.incarnation) == (3, 0, "inc-1")
        assert status.last_push_ms > 0
        assert status.last_pull_ms > 0

    bench.run(case)
    assert bench.told == [(True, "")]


def test_a_nudge_pushes_at_once_and_pulls_nothing() -> None:
    """A new sale does not wait for the poll, nor does each sale ask for changes."""
    bench = Bench()

    async def case(bench: Bench) -> None:
        before = len(bench.names())
        bench.outbox.add(2)
        bench.worker.nudge()
        await settle()
        assert bench.names()[before:] == ["ops"]
        assert bench.outbox.acked == 2

    bench.run(case)


def test_sales_in_a_rush_go_out_together_and_one_alone_at_once() -> None:
    """The first does not wait for others; those within a tenth of a second after it are one push."""
    bench = Bench()

    async def case(bench: Bench) -> None:
        before = len(bench.names())
        for _ in range(5):
            bench.outbox.add(1)
            bench.worker.nudge()
            await bench.clock.advance(PUSH_GAP_MS // 5 - 1)
        assert (bench.names()[before:], bench.outbox.acked) == (["ops"], 1)
        await bench.clock.advance(PUSH_GAP_MS)
        assert (bench.names()[before:], bench.outbox.acked) == (["ops", "ops"], 5)
        await bench.clock.advance(PUSH_GAP_MS)
        bench.outbox.add(1)
        bench.worker.nudge()
        await settle()
        assert bench.outbox.acked == 6

    bench.run(case)


@pytest.mark.parametrize("gathers", [False, True])
def test_what_somebody_waits_for_at_the_cloud_gathers_with_nothing(gathers: bool) -> None:
    """Points that are given back for a receipt go at once, whether or not sales of a rush wait for each other."""
    bench = Bench()

    async def case(bench: Bench) -> None:
        bench.outbox.add(1)
        bench.worker.nudge()
        await settle()
        bench.outbox.add(1)
        if gathers:
            bench.worker.nudge()
            await settle()
        assert bench.outbox.acked == 1
        bench.worker.nudge_urgently()
        await settle()
        assert bench.outbox.acked == 2
        bench.outbox.add(1)
        bench.worker.nudge()
        await settle()
        assert bench.outbox.acked == 2, "the next sale gathers again"

    bench.run(case)


def test_ops_that_nobody_announced_go_with_the_next_poll() -> None:
    """A lost nudge costs one poll interval."""
    bench = Bench()

    async def case(bench: Bench) -> None:
        bench.outbox.add(1)
        await bench.clock.advance(POLL_INTERVAL_MS - 1)
        assert bench.outbox.acked == 0
        await bench.clock.advance(1)
        assert bench.outbox.acked == 1

    bench.run(case)


def test_the_cloud_is_asked_now_and_then_what_it_tells_only_in_a_greeting(monkeypatch: pytest.MonkeyPatch) -> None:
    """A chain that gave its wallets another secret, after a till was stolen, need not start its tills anew. Neither a
    sale nor the journal waits for it."""
    bench = Bench()

    async def case(bench: Bench) -> None:
        hello = bench.cloud.hello
        monkeypatch.setattr(bench.cloud, "hello", lambda: msgspec.structs.replace(hello(), wallet_keys=("5a",)))
        await bench.clock.advance(ASK_EVERY_MS // 2)
        assert bench.names().count("hello") == 1
        before = len(bench.outbox.hellos)
        for _ in range(ASK_EVERY_MS // POLL_INTERVAL_MS):
            await bench.clock.advance(POLL_INTERVAL_MS)
        assert bench.names().count("hello") == 2
        assert "waiting" not in bench.cloud.asked("/hello")[-1].path
        assert bench.client.wallet_keys == ("5a",)
        assert len(bench.outbox.hellos) == before

    bench.run(case)


def test_changes_are_polled_at_the_interval() -> None:
    """One page each two seconds when nothing else happens."""
    bench = Bench()

    async def case(bench: Bench) -> None:
        await bench.clock.advance(10 * POLL_INTERVAL_MS)
        assert bench.names().count("changes") == 11
        bench.cloud.members = [MemberRow(member_id="m-1", balance=5)]
        await bench.clock.advance(POLL_INTERVAL_MS)
        assert bench.sink.members["m-1"].balance == 5

    bench.run(case)


def test_an_outage_is_probed_by_hello_only_and_ever_more_rarely() -> None:
    """While the line is down, single hellos go out; the queue is not sent into the void."""
    bench = Bench(2)
    bench.cloud.down = True

    async def case(bench: Bench) -> None:
        await bench.clock.advance(600_000)
        assert set(bench.names()) == {"hello"}
        assert 20 <= len(bench.names()) <= 60
        status = bench.status
        assert (status.online, status.pushed) == (False, 0)
        assert status.last_error.startswith("cloud_unreachable")
        assert status.retry_in_ms > 0

    bench.run(case)


def test_after_an_outage_the_first_work_is_spread() -> None:
    """The probe finds the line back; push and pull come after the drawn share of the spread, and only once."""
    bench = Bench(1, share=1.0)

    async def case(bench: Bench) -> None:
        bench.cloud.down = True
        bench.outbox.add(3)
        await bench.clock.advance(120_000)
        bench.cloud.down = False
        before = len(bench.names())
        while not bench.status.online:
            await bench.clock.advance(bench.clock.waits[0])
        assert bench.names()[before:] == ["hello"]
        await bench.clock.advance(59_999)
        bench.worker.nudge()
        await settle()
        assert bench.names()[before:] == ["hello"]
        await bench.clock.advance(1)
        assert bench.names()[before:] == ["hello", "ops", "changes"]
        assert bench.outbox.acked == 4
        before = len(bench.names())
        bench.outbox.add(1)
        bench.worker.nudge()
        await bench.clock.advance(PUSH_GAP_MS)  # the nudge within the spread was one already
        assert bench.outbox.acked == 5

    bench.run(case)
    assert bench.told == [(True, ""), (False, ""), (True, "")]


def test_a_single_lost_connection_costs_no_spread() -> None:
    """One failure is retried within the first back-off, with the very same bytes."""
    bench = Bench(0, share=1.0)

    async def case(bench: Bench) -> None:
        bench.outbox.add(3)
        bench.cloud.script["ops"] = [CloudUnreachable("cut")]
        bench.worker.nudge()
        await settle()
        assert not bench.status.online
        await bench.clock.advance(500)
        assert bench.outbox.acked == 3
        first, second = bench.cloud.pushes()
        assert first == second
        assert bench.status.resent == 3

    bench.run(case)


def test_a_nudge_does_not_cut_a_back_off_short() -> None:
    """Each sale at a till whose cloud is silent must not be another attempt."""
    bench = Bench(1, share=1.0)
    bench.cloud.down = True

    async def case(bench: Bench) -> None:
        before = len(bench.names())
        for _ in range(50):
            bench.outbox.add(1)
            bench.worker.nudge()
            await settle()
        assert len(bench.names()) == before

    bench.run(case)


def test_sync_now_cuts_every_wait_and_tells_how_it_went() -> None:
    """A person who asks gets an attempt at once, in an outage as well as in the spread after it."""
    bench = Bench(1, share=1.0)
    bench.cloud.down = True

    async def case(bench: Bench) -> None:
        await bench.clock.advance(200_000)
        failed = await bench.worker.sync_now()
        assert (failed.online, failed.last_error.partition(":")[0]) == (False, "cloud_unreachable")
        bench.cloud.down = False
        went = await bench.worker.sync_now()
        assert (went.online, went.last_error, went.pushed) == (True, "", 1)

    bench.run(case)


def test_sync_now_during_a_spread_ends_it() -> None:
    """The spread is for machines; a person is one."""
    bench = Bench(1, share=1.0)
    bench.cloud.down = True

    async def case(bench: Bench) -> None:
        await bench.clock.advance(200_000)
        bench.cloud.down = False
        await bench.clock.advance(30_000)
        assert bench.outbox.acked == 0
        await bench.worker.sync_now()
        assert bench.outbox.acked == 1

    bench.run(case)


def test_a_slot_of_the_cloud_is_kept() -> None:
    """503 with `retry_after_ms`: the next request comes then, to the millisecond."""
    bench = Bench(0, share=1.0)

    async def case(bench: Bench) -> None:
        bench.outbox.add(1)
        bench.cloud.script["ops"] = [problem_reply(503, "draining", retry_after_ms=17_123)]
        bench.worker.nudge()
        await settle()
        before = len(bench.names())
        await bench.clock.advance(17_122)
        assert len(bench.names()) == before
        await bench.clock.advance(1)
        assert bench.outbox.acked == 1

    bench.run(case)


def test_a_wait_in_a_good_answer_is_kept_too() -> None:
    """`retry_after_ms` after a taken batch holds back push and poll; nudges do not cut it."""
    bench = Bench(0, share=0.5)

    async def case(bench: Bench) -> None:
        bench.cloud.retry_after_ms = 9_000
        bench.outbox.add(1)
        bench.worker.nudge()
        await settle()
        bench.cloud.retry_after_ms = 0
        bench.outbox.add(1)
        before = len(bench.names())
        bench.worker.nudge()
        await bench.clock.advance(8_999)
        assert len(bench.names()) == before
        await bench.clock.advance(1)
        assert bench.outbox.acked == 2

    bench.run(case)


def test_an_unexpected_exception_never_ends_the_worker(caplog: pytest.LogCaptureFixture) -> None:
    """A failing disk or a defect is counted, logged without data, and tried again with back-off."""
    bench = Bench(2)
    bench.outbox.fail_record = [OSError("+79991234567"), KeyError("m-1")]

    async def case(bench: Bench) -> None:
        assert bench.status.last_error == "unexpected: OSError"
        await bench.clock.advance(10_000)
        assert bench.status.unexpected == 2
        assert (bench.status.last_error, bench.outbox.acked) == ("", 2)

    with caplog.at_level(logging.DEBUG):
        bench.run(case)
    assert "Unexpected OSError while syncing" in caplog.text
    assert "+7999" not in caplog.text


def test_a_stop_in_the_middle_of_an_exchange_is_at_once_and_loses_nothing() -> None:
    """The exchange is dropped; at the next start the ops go again and the cloud knows them."""
    bench = Bench(3)
    never: list[Request] = []

    async def hang(request: Request) -> Reply:
        never.append(request)
        bench.cloud.answer(request)
        await asyncio.Event().wait()
        raise AssertionError

    bench.cloud.script["ops"] = [hang]

    async def case(bench: Bench) -> None:
        assert never
        assert bench.outbox.acked == 0

    bench.run(case)
    assert bench.outbox.acked == 0
    second = Bench(3)
    second.cloud, second.outbox = bench.cloud, bench.outbox
    second.client = CloudClient(second.cloud, till=TILL, token="x", clock=second.clock)
    second.worker = SyncWorker(second.client, second.outbox, second.sink, clock=second.clock, random=FixedRandom(0.5))

    async def again(bench: Bench) -> None:
        assert bench.outbox.acked == 3

    second.run(again)


def test_stop_answers_those_who_wait_and_may_be_called_twice() -> None:
    """Nobody hangs on a worker that has gone."""
    bench = Bench()

    async def case() -> None:
        bench.worker.start()
        await settle()
        bench.cloud.latency_ms = 10**9
        asked = asyncio.ensure_future(bench.worker.sync_now(timeout_ms=10**9))
        await settle()
        await bench.worker.stop()
        await bench.worker.stop()
        await asked
        with pytest.raises(RuntimeError, match="running worker"):
            await bench.worker.sync_now()

    run(case())


def test_a_worker_starts_once() -> None:
    """Two tasks on one outbox would break its order."""
    bench = Bench()

    async def case(bench: Bench) -> None:
        with pytest.raises(RuntimeError, match="not running"):
            bench.worker.start()

    bench.run(case)


def test_skew_is_the_cloud_s_time_minus_ours() -> None:
    """A till whose clock is three minutes slow shows it after the first answer."""
    bench = Bench()
    assert bench.status.skew_ms is None
    bench.clock.wall -= 180_000
    hello = bench.cloud.hello

    def later() -> object:
        answer = hello()
        import msgspec

        return msgspec.structs.replace(answer, server_time_ms=answer.server_time_ms + 180_000)

    bench.cloud.script["hello"] = [json_reply(later())]
    bench.cloud.script["changes"] = [CloudUnreachable("x")]

    async def case(bench: Bench) -> None:
        assert bench.status.skew_ms == 180_000

    bench.run(case)


def test_an_endless_stream_of_sales_lets_the_pull_have_its_turn() -> None:
    """However fast ops come, a round has an end."""
    bench = Bench(0)

    async def refill(request: Request) -> Reply:
        bench.outbox.add(1)
        return bench.cloud.answer(request)

    async def case(bench: Bench) -> None:
        bench.cloud.script["ops"] = [refill] * 150
        bench.outbox.add(1)
        before = bench.names().count("changes")
        await bench.clock.advance(POLL_INTERVAL_MS)
        for _ in range(50):
            await settle()
        assert bench.names().count("changes") > before
        first_pull = bench.names().index("changes", bench.names().index("ops"))
        assert first_pull <= BATCHES_PER_ROUND + 3

    bench.run(case)


def test_a_first_load_of_many_pages_goes_on_without_waiting() -> None:
    """More pages than one round takes follow at once, with pushes between."""
    bench = Bench(0)
    pages = 35

    def reply(number: int) -> Reply:
        from till_sync.wire import ChangesAnswer

        return json_reply(
            ChangesAnswer(
                incarnation="inc-1",
                rows=(MemberRow(member_id=f"m-{number}"),),
                next=f"c{number}",
                more=number < pages,
                epoch=0,
                acked_seq=0,
                server_time_ms=1,
            )
        )

    bench.cloud.script["changes"] = [reply(number) for number in range(1, pages + 1)]

    async def case(bench: Bench) -> None:
        for _ in range(20):
            await settle()
        assert len(bench.sink.members) == pages
        assert bench.status.pulled_rows == pages

    bench.run(case)
