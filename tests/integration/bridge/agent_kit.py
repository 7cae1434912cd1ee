"""A real agent for tests: an enrolled till with members and a programme, on a loop of its own thread."""

import asyncio
import contextlib
import hashlib
import json
import threading
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from fakes.till import ANNA_CARD, ANNA_PHONE, KEY, PROGRAMME, anna
from integration.bridge.bridge_kit import WAIT_S, LiveBridge, Reply
from till_agent.bridge.tokens import read_token
from till_agent.cache import open_cache
from till_agent.core import CACHE_FILE
from till_agent.reloading.starting import Start
from till_agent.root import RunningAgent, running_agent
from till_config.settings import AgentSettings, BridgeSettings, Settings
from till_sync.identity import IDENTITY_FILE, Identity, save_identity
from till_sync.wire import ChangesAnswer, ProgrammeRow

__all__ = ["ANNA_CARD", "ANNA_PHONE", "LiveAgent", "enrol_by_hand", "fill_cache", "live_agent", "settings_for"]

TILL = "t1"


def enrol_by_hand(state_dir: Path, *, token: str = "till-secret-token") -> None:
    """The identity that an enrolment would leave."""
    state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    save_identity(
        state_dir / IDENTITY_FILE,
        Identity(
            till=TILL,
            store="s1",
            store_name="Аптека № 1",
            time_zone="Asia/Almaty",
            token=token,
            identifier_key=KEY.hex(),
        ),
    )


def fill_cache(state_dir: Path, *, as_of_ms: int = 1_763_700_000_000) -> None:
    """One pulled page: Anna with 500 points, and a programme of 5 %."""
    body = msgspec.json.encode(PROGRAMME).decode()
    programme = ProgrammeRow(
        programme_id=PROGRAMME.id,
        version=PROGRAMME.version,
        digest=hashlib.sha256(body.encode()).hexdigest(),
        active=True,
        body=body,
    )
    page = ChangesAnswer(
        incarnation="i1",
        rows=(anna(), programme),
        next="c1",
        more=False,
        epoch=0,
        acked_seq=0,
        server_time_ms=as_of_ms,
    )

    async def fill() -> None:
        cache = await open_cache(state_dir / CACHE_FILE, TILL)
        try:
            await cache.store_page(page)
        finally:
            await cache.stop()

    asyncio.run(fill())


def settings_for(state_dir: Path, **parts: Any) -> Settings:
    """A till on a free port, with no cloud and no devices unless `parts` bring them."""
    bridge = parts.pop("bridge", BridgeSettings(port=0, rate_limit_per_second=10_000))
    return Settings(agent=AgentSettings(state_dir=str(state_dir)), bridge=bridge, **parts)


def written_config(folder: Path, state_dir: Path) -> Path:
    """The configuration file of such a till."""
    path = folder / "agent.toml"
    path.write_text(f'[agent]\nstate_dir = "{state_dir}"\n[bridge]\nport = 0\n', encoding="utf-8")
    return path


@dataclass
class LiveAgent:
    """The running agent, and calls to it as its cash software and as its administrator."""

    running: RunningAgent
    loop: asyncio.AbstractEventLoop

    @property
    def port(self) -> int:
        return self.running.port

    def call(self, method: str, path: str, body: Any = None, *, client: str = "pos", **fields: str) -> Reply:
        """A call with the client's own token, by a new connection."""
        token = read_token(self.running.state_dir, client)
        headers = {name.replace("_", "-"): value for name, value in fields.items()}
        return LiveBridge.call(self, method, path, body, token=token, headers=headers)  # type: ignore[arg-type]  # has what calls use

    def raw(self, data: bytes, *, host: str = "127.0.0.1", half_close: bool = False) -> Reply:
        return LiveBridge.raw(self, data, host=host, half_close=half_close)  # type: ignore[arg-type]  # has what calls use

    def on_loop(self, work: Callable[[], Any]) -> Any:
        """Run `work` on the agent's loop."""

        async def run() -> Any:
            found = work()
            return await found if isinstance(found, Awaitable) else found

        return asyncio.run_coroutine_threadsafe(run(), self.loop).result(WAIT_S)

    def wait_for(self, what: Callable[[], bool]) -> None:
        """Until `what` holds on the agent's loop."""

        async def wait() -> None:
            async with asyncio.timeout(WAIT_S):
                while not what():
                    await asyncio.sleep(0.01)

        asyncio.run_coroutine_threadsafe(wait(), self.loop).result(WAIT_S + 1)


@contextlib.contextmanager
def live_agent(settings: Settings, start: Start | None = None) -> Iterator[LiveAgent]:
    """A started agent; stopped in order at the end. What its start or stop raises is raised here."""
    started, outcome = threading.Event(), []
    found: list[LiveAgent] = []
    stop: list[Callable[[], None]] = []

    async def serve() -> None:
        ended = asyncio.Event()
        loop = asyncio.get_running_loop()
        async with running_agent(settings, start=start) as running:
            stop.append(lambda: loop.call_soon_threadsafe(ended.set))
            found.append(LiveAgent(running, loop))
            started.set()
            await ended.wait()

    def run() -> None:
        try:
            asyncio.run(serve())
        except BaseException as error:
            outcome.append(error)
        finally:
            started.set()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    if not started.wait(WAIT_S):
        raise RuntimeError("the agent did not start")
    if outcome:
        thread.join(WAIT_S)
        raise outcome[0]
    try:
        yield found[0]
    finally:
        stop[0]()
        thread.join(WAIT_S)
        if outcome:
            raise outcome[0]


def receipt(*amounts: int, sku: str = "milk") -> dict[str, Any]:
    """Lines of these amounts."""
    lines = [{"number": n, "sku": sku, "amount_minor": amount} for n, amount in enumerate(amounts, start=1)]
    return {"receipt": {"lines": lines}}


def body_of(reply: Reply) -> Any:
    """The answer's JSON; the test fails with its words when it is a refusal."""
    assert reply.status < 400, json.loads(reply.body)
    return reply.json
