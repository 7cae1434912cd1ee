"""The panel finds customers by scan, keys and name, and registers them: by touch, by keyboard, by scanner."""

import re

from playwright.sync_api import Browser, Page, Route, expect

from kit.bridge import receipt
from kit.chain import ANNA, BORIS, CLARA, DINA, ean13
from kit.chromium import PATIENCE_MS, Shots
from kit.panel import PanelWorld, figure, name_shown, press, type_as_scanner

expect.set_options(timeout=PATIENCE_MS)

TYPING_MS = 90
"""Between the keys of a person: a scanner's come faster."""
RUSSIAN = dict(zip("qwertyuiopasdfghjklzxcvbnm", "йцукенгшщзфывапролдячсмить", strict=True))


def keyed(page: Page, text: str, end: str = "Enter") -> None:
    """Type as a person does."""
    page.keyboard.type(text, delay=TYPING_MS)
    page.keyboard.press(end)


def as_russian_layout(code: str) -> list[tuple[str, str, bool]]:
    """The keys of a Latin code, as a browser tells them while the Russian layout is on."""
    keys = []
    for each in code:
        if each.isdigit():
            keys.append((each, f"Digit{each}", False))
        else:
            letter = RUSSIAN[each.lower()]
            keys.append((letter.upper() if each.isupper() else letter, f"Key{each.upper()}", each.isupper()))
    return keys


def test_a_scan_brings_the_card_onto_the_screen(browser: Browser, panel: PanelWorld, shots: Shots) -> None:
    """Through a real serial scanner: name, tier, balance, what may be spent; and it is read out."""
    with panel.open(browser) as visited:
        page = visited.page
        assert page.get_by_role("heading", name="Waiting for a card").is_visible()
        shots.take(page, "panel-waiting")
        panel.scan(CLARA.card)
        name_shown(page, "Clara C.")
        assert (figure(page, "balance"), figure(page, "spendable")) == ("12.34", "12.34")
        assert "Tier: Standard" in page.inner_text("main")
        expect(page.locator("#said")).to_have_text("Clara C.: balance 12.34, can be spent 12.34")
        shots.take(page, "panel-member")
        panel.scan(BORIS.card)
        name_shown(page, "Boris B.")
        assert figure(page, "spendable") == "0"
        assert "The card is blocked: no points are earned or spent" in page.inner_text("main")
        panel.scan("4600000000015")
        expect(page.locator("#alerted")).to_contain_text("an item, not a card")
        page.keyboard.press("Escape")
        assert page.get_by_role("heading", name="Waiting for a card").is_visible()


def test_a_keyed_phone_finds_its_owner_and_mistakes_are_told(browser: Browser, panel: PanelWorld) -> None:
    """By touch and by keyboard; too few digits are counted, a wrong number is told in words, never as an error."""
    with panel.open(browser) as visited:
        page = visited.page
        for digit in "8999000010":
            page.get_by_role("button", name=digit, exact=True).click()
        assert page.input_value("#find-phone") == "999 000-01-0"
        press(page, "find")
        expect(page.locator("#find-note")).to_have_text("Too short: 1 more digit.")
        keyed(page, "3")
        name_shown(page, "Clara C.")
        assert page.input_value("#find-phone") == ""
        page.keyboard.press("Escape")
        keyed(page, "1111111111")
        expect(page.locator("#find-note")).to_contain_text("not recognised")


def test_a_number_of_another_country_is_keyed_by_touch(browser: Browser, panel: PanelWorld, shots: Shots) -> None:
    """The keys of the screen have no plus: the country's code makes room for one, and is back when all is cleared."""
    with panel.open(browser) as visited:
        page = visited.page
        code = page.get_by_role("button", name="Number of another country")
        for digit in "70":
            page.get_by_role("button", name=digit, exact=True).click()
        code.click()
        expect(code).to_be_hidden()
        for digit in "12015550123":
            page.get_by_role("button", name=digit, exact=True).click()
        assert page.input_value("#find-phone") == "+1 201 555-0123"
        shots.take(page, "panel-abroad")
        with page.expect_request("**/v1/identify*") as asked:
            press(page, "find")
        assert "+12015550123" in (asked.value.post_data or "")
        expect(page.locator("#find-phone")).to_have_value("")
        expect(code).to_have_text("+7")
        code.click()
        page.get_by_role("button", name="Clear").click()
        expect(code).to_have_text("+7")
        for digit in "9990000103":
            page.get_by_role("button", name=digit, exact=True).click()
        press(page, "find")
        name_shown(page, "Clara C.")


