"""A real cloud over HTTP with many members, and a till's cache that pulls from it as the agent does."""

import contextlib
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

from till_agent.cache import CacheStore
from till_cloud import snapshots, windows
from till_cloud.server import CloudServer
from till_cloud.store import members as member_rows
from till_cloud.store import meta
from till_cloud.store import snapshots as snapshot_rows
from till_cloud.store.snapshots import SnapshotRow
from till_sync.client import CloudClient
from till_sync.clock import SystemClock
from till_sync.httpx_transport import HttpxTransport
from till_sync.ports import Clock
from till_sync.pull import Pulled, Puller
from unit.cloud.cloud_kit import Chain, Till

KNOWN = (9, 10**9)
ROUNDS = 400
REQUEST_TIMEOUT_MS = 90_000
"""A busy machine answers late; that is not what these tests are about, whose bound is `run`."""


def tag(kind: str, number: int) -> str:
    """As long, and as little to be packed, as a real one."""
    return f"{kind}:{hashlib.sha256(f'{kind}{number}'.encode()).hexdigest()[:32]}"


def add_members(chain: Chain, count: int, first: int = 0) -> None:
    """Members `m-0000000` on, each with a card and a phone and as many points as its number."""

    def add(connection) -> None:
        position = meta.position(connection)
        for number in range(first, first + count):
            position += 1
            name = f"m-{number:07}"
            profile = member_rows.MemberProfile(name, "active", "standard", "", f"Name {number}", "", "", "ru")
            tags = (tag("card", number), tag("phone", number))
            member_rows.add(connection, profile, tags, position, chain.wall())
            connection.execute("UPDATE balances SET balance = ?1, earned = ?1 WHERE member_id = ?2", (number, name))
        meta.set_position(connection, position)

    chain.centre.write(add).result()


def make_snapshot(chain: Chain, scope: str = windows.WHOLE) -> SnapshotRow:
    """As `tillside cloud snapshot make` does."""
    row = snapshots.make(chain.centre.path, wall_ms=chain.wall, scope=scope)
    chain.centre.write(lambda connection: snapshot_rows.add(connection, row)).result()
    return row


class PullingTill:
    """A cache and what pulls into it; `requests` are the paths asked for."""

    def __init__(self, folder: Path, chain: Chain, till: Till, port: int, clock: Clock | None = None) -> None:
        self.chain = chain
        self.floors: list[tuple[int, int]] = []
        self.cache = CacheStore(folder / "cache.db", till.name, on_complete=self.floors.append, clock=clock)
        limit_ms = REQUEST_TIMEOUT_MS
        self.transport = Recording(HttpxTransport(f"http://127.0.0.1:{port}", request_timeout_ms=limit_ms))
        self.client = CloudClient(
            self.transport, till=till.name, token=till.token, clock=SystemClock(), request_timeout_ms=limit_ms
        )
        self.puller = Puller(self.client, self.cache, clock=SystemClock())

    @property
    def requests(self) -> list[str]:
        return [path.partition("?")[0].split("/")[2 if "/snapshots/" in path else -1] for path in self.transport.paths]

    async def greet(self) -> str:
        return (await self.client.hello()).incarnation

    async def pull(self) -> Pulled:
        """Until there is no more."""
        incarnation = await self.greet()
        for _ in range(ROUNDS):
            pulled = await self.puller.pull(incarnation, known=KNOWN)
            if not pulled.more:
                return pulled
        raise AssertionError("the pull does not end")

    async def close(self) -> None:
        await self.client.close()
        await self.cache.stop()


class Recording:
    """Notes the paths; `broken(path, body)` may change what comes."""

    def __init__(self, inner: HttpxTransport) -> None:
        self._inner = inner
        self.paths: list[str] = []
        self.broken = lambda _path, reply: reply

    async def exchange(self, method, path, *, headers, body, answer_limit_bytes):
        self.paths.append(path)
        reply = await self._inner.exchange(
            method, path, headers=headers, body=body, answer_limit_bytes=answer_limit_bytes
        )
        return self.broken(path, reply)

    async def close(self) -> None:
        await self._inner.close()


@contextlib.asynccontextmanager
async def served(chain: Chain) -> AsyncIterator[int]:
    """The cloud over HTTP; gives the port. Ends the chain's centre with it."""
    server = CloudServer(chain.centre)
    port = await server.start()
    try:
        yield port
    finally:
        await server.stop()


@contextlib.asynccontextmanager
async def pulling(
    folder: Path, chain: Chain, till: Till, port: int, clock: Clock | None = None
) -> AsyncIterator[PullingTill]:
    made = PullingTill(folder, chain, till, port, clock)
    await made.cache.start()
    try:
        yield made
    finally:
        await made.close()
