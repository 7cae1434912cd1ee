"""Quotes and sales: what is written, what is answered, and that repeating changes nothing."""

import asyncio
from typing import Any

import msgspec
import pytest

from fakes.till import ANNA_CARD, ANNA_PHONE, ANNA_TAGS, STRANGER_CARD, STRANGER_TAG, FakeTill, anna, receipt
from till_agent.api import DiscountTaken, HoldCreate, Identify, Message, QuoteRequest, Sale, SaleRequest
from till_agent.desk import Answered
from till_agent.desk.answers import encode
from till_agent.exceptions import DeskProblem
from till_agent.ports import JournalReader
from till_loyalty.receipt import Line, MemberState, Place, Receipt, StoreClock
from till_sync.ops import Payment, SaleBody, Subject, decode_body
from till_sync.wire import OpResult

ANNA = Identify(card=ANNA_CARD)


def sell(till: FakeTill, uid: str, request: SaleRequest) -> Sale:
    return msgspec.json.decode(till.run(till.desk.sell(uid, request)).body, type=Sale)


def body_of(till: FakeTill, index: int = -1) -> SaleBody:
    body = decode_body(till.journal.entries[index].body)
    assert isinstance(body, SaleBody)
    return body


def test_a_quote_changes_nothing_and_tells_what_the_receipt_would_give() -> None:
    """Earned, what may be spent, the slip, and sentences for the cashier."""
    till = FakeTill().know(anna())
    quote = till.run(till.desk.quote(QuoteRequest(receipt=receipt(10_000, 5_000), member=ANNA, redeem_points=100)))
    assert (quote.calculation.redeemed_points, quote.calculation.redeemable_points) == (75, 75)
    assert [(message.code, message.level) for message in quote.messages] == [
        ("will_earn", "info"),
        ("can_redeem", "info"),
        ("redeem_limited_by_share", "warning"),
    ]
    assert "Можно списать                         75 бонусов" in quote.slip_preview
    assert quote.member is not None
    assert (quote.offline, quote.as_of_ms, quote.member.reference) == (False, till.clock.wall, "m-anna")
    assert not till.journal.entries
    assert not till.slips.enqueued


def test_a_quote_without_a_line_offers_nothing_to_spend() -> None:
    """And says so once, with the member, not with the wish."""
    till = FakeTill().know(anna())
    till.gateway.online = False
    quote = till.run(till.desk.quote(QuoteRequest(receipt=receipt(10_000), member=ANNA, redeem_points=-1)))
    assert (quote.offline, quote.calculation.redeemable_points) == (True, 0)
    assert [message.code for message in quote.messages] == ["will_earn"]
    assert quote.member is not None
    assert [message.code for message in quote.member.messages] == ["offline"]


def test_a_quote_without_a_member_or_programme_is_totals() -> None:
    """Nothing to tell, no slip."""
    till = FakeTill(programme=None)
    quote = till.run(till.desk.quote(QuoteRequest(receipt=receipt(10_000))))
    assert (quote.calculation.payable_minor, quote.slip_preview, quote.messages) == (10_000, "", ())
    quote = till.run(till.desk.quote(QuoteRequest(receipt=receipt(10_000), member=Identify(phone=ANNA_PHONE))))
    assert "Бонусы за покупку посчитаются" in quote.slip_preview


