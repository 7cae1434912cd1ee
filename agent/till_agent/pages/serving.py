"""The pages over HTTP: packaged files, each with an ETag and with headers that leave a browser little to do wrong.

No file is personal, so none needs a token (the guard has looked at peer, Host and Origin before). What a page shows, it
asks of `/v1` with the token of its browser.
"""

import asyncio
import logging
import time
from collections.abc import Mapping

from starlette.types import Receive, Scope, Send

from till_agent.bridge.answers import problem_answer, send_answer
from till_agent.bridge.endpoint import Observer
from till_agent.pages.library import INDEX, Asset, Library
from till_config.settings_frontol import PageSettings
from till_sync.problems import Problem

log = logging.getLogger(__name__)

PAGE_ROOTS = ("panel", "status", "client", "common")
"""First parts of the paths that are served: two pages, the client kit, and what both pages share."""

OPERATION = "page"
"""One label for all files in the figures: which file it was tells nobody anything."""

_POLICY = (
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    "connect-src 'self'",
    "font-src 'self'",
    "form-action 'none'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
    # Text that becomes HTML or code is refused by the browser itself, whatever a page of ours does.
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
)
CONTENT_SECURITY_POLICY = "; ".join(_POLICY)

_HEADERS = [
    # A page is asked for anew each time, and answered 304: after an upgrade nobody works with half an old page.
    (b"cache-control", b"no-cache"),
    (b"content-security-policy", CONTENT_SECURITY_POLICY.encode()),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=(), serial=(), usb=()"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
]


class Pages:
    """An ASGI application for the paths below `PAGE_ROOTS`."""

    def __init__(self, settings: PageSettings, observer: Observer, library: Library | None = None) -> None:
        self.use(settings)
        self._observer = observer
        self._library = library or Library()

    def use(self, settings: PageSettings) -> None:
        """Which pages are on, from the next request on."""
        on = {"panel": settings.panel, "status": settings.status}
        self._off = frozenset(name for name, is_on in on.items() if not is_on)
        if len(self._off) == len(on):
            # No page is left that would need these.
            self._off |= {"common"}

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        status = 500
        try:
            status = await self._serve(scope, send)
        finally:
            self._observer.answered(OPERATION, status, time.perf_counter() - started)

    async def _serve(self, scope: Scope, send: Send) -> int:
        root, slash, rest = scope["path"].removeprefix("/").partition("/")
        if root in self._off:
            return await self._refuse(send, f"expected a page that is on, not {root}: see `pages.{root}`")
        if root in ("panel", "status") and not slash:
            # Relative addresses in the page hang on the slash.
            return await _send(send, 308, [(b"location", f"/{root}/".encode()), (b"content-length", b"0")])
        asset = await self._find(f"{root}/{rest or INDEX}")
        if asset is None:
            return await self._refuse(send, "expected the path of a page's file")
        return await _send_asset(scope, send, asset)

    async def _find(self, path: str) -> Asset | None:
        found = self._library.known(path)
        if found is not None:
            return found
        try:
            return await asyncio.to_thread(self._library.find, path)
        except OSError as exc:
            log.warning("a page's file can't be read: %s", exc)
            return None

    async def _refuse(self, send: Send, detail: str) -> int:
        problem = Problem(status=404, code="not_found", detail=detail)
        answer = problem_answer(problem, cashier=self._observer.cashier(problem.code, problem.status))
        await send_answer(send, answer)
        return answer.status


async def _send_asset(scope: Scope, send: Send, asset: Asset) -> int:
    headers = [(b"etag", asset.etag), (b"content-type", asset.media_type)]
    if _has(dict(scope["headers"]), asset.etag):
        return await _send(send, 304, headers)
    headers.append((b"content-length", str(len(asset.body)).encode()))
    return await _send(send, 200, headers, b"" if scope["method"] == "HEAD" else asset.body)


async def _send(send: Send, status: int, headers: list[tuple[bytes, bytes]], body: bytes = b"") -> int:
    await send({"type": "http.response.start", "status": status, "headers": [*headers, *_HEADERS]})
    await send({"type": "http.response.body", "body": body})
    return status


def _has(headers: Mapping[bytes, bytes], etag: bytes) -> bool:
    """Whether the browser has these bytes: If-None-Match lists tags, each perhaps called weak (RFC 9110)."""
    listed = headers.get(b"if-none-match", b"")
    return any(tag.strip().removeprefix(b"W/") in (etag, b"*") for tag in listed.split(b",")) if listed else False