def test_members_are_found_by_card_digits_and_by_name(browser: Browser, panel: PanelWorld, shots: Shots) -> None:
    """The last digits of a card, or letters of the masked name; the list is walked with arrows."""
    with panel.open(browser) as visited:
        page = visited.page
        press(page, "choice-card")
        keyed(page, CLARA.card[-4:])
        page.get_by_role("button", name=re.compile("Clara C.")).click()
        name_shown(page, "Clara C.")
        press(page, "choice-name")
        keyed(page, "di", end="Shift")
        page.get_by_role("button", name=re.compile("Dina D.")).wait_for()
        shots.take(page, "panel-search")
        page.get_by_role("button", name=re.compile("Dina D.")).press("Enter")
        name_shown(page, "Dina D.")
        page.fill("#find-name", "zzz")
        expect(page.locator(".side")).to_contain_text("Nobody was found")


def test_letters_on_the_screen_type_a_name(browser: Browser, panel: PanelWorld) -> None:
    """For tills without a keyboard: a capital first, then small letters; Latin ones are a key away."""
    with panel.open(browser, language="kk") as visited:
        page = visited.page
        press(page, "choice-name")
        for letter in "әс":
            page.get_by_role("button", name=letter, exact=True).click()
        assert page.input_value("#find-name") == "Әс"
        page.get_by_role("button", name="ABC", exact=True).click()
        page.get_by_role("button", name="a", exact=True).click()
        assert page.input_value("#find-name") == "Әсa"


def test_letters_on_the_screen_make_way_for_a_customer(browser: Browser, panel: PanelWorld) -> None:
    """They took the room of half a card: the balance stood behind a button. Who touches the field, or the key for them,
    types the next name."""
    with panel.open(browser) as visited:
        page = visited.page
        letters = page.locator(".letters")
        press(page, "choice-name")
        expect(letters).to_be_visible()
        panel.scan(CLARA.card)
        name_shown(page, "Clara C.")
        expect(letters).to_have_count(0)
        expect(page.locator("[data-key=keys]")).to_have_attribute("aria-pressed", "false")
        assert page.locator(".member .scrolls").evaluate("each => each.scrollHeight <= each.clientHeight")
        page.locator("#find-name").click()
        expect(letters).to_be_visible()
        name_shown(page, "Clara C.")
        press(page, "keys")
        expect(letters).to_have_count(0)
        press(page, "keys")
        expect(page.locator("[data-key=keys]")).to_have_attribute("aria-pressed", "true")
        for letter in "di":
            page.get_by_role("button", name=letter, exact=True).click()
        page.get_by_role("button", name=re.compile("Dina D.")).click()
        name_shown(page, "Dina D.")
        expect(letters).to_have_count(0)
        press(page, "next")
        expect(letters).to_be_visible()


def test_a_strangers_card_keeps_its_number_in_another_language_than_the_tills(
    browser: Browser, panel: PanelWorld
) -> None:
    """The till's language is English; the page asks for the words in its own, by a reference that names no number."""
    card = ean13("290000000777")
    with panel.open(browser, language="uk") as visited:
        page = visited.page
        with page.expect_response("**/v1/identify*"):
            panel.scan(card)
        name_shown(page, f"**** {card[-4:]}")
        expect(page.locator("main")).to_contain_text("Не зареєстрован")
        with page.expect_response("**/v1/identify*"):
            page.locator("header .select").select_option("ru")
        expect(page.locator("main")).to_contain_text("Не зарегистрирован")
        name_shown(page, f"**** {card[-4:]}")


def test_whoever_types_the_next_name_is_not_stopped_by_the_words_of_the_one_before(
    browser: Browser, panel: PanelWorld
) -> None:
    """The page asks for them in its own language, and the till may have to ask the cloud who it is."""
    with panel.open(browser, language="uk") as visited:
        page = visited.page
        letters = page.locator(".letters")
        press(page, "choice-name")
        held: list[Route] = []
        page.route("**/v1/identify*", lambda route: held.append(route))  # playwright marks what it calls
        with page.expect_request("**/v1/identify*"):
            panel.scan(CLARA.card)
        name_shown(page, "Clara C.")
        page.locator("#find-name").click()
        page.keyboard.type("д")
        expect(letters).to_be_visible()
        page.locator(".member").evaluate("each => each.classList.add('of-before')")
        held[0].continue_()
        expect(page.locator(".of-before")).to_have_count(0)
        expect(letters).to_be_visible()
        expect(page.locator("#find-name")).to_have_value("д")


def test_a_scanner_that_types_works_anywhere_on_the_page(browser: Browser, panel: PanelWorld) -> None:
    """In whatever layout, with any focus; what stood in the field stays, and nothing of the code is left in it."""
    with panel.open(browser) as visited:
        page = visited.page
        page.keyboard.type("70", delay=TYPING_MS)
        type_as_scanner(page, as_russian_layout(DINA.card))
        name_shown(page, "Dina D.")
        page.locator("[data-key=choice-card]").focus()
        type_as_scanner(page, as_russian_layout(ANNA.card))
        name_shown(page, "Anna A.")
        # Letters of a wallet's code come as they are printed: the agent knows its beginning, and refuses the rest.
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.post_data or ""))
        type_as_scanner(page, as_russian_layout("TSW1abcDEF"))
        expect(page.locator("#alerted")).not_to_be_empty()
        assert [each for each in asked if "TSW1abcDEF" in each]


