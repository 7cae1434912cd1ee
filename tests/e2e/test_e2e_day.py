"""A day at one till, by real processes: cloud, agent, scanner on a pseudo-terminal, printer on TCP."""

import json
from collections.abc import Iterator

import pytest

from kit.bridge import Events, receipt
from kit.chain import ANNA, BORIS, CLARA, DINA, EMIL, STRANGER_CARD, Chain
from kit.waiting import wait_for
from kit.world import Till, World


def balance_at_cloud(world: World, *who: str) -> dict[str, object]:
    """What `tillside cloud member show` says."""
    found: dict[str, object] = json.loads(world.command("cloud", "member", "show", *who, "--json").out)
    return found


def test_a_happy_day_agrees_at_till_printer_and_cloud(world: World) -> None:
    """Scan, identify, quote, sale, slip, return, redemption through a hold, void; every figure worked out by hand."""
    world.start_cloud()
    world.start_printer()
    world.start_scanner()
    till = world.till().start().wait_members()
    till.wait_device("scanner", "ready")
    answers: dict[str, bytes] = {}
    _scanned_and_told_by_phone(world, till)

    basket = receipt(10_000, 5_000, member={"card": ANNA.card}, number="77")
    quote = till.pos.quote(basket)
    assert quote["calculation"]["earned_points"] == 375, "2 % of gold and 0.5 % from 100.00"
    assert till.last_seq() == 0, "a quote changes nothing"
    sold = till.pos.send("PUT", "/v1/sales/day-1", basket)
    answers["day-1"] = sold.content
    assert (sold.status_code, sold.json()["balance_after_points"]) == (200, 5_375)
    again = till.pos.send("PUT", "/v1/sales/day-1", basket)
    assert (again.content, again.headers["idempotent-replay"]) == (sold.content, "true")

    slip = wait_for(world.slip_texts, "the slip")[0]
    assert {"Receipt 77", "3.75 points", "53.75 points", "Anna A."} <= {
        part.strip() for part in slip.replace("   ", "\n").split("\n")
    }
    assert ANNA.phone not in slip
    wait_for(lambda: till.pos.ask("GET", "/v1/sales/day-1")["slip"]["state"] == "printed", "the proof of printing")

    goods_back = {"sale_uid": "day-1", "lines": [{"number": 2, "quantity_thousandths": 1000}]}
    assert till.pos.ask("PUT", "/v1/returns/day-1-back", goods_back)["reversal"]["points_taken"] == 125
    till.drain()
    hold = till.pos.ask("POST", "/v1/holds", {"sale_uid": "day-2", "member": {"card": ANNA.card}, "points": 1_000})
    spending = receipt(4_000, member={"phone": ANNA.phone}, redeem_points=1_000, hold=hold["hold"])
    spent = till.pos.send("PUT", "/v1/sales/day-2", spending)
    answers["day-2"] = spent.content
    assert spent.json()["calculation"]["payable_minor"] == 3_000
    assert spent.json()["balance_after_points"] == 5_375 - 125 - 1_000 + 60
    answers["day-3"] = till.pos.send("PUT", "/v1/sales/day-3", receipt(10_000, member={"card": ANNA.card})).content
    till.pos.ask("POST", "/v1/sales/day-3/void")

    wait_for(lambda: len(world.slip_texts()) == 5, "five slips: three sales, a return, a void")
    assert till.drain()["rejected"] == 0
    shown = balance_at_cloud(world, ANNA.member_id)
    assert (shown["balance"], shown["held"]) == (4_310, 0)
    seen = wait_for(
        lambda: m if (m := till.pos.identify(card=ANNA.card))["unconfirmed_points"] == 0 else None, "a pull"
    )
    assert seen["balance_points"] == 4_310
    world.prove(till, answers, set(answers))


