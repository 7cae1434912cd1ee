"""Spending without asking the cloud: this till's grant, the floor limit, vouchers; and what is given back."""

from typing import Any

import msgspec
import pytest

from fakes.till import ANNA_CARD, PROGRAMME, FakeTill, anna, receipt
from till_agent.api import Hold, HoldCreate, Identify, Member, SaleRequest
from till_agent.desk.allowing import HOUR_MS
from till_agent.exceptions import DeskProblem, HoldRefused
from till_loyalty.programme import Floor, Programme, Redemption
from till_sync.asking import HoldRequest
from till_sync.ops import GrantReleaseBody, SaleBody, decode_body

ANNA = Identify(card=ANNA_CARD)
FLOOR = Floor(member_points=200, till_points=500, sale_points=150, hours=10)


def programme(**changes: Any) -> Programme:
    return msgspec.structs.replace(PROGRAMME, redemption=Redemption(**changes))


def cut_off(lent: int = 0, rules: Programme | None = None, **more: Any) -> FakeTill:
    """A till that knows Anna with 500 points and lost its line; `lent` of them were granted to it."""
    till = FakeTill(programme=rules or PROGRAMME).know(anna())
    if lent:
        till.lend(lent, **more)
    till.gateway.online = False
    return till


def member(till: FakeTill, who: Identify = ANNA) -> Member:
    return till.run(till.desk.identify(who))


def hold(till: FakeTill, points: int, sale_uid: str = "u1", who: Identify = ANNA) -> Hold:
    return till.run(till.desk.hold(HoldCreate(sale_uid=sale_uid, member=who, points=points)))


def sell(till: FakeTill, held: str, points: int, sale_uid: str = "u1", who: Identify = ANNA) -> SaleBody:
    request = SaleRequest(receipt=receipt(100_000), member=who, redeem_points=points, hold=held)
    till.run(till.desk.sell(sale_uid, request))
    body = decode_body(till.journal.entries[-1].body)
    assert isinstance(body, SaleBody)
    return body


def spend(till: FakeTill, points: int, sale_uid: str = "u1", who: Identify = ANNA) -> SaleBody:
    return sell(till, hold(till, points, sale_uid, who).hold, points, sale_uid, who)


def refused(till: FakeTill, points: int, sale_uid: str = "u9") -> DeskProblem:
    with pytest.raises(DeskProblem) as caught:
        hold(till, points, sale_uid)
    return caught.value


def released(till: FakeTill) -> list[tuple[str, int]]:
    bodies = [decode_body(entry.body) for entry in till.journal.entries]
    return [(body.member_id, body.points) for body in bodies if isinstance(body, GrantReleaseBody)]


def test_a_till_without_a_line_spends_its_grant_and_not_a_point_more() -> None:
    """The cloud is not asked, and every answer says what is left."""
    till = cut_off(100)
    shown = member(till)
    assert (shown.spendable_points, shown.spendable_reason) == (100, "offline_grant")
    assert "100 бонусов" in shown.messages[0].text
    body = spend(till, 60)
    assert (body.cover, body.hold[:7], body.offline, body.voucher) == ("grant", "g-t1-1-", True, "")
    assert (member(till).spendable_points, member(till).balance_points) == (40, 500 - 60 + body.result.earned_points)
    error = refused(till, 41)
    assert (error.code, error.extras["available_points"], error.extras["reason"]) == (
        "offline_limit",
        40,
        "offline_grant",
    )
    spend(till, 40, "u2")
    assert refused(till, 1, "u3").code == "cloud_unreachable"
    assert till.gateway.asked == []


def test_why_a_wish_is_refused_is_said_in_the_language_that_was_asked_for() -> None:
    """Also by the reason's own words, which the refusal brings along."""
    till = cut_off(40)
    for language, word in (("en", "connection"), (None, "связи")):
        wish = HoldCreate(sale_uid="u1", member=ANNA, points=41, language=language)
        with pytest.raises(DeskProblem, match="offline_limit") as caught:
            till.run(till.desk.hold(wish))
        assert word in caught.value.extras["cashier"]


