"""The real transport: one pooled httpx client. httpx is loaded at the first exchange, not at the agent's start."""

import asyncio
import contextlib
import importlib
import logging
import ssl
import sys
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from till_sync.exceptions import CloudUnreachable, NotOurCloud
from till_sync.transport import Reply

if TYPE_CHECKING:
    import httpx

log = logging.getLogger(__name__)

CONNECT_TIMEOUT_MS = 3_000
REQUEST_TIMEOUT_MS = 10_000

MAX_CONNECTIONS = 4
"""One for push and pull, one for a hold meanwhile, and two for those that are just being closed."""

KEEP_ALIVE_S = 10.0
"""Shorter than the 15 s after which our cloud closes an idle connection, so that we seldom write into a closed one."""

USER_AGENT = "tillside"

_import_lock = threading.Lock()


class HttpxTransport:
    """Implements `till_sync.transport.Transport` for one cloud at `url` (`https://host[:port][/prefix]`).

    ValueError when `url` is something else. HTTPS is checked against the system's trust store unless `ssl_context` is
    given. Environment variables for proxies are not read: a daemon has no user whose settings they would be.
    """

    def __init__(
        self,
        url: str,
        *,
        connect_timeout_ms: int = CONNECT_TIMEOUT_MS,
        request_timeout_ms: int = REQUEST_TIMEOUT_MS,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self._base = _checked(url)
        self._connect_s = connect_timeout_ms / 1000
        self._request_s = request_timeout_ms / 1000
        self._ssl = ssl_context
        self._client: httpx.AsyncClient | None = None

    def use(self, *, connect_timeout_ms: int, request_timeout_ms: int) -> None:
        """Other times, from the next exchange on."""
        self._connect_s, self._request_s = connect_timeout_ms / 1000, request_timeout_ms / 1000
        if self._client is not None:
            self._client.timeout = (self._connect_s, self._request_s, self._request_s, self._request_s)

    async def exchange(
        self, method: str, path: str, *, headers: Mapping[str, str], body: bytes, answer_limit_bytes: int
    ) -> Reply:
        """One request and its whole answer; errors as `Transport` says."""
        client = self._client
        if client is None:
            await asyncio.to_thread(load_httpx)
            client = self._open()
        import httpx

        try:
            async with client.stream(method, self._base + path, headers=dict(headers), content=body or None) as answer:
                reply = await _read(answer, answer_limit_bytes)
        except httpx.TimeoutException as error:
            raise CloudUnreachable(f"no answer in time ({type(error).__name__})", code="timeout") from error
        except httpx.HTTPError as error:
            if _is_certificate_error(error):
                raise NotOurCloud(f"the certificate is refused: {error}", code="certificate_refused") from error
            raise CloudUnreachable(f"no connection or no whole answer ({type(error).__name__}: {error})") from error
        return reply

    async def close(self) -> None:
        """Close the pool; a later exchange opens another."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    def _open(self) -> "httpx.AsyncClient":
        import httpx

        if self._client is None:
            verify: ssl.SSLContext | bool = self._ssl or True
            if self._ssl is None and self._base.startswith("https:"):
                import truststore

                verify = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            elif self._base.startswith("http:"):
                verify = False  # no TLS at all: spares loading the CA bundle
            self._client = httpx.AsyncClient(
                verify=verify,
                trust_env=False,
                follow_redirects=False,
                timeout=httpx.Timeout(self._request_s, connect=self._connect_s),
                limits=httpx.Limits(
                    max_connections=MAX_CONNECTIONS,
                    max_keepalive_connections=MAX_CONNECTIONS,
                    keepalive_expiry=KEEP_ALIVE_S,
                ),
                headers={"User-Agent": USER_AGENT, "Accept-Encoding": "identity"},
            )
        return self._client


def load_httpx() -> None:
    """Import httpx without its command line, which would bring rich and pygments: 7 MB and two thirds of the time.

    And what httpx would import with the first exchange, on the loop: 50 ms in which a sale waits.
    """
    with _import_lock:
        if "httpx" in sys.modules:
            return
        name = "httpx._main"
        # None makes Python raise ImportError, which httpx expects where its command line's needs are not installed.
        sys.modules[name] = None  # type: ignore[assignment]
        try:
            import httpx  # noqa: F401 - for its effect on sys.modules
        finally:
            sys.modules.pop(name, None)
        for used in ("httpcore", "anyio._backends._asyncio"):
            with contextlib.suppress(ImportError):  # another release may have other parts
                importlib.import_module(used)


async def _read(answer: "httpx.Response", limit_bytes: int) -> Reply:
    body = bytearray()
    async for chunk in answer.aiter_raw():
        body += chunk
        if len(body) > limit_bytes:
            raise NotOurCloud(f"expected an answer of at most {limit_bytes} bytes", code="answer_too_large")
    return Reply(answer.status_code, {name.lower(): value for name, value in answer.headers.items()}, bytes(body))


def _checked(url: str) -> str:
    try:
        parts = urlsplit(url)
        fits = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        raise ValueError(f"expected https://host[:port][/path], not {url!r}") from None
    if not fits or parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError(f"expected https://host[:port][/path], not {url!r}")
    if parts.scheme == "http" and parts.hostname not in ("127.0.0.1", "::1", "localhost"):
        log.warning("The cloud's address is not https: the till's token goes over the network in clear")
    return url.rstrip("/")


def _is_certificate_error(error: BaseException) -> bool:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return True
        cause = cause.__cause__ or cause.__context__
    return False
