"""A real journal and a real cloud, and between them something that takes one operation never: it is parked."""

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random

import msgspec
import pytest

from till_agent.api import QueuedOp
from till_agent.journal import DiskJournal
from till_cloud.ingest import sales
from till_cloud.server import CloudServer
from till_cloud.verify import verify
from till_sync.client import CloudClient
from till_sync.clock import SystemClock
from till_sync.httpx_transport import HttpxTransport
from till_sync.problems import PROBLEM_MEDIA_TYPE, Problem
from till_sync.transport import Reply
from till_sync.wire import PushRequest
from till_sync.worker import SyncWorker, WorkerSettings
from unit.agent_stores.stores_kit import Identity, draft, journal_in, once
from unit.cloud.cloud_kit import Chain, Till
from unit.sync.sync_fakes import FakeSink

TILL = "t-7"
"""The till of `journal_in`."""

QUICK = WorkerSettings(
    poll_interval_ms=50, spread_ms=0, retry_base_ms=5, retry_cap_ms=50, halt_probe_ms=100, park_waits_ms=(20, 40)
)

Refuse = Callable[[PushRequest], Reply | None]


class Picky:
    """The line to the cloud; `refuse` says what comes back instead of a push's answer."""

    def __init__(self, inner: HttpxTransport, refuse: Refuse) -> None:
        self._inner = inner
        self._refuse = refuse
        self.pushes: list[PushRequest] = []

    async def exchange(
        self, method: str, path: str, *, headers: Mapping[str, str], body: bytes, answer_limit_bytes: int
    ) -> Reply:
        if path.endswith("/ops"):
            request = msgspec.json.decode(body, type=PushRequest)
            self.pushes.append(request)
            refusal = self._refuse(request)
            if refusal is not None:
                return refusal
        return await self._inner.exchange(
            method, path, headers=headers, body=body, answer_limit_bytes=answer_limit_bytes
        )

    async def close(self) -> None:
        await self._inner.close()


def problem(status: int, code: str) -> Reply:
    body = Problem(status=status, code=code, detail="no").encode()
    return Reply(status, {"content-type": PROBLEM_MEDIA_TYPE}, body)


REFUSALS = {
    "proxy's 413": Reply(413, {}, b"<html>"),
    "422": problem(422, "body_invalid"),
    "500": problem(500, "internal_error"),
}


def refusing(reply: Reply, uid: str) -> Refuse:
    """`reply` to every push with the bytes of that sale in it."""
    mark = b'"uid":"%s"' % uid.encode()
    return lambda request: reply if any(not op.parked and mark in bytes(op.body) for op in request.ops) else None


async def sell(journal: DiskJournal, maker: Till, uid: str, member: str = "m-1") -> None:
    """A sale as the engine counts it, committed."""
    maker.sale(uid, member)
    body = bytes(maker.ops[-1].body)
    await journal.commit(once(draft(uid, member=member, points=1000, body=body)))


async def drained(journal: DiskJournal, worker: SyncWorker) -> None:
    async with asyncio.timeout(20):
        while journal.figures.waiting or not worker.status.online:
            worker.nudge()
            await asyncio.sleep(0.01)


class Stage:
    """A served chain with one till whose journal is real."""

    def __init__(self, folder: Path) -> None:
        self.world = Chain(folder / "c.db")
        self.world.wall = SystemClock().wall_ms
        self.world.member("m-1")
        self.maker = self.world.till(TILL)

    async def run(self, folder: Path, refuse: Refuse, work: "Callable[[DiskJournal, SyncWorker], object]") -> Picky:
        server = CloudServer(self.world.centre)
        port = await server.start()
        line = Picky(HttpxTransport(f"http://127.0.0.1:{port}"), refuse)
        client = CloudClient(line, till=TILL, token=self.maker.token, clock=SystemClock())
        try:
            async with journal_in(folder, Identity()) as journal:
                worker = SyncWorker(client, journal, FakeSink(), clock=SystemClock(), random=Random(1), settings=QUICK)
                for index in range(20):
                    await sell(journal, self.maker, f"s{index}")
                worker.start()
                try:
                    await drained(journal, worker)
                    await work(journal, worker)
                finally:
                    await worker.stop()
        finally:
            await client.close()
            found = self.world.centre.read(verify)
            self.rows = self.world.rows("SELECT seq, uid, status, code, fingerprint FROM ops ORDER BY seq")
            self.balance = self.world.balances("m-1")
            await server.stop()
        assert found.breaches == ()
        return line