def _scanned_and_told_by_phone(world: World, till: Till) -> None:
    """However a member is named, it is the same member."""
    with Events(till.pos) as events:
        world.scan(ANNA.card)
        scan = events.wait("scan")
    assert (scan["text"], scan["kind"], scan["member"]["reference"]) == (ANNA.card, "card", ANNA.member_id)
    ways = ({"scan": ANNA.card}, {"card": ANNA.card}, {"phone": "8 (999) 000-01-01"}, {"phone": "+79990000101"})
    for way in (*ways, {"code": ANNA.card}, {"reference": ANNA.member_id}):
        found = till.pos.identify(**way)
        assert (found["reference"], found["balance_points"]) == (ANNA.member_id, 5_000), way
        assert (found["name_masked"], found["tier"], found["offline"]) == ("Anna A.", "gold", False)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, chain: Chain) -> Iterator[tuple[World, Till]]:
    """A till with its cloud, for tests that keep to members of their own."""
    with World(tmp_path_factory.mktemp("shop"), chain) as world:
        world.start_cloud()
        yield world, world.till().start().wait_members()


def test_an_unknown_member_earns_and_is_marked_unconfirmed(shop: tuple[World, Till]) -> None:
    """By a card that nobody has registered; the cloud makes a member for it, and the next look confirms it."""
    world, till = shop
    before = till.pos.identify(card=STRANGER_CARD)
    assert (before["known"], before["status"], before["balance_points"]) == (False, "unknown", 0)
    sale = till.pos.sell("stranger-1", receipt(10_000, member={"reference": before["reference"]}))
    assert sale["calculation"]["earned_points"] == 150
    assert (sale["member"]["unconfirmed_points"], sale["member"]["known"]) == (150, False)
    slip = " ".join(till.pos.send("GET", "/v1/sales/stranger-1/slip?format=text").text.split())
    assert "1.50 points" in slip
    assert "the balance follows later" in slip
    till.drain()
    after = wait_for(lambda: m if (m := till.pos.identify(card=STRANGER_CARD))["known"] else None, "the new member")
    assert (after["status"], after["balance_points"], after["unconfirmed_points"]) == ("provisional", 150, 0)
    assert balance_at_cloud(world, "--card", STRANGER_CARD)["balance"] == 150
    world.verify()


def test_a_blocked_member_may_buy_but_neither_earns_nor_spends(shop: tuple[World, Till]) -> None:
    """The cashier sees it before the sale."""
    world, till = shop
    found = till.pos.identify(card=BORIS.card)
    assert (found["status"], found["spendable_points"], found["spendable_reason"]) == ("blocked", 0, "blocked")
    hold = {"sale_uid": "blocked-1", "member": {"card": BORIS.card}, "points": 100}
    assert till.pos.refused("POST", "/v1/holds", hold) == (409, "member_blocked")
    sale = till.pos.sell("blocked-1", receipt(10_000, member={"card": BORIS.card}))
    assert (sale["calculation"].get("earned_points", 0), sale["balance_after_points"]) == (0, BORIS.points)
    till.drain()
    assert balance_at_cloud(world, BORIS.member_id)["balance"] == BORIS.points
    world.verify()


def test_digits_that_are_ones_card_and_anothers_phone_are_asked_about(shop: tuple[World, Till]) -> None:
    """Neither is guessed; saying which of the two it is finds either."""
    _, till = shop
    digits = EMIL.card
    assert till.pos.refused("POST", "/v1/identify", {"code": digits}) == (409, "identifier_ambiguous")
    before = till.last_seq()
    sale = receipt(1_000, member={"code": digits})
    assert till.pos.refused("PUT", "/v1/sales/ambiguous-1", sale) == (409, "identifier_ambiguous")
    assert till.last_seq() == before
    assert till.pos.identify(card=digits)["reference"] == EMIL.member_id
    assert till.pos.identify(phone=digits)["reference"] == DINA.member_id


def test_points_given_back_by_the_cashier_can_be_spent_again(shop: tuple[World, Till]) -> None:
    """A hold that is deleted leaves nothing reserved, at the till or at the cloud."""
    world, till = shop
    wish = {"sale_uid": "held-1", "member": {"card": CLARA.card}, "points": CLARA.points}
    hold = till.pos.ask("POST", "/v1/holds", wish)
    assert till.pos.identify(card=CLARA.card)["spendable_points"] == 0
    assert till.pos.send("DELETE", f"/v1/holds/{hold['hold']}").status_code == 204
    till.drain()
    spendable = wait_for(lambda: till.pos.identify(card=CLARA.card)["spendable_points"], "the points to be free again")
    assert spendable == CLARA.points
    assert balance_at_cloud(world, CLARA.member_id)["held"] == 0
    world.verify()