def test_it_is_for_want_of_a_line_that_another_tills_share_can_not_be_had() -> None:
    """The cloud's row counts what lies elsewhere as held; a cashier without a line hears of the line."""
    till = cut_off(250)
    till.know(msgspec.structs.replace(anna(), held=250))
    shown = member(till)
    assert (shown.spendable_points, shown.spendable_reason) == (250, "offline_grant")
    assert [told.code for told in shown.messages][:1] == ["offline_grant"]
    hold(till, 100)
    assert (member(till).spendable_points, member(till).spendable_reason) == (150, "offline_grant")


def test_the_answer_of_a_sale_shows_what_is_left() -> None:
    """As a look at the member right after it would."""
    till = cut_off(100)
    held = hold(till, 60).hold
    request = SaleRequest(receipt=receipt(100_000), member=ANNA, redeem_points=50, hold=held)
    answered = msgspec.json.decode(till.run(till.desk.sell("u1", request)).body)
    after = member(till)
    assert answered["member"]["spendable_points"] == after.spendable_points == 50
    assert answered["member"]["spendable_reason"] == after.spendable_reason == "offline_grant"
    assert answered["balance_after_points"] == after.balance_points


def test_open_holds_are_taken_off_and_come_back_without_an_op() -> None:
    """Two receipts never spend the same points; a hold that is dropped leaves no trace at the cloud."""
    till = cut_off(100)
    first = hold(till, 70)
    assert member(till).spendable_points == 30
    assert refused(till, 31).code == "offline_limit"
    till.run(till.desk.release(first.hold))
    assert (till.journal.entries, member(till).spendable_points) == ([], 100)
    with pytest.raises(DeskProblem, match="hold_expired"):
        sell(till, first.hold, 70)


def test_a_hold_ends_by_the_monotonic_clock_and_its_points_are_there_again() -> None:
    """As one of the cloud's does."""
    till = cut_off(100)
    held = hold(till, 100)
    assert held.expires_in_ms == 600_000
    till.clock.mono += 600_000
    with pytest.raises(DeskProblem, match="hold_expired"):
        sell(till, held.hold, 100)
    assert till.run(till.desk.release_abandoned()) == 1
    assert (member(till).spendable_points, till.journal.entries) == (100, [])


def test_the_same_receipt_gets_its_open_hold_again_and_another_for_a_larger_wish() -> None:
    """Repeating a call takes nothing twice."""
    till = cut_off(100)
    first = hold(till, 50)
    assert hold(till, 50).hold == first.hold
    second = hold(till, 90)
    assert second.hold != first.hold
    assert member(till).spendable_points == 10


def test_a_sale_that_spends_less_leaves_the_rest_in_the_grant() -> None:
    """Only what was redeemed is used."""
    till = cut_off(100)
    body = sell(till, hold(till, 80).hold, 30)
    assert body.result.redeemed_points == 30
    assert member(till).spendable_points == 70


def test_a_sale_that_spends_nothing_goes_on_without_a_hold_that_was_given_back_meanwhile() -> None:
    """The receipt is a fact."""
    till = cut_off(100)
    held = hold(till, 80).hold

    def give_back() -> None:
        till.holds._change(held, "released")
        till.journal.before_turn = lambda: None

    till.journal.before_turn = give_back
    till.run(till.desk.sell("u1", SaleRequest(receipt=receipt(1_000), member=ANNA, hold=held)))
    body = decode_body(till.journal.entries[-1].body)
    assert isinstance(body, SaleBody)
    assert (body.hold, body.cover) == ("", "")


def test_with_a_line_the_grant_is_spent_first_and_the_cloud_is_not_asked() -> None:
    """No network in a sale that needs none."""
    till = FakeTill().know(anna()).lend(100)
    assert member(till).spendable_points == 500
    assert spend(till, 100).cover == "grant"
    assert till.gateway.asked == []