def test_a_sale_is_journalled_with_all_that_the_cloud_needs() -> None:
    """Who, what, when by the store's clock, by which programme; no number in clear."""
    till = FakeTill().know(anna(tier="gold"))
    request = SaleRequest(
        receipt=receipt(10_000),
        member=Identify(phone=ANNA_PHONE),
        payments=(Payment(kind="cash", amount_minor=10_000),),
        number="17",
        shift="3",
        cashier="c-2",
        local_time="2017-12-23T23:59:59",
    )
    sale = sell(till, "u1", request)
    entry, body = till.journal.entries[0], body_of(till)
    programme = till.cache.active
    assert programme is not None
    assert body == SaleBody(
        uid="u1",
        store="s1",
        at_wall_ms=till.clock.wall,
        at_mono_ms=till.clock.mono,
        boot="boot-1",
        clock=StoreClock(local_time="2017-12-23T23:59:59", business_date="2017-12-23"),
        subject=Subject(member_id="m-anna"),
        receipt=request.receipt,
        result=sale.calculation,
        programme_digest=programme.digest,
        tier="gold",
        payments=request.payments,
        number="17",
        shift="3",
        cashier="c-2",
        facts=MemberState(tier="gold", spendable_points=500),
        place=Place(store="s1", channel="till"),
        entry="keyed",
    )
    assert sale.calculation.earned_points == 10
    assert (entry.kind, entry.uid, entry.about_uid, entry.at_wall_ms) == ("sale", "u1", "", till.clock.wall)
    written = entry.body + entry.answer + entry.request_digest
    assert ANNA_CARD.encode() not in written
    assert b"9161231234" not in written


def test_the_store_clock_is_the_stores_own_date_not_utc() -> None:
    """23:30 UTC on the 23rd is already the 24th in Almaty."""
    till = FakeTill().know(anna())
    till.clock.wall = 1_514_071_800_000
    sell(till, "u1", SaleRequest(receipt=receipt(1), member=ANNA))
    assert body_of(till).clock == StoreClock(local_time="2017-12-24T05:30:00", business_date="2017-12-24")


def test_the_answer_tells_balances_before_and_after_and_the_unconfirmed_part() -> None:
    """The member is shown as they are after the sale."""
    till = FakeTill().know(anna())
    sale = sell(till, "u1", SaleRequest(receipt=receipt(10_000), member=ANNA))
    assert (sale.op, sale.offline) == ("t1:1:1", False)
    assert (sale.balance_before_points, sale.balance_after_points) == (500, 505)
    assert sale.member is not None
    assert (sale.member.balance_points, sale.member.unconfirmed_points) == (505, 5)
    assert sale.messages == (Message(code="earned", text="Начислено: 5 бонусов."),)
    again = sell(till, "u2", SaleRequest(receipt=receipt(10_000), member=ANNA))
    assert (again.balance_before_points, again.balance_after_points) == (505, 510)


def test_a_sale_with_points_uses_its_hold_even_when_the_line_goes_meanwhile() -> None:
    """What was reserved online may be spent offline, within the hold's life."""
    till = FakeTill().know(anna())
    hold = till.run(till.desk.hold(HoldCreate(sale_uid="u1", member=ANNA, points=50)))
    till.gateway.online = False
    sale = sell(till, "u1", SaleRequest(receipt=receipt(10_000), member=ANNA, redeem_points=50, hold=hold.hold))
    assert (sale.calculation.redeemed_points, sale.calculation.payable_minor) == (50, 5_000)
    assert (sale.balance_after_points, sale.offline) == (500 - 50 + 2, True)
    assert (body_of(till).hold, body_of(till).offline) == (hold.hold, True)
    assert till.holds.holds[hold.hold].state == "used"


def test_a_sale_that_spends_nothing_takes_its_hold_along() -> None:
    """The cloud then gives the points back with the sale, without an op of its own."""
    till = FakeTill().know(anna())
    hold = till.run(till.desk.hold(HoldCreate(sale_uid="u1", member=ANNA, points=50)))
    sell(till, "u1", SaleRequest(receipt=receipt(10_000), member=ANNA, hold=hold.hold))
    assert (body_of(till).hold, till.holds.holds[hold.hold].state) == (hold.hold, "used")


