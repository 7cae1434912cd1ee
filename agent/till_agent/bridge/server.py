"""The bridge's own connections: refusals below HTTP are counted too, and a stream may be cut by its handler."""

import asyncio
import itertools
from collections.abc import Callable
from typing import Any

from starlette.types import ASGIApp

from till_agent.bridge.answers import ALWAYS_LINES
from till_agent.bridge.at_once import lend
from till_agent.bridge.guard import ABORT_KEY, KNOWN_KEY
from till_agent.bridge.limits import CONNECTION_LIMIT
from till_sync.http.protocol import LimitedProtocol
from till_sync.http.serving import Server
from till_sync.problems import Problem

_ages = itertools.count(1)


class BridgeProtocol(LimitedProtocol):
    """Counts what the parser refuses, refuses targets that are not a path, and lends out the connection's cut."""

    on_refused: Callable[[str], None]
    refusal_headers = ALWAYS_LINES
    is_known = False
    """Whether a known client has called by this connection."""
    since = 0
    """Its place among all connections by their age."""
    _is_head = True

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        # Reason: as uvicorn's own signature, narrower than asyncio's.
        self.since = next(_ages)
        super().connection_made(transport)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        scope: Any = self.scope
        scope[ABORT_KEY] = self.transport.abort
        scope[KNOWN_KEY] = self._known
        self._is_head = True

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._is_head:
            super().on_header(name, value)
            return
        # Headers behind the body would stand among those that the guard has looked at, or is about to look at.
        self._refuse(Problem(status=400, code="request_malformed", detail="expected no headers behind the body"))

    def _known(self) -> None:
        self.is_known = True

    def _make_room(self) -> bool:
        """Cut the oldest connection by which nobody known has called: a program that opens many and says nothing does
        not keep the cash software out, whose request comes at once.
        """
        idle = (each for each in self.connections if isinstance(each, BridgeProtocol) and not each.is_known)
        free = (each for each in idle if each is not self and not each.transport.is_closing())
        oldest = min(free, key=lambda each: each.since, default=None)
        if oldest is None:
            return False
        self.on_refused("connection_cut")
        oldest.transport.abort()
        return True

    def on_headers_complete(self) -> None:
        self._is_head = False
        # The parser is there as long as the connection is, and it is the parser that calls.
        if (
            self.parser is not None
            and self.parser.get_http_version() not in ("1.0", "1.1")
            and not self.transport.is_closing()
        ):
            self._refuse(Problem(status=400, code="request_malformed", detail="expected HTTP/1.1"))
            return
        if not self.url.startswith(b"/") and not self.transport.is_closing():
            # `GET http://evil/ HTTP/1.1` names a host that nothing after the parser would see.
            self._refuse(Problem(status=400, code="target_not_path", detail="expected a path as the request's target"))
            return
        super().on_headers_complete()
        cycle = self.cycle
        if cycle is not None and cycle.scope is self.scope:
            lend(cycle.scope, cycle)

    def _refuse(self, problem: Problem) -> None:
        # What was refused may go on to offend while the connection closes; it is refused once.
        if not self.transport.is_closing():
            self.on_refused(problem.code)
            super()._refuse(problem)


class BridgeServer(Server):
    """Serves on 127.0.0.1 and ::1 only."""

    def __init__(
        self, app: ASGIApp, *, port: int, on_ready: Callable[[int], None], on_refused: Callable[[str], None]
    ) -> None:
        super().__init__(app, port=port, on_ready=on_ready, max_connections=CONNECTION_LIMIT)
        self._on_refused = on_refused

    def _protocol(self) -> asyncio.Protocol:
        protocol = BridgeProtocol(
            config=self._config, server_state=self._state, heads=self._heads, max_connections=self._max_connections
        )
        protocol.on_refused = self._on_refused
        return protocol
