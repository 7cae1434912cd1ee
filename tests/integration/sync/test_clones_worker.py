"""A quarantine as the till's worker sees it: halted with its code, the queue kept; after the release it drains."""

from pathlib import Path
from random import Random

from integration.cloud.signing_kit import NOON_MS, World, world
from kit.loops import run
from till_cloud.store import tills
from till_sync.clock import SystemClock
from till_sync.ops import HoldReleaseBody, encode_body
from till_sync.status import WorkerStatus
from till_sync.worker import SyncWorker, WorkerSettings
from unit.sync.sync_fakes import TILL, FakeClock, FakeOutbox, FakeSink

QUICK = WorkerSettings(poll_interval_ms=20, spread_ms=5, retry_base_ms=1, retry_cap_ms=20)


def sells(outbox: FakeOutbox, first: int, last: int) -> None:
    for number in range(first, last + 1):
        body = HoldReleaseBody(
            uid=f"u{number}", store="s1", at_wall_ms=1, at_mono_ms=1, boot="b", hold=f"h-{TILL}-{number}"
        )
        outbox.add(1, encode_body(body))


def test_what_waits_is_kept_through_a_quarantine_and_drains_after_it(tmp_path: Path) -> None:
    """What is sold meanwhile waits too; each operation arrives once."""

    async def case() -> None:
        async with world(tmp_path) as made:
            machine = made.machine("first")
            made.chain.centre.write(lambda c: tills.add_till(c, TILL, "s1", NOON_MS)).result()
            await machine.enrol(made.code(TILL))
            outbox = FakeOutbox(FakeClock())
            sells(outbox, 1, 50)
            worker = SyncWorker(
                await machine.start(), outbox, FakeSink(), clock=SystemClock(), random=Random(1), settings=QUICK
            )
            worker.start()
            try:
                assert (await worker.sync_now()).pushed == 50
                put(made, "quarantine")
                sells(outbox, 51, 120)
                halted = await worker.sync_now()
                assert halted.halted == "till_quarantined"
                assert "cloud till release" in halted.last_error
                assert (outbox.acked, await outbox.waiting()) == (50, 70)
                put(made, "release")
                freed: WorkerStatus = await worker.sync_now()
                assert (freed.halted, freed.pushed) == ("", 120)
                assert made.till(TILL)["acked_seq"] == 120
                assert made.chain.rows("SELECT count(*) FROM ops") == [(120,)]
            finally:
                await worker.stop()

    run(case())


def put(world: World, what: str) -> None:
    if what == "release":
        world.chain.centre.write(lambda c: tills.release(c, TILL)).result()
    else:
        world.chain.centre.write(lambda c: tills.quarantine(c, TILL, "two_machines", NOON_MS)).result()
