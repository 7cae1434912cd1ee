"""Who may call: the first thing that sees a request, before any of it is read or routed.

Pure ASGI. A request that is refused here has run no handler, has been counted by reason, and gets a problem.
"""

from collections.abc import Callable, MutableMapping
from typing import Any, Protocol

from msgspec import Struct
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from till_agent.bridge.answers import NO_CONTENT, Answer, as_asked, guarded, problem_answer, send_answer
from till_agent.bridge.at_once import ANSWER_KEY
from till_agent.bridge.checks import (
    ALLOWED_REQUEST_HEADERS,
    SAFE_METHODS,
    Headers,
    Refusal,
    allowed_hosts,
    check_framing,
    check_host,
    check_method,
    check_no_page,
    check_origin,
    check_path,
    check_peer,
    check_post,
    read_headers,
)
from till_agent.bridge.limits import ANONYMOUS, HEALTH, PAGES, PAIRING, RateLimiter
from till_agent.bridge.tokens import Client, Tokens
from till_sync.problems import Problem

PREFLIGHT_MAX_AGE_S = 600
"""How long a page may remember that it may call: a change of `allowed_origins` counts after ten minutes at most."""

WHERE = "`tillside agent token NAME` says where it is kept"

ABORT_KEY = "tillside.abort"
"""In the ASGI scope: cuts the connection at once."""

KNOWN_KEY = "tillside.known"
"""In the ASGI scope: tells the connection that a known client has called by it."""

HEADERS_KEY = "tillside.headers"
"""In the ASGI scope: the headers by lower-case name, as the guard has checked them."""

CLIENT_KEY = "tillside.client"
"""Where the known caller stands in the ASGI scope; None on paths that are open."""

FRONTOL_ROOT = "/frontol/"
"""What is below it is called by Frontol, which proves itself by a digest of key and body: its application looks."""
PAIRING_PATH = "/v1/pairing"
"""Open, but to pages of the bridge itself alone."""
EVENTS_PATH = "/v1/events"
"""An answer that goes on for long, perhaps beyond the life of the token that it was asked for with."""


class RefusalLog(Protocol):
    """Counts what was refused, by reason, and says what the cashier should be told."""

    def refused(self, reason: str) -> None: ...
    def cashier(self, code: str, status: int) -> str: ...


class _Stream(Struct, frozen=True, eq=False):
    """An answer that goes on, and how it is cut."""

    authorization: bytes
    abort: Callable[[], None]


