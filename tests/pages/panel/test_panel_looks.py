"""How the panel looks and feels: every screen in five languages, by keyboard alone, with the contrast of WCAG AA."""

import json

import pytest
from playwright.sync_api import Browser, Page, expect

from kit.chain import ANNA, ean13
from kit.chromium import PATIENCE_MS, Shots, low_contrast, overflowing, small_targets
from kit.panel import PanelWorld, name_shown, press
from till_agent.pages.library import ASSETS

expect.set_options(timeout=PATIENCE_MS)
LANGUAGES = ("ru", "kk", "ky", "uk", "en")
FINGER_PX = 48
SETTLE_MS = 700


LEFT_OVER = """() => [...document.querySelectorAll(".actions")].flatMap((row) => {
    const box = (each) => each.getBoundingClientRect();
    const ends = new Map([...row.children].map((each) => [Math.round(box(each).top), each]));
    return [...ends.values()].filter((each) => box(row).right - box(each).right > 2).map((each) => each.innerText);
})"""
"""The last button of each row of them that does not reach its end."""


OUT_OF_SIGHT = """() => [...document.querySelectorAll(".actions .button")].filter((each) => {
    const box = each.getBoundingClientRect();
    const frame = each.closest(".card").getBoundingClientRect();
    return box.bottom > Math.min(frame.bottom, innerHeight) || box.top < frame.top;
}).map((each) => each.innerText)"""
"""Buttons that lead on, and that nobody sees before they scroll."""


def look(page: Page, shots: Shots, name: str, wrong: list[str], *, paint: bool) -> None:
    """Note what is cut off, too small to touch or (`paint`: no language changes it) too pale to read."""
    shots.take(page, name)
    wrong += [f"{name}: {each}" for each in overflowing(page)]
    wrong += [f"{name}: room is left beside {each}" for each in page.evaluate(LEFT_OVER)]
    wrong += [f"{name}: {each}" for each in small_targets(page, least_px=FINGER_PX)]
    if paint:
        wrong += [f"{name}: {each}" for each in low_contrast(page)]
    wrong += [f"{name}: out of sight: {each}" for each in page.evaluate(OUT_OF_SIGHT)]
    width, height = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.scrollHeight]")
    size = page.viewport_size
    assert size
    if width > size["width"] or height > size["height"]:
        wrong.append(f"{name}: the page scrolls, {width} x {height}")


def longest() -> str:
    """The language whose words take most room."""
    return max(LANGUAGES, key=lambda each: len((ASSETS / "panel" / "words" / f"{each}.json").read_text("utf-8")))


@pytest.mark.parametrize(
    ("width", "height", "languages"), [(1024, 768, LANGUAGES), (1280, 800, (longest(),))], ids=["narrow", "wide"]
)
def test_every_screen_fits_in_every_language(
    browser: Browser, panel: PanelWorld, shots: Shots, width: int, height: int, languages: tuple[str, ...]
) -> None:
    """Nothing cut off, nothing pale, nothing smaller than a finger; a change of language keeps what is under way.

    In every language where there is least room, on the wider screen in the one that needs most.
    """
    wrong: list[str] = []
    languages = LANGUAGES if shots.folder else languages
    uid = f"look-{width}"
    panel.till.pos.sell(uid, {"receipt": {"lines": LINES}, "member": {"card": ANNA.card}})
    with panel.open(browser, language=languages[-1], width=width, height=height) as visited:
        page = visited.page

        def seen(name: str, ready: str, again: str = "") -> None:
            for language in languages:
                page.locator("header .select").select_option(language)
                expect(page.locator("html")).to_have_attribute("lang", language)
                if again:
                    press(page, again)
                page.wait_for_selector(ready)
                look(page, shots, f"look-{width}-{language}-{name}", wrong, paint=language == languages[-1])

        seen("waiting", "#find-phone")
        press(page, "choice-name")
        seen("name", ".letters")
        page.fill("#find-name", "an")
        page.locator(".found").first.click()
        name_shown(page, "Anna")
        press(page, "choice-card")
        seen("member", "[data-name=member]")
        press(page, "sell")
        page.fill("#sell-total", "12345.60")
        page.wait_for_selector("[data-figure=pay]")
        press(page, "choice-all")
        seen("sell", "[data-figure=by-points]")
        press(page, "choice-some")
        page.fill("#sell-points", "9999999")
        seen("sell-most", ".sell-side .banner.warning")
        press(page, "cancel")
        press(page, "nav-register")
        page.fill("#reg-phone", f"701000{width}")
        press(page, "next")
        page.wait_for_selector(".consent-text")
        seen("consent", ".consent-text")
        # Consent is given to a text in the language of whoever reads it.
        page.locator("header .select").select_option("ru")
        expect(page.locator(".consent-text")).to_contain_text("Я согласен")
        press(page, "agree")
        page.wait_for_selector("#reg-code")
        seen("code", "#reg-code")
        expect(page.locator(".lead")).to_contain_text(f"***\u00a0{str(width)[:2]}\u2011{str(width)[2:]}")
        page.keyboard.press("Escape")
        press(page, "nav-receipts")
        press(page, f"sale-{uid}")
        seen("receipt", "[data-key=void]")
        seen("return", "[data-key=do-return]", again="return")
    assert not wrong, "\n".join(wrong)


