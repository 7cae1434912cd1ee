"""A till with the cashier's panel open in a browser: a chain that registers with codes, every device, a steady port."""

import contextlib
import json
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page

from kit.chain import Chain
from kit.chromium import Visit, visit
from kit.processes import free_port
from kit.waiting import wait_for
from kit.world import Till, World, an_environment
from till_drivers.scanners.dedupe import SAME_DEVICE_MS

PROGRAMME = """
[registration]
consent_version = "2026-11"
ask = ["name", "birth_date", "sex"]

[registration.consent]
ru = "Я согласен на обработку моих данных для участия в бонусной программе и на сообщения о бонусах и скидках."
kk = "Бонус бағдарламасына қатысу үшін деректерімді өңдеуге және бонустар туралы хабарламаларға келісемін."
ky = "Бонус программасына катышуу үчүн маалыматымды иштетүүгө жана бонустар тууралуу билдирүүлөргө макулмун."
uk = "Я погоджуюся на обробку моїх даних для участі в бонусній програмі та на повідомлення про бонуси."
en = "I agree to the use of my data for the bonus programme, and to messages about points and discounts."

[[events]]
id = "welcome"
on = "registered"
points = 10000
"""
TILL_MORE = "[pages]\nsell = true\n"
LANGUAGE = "en"
SCAN_AGAIN_S = SAME_DEVICE_MS / 1000 + 1
"""After this long the agent takes the same card for a second scan; the scanner may have been slow with the first."""


class PanelWorld:
    """Cloud, line, till, scanner and printer, ready; one for a module, since its parts take seconds to start."""

    def __init__(self, world: World, *, sell: bool = True) -> None:
        self.world = world
        self.folder = world.folder
        self.port = free_port()
        self.token = ""
        self._scanned: dict[str, float] = {}
        programme = self.folder / "programme.toml"
        text = programme.read_text(encoding="utf-8")
        text = text.replace("version = 1", "version = 2", 1).replace('["US", "RU", "KZ"]', '["KZ", "RU"]')
        programme.write_text(text + PROGRAMME, encoding="utf-8")
        world.command("cloud", "programme", "upload", programme)
        world.start_printer()
        world.start_scanner()
        with an_environment(TILLSIDE_CLOUD_SEND_CODES=self._sender()):
            world.start_cloud()
        self.till: Till = world.till(more=TILL_MORE if sell else "", request_timeout_ms=2_000)
        # The page finds the agent again where it was: as on a till, whose port is in its configuration.
        self.till.settle(self.port)
        self.till.start().wait_members()
        self.till.wait_device("scanner", "ready")

    def code(self) -> str:
        """The newest one-time code that went out, once it has."""
        sent = self.folder / "messages"
        before = getattr(self, "_codes", 0)

        def newest() -> str | None:
            lines = sent.read_text(encoding="utf-8").split("\n")[:-1] if sent.exists() else []
            self._codes = len(lines)
            return str(json.loads(lines[-1])["code"]) if len(lines) > before else None

        return wait_for(newest, "a message with a code")

    def scan(self, code: str) -> None:
        """Hold a code under the scanner, and be heard: one that was held there a moment ago would be the same scan."""
        time.sleep(max(0.0, self._scanned.get(code, -SCAN_AGAIN_S) + SCAN_AGAIN_S - time.monotonic()))
        self._scanned[code] = time.monotonic()
        self.world.scan(code)

    def wait_online(self, online: bool = True) -> None:
        """Until the agent knows how its line is."""
        self.till.wait_status(lambda status: status["sync"]["online"] is online, "the line to change", patience_s=90)

    def pairing_url(self) -> str:
        """The panel's address with a code, as `tillside page open` has it."""
        found = self.till.admin.ask("POST", "/v1/pairing/codes", {"page": "panel"})
        return str(found["url"])

    @contextlib.contextmanager
    def open(
        self,
        browser: Browser,
        *,
        language: str = LANGUAGE,
        width: int = 1024,
        height: int = 768,
        path: str = "",
        apart: bool = False,
    ) -> Iterator[Visit]:
        """The panel in a fresh browser that the agent knows, ready for a customer."""
        with visit(browser, self.port, width=width, height=height, apart=apart) as visited:
            keep = visited.each_time
            keep(f"localStorage.setItem('tillside.language', '{language}')")
            if not path and self.token:
                # The agent knows so many browsers and no more, and a person opens the panel in the one they have.
                keep(f"localStorage.setItem('tillside.token.panel', '{self.token}')")
            visited.go(path or ("/panel/" if self.token else "/panel/" + self.pairing_url().partition("/panel/")[2]))
            visited.page.wait_for_selector("#main")
            visited.page.wait_for_selector(".states .good")
            if not path and not self.token:
                # The browser of the first test goes on as those of all others do, whatever its page forgets.
                self.token = visited.page.evaluate("localStorage.getItem('tillside.token.panel')")
                keep(f"localStorage.setItem('tillside.token.panel', '{self.token}')")
            yield visited

    def _sender(self) -> str:
        program = self.folder / "send.py"
        target = str(self.folder / "messages")
        program.write_text(
            f"import sys\ntext = sys.stdin.read()\nopen({target!r}, 'a').write(text.strip() + '\\n')\n", "utf-8"
        )
        return f"{sys.executable} {program}"


@contextlib.contextmanager
def panel_world(folder: Path, chain: Chain, *, sell: bool = True) -> Iterator[PanelWorld]:
    """The whole, ended with the context."""
    with World(folder, chain) as world:
        yield PanelWorld(world, sell=sell)


def name_shown(page: Page, name: str) -> None:
    """Wait until this member is on the screen."""
    page.locator("[data-name=member]", has_text=re.compile(f"^{re.escape(name)}")).wait_for()


def figure(page: Page, name: str) -> str:
    """What a figure shows, without the spaces that keep its digits together."""
    return page.locator(f"[data-figure={name}] .figure-value").inner_text().replace("\u00a0", " ")


def press(page: Page, key: str) -> None:
    """Touch the button of that key."""
    page.locator(f"[data-key={key}]").click()


def type_as_scanner(page: Page, codes: list[tuple[str, str, bool]], *, gap_ms: float = 8.0) -> None:
    """Keys as a scanner sends them, each (key, code, shift), with Enter behind.

    The browser gets the time of each key with it, so a busy machine makes no person of a scanner.
    """
    session = page.context.new_cdp_session(page)
    at = time.time()
    for key, code, shift in [*codes, ("Enter", "Enter", False)]:
        at += gap_ms / 1000
        told: dict[str, Any] = {"key": key, "code": code, "modifiers": 8 if shift else 0, "timestamp": at}
        text = "\r" if key == "Enter" else key
        session.send("Input.dispatchKeyEvent", {"type": "keyDown", "text": text, **told})
        session.send("Input.dispatchKeyEvent", {"type": "keyUp", **told})
    session.detach()
