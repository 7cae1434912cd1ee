"""Names, amounts and numbers at their longest: all of each is read, or it is another amount."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from kit.chain import ANNA
from kit.chromium import PATIENCE_MS, Shots, overflowing
from kit.panel import PanelWorld, figure, press

expect.set_options(timeout=PATIENCE_MS)
LONG_NAME = "Абдурахманбердыхаджиева-Преображенскаяконстантинопольская К."
LARGEST = 123_456_789_012_34
DEBT = -1_234_567_00
LONG_NUMBER = "1234567890" * 4


def changed(page: Page, pattern: str, change: Callable[[dict[str, Any]], object]) -> None:
    """Answers of the agent that fit `pattern` come otherwise."""

    def answer(route: Route) -> None:
        found = route.fetch()
        body = found.json()
        change(body)
        route.fulfill(response=found, json=body)

    page.unroute_all()
    page.route(re.compile(pattern), answer)


def find(page: Page) -> None:
    """The card of before stands there until the answer has come: it is not to be taken for the new one."""
    press(page, "choice-card")
    page.fill("#find-card", ANNA.card)
    page.evaluate("for (const each of document.querySelectorAll('[data-figure=balance]')) each.dataset.former = ''")
    page.keyboard.press("Enter")
    page.wait_for_selector("[data-figure=balance]:not([data-former])")


@pytest.mark.parametrize("language", ["ru", "kk"])
def test_customers_are_shown_whole(browser: Browser, panel: PanelWorld, shots: Shots, language: str) -> None:
    """A balance whose last digits were hidden is a thousandth of it; a debt says so; of a stranger nothing is known."""
    with panel.open(browser, language=language) as visited:
        page = visited.page
        changed(page, "/v1/identify", lambda member: member.update(name_masked=LONG_NAME, balance_points=LARGEST))
        find(page)
        shots.take(page, f"extremes-{language}-largest")
        assert overflowing(page) == []
        assert figure(page, "balance").startswith("123 456 789 012,34")
        changed(page, "/v1/identify", lambda member: member.update(balance_points=DEBT, spendable_points=0))
        find(page)
        assert overflowing(page) == []
        debt = {"ru": "Долг", "kk": "Қарыз"}[language]
        expect(page.locator("[data-figure=spendable]")).to_contain_text(debt)
        stranger = {"known": False, "balance_points": 0, "spendable_reason": "not_here", "name_masked": ""}
        changed(page, "/v1/identify", lambda member: member.update(stranger))
        find(page)
        shots.take(page, f"extremes-{language}-not-here")
        assert overflowing(page) == []
        assert figure(page, "balance").startswith("\u2014")
        # They may well be a customer of another store: sold to as usual, and registered if they say that they are none.
        buttons = page.locator(".member .actions button")
        assert [each.get_attribute("data-key") for each in buttons.all()] == ["sell", "register", "next"]
        expect(buttons.first).to_have_class(re.compile(r"\bprimary\b"))
        expect(buttons.nth(1)).not_to_have_class(re.compile(r"\bprimary\b"))


def test_receipts_show_the_sum_that_the_customer_holds_in_hand(browser: Browser, panel: PanelWorld) -> None:
    """In the list and in the question before a void: less the programme's discounts."""
    panel.till.pos.sell(
        "discounted", {"receipt": {"lines": [{"number": 1, "sku": "a", "name": "a", "amount_minor": 10_000}]}}
    )

    def discounted(found: dict[str, Any]) -> None:
        for row in found.get("sales", ()):
            row.update(number="", discount_minor=1_050)
        if "sale" in found:
            found["sale"]["calculation"].update(discount_minor=1_050)

    with panel.open(browser) as visited:
        page = visited.page
        changed(page, r"/v1/sales(\?|/discounted$)", discounted)
        press(page, "nav-receipts")
        expect(page.locator("[data-key=sale-discounted] .receipt-total")).to_have_text("89.50")
        press(page, "sale-discounted")
        press(page, "void")
        expect(page.locator("dialog")).to_contain_text("89.50")


def test_lists_show_amounts_whole(browser: Browser, panel: PanelWorld, shots: Shots) -> None:
    """Long names and numbers give way to what was paid."""
    panel.till.pos.sell(
        "extremes", {"receipt": {"lines": [{"number": 1, "sku": "a", "name": "a", "amount_minor": 100}]}}
    )

    def many(found: dict[str, Any]) -> None:
        found["members"] = [found["members"][0] | {"name_masked": LONG_NAME, "balance_points": LARGEST}] * 3

    def huge(found: dict[str, Any]) -> None:
        for row in found.get("sales", ()):
            row.update(number=LONG_NUMBER, total_minor=LARGEST)
        for line in found.get("lines", ()):
            line.update(name=f"{LONG_NAME} {LONG_NAME}", amount_minor=LARGEST, quantity_thousandths=12_345_678)

    with panel.open(browser, language="ru") as visited:
        page = visited.page
        changed(page, r"/v1/members\?", many)
        press(page, "choice-name")
        page.fill("#find-name", "an")
        page.wait_for_selector(".found")
        shots.take(page, "extremes-found")
        wrong = overflowing(page)
        changed(page, r"/v1/sales(\?|/extremes/lines)", huge)
        press(page, "nav-receipts")
        press(page, "sale-extremes")
        page.wait_for_selector("[data-key=void]")
        shots.take(page, "extremes-receipt")
        wrong += overflowing(page)
    assert wrong == []
