"""Receipts on the panel: copies, returns by the line, voids, and sales by the total that are never made twice."""

import json
import re
from decimal import Decimal
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from kit.bridge import receipt
from kit.chain import ANNA, CLARA, DINA
from kit.chromium import PATIENCE_MS, Shots
from kit.panel import PanelWorld, figure, name_shown, press
from kit.waiting import wait_for

expect.set_options(timeout=PATIENCE_MS)


def of_three_lines(card: str, number: str) -> dict[str, Any]:
    """A receipt with several pieces, something weighed, and a long name."""
    lines = [
        {"number": 1, "sku": "milk", "name": "Milk 3.2 % 1 l", "amount_minor": 45_000, "quantity_thousandths": 3000},
        {"number": 2, "sku": "bread", "name": "Wheat bread, sliced, in its own bag", "amount_minor": 18_000},
        {"number": 3, "sku": "cheese", "name": "Cheese", "amount_minor": 99_990, "quantity_thousandths": 345},
    ]
    return {"receipt": {"lines": lines}, "member": {"card": card}, "number": number}


def minor(text: str) -> int:
    """An amount as the page shows it."""
    return int(re.sub(r"\D", "", text))


def open_receipt(page: Page, uid: str) -> None:
    press(page, "nav-receipts")
    press(page, f"sale-{uid}")
    page.wait_for_selector("[data-key=reprint]")


def last_receipt(panel: PanelWorld) -> dict[str, Any]:
    found: dict[str, Any] = panel.till.pos.ask("GET", "/v1/sales?limit=1")["sales"][0]
    return found


def test_a_copy_comes_out_of_the_printer(browser: Browser, panel: PanelWorld, shots: Shots) -> None:
    """The receipt shows its lines and how its slip stands; the copy says that it is one."""
    panel.till.pos.sell("copy-1", of_three_lines(DINA.card, "301"))
    with panel.open(browser) as visited:
        page = visited.page
        open_receipt(page, "copy-1")
        expect(page.locator(".receipt")).to_contain_text("Wheat bread, sliced")
        shots.take(page, "panel-receipt")
        press(page, "reprint")
        expect(page.locator(".toasts")).to_contain_text("on its way")
        wait_for(lambda: any("COPY" in text for text in panel.world.slip_texts()), "the copy")


def test_a_return_by_the_line_is_told_before_it_is_made(browser: Browser, panel: PanelWorld, shots: Shots) -> None:
    """Two of three pieces: money and points on the button are those that the agent then gives back."""
    panel.till.pos.sell("back-1", of_three_lines(DINA.card, "302"))
    with panel.open(browser) as visited:
        page = visited.page
        open_receipt(page, "back-1")
        press(page, "return")
        press(page, "nothing")
        expect(page.locator("[data-key=do-return]")).to_be_disabled()
        press(page, "more-1")
        press(page, "more-1")
        told = (minor(figure(page, "money")), int(Decimal(figure(page, "points-taken")) * 100))
        shots.take(page, "panel-return")
        press(page, "do-return")
        expect(page.locator(".finished")).to_contain_text("Returned. Give the customer 300.00")
        expect(page.locator(".receipt")).to_contain_text("Partly returned")
        view = panel.till.pos.ask("GET", "/v1/sales/back-1")
        assert [(each["money_back_minor"], each["points_taken"]) for each in view["returned"]] == [told]
        press(page, "done")
        press(page, "return")
        press(page, "do-return")
        expect(page.locator(".finished")).to_contain_text("Returned")
        expect(page.locator("[data-key=return]")).to_have_count(0)
    assert panel.till.pos.ask("GET", "/v1/sales/back-1")["state"] == "returned"


