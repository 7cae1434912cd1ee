"""A cashier in a hurry: keys, scans and touches that come while something is under way do nothing twice or wrong."""

import contextlib
import json
import re
import socket
from typing import Any

from playwright.sync_api import Browser, Page, Route, expect

from kit.bridge import receipt
from kit.chain import ANNA, CLARA, DINA
from kit.chromium import PATIENCE_MS, until
from kit.panel import PanelWorld, name_shown, press, type_as_scanner
from till_agent.bridge.events import LISTENER_LIMIT

expect.set_options(timeout=PATIENCE_MS)

GOODS = "4600000000015"
SLOW_MS = 200
"""Between the keys of a scanner with a bad radio link: slower than a person may type."""


def begin(panel: PanelWorld, page: Page, card: str, total: str, redeem: str = "none") -> None:
    """A receipt of that total for a scanned card, quoted."""
    panel.scan(card)
    press(page, "sell")
    page.fill("#sell-total", total)
    page.wait_for_selector("[data-figure=pay]")
    if redeem != "none":
        press(page, f"choice-{redeem}")
        page.wait_for_selector("[data-figure=by-points]")


def kept(page: Page) -> dict[str, Any] | None:
    """The receipt that outlives a reload."""
    found: dict[str, Any] | None = json.loads(
        page.evaluate("sessionStorage.getItem('tillside.panel.receipt') ?? 'null'")
    )
    return found


def stopped(page: Page, pattern: str) -> list[Route]:
    """Requests of that pattern wait until the test lets them go."""
    waiting: list[Route] = []
    page.route(pattern, lambda route: waiting.append(route))
    return waiting


def test_a_hold_that_comes_after_the_receipt_was_cancelled_is_given_back(browser: Browser, panel: PanelWorld) -> None:
    """Nobody's points stay set aside, and no receipt is left that is half one."""
    with panel.open(browser) as visited:
        page = visited.page
        begin(panel, page, ANNA.card, "60", "all")
        waiting = stopped(page, "**/v1/holds")
        press(page, "go")
        until(page, lambda: waiting, "the hold")
        page.keyboard.press("Escape")
        assert page.get_by_role("heading", name="Waiting for a card").is_visible()
        with page.expect_request(lambda request: request.method == "DELETE" and "/v1/holds/" in request.url):
            waiting[0].continue_()
        assert kept(page) is None
        press(page, "nav-sell")
        expect(page.locator("[data-screen=sell]")).to_contain_text("find the customer first")


def test_nothing_of_the_receipt_changes_while_points_are_set_aside(browser: Browser, panel: PanelWorld) -> None:
    """Another card waits, the amount is as it was quoted, and the receipt is still the first customer's."""
    with panel.open(browser) as visited:
        page = visited.page
        begin(panel, page, ANNA.card, "60", "all")
        waiting = stopped(page, "**/v1/holds")
        press(page, "go")
        until(page, lambda: waiting, "the hold")
        assert page.locator("#sell-total").evaluate("field => field.closest('[inert]') !== null")
        panel.scan(DINA.card)
        expect(page.locator("#alerted")).to_contain_text("Finish")
        waiting[0].continue_()
        page.wait_for_selector("[data-key=commit]")
        name_shown(page, "Anna A.")
        press(page, "cancel")


def test_a_change_of_language_keeps_points_that_are_set_aside(browser: Browser, panel: PanelWorld) -> None:
    """The receipt under way is the same one, with its hold and its uid."""
    with panel.open(browser) as visited:
        page = visited.page
        begin(panel, page, ANNA.card, "60", "all")
        press(page, "go")
        page.wait_for_selector("[data-key=commit]")
        before = kept(page)
        with page.expect_response("**/v1/identify**"):
            page.get_by_label("Language").select_option("ru")
        page.wait_for_timeout(100)
        assert before is not None
        assert kept(page) == before
        press(page, "cancel")


def test_only_what_was_quoted_can_be_sold(browser: Browser, panel: PanelWorld) -> None:
    """A wish for points that is not worked out yet, and another customer's card, keep the button shut."""
    with panel.open(browser) as visited:
        page = visited.page
        begin(panel, page, ANNA.card, "60")
        waiting = stopped(page, "**/v1/quotes")
        press(page, "choice-all")
        expect(page.locator("[data-key=go]")).to_be_disabled()
        until(page, lambda: waiting, "the quote")
        waiting.pop().continue_()
        expect(page.locator("[data-key=go]")).to_be_enabled()
        panel.scan(CLARA.card)
        name_shown(page, "Clara C.")
        expect(page.locator("[data-key=go]")).to_be_disabled()