@pytest.mark.parametrize("trouble", ["unknown", "expired", "released"])
def test_a_sale_that_spends_nothing_goes_on_without_its_hold(trouble: str) -> None:
    """A hold that is no good is no reason to refuse money."""
    till = FakeTill().know(anna())
    name = "h-nobody"
    if trouble != "unknown":
        name = till.run(till.desk.hold(HoldCreate(sale_uid="u1", member=ANNA, points=50))).hold
        till.clock.advance(600_000)
    if trouble == "released":
        assert till.run(till.desk.release_abandoned()) == 1
    sell(till, "u1", SaleRequest(receipt=receipt(10_000), member=ANNA, hold=name))
    assert body_of(till).hold == ""


@pytest.mark.parametrize("spend", [0, 50])
def test_a_hold_that_is_given_back_while_the_sale_waits_its_turn_is_not_used(spend: int) -> None:
    """The journal's turn decides, not what was seen before it."""
    till = FakeTill().know(anna())
    hold = till.run(till.desk.hold(HoldCreate(sale_uid="u1", member=ANNA, points=50))).hold
    request = SaleRequest(receipt=receipt(10_000), member=ANNA, redeem_points=spend, hold=hold)

    async def both() -> None:
        release, sale = till.desk.release(hold), till.desk.sell("u1", request)
        results = await asyncio.gather(release, sale, return_exceptions=True)
        assert results[0] is None
        if spend:
            assert isinstance(results[1], DeskProblem)
            assert results[1].code == "hold_expired"
        else:
            assert isinstance(results[1], Answered)
            assert body_of(till).hold == ""

    till.run(both())
    assert till.holds.holds[hold].state == "released"


def test_a_hold_that_runs_out_while_the_disk_stalls_is_refused_before_anything_is_written() -> None:
    """The deadline is looked at again in the journal's turn."""
    till = FakeTill().know(anna())
    hold = till.run(till.desk.hold(HoldCreate(sale_uid="u1", member=ANNA, points=50))).hold
    till.journal.before_turn = lambda: till.clock.advance(600_000)
    request = SaleRequest(receipt=receipt(10_000), member=ANNA, redeem_points=50, hold=hold)
    with pytest.raises(DeskProblem, match="hold_expired"):
        till.run(till.desk.sell("u1", request))
    assert not till.journal.entries


def test_a_blocked_member_may_buy_and_earns_nothing() -> None:
    """A sale is a fact; the slip and the cashier are told."""
    till = FakeTill().know(anna(status="blocked"))
    sale = sell(till, "u1", SaleRequest(receipt=receipt(10_000), member=ANNA))
    assert (sale.calculation.earned_points, sale.balance_after_points) == (0, 500)
    assert sale.member is not None
    assert [(message.code, message.level) for message in sale.member.messages] == [("member_blocked", "warning")]


def test_a_member_blocked_after_the_hold_cannot_spend_it() -> None:
    """The final receipt is worked out anew."""
    till = FakeTill().know(anna())
    hold = till.run(till.desk.hold(HoldCreate(sale_uid="u1", member=ANNA, points=50))).hold
    till.know(anna(status="blocked"))
    with pytest.raises(DeskProblem, match="member_blocked"):
        sell(till, "u1", SaleRequest(receipt=receipt(10_000), member=ANNA, redeem_points=50, hold=hold))


def test_somebody_unknown_earns_by_their_tag_and_it_is_called_unconfirmed() -> None:
    """The cloud sorts out whose it is."""
    till = FakeTill()
    sale = sell(till, "u1", SaleRequest(receipt=receipt(10_000), member=Identify(card=STRANGER_CARD)))
    assert body_of(till).subject == Subject(tag=STRANGER_TAG)
    assert sale.member is not None
    assert (sale.member.known, sale.member.unconfirmed_points, sale.balance_after_points) == (False, 5, 5)


def test_a_reference_that_a_fresh_cache_does_not_hold_still_sells() -> None:
    """The cloud knows members that this cache does not; the sale names them."""
    till = FakeTill()
    sale = sell(till, "u1", SaleRequest(receipt=receipt(10_000), member=Identify(reference="m-old")))
    assert body_of(till).subject == Subject(member_id="m-old")
    assert sale.member is not None
    assert (sale.member.reference, sale.member.known) == ("m-old", False)


