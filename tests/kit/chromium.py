"""A browser for the tests of pages: Debian's Chromium by Playwright, and what every page of ours has to keep to.

    def test_it(browser: Browser, status_till: Till, shots: Shots) -> None:
        with visit(browser, port, width=1024, height=768) as visited:      # fails the test for each fault of the page
            visited.go("/status/")
            visited.page.get_by_role("button", name="Sync now").click()   # Playwright's own sync API from here on
            assert not low_contrast(visited.page)
            shots.take(visited.page, "status-ready")

`visit` gives an empty page with nothing kept, so a browser that no agent knows: in a context that lasts as long as the
browser does and is swept after each visit, or with `apart` in one of its own. When it is left, it fails for errors in
the console, exceptions, breaches of the content security policy, requests to another origin, and files of a page that
are not there. Answers of `/v1` from 400 to 499 and broken connections are for the page to cope with, and no fault.
`launched` is one Chromium, for a module: Playwright keeps a loop running in the thread that uses it, so `asyncio.run`
does not work there until it is closed. Without Chromium tests are skipped; with TILLSIDE_MUST_BROWSE=1 they fail.
"""

import contextlib
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Error,
    Page,
    Request,
    Response,
    ViewportSize,
    sync_playwright,
)

from kit.bridge import Bridge

CHROMIUMS = ("chromium", "chromium-browser", "google-chrome")
PATH_VARIABLE = "TILLSIDE_CHROMIUM"
MUST_VARIABLE = "TILLSIDE_MUST_BROWSE"
SHOTS_VARIABLE = "TILLSIDE_SHOTS"

FLAGS = (
    "--no-sandbox",  # tests may run as root in a container
    "--disable-gpu",
    "--disable-software-rasterizer",  # nor WebGL in its place: no page has any
    "--in-process-gpu",  # what is left of it needs no process of its own
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PATIENCE_MS = 30_000
"""For whatever a page should show: it shows it in a tenth of a second, and a busy machine takes many."""
LOOK_MS = 20
PAGE_ROOTS = ("/panel", "/status", "/client", "/common")

_OWN_NOISE = re.compile(r"Failed to load resource")
"""What Chromium writes for each answer that is no success: these are looked at as answers."""
_BREACHES = """
window.addEventListener("securitypolicyviolation", (event) =>
    console.error(`breach of ${event.violatedDirective} by ${event.blockedURI || event.sample}: ${event.sourceFile}`));
"""


def chromium_path() -> str:
    """Where Chromium is; "" when there is none."""
    named = os.environ.get(PATH_VARIABLE, "")
    return named or next((found for name in CHROMIUMS if (found := shutil.which(name))), "")


@contextlib.contextmanager
def launched(*more: str) -> Iterator[Browser]:
    """A headless Chromium, with `more` flags. Skips the test where there is none, unless it must not be skipped."""
    path = chromium_path()
    if not path:
        words = f"no Chromium: install one of {', '.join(CHROMIUMS)}, or name it in {PATH_VARIABLE}"
        if os.environ.get(MUST_VARIABLE) == "1":
            pytest.fail(words)
        pytest.skip(words)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=[*FLAGS, *more], headless=True)
        try:
            yield browser
        finally:
            browser.close()