def test_a_larger_wish_gives_the_grant_back_once_the_cloud_asks_for_it() -> None:
    """The op is in the journal, and on its way, before the cloud is asked again; where that has enough, all stays."""
    till = FakeTill().know(anna()).lend(100)
    assert hold(till, 300, "u0").hold.startswith("h-t1-")
    assert (released(till), till.nudges) == ([], 0)

    def wants_the_grant(request: HoldRequest) -> None:
        if request.own_grant:
            assert request.own_grant == 100
            raise HoldRefused("points_lent", "lent", available_points=100)
        assert (released(till), till.nudges) == ([("m-anna", 100)], 1)

    till.gateway.before_answer = wants_the_grant
    held = hold(till, 200).hold
    first, second = till.gateway.asked[-2:]
    assert first.hold == second.hold == held
    till.gateway.online = False
    till.run(till.desk.release(held))
    assert member(till).spendable_points == 0
    till.gateway.online = False
    assert member(till).spendable_points == 0


def test_points_with_another_till_are_told_kindly() -> None:
    """What is there can be spent now; the rest after a moment."""
    till = FakeTill().know(anna())
    till.gateway.refusal = HoldRefused("points_lent", "lent", available_points=120)
    error = refused(till, 300)
    assert (error.code, error.retryable, error.extras) == ("points_lent", True, {"available_points": 120})
    told = till.desk.sentence(error.code, error.extras, language="en")
    assert told.startswith("Some of the points are set aside at another till just now. Can be spent: 120 points.")


def test_a_grant_of_another_epoch_is_nothing() -> None:
    """What a journal that is gone may have spent is nobody's to spend again; nor is its open hold."""
    till = cut_off(100)
    held = hold(till, 50)
    till.journal.reader.epoch = 2
    assert (member(till).spendable_points, member(till).spendable_reason) == (0, "offline")
    with pytest.raises(DeskProblem, match="hold_expired"):
        sell(till, held.hold, 50)
    assert cut_off(100, included=(2, 0)).cache.grants["m-anna"].epoch == 1
    assert member(cut_off(100, included=(2, 0))).spendable_points == 0


def test_a_grant_spent_before_a_restart_stays_spent() -> None:
    """What own ops took is read from the journal again."""
    till = cut_off(100)
    spend(till, 60)
    till.desk = till.new_desk()
    assert member(till).spendable_points == 40
    till.lend(40, included=(1, 1))
    assert member(till).spendable_points == 40


def test_a_void_gives_nothing_back_into_the_grant() -> None:
    """The cloud gives it to the balance."""
    till = cut_off(100)
    spend(till, 60)
    till.run(till.desk.void("u1"))
    assert (member(till).spendable_points, member(till).balance_points) == (40, 500)


def test_a_policy_of_refusal_spends_nothing_whatever_was_granted() -> None:
    """The retailer's word goes before."""
    till = cut_off(100, programme(offline="refuse"))
    assert (member(till).spendable_points, member(till).spendable_reason) == (0, "offline")
    assert refused(till, 10).code == "cloud_unreachable"


def test_somebody_blocked_spends_nothing_of_a_grant() -> None:
    """Nor somebody who is not confirmed."""
    till = cut_off(100).know(anna(status="blocked"))
    assert member(till).spendable_points == 0
    assert refused(till, 10).code == "member_blocked"


def test_what_the_cloud_recalls_is_given_back_once() -> None:
    """At the next look, and not again while its answer is on the way."""
    till = FakeTill().know(anna()).lend(100, recall=30)
    assert till.run(till.desk.give_back_grants()) == 1
    assert till.run(till.desk.give_back_grants()) == 0
    assert released(till) == [("m-anna", 30)]
    till.gateway.online = False
    assert member(till).spendable_points == 70


def test_what_an_open_receipt_keeps_is_not_given_back_before_it_is_done() -> None:
    """The customer stands at the till."""
    till = FakeTill().know(anna()).lend(100, recall=100)
    held = hold(till, 80)
    assert till.run(till.desk.give_back_grants()) == 1
    assert released(till) == [("m-anna", 20)]
    sell(till, held.hold, 50)
    assert till.run(till.desk.give_back_grants()) == 1
    assert released(till) == [("m-anna", 20), ("m-anna", 30)]
    assert till.run(till.desk.give_back_grants()) == 0


