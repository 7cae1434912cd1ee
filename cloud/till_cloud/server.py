"""The cloud as a process: one centre, one app, one server; started in order, stopped in reverse."""

import asyncio
import contextlib
import gc
import logging
import os
import signal
from collections.abc import Sequence
from pathlib import Path

import msgspec

from till_cloud.app import CloudApp
from till_cloud.busy import Busy
from till_cloud.centre import Centre
from till_cloud.jobs.service import JobsService
from till_cloud.jobs.snapshots import SnapshotService
from till_cloud.phone_costs import USUAL_COST
from till_cloud.sending import CodeSender
from till_sync.http.serving import Server

log = logging.getLogger(__name__)

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 17580

MAX_CONNECTIONS = 12_000
"""A chain of 5,000 tills with a long poll and a push each, and room for those that come back after an outage."""

STOP_GRACE_MS = 5_000
"""Time for batches under way at a stop: the largest takes under a second, and what is cut comes again."""


class CloudServer:
    """A centre served over HTTP. `start` answers the port; `stop` ends everything, the centre too; twice is once.

    `send_codes` is the command that sends one-time codes, "" for none; `metrics_token` opens `/metrics`, "" for nobody.
    """

    def __init__(
        self,
        centre: Centre,
        *,
        hosts: Sequence[str] = (DEFAULT_HOST,),
        port: int = 0,
        busy: Busy | None = None,
        send_codes: str = "",
        metrics_token: str = "",
        updates: Path | None = None,
    ) -> None:
        self.centre = centre
        self._metrics_token = metrics_token
        self._updates = updates
        self._busy = busy
        self._send_codes = send_codes
        self._hosts = hosts
        self._port = port
        self._app: CloudApp | None = None
        self._server: Server | None = None

    async def start(self) -> int:
        """Bind and serve; OSError when an address can't be had, and then nothing stays open but the centre."""
        sender = CodeSender.of(self._send_codes) if self._send_codes else None
        app = CloudApp(
            self.centre, busy=self._busy, sender=sender, metrics_token=self._metrics_token, updates=self._updates
        )
        server = Server(app.asgi(), hosts=self._hosts, port=self._port, max_connections=MAX_CONNECTIONS)
        try:
            port = await server.start()
        except BaseException:
            await app.close()
            raise
        self._app, self._server = app, server
        return port

    async def stop(self) -> None:
        app, server = self._app, self._server
        self._app = self._server = None
        try:
            if app is not None:
                await app.close()
            if server is not None:
                await server.stop(grace_ms=STOP_GRACE_MS)
        finally:
            await asyncio.to_thread(self.centre.close)


YOUNG_OBJECTS = 20_000
"""New objects before Python looks for cycles among them (700 by default). A batch makes half a million and no cycle:
looking less often is worth 8 % of the drain.
"""


async def serve(
    path: Path,
    *,
    hosts: Sequence[str],
    port: int,
    ready_file: Path | None,
    send_codes: str = "",
    metrics_token: str = "",
    updates: Path | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT."""
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, 10, 10)
    stop = asyncio.Event()
    _stop_on_signals(stop)
    server = CloudServer(
        # A chain may begin by being served.
        Centre(path, phone_cost=USUAL_COST),
        hosts=hosts,
        port=port,
        send_codes=send_codes,
        metrics_token=metrics_token,
        updates=updates,
    )
    jobs = JobsService(server.centre)
    snapshots = SnapshotService(server.centre)
    try:
        bound = await server.start()
        if ready_file is not None:
            _tell_ready(ready_file, bound)
        jobs.start()
        snapshots.start()
        await stop.wait()
        log.info("Stopping")
    finally:
        await snapshots.stop()
        await jobs.stop()
        await server.stop()
        if ready_file is not None:
            _take_back_ready(ready_file)


def _tell_ready(path: Path, port: int) -> None:
    """Written aside and renamed, so that nobody reads half of it."""
    aside = path.with_name(path.name + ".new")
    aside.write_bytes(msgspec.json.encode({"port": port, "pid": os.getpid()}))
    aside.replace(path)


def _take_back_ready(path: Path) -> None:
    with contextlib.suppress(OSError):  # it may never have been written
        path.unlink(missing_ok=True)


def _stop_on_signals(stop: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        try:
            loop.add_signal_handler(number, stop.set)
        except NotImplementedError:
            # Windows: the handler runs in the main thread between two bytecodes and has to wake the loop itself.
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop.set))
