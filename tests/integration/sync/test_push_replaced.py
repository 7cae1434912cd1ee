"""A journal is put aside while its operations are on their way: what was read of it before does not go out again."""

import asyncio
import contextlib
import sqlite3
from pathlib import Path

import pytest

from integration.sync.test_parking_real import TILL, Picky, Stage, sell
from till_agent.exceptions import JournalUnavailable
from till_agent.journal import DiskJournal
from till_agent.journal.session import Session
from till_cloud.server import CloudServer
from till_cloud.verify import verify
from till_sync.client import CloudClient
from till_sync.clock import SystemClock
from till_sync.exceptions import CloudUnreachable, SyncError
from till_sync.httpx_transport import HttpxTransport
from till_sync.push import Pusher
from till_sync.wire import PushRequest
from unit.agent_stores.stores_kit import Identity, journal_in

SALES = 30
BATCH = 10
SPOILT = 14
"""The sale that can't be read any more: those before it keep their ids, those behind it come again in a new epoch."""


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("till_sync.push.FIRST_BATCH_OPS", BATCH)


async def put_aside(journal: DiskJournal, path: Path) -> None:
    """The disk fails for a moment, and the file is not what it was when it is opened again."""

    def fail(_session: Session) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    with contextlib.suppress(JournalUnavailable):
        await journal._writer.submit(fail, writes=False)
    content = bytearray(path.read_bytes())
    at = content.find(b'"uid":"s%d"' % SPOILT)
    assert at > 0
    content[at + 7 : at + 9] = b"??"
    path.write_bytes(bytes(content))
    await journal.probe()
    assert journal.figures.epoch == 2


@pytest.mark.parametrize("lost", [False, True], ids=["read ahead", "not answered"])
def test_each_operation_goes_out_under_one_id(tmp_path: Path, *, lost: bool) -> None:
    """Neither the batch that was read ahead goes out nor the one that was not answered: the cloud has nothing to refuse
    as sold before."""
    stage = Stage(tmp_path)
    sent: list[PushRequest] = []

    def refuse(request: PushRequest) -> None:
        sent.append(request)
        if lost and len(sent) == 2:
            raise CloudUnreachable("cut")

    async def work() -> None:
        server = CloudServer(stage.world.centre)
        line = Picky(HttpxTransport(f"http://127.0.0.1:{await server.start()}"), refuse)
        client = CloudClient(line, till=TILL, token=stage.maker.token, clock=SystemClock())
        try:
            async with journal_in(tmp_path, Identity()) as journal:
                for number in range(SALES):
                    await sell(journal, stage.maker, f"s{number}")
                pusher = Pusher(client, journal, clock=SystemClock())
                hello = await client.hello()
                await journal.reconcile(hello)
                pusher.greeted(hello)
                await pusher.step(hello.incarnation)
                if lost:
                    with pytest.raises(SyncError):
                        await pusher.step(hello.incarnation)
                await pusher.stored()
                await put_aside(journal, tmp_path / "journal.db")
                while (await pusher.step(hello.incarnation)).more:
                    pass
                assert (journal.figures.waiting, journal.figures.repeated) == (0, 0)
        finally:
            await client.close()
            assert stage.world.centre.read(verify).breaches == ()
            stage.rows = stage.world.rows("SELECT epoch, count(*), max(seq) FROM ops GROUP BY epoch, status")
            await server.stop()

    asyncio.run(work())
    assert stage.rows == [(1, SPOILT, SPOILT), (2, SALES - SPOILT - 1, SALES - SPOILT - 1)]