def test_a_sale_before_the_first_programme_is_kept_without_points() -> None:
    """The cloud works them out with its own."""
    till = FakeTill(programme=None)
    sale = sell(till, "u1", SaleRequest(receipt=receipt(10_000), member=Identify(phone=ANNA_PHONE)))
    assert (sale.calculation.programme_id, sale.calculation.programme_version) == ("", 0)
    assert (body_of(till).subject, body_of(till).programme_digest) == (Subject(tag=ANNA_TAGS[1]), "")


def test_a_sale_without_a_member_is_kept_and_has_no_points() -> None:
    """Shares of sales with a card need the others too."""
    till = FakeTill()
    sale = sell(till, "u1", SaleRequest(receipt=receipt(10_000)))
    assert (sale.member, sale.messages, body_of(till).subject) == (None, (), Subject())
    assert sale.calculation.earned_points == 0


def test_the_same_sale_again_gets_the_same_bytes_and_does_nothing() -> None:
    """After a restart, after other sales, after the programme changed."""
    till = FakeTill().know(anna())
    request = SaleRequest(receipt=receipt(10_000), member=ANNA)
    first = till.run(till.desk.sell("u1", request))
    sell(till, "u2", SaleRequest(receipt=receipt(5_000), member=ANNA))
    till.desk = till.new_desk()
    till.cache.active = None
    again = till.run(till.desk.sell("u1", request))
    assert (first.replayed, again) == (False, Answered(body=first.body, replayed=True))
    assert len(till.journal.entries) == 2


def test_a_repeated_sale_is_answered_as_then_even_if_it_would_be_refused_now() -> None:
    """Its hold is spent, the member is gone from the cache: the sale stands."""
    till = FakeTill().know(anna())
    hold = till.run(till.desk.hold(HoldCreate(sale_uid="u1", member=ANNA, points=50))).hold
    request = SaleRequest(receipt=receipt(10_000), member=ANNA, redeem_points=50, hold=hold)
    first = till.run(till.desk.sell("u1", request))
    till.clock.restart()
    assert till.run(till.desk.sell("u1", request)) == Answered(body=first.body, replayed=True)
    with pytest.raises(DeskProblem, match="uid_conflict"):
        till.run(till.desk.sell("u1", msgspec.structs.replace(request, redeem_points=49)))


def test_a_sale_whose_answer_the_disk_lost_is_found_by_the_retry() -> None:
    """The journal said that it could not; it had."""
    till = FakeTill().know(anna())
    request = SaleRequest(receipt=receipt(10_000), member=ANNA)
    till.journal.lose_answers = True
    with pytest.raises(DeskProblem, match="journal_unavailable"):
        till.run(till.desk.sell("u1", request))
    till.journal.lose_answers = False
    assert till.run(till.desk.sell("u1", request)).replayed
    assert len(till.journal.entries) == 1


def test_a_plain_sale_goes_on_while_the_disk_takes_nothing_and_is_written_when_it_is_sent_again() -> None:
    """No point depends on it; and nobody is told that it was kept."""
    till = FakeTill().know(anna())
    request = SaleRequest(receipt=receipt(10_000))
    till.journal.broken = True
    answer = sell(till, "u1", request)
    assert (answer.kept, answer.op, [message.code for message in answer.messages]) == (False, "", ["not_kept"])
    assert till.journal.entries == []
    till.journal.broken = False
    answer = sell(till, "u1", request)
    assert (answer.kept, answer.op != "") == (True, True)


@pytest.mark.parametrize(
    "more",
    [{"member": ANNA}, {"codes": ("SPRING",)}, {"discounts": (DiscountTaken(rule="r", line=1, amount_minor=1),)}],
)
def test_a_sale_that_says_more_than_its_goods_is_refused_while_the_disk_takes_nothing(more: dict[str, Any]) -> None:
    """Somebody's points, a code's use or money taken off would be forgotten."""
    till = FakeTill().know(anna())
    till.journal.broken = True
    with pytest.raises(DeskProblem, match="journal_unavailable"):
        till.run(till.desk.sell("u1", SaleRequest(receipt=receipt(10_000), **more)))


