"""A shop whose till has its status page open: cloud, line, scanner, printer, agent, and a browser that is known."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Locator, expect

from kit.bridge import receipt
from kit.chain import ANNA, Chain
from kit.chromium import PATIENCE_MS, Visit, visit
from kit.processes import free_port
from kit.world import Till, World

SOLD = 4
"""Sales of the shop before anybody looks."""

expect.set_options(timeout=PATIENCE_MS)


class Shop:
    """One till and all around it, for the tests of a module. Each test leaves it as it found it."""

    def __init__(self, world: World) -> None:
        self.world = world
        world.start_cloud()
        world.start_printer()
        world.start_scanner()
        self.till = world.till()
        self.till.settle(free_port())
        self.till.start().wait_members()
        for number in range(SOLD):
            self.till.pos.sell(f"sold-{number}", receipt(12_000 + number, member={"card": ANNA.card}))
        self.till.drain()
        self.till.wait_device("printer", "ready")
        self.till.wait_device("scanner", "ready")
        self._token = ""

    @property
    def token(self) -> str:
        """Of a browser that was made known, as a page does it."""
        if not self._token:
            code = self.till.admin.ask("POST", "/v1/pairing/codes", {"page": "status"})["code"]
            origin = {"Origin": f"http://127.0.0.1:{self.till.port}"}
            answer = self.till.admin.send("POST", "/v1/pairing", {"code": code}, headers=origin)
            self._token = str(answer.json()["token"])
        return self._token

    def forget_token(self) -> None:
        """The agent does not know that browser any more."""
        self._token = ""

    @contextlib.contextmanager
    def looking(
        self, browser: Browser, *, language: str = "en", width: int = 1280, height: int = 800, **options: Any
    ) -> Iterator[Visit]:
        """The page as a browser has it that was made known before."""
        with visit(browser, self.till.port, width=width, height=height, **options) as visited:
            kept = {"tillside.token.status": self.token, "tillside.language": language}
            script = "".join(f"localStorage.setItem({json.dumps(key)}, {json.dumps(kept[key])});" for key in kept)
            visited.each_time(script)
            visited.go("/status/")
            expect(visited.page.locator(".device")).to_have_count(2)
            yield visited


@contextlib.contextmanager
def another_till(shop: Shop, name: str) -> Iterator[Till]:
    """A till without devices, with a line of its own to the cloud."""
    url = f"http://127.0.0.1:{shop.world.line.target_port}"
    till = Till(name, shop.world.folder, cloud_url=url)
    try:
        yield till.start()
    finally:
        till.end()


def device(visited: Visit, role: str) -> Locator:
    """The row of a scanner or printer."""
    return visited.page.locator(".device").filter(has=visited.page.locator(f"h3:has-text('{role}')"))


@contextlib.contextmanager
def a_shop(folder: Path, chain: Chain) -> Iterator[Shop]:
    """A shop in a folder of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    with World(folder, chain) as world:
        yield Shop(world)
