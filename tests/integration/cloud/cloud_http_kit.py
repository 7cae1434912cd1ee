"""The cloud over real sockets: a served chain, a client for one till, and a way to run it all in a test."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import msgspec

from till_cloud.busy import Busy
from till_cloud.server import CloudServer
from till_sync.wire import PushRequest
from unit.cloud.cloud_kit import Chain, Till


@contextlib.asynccontextmanager
async def served(
    path: Path, *, busy: Busy | None = None, **options: Any
) -> AsyncIterator[tuple[Chain, httpx.AsyncClient]]:
    """A chain on a free port of loopback, and a client that knows its address."""
    chain = await asyncio.to_thread(Chain, path, **options)
    server = CloudServer(chain.centre, busy=busy)
    try:
        port = await server.start()
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=30) as client:
            yield chain, client
    finally:
        await server.stop()


class TillClient:
    """Sends what a till makes."""

    def __init__(self, client: httpx.AsyncClient, till: Till) -> None:
        self.client = client
        self.till = till
        self.headers = {"Authorization": f"Bearer {till.token}"}

    async def push(
        self, request: PushRequest | None = None, *, raw: bytes | None = None, **headers: str
    ) -> httpx.Response:
        body = msgspec.json.encode(request or self.till.request()) if raw is None else raw
        sent = {**self.headers, "Content-Type": "application/json", **headers}
        return await self.client.post(f"/v1/tills/{self.till.name}/ops", content=body, headers=sent)

    async def changes(self, **query: object) -> httpx.Response:
        params = {name: str(value) for name, value in query.items()}
        return await self.client.get(f"/v1/tills/{self.till.name}/changes", params=params, headers=self.headers)

    async def hello(self) -> httpx.Response:
        return await self.client.get(f"/v1/tills/{self.till.name}/hello", headers=self.headers)

    async def hold(self, **fields: object) -> httpx.Response:
        return await self.client.post("/v1/holds", json=fields, headers=self.headers)
