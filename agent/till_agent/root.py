"""The composition root: builds the agent, starts it in order, stops it in reverse.

`run_agent` is the daemon; `running_agent` is the same agent within a program of its own loop (tests, benchmarks). It
starts with no cloud, no identity, no disk for the journal, no scanner and no printer, says so, and takes each of them
in when it comes.
"""

import asyncio
import contextlib
import itertools
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from starlette.types import ASGIApp

from till_agent import retention
from till_agent.bridge.app import make_app
from till_agent.bridge.exceptions import AgentStartError, AlreadyRunningError
from till_agent.bridge.guard import Guard
from till_agent.bridge.limits import RateLimiter
from till_agent.bridge.server import BridgeServer
from till_agent.bridge.tokens import Client, Tokens, load_tokens
from till_agent.core import STOP_TIMEOUT_S, Core, Surroundings, open_core, release_abandoned, stop_part
from till_agent.exceptions import JournalCorrupt, JournalUnavailable
from till_agent.facade import Agent
from till_agent.footprint import LOOK_S, Resting, give_back, keep_big_apart, settle
from till_agent.going_first import go_first
from till_agent.hardware import start_printing, start_scanners
from till_agent.instance import RUNNING_FILE, StateDir, told_ready
from till_agent.journal.copies import sweep
from till_agent.reloading.parts import LiveParts
from till_agent.reloading.signals import reload_at_signal
from till_agent.reloading.starting import Start
from till_agent.retiring import retired
from till_agent.supervision import supervised
from till_agent.without_disk import WithoutDisk
from till_config.settings import Settings
from till_drivers.spool import Spool
from till_sync.clock import SystemClock
from till_sync.exceptions import IdentityError, IdentityMissing
from till_sync.identity import IDENTITY_FILE, Identity, load_identity
from till_sync.ports import Clock

log = logging.getLogger(__name__)

SPOOL_FILE = "spool.db"
LOOK_FOR_IDENTITY_S = 1.0
"""Pause between two looks for an identity: the person who enrols the till sees it come up at once."""
TRY_AGAIN_S = 5.0
"""Pause before the journal or a bad identity is tried again."""
LOCK_TRIES = 3
LOCK_PAUSE_S = 0.1
"""Three tries in 0.2 s: a command holds the lock for microseconds, another agent for ever."""
SETTLE_S = 3.0
"""What is loaded after the start, for the first scan, slip and exchange with the cloud, is there by then."""
GIVE_BACK_LOOKS = 1_200
"""Looks whether the till rests before memory is given back, five minutes: a pull of many members leaves megabytes free,
which others on a till of 2 GB can use."""
CONDUCT_S = 60.0
"""Pause between two looks at what was sold; whoever asks for the flags has one at once."""
CONDUCT_PAUSE_S = 0.05
"""Between two slices of the first look, which reads weeks."""
HOUSEKEEPING_S = 5.0
"""Pause between two rounds of giving back abandoned holds and telling new problems."""


class RunningAgent:
    """A started agent: where its bridge listens, and the parts for those who look inside."""

    def __init__(self, agent: Agent, port: int, state_dir: Path) -> None:
        self.agent = agent
        self.port = port
        self.state_dir = state_dir

    @property
    def url(self) -> str:
        """Address of the bridge."""
        return f"http://127.0.0.1:{self.port}"


async def run_agent(settings: Settings, *, ready_file: Path | None = None, start: Start | None = None) -> None:
    """Run until SIGTERM or SIGINT. AgentStartError when it can't start: state directory, token, port.

    SIGHUP takes in the file that `start` names as it is by then.
    """
    # The journal and the cache speak of members: their files are for the agent's user alone.
    os.umask(0o077)
    go_first()
    stop = asyncio.Event()
    with _signals(stop), supervised() as supervision:
        async with running_agent(settings, start=start) as running, AsyncExitStack() as stack:
            reload_at_signal(running.agent, stack)
            # The process is the daemon's own here; a program that runs an agent inside keeps its own memory.
            _keep(stack, "footprint", _keep_small(running.agent))
            running.agent.supervision = supervision
            _keep(stack, "pulse", supervision.pulse(running.agent))
            with told_ready(ready_file, running.port):
                supervision.ready(running.agent, running.port)
                log.info("ready", extra={"port": running.port, "state": running.agent.not_ready or "ready"})
                await stop.wait()
                log.info("stopping")
                supervision.stopping()


