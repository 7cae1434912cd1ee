"""The status page's browser is made known, shows devices as they come and go, and tries them for real."""

import os
import re
from pathlib import Path

from playwright.sync_api import Browser, Page, Route, expect

from house.shell import Shell, blocks
from house.tree import ROOT
from kit.chain import ANNA, ean13
from kit.chromium import Shots, pairing_url, visit
from kit.processes import COMMAND
from kit.waiting import wait_for
from pages.status.status_shop import Shop, device

HOW_TO = ROOT / "docs" / "how-to" / "use-the-status-page.md"
GOODS = ean13("460000000001")
SLIP = {"job": "j-1", "printer": "printer", "state": "printed", "detail": "", "code": ""}


def test_a_link_makes_the_browser_known(shop: Shop, browser: Browser, shots: Shots) -> None:
    """`tillside page open` prints it; the code is gone from the address at once, and the browser stays known."""
    url = shop.till.command("page", "open", "status", "--print").out.strip()
    assert re.fullmatch(rf"http://127\.0\.0\.1:{shop.till.port}/status/#code=\d{{8}}", url)
    with visit(browser, shop.till.port) as visited:
        visited.page.goto(url)
        expect(visited.page.get_by_role("heading", name="till-1")).to_be_visible()
        expect(visited.page.get_by_text("Everything works")).to_be_visible()
        assert visited.page.url == f"http://127.0.0.1:{shop.till.port}/status/"
        shots.take(visited.page, "status-well")
        visited.page.reload()
        expect(visited.page.get_by_text("Everything works")).to_be_visible()
        assert visited.page.evaluate("localStorage.getItem('tillside.token.status')")


def test_the_commands_of_its_page_work_as_they_stand(shop: Shop, tmp_path: Path) -> None:
    """A link, a code, the list; the browser that is forgotten is one that is known."""
    bin_folder = str(Path(COMMAND[0]).parent)
    variables = {"TILLSIDE_CONFIG": str(shop.till.config), "PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}"}
    assert shop.token
    known = shop.till.admin.ask("GET", "/v1/pairings")["pairings"][0]["client"]
    text = HOW_TO.read_text(encoding="utf-8").replace("status-abc234", known)
    with Shell(tmp_path, variables) as shell:
        printed = [shell.run(block.code) for block in blocks(text) if block.language == "sh"]
    assert re.search(r"/status/#code=\d{8}", printed[0])
    assert re.search(r"code +\d{4} \d{4}", printed[1])
    assert known in printed[2]
    assert known not in [each["client"] for each in shop.till.admin.ask("GET", "/v1/pairings")["pairings"]]
    shop.forget_token()


def test_a_typed_code_makes_the_browser_known(shop: Shop, browser: Browser, shots: Shots) -> None:
    """Too short a code, a wrong one and another page's are told as such; the right one may be typed with a gap."""
    with visit(browser, shop.till.port, width=390, height=844) as visited:
        page = visited.go("/status/").page
        field = page.get_by_label("Code of eight digits")
        expect(field).to_be_focused()
        expect(page.get_by_text("tillside page link status")).to_be_visible()
        shots.take(page, "status-pairing")
        field.fill("1234")
        field.press("Enter")
        expect(page.get_by_role("alert")).to_contain_text("The code has eight digits")
        field.fill("00000000")
        field.press("Enter")
        expect(page.get_by_role("alert")).to_contain_text("This code was not accepted")
        field.fill(pairing_url(shop.till.admin, "panel")[-8:])
        field.press("Enter")
        expect(page.get_by_role("alert")).to_contain_text("This code is for another page")
        code = pairing_url(shop.till.admin, "status")[-8:]
        field.fill(f"{code[:4]} {code[4:]}")
        field.press("Enter")
        expect(page.get_by_role("heading", name="till-1")).to_be_visible()


def test_a_forgotten_browser_is_asked_for_a_code_again(shop: Shop, browser: Browser) -> None:
    """Without a reload, and with a word on why."""
    with visit(browser, shop.till.port) as visited:
        visited.page.goto(pairing_url(shop.till.admin, "status"))
        expect(visited.page.get_by_role("heading", name="till-1")).to_be_visible()
        newest = shop.till.admin.ask("GET", "/v1/pairings")["pairings"][-1]["client"]
        shop.till.command("page", "forget", newest)
        expect(visited.page.get_by_text("This browser’s access was withdrawn")).to_be_visible()
        assert visited.page.evaluate("localStorage.getItem('tillside.token.status')") is None


