"""Holds: asked for, handed out again, given back, and never forgotten."""

import asyncio
import logging

import msgspec
import pytest

from fakes.till import ANNA_CARD, PROGRAMME, FakeTill, anna, receipt
from till_agent.api import Hold, HoldCreate, Identify, Sale, SaleRequest
from till_agent.exceptions import DeskProblem, HoldRefused
from till_loyalty.programme import Redemption
from till_sync.asking import HoldRequest
from till_sync.ops import HoldReleaseBody, decode_body

ANNA = Identify(card=ANNA_CARD)
TEN_MINUTES_MS = 600_000


def hold(till: FakeTill, points: int = 50, sale_uid: str = "u1", ttl_ms: int = TEN_MINUTES_MS) -> Hold:
    return till.run(till.desk.hold(HoldCreate(sale_uid=sale_uid, member=ANNA, points=points, ttl_ms=ttl_ms)))


def spend(till: FakeTill, hold_id: str, points: int = 50, sale_uid: str = "u1") -> None:
    request = SaleRequest(receipt=receipt(10_000), member=ANNA, redeem_points=points, hold=hold_id)
    till.run(till.desk.sell(sale_uid, request))


def releases(till: FakeTill) -> list[str]:
    return [entry.uid for entry in till.journal.entries if entry.kind == "hold-release"]


def known_till() -> FakeTill:
    return FakeTill().know(anna())


def test_a_hold_is_remembered_before_the_cloud_is_asked() -> None:
    """An answer that is lost on the way leaves a trace."""
    till = known_till()
    till.gateway.lose_answer = True
    with pytest.raises(DeskProblem, match="cloud_unreachable"):
        hold(till)
    (stored,) = till.holds.unresolved()
    assert (stored.state, stored.hold) == ("asked", till.gateway.asked[0].hold)
    assert stored.hold.startswith("h-t1-")


def test_the_client_gets_the_time_it_asked_for_less_nothing() -> None:
    """The cloud is asked for five seconds more than the till will use."""
    till = known_till()
    granted = hold(till)
    assert (granted.points, granted.expires_in_ms) == (50, TEN_MINUTES_MS)
    assert till.gateway.asked[0].ttl_ms == TEN_MINUTES_MS + 5_000
    assert till.gateway.budgets_ms == [800]
    assert hold(till, sale_uid="u2", ttl_ms=3_600_000).expires_in_ms == 3_595_000


def test_a_hold_is_good_until_its_end_by_this_machines_own_clock() -> None:
    """One millisecond before, and not at it; the wall clock may say what it likes."""
    till = known_till()
    granted = hold(till)
    till.clock.wall -= 10**11
    till.clock.mono += TEN_MINUTES_MS - 1
    spend(till, granted.hold)
    other = hold(till, sale_uid="u2")
    till.clock.mono += TEN_MINUTES_MS
    with pytest.raises(DeskProblem, match="hold_expired"):
        spend(till, other.hold, sale_uid="u2")


def test_a_hold_of_another_boot_is_past() -> None:
    """Its end can't be compared with this boot's clock; it is given back."""
    till = known_till()
    granted = hold(till)
    till.clock.restart()
    till.desk = till.new_desk()
    with pytest.raises(DeskProblem, match="hold_expired"):
        spend(till, granted.hold)
    assert till.run(till.desk.release_abandoned()) == 1
    assert releases(till) == [granted.hold]


def test_a_hold_outlives_a_restart_of_the_agent_on_the_same_boot() -> None:
    """The cashier notices nothing."""
    till = known_till()
    granted = hold(till)
    till.desk = till.new_desk()
    assert till.run(till.desk.release_abandoned()) == 0
    spend(till, granted.hold)


def test_the_same_receipt_gets_its_open_hold_again() -> None:
    """A client that never saw the answer asks again: the cloud is not asked twice, and nothing is reserved twice."""
    till = known_till()
    first = hold(till)
    till.clock.advance(1_000)
    again = hold(till, points=40)
    assert (again.hold, again.points, again.expires_in_ms) == (first.hold, 50, TEN_MINUTES_MS - 1_000)
    assert len(till.gateway.asked) == 1