class Guard:
    """Lets through what comes from this machine, by our own name, from a known program, in a known shape, in time.

    `open_paths` need no token (health), nor does a GET of the pages' files below `page_roots` (`panel`). Nothing passes
    before `serve_on` has told the port.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        tokens: Tokens,
        limiter: RateLimiter,
        allowed_origins: tuple[str, ...],
        open_paths: frozenset[str],
        body_limit_bytes: int,
        refusals: RefusalLog,
        page_roots: tuple[str, ...] = (),
    ) -> None:
        self._app = app
        self._tokens = tokens
        self._limiter = limiter
        self.allow(allowed_origins)
        self._open_paths = open_paths
        self._pages = tuple(f"/{root}/" for root in page_roots)
        self._body_limit_bytes = body_limit_bytes
        self._refusals = refusals
        self._hosts: frozenset[bytes] = frozenset()
        self._streams: list[_Stream] = []
        tokens.on_end.append(self._end_streams)

    def allow(self, origins: tuple[str, ...]) -> None:
        """Pages of these origins may call from the next request on, and no others."""
        self._origins = frozenset(origin.encode("latin-1") for origin in origins)

    def serve_on(self, port: int) -> None:
        """The port that callers must name in Host."""
        self._hosts = allowed_hosts(port)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            # The server takes neither WebSockets nor lifespan; whatever else comes here is not ours.
            self._refusals.refused("not_http")
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1008})
            return
        send = guarded(send)
        headers = read_headers(scope["headers"])
        if isinstance(headers, Refusal):
            await self._refuse(send, headers)
            return
        refusal = self._check_caller(scope, headers)
        if refusal is not None:
            await self._refuse(send, refusal, headers)
            return
        origin = headers.get(b"origin")
        if origin is not None and origin in self._origins:
            send = _telling_origin(send, origin)
            scope.pop(ANSWER_KEY, None)  # it would not tell
            if scope["method"] == "OPTIONS" and b"access-control-request-method" in headers:
                await send_answer(send, _preflight(headers))
                return
        refusal = self._check_request(scope, headers)
        if refusal is not None:
            await self._refuse(send, refusal, headers)
            return
        scope[HEADERS_KEY] = headers
        abort = scope.get(ABORT_KEY)
        if scope["path"] != EVENTS_PATH or abort is None:
            await self._app(scope, receive, send)
            return
        stream = _Stream(authorization=headers.get(b"authorization", b""), abort=abort)
        self._streams.append(stream)
        try:
            await self._app(scope, receive, self._while_known(send, stream))
        finally:
            self._streams.remove(stream)

    def _check_caller(self, scope: Scope, headers: Headers) -> Refusal | None:
        path = scope["path"]
        refusal = (
            check_peer(scope.get("client"))
            or check_host(headers, self._hosts)
            or check_path(scope.get("raw_path") or b"", path)
        )
        if refusal is not None:
            return refusal
        if self._is_frontols(path):
            return check_no_page(headers)
        return check_origin(headers, self._origins, own_only=path == PAIRING_PATH)

    def _check_request(self, scope: MutableMapping[str, Any], headers: Headers) -> Refusal | None:
        method, path = scope["method"], scope["path"]
        refusal = check_post(method) if self._is_frontols(path) else check_method(headers, method)
        refusal = refusal or check_framing(headers, method, self._body_limit_bytes)
        if refusal is not None:
            return refusal
        scope[CLIENT_KEY] = None
        if self._is_frontols(path):
            # Who it is shows when the body is there; a limit before that would let any program use up Frontol's share.
            return None
        if method in SAFE_METHODS and f"{path}/".startswith(self._pages):
            return self._in_time(PAGES)
        client, refusal = self._identify(scope, headers)
        if refusal is not None:
            return refusal
        scope[CLIENT_KEY] = client
        return self._in_time(client.name if client else PAIRING if path == PAIRING_PATH else HEALTH)

    def _is_frontols(self, path: str) -> bool:
        return self._tokens.has_frontol and path.startswith(FRONTOL_ROOT)

    def _identify(self, scope: MutableMapping[str, Any], headers: Headers) -> tuple[Client | None, Refusal | None]:
        authorization = headers.get(b"authorization")
        if authorization is not None:
            client = self._tokens.find(authorization)
            if client is not None:
                tell = scope.get(KNOWN_KEY)
                if tell is not None:
                    tell()
                return client, None
            wait_ms = self._limiter.failed("token")
            if wait_ms:
                return None, _locked_out(wait_ms)
            return None, _unauthorized("token_unknown", f"expected the token of a configured client; {WHERE}")
        if scope["path"] in self._open_paths:
            return None, None
        missing = _unauthorized("token_missing", f"expected `Authorization: Bearer TOKEN`; {WHERE}")
        return None, self._in_time(ANONYMOUS) or missing

    def _in_time(self, bucket: str) -> Refusal | None:
        wait_ms = self._limiter.take(bucket)
        return _too_many(wait_ms) if wait_ms else None

    def _while_known(self, send: Send, stream: "_Stream") -> Send:
        """Wrap `send` so that an answer that goes on is cut once its token is known no more: one that is replaced ends
        by the clock, which tells nobody."""

        async def tell(message: Message) -> None:
            if self._goes_on(stream):
                await send(message)

        return tell

    def _end_streams(self) -> None:
        for stream in tuple(self._streams):
            self._goes_on(stream)

    def _goes_on(self, stream: "_Stream") -> bool:
        if self._tokens.find(stream.authorization) is not None:
            return True
        self._refusals.refused("token_ended")
        stream.abort()
        return False

    async def _refuse(self, send: Send, refusal: Refusal, headers: Headers | None = None) -> None:
        self._refusals.refused(refusal.reason)
        problem = Problem(
            status=refusal.status,
            code=refusal.reason,
            detail=refusal.detail,
            retryable=refusal.retryable,
            extras=refusal.extras,
        )
        cashier = self._refusals.cashier(refusal.reason, refusal.status)
        answer = problem_answer(problem, cashier=cashier, headers=refusal.headers)
        await send_answer(send, as_asked(answer, headers or {}))


def _unauthorized(reason: str, detail: str) -> Refusal:
    # Bearer alone is named: a browser that is told of Basic asks the cashier for a password.
    return Refusal(reason=reason, status=401, detail=detail, headers=(("WWW-Authenticate", 'Bearer realm="tillside"'),))


def _locked_out(wait_ms: int) -> Refusal:
    return Refusal(
        reason="locked_out",
        status=429,
        detail=f"expected a known token after so many unknown ones; {WHERE}",
        retryable=True,
        headers=(("Retry-After", str(-(-wait_ms // 1000))),),
        extras={"retry_after_ms": wait_ms},
    )


def _too_many(wait_ms: int) -> Refusal:
    return Refusal(
        reason="rate_limited",
        status=429,
        detail="expected fewer requests a second",
        retryable=True,
        headers=(("Retry-After", str(-(-wait_ms // 1000))),),
        extras={"retry_after_ms": wait_ms},
    )


def _preflight(headers: Headers) -> Answer:
    granted = [
        (b"access-control-allow-methods", b"GET, HEAD, POST, PUT, DELETE"),
        (b"access-control-allow-headers", ALLOWED_REQUEST_HEADERS.encode()),
        (b"access-control-max-age", str(PREFLIGHT_MAX_AGE_S).encode()),
    ]
    if headers.get(b"access-control-request-private-network") == b"true":
        granted.append((b"access-control-allow-private-network", b"true"))
    return Answer(b"", NO_CONTENT, headers=tuple(granted))


def _telling_origin(send: Send, origin: bytes) -> Send:
    """Wrap `send` so that the browser lets the page, whose origin is on the list, read the answer."""

    async def tell(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [
                *message["headers"],
                (b"access-control-allow-origin", origin),
                (b"access-control-expose-headers", b"Idempotent-Replay, Retry-After"),
                (b"vary", b"Origin"),
            ]
        await send(message)

    return tell
