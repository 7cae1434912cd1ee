"""What halts the worker or one half of it, how rarely it is looked at again, and what mends itself."""

import pytest

from till_sync.exceptions import HistoryConflict
from till_sync.retry import HALT_PROBE_MS
from till_sync.worker import POLL_INTERVAL_MS
from unit.sync.sync_bench import Bench
from unit.sync.sync_fakes import (
    problem_reply,
    settle,
)


@pytest.mark.parametrize("code", ["stale_epoch", "salt_mismatch", "chain_mismatch", "fingerprint_mismatch"])
def test_a_conflict_of_histories_halts_and_is_shown(code: str) -> None:
    """Nothing is hammered: one look each five minutes, the code in the status, and an end as soon as it is mended."""
    bench = Bench(0)
    refusal = problem_reply(422 if code == "fingerprint_mismatch" else 409, code)

    async def case(bench: Bench) -> None:
        bench.cloud.script["ops"] = [refusal, refusal]
        bench.outbox.add(2)
        bench.worker.nudge()
        await settle()
        assert bench.status.halted == code
        assert bench.status.online
        before = len(bench.names())
        bench.worker.nudge()
        await bench.clock.advance(HALT_PROBE_MS - 1)
        assert len(bench.names()) == before
        await bench.clock.advance(HALT_PROBE_MS // 10)
        assert bench.names()[before:] == ["hello", "ops"]
        assert bench.status.halted == code
        await bench.clock.advance(2 * HALT_PROBE_MS)
        assert bench.status.halted == ""
        assert bench.outbox.acked == 2

    bench.run(case)
    assert bench.told == [(True, ""), (True, code), (True, "")]


def test_a_journal_that_contradicts_the_cloud_halts_before_anything_is_sent() -> None:
    """`reconcile` refuses: neither push nor pull happens until it agrees."""
    bench = Bench(2)
    bench.outbox.fail_reconcile = [HistoryConflict("the journal is an old copy")]

    async def case(bench: Bench) -> None:
        assert bench.names() == ["hello"]
        assert bench.status.halted == "history_conflict"
        await bench.worker.sync_now()
        assert bench.status.halted == ""
        assert bench.outbox.acked == 2

    bench.run(case)


@pytest.mark.parametrize(("status", "code"), [(401, "token_invalid"), (403, "till_revoked"), (426, "upgrade")])
def test_a_till_that_is_not_taken_halts_wholly_and_is_not_online(status: int, code: str) -> None:
    """With a revoked token or too old a version the cloud is asked once in five minutes."""
    bench = Bench(2)
    bench.cloud.script["hello"] = [problem_reply(status, code)]

    async def case(bench: Bench) -> None:
        assert (bench.status.halted, bench.status.online) == (code, False)
        await bench.clock.advance(HALT_PROBE_MS - 1)
        assert bench.names() == ["hello"]
        await bench.clock.advance(HALT_PROBE_MS)
        assert (bench.status.halted, bench.status.online, bench.outbox.acked) == ("", True, 2)

    bench.run(case)


def test_an_answer_for_another_till_halts() -> None:
    """A token that belongs to another till is found out at the hello."""
    bench = Bench(2)
    bench.cloud.till = "t2"

    async def case(bench: Bench) -> None:
        assert bench.status.halted == "wrong_till"
        assert bench.names() == ["hello"]

    bench.run(case)


def test_an_op_too_large_stops_the_push_and_not_the_pull() -> None:
    """It is shown and tried again rarely; members keep coming meanwhile."""
    bench = Bench(0)

    async def case(bench: Bench) -> None:
        bench.cloud.script["ops"] = [problem_reply(413, "body_too_large")] * 2
        bench.outbox.add(1)
        bench.worker.nudge()
        await settle()
        assert bench.status.halted == "op_too_large"
        assert "operation 1" in bench.status.last_error
        pulls = bench.names().count("changes")
        await bench.clock.advance(60_000)
        assert bench.names().count("changes") - pulls >= 25
        assert bench.names().count("ops") == 1
        await bench.clock.advance(HALT_PROBE_MS)
        assert bench.names().count("ops") == 2
        await bench.worker.sync_now()
        assert (bench.status.halted, bench.outbox.acked) == ("", 1)

    bench.run(case)


def test_ops_that_the_cloud_does_not_know_yet_wait_for_its_upgrade() -> None:
    """A till of a later release: what it pushes is refused, nothing of it is lost, and members keep coming."""
    bench = Bench(0)

    async def case(bench: Bench) -> None:
        bench.cloud.script["ops"] = [problem_reply(426, "protocol_unsupported")] * 2
        bench.outbox.add(2)
        bench.worker.nudge()
        await settle()
        assert (bench.status.halted, bench.outbox.acked) == ("protocol_unsupported", 0)
        pulls = bench.names().count("changes")
        await bench.clock.advance(60_000)
        assert bench.names().count("changes") - pulls >= 25
        assert bench.status.online
        await bench.clock.advance(HALT_PROBE_MS)
        assert (bench.status.halted, bench.outbox.acked) == ("protocol_unsupported", 0)
        await bench.worker.sync_now()
        assert (bench.status.halted, bench.outbox.acked) == ("", 2)

    bench.run(case)


def test_a_pull_that_is_refused_does_not_stop_the_push() -> None:
    """Whatever the cloud has against our cursor, sales go up."""
    bench = Bench(0)

    async def case(bench: Bench) -> None:
        bench.cloud.script["changes"] = [problem_reply(400, "cursor_malformed")] * 100
        await bench.clock.advance(POLL_INTERVAL_MS)
        assert bench.status.halted == "cursor_malformed"
        bench.outbox.add(4)
        bench.worker.nudge()
        await settle()
        assert bench.outbox.acked == 4
        await bench.clock.advance(60_000)
        assert 100 - len(bench.cloud.script["changes"]) == 1

    bench.run(case)


def test_a_gap_is_mended_by_one_comparison() -> None:
    """The cloud lacks ops that were acknowledged: hello says from where, and they go again."""
    bench = Bench(10)

    async def case(bench: Bench) -> None:
        bench.cloud.acked = 4
        bench.outbox.add(1)
        bench.worker.nudge()
        await bench.clock.advance(1_000)
        assert bench.cloud.acked == bench.outbox.acked == 11
        assert bench.status.halted == ""

    bench.run(case)


def test_a_gap_that_stays_halts() -> None:
    """After three comparisons without progress it is a conflict and not an accident."""
    bench = Bench(0)

    async def case(bench: Bench) -> None:
        bench.cloud.script["ops"] = [problem_reply(409, "seq_gap", expected_seq=1)] * 50
        bench.outbox.add(1)
        bench.worker.nudge()
        await bench.clock.advance(60_000)
        assert bench.status.halted == "seq_gap"
        assert bench.names().count("ops") == 3

    bench.run(case)


def test_another_incarnation_is_greeted_and_pulled_anew() -> None:
    """A cloud restored from a backup: compare, forget the cursor, send what it lost."""
    bench = Bench(10)

    async def case(bench: Bench) -> None:
        bench.cloud.incarnation, bench.cloud.acked = "inc-2", 6
        bench.cloud.fingerprints = {key: kept for key, kept in bench.cloud.fingerprints.items() if key[1] <= 6}
        await bench.clock.advance(5_000)
        assert bench.sink.resets == 1
        assert bench.cloud.acked == bench.outbox.acked == 10
        assert bench.status.incarnation == "inc-2"

    bench.run(case)