def test_asking_again_after_a_lost_answer_asks_for_the_same_hold() -> None:
    """The cloud answers the same id with the same reservation."""
    till = known_till()
    till.gateway.lose_answer = True
    with pytest.raises(DeskProblem, match="cloud_unreachable"):
        hold(till)
    till.gateway.lose_answer = False
    granted = hold(till)
    assert [request.hold for request in till.gateway.asked] == [granted.hold, granted.hold]
    assert sum(request.points for request in till.gateway.reserved.values()) == 50


def test_a_larger_wish_gives_the_smaller_hold_back_first() -> None:
    """One receipt has one hold."""
    till = known_till()
    first = hold(till)
    second = hold(till, points=80)
    assert releases(till) == [first.hold]
    assert [stored.hold for stored in till.holds.unresolved()] == [second.hold]
    with pytest.raises(DeskProblem, match="hold_expired"):
        spend(till, first.hold)


def test_another_members_hold_on_the_same_receipt_is_given_back() -> None:
    """The buyer changed their mind about the card."""
    till = known_till().know(anna(member_id="m-other", tags=(), balance=100))
    first = till.run(till.desk.hold(HoldCreate(sale_uid="u1", member=Identify(reference="m-other"), points=50)))
    second = hold(till)
    assert releases(till) == [first.hold]
    assert second.hold != first.hold


def test_two_calls_for_one_receipt_at_once_reserve_once() -> None:
    """They take turns."""
    till = known_till()
    request = HoldCreate(sale_uid="u1", member=ANNA, points=50)

    async def both() -> list[Hold]:
        return await asyncio.gather(till.desk.hold(request), till.desk.hold(request))

    one, two = till.run(both())
    assert (one.hold, len(till.gateway.asked)) == (two.hold, 1)


def test_a_refused_hold_leaves_nothing_to_give_back() -> None:
    """Neither an open hold nor an op."""
    till = known_till()
    till.gateway.refusal = HoldRefused("member_blocked", "blocked at the cloud")
    with pytest.raises(DeskProblem, match="member_blocked"):
        hold(till)
    assert till.holds.unresolved() == []
    assert till.journal.entries == []


def test_a_refusal_without_a_number_still_has_a_sentence() -> None:
    """The cashier is not told how many when the cloud did not say."""
    till = known_till()
    till.gateway.refusal = HoldRefused("insufficient_points", "no")
    with pytest.raises(DeskProblem) as caught:
        hold(till)
    assert till.desk.sentence(caught.value.code, caught.value.extras).startswith("Бонусов не хватает. Уменьшите")


def test_without_a_line_the_cloud_is_not_even_asked() -> None:
    """No hold is remembered, so none has to be given back."""
    till = known_till()
    till.gateway.online = False
    with pytest.raises(DeskProblem, match="cloud_unreachable"):
        hold(till)
    assert (till.gateway.asked, till.holds.unresolved()) == ([], [])


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_full_disk_is_said_and_leaves_no_hold_in_use(when: str) -> None:
    """Before asking: nothing was asked. After: the hold stays asked, and is given back in time."""
    till = known_till()
    if when == "before":
        till.holds.broken = True
    else:
        reserve = till.gateway.reserve

        async def then_break(request: object, *, budget_ms: int) -> object:
            till.holds.broken = True
            return await reserve(request, budget_ms=budget_ms)  # type: ignore[arg-type]  # passed on as it came

        till.gateway.reserve = then_break  # type: ignore[method-assign, assignment]  # a spy on one method
    with pytest.raises(DeskProblem, match="journal_unavailable"):
        hold(till)
    assert [stored.state for stored in till.holds.unresolved()] == ([] if when == "before" else ["asked"])