def test_a_new_member_is_registered_by_keyboard_alone(browser: Browser, panel: PanelWorld, shots: Shots) -> None:
    """Phone, consent, details, a wrong code, the right one; then a card from the scanner."""
    with panel.open(browser, language="ru") as visited:
        page = visited.page
        page.locator("[data-key=nav-register]").press("Enter")
        keyed(page, "87010000901")
        page.wait_for_selector(".consent-text")
        assert "Я согласен на обработку" in page.inner_text(".consent-text")
        page.fill("#reg-name", "Гульнара Серикова")
        page.fill("#reg-birth_date", "31022000")
        page.locator("[data-key=agree]").press("Enter")
        expect(page.locator("#birth-note")).to_contain_text("Такой даты нет")
        page.locator("#reg-birth_date").fill("05.11.1990")
        shots.take(page, "panel-consent")
        page.locator("[data-key=agree]").press("Enter")
        page.wait_for_selector("#reg-code")
        code = panel.code()
        keyed(page, "0000" if code != "0000" else "1111")
        expect(page.locator(".note")).to_contain_text("Код неверный")
        shots.take(page, "panel-code")
        keyed(page, code)
        page.wait_for_selector(".done")
        name_shown(page, "Гульнара С.")
        shots.take(page, "panel-registered")
        expect(page.locator(".steps-row .past")).to_have_count(3)
        press(page, "attach")
        page.wait_for_selector("#attach-card")
        panel.scan(ANNA.card)
        expect(page.locator(".attach")).to_contain_text("принадлежит другому")
        panel.scan(ean13("290000000901"))
        expect(page.locator(".attach .banner.good")).to_contain_text("Карта закреплена")
        press(page, "done")
        name_shown(page, "Гульнара С.")
    assert panel.till.pos.identify(phone="+77010000901")["known"]


def test_a_registration_is_twenty_touches(browser: Browser, panel: PanelWorld) -> None:
    """Phone, consent, code: at a second for each, which is slow, it is done in 20 s. No field has to be looked for."""
    with panel.open(browser) as visited:
        page = visited.page
        touches = 0

        def touch(*names: str) -> None:
            nonlocal touches
            for name in names:
                is_digit = len(name) == 1
                wanted = (
                    page.get_by_role("button", name=name, exact=True)
                    if is_digit
                    else page.locator(f"[data-key={name}]")
                )
                wanted.click()
                touches += 1

        touch("nav-register", *"7010000907", "next")
        page.wait_for_selector(".consent-text")
        touch("agree")
        page.wait_for_selector("#reg-code")
        touch(*panel.code(), "check")
        page.wait_for_selector(".done")
        assert touches <= 20
    assert panel.till.pos.identify(phone="+77010000907")["status"] == "active"


def test_an_unknown_card_goes_into_the_registration(browser: Browser, panel: PanelWorld) -> None:
    """The scanned card is offered for it; without a code the member is provisional, and who does not agree is none."""
    with panel.open(browser) as visited:
        page = visited.page
        panel.scan(ean13("290000000902"))
        page.locator("[data-key=register]").click()
        expect(page.locator("main")).to_contain_text("With card ****")
        page.fill("#reg-phone", "7010000902")
        press(page, "next")
        press(page, "disagree")
        expect(page.locator(".toasts")).to_contain_text("Without consent nobody is registered")
        panel.scan(ean13("290000000903"))
        page.locator("[data-key=register]").click()
        page.fill("#reg-phone", "7010000903")
        press(page, "next")
        press(page, "agree")
        press(page, "without")
        page.wait_for_selector(".done")
        expect(page.locator(".done")).to_contain_text("Phone not confirmed")
        # What was passed by is not ticked off.
        expect(page.locator(".steps-row .past")).to_have_text(["Phone", "Consent"])
    assert not panel.till.pos.identify(phone="+77010000902")["known"]
    assert panel.till.pos.identify(card=ean13("290000000903"))["known"]


def test_nothing_of_a_name_becomes_markup(browser: Browser, panel: PanelWorld) -> None:
    """A member's name and an item's are text, whatever is in them."""
    body = receipt(1000, member={"card": DINA.card})
    body["receipt"]["lines"][0]["name"] = "<img src=x onerror=alert(1)>"
    panel.till.pos.sell("markup-1", body)
    with panel.open(browser) as visited:
        page = visited.page
        press(page, "nav-receipts")
        press(page, "sale-markup-1")
        expect(page.locator(".lines")).to_contain_text("<img src=x")
        assert page.locator(".lines img").count() == 0