@contextlib.asynccontextmanager
async def running_agent(
    settings: Settings, *, clock: Clock | None = None, start: Start | None = None
) -> AsyncIterator[RunningAgent]:
    """A started agent for as long as the context lasts. AgentStartError as for `run_agent`.

    `start`: where the settings came from; without it there is no file to take in again, and no policy is asked for.
    """
    clock = clock or SystemClock()
    state_dir = Path(settings.agent.state_dir)
    async with AsyncExitStack() as stack:
        # Each part is stopped before those that were started before it.
        await _own(state_dir, clock, stack)
        await asyncio.to_thread(sweep, state_dir)
        clients = tuple(Client(each.name, frozenset(each.scopes)) for each in settings.bridge.clients)
        tokens = load_tokens(state_dir, clients, frontol=settings.frontol.access_client, clock=clock)
        spool = Spool(state_dir / SPOOL_FILE, wall_ms=clock.wall_ms)
        agent = Agent(settings, clock, spool)
        _keep_log(agent, stack)
        parts, printer = await start_printing(agent, stack)
        agent.use_start(start or Start(settings=settings), parts)
        parts.around = Surroundings(
            settings=settings,
            identity_path=state_dir / IDENTITY_FILE,
            clock=clock,
            spool=spool,
            printer=printer,
            on_sync=agent.sync_changed,
        )
        stack.push_async_callback(_stop_core, agent)
        wait_s = await _try_core(agent, parts)
        app = make_app(agent, settings.bridge, tokens, clock, settings.pages, _frontol(agent, tokens), parts.levers)
        port = await _start_bridge(agent, app, stack)
        stack.enter_context(told_ready(state_dir / RUNNING_FILE, port, must=False))
        start_scanners(agent, parts, stack)
        _start_reports(agent, state_dir, stack)
        _keep(stack, "core", _bring_up(agent, parts, wait_s))
        _keep(stack, "housekeeping", _keep_house(agent))
        _keep(stack, "heartbeat", agent.beating.run())
        if start is not None:
            _keep(stack, "policy", agent.keep_policy(state_dir))
            await agent.keep_last_good(state_dir)
        _keep(stack, "conduct", _watch_conduct(agent))
        _keep(stack, "warm-up", _warm_up())
        _keep(stack, "retention", retention.keep(agent))
        yield RunningAgent(agent, port, state_dir)


def _keep_log(agent: Agent, stack: AsyncExitStack) -> None:
    """The newest lines of the log, for the page of store IT."""
    root = logging.getLogger()
    root.addHandler(agent.tail)
    stack.callback(root.removeHandler, agent.tail)


async def _own(state_dir: Path, clock: Clock, stack: AsyncExitStack) -> None:
    """Lock the state directory; a command that just looks whether an agent runs holds the lock for a moment."""
    for left in reversed(range(LOCK_TRIES)):
        try:
            stack.enter_context(StateDir(state_dir))
        except AlreadyRunningError:
            if not left:
                raise
            await clock.sleep(LOCK_PAUSE_S)
        else:
            return


def _frontol(agent: Agent, tokens: Tokens) -> Callable[[RateLimiter], ASGIApp] | None:
    """Frontol's Priority API, where Frontol has an access key: who has none loads nothing of it."""
    settings = agent.settings
    if not settings.frontol.access_client:
        return None
    from till_agent.frontol.app import FrontolApp

    return lambda limits: FrontolApp(
        agent,
        tokens,
        limits=limits,
        life_s=settings.frontol.receipt_life_s,
        prints=settings.slips.print,
        body_limit_bytes=settings.bridge.body_limit_bytes,
        read_timeout_ms=settings.bridge.read_timeout_ms,
    )


async def _start_bridge(agent: Agent, app: Guard, stack: AsyncExitStack) -> int:
    server = BridgeServer(app, port=agent.settings.bridge.port, on_ready=app.serve_on, on_refused=agent.refused)
    try:
        port = await server.start()
    except OSError as exc:
        raise AgentStartError(
            f"expected to listen on 127.0.0.1:{agent.settings.bridge.port}: {exc.strerror or exc}; another program has "
            "the port: stop it, or set bridge.port"
        ) from exc

    async def stop() -> None:
        # Streams end first: the server would wait for them.
        agent.events.close()
        await server.stop()

    stack.push_async_callback(stop_part, "bridge", stop)
    return port


def _start_reports(agent: Agent, state_dir: Path, stack: AsyncExitStack) -> None:
    """Watch Frontol's sales reports, where there are any: who has none loads nothing of it."""
    if not agent.settings.frontol.reports:
        return
    from till_agent.frontol_files.watching import ReportWatch

    agent.reports = ReportWatch(
        agent.settings.frontol.reports,
        state_dir,
        core=lambda: agent.open_core,
        clock=agent.clock,
        committed=agent.committed,
    )
    _keep(stack, "sales reports", agent.reports.run())