def test_screens_begin_at_one_height(browser: Browser, panel: PanelWorld) -> None:
    """Who goes from one to another sees nothing jump; only what has just been done stands above."""
    panel.till.pos.sell("height", {"receipt": {"lines": LINES}, "member": {"card": ANNA.card}})
    with panel.open(browser) as visited:
        page = visited.page

        def top(selector: str) -> float:
            box = page.locator(selector).bounding_box()
            assert box is not None
            return box["y"]

        home = top(".find")
        press(page, "nav-receipts")
        assert (top(".receipt-list"), top(".receipt")) == (home, home)
        press(page, "sale-height")
        press(page, "return")
        press(page, "do-return")
        page.locator(".finished").wait_for()
        assert top(".finished") == home
        box = page.locator(".finished").bounding_box()
        assert box is not None
        assert top(".receipt-list") > home + box["height"]


LINES = [
    {
        "number": 1,
        "sku": "a",
        "name": "Молоко питьевое 3,2 % 1 л",
        "amount_minor": 145_000,
        "quantity_thousandths": 3000,
    },
    {"number": 2, "sku": "b", "name": "Хлеб пшеничный нарезной, в собственной упаковке", "amount_minor": 18_000},
]


NOTICES = ("away.back", "receipt.reprinted", "reg.disagreed", "scan.busy", "sell.cancelled")
TOAST = """async (text) => {
    (await import("/common/dom.js")).toast("info", text);
    const shown = document.querySelector(".toasts").lastChild;
    const over = shown.getBoundingClientRect().bottom - document.querySelector("header").getBoundingClientRect().bottom;
    shown.remove();
    return over;
}"""


def test_what_passes_by_itself_covers_no_word_of_the_page(browser: Browser, panel: PanelWorld) -> None:
    """In any language it ends above the banner that says what to do without a line."""
    with panel.open(browser) as visited:
        for language in LANGUAGES:
            words = json.loads((ASSETS / "panel" / "words" / f"{language}.json").read_text("utf-8"))
            over = {key: visited.page.evaluate(TOAST, words[key]) for key in NOTICES}
            assert max(over.values()) <= 0, (language, over)


def test_the_keyboard_alone_is_enough(browser: Browser, panel: PanelWorld) -> None:
    """Tab goes through the page in the order in which it is read, each stop is seen, and Enter does what it says."""
    with panel.open(browser) as visited:
        page = visited.page
        stops = []
        page.evaluate("document.activeElement.blur()")
        for _ in range(9):
            page.keyboard.press("Tab")
            stops.append(page.evaluate("document.activeElement.dataset.key ?? document.activeElement.className"))
            ring = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            assert ring == "solid" or stops[-1] == "skip", stops
        nav = ["nav-home", "nav-register", "nav-receipts", "nav-sell"]
        assert stops == ["skip", "select", *nav, "choice-phone", "find-phone", "find"]
        page.focus("[data-key=choice-phone]")
        page.keyboard.press("ArrowRight")
        assert page.evaluate("document.activeElement.dataset.key") == "choice-card"
        # What is typed with the focus on a button goes into the field.
        page.keyboard.type(ANNA.card[-4:], delay=90)
        assert page.input_value("#find-card") == ANNA.card[-4:]
        page.keyboard.press("Enter")
        page.wait_for_selector(".found")
        page.focus(".found")
        page.keyboard.press("Enter")
        name_shown(page, "Anna A.")
        page.focus("[data-key=sell]")
        page.keyboard.press("Enter")
        page.keyboard.type("25", delay=90)
        page.wait_for_selector("[data-figure=pay]")
        page.keyboard.press("Enter")
        page.wait_for_selector("[data-figure=after]")
        assert page.evaluate("document.activeElement.dataset.key") == "next"
        # A moment passes first: whoever still holds Enter has not read the screen.
        page.wait_for_timeout(SETTLE_MS)
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "find-card"


def test_nothing_moves_that_need_not(browser: Browser, panel: PanelWorld) -> None:
    """No animation for those who asked for none, on any element of a member's card."""
    with panel.open(browser) as visited:
        page = visited.page
        panel.scan(ean13("290000000999"))
        page.wait_for_selector("[data-name=member]")
        assert page.evaluate("document.getAnimations().length") == 0