def test_a_scanner_that_comes_and_goes_is_shown_at_once(shop: Shop, browser: Browser, shots: Shots) -> None:
    """Unplugged: so it is said, with one thing to do about it; plugged in again, it is ready. Nobody reloads."""
    scanner = shop.world.scanner
    assert scanner is not None
    with shop.looking(browser, width=1024, height=768) as visited:
        row = device(visited, "Scanner")
        expect(row.locator(".chip")).to_have_text("Ready")
        scanner.end()
        expect(row.locator(".chip")).to_have_text("Unplugged")
        expect(row.locator(".fix")).not_to_be_empty()
        expect(visited.page.locator(".verdict")).to_contain_text("Sales go on, and something needs a look")
        shots.take(visited.page, "status-unplugged")
        shop.world.start_scanner()
        expect(row.locator(".chip")).to_have_text("Ready")
        expect(row.locator(".fix")).to_have_count(0)
        expect(visited.page.locator(".happened li").first).to_contain_text("over")


def test_a_test_slip_comes_out_and_its_code_is_read_back(shop: Shop, browser: Browser, shots: Shots) -> None:
    """The page says what became of it, and compares what a scanner reads with what was printed."""
    with shop.looking(browser) as visited:
        row = device(visited, "Printer")
        row.get_by_role("button", name="Test print").click()
        expect(row.locator(".trial")).to_contain_text("The slip was printed: the printer says so")
        code = row.locator(".readback .mono").inner_text()
        assert any(code in text for text in shop.world.slip_texts())
        expect(row.locator(".trial")).to_contain_text("Now scan the QR code of that slip")
        shop.world.scan(GOODS)
        expect(row.locator(".trial")).to_contain_text("That was another code")
        shop.world.scan(code)
        expect(row.locator(".trial")).to_contain_text("The slip’s code was read as it was printed")
        shots.take(visited.page, "status-test-print")


def test_a_printer_without_paper_says_so(shop: Shop, browser: Browser, shots: Shots) -> None:
    """The slip waits and says for what; a second one is refused; with paper there the first comes out, and no other."""
    before = len(shop.world.slip_texts())
    with shop.looking(browser) as visited:
        row = device(visited, "Printer")
        shop.world.printer_do("behave", **{"as": "paper-out"})
        try:
            row.get_by_role("button", name="Test print").click()
            expect(row.locator(".trial")).to_contain_text("The slip waits, and comes out as soon as the printer can")
            expect(row.locator(".top .chip")).to_have_text("Fault")
            expect(row.locator(".fix")).not_to_be_empty()
            # The driver's own words stand above it once.
            expect(row.locator(".about")).to_contain_text("paper out")
            expect(row.locator(".trial")).not_to_contain_text("aper out")
            shots.take(visited.page, "status-no-paper")
            visited.page.reload()
            row.get_by_role("button", name="Test print").click()
            expect(row.locator(".trial")).to_contain_text("The printer takes no slip now")
            look_again(visited.page)
            expect(row.locator(".trial")).to_contain_text("The printer takes no slip now")
        finally:
            shop.world.printer_do("behave", **{"as": "normal"})
        expect(row.locator(".top .chip")).to_have_text("Ready")
        wait_for(lambda: shop.till.status()["prints_waiting"] == 0, "the slip to come out")
        wait_for(lambda: len(shop.world.slip_texts()) > before, "the slip to be seen")
        assert len(shop.world.slip_texts()) == before + 1


