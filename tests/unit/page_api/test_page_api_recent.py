"""The list of sales, their lines, and members found: by the real desk on fakes."""

from typing import Any

import pytest
from msgspec.structs import replace

from fakes.till import ANNA_CARD, ANNA_PHONE, PROGRAMME, STRANGER_CARD, FakeTill, anna, receipt
from till_agent.api import (
    DiscountTaken,
    Identify,
    Member,
    QuoteRequest,
    ReturnLineRequest,
    ReturnRequest,
    SaleRequest,
)
from till_agent.desk import recent
from till_agent.exceptions import DeskProblem
from till_agent.member_api import ConsentGiven, MemberCreate
from till_agent.page_api import SoldLines
from till_loyalty.programme import Rule
from till_loyalty.rule_parts import Discount
from till_sync.wire import OpResult

ANNA = Identify(card=ANNA_CARD)


def sold(count: int, **changes: Any) -> FakeTill:
    """A till with sales `u1`, `u2` and so on, of two lines each."""
    till = FakeTill().know(anna())
    for number in range(1, count + 1):
        fields = {"receipt": receipt(10_000, 20_000), "member": ANNA, "number": str(number), "cashier": "7"} | changes
        till.run(till.desk.sell(f"u{number}", SaleRequest(**fields)))
    return till


def test_the_newest_sale_comes_first_with_what_a_cashier_looks_for() -> None:
    till = sold(2)
    (newest, first) = till.run(till.desk.sales(20)).sales
    assert (newest.uid, first.uid) == ("u2", "u1")
    assert (newest.number, newest.cashier, newest.total_minor, newest.earned_points) == ("2", "7", 30_000, 15)
    assert (newest.member, newest.name_masked, newest.phone_masked) == (True, "Анна К.", "+7 *** ***-12-34")
    assert (newest.state, newest.sync) == ("committed", "waiting")
    assert newest.at_ms == till.clock.wall_ms()
    assert newest.local_time.endswith(":00") or "T" in newest.local_time


def test_a_sale_is_known_by_what_its_receipt_says() -> None:
    """Before discounts and what they were, so that whoever lists it shows the sum that the customer holds in hand."""
    ten = Rule(id="ten", discount=Discount(percent_basis_points=1000))
    till = FakeTill(programme=replace(PROGRAMME, rules=(*PROGRAMME.rules, ten))).know(anna())
    lines = receipt(10_000, 20_000)
    given = till.run(till.desk.quote(QuoteRequest(receipt=lines, member=ANNA))).calculation.discounts
    taken = tuple(map(DiscountTaken.whole, given))
    till.run(till.desk.sell("u1", SaleRequest(receipt=lines, member=ANNA, discounts=taken)))
    (row,) = till.run(till.desk.sales(20)).sales
    assert (row.total_minor, row.discount_minor) == (30_000, 3_000)


def of_pages() -> None:
    """Pages of any size give every sale once, in order, and the last one says so; other ops between do not show."""
    till = sold(23)
    till.run(till.desk.void("u5"))
    for size in (1, 2, 7, 23, 50):
        seen: list[str] = []
        before = 0
        for _ in range(40):
            page = till.run(till.desk.sales(size, before))
            seen += [each.uid for each in page.sales]
            assert len(page.sales) <= size
            before = page.before
            if not before:
                break
        assert seen == [f"u{number}" for number in range(23, 0, -1)], size


def test_pages_give_every_sale_once() -> None:
    of_pages()


def test_what_became_of_a_sale_shows() -> None:
    till = sold(4)
    till.run(till.desk.void("u1"))
    till.run(till.desk.give_back("r2", ReturnRequest(sale_uid="u2")))
    part = (ReturnLineRequest(number=2, quantity_thousandths=400),)
    till.run(till.desk.give_back("r3", ReturnRequest(sale_uid="u3", lines=part)))
    entry = till.journal.entries[3]
    till.journal.reader.verdicts[entry.op_id] = OpResult(
        seq=4, status="rejected", code="x", member_id="", tag="", balance=0, held=0, effect_points=0, position=0
    )
    rows = {each.uid: each for each in till.run(till.desk.sales(20)).sales}
    assert {uid: row.state for uid, row in rows.items()} == {
        "u1": "voided",
        "u2": "returned",
        "u3": "returned_in_part",
        "u4": "committed",
    }
    assert {uid: row.sync for uid, row in rows.items()} == dict.fromkeys(("u1", "u2", "u3"), "waiting") | {
        "u4": "rejected"
    }


def test_a_sale_of_nobody_shows_nobody() -> None:
    till = sold(1, member=None)
    (row,) = till.run(till.desk.sales(20)).sales
    assert (row.member, row.name_masked, row.phone_masked, row.card_masked) == (False, "", "", "")