def test_the_enter_of_a_slow_scanner_presses_no_button(browser: Browser, panel: PanelWorld) -> None:
    """A code that nobody took, short or slow, ends with an Enter: with points set aside it would finish the receipt."""
    with panel.open(browser) as visited:
        page = visited.page
        begin(panel, page, ANNA.card, "60", "all")
        press(page, "go")
        page.wait_for_selector("[data-key=commit]")
        page.wait_for_timeout(700)
        for code, gap_ms in (("12345", 8), ("2900001", SLOW_MS)):
            page.locator("[data-key=commit]").focus()
            type_as_scanner(page, [(each, f"Digit{each}", False) for each in code], gap_ms=gap_ms)
            assert (kept(page) or {})["phase"] == "held"
        press(page, "cancel")


def test_a_scan_answers_no_question(browser: Browser, panel: PanelWorld) -> None:
    """The question stays, and the receipt behind it."""
    panel.till.pos.sell("asked-1", receipt(1_000, member={"card": DINA.card}))
    with panel.open(browser) as visited:
        page = visited.page
        press(page, "nav-receipts")
        press(page, "sale-asked-1")
        press(page, "void")
        page.wait_for_selector("dialog[open]")
        panel.scan(CLARA.card)
        expect(page.locator("#alerted")).not_to_be_empty()
        expect(page.locator("[data-screen=receipts]")).to_be_visible()
        press(page, "no")
        page.wait_for_selector("[data-key=void]")


def test_goods_under_the_scanner_become_nobodys_card(browser: Browser, panel: PanelWorld) -> None:
    """Neither the card of a new member nor one to be added."""
    with panel.open(browser) as visited:
        page = visited.page
        press(page, "nav-register")
        panel.scan(GOODS)
        expect(page.locator("main")).to_contain_text("an item, not a card")
        assert "With card" not in page.inner_text("main")
        page.keyboard.press("Escape")
        panel.scan(DINA.card)
        press(page, "attach")
        panel.scan(GOODS)
        expect(page.locator("#alerted")).to_contain_text("an item, not a card")
        expect(page.locator(".attach")).to_contain_text("an item, not a card")


def test_a_sale_that_may_be_made_keeps_its_uid_when_the_token_is_withdrawn(browser: Browser, panel: PanelWorld) -> None:
    """Its first answer was lost: a refusal of the caller says nothing about the sale."""
    with panel.open(browser) as visited:
        page = visited.page
        begin(panel, page, DINA.card, "15")

        def lose(route: Route) -> None:
            route.fetch()
            route.abort("connectionreset")

        page.route("**/v1/sales/*", lose)
        press(page, "go")
        page.wait_for_selector("[data-key=again]")
        before = kept(page)
        page.unroute("**/v1/sales/*")
        refused = {"code": "token_unknown", "status": 401, "detail": "expected a token", "retryable": False}
        page.route("**/v1/sales/*", lambda route: route.fulfill(status=401, json=refused))
        press(page, "again")
        page.wait_for_selector("#pairing-code")
        assert before is not None
        assert (kept(page) or {})["uid"] == before["uid"]
        page.unroute("**/v1/sales/*")
        page.reload()
        expect(page.locator("main")).to_contain_text("The receipt is done")
    newest = panel.till.pos.ask("GET", "/v1/sales?limit=1")["sales"][0]
    assert newest["uid"] == before["uid"]


def test_a_customer_does_not_stay_on_the_screen(browser: Browser, panel: PanelWorld) -> None:
    """When nobody touches the panel for a while, what it shows of a person goes, and what is read out with it."""
    with panel.open(browser, apart=True) as visited:
        page = visited.page
        page.clock.install()
        page.reload()
        page.wait_for_selector(".states .good")
        panel.scan(CLARA.card)
        name_shown(page, "Clara C.")
        page.clock.run_for(100_000)
        name_shown(page, "Clara C.")
        page.clock.run_for(100_000)
        expect(page.get_by_role("heading", name="Waiting for a card")).to_be_visible()
        assert "Clara" not in page.locator("#panel").inner_html()
        press(page, "nav-register")
        page.fill("#reg-phone", "7010000999")
        page.clock.run_for(700_000)
        expect(page.get_by_role("heading", name="Waiting for a card")).to_be_visible()
        press(page, "nav-register")
        assert page.input_value("#reg-phone") == ""


