"""Making a browser of this machine known: a one-time code, traded for a token of its own (docs/decisions, 0030).

Codes are in memory only, and few; of the tokens their hashes are kept, in `tokens/paired.json`.
"""

import asyncio
import hmac
import logging
import secrets
from pathlib import Path

import msgspec
from msgspec import Struct, structs

from till_agent.bridge import pairing_shapes
from till_agent.bridge.limits import RateLimiter
from till_agent.bridge.token_files import TOKEN_BYTES, narrow, write_private
from till_agent.bridge.tokens import Client, Tokens, digest
from till_agent.page_api import PageName, Paired, PairingCode
from till_config.settings_frontol import PageSettings
from till_sync.ports import Clock
from till_sync.problems import ProblemError

CODE_DIGITS = 8
"""Keyed in by hand where a browser can't be opened; with five tries a code, a guesser has one chance in 20 million."""
CODE_LIFE_MS = 300_000
"""From the command to the browser is a second; across the room, a minute or two."""
CODE_TRIES = 5
CODES_LIMIT = 4
"""Codes that are open at once, lest a guess hits any of many; the oldest ends."""
PAIRINGS_LIMIT = 32
"""Browsers: a till has one, a workstation of store IT two or three."""
FILE = "paired.json"
FILE_LIMIT_BYTES = 64 * 1024
"""32 browsers take 6 KB."""
NAME_LETTERS = 6
"""As many names as nobody mistakes for each other: 2 to the 30th."""
SCOPES: dict[PageName, frozenset[str]] = {
    "panel": frozenset({"sale", "register"}),
    "status": frozenset({"sale", "admin"}),
}
"""What each page needs and no more: the panel takes no admin's decisions, the status page registers nobody."""

_log = logging.getLogger(__name__)


class Browser(Struct, frozen=True, kw_only=True):
    """What is kept of a browser; `token` is the hash of its token, in hex."""

    client: str
    page: PageName
    token: str
    since_ms: int


class _Code(Struct, kw_only=True):
    page: PageName
    code: str
    until_ms: int
    tries: int = CODE_TRIES