def test_giving_back_is_an_op_and_can_be_asked_for_any_number_of_times() -> None:
    """The op names the hold and the member, and changes no balance."""
    till = known_till()
    granted = hold(till)
    till.run(till.desk.release(granted.hold))
    till.run(till.desk.release(granted.hold))
    (entry,) = till.journal.entries
    body = decode_body(entry.body)
    assert isinstance(body, HoldReleaseBody)
    assert (body.hold, body.uid, entry.kind, entry.about_uid) == (granted.hold, granted.hold, "hold-release", "")
    assert till.run(till.desk.identify(ANNA)).spendable_points == 500


def test_a_hold_that_nobody_knows_cannot_be_given_back() -> None:
    """404, as for any name that is wrong."""
    till = known_till()
    with pytest.raises(DeskProblem, match="hold_unknown"):
        till.run(till.desk.release("h-t1-nobody"))


def test_a_hold_that_a_sale_has_used_is_never_given_back() -> None:
    """Even when the store of holds has not heard of the sale."""
    till = known_till()
    granted = hold(till)
    spend(till, granted.hold)
    used = till.holds.holds[granted.hold]
    till.holds.holds[granted.hold] = msgspec.structs.replace(used, state="granted")
    with pytest.raises(DeskProblem, match="hold_used"):
        till.run(till.desk.release(granted.hold))
    till.clock.advance(TEN_MINUTES_MS)
    assert till.run(till.desk.release_abandoned()) == 0
    assert releases(till) == []


def test_what_no_sale_can_use_any_more_is_given_back() -> None:
    """Granted ones at their end, asked ones after a minute in which the client may try again."""
    till = known_till()
    hold(till, sale_uid="u1")
    till.gateway.lose_answer = True
    with pytest.raises(DeskProblem, match="cloud_unreachable"):
        hold(till, sale_uid="u2")
    till.clock.advance(60_799)
    assert till.run(till.desk.release_abandoned()) == 0
    till.clock.advance(1)
    assert till.run(till.desk.release_abandoned()) == 1
    till.clock.advance(TEN_MINUTES_MS)
    assert till.run(till.desk.release_abandoned()) == 1
    assert till.run(till.desk.release_abandoned()) == 0
    assert len(releases(till)) == 2


def test_giving_back_waits_for_the_disk(caplog: pytest.LogCaptureFixture) -> None:
    """It is tried again the next time; the caller need not care."""
    till = known_till()
    hold(till)
    till.clock.advance(TEN_MINUTES_MS)
    till.journal.broken = True
    with caplog.at_level(logging.WARNING):
        assert till.run(till.desk.release_abandoned()) == 0
    assert "holds wait to be given back" in caplog.text
    till.journal.broken = False
    assert till.run(till.desk.release_abandoned()) == 1


def test_before_the_enrolment_there_is_nothing_to_give_back() -> None:
    """The housekeeping of a till that nobody enrolled yet."""
    till = FakeTill(enrolled=False)
    assert till.run(till.desk.release_abandoned()) == 0


@pytest.mark.parametrize(
    ("sale_uid", "member", "points"),
    [
        ("u2", ANNA, 50),
        ("u1", Identify(reference="m-other"), 50),
        ("u1", ANNA, 51),
        ("u1", None, 50),
    ],
)
def test_a_hold_covers_only_its_receipt_member_and_points(sale_uid: str, member: Identify | None, points: int) -> None:
    """Anything else is refused before anything is written."""
    till = known_till().know(anna(member_id="m-other", tags=()))
    granted = hold(till)
    request = SaleRequest(receipt=receipt(100_000), member=member, redeem_points=points, hold=granted.hold)
    with pytest.raises(DeskProblem, match="hold_mismatch"):
        till.run(till.desk.sell(sale_uid, request))
    assert till.journal.entries == []


def test_a_hold_whose_answer_was_never_seen_cannot_be_spent() -> None:
    """Nobody knows whether the cloud reserved it."""
    till = known_till()
    till.gateway.lose_answer = True
    with pytest.raises(DeskProblem, match="cloud_unreachable"):
        hold(till)
    (asked,) = till.holds.unresolved()
    with pytest.raises(DeskProblem, match="hold_unknown"):
        spend(till, asked.hold)


