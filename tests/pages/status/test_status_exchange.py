"""The status page as the line, the agent and the queue go and come back; its log, its text for support, its looks."""

from playwright.sync_api import Browser, Locator, Page, expect

from kit.bridge import receipt
from kit.chain import ANNA, PEOPLE
from kit.chromium import Shots, low_contrast, overflowing, pairing_url, small_targets, visit
from pages.status.status_shop import SOLD, Shop, another_till
from till_agent.pages.library import ASSETS

WORDS = ASSETS / "status" / "words"
LANGUAGES = sorted(("ru", "kk", "ky", "uk", "en"), key=lambda each: len((WORDS / f"{each}.json").read_text("utf-8")))
"""That which takes most room comes last."""
SIZES = {"1280x800": (1280, 800), "1024x768": (1024, 768), "phone": (360, 740)}
NARROWEST = {"phone": SIZES["phone"]}


def exchange(page: Page) -> Locator:
    """The card of the exchange."""
    return page.locator("section.card", has_text="Exchange with the cloud")


def test_a_line_that_goes_and_comes_back_is_shown_as_it_is(shop: Shop, browser: Browser, shots: Shots) -> None:
    """Without a line sales go on and wait; with it again, all is sent, by itself."""
    with shop.looking(browser) as visited:
        page = visited.page
        card = exchange(page)
        expect(card).to_contain_text("Online")
        shop.world.line.cut()
        try:
            shop.till.pos.sell("waits-1", receipt(9_900))
            expect(card).to_contain_text("No line")
            expect(card).to_contain_text("1 operation waits to be sent")
            page.get_by_role("button", name="Waiting").click()
            expect(page.locator(".ops tbody tr")).to_have_count(1)
            expect(page.locator(".ops")).to_contain_text("waits-1")
            page.get_by_role("button", name="Exchange now").click()
            expect(card).to_contain_text("The cloud did not answer. The till tries again by itself")
            shots.take(page, "status-no-line", whole=True)
        finally:
            shop.world.line.mend()
        page.get_by_role("button", name="Exchange now").click()
        expect(card).to_contain_text("Online")
        expect(card).to_contain_text("0 operations wait to be sent")
        expect(page.get_by_text("Everything was sent.", exact=True)).to_be_visible()


def test_what_the_cloud_refused_is_listed_with_what_to_do(shop: Shop, browser: Browser, shots: Shots) -> None:
    """A void of a sale whose goods came back at another till meanwhile."""
    shop.till.pos.sell("twice-1", receipt(7_700))
    shop.till.drain()
    with shop.looking(browser) as visited, another_till(shop, "till-2") as other:
        other.wait_members()
        shop.world.line.cut()
        try:
            other.pos.ask("PUT", "/v1/returns/back-1", {"sale_uid": "twice-1"})
            other.drain()
            shop.till.pos.ask("POST", "/v1/sales/twice-1/void")
        finally:
            shop.world.line.mend()
        shop.till.drain()
        visited.page.get_by_role("button", name="Refused").click()
        row = visited.page.locator(".ops tbody tr")
        expect(row).to_have_count(1)
        expect(row).to_contain_text("Void")
        expect(row).to_contain_text("No points were counted for it.")
        expect(visited.page.locator(".verdict")).to_contain_text("something needs a look")
        shots.take(visited.page, "status-refused")


def test_a_till_that_is_not_enrolled_says_so(shop: Shop, browser: Browser, shots: Shots) -> None:
    """The page works before anything else does: it says what is missing."""
    with another_till(shop, "till-new") as till, visit(browser, till.port) as visited:
        visited.page.goto(pairing_url(till.admin, "status"))
        expect(visited.page.locator(".verdict .banner.error")).to_contain_text("Something needs to be mended")
        expect(visited.page.get_by_role("heading", name="Till without a name")).to_be_visible()
        expect(exchange(visited.page)).to_contain_text("Till not enrolled")
        expect(visited.page.get_by_text("No devices are configured.")).to_be_visible()
        expect(visited.page.locator(".scrolls")).to_contain_text("This till is not yet part of the bonus programme")
        expect(visited.page.get_by_role("alert")).to_be_empty()
        shots.take(visited.page, "status-not-enrolled")