def test_a_till_with_a_new_journal_lets_the_cloud_know_when_points_lent_to_the_former_one_are_asked_back() -> None:
    """It may not sell for hours: by a release of one point, once, the cloud hears that the former journal is gone."""
    till = FakeTill().know(anna()).lend(100, recall=30)
    till.journal.reader.epoch = 2
    assert till.run(till.desk.give_back_grants()) == 1
    assert till.run(till.desk.give_back_grants()) == 0
    assert released(till) == [("m-anna", 1)]


def test_a_grant_whose_time_is_over_is_not_spent_and_is_given_back() -> None:
    """By the cloud's time and what has passed here since, whatever the wall clock says."""
    till = cut_off(100)
    till.lend(100, until_ms=till.clock.wall + HOUR_MS)
    till.clock.mono += HOUR_MS - 1
    till.clock.wall -= 10 * HOUR_MS
    assert member(till).spendable_points == 100
    assert till.run(till.desk.give_back_grants()) == 0
    till.clock.mono += 1
    assert (member(till).spendable_points, released(till)) == (0, [])
    assert till.run(till.desk.give_back_grants()) == 1
    assert released(till) == [("m-anna", 100)]


def test_after_a_reboot_only_a_wall_clock_that_went_on_is_believed() -> None:
    """One that stands before the newest page says nothing, so that no grant with an end is spent; later it may."""
    till = cut_off(100)
    till.lend(100, until_ms=till.clock.wall + HOUR_MS)
    till.clock.restart()
    till.clock.wall -= 1
    assert member(till).spendable_points == 0
    till.clock.wall += HOUR_MS // 2
    assert member(till).spendable_points == 100
    till.clock.wall -= 10 * HOUR_MS
    till.clock.mono += HOUR_MS
    assert member(till).spendable_points == 0


def test_within_the_floor_limit_a_member_spends_without_a_grant() -> None:
    """At most so much a sale, a member, and a till."""
    till = cut_off(rules=programme(offline="floor", floor=FLOOR))
    shown = member(till)
    assert (shown.spendable_points, shown.spendable_reason) == (150, "offline_floor")
    body = spend(till, 150)
    assert (body.cover, body.hold[:7]) == ("floor", "f-t1-1-")
    assert member(till).spendable_points == 50
    assert refused(till, 51).extras["reason"] == "offline_floor"
    spend(till, 50, "u2")
    assert (member(till).spendable_points, refused(till, 1, "u3").code) == (0, "offline_limit")


def test_the_tills_own_cap_counts_all_members_and_open_receipts() -> None:
    """The worst that a till can cost is known."""
    till = cut_off(rules=programme(offline="floor", floor=msgspec.structs.replace(FLOOR, till_points=220)))
    till.know(anna(), anna(member_id="m-boris", tags=()))
    till.gateway.online = False
    boris = Identify(reference="m-boris")
    spend(till, 150)
    hold(till, 30, "u2")
    shown = member(till, boris)
    assert (shown.spendable_points, shown.spendable_reason) == (40, "floor_till_limit")
    spend(till, 40, "u3", boris)
    assert member(till, boris).spendable_points == 0
    assert till.desk.lending().floor_spent_points == 220


def test_the_floor_limit_ends_with_its_hours_and_after_a_clock_that_went_back() -> None:
    """Hours are counted by monotonic time; after a reboot by the wall clock, if that went on."""
    till = cut_off(rules=programme(offline="floor", floor=FLOOR))
    till.clock.mono += 10 * HOUR_MS - 1
    till.clock.wall -= 100 * HOUR_MS
    assert member(till).spendable_points == 150
    till.clock.mono += 1
    assert (member(till).spendable_points, member(till).spendable_reason) == (0, "floor_hours")
    till = cut_off(rules=programme(offline="floor", floor=FLOOR))
    till.clock.restart()
    till.clock.wall += 9 * HOUR_MS
    assert member(till).spendable_points == 150
    till.clock.mono += HOUR_MS
    assert member(till).spendable_reason == "floor_hours"
    till = cut_off(rules=programme(offline="floor", floor=FLOOR))
    till.clock.restart()
    till.clock.wall -= 1
    assert member(till).spendable_reason == "floor_hours"


def test_nobody_spends_more_than_they_are_shown_to_have() -> None:
    """The floor limit is no credit."""
    till = cut_off(rules=programme(offline="floor", floor=FLOOR)).know(anna(balance=90, held=20))
    assert member(till).spendable_points == 70


