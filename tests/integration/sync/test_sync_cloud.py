"""The till's half of sync against the real cloud over real sockets: enrolment, push, pull, holds, a restored backup."""

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random

import pytest

from kit.loops import run
from till_cloud.centre import Centre
from till_cloud.enrolment import issue_code
from till_cloud.server import CloudServer
from till_cloud.store import tills
from till_sync.asking import HoldRequest
from till_sync.client import CloudClient
from till_sync.clock import SystemClock
from till_sync.enrol import enrol
from till_sync.exceptions import CloudRefused, HoldRefused
from till_sync.holds import CloudHoldGateway
from till_sync.httpx_transport import HttpxTransport
from till_sync.identity import Identity
from till_sync.ops import HoldReleaseBody, encode_body
from till_sync.worker import SyncWorker, WorkerSettings
from unit.sync.sync_fakes import SALT, TILL, FakeClock, FakeOutbox, FakeSink

QUICK = WorkerSettings(poll_interval_ms=20, spread_ms=5, retry_base_ms=1, retry_cap_ms=20)


class Chain:
    """A cloud with one till, and what that till was told when it enrolled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.identity: Identity | None = None
        self.url = ""
        self.code = ""

    @contextlib.asynccontextmanager
    async def running(self, name: str = "cloud.db") -> AsyncIterator[Centre]:
        centre = Centre(self.folder / name)
        server = CloudServer(centre)
        try:
            self.url = f"http://127.0.0.1:{await server.start()}"
            yield centre
        finally:
            await server.stop()

    async def enrol(self, centre: Centre) -> Identity:
        def add(connection: sqlite3.Connection) -> str:
            tills.put_store(connection, tills.StoreRow(store="s1", name="Магазин", time_zone="Asia/Almaty"), 1)
            tills.add_till(connection, TILL, "s1", 1)
            return issue_code(connection, TILL, SystemClock().wall_ms())

        self.code = centre.write(add).result()
        self.identity = Identity.of(await enrol(self.url, self.code, SALT))
        return self.identity

    @contextlib.asynccontextmanager
    async def syncing(self, outbox: FakeOutbox, sink: FakeSink) -> AsyncIterator[tuple[SyncWorker, CloudHoldGateway]]:
        assert self.identity is not None
        clock = SystemClock()
        client = CloudClient(HttpxTransport(self.url), till=self.identity.till, token=self.identity.token, clock=clock)
        worker = SyncWorker(client, outbox, sink, clock=clock, random=Random(1), settings=QUICK)
        worker.start()
        try:
            yield worker, CloudHoldGateway(client, worker.line)
        finally:
            await worker.stop()
            await client.close()


def outbox_of(count: int) -> FakeOutbox:
    outbox = FakeOutbox(FakeClock())
    for number in range(1, count + 1):
        body = HoldReleaseBody(
            uid=f"u{number}", store="s1", at_wall_ms=1, at_mono_ms=1, boot="b", hold=f"h-{TILL}-{number}"
        )
        outbox.add(1, encode_body(body))
    return outbox


def test_a_till_enrols_once_and_gets_all_its_verdicts(tmp_path: Path) -> None:
    """The real cloud gives each op a verdict; the code can't be used again; status counts add up."""

    async def case() -> None:
        chain = Chain(tmp_path)
        outbox, sink = outbox_of(1_500), FakeSink()
        async with chain.running() as centre:
            identity = await chain.enrol(centre)
            assert (identity.till, identity.store_name, identity.time_zone) == (TILL, "Магазин", "Asia/Almaty")
            with pytest.raises(CloudRefused) as caught:
                await enrol(chain.url, chain.code, SALT)
            assert caught.value.code == "code_used"
            async with chain.syncing(outbox, sink) as (worker, _):
                status = await worker.sync_now()
        assert (status.online, status.halted, status.last_error) == (True, "", "")
        assert (status.pushed, status.resent) == (1_500, 0)
        assert status.pushed == status.rejected + len([v for v in outbox.verdicts.values() if v.status == "applied"])
        assert outbox.acked == 1_500
        assert sink.pages
        assert abs(status.skew_ms or 0) < 5_000

    run(case())


def test_a_cloud_put_back_from_a_backup_gets_again_what_it_lost(tmp_path: Path) -> None:
    """The till compares, pushes the rest again, and both ends agree."""

    async def case() -> None:
        chain = Chain(tmp_path)
        outbox, sink = outbox_of(300), FakeSink()
        async with chain.running() as centre:
            await chain.enrol(centre)
            kept = outbox.bodies
            outbox.bodies = kept[:100]
            async with chain.syncing(outbox, sink) as (worker, _):
                await worker.sync_now()
            outbox.bodies = kept
            centre.write(lambda connection: connection.execute("SELECT 1")).result()
        (tmp_path / "backup.db").write_bytes((tmp_path / "cloud.db").read_bytes())
        async with chain.running() as centre, chain.syncing(outbox, sink) as (worker, _):
            await worker.sync_now()
        assert outbox.acked == 300
        async with chain.running("backup.db") as centre, chain.syncing(outbox, sink) as (worker, _):
            status = await worker.sync_now()
            till = centre.read(lambda connection: tills.till(connection, TILL))
        assert status.halted == ""
        assert till is not None
        assert till.acked_seq == outbox.acked == 300

    run(case())


def test_a_revoked_token_halts_and_a_foreign_hold_is_refused(tmp_path: Path) -> None:
    """Refusals of the real cloud arrive under their codes."""

    async def case() -> None:
        chain = Chain(tmp_path)
        outbox, sink = outbox_of(1), FakeSink()
        async with chain.running() as centre:
            await chain.enrol(centre)
            async with chain.syncing(outbox, sink) as (worker, gateway):
                await worker.sync_now()
                wish = HoldRequest(hold=f"h-{TILL}-x", till=TILL, sale_uid="s", member_id="m-none", points=5)
                with pytest.raises(HoldRefused) as caught:
                    await gateway.reserve(wish, budget_ms=5_000)
                assert caught.value.code == "member_unknown"
                centre.write(lambda connection: tills.enrol(connection, TILL, "0" * 64, 2)).result()
                status = await worker.sync_now()
                assert (status.halted, status.online) == ("token_invalid", False)

    run(case())


def test_a_cloud_that_goes_and_comes_is_found_again(tmp_path: Path) -> None:
    """Nobody does anything: the worker probes, and everything arrives."""

    async def case() -> None:
        chain = Chain(tmp_path)
        outbox, sink = outbox_of(50), FakeSink()
        async with chain.running() as centre:
            await chain.enrol(centre)
        async with chain.syncing(outbox, sink) as (worker, _):
            await worker.sync_now()
            assert not worker.status.online
            port = int(chain.url.rpartition(":")[2])
            server = CloudServer(Centre(tmp_path / "cloud.db"), port=port)
            await server.start()
            try:
                while outbox.acked < 50:
                    await asyncio.sleep(0.01)
            finally:
                await server.stop()

    run(case())