def test_points_on_hold_elsewhere_do_not_spoil_the_sale_that_has_a_hold() -> None:
    """What its own hold reserved was free, whatever else is reserved since."""
    till = known_till()
    granted = hold(till, points=50)
    till.know(anna(balance=60, held=60))
    spend(till, granted.hold)
    assert till.holds.holds[granted.hold].state == "used"


def test_below_the_smallest_balance_nothing_is_held_that_the_sale_would_refuse() -> None:
    """The money would be taken already when the sale says no; another receipt's hold counts, the receipt's own not."""
    till = FakeTill().know(anna(balance=120))
    rules = Redemption(max_share_basis_points=5_000, minimum_balance_points=100)
    till.cache.sell_by(msgspec.structs.replace(PROGRAMME, redemption=rules))
    hold(till, 40)
    larger = hold(till, 50)
    with pytest.raises(DeskProblem, match="insufficient_points") as refused:
        hold(till, 10, sale_uid="u2")
    assert refused.value.extras["available_points"] == 0
    spend(till, larger.hold, 50)
    with pytest.raises(DeskProblem, match="insufficient_points"):
        hold(till, 10, sale_uid="u3")


def test_a_pin_goes_to_the_cloud_and_is_remembered_nowhere() -> None:
    """Any way that the programme names will do; what the till keeps of the hold, and every repr, is without it."""
    till = FakeTill().know(anna())
    remembered: list[HoldRequest] = []
    remember = till.holds.remember

    async def noting(request: HoldRequest, deadline_mono_ms: int) -> None:
        remembered.append(request)
        await remember(request, deadline_mono_ms)

    till.holds.remember = noting  # type: ignore[method-assign]  # looks on, and goes on
    rules = Redemption(proof=("code", "pin"), proof_above_points=10)
    till.cache.sell_by(msgspec.structs.replace(PROGRAMME, redemption=rules))
    wish = HoldCreate(sale_uid="u1", member=ANNA, points=11, pin="2580")
    held = till.run(till.desk.hold(wish))
    sent = till.gateway.reserved[held.hold]
    assert (sent.pin, [each.pin for each in remembered]) == ("2580", [""])
    assert "2580" not in f"{wish!r} {sent!r} {till.holds.get(held.hold)!r}"
    rules = Redemption(proof=("pin",), proof_above_points=10)
    till.cache.sell_by(msgspec.structs.replace(PROGRAMME, redemption=rules))
    with pytest.raises(DeskProblem) as caught:
        till.run(till.desk.hold(HoldCreate(sale_uid="u2", member=ANNA, points=11, confirmation="c-1")))
    assert (caught.value.code, caught.value.pointer, caught.value.extras["proof"]) == (
        "proof_required",
        "/pin",
        ("pin",),
    )


def test_a_sale_that_names_a_hold_and_spends_nothing_says_so() -> None:
    """Cash software that forgets `redeem_points`: nothing is taken off, and the answer has a warning in the cashier's
    language. A sale that spends has no such word, nor has one that names no hold."""
    till = known_till()

    def sold(uid: str, points: int, name: str) -> Sale:
        request = SaleRequest(receipt=receipt(10_000), member=ANNA, redeem_points=points, hold=name)
        return msgspec.json.decode(till.run(till.desk.sell(uid, request)).body, type=Sale)

    idle = sold("u1", 0, hold(till).hold)
    assert idle.calculation.redeemed_points == 0
    assert [each.level for each in idle.messages if each.code == "hold_not_spent"] == ["warning"]
    spent = sold("u2", 50, hold(till, sale_uid="u2").hold)
    assert spent.calculation.redeemed_points == 50
    told = (*spent.messages, *sold("u3", 0, "").messages)
    assert "hold_not_spent" not in [each.code for each in told]