def test_a_grant_goes_before_the_floor_limit_which_gives_it_back_first() -> None:
    """What the cloud has set aside for this till is then free when the sale comes there: less is overdrawn."""
    till = cut_off(100, programme(offline="floor", floor=FLOOR))
    assert (member(till).spendable_points, member(till).spendable_reason) == (150, "offline_floor")
    assert spend(till, 100).cover == "grant"
    till = cut_off(100, programme(offline="floor", floor=FLOOR))
    assert spend(till, 120).cover == "floor"
    assert released(till) == [("m-anna", 100)]


def test_with_a_line_nobody_spends_within_the_floor_limit() -> None:
    """It is for lack of one."""
    till = FakeTill(programme=programme(offline="floor", floor=FLOOR)).know(anna())
    assert spend(till, 100).cover == ""


def test_without_a_line_no_proof_can_be_checked() -> None:
    """So only what needs none is spent, and it is said."""
    till = cut_off(300, programme(proof=("code",), proof_above_points=120))
    shown = member(till)
    assert (shown.spendable_points, shown.spendable_reason) == (120, "offline_proof")
    request = HoldCreate(sale_uid="u1", member=ANNA, points=121, confirmation="c-t1-0123456789")
    with pytest.raises(DeskProblem) as caught:
        till.run(till.desk.hold(request))
    assert (caught.value.code, caught.value.extras["reason"]) == ("offline_limit", "offline_proof")
    assert refused(till, 121).code == "proof_required"
    spend(till, 120)


def test_a_voucher_names_its_member_and_is_taken_once() -> None:
    """Whoever shows it is known by it until the receipt is done."""
    till = cut_off()
    text = till.voucher(70)
    shown = member(till, Identify(scan=text))
    assert (shown.reference, shown.spendable_points, shown.spendable_reason) == (text, 70, "voucher")
    who = Identify(reference=shown.reference)
    body = spend(till, 50, who=who)
    assert (body.cover, body.voucher, body.subject.member_id) == ("voucher", "v-00000001", "m-anna")
    with pytest.raises(DeskProblem, match="voucher_used"):
        hold(till, 10, "u2", who)
    till.desk = till.new_desk()
    with pytest.raises(DeskProblem, match="voucher_used"):
        member(till, who)


def test_a_voucher_is_for_one_receipt_at_a_time_and_comes_back_with_a_dropped_one() -> None:
    """A receipt that was given up takes nothing."""
    till = cut_off()
    who = Identify(scan=till.voucher(70))
    first = hold(till, 70, "u1", who)
    with pytest.raises(DeskProblem, match="voucher_used"):
        hold(till, 70, "u2", who)
    till.run(till.desk.release(first.hold))
    assert hold(till, 70, "u2", who).hold != first.hold


def test_a_voucher_ends_by_the_cloud_s_time() -> None:
    """A wall clock that is set back does not help it."""
    till = cut_off()
    who = Identify(scan=till.voucher(70))
    till.clock.mono += HOUR_MS
    till.clock.wall -= HOUR_MS
    with pytest.raises(DeskProblem, match="voucher_expired"):
        hold(till, 70, "u1", who)


def test_a_till_without_the_cloud_s_key_takes_no_voucher() -> None:
    """Nor one with a letter changed."""
    till = cut_off()
    text = till.voucher(70)
    changed = text[:-2] + ("A" if text[-2] != "A" else "B") + text[-1]
    with pytest.raises(DeskProblem, match="voucher_invalid"):
        member(till, Identify(scan=changed))
    assert till.identity is not None
    till.identity = msgspec.structs.replace(till.identity, cloud_key="")
    till.desk = till.new_desk()
    with pytest.raises(DeskProblem, match="voucher_invalid"):
        member(till, Identify(scan=text))


def test_a_full_disk_gives_no_hold_and_no_grant_back() -> None:
    """What is not remembered was not reserved."""
    till = cut_off(100)
    till.holds.broken = till.journal.broken = True
    assert refused(till, 10).code == "journal_unavailable"
    till.lend(100, recall=10)
    assert till.run(till.desk.give_back_grants()) == 0