async def _try_core(agent: Agent, parts: LiveParts) -> float:
    """Open the core if there is an identity and a disk; gives the seconds until the next try, 0 when it is up."""
    around = parts.around
    if around is None:
        raise RuntimeError("expected parts that know their surroundings")
    gone = retired(around.identity_path.parent)
    if gone is not None:
        agent.put_core(None, not_ready="till_retired", detail=gone.file)
        return TRY_AGAIN_S
    try:
        identity = load_identity(around.identity_path)
        agent.identity = identity
        core = await _open_or_stand_in(identity, around)
    except IdentityMissing:
        agent.put_core(None, not_ready="till_not_enrolled")
        return LOOK_FOR_IDENTITY_S
    except IdentityError as exc:
        log.error("the identity can't be used: %s", exc)  # noqa: TRY400 - says it all
        agent.put_core(None, not_ready="identity_unusable", detail=str(exc))
        return TRY_AGAIN_S
    if isinstance(core, WithoutDisk):
        agent.put_core(None, not_ready="journal_unavailable", detail=core.why, without_disk=core)
        return TRY_AGAIN_S
    agent.put_core(core)
    core.start_sync()
    return 0


async def _open_or_stand_in(identity: Identity, around: Surroundings) -> Core | WithoutDisk:
    try:
        return await open_core(identity, around)
    except (JournalUnavailable, JournalCorrupt) as exc:
        log.error("the journal can't be opened: %s", exc)  # noqa: TRY400 - says it all
        return WithoutDisk(identity, around, str(exc))


async def _bring_up(agent: Agent, parts: LiveParts, wait_s: float) -> None:
    """Try again until the core is up; once up it stays."""
    while wait_s:
        await agent.clock.sleep(wait_s)
        wait_s = await _try_core(agent, parts)
    log.info("sales are taken", extra={"till": agent.identity.till if agent.identity else ""})


async def _stop_core(agent: Agent) -> None:
    core = agent.open_core
    agent.put_core(None, not_ready="stopping")
    if core is not None:
        await core.stop()


async def _keep_house(agent: Agent) -> None:
    """Give back holds that no sale can use and grants that ended, and tell every problem once when it comes up."""
    while True:
        core = agent.open_core
        if core is not None:
            core.giving.wake()
            if await release_abandoned(core.desk):
                agent.committed()
        await agent.disk.look()
        agent.look()
        await agent.clock.sleep(HOUSEKEEPING_S)


async def _watch_conduct(agent: Agent) -> None:
    """Read on in the journal for what a person should look at, well after the start and never in a hurry."""
    while True:
        await agent.clock.sleep(CONDUCT_S)
        core = agent.open_core
        if core is not None:
            # What is wrong with the journal is told by those who can't do without it.
            with contextlib.suppress(JournalUnavailable, JournalCorrupt):
                await core.conduct.look(CONDUCT_PAUSE_S)


async def _warm_up() -> None:
    """Load what the first scan and the first slip need, after the start, so that no customer waits for it."""
    await asyncio.to_thread(_load_slow_parts)


async def _keep_small(agent: Agent) -> None:
    """Let go of what the start and the first exchange with the cloud have used, then of what is used now and then."""
    await asyncio.to_thread(keep_big_apart)
    await agent.clock.sleep(SETTLE_S)
    settle()
    resting, looks = Resting(), itertools.count(1)
    while True:
        await agent.clock.sleep(LOOK_S)
        resting.look()
        if next(looks) % GIVE_BACK_LOOKS == 0:
            if agent.open_core is not None:
                agent.open_core.cache.give_back()
            await asyncio.to_thread(give_back)


def _load_slow_parts() -> None:
    import phonenumbers  # noqa: F401 - loaded for its effect on the next import

    from till_agent.slips.packaged import prepare

    prepare()


def _keep(stack: AsyncExitStack, name: str, work: Coroutine[Any, Any, None]) -> None:
    """Run `work` beside the agent until it ends or the agent stops; a failure is logged, never silent."""
    task = asyncio.create_task(work, name=name)
    task.add_done_callback(_say_failure)
    stack.push_async_callback(_end, task)


def _say_failure(task: "asyncio.Task[None]") -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("%s has failed", task.get_name(), exc_info=error)


async def _end(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.wait({task}, timeout=STOP_TIMEOUT_S)


@contextlib.contextmanager
def _signals(stop: asyncio.Event) -> Iterator[None]:
    """SIGTERM and SIGINT set `stop`; Windows has SIGBREAK for the former."""
    loop = asyncio.get_running_loop()
    numbers = [signal.SIGINT, signal.SIGTERM]
    if sys.platform == "win32":
        numbers.append(signal.SIGBREAK)
    before = {number: signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop.set)) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