class Pairing:
    """Codes that are open and browsers that are known. Used on the loop; the file is written in a thread."""

    def __init__(self, tokens: Tokens, limiter: RateLimiter, clock: Clock, pages: PageSettings) -> None:
        self._tokens = tokens
        self._limiter = limiter
        self._clock = clock
        self.use(pages)
        self._codes: list[_Code] = []
        self._lock = asyncio.Lock()
        self._path = tokens.folder.path / FILE if tokens.folder is not None else None
        self._browsers = _load(self._path) if self._path is not None else ()
        for browser in self._browsers:
            self._take_in(browser)

    def use(self, pages: PageSettings) -> None:
        """Which pages are on."""
        self._on = {"panel": pages.panel, "status": pages.status}

    def offer(self, page: PageName, origin: str) -> PairingCode:
        """A new code; `origin` is the bridge's by the name that the caller used. ProblemError 409 `page_off`."""
        if not self._on[page]:
            raise ProblemError(409, "page_off", f"expected a page that is on, not {page}: see `pages.{page}`")
        self._open_codes()
        del self._codes[: max(0, len(self._codes) - CODES_LIMIT + 1)]
        code = f"{secrets.randbelow(10**CODE_DIGITS):0{CODE_DIGITS}}"
        self._codes.append(_Code(page=page, code=code, until_ms=self._clock.mono_ms() + CODE_LIFE_MS))
        return PairingCode(page=page, code=code, url=f"{origin}/{page}/#code={code}", expires_in_ms=CODE_LIFE_MS)

    async def pair(self, said: str) -> Paired:
        """A token for who says an open code; it is durable before it is told.

        ProblemError 403 `pairing_code_wrong`, 429 `locked_out`, 409 `pairings_full`, 503 `pairing_unavailable`.
        """
        code = self._find(said)
        if code is None:
            raise self._wrong()
        if len(self._browsers) >= PAIRINGS_LIMIT:
            detail = f"expected fewer than {PAIRINGS_LIMIT} browsers: forget one by `tillside page forget NAME`"
            raise ProblemError(409, "pairings_full", detail)
        # Before anything is waited for: two who say it at once must not both have it.
        self._codes.remove(code)
        token = secrets.token_urlsafe(TOKEN_BYTES)
        browser = Browser(
            client=self._new_name(code.page),
            page=code.page,
            token=digest(token.encode()).hex(),
            since_ms=self._clock.wall_ms(),
        )
        async with self._lock:
            await self._keep((*self._browsers, browser))
        client = self._take_in(browser)
        _log.info("a browser is known from now on", extra={"client": browser.client})
        return Paired(client=browser.client, token=token, page=code.page, scopes=tuple(sorted(client.scopes)))

    def known(self) -> pairing_shapes.Pairings:
        """The browsers that are known."""
        seen = self._tokens.seen_ms
        return pairing_shapes.Pairings(
            pairings=tuple(
                pairing_shapes.Pairing(
                    client=each.client, page=each.page, since_ms=each.since_ms, seen_ms=seen.get(each.client, 0)
                )
                for each in self._browsers
            )
        )

    async def forget(self, name: str) -> None:
        """A browser's token counts no more. ProblemError 404 `pairing_unknown`, 503 `pairing_unavailable`."""
        if all(each.client != name for each in self._browsers):
            raise ProblemError(404, "pairing_unknown", "expected the name of a browser that is known")
        # At once, whatever the disk says; what it could not keep counts until the next start.
        self._tokens.unpair(name)
        self._limiter.drop(name)
        async with self._lock:
            await self._keep(tuple(each for each in self._browsers if each.client != name))
        _log.info("a browser is forgotten", extra={"client": name})

    def _find(self, said: str) -> _Code | None:
        self._open_codes()
        found: _Code | None = None
        for code in self._codes:
            if hmac.compare_digest(said.encode(), code.code.encode()):
                found = code
        if found is None:
            for code in self._codes:
                code.tries -= 1
        return found

    def _wrong(self) -> ProblemError:
        wait_ms = self._limiter.failed("pairing")
        if wait_ms:
            return ProblemError(
                429,
                "locked_out",
                "expected a right code after so many wrong ones",
                retryable=True,
                headers={"Retry-After": str(-(-wait_ms // 1000))},
                extras={"retry_after_ms": wait_ms},
            )
        detail = "expected a code that was made within five minutes, is not used and was not tried wrongly five times"
        return ProblemError(403, "pairing_code_wrong", detail)

    def _open_codes(self) -> None:
        now_ms = self._clock.mono_ms()
        self._codes = [code for code in self._codes if code.tries > 0 and now_ms < code.until_ms]

    def _new_name(self, page: PageName) -> str:
        taken = {*self._tokens.clients, *(each.client for each in self._browsers)}
        while True:
            name = f"{page}-" + "".join(secrets.choice("abcdefghijklmnopqrstuvwxyz234567") for _ in range(NAME_LETTERS))
            if name not in taken:
                return name

    def _take_in(self, browser: Browser) -> Client:
        client = Client(browser.client, SCOPES[browser.page])
        if self._on[browser.page]:
            self._tokens.pair(client, bytes.fromhex(browser.token))
            self._limiter.add(client.name)
        return client

    async def _keep(self, browsers: tuple[Browser, ...]) -> None:
        content = msgspec.json.encode([structs.asdict(each) for each in browsers]) + b"\n"
        if self._path is None:
            raise ProblemError(503, "pairing_unavailable", "there is no folder for tokens")
        try:
            await asyncio.to_thread(write_private, self._path, content)
        except OSError as exc:
            _log.error("the list of browsers can't be written: %s", exc)
            raise ProblemError(
                503, "pairing_unavailable", "the till's disk took nothing", retryable=True, headers={"Retry-After": "5"}
            ) from exc
        self._browsers = browsers


def _load(path: Path) -> tuple[Browser, ...]:
    """The browsers that are kept. In a file that can't be used there are none."""
    try:
        with path.open("rb") as file:
            raw = file.read(FILE_LIMIT_BYTES)
        if narrow(path, 0o600):
            _log.warning("the list of browsers was open to other users, who could read names and hashes in it")
        browsers = msgspec.json.decode(raw, type=tuple[Browser, ...])
        for each in browsers:
            bytes.fromhex(each.token)
    except FileNotFoundError:
        return ()
    except OSError as exc:
        _log.error("the list of browsers can't be read: %s", exc)
        return ()
    except ValueError as exc:  # msgspec's errors are such
        _log.error("the list of browsers is unusable, each has to be made known again: %s", exc)
        return ()
    return browsers