class Visit:
    """A page of the agent at `port`, in a browser that no agent knows, and what it did wrong so far."""

    def __init__(self, context: BrowserContext, page: Page, port: int) -> None:
        self.context = context
        self.page = page
        self.origin = f"http://127.0.0.1:{port}"
        self.faults: list[str] = []
        self._scripts = contextlib.ExitStack()
        self._heard: list[tuple[str, Callable[[Any], None]]] = [
            ("request", self._asked),
            ("response", self._answered),
            ("console", self._said),
            ("weberror", lambda error: self.faults.append(f"exception: {error.error}")),
        ]
        for event, hear in self._heard:
            context.on(event, hear)  # type: ignore[call-overload]  # overloads by literal name; here the name is a variable

    def go(self, path: str) -> Self:
        """Open a page of the agent."""
        self.page.goto(self.origin + path)
        return self

    def moved(self, port: int) -> Self:
        """The agent was started anew and listens elsewhere from now on."""
        self.origin = f"http://127.0.0.1:{port}"
        return self

    def each_time(self, script: str) -> None:
        """Run a script before those of each page that is opened from now on, until the visit ends."""
        self._scripts.enter_context(self.page.add_init_script(script))

    def leave(self) -> None:
        """Nothing of the visit is left: no route, no script, nothing that the page kept; the page itself is gone."""
        for event, hear in self._heard:
            self.context.remove_listener(event, hear)
        self._scripts.close()
        self.context.unroute_all(behavior="ignoreErrors")
        # What asks nobody can be opened with the agent away, and has no script that might keep something after this.
        self.page.route("**/*", lambda route: route.fulfill(body="", content_type="text/html"))
        self.go("/left")
        self.page.evaluate("() => { localStorage.clear(); sessionStorage.clear(); }")
        self.page.unroute_all(behavior="ignoreErrors")

    def _asked(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme in ("http", "https", "ws", "wss") and parts.hostname != "127.0.0.1":
            self.faults.append(f"request to another origin: {request.url}")

    def _answered(self, response: Response) -> None:
        path = urlsplit(response.url).path
        if (response.status >= 400 and path.startswith(PAGE_ROOTS)) or response.status == 500:
            self.faults.append(f"{response.status} for {path}")

    def _said(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not _OWN_NOISE.search(message.text):
            self.faults.append(f"console: {message.text}")


_kept: WeakKeyDictionary[Browser, Page] = WeakKeyDictionary()
"""The page that the next visit takes over, empty: a context of its own costs more than all that a test does with it."""


@contextlib.contextmanager
def visit(
    browser: Browser, port: int, *, width: int = 1280, height: int = 800, apart: bool = False, **options: Any
) -> Iterator[Visit]:
    """A page in a browser that knows nothing of visits before. AssertionError at the end for whatever it did wrong.

    `apart`: in a context that is made for it and closed after it, for what can't be taken back, as a clock of its own;
    so is every visit with `options` of such a context.
    """
    apart = apart or bool(options)
    size: ViewportSize = {"width": width, "height": height}
    page = None if apart else _kept.pop(browser, None)
    if page is None:
        page = _new_page(browser, viewport=size, **options)
    else:
        page.set_viewport_size(size)
    context = page.context
    try:
        visited = Visit(context, page, port)
        yield visited
        assert not visited.faults, "\n".join(visited.faults)
        if not apart and context.pages == [page]:
            visited.leave()
            _kept[browser] = page
    finally:
        if _kept.get(browser) is not page:
            with contextlib.suppress(Error):
                # An answer that a test holds back, or changes, is of no use to anybody now.
                page.unroute_all(behavior="ignoreErrors")
                context.unroute_all(behavior="ignoreErrors")
                context.close()


def _new_page(browser: Browser, **options: Any) -> Page:
    context = browser.new_context(reduced_motion="reduce", **{"locale": "en-GB", **options})
    context.set_default_timeout(PATIENCE_MS)
    context.add_init_script(_BREACHES)
    return context.new_page()


def until(page: Page, holds: Callable[[], object], what: str) -> None:
    """Wait for something that is not on the page (`expect` is for what is), while the page goes on."""
    for _ in range(PATIENCE_MS // LOOK_MS):
        if holds():
            return
        page.wait_for_timeout(LOOK_MS)
    raise AssertionError(f"waited {PATIENCE_MS} ms for {what}")


def pairing_url(admin: Bridge, page: str) -> str:
    """What `tillside page open PAGE --print` prints: the page with a code by which it gets its token."""
    url: str = admin.ask("POST", "/v1/pairing/codes", {"page": page})["url"]
    return url


class Shots:
    """Pictures of pages for people to look at, in the folder that TILLSIDE_SHOTS names; without it none is taken."""

    def __init__(self) -> None:
        self.folder = os.environ.get(SHOTS_VARIABLE, "")

    def take(self, page: Page, name: str, *, whole: bool = False) -> None:
        """A picture of what is seen, or of the whole page."""
        if self.folder:
            folder = Path(self.folder)
            folder.mkdir(parents=True, exist_ok=True)
            page.screenshot(path=folder / f"{name}.png", full_page=whole)


def low_contrast(page: Page) -> list[str]:
    """Texts that are seen with less contrast to their ground than WCAG AA asks for (4.5, large ones 3)."""
    found: list[str] = page.evaluate(_LOW_CONTRAST)
    return found


def overflowing(page: Page) -> list[str]:
    """What is wider than its place: a page that scrolls sideways, text that is cut off or sticks out of its box."""
    found: list[str] = page.evaluate(_OVERFLOWING)
    return found


def small_targets(page: Page, *, least_px: int = 44) -> list[str]:
    """Buttons, fields and lists that are smaller than a finger, and those that a reader of the screen can't name."""
    found: list[str] = page.evaluate(_SMALL_TARGETS, least_px)
    return found


_SEEN = """
const seen = (element) => {
    const box = element.getBoundingClientRect();
    return element.checkVisibility({opacityProperty: true, visibilityProperty: true}) && box.width > 1 && box.height > 1
        && !element.closest(".unseen, .skip");
};
const told = (element) => `${element.tagName.toLowerCase()}.${element.className.baseVal ?? element.className}: `
    + (element.innerText ?? element.textContent ?? "").trim().slice(0, 60);
"""

_LOW_CONTRAST = (
    "() => {"
    + _SEEN
    + """
const channels = (text) => {
    const found = text.match(/[\\d.]+/g).map(Number);
    const [r, g, b] = text.startsWith("color(") ? found.map((each) => each * 255) : found;
    return [r, g, b, found[3] ?? 1];
};
const over = (top, below) => [0, 1, 2].map((i) => top[i] * top[3] + below[i] * (1 - top[3])).concat(1);
const ground = (element) => {
    const layers = [];
    for (let each = element; each; each = each.parentElement) {
        layers.push(channels(getComputedStyle(each).backgroundColor));
        if (layers.at(-1)[3] === 1) break;
    }
    return layers.reverse().reduce((below, top) => over(top, below), [255, 255, 255, 1]);
};
const light = (color) => {
    const [r, g, b] = color.slice(0, 3).map((each) => each / 255)
        .map((each) => (each <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const contrast = (a, b) => {
    const [high, low] = [light(a), light(b)].sort((x, y) => y - x);
    return (high + 0.05) / (low + 0.05);
};
const low = [];
for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if ((!own && !element.placeholder && !element.value) || !seen(element) || element.tagName === "OPTION") continue;
    const style = getComputedStyle(element);
    const below = ground(element);
    const size = parseFloat(style.fontSize);
    const least = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700) ? 3 : 4.5;
    const found = contrast(over(channels(style.color), below), below);
    if (found < least) low.push(`${found.toFixed(2)} ${told(element)}`);
}
return low;
}"""
)

_OVERFLOWING = (
    "() => {"
    + _SEEN
    + """
const wide = [];
const root = document.documentElement;
if (root.scrollWidth > root.clientWidth) wide.push(`the page: ${root.scrollWidth} of ${root.clientWidth} px`);
for (const element of document.querySelectorAll("body *")) {
    if (!seen(element) || element.closest("svg, select") || element.matches("[data-scrolls]")) continue;
    const style = getComputedStyle(element);
    if (style.display === "inline" || style.textOverflow === "ellipsis") continue;
    if (element.scrollWidth > element.clientWidth + 1 && element.clientWidth > 0) {
        const input = element.tagName === "INPUT" || element.tagName === "TEXTAREA";
        if (!input) wide.push(`${element.scrollWidth} of ${element.clientWidth} px in ${told(element)}`);
    } else if (style.overflowY !== "hidden" || element.closest("[data-scrolls]")) {
        continue;
    } else if (element.scrollHeight > element.clientHeight + 1) {
        wide.push(`${element.scrollHeight} of ${element.clientHeight} px high: ${told(element)}`);
    }
}
return wide;
}"""
)

_SMALL_TARGETS = (
    "(least) => {"
    + _SEEN
    + """
const wrong = [];
for (const element of document.querySelectorAll("button, a[href], input, select, textarea, summary, [role=button]")) {
    if (!seen(element)) continue;
    const label = element.labels?.[0];
    const box = (label && element.type === "checkbox" ? label : element).getBoundingClientRect();
    const inText = element.tagName === "A" && getComputedStyle(element).display === "inline";
    if (!inText && (box.width < least || box.height < least)) {
        wrong.push(`${Math.round(box.width)} x ${Math.round(box.height)} px: ${told(element)}`);
    }
    const by = element.getAttribute("aria-labelledby");
    const name = element.getAttribute("aria-label") || (by && document.getElementById(by)?.innerText)
        || label?.innerText || element.innerText || element.title;
    if (!name?.trim()) wrong.push(`without a name: ${element.outerHTML.slice(0, 100)}`);
}
return wrong;
}"""
)