def see(page: Page, state: str) -> None:
    """Let the page believe that somebody sees it, or nobody."""
    page.evaluate(
        "state => { Object.defineProperty(document, 'visibilityState', { value: state, configurable: true });"
        " document.dispatchEvent(new Event('visibilitychange')); }",
        state,
    )


def listeners(panel: PanelWorld) -> int:
    """Event streams that the agent serves."""
    text = panel.till.admin.send("GET", "/metrics").text
    return int(float(re.findall(r"^tillside_bridge_event_listeners (\S+)", text, re.MULTILINE)[0]))


def test_a_page_that_nobody_sees_lets_its_stream_go(browser: Browser, panel: PanelWorld) -> None:
    """Others get their turn; what was scanned a moment ago is told when somebody looks again."""
    with panel.open(browser, apart=True) as visited:
        page = visited.page
        page.clock.install()
        page.reload()
        page.wait_for_selector(".states .good")
        panel.scan(DINA.card)
        name_shown(page, "Dina D.")
        until(page, lambda: listeners(panel) == 1, "the stream")
        see(page, "hidden")
        page.clock.run_for(31_000)
        until(page, lambda: listeners(panel) == 0, "the stream to end")
        panel.scan(CLARA.card)
        see(page, "visible")
        name_shown(page, "Clara C.")
        assert listeners(panel) == 1


def test_a_page_too_many_says_what_it_misses_and_works(browser: Browser, panel: PanelWorld) -> None:
    """The agent answers it, and has no stream to give: nobody is told that it is away."""
    with contextlib.ExitStack() as many, panel.open(browser) as visited:
        page = visited.page
        visited.go("/panel/words/en.json")
        until(page, lambda: listeners(panel) == 0, "the stream to end")
        for _ in range(LISTENER_LIMIT):
            stream = many.enter_context(socket.create_connection(("127.0.0.1", panel.port)))
            head = f"GET /v1/events HTTP/1.1\r\nHost: 127.0.0.1:{panel.port}\r\nAuthorization: Bearer {panel.token}\r\n"
            stream.sendall(head.encode() + b"\r\n")
        until(page, lambda: listeners(panel) == LISTENER_LIMIT, "the streams of others")
        visited.go("/panel/")
        expect(page.locator(".banners .banner")).to_contain_text("Too many pages of this program are open")
        assert not page.locator("#main").evaluate("main => main.inert")
        page.fill("#find-phone", "9990000103")
        press(page, "find")
        name_shown(page, "Clara C.")
        many.close()
        expect(page.locator(".banners .banner")).to_have_count(0)


def tap_twice(page: Page, key: str, after: str) -> None:
    """As a finger that trembles: the second tap on the same place, with whatever has come up there by then."""
    box = page.locator(f"[data-key={key}]").bounding_box()
    assert box
    x, y = box["x"] + box["width"] * 0.8, box["y"] + box["height"] / 2
    page.mouse.click(x, y)
    page.wait_for_selector(after)
    page.mouse.move(x, y)
    page.mouse.down(click_count=2)
    page.mouse.up(click_count=2)


def test_the_second_tap_of_two_finishes_nothing(browser: Browser, panel: PanelWorld) -> None:
    """A receipt that was set aside is not done by it, one that is done stays to be read, and of a return not everything
    comes back at once; a copy is printed once. On the same button two taps are two."""
    panel.till.pos.sell("twice", receipt(700, member={"card": DINA.card}))
    with panel.open(browser, width=1280, height=800) as visited:
        page = visited.page
        begin(panel, page, ANNA.card, "60", "all")
        tap_twice(page, "go", "[data-key=commit]")
        expect(page.locator("[data-key=commit]")).to_be_enabled()
        found = kept(page)
        assert found
        assert found["phase"] == "held"
        tap_twice(page, "commit", "[data-figure=after]")
        expect(page.locator("[data-figure=after]")).to_be_visible()
        press(page, "next")
        asked: list[str] = []
        page.on("request", lambda each: asked.append(each.url) if each.method in ("POST", "PUT") else None)
        press(page, "nav-receipts")
        press(page, "sale-twice")
        page.wait_for_selector("[data-key=reprint]")
        page.locator("[data-key=reprint]").dblclick()
        expect(page.locator(".toasts")).to_contain_text("on its way")
        tap_twice(page, "return", "[data-key=do-return]")
        expect(page.locator("[data-key=do-return]")).to_be_enabled()
        assert [url.rpartition("/")[2].partition("?")[0] for url in asked] == ["print"]
        press(page, "back")
        press(page, "nav-home")
        page.locator(".find .pad button", has_text="5").dblclick()
        assert page.input_value("#find-phone") == "55"