def of_somebody_unknown() -> None:
    """Somebody not known here shows by the masked number at most."""
    till = sold(1, member=Identify(card=STRANGER_CARD))
    (row,) = till.run(till.desk.sales(20)).sales
    assert (row.member, row.name_masked, row.card_masked) == (True, "", "**** 0025")
    assert STRANGER_CARD not in repr(row)


def test_somebody_unknown_shows_masked() -> None:
    of_somebody_unknown()


def of_lines() -> None:
    """Each line tells what of it may still come back, here and after a void."""
    till = sold(2)
    part = (ReturnLineRequest(number=2, quantity_thousandths=400),)
    till.run(till.desk.give_back("r1", ReturnRequest(sale_uid="u1", lines=part)))
    told = till.run(till.desk.lines("u1"))
    assert (told.uid, told.state) == ("u1", "returned_in_part")
    assert [(each.number, each.code, each.name) for each in told.lines] == [
        (1, "sku-1", "Товар 1"),
        (2, "sku-2", "Товар 2"),
    ]
    assert [(each.left_thousandths, each.left_minor) for each in told.lines] == [(1000, 10_000), (600, 12_000)]
    till.run(till.desk.give_back("r2", ReturnRequest(sale_uid="u1")))
    assert _left(till.run(till.desk.lines("u1"))) == ("returned", [0, 0])
    till.run(till.desk.void("u2"))
    assert _left(till.run(till.desk.lines("u2"))) == ("voided", [0, 0])


def _left(told: SoldLines) -> tuple[str, list[int]]:
    return told.state, [each.left_thousandths for each in told.lines]


def test_lines_tell_what_may_still_come_back() -> None:
    of_lines()


def test_what_came_back_at_another_till_is_not_offered_again() -> None:
    """The cloud is asked, as it is for the return itself; without a line this till's own returns count."""
    till = sold(1)
    answer = till.sales.know("u1", _result(till), member="m-anna", till="t1", voided=True)
    assert answer.voided
    assert _left(till.run(till.desk.lines("u1"))) == ("voided", [0, 0])
    till.sales.online = False
    assert _left(till.run(till.desk.lines("u1"))) == ("committed", [1000, 1000])


def _result(till: FakeTill) -> Any:
    from till_agent.desk.bench import sale_body

    return sale_body(till.journal.entries[0]).result


def test_lines_of_no_sale_are_a_problem() -> None:
    till = sold(1)
    with pytest.raises(DeskProblem) as caught:
        till.run(till.desk.lines("u9"))
    assert caught.value.code == "sale_unknown"


def test_large_receipts_are_read_one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between them the journal takes sales."""
    till = sold(3)
    turns = []
    read = till.journal.read

    async def counted(query: Any) -> Any:
        turns.append(query)
        return await read(query)

    monkeypatch.setattr(till.journal, "read", counted)
    monkeypatch.setattr(recent, "SLICE_BYTES", 10)
    assert len(till.run(till.desk.sales(20)).sales) == 3
    assert len(turns) == 1 + 3


def of_search() -> None:
    """By name or last digits; with the balance as identify would show it; nothing that the mask hides."""
    till = FakeTill().know(anna(), anna(member_id="m-2", name_masked="Мария П.", tags=(), phone_masked="", balance=7))
    till.run(till.desk.sell("u1", SaleRequest(receipt=receipt(10_000), member=ANNA)))
    (found,) = till.run(till.desk.members("анна 12-34", 20)).members
    shown: Member = till.run(till.desk.identify(Identify(reference=found.reference)))
    assert (found.reference, found.balance_points, found.tier) == ("m-anna", shown.balance_points, "standard")
    assert shown.balance_points == 505
    assert ANNA_PHONE[2:] not in repr(found)
    assert ANNA_CARD not in repr(found)
    both = till.run(till.desk.members("0018", 20))
    assert ([each.name_masked for each in both.members], both.more) == (["Анна К.", "Мария П."], False)
    one = till.run(till.desk.members("0018", 1))
    assert (len(one.members), one.more) == (1, True)
    assert till.run(till.desk.members("...", 20)).members == ()
    assert till.run(till.desk.members("борис", 20)).members == ()


def test_members_are_found_by_what_is_shown_of_them() -> None:
    of_search()


def test_whoever_registered_just_now_is_found_before_the_cloud_knows() -> None:
    till = FakeTill()
    asked = MemberCreate(
        uid="n1",
        phone="+79165550001",
        name="Вера Иванова",
        consent=ConsentGiven(version="1", given=True),
        without_code=True,
    )
    till.run(till.desk.register(asked))
    assert till.journal.entries[-1].kind == "register"
    found = till.run(till.desk.members("вера 00-01", 20)).members
    assert [(each.name_masked, each.phone_masked) for each in found] == [("Вера И.", "+7 *** ***-00-01")]
    shown = till.run(till.desk.identify(Identify(reference=found[0].reference)))
    assert shown.name_masked == "Вера И."