@pytest.mark.parametrize("name", REFUSALS)
def test_the_journal_s_chain_stays_whole_over_a_parked_op(tmp_path: Path, name: str) -> None:
    """The cloud takes what follows by its hashes; the op's bytes stay in the journal, and its list says what it is."""
    stage = Stage(tmp_path)
    seen: list[QueuedOp] = []

    async def work(journal: DiskJournal, worker: SyncWorker) -> None:
        await sell(journal, stage.maker, "after")
        await drained(journal, worker)
        assert (journal.figures.rejected, journal.figures.parked) == (1, 1)
        seen.extend(await journal.list_rejected())
        assert await journal.verify() == 21

    line = asyncio.run(stage.run(tmp_path, refusing(REFUSALS[name], "s7"), work))
    assert [(op.uid, op.status, op.code) for op in seen] == [("s7", "rejected", "parked")]
    assert [row[0] for row in stage.rows] == list(range(1, 22))
    assert [(row[1], row[3]) for row in stage.rows if row[2] == "rejected"] == [("s7", "parked")]
    assert {row[2] for row in stage.rows} == {"applied", "rejected"}
    assert stage.balance == (20_000, 0, 0)
    sent = {op.fingerprint for request in line.pushes for op in request.ops if op.seq == 8}
    assert sent == {stage.rows[7][4]}


def test_poison_at_the_cloud_is_told_to_the_till_as_a_verdict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is searched for or sent again: the cloud found it by itself, within the one push."""
    known = sales.after_sale

    def after_sale(context, op_id, body, *rest):
        known(context, op_id, body, *rest)
        if body.uid == "s7":
            raise KeyError("a rare receipt")

    monkeypatch.setattr(sales, "after_sale", after_sale)
    stage = Stage(tmp_path)

    async def work(journal: DiskJournal, worker: SyncWorker) -> None:
        assert (journal.figures.rejected, journal.figures.parked) == (1, 0)
        assert [op.code for op in await journal.list_rejected()] == ["poison"]
        assert worker.status.halted == ""

    line = asyncio.run(stage.run(tmp_path, lambda request: None, work))
    assert len(line.pushes) == 1
    assert stage.balance == (19_000, 0, 0)


def test_a_cloud_that_breaks_over_all_sales_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bad release: 503, and neither end rejects or parks a thing; once it is taken back all is applied."""
    wrong = [True]
    known = sales.after_sale

    def after_sale(*args):
        known(*args)
        if wrong[0]:
            raise AttributeError("a bad release")

    monkeypatch.setattr(sales, "after_sale", after_sale)
    stage = Stage(tmp_path)
    said: list[str] = []

    async def mend() -> None:
        await asyncio.sleep(1)
        wrong[0] = False

    async def work(journal: DiskJournal, worker: SyncWorker) -> None:
        assert (journal.figures.rejected, worker.status.parked) == (0, 0)

    async def whole() -> None:
        mending = asyncio.create_task(mend())
        # The cloud asks to be left alone for a minute; a test does not wait so long.
        monkeypatch.setattr("till_cloud.ingest.poison.RETRY_AFTER_MS", 0)
        line = await stage.run(tmp_path, lambda request: None, work)
        said.extend(str(request.first_seq) for request in line.pushes)
        await mending

    asyncio.run(whole())
    assert stage.balance == (20_000, 0, 0)
    assert {row[2] for row in stage.rows} == {"applied"}
    assert len(said) > 1