def test_the_same_sale_sent_twice_at_once_is_one_sale() -> None:
    """Both callers get the same bytes."""
    till = FakeTill().know(anna())
    request = SaleRequest(receipt=receipt(10_000), member=ANNA)

    async def both() -> list[Answered]:
        return await asyncio.gather(till.desk.sell("u1", request), till.desk.sell("u1", request))

    one, two = till.run(both())
    assert (one.body, one.replayed, two.replayed) == (two.body, False, True)
    assert len(till.journal.entries) == 1
    assert till.run(till.desk.identify(ANNA)).balance_points == 505


def test_spelling_out_what_is_empty_makes_no_other_request() -> None:
    """Nor do unknown fields, the order of fields, or spaces: two requests are the same when they mean the same."""
    till = FakeTill().know(anna())
    request = msgspec.json.decode(encode(SaleRequest(receipt=receipt(10_000), member=ANNA)), type=SaleRequest)
    spelled = msgspec.json.decode(
        b'{"redeem_points":0,"hold":"","print_slip":true,"unknown":[1],"member":{"card":"%s"},"receipt":{"lines":'
        b'[{"name":"\xd0\xa2\xd0\xbe\xd0\xb2\xd0\xb0\xd1\x80 1","number":1,"sku":"sku-1", "amount_minor":10000,'
        b'"category":[]}]}}' % ANNA_CARD.encode(),
        type=SaleRequest,
    )
    till.run(till.desk.sell("u1", request))
    assert till.run(till.desk.sell("u1", spelled)).replayed


def test_a_slip_is_handed_over_once_in_the_members_language() -> None:
    """Asked for beats the member's own, which beats the till's; none when it is not wanted."""
    till = FakeTill().know(anna(language="kk"))
    sell(till, "u1", SaleRequest(receipt=receipt(1), member=ANNA))
    sell(till, "u2", SaleRequest(receipt=receipt(1), member=ANNA, language="uk"))
    sell(till, "u3", SaleRequest(receipt=receipt(1), member=Identify(card=STRANGER_CARD)))
    sell(till, "u4", SaleRequest(receipt=receipt(1), member=ANNA, print_slip=False))
    assert till.slips.enqueued == [
        ("sale", "u1", "kk", False),
        ("sale", "u2", "uk", False),
        ("sale", "u3", "ru", False),
    ]
    quiet = FakeTill(print_slips=False).know(anna())
    sell(quiet, "u1", SaleRequest(receipt=receipt(1), member=ANNA))
    assert not quiet.slips.enqueued


def test_a_repeated_sale_hands_its_slip_over_only_while_the_first_answer_may_have_been_lost() -> None:
    """The agent may have died between the commit and the slip; the slip desk takes each slip once."""
    till = FakeTill().know(anna())
    request = SaleRequest(receipt=receipt(1), member=ANNA)
    sell(till, "u1", request)
    till.slips.enqueued.clear()
    till.clock.advance(600_000)
    sell(till, "u1", request)
    assert len(till.slips.enqueued) == 1
    till.clock.advance(1)
    sell(till, "u1", request)
    assert len(till.slips.enqueued) == 1


def test_a_sale_asks_neither_the_cloud_nor_waits_for_anything_but_the_journal() -> None:
    """One commit, no reads of the journal, no call of the gateway."""
    till = FakeTill().know(anna())
    reads: list[object] = []

    async def read(query: object) -> None:
        reads.append(query)

    till.journal.read = read  # type: ignore[method-assign, assignment]  # a spy on one method
    sell(till, "u1", SaleRequest(receipt=receipt(10_000), member=ANNA))
    assert (reads, till.gateway.asked) == ([], [])