def test_a_broken_device_is_told_in_the_language_of_the_page(shop: Shop, browser: Browser) -> None:
    """The problem, the row and the trial say in it what drivers say in English; the row stands clear of its state."""
    with shop.looking(browser, language="ru", width=1024, height=768) as visited:
        row = device(visited, "Принтер")
        shop.world.printer_do("behave", **{"as": "paper-out"})
        try:
            row.get_by_role("button", name="Пробная печать").click()
            expect(row.locator(".about")).to_contain_text("кончилась бумага")
            expect(visited.page.locator(".verdict")).to_contain_text("неисправен, кончилась бумага")
            visited.page.route("**/v1/status*", broken)
            look_again(visited.page)
            # Why it waits, by another way than the row has it: the row says something else at the moment.
            expect(row.locator(".trial")).to_contain_text("Кончилась бумага")
            visited.page.unroute("**/v1/status*")
            expect(row.locator(".about")).to_contain_text("кончилась бумага")
            chip, fix = row.locator(".top .chip").bounding_box(), row.locator(".fix").bounding_box()
            assert chip is not None
            assert fix is not None
            assert fix["y"] - (chip["y"] + chip["height"]) >= 4
        finally:
            shop.world.printer_do("behave", **{"as": "normal"})
        expect(row.locator(".top .chip")).to_have_text("Готов")
        wait_for(lambda: shop.till.status()["prints_waiting"] == 0, "the slip to come out")


def test_what_was_proven_goes_when_the_printer_breaks(shop: Shop, browser: Browser) -> None:
    """Once, at that moment; what a trial comes to after it stays, for as long as the printer is broken."""
    with shop.looking(browser) as visited:
        page, row = visited.page, device(visited, "Printer")
        page.route("**/v1/printers/printer/test*", lambda route: route.fulfill(json=SLIP))
        row.get_by_role("button", name="Test print").click()
        expect(row.locator(".trial")).to_contain_text("The slip was printed: the printer says so")
        look_again(page)
        expect(row.locator(".trial")).to_contain_text("The slip was printed: the printer says so")
        page.route("**/v1/status*", broken)
        look_again(page)
        expect(row.locator(".trial")).to_be_empty()
        row.get_by_role("button", name="Test print").click()
        look_again(page)
        expect(row.locator(".trial")).to_contain_text("The slip was printed: the printer says so")


def broken(route: Route) -> None:
    """How the agent is, had its printer no paper."""
    answer = route.fetch()
    told = answer.json()
    for each in told["devices"]:
        if each["role"] == "printer":
            each.update(state="fault", detail="paper out", fix="Put in a new roll of paper.")
    route.fulfill(response=answer, json=told)


def look_again(page: Page) -> None:
    """Until the page has shown an answer on how the agent is that it asked for from now on."""
    for _ in range(2):  # the second is asked for when the first has been shown, and never before
        with page.expect_request("**/v1/status*"):
            page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


def test_a_test_scan_tells_what_was_read(shop: Shop, browser: Browser, shots: Shots) -> None:
    """Kind and length of any code; all of it only where it is nobody's."""
    with shop.looking(browser) as visited:
        row = device(visited, "Scanner")
        for code, kind, shown in ((ANNA.card, "member’s card", "29…15"), (GOODS, "goods", GOODS)):
            row.get_by_role("button", name="Test scan").click()
            expect(row.locator(".trial")).to_contain_text("Scan any code with this scanner")
            shop.world.scan(code)
            expect(row.locator(".trial")).to_contain_text("A code was read")
            expect(row.locator(".trial")).to_contain_text(kind)
            expect(row.locator(".trial")).to_contain_text("13 characters")
            expect(row.locator(".trial")).to_contain_text(shown)
            seen = visited.page.content()
            assert [each for each in (ANNA.card, ANNA.name) if each in seen] == []
        shots.take(visited.page, "status-test-scan")


def test_a_test_scan_can_be_given_up_by_the_keyboard(shop: Shop, browser: Browser) -> None:
    """Focus goes to Cancel, and back to the button that began it; a scan after that is nobody's here."""
    with shop.looking(browser) as visited:
        row = device(visited, "Scanner")
        button = row.get_by_role("button", name="Test scan")
        button.focus()
        button.press("Enter")
        expect(row.get_by_role("button", name="Cancel")).to_be_focused()
        visited.page.keyboard.press("Enter")
        expect(button).to_be_focused()
        expect(row.locator(".trial")).to_be_empty()
        scans = wait_for(lambda: counted(shop), "the figures")
        shop.world.scan(GOODS)
        wait_for(lambda: counted(shop) > scans, "the scan to be counted")
        expect(row.locator(".trial")).to_be_empty()


def counted(shop: Shop) -> float:
    """Codes that the agent has read, and one: never nothing."""
    lines = shop.till.admin.send("GET", "/metrics").text.splitlines()
    return 1 + sum(float(line.split()[-1]) for line in lines if line.startswith("tillside_scans_total"))
