"""The panel while the line is down, the agent away, the scanner gone or the token withdrawn: it says what to do."""

import re
import shlex
from pathlib import Path

from playwright.sync_api import Browser, expect

from kit.bridge import receipt
from kit.chain import ANNA, CLARA, DINA
from kit.chromium import PATIENCE_MS, Shots, visit
from kit.panel import PanelWorld, figure, name_shown, press

expect.set_options(timeout=PATIENCE_MS)


def test_without_a_line_the_page_says_so_and_goes_on(browser: Browser, panel: PanelWorld, shots: Shots) -> None:
    """How old the data is, what waits, why nothing can be spent; all of it goes when the line is back."""
    world = panel.world
    with panel.open(browser) as visited:
        page = visited.page
        banner = page.locator(".banners .banner")
        world.line.cut()
        try:
            panel.wait_online(online=False)
            expect(banner).to_contain_text("No connection to the head office")
            expect(banner).to_contain_text("Customer data as of")
            panel.till.pos.sell("offline-1", receipt(5_000, member={"card": DINA.card}))
            panel.scan(CLARA.card)
            name_shown(page, "Clara C.")
            assert figure(page, "spendable") == "0"
            assert "none can be spent now" in page.inner_text("main")
            expect(banner).to_contain_text("Waiting to be sent: 1", timeout=30_000)
            shots.take(page, "panel-offline")
        finally:
            world.line.mend()
        panel.wait_online()
        expect(banner).to_have_count(0)
        panel.scan(CLARA.card)
        expect(page.locator("[data-figure=spendable]")).to_contain_text("12.34")


def test_an_agent_that_is_away_is_told_with_what_to_do(browser: Browser, panel: PanelWorld, shots: Shots) -> None:
    """Nothing can be pressed meanwhile; it goes on by itself, and the next scan is heard."""
    with panel.open(browser) as visited:
        page = visited.page
        panel.till.stop()
        expect(page.locator("[role=alert] .banner")).to_contain_text("does not answer")
        expect(page.locator("[role=alert] .banner")).to_contain_text("Sell without the card")
        assert page.locator("#main").evaluate("main => main.inert")
        shots.take(page, "panel-away")
        # The words of another language are the agent's too: the list goes back to the one that the page speaks.
        languages = page.locator("header select")
        languages.select_option("kk")
        expect(languages).to_have_value("en")
        panel.till.start().wait_members()
        panel.till.wait_device("scanner", "ready")
        expect(page.locator("[role=alert] .banner")).to_have_count(0)
        expect(page.locator(".toasts")).to_contain_text("answers again")
        assert not page.locator("#main").evaluate("main => main.inert")
        expect(page.locator(".states")).to_contain_text("Scanner ready")
        panel.scan(ANNA.card)
        name_shown(page, "Anna A.")


def test_the_how_to_opens_the_panel(browser: Browser, panel: PanelWorld) -> None:
    """Its command prints an address that opens the panel once, in a browser that nobody knew."""
    text = (Path(__file__).parents[3] / "docs" / "how-to" / "use-the-panel.md").read_text(encoding="utf-8")
    (command,) = re.findall(r"^```sh\n(.+)\n```$", text, re.MULTILINE)
    address = panel.till.command(*shlex.split(command)[1:]).out.strip()
    with panel.open(browser, path=address.partition(f":{panel.port}")[2]) as visited:
        assert visited.page.locator("#find-phone").is_visible()
        assert visited.page.url == f"http://127.0.0.1:{panel.port}/panel/"
    with visit(browser, panel.port) as visited:
        visited.go(address.partition(f":{panel.port}")[2])
        visited.page.locator("#pairing-code").wait_for()


def test_a_withdrawn_token_leads_to_the_form(browser: Browser, panel: PanelWorld, shots: Shots) -> None:
    """The page asks for a code instead of failing, and works again with one."""
    with panel.open(browser) as visited:
        page = visited.page
        for known in panel.till.admin.ask("GET", "/v1/pairings")["pairings"]:
            panel.till.admin.ask("DELETE", f"/v1/pairings/{known['client']}")
        panel.token = ""
        page.locator("#pairing-code").wait_for()
        assert "access was withdrawn" in page.inner_text("main")
        shots.take(page, "panel-pairing")
        page.fill("#pairing-code", panel.pairing_url().partition("code=")[2])
        page.keyboard.press("Enter")
        page.wait_for_selector("#find-phone")
        assert "code=" not in page.url


def test_a_missing_scanner_is_told_with_what_to_do(browser: Browser, panel: PanelWorld, shots: Shots) -> None:
    """The state is the scanner's own; plugged in again it works without a word."""
    assert panel.world.scanner is not None
    with panel.open(browser) as visited:
        page = visited.page
        panel.world.scanner.end()
        expect(page.locator(".states")).to_contain_text("Scanner unplugged")
        expect(page.locator(".side")).to_contain_text("Check the scanner's cable")
        shots.take(page, "panel-no-scanner")
        panel.world.start_scanner()
        expect(page.locator(".states")).to_contain_text("Scanner ready")
        panel.scan(ANNA.card)
        name_shown(page, "Anna A.")


def test_a_language_is_changed_with_a_customer_on_the_screen(browser: Browser, panel: PanelWorld) -> None:
    """The member stays; the agent's own sentences and the tier come in the new language too."""
    with panel.open(browser) as visited:
        page = visited.page
        panel.scan(ANNA.card)
        name_shown(page, "Anna A.")
        page.get_by_label("Language").select_option("ru")
        name_shown(page, "Anna A.")
        expect(page.locator("main")).to_contain_text("Уровень: Золотая")
        assert page.locator("html").get_attribute("lang") == "ru"
        press(page, "choice-phone")
        page.fill("#find-phone", "1111111111")
        press(page, "find")
        expect(page.locator("#find-note")).to_contain_text("Номер не распознан")
