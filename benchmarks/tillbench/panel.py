"""A scan to the customer's name on the screen: from the last byte on the scanner's line to a frame of the panel.

The panel runs in Chromium, as on a till. Two moments are told: when the name stands in the page, and when a frame with
it has been handed on to be shown.
"""

import os
import shutil
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tillbench import people
from tillbench.figures import Series
from tillbench.scanning import SETTLE_S, terminal
from tillbench.world import World

if TYPE_CHECKING:
    from playwright.sync_api import Page

CHROMIUMS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync")
SIZE = {"width": 1024, "height": 768}
PAUSE_S = 0.15
"""Between two cards: no hand is faster, and a frame is long over."""
WARM_SCANS = 5

_WATCH = """
window.told = null;
const now = () => performance.timeOrigin + performance.now();
let last = null;
new MutationObserver(() => {
    const name = document.querySelector("[data-name=member]");
    if (name === null || name === last || window.told === null) return;
    last = name;
    const there = now();
    // The second frame begins when the first has been handed on.
    requestAnimationFrame(() => requestAnimationFrame(() => window.told({there, shown: now()})));
}).observe(document, {childList: true, subtree: true});
"""
_NEXT = "() => new Promise((resolve) => { window.told = resolve; })"


@dataclass
class Shown:
    """Microseconds from the last byte on the line to the name in the page, and to its frame."""

    there: Series
    shown: Series


def measure(world: World, state: Path, scans: int, members: int) -> Shown | None:
    """So many known cards; None where there is no Chromium, no Playwright or no pseudo-terminal."""
    if sys.platform == "win32":
        return None
    found = Shown(Series("name in the page"), Series("name on the screen"))
    with terminal() as (ours, line):
        more = f'[[scanners]]\nname = "bench"\ndriver = "serial"\nport = "{line}"\n'
        till = world.start_agent(world.config("panel", state, more=more))
        try:
            with _panel(till.port, till.token) as page:
                if page is None:
                    return None
                time.sleep(SETTLE_S)
                taken = [_one(page, ours, people.card(number * 37 % members)) for number in range(WARM_SCANS + scans)]
        finally:
            world.stop_agent()
    found.there.add([there for there, _ in taken[WARM_SCANS:]])
    found.shown.add([shown for _, shown in taken[WARM_SCANS:]])
    return found


def _one(page: "Page", line: int, card: str) -> tuple[float, float]:
    """Microseconds to the page, and to the screen. The page's clock is this machine's."""
    sent: list[float] = []

    def scan() -> None:
        time.sleep(PAUSE_S)
        os.write(line, card.encode("ascii"))
        sent.append(time.time() * 1000)
        os.write(line, b"\r\n")

    hand = threading.Thread(target=scan)
    hand.start()
    told = page.evaluate(_NEXT)
    hand.join()
    return (told["there"] - sent[0]) * 1000, (told["shown"] - sent[0]) * 1000


@contextmanager
def _panel(port: int, token: str) -> "Iterator[Page | None]":
    """The panel in a browser that is known; None without one."""
    path = os.environ.get("TILLSIDE_CHROMIUM") or next(filter(None, map(shutil.which, CHROMIUMS)), None)
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        path = None
    if path is None:
        yield None
        return
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        try:
            page = browser.new_page(viewport=SIZE)
            page.add_init_script(f"localStorage.setItem('tillside.token.panel', '{token}');" + _WATCH)
            page.goto(f"http://127.0.0.1:{port}/panel/")
            page.wait_for_selector(".states .good")
            yield page
        finally:
            browser.close()
