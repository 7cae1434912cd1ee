"""The HTTP server of bridge and cloud: uvicorn's protocol on our own sockets, inside a running loop."""

import asyncio
import contextlib
import errno
import logging
import socket
import ssl
import sys
from collections.abc import Callable, Sequence

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.server import ServerState

from till_sync.http.protocol import HeadWatch, LimitedProtocol

log = logging.getLogger(__name__)

LOOPBACK = ("127.0.0.1", "::1")

KEEP_ALIVE_S = 15
"""Idle time of a connection: longer than the pause between two scans, shorter than what piles up idle sockets."""

STOP_GRACE_MS = 3_000
"""Time that requests under way get at a stop; then their connections are cut."""

LAST_WAIT_S = 1.0
"""For cancelled requests to clean up after themselves."""

MAX_CONNECTIONS = 1024
"""Connections at once; each takes about 10 KB, and a till has a handful of clients."""

BACKLOG = 512
"""Connections that the kernel keeps for us while the loop is busy."""

PORT_ATTEMPTS = 20
"""With port 0: how many ports to try until one is free on every host."""

_NO_IPV6 = frozenset({errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL})


class Server:
    """Serves `app` on each of `hosts` at one port (0: any free one). Signals and app lifespans are the caller's matter.

    `start` raises OSError when an address can't be had; an IPv6 address is left out where the machine has no IPv6,
    unless it is the only one.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        hosts: Sequence[str] = LOOPBACK,
        port: int = 0,
        on_ready: Callable[[int], None] | None = None,
        keep_alive_s: int = KEEP_ALIVE_S,
        max_connections: int = MAX_CONNECTIONS,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self._hosts = tuple(hosts)
        self._wanted_port = port
        self._on_ready = on_ready
        self._ssl = ssl_context
        self._max_connections = max_connections
        self._app = app
        self._stopping = False
        self._config = uvicorn.Config(
            self._serve_one,
            http=LimitedProtocol,
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            proxy_headers=False,
            timeout_keep_alive=keep_alive_s,
        )
        # Its protocol words two lines about each connection for whoever wants all of it, which a logger without a level
        # of its own seems to.
        logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
        self._state = ServerState()
        self._heads = HeadWatch(self._state.connections)
        self._listeners: list[asyncio.Server] = []
        self._addresses: list[tuple[str, int]] = []

    @property
    def port(self) -> int:
        """The port that is served; RuntimeError before `start`."""
        if not self._addresses:
            raise RuntimeError("expected a started server")
        return self._addresses[0][1]

    @property
    def addresses(self) -> tuple[tuple[str, int], ...]:
        """Every (host, port) that is served."""
        return tuple(self._addresses)

    async def start(self) -> int:
        """Bind and serve; answers the port. On failure nothing stays open."""
        if self._listeners:
            raise RuntimeError("expected a stopped server")
        self._stopping = False
        if not self._config.loaded:
            self._config.load()
        sockets = _bind_all(self._hosts, self._wanted_port)
        loop = asyncio.get_running_loop()
        try:
            for listener in sockets:
                server = await loop.create_server(self._protocol, sock=listener, backlog=BACKLOG, ssl=self._ssl)
                self._listeners.append(server)
        except BaseException:
            for listener in sockets:
                listener.close()
            await self.stop(grace_ms=0)
            raise
        self._addresses = [listener.getsockname()[:2] for listener in sockets]
        log.info("Serving on %s", ", ".join(f"{host} port {port}" for host, port in self._addresses))
        if self._on_ready is not None:
            self._on_ready(self.port)
        return self.port

    async def stop(self, *, grace_ms: int = STOP_GRACE_MS) -> None:
        """Take no more connections, let requests under way finish for `grace_ms`, then cut them. Safe to call twice."""
        self._stopping = True
        for server in self._listeners:
            server.close()
        self._listeners.clear()
        for connection in list(self._state.connections):
            connection.shutdown()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace_ms / 1000):
                await self._drained()
        cut = len(self._state.connections)
        if cut:
            log.warning("Cutting %d connections that were not through within %d ms", cut, grace_ms)
        for connection in list(self._state.connections):
            if connection.transport is not None:
                connection.transport.abort()
        # Aborted transports tell their protocols in the loop's next round.
        await asyncio.sleep(0)
        left = list(self._state.tasks)
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left, timeout=LAST_WAIT_S)
        self._addresses.clear()

    async def _serve_one(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._app(scope, receive, send)
        except asyncio.CancelledError:
            # `stop` cut this request and has said so; uvicorn would log it as a defect of the application.
            if not self._stopping:
                raise

    async def _drained(self) -> None:
        while self._state.tasks or self._state.connections:  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0.01)

    def _protocol(self) -> asyncio.Protocol:
        return LimitedProtocol(
            config=self._config, server_state=self._state, heads=self._heads, max_connections=self._max_connections
        )


def _bind_all(hosts: Sequence[str], port: int) -> list[socket.socket]:
    """Sockets on every host at one port; with port 0, the first host's choice that is free on the others too."""
    attempts = PORT_ATTEMPTS if port == 0 and len(hosts) > 1 else 1
    for attempt in range(1, attempts + 1):
        sockets: list[socket.socket] = []
        try:
            for host in hosts:
                chosen = sockets[0].getsockname()[1] if port == 0 and sockets else port
                bound = _bind(host, chosen, optional=len(hosts) > 1)
                if bound is not None:
                    sockets.append(bound)
        except OSError as error:
            for opened in sockets:
                opened.close()
            if error.errno == errno.EADDRINUSE and attempt < attempts:
                continue
            raise
        else:
            return _at_least_one(sockets, hosts)
    raise OSError(errno.EADDRINUSE, "no port is free on every host")


def _at_least_one(sockets: list[socket.socket], hosts: Sequence[str]) -> list[socket.socket]:
    if not sockets:
        raise OSError(errno.EADDRNOTAVAIL, f"none of {', '.join(hosts)} is an address of this machine")
    return sockets


def _bind(host: str, port: int, *, optional: bool) -> socket.socket | None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        # By its protocol asyncio knows to set TCP_NODELAY on what is accepted, but for Windows: without that an answer
        # written in two parts waits for the client's delayed acknowledgement, 40 ms on each.
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    except OSError as error:
        if optional and family == socket.AF_INET6 and error.errno in _NO_IPV6:
            return None
        raise
    try:
        if sys.platform == "win32":
            # Windows lets another program take over a port that was bound without this.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind((host, port))
        listener.setblocking(False)  # noqa: FBT003 - its only argument
    except OSError as error:
        listener.close()
        if optional and family == socket.AF_INET6 and error.errno in _NO_IPV6:
            log.info("Not serving on %s: this machine has no IPv6", host)
            return None
        raise
    return listener
