"""Names, log lines, printers and offers may be written by anybody: on both pages they are text, and nothing else."""

import json
from typing import Any

import pytest
from playwright.sync_api import Browser, Route, expect

from kit.chain import DINA
from kit.chromium import PATIENCE_MS, until, visit
from kit.panel import PanelWorld, press

expect.set_options(timeout=PATIENCE_MS)

EVIL = '"\'><img src=x onerror="window.evil=1"><script>window.evil=1</script>`${evil}`{count}javascript:evil\u202e'
KEPT = frozenset(
    (
        *("reference", "status", "state", "level", "code", "role", "kind", "sync", "which", "local_time", "valid_to"),
        *("scopes", "time_zone", "language", "country", "spendable_reason", "type", "sale_op", "op"),
    )
)
"""What the pages choose by, or count with; the rest is what they show."""


def poisoned(value: Any, name: str = "") -> Any:
    """The same answer with that text in place of each text that is shown."""
    if isinstance(value, dict):
        return {key: poisoned(each, key) for key, each in value.items()}
    if isinstance(value, list):
        return [poisoned(each, name) for each in value]
    return EVIL if isinstance(value, str) and value and name not in KEPT else value


def poison(route: Route) -> None:
    """An answer of the agent, as a hostile chain or printer would have it."""
    answer = route.fetch()
    body = answer.body()
    if answer.headers.get("content-type", "").startswith("application/json"):
        body = json.dumps(poisoned(json.loads(body))).encode()
    route.fulfill(response=answer, body=body)


@pytest.fixture(scope="module")
def till(panel: PanelWorld) -> PanelWorld:
    """A till with everything on it, and a receipt whose words are hostile as it stands in the journal."""
    panel.till.pos.sell(
        "evil-1",
        {
            "receipt": {"lines": [{"number": 1, "sku": "x", "name": EVIL, "amount_minor": 1000}]},
            "member": {"card": DINA.card},
            "number": EVIL[:64],
            "cashier": EVIL[:64],
        },
    )
    return panel


ANSWERS = "**/v1/{status,identify,sales,members,logs,queue,page,quotes}*"


def test_the_panel_shows_hostile_words_as_they_are(browser: Browser, till: PanelWorld) -> None:
    """A member's name, an offer, a message, a receipt's item, its number and its cashier."""
    with till.open(browser) as visited:
        page = visited.page
        page.route(ANSWERS, poison)
        press(page, "choice-card")
        page.fill("#find-card", DINA.card)
        press(page, "find")
        expect(page.locator("[data-name=member]")).to_contain_text("<img src=x")
        press(page, "choice-name")
        page.fill("#find-name", "di")
        expect(page.locator(".found-name").first).to_contain_text("<script>")
        # What follows asks for the receipt by its uid, so it needs the agent's own answers, the list's included.
        page.unroute_all(behavior="wait")
        press(page, "nav-receipts")
        press(page, "sale-evil-1")
        expect(page.locator(".lines")).to_contain_text("<img src=x")
        press(page, "return")
        expect(page.locator(".return-line")).to_contain_text("<img src=x")
        assert page.locator("main img, main script").count() == 0
        assert page.evaluate("window.evil") is None


def test_the_status_page_shows_hostile_words_as_they_are(browser: Browser, till: PanelWorld) -> None:
    """Log lines and their fields, printers, problems, documents; the text for support has none of it."""
    url = till.till.admin.ask("POST", "/v1/pairing/codes", {"page": "status"})["url"]
    with visit(browser, till.port) as visited:
        page = visited.page
        page.route(ANSWERS, poison)
        visited.go("/status/" + url.partition("/status/")[2])
        expect(page.locator(".log")).to_contain_text("<img src=x")
        until(page, lambda: page.locator(".device").filter(has_text="<script>").count(), "a printer of that name")
        page.locator("[data-which=newest]").click()
        expect(page.locator(".ops")).to_contain_text("<img src=x")
        assert page.locator("main img, main script").count() == 0
        assert page.evaluate("window.evil") is None


def test_the_policy_is_kept_by_the_browser(browser: Browser, till: PanelWorld) -> None:
    """Whatever a mistake in a page did: no inline code, no HTML from text, no frame, no other origin."""
    with till.open(browser) as visited:
        page = visited.page
        tries = {
            "inline": "const s = document.createElement('script'); s.text = 'window.evil = 1'; document.body.append(s)",
            "html": "document.body.innerHTML = '<b>x</b>'",
            "handler": "document.body.setAttribute('onclick', 'window.evil = 1'); document.body.click()",
            "frame": "const f = document.createElement('iframe'); f.src = '/panel/'; document.body.append(f)",
            "style": "const s = document.createElement('style'); s.append('*{display:none}'); document.body.append(s)",
        }
        for name, code in tries.items():
            page.evaluate(f"() => {{ try {{ {code} }} catch {{ /* refused */ }} }}")
            assert page.evaluate("window.evil") is None, name
        assert page.locator("#main").is_visible()
        assert page.locator("iframe").evaluate_all("frames => frames.filter((f) => f.contentDocument?.body?.id)") == []
        visited.faults.clear()