def test_the_log_names_nobody_and_can_be_narrowed_and_held(shop: Shop, browser: Browser) -> None:
    """Cards, phones, names and tokens of what was just done are not in it, nor anywhere else on the page."""
    for person in PEOPLE:
        shop.till.pos.send("POST", "/v1/identify", {"phone": person.phone})
        shop.till.pos.send("POST", "/v1/identify", {"card": person.card})
    shop.world.scan(ANNA.card)
    with shop.looking(browser) as visited:
        page = visited.page
        page.get_by_label("What to show").select_option("debug")
        expect(page.locator(".log")).to_contain_text("sales are taken")
        canaries = [shop.token, shop.till.admin.token]
        canaries += [each for person in PEOPLE for each in (person.name, person.phone.lstrip("+"), person.card)]
        seen = page.content()
        assert [each for each in canaries if each in seen] == []
        page.get_by_label("What to show").select_option("error")
        expect(page.locator(".log")).not_to_contain_text("sales are taken")
        page.get_by_label("What to show").select_option("info")
        page.get_by_role("button", name="Pause").click()
        held = page.locator(".log").inner_text()
        shop.world.line.cut()
        try:
            expect(page.get_by_text("Held still: ")).not_to_contain_text("0 new")
            assert page.locator(".log").inner_text() == held
        finally:
            shop.world.line.mend()
        page.get_by_role("button", name="Go on").click()
        expect(page.locator(".log")).to_contain_text("Sync failed")


def test_signs_of_misuse_are_counted_by_kind_and_name_nobody(shop: Shop, browser: Browser, shots: Shots) -> None:
    """Of a till that has some: how many, what kinds, and that it proves nothing."""
    signals = [
        {"code": "typed_cards", "count": 3, "of": 4, "text": "x"},
        {"code": "newer", "count": 1, "of": 0, "text": "x"},
    ]
    flag = {"cashier": "Zoe", "reference": "m-anna", "receipts": 4, "sales": ["sold-0"], "first_ms": 1, "last_ms": 2}
    body = {"flags": [flag | {"signals": signals}, flag | {"signals": signals[:1]}], "count": 2, "days": 30}
    with shop.looking(browser) as visited:
        card = visited.page.locator("section.card", has_text="Cashiers’ receipts")
        expect(card).to_contain_text("0 things to check")
        visited.context.route("**/v1/flags*", lambda route: route.fulfill(json=body))
        visited.page.reload()
        expect(card).to_contain_text("2 things to check")
        expect(card).to_contain_text("Cards that were typed")
        expect(card).to_contain_text("A reason to look closer, not a proof.")
        card.scroll_into_view_if_needed()
        shots.take(visited.page, "status-flags")
        assert [each for each in ("Zoe", "m-anna") if each in visited.page.content()] == []


def test_an_agent_that_is_away_is_said_to_be(shop: Shop, browser: Browser, shots: Shots) -> None:
    """What is on the page is old, and how old; when the agent is back the page is too, with nobody's help."""
    with shop.looking(browser) as visited:
        page = visited.page
        expect(exchange(page)).to_contain_text("Online")
        page.evaluate("window.same = true")
        shop.till.kill()
        expect(page.get_by_role("alert")).to_contain_text("Tillside does not answer")
        expect(page.get_by_role("alert")).to_contain_text("What you see below is how it stood at")
        expect(page.locator(".bar .chip")).to_have_text("Connecting…")
        shots.take(page, "status-away")
        shop.till.start()
        expect(page.get_by_role("alert")).to_be_empty()
        expect(page.locator(".bar .chip")).to_have_text("Live")
        expect(exchange(page)).to_contain_text("Online")
        assert page.evaluate("window.same")