def test_a_return_whose_answer_was_lost_is_made_once(browser: Browser, panel: PanelWorld) -> None:
    """The cashier is told that nobody knows; the page loaded anew finds out, under the same uid."""
    panel.till.pos.sell("lost-1", of_three_lines(DINA.card, "303"))
    with panel.open(browser) as visited:
        page = visited.page
        open_receipt(page, "lost-1")
        press(page, "return")
        press(page, "less-1")
        lose_answers(page, "**/v1/returns/*")
        press(page, "do-return")
        expect(page.locator("[data-key=again]")).to_be_visible()
        expect(page.locator("main")).to_contain_text("not known whether it was done")
        page.unroute("**/v1/returns/*")
        page.reload()
        press(page, "nav-receipts")
        expect(page.locator(".finished")).to_contain_text("Returned")
    assert len(panel.till.pos.ask("GET", "/v1/sales/lost-1")["returned"]) == 1


def test_a_void_is_asked_about_first(browser: Browser, panel: PanelWorld) -> None:
    """Escape is no; yes voids the whole receipt and says what to hand over."""
    panel.till.pos.sell("void-1", of_three_lines(DINA.card, "304"))
    with panel.open(browser) as visited:
        page = visited.page
        open_receipt(page, "void-1")
        press(page, "void")
        page.keyboard.press("Escape")
        expect(page.locator("dialog")).to_have_count(0)
        press(page, "void")
        press(page, "yes")
        expect(page.locator(".finished")).to_contain_text("Voided. Give the customer 1629.90")
    assert panel.till.pos.ask("GET", "/v1/sales/void-1")["state"] == "voided"


def begin(panel: PanelWorld, page: Page, card: str, total: str) -> None:
    """A receipt of that total for a scanned card."""
    panel.scan(card)
    press(page, "sell")
    page.fill("#sell-total", total)
    page.wait_for_selector("[data-figure=pay]")


def lose_answers(page: Page, pattern: str) -> None:
    """Requests reach the agent, and no answer comes back."""

    def carry(route: Route) -> None:
        route.fetch()
        route.abort("connectionreset")

    page.route(pattern, carry)


def test_points_are_spent_on_a_receipt(browser: Browser, panel: PanelWorld, shots: Shots) -> None:
    """Quoted while it is keyed, set aside, and taken; the cashier reads what to take and what the customer has left."""
    before = panel.till.pos.identify(card=ANNA.card)["balance_points"]
    with panel.open(browser) as visited:
        page = visited.page
        begin(panel, page, ANNA.card, "60")
        press(page, "choice-some")
        page.fill("#sell-points", "10")
        expect(page.locator("[data-figure=pay]")).to_contain_text("50.00")
        press(page, "choice-all")
        expect(page.locator("[data-figure=by-points]")).to_contain_text("30.00")
        shots.take(page, "panel-sell")
        press(page, "go")
        expect(page.locator("main")).to_contain_text("30 set aside. Take 30.00 and finish the receipt")
        shots.take(page, "panel-held")
        press(page, "commit")
        page.wait_for_selector("[data-figure=after]")
        after = Decimal(before - 3000 + 60) / 100
        assert (figure(page, "taken"), Decimal(figure(page, "after"))) == ("30.00", after)
        shots.take(page, "panel-sold")
        press(page, "next")
        assert page.locator("#find-phone").is_visible()
    sold = last_receipt(panel)
    assert (sold["total_minor"], sold["redeemed_points"]) == (6000, 3000)


def test_a_cancelled_receipt_gives_its_points_back(browser: Browser, panel: PanelWorld) -> None:
    """What was set aside may be spent by the next receipt; a scan meanwhile changes nothing."""
    with panel.open(browser) as visited:
        page = visited.page
        before = panel.till.pos.identify(card=CLARA.card)["spendable_points"]
        begin(panel, page, CLARA.card, "20")
        press(page, "choice-all")
        page.wait_for_selector("[data-figure=by-points]")
        press(page, "go")
        page.wait_for_selector("[data-key=commit]")
        assert panel.till.pos.identify(card=CLARA.card)["spendable_points"] < before
        panel.scan(DINA.card)
        expect(page.locator("#alerted")).to_contain_text("Finish or cancel the receipt first")
        page.reload()
        # It goes on where it was.
        press(page, "cancel")
        expect(page.locator(".toasts")).to_contain_text("Cancelled; the points are back")
    wait_for(lambda: panel.till.pos.identify(card=CLARA.card)["spendable_points"] == before, "the points to come back")