def test_ten_thousand_lines_are_a_sale_like_any_other() -> None:
    """Quoted, sold, returned in part, all without keeping the loop for long."""
    till = FakeTill().know(anna())
    lines = tuple(Line(number=number, sku=f"s{number}", amount_minor=number) for number in range(1, 10_001))
    sale = sell(till, "u1", SaleRequest(receipt=Receipt(lines=lines), member=ANNA))
    assert len(sale.calculation.lines) == 10_000
    assert sale.calculation.earned_points == sum(range(10_001)) * 5 // 10_000
    assert till.run(till.desk.sale("u1")).state == "committed"


def test_other_calls_are_answered_while_a_huge_receipt_is_worked_out() -> None:
    """The rules of a huge receipt run in a thread."""
    till = FakeTill().know(anna())
    lines = tuple(Line(number=number, sku=f"s{number}", amount_minor=number) for number in range(1, 10_001))
    order: list[str] = []

    async def quote() -> None:
        await till.desk.quote(QuoteRequest(receipt=Receipt(lines=lines), member=ANNA))
        order.append("quote")

    async def identify() -> None:
        await asyncio.sleep(0)
        await till.desk.identify(ANNA)
        order.append("identify")

    async def both() -> None:
        await asyncio.gather(quote(), identify())

    till.run(both())
    assert order == ["identify", "quote"]


def test_a_sale_as_it_stands() -> None:
    """Its first answer, what the cloud said, and its slip; what came back is tested with returns."""
    till = FakeTill().know(anna())
    answered = till.run(till.desk.sell("u1", SaleRequest(receipt=receipt(10_000), member=ANNA)))
    view = till.run(till.desk.sale("u1"))
    assert encode(view.sale) == answered.body
    assert (view.state, view.sync, view.sync_code, view.slip.state) == ("committed", "waiting", "", "queued")
    op = till.journal.entries[0].op_id
    for status, shown in (
        ("applied", "applied"),
        ("duplicate", "applied"),
        ("adjusted", "adjusted"),
        ("rejected", "rejected"),
    ):
        till.journal.reader.verdicts[op] = OpResult(seq=1, status=status, code="why")  # type: ignore[arg-type]  # a table
        view = till.run(till.desk.sale("u1"))
        assert (view.sync, view.sync_code) == (shown, "why")


def test_decisions_in_the_journals_turn_touch_no_cache() -> None:
    """The cache's connection belongs to the loop; the journal decides in a thread of its own."""
    till = FakeTill().know(anna())

    def forbidden(*_: object) -> None:
        raise AssertionError("the cache was read in the journal's turn")

    def look_away() -> None:
        till.cache.by_id = till.cache.by_tag = till.cache.programme = forbidden  # type: ignore[method-assign, assignment]  # a trap

    till.journal.before_turn = look_away
    till.run(till.desk.sell("u1", SaleRequest(receipt=receipt(10_000), member=ANNA)))
    for name in ("by_id", "by_tag", "programme"):
        delattr(till.cache, name)
    till.run(till.desk.void("u1"))
    assert len(till.journal.entries) == 2


def test_the_reader_of_the_fake_is_what_the_desk_expects() -> None:
    """The fake journal fits the port."""
    reader: JournalReader = FakeTill().journal.reader
    assert str(reader.next_op_id) == "t1:1:1"


def test_a_sale_too_large_for_the_cloud_is_refused_before_it_is_acknowledged(monkeypatch: pytest.MonkeyPatch) -> None:
    """The cloud would turn such an operation away, and its points would be lost after the answer."""
    monkeypatch.setattr("till_agent.desk.selling.OP_BODY_LIMIT_BYTES", 200)
    till = FakeTill().know(anna())
    with pytest.raises(DeskProblem) as refused:
        till.run(till.desk.sell("a", SaleRequest(receipt=receipt(10_000), member=ANNA)))
    assert (refused.value.code, refused.value.pointer) == ("receipt_too_large", "/receipt/lines")
    assert not till.journal.entries