def test_the_text_for_support_is_shown_and_copied(shop: Shop, browser: Browser) -> None:
    """It holds states, counts and codes, and nobody's name, number or receipt."""
    with shop.looking(browser, permissions=["clipboard-read", "clipboard-write"]) as visited:
        page = visited.page
        page.get_by_role("button", name="For support").click()
        text = page.get_by_role("textbox", name="Facts for support").input_value()
        assert f"sync waiting=0 oldest_waiting_ms=0 acked={shop.till.last_seq()}/{shop.till.last_seq()}" in text
        assert "device printer printer ready" in text
        canaries = [shop.token, "sold-0", "Test Shop"]
        canaries += [each for person in PEOPLE for each in (person.name, person.phone, person.card)]
        assert [each for each in canaries if each in text] == []
        page.get_by_role("button", name="Copy").click()
        expect(page.get_by_text("Copied.")).to_be_visible()
        assert page.evaluate("navigator.clipboard.readText()") == text
        page.keyboard.press("Escape")
        expect(page.get_by_role("button", name="For support")).to_be_focused()


APART = """() => [...document.querySelectorAll(".device .top")].filter((top) => {
    const [icon, head] = [".icon", "h3"].map((each) => top.querySelector(each).getBoundingClientRect());
    return icon.bottom <= head.top || head.bottom <= icon.top;
}).map((top) => top.innerText)"""
"""Devices whose picture stands on another line than their name."""


def test_every_language_fits_every_screen(shop: Shop, browser: Browser, shots: Shots) -> None:
    """Nothing is cut or too wide, all text has the contrast of WCAG AA, all buttons a name and a finger's size.

    On the narrowest screen in every language, on the others in the one that needs most room.
    """
    with shop.looking(browser) as visited:
        page = visited.page
        for language in LANGUAGES:
            page.locator(".bar .select").select_option(language)
            page.wait_for_function("language => document.documentElement.lang === language", arg=language)
            page.locator(".tabs button").last.click()
            expect(page.locator(".ops tbody tr").last).to_contain_text("sold-0")
            sizes = SIZES if language == LANGUAGES[-1] or shots.folder else NARROWEST
            for name, (width, height) in sizes.items():
                page.set_viewport_size({"width": width, "height": height})
                shots.take(page, f"status-{language}-{name}", whole=True)
                assert not overflowing(page), (language, name)
                assert not small_targets(page), (language, name)
                assert page.evaluate(APART) == [], (language, name)
        assert not low_contrast(page)
        assert page.locator(".ops tbody tr").count() >= SOLD


def test_another_language_is_one_choice_away(shop: Shop, browser: Browser) -> None:
    """By the keyboard too; it is kept for the next visit, and focus stays where it was."""
    with visit(browser, shop.till.port) as visited:
        page = visited.page
        visited.each_time(f"localStorage.setItem('tillside.token.status', '{shop.token}')")
        visited.go("/status/")
        picker = page.get_by_role("combobox", name="Language")
        picker.select_option("uk")
        expect(page.get_by_role("heading", name="Обмін із хмарою")).to_be_visible()
        expect(page.get_by_role("combobox", name="Мова")).to_be_focused()
        page.reload()
        expect(page.get_by_role("heading", name="Обмін із хмарою")).to_be_visible()


def test_the_keyboard_reaches_everything_in_order(shop: Shop, browser: Browser) -> None:
    """From the way past the bar to the last list; what has focus is seen to have it."""
    with shop.looking(browser) as visited:
        page = visited.page
        names = [focused(page) for _ in range(14)]
        wanted = ["Skip to the content", "Language", "For support", "Test print: printer", "Test scan: scanner"]
        wanted += ["Refused", "Recalculated", "Waiting", "Newest", "Operations", "What to show", "Pause", "Log"]
        assert names == [*wanted, "Exchange now"]
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
        page.locator(".skip").focus()
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "main"


def focused(page: Page) -> str:
    """The name of what has focus after Tab."""
    page.keyboard.press("Tab")
    name: str = page.evaluate("""() => {
        const at = document.activeElement;
        return at.getAttribute("aria-label") || at.labels?.[0]?.innerText || at.innerText.trim();
    }""")
    return name