FORGETS = "sessionStorage.setItem(key, JSON.stringify(value));"


@pytest.mark.parametrize(("broken", "sales"), [("", 1), (FORGETS, 2)], ids=["ours", "one that forgets"])
def test_a_sale_whose_answer_was_lost_is_made_once(
    browser: Browser, panel: PanelWorld, broken: str, sales: int
) -> None:
    """Sent again after a reload with the same uid and bytes, it is the same sale. A page that keeps nothing is seen."""
    sent: list[tuple[str, str]] = []
    total = 7770 + sales
    with panel.open(browser) as visited:
        page = visited.page
        if broken:
            spoil(page, "kept.js", broken)
        page.on("request", lambda each: sent.append((each.url, each.post_data or "")) if each.method == "PUT" else None)
        begin(panel, page, DINA.card, f"{total / 100:.2f}")
        lose_answers(page, "**/v1/sales/*")
        press(page, "go")
        expect(page.locator("[data-key=again]")).to_be_visible()
        expect(page.locator("main")).to_contain_text("it can't be made twice")
        page.unroute("**/v1/sales/*")
        page.reload()
        page.wait_for_selector("[data-figure=after], #find-phone")
        if page.locator("#find-phone").is_visible():
            # What a cashier does whose page knows nothing of the receipt any more.
            page.wait_for_selector(".states .good")
            begin(panel, page, DINA.card, f"{total / 100:.2f}")
            press(page, "go")
        expect(page.locator("main")).to_contain_text("The receipt is done")
        kept = page.evaluate("() => JSON.stringify(sessionStorage) + JSON.stringify(localStorage)")
    assert DINA.card not in kept
    assert len({url for url, _ in sent}) == sales
    assert len({body for _, body in sent}) == 1
    assert json.loads(sent[0][1])["receipt"]["lines"][0]["amount_minor"] == total
    found = panel.till.pos.ask("GET", "/v1/sales?limit=100")["sales"]
    assert sum(each["total_minor"] == total for each in found) == sales


def spoil(page: Page, module: str, left_out: str) -> None:
    """The page with a deliberate defect: a piece of one of its modules is left out."""

    def carry(route: Route) -> None:
        answer = route.fetch()
        text = answer.text()
        assert left_out in text
        route.fulfill(response=answer, body=text.replace(left_out, "{}"))

    page.route(f"**/panel/{module}", carry)
    page.reload()
    page.wait_for_selector(".states .good")


def test_earlier_receipts_are_a_touch_away(browser: Browser, panel: PanelWorld) -> None:
    """The list grows by pages, and nothing is in it twice."""
    for number in range(24):
        panel.till.pos.sell(f"many-{number}", receipt(100 + number))
    with panel.open(browser) as visited:
        page = visited.page
        press(page, "nav-receipts")
        expect(page.locator(".receipt-row")).to_have_count(20)
        press(page, "more")
        expect(page.locator("[data-key=sale-many-0]")).to_be_visible()
        shown = page.locator(".receipt-row").evaluate_all("rows => rows.map((row) => row.dataset.uid)")
        assert len(shown) == len(set(shown)) > 20


def test_a_till_without_sales_by_the_total_has_none(browser: Browser, panel: PanelWorld) -> None:
    """Where the cash software calls the bridge itself the panel shows, prints and returns: nothing counts twice."""
    with panel.open(browser) as visited:
        page = visited.page

        def off(route: Route) -> None:
            answer = route.fetch()
            route.fulfill(response=answer, json={**answer.json(), "sell": False})

        page.route("**/v1/page", off)
        page.reload()
        page.wait_for_selector(".states .good")
        panel.scan(DINA.card)
        name_shown(page, "Dina D.")
        assert page.locator("[data-key=sell], [data-key=nav-sell]").count() == 0
