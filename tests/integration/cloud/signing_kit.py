"""A served chain, and machines that sign: by hand for what no honest till sends, and as the product's client does."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import msgspec

from integration.cloud.cloud_http_kit import served
from till_cloud.enrolment import issue_code
from till_sync import keys, signing
from till_sync.client import CloudClient
from till_sync.counters import COUNTER_FILE, Counter
from till_sync.enrol import enrol
from till_sync.httpx_transport import HttpxTransport
from till_sync.identity import IDENTITY_FILE, Identity, load_identity, save_identity
from till_sync.secured import SecuredTransport
from unit.cloud.cloud_kit import NOON_MS, Chain, Till
from unit.sync.sync_fakes import FakeClock

TEN_YEARS_MS = 10 * 365 * 86_400_000


class TillClock(FakeClock):
    """A till's clocks: the wall stands where a test puts it, `mono` has a beginning of its own; waits are real."""

    def __init__(self, *, wall_off_ms: int = 0) -> None:
        super().__init__()
        self.mono, self.wall = 777_000, NOON_MS + wall_off_ms

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class Machine:
    """A state directory, and a run of the product's client over it."""

    def __init__(self, url: str, folder: Path, *, clock: TillClock | None = None) -> None:
        self.url = url
        self.folder = folder
        self.clock = clock or TillClock()
        self.client: CloudClient
        self.transport: SecuredTransport

    @property
    def identity(self) -> Identity:
        return load_identity(self.folder / IDENTITY_FILE)

    async def enrol(self, code: str, *, with_key: bool = True) -> None:
        private = keys.new_key() if with_key else ""
        public = keys.public_of(private) if private else ""
        self.folder.mkdir(exist_ok=True)
        answer = await enrol(self.url, code, "salt", public_key=public)
        save_identity(self.folder / IDENTITY_FILE, Identity.of(answer, private_key=private))

    async def start(self) -> CloudClient:
        """A new run, as after the start of the agent; the run before gets no chance to say good-bye."""
        await self.stop()
        path = self.folder / IDENTITY_FILE
        identity = self.identity
        self.transport = SecuredTransport(
            HttpxTransport(self.url),
            till=identity.till,
            clock=self.clock,
            counter=Counter(self.folder / COUNTER_FILE),
            private_key=identity.private_key,
            keep_key=lambda key: save_identity(path, load_identity(path).with_private_key(key)),
        )
        self.client = CloudClient(self.transport, till=identity.till, token=identity.token, clock=self.clock)
        return self.client

    async def stop(self) -> None:
        if hasattr(self, "client"):
            await self.client.close()


class World:
    """A chain with one till, whose ops the unit tests' till makes."""

    def __init__(self, chain: Chain, http: httpx.AsyncClient, folder: Path) -> None:
        self.chain = chain
        self.http = http
        self.url = str(http.base_url)
        self.folder = folder
        self.ops: Till
        self.machines: list[Machine] = []

    def code(self, till: str = "k1") -> str:
        return self.chain.centre.write(lambda c: issue_code(c, till, self.chain.wall())).result()

    def machine(self, name: str, **options: Any) -> Machine:
        made = Machine(self.url, self.folder / name, **options)
        self.machines.append(made)
        return made

    def till(self, name: str = "k1") -> dict[str, Any]:
        # A refusal is on its way before the quarantine is stored: whoever looks waits for the writer's turn.
        self.chain.centre.write(lambda _: None).result()
        columns = "epoch, acked_seq, public_key, counter, quarantined_at_ms, quarantine_reason"
        row = self.chain.rows(f"SELECT {columns} FROM tills WHERE till = ?", name)[0]
        return dict(zip(columns.split(", "), row, strict=True))

    def everything(self) -> list[Any]:
        """All that the cloud holds which a request could change."""
        tables = ("tills", "ops", "movements", "lots", "balances", "holds", "members", "counters", "enrolment_codes")
        return [self.chain.rows(f"SELECT * FROM {table}") for table in tables]


@contextlib.asynccontextmanager
async def world(folder: Path) -> AsyncIterator[World]:
    """Till `k1` is there and not enrolled with a key; member `m-1` has 500 points."""
    async with served(folder / "cloud.db") as (chain, http):
        made = World(chain, http, folder)
        made.ops = chain.till("k1")
        chain.member("m-1", points=50_000)
        try:
            yield made
        finally:
            for machine in made.machines:
                await machine.stop()


class Signer:
    """Signs by hand."""

    def __init__(self, token: str, private: str, *, till: str = "k1", run: str = "0" * 16) -> None:
        self.token, self.private, self.name, self.run = token, private, till, run
        self.counter = 0

    def request(self, method: str, target: str, body: bytes = b"", **changes: Any) -> dict[str, Any]:
        """What httpx shall send; `changes` are for `signing.sign`."""
        self.counter += 1
        parts = {
            "till": self.name,
            "run": self.run,
            "counter": self.counter,
            "created_s": NOON_MS // 1000,
            "method": method,
            "target": target,
            "body": body,
        } | changes
        headers = {"authorization": f"Bearer {self.token}", **signing.sign(self.private, **parts)}
        if body:
            headers["content-type"] = "application/json"
        return {"method": method, "url": target, "headers": headers, "content": body}


def push_body(till: Till, first: int = 1) -> bytes:
    return msgspec.json.encode(till.request(first))
