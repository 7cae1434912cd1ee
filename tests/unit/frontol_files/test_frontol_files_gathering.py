"""Rows to documents: what counts, what is passed by, what is doubted, and every trap of the format."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes.frontol_report import FrontolTill
from till_agent.frontol_files import gathering, rows
from till_agent.frontol_files.documents import Document, Paid
from till_agent.frontol_files.gathering import Gatherer
from till_agent.frontol_files.report import Head

CARD = "2900000000018"
HEAD = Head(mark="#", database="1", report="466", encoding="cp1251", start=0, mark_at=0)


def gathered(*texts: str) -> Gatherer:
    """A gatherer that has had these rows."""
    gatherer = Gatherer(HEAD)
    for line, text in enumerate(texts, 4):
        gatherer.add(line, text)
    return gatherer


def only(till: FrontolTill) -> Document:
    """The one document of a till's report."""
    (found,) = gathered(*till.rows).closed
    return found


def test_a_sale_is_gathered_from_its_rows() -> None:
    """Prices, taxes, fiscal data and split payments are not counted again."""
    till = FrontolTill()
    till.sale(CARD, lines=(("941", 548, 3617), ("31105", 1000, 1000)))
    found = only(till)
    assert (found.kind, found.uid, found.till, found.shift, found.number) == ("sale", "f-1-466-101", "1", "466", "101")
    assert [(line.code, line.quantity_thousandths, line.amount_minor) for line in found.lines] == [
        ("941", 548, 3617),
        ("31105", 1000, 1000),
    ]
    assert (found.total_minor, found.goods_minor) == (4617, 4617)
    assert found.paid == (Paid(kind="cash", amount_minor=4617),)
    assert (found.cards, found.local_time, found.cashier) == ((CARD,), "2026-11-22T09:01:05", "3")
    assert found.doubts == ()
    assert CARD not in repr(found)


def test_points_are_taken_for_another_decimal_sign_too() -> None:
    till = FrontolTill(point=".")
    till.sale(lines=(("941", 548, 3617),))
    assert only(till).total_minor == 3617


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        (CARD, (CARD,)),
        (f"{CARD}|", (CARD,)),
        (f"#{CARD}|@79161231234|${CARD}", (CARD, "79161231234")),
        ("||", ()),
        (f" {CARD} | {CARD} ", (CARD,)),
        ("a\u00a4b", ("a;b",)),
    ],
)
def test_cards_are_joined_and_have_prefixes(field: str, expected: tuple[str, ...]) -> None:
    assert rows.cards_of(field) == expected


def test_a_name_may_follow_the_code_behind_the_sign() -> None:
    """By a setting of Frontol's."""
    till = FrontolTill()
    till.begin()
    till.line("941\u00a4Молоко 3,2 %", 1000, 9000)
    till.close(9000)
    (line,) = only(till).lines
    assert (line.code, line.name) == ("941", "Молоко 3,2 %")


def test_a_free_price_has_its_barcode_for_a_code_or_none() -> None:
    till = FrontolTill()
    till.begin()
    till.line("", 1000, 100, kind=1, barcode="0460")
    till.line("", 1000, 200, kind=1)
    till.close(300)
    assert [line.code for line in only(till).lines] == ["0460", gathering.FREE_PRICE]


@pytest.mark.parametrize(
    ("lines", "back", "left"),
    [
        ([("a", 1000, 500), ("b", 1000, 300)], ("a", 1000, 500), [("b", 1000, 300)]),
        ([("a", 1000, 500), ("a", 2000, 1000)], ("a", 1000, 500), [("a", 2000, 1000)]),
        ([("a", 3000, 1500)], ("a", -1000, -500), [("a", 2000, 1000)]),
        ([("a", 1000, 500), ("a", 1000, 500)], ("a", 2000, 1000), []),
    ],
)
def test_storno_takes_lines_back(lines: Any, back: Any, left: Any) -> None:
    """Whole lines or a part of one, whatever the sign that Frontol gives it."""
    till = FrontolTill()
    till.begin()
    for line in lines:
        till.line(*line)
    till.line(*back, kind=12)
    total = sum(amount for _, _, amount in left)
    till.pay(total)
    till.close(total)
    found = only(till)
    assert [(line.code, line.quantity_thousandths, line.amount_minor) for line in found.lines] == left
    assert found.doubts == ()


def test_storno_of_what_was_never_registered_is_doubted() -> None:
    till = FrontolTill()
    till.begin()
    till.line("a", 1000, 500)
    till.line("b", 1000, 500, kind=12)
    till.close(500)
    assert only(till).doubts == ("storno_unmatched",)


@pytest.mark.parametrize(
    ("finals", "total", "goods"),
    [
        ((6_000, 4_000), 10_000, (6_000, 4_000)),  # points are a payment of the total
        ((6_000, 4_000), 7_000, (6_000, 4_000)),  # the total is what money paid, lines are before points
        ((4_200, 2_800), 7_000, (6_000, 4_000)),  # lines and total are after points
    ],
)
def test_amounts_are_before_points_however_the_till_writes_them(
    finals: tuple[int, int], total: int, goods: tuple[int, int]
) -> None:
    """3,000 by points and 7,000 by money for goods of 10,000."""
    till = FrontolTill()
    till.begin(CARD)
    for code, final in zip("ab", finals, strict=True):
        till.line(code, 1000, final)
    till.bonus(3_000)
    till.pay(7_000)
    till.close(total)
    found = only(till)
    assert tuple(line.amount_minor for line in found.lines) == goods
    assert (found.bonus_minor, found.doubts) == (3_000, ())


def test_frontols_own_bonus_is_none_of_ours() -> None:
    till = FrontolTill()
    till.begin(CARD)
    till.line("a", 1000, 10_000)
    till.bonus(3_000, external=False)
    till.pay(7_000)
    till.close(10_000)
    found = only(till)
    assert found.bonus_minor == 0
    assert found.paid == (Paid(kind="other", amount_minor=3_000), Paid(kind="cash", amount_minor=7_000))


def test_a_discount_of_the_whole_document_is_split_where_lines_lack_it() -> None:
    till = FrontolTill()
    till.begin()
    till.line("a", 1000, 6_000)
    till.line("b", 1000, 4_000)
    till.row(37, {10: 2, 11: 10, 12: "10"})
    till.row(87, {10: 2, 11: 10, 12: "6"})
    till.row(87, {10: 2, 11: 10, 12: "4"})
    till.pay(9_000)
    till.close(9_000)
    assert [line.amount_minor for line in only(till).lines] == [5_400, 3_600]


def test_lines_that_do_not_come_to_the_total_are_doubted() -> None:
    till = FrontolTill()
    till.begin()
    till.line("a", 1000, 6_000)
    till.close(9_000)
    assert only(till).doubts == ("totals_differ",)


def test_a_row_that_comes_twice_counts_once() -> None:
    """By its number; a whole document that comes again closes again, and is known by the number of its close."""
    till = FrontolTill()
    till.sale(CARD)
    doubled = [text for row in till.rows[:-1] for text in (row, row)] + till.rows[-1:]
    gatherer = gathered(*doubled)
    (found,) = gatherer.closed
    assert found.goods_minor == 10_000
    assert gatherer.counts.repeated > 0


def test_documents_of_two_tills_do_not_mix() -> None:
    """The same shift and number, row by row in turn."""
    one, two = FrontolTill(), FrontolTill(workplace=2, number=5000)
    one.sale(CARD)
    two.sale("2900000000025", lines=(("bread", 1000, 200),))
    mixed = [row for pair in zip(one.rows, two.rows, strict=True) for row in pair]
    first, second = gathered(*mixed).closed
    assert (first.till, first.goods_minor, second.till, second.goods_minor) == ("1", 10_000, "2", 200)


def test_a_fiscal_rows_own_numbers_are_no_document() -> None:
    """Field 26 of a fiscal close is the cash register's: receipt, document and shift of its own."""
    till = FrontolTill()
    till.sale()
    assert [each.number for each in gathered(*till.rows).closed] == ["101"]


@pytest.mark.parametrize(
    ("operation", "kind", "expected"), [(0, 55, "sale"), (1, 55, "return"), (1, 58, "return"), (0, 56, "cancel")]
)
def test_documents_end_as_sale_return_or_cancel(operation: int, kind: int, expected: str) -> None:
    till = FrontolTill()
    till.begin(CARD, operation=operation)
    till.line("a", 1000, -500 if operation else 500)
    till.close(500, kind=kind)
    assert only(till).kind == expected


def test_cash_in_and_other_operations_are_counted_and_passed_by() -> None:
    till = FrontolTill()
    till.begin(operation=4)
    till.row(50, {12: "100"})
    till.close(10_000)
    gatherer = gathered(*till.rows)
    assert gatherer.closed == []
    assert gatherer.counts.other_documents == 1


def test_unknown_types_are_counted_by_type() -> None:
    till = FrontolTill()
    till.sale()
    till.row(199, {})
    till.row(199, {})
    gatherer = gathered(*till.rows)
    assert gatherer.counts.unknown == 2
    assert dict(gatherer.unknown_types) == {199: 2}
    assert gatherer.refused == []


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda text: ";".join(text.split(";")[:9]), "field_count"),
        (lambda text: text + "1;2;3;4;5", "field_count"),
        (lambda text: text.replace(";100;1;100;", ";100;1z;100;"), "number"),
        (lambda text: text.replace(";11;", ";eleven;", 1), "number"),
        (lambda _: "garbage", "field_count"),
    ],
)
def test_a_bad_row_is_listed_with_its_line_and_its_document_is_doubted(change: Any, code: str) -> None:
    """What is left of the document is no receipt."""
    till = FrontolTill()
    till.sale(CARD)
    texts = [change(row) if row.split(";")[3] == "11" else row for row in till.rows]
    gatherer = gathered(*texts)
    assert [(each.line, each.code) for each in gatherer.refused] == [(5, code)]
    assert all("2900" not in each.detail for each in gatherer.refused)
    assert all(each.doubts for each in gatherer.closed)


def test_zeros_of_a_power_cut_are_no_row() -> None:
    till = FrontolTill()
    till.begin()
    till.line("a", 1000, 500)
    till.rows[1] = till.rows[1][:20] + "\x00" * 30 + till.rows[1][50:]
    assert [each.code for each in gathered(*till.rows).refused] == ["text"]


def test_a_document_that_is_never_closed_is_let_go_of(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is bounded, and the line where it began is told."""
    monkeypatch.setattr(gathering, "OPEN_LIMIT", 3)
    till = FrontolTill()
    for _ in range(5):
        till.begin()
    gatherer = gathered(*till.rows)
    assert len(gatherer.open) == 3
    assert [(each.line, each.code) for each in gatherer.refused] == [(4, "never_closed"), (5, "never_closed")]


def test_an_open_document_keeps_no_values_but_ours() -> None:
    """It is written down, and other scenarios keep phones in user values."""
    till = FrontolTill()
    till.begin()
    till.row(42, {34: "phone=+79161231234\u00a4tillsideUid=sale-1\u00a4tillsideBase=sale-0"})
    gatherer = gathered(*till.rows)
    (still_open,) = gatherer.open.values()
    assert "9161231234" not in msgspec.json.encode(still_open).decode()
    till.rows.clear()
    till.line("milk", 1000, 100)
    till.close(100)
    for line, text in enumerate(till.rows, 9):
        gatherer.add(line, text)
    (closed,) = gatherer.closed
    assert (closed.uid, closed.base_uid) == ("sale-1", "sale-0")


def test_what_is_open_is_bounded_whatever_rows_come(monkeypatch: pytest.MonkeyPatch) -> None:
    """A document without an end is no receipt after so many rows; of many such the oldest are let go of."""
    monkeypatch.setattr(gathering, "ROWS_LIMIT", 100)
    monkeypatch.setattr(gathering, "OPEN_ROWS_LIMIT", 250)
    till = FrontolTill()
    gatherer = Gatherer(HEAD)
    for _ in range(4):
        till.begin()
        for _ in range(150):
            till.row(40, {10: 0, 12: "1"})
    till.rows[-1:] = []
    till.close(100)
    for line, text in enumerate(till.rows, 4):
        gatherer.add(line, text)
    assert sum(len(each.numbers) for each in gatherer.open.values()) <= 250
    assert all(len(each.paid) <= 100 for each in gatherer.open.values())
    assert [each.code for each in gatherer.refused] == ["never_closed"] * 2
    (closed,) = gatherer.closed
    assert "too_many_lines" in closed.doubts


@pytest.mark.parametrize(
    ("values", "uid"),
    [
        ("tillsideUid=0D8F1E9C-2F0A-4A6E-9F57-2F3D1C9A7B10", "0d8f1e9c-2f0a-4a6e-9f57-2f3d1c9a7b10"),
        ("other=1|tillsideUid={0D8F1E9C}|x=2", "0d8f1e9c"),
        ("other=1", "f-1-466-101"),
        ("", "f-1-466-101"),
    ],
)
def test_user_values_name_the_sale_else_till_shift_and_number_do(values: str, uid: str) -> None:
    till = FrontolTill()
    till.sale(user_values=values)
    assert only(till).uid == uid


LINES = st.lists(
    st.tuples(st.text("abcdefg0123456789", min_size=1, max_size=8), st.integers(1, 99_999), st.integers(0, 10**8)),
    min_size=1,
    max_size=12,
)


@settings(max_examples=60)
@given(
    LINES,
    st.lists(st.integers(0, 11), max_size=6),
    st.sampled_from(",."),
    st.lists(st.text("0123456789", min_size=5, max_size=16), max_size=3, unique=True),
)
def test_whatever_is_rung_up_comes_back(
    lines: list[tuple[str, int, int]], taken_back: list[int], point: str, cards: list[str]
) -> None:
    """Written by the tests' own till, some lines taken back: lines, total, payments and cards are as they were."""
    till = FrontolTill(point=point)
    till.begin(*cards)
    kept = list(lines)
    for line in lines:
        till.line(*line)
    for index in sorted({*taken_back}, reverse=True):
        if index < len(kept):
            till.line(*kept[index], kind=12)
            # The newest line of just this code, quantity and amount goes.
            same = max(place for place, each in enumerate(kept) if each == kept[index])
            kept.pop(same)
    total = sum(amount for _, _, amount in kept)
    if total:
        till.pay(total, change=7)
    till.close(total, *cards)
    found = only(till)
    assert [(line.code, line.quantity_thousandths, line.amount_minor) for line in found.lines] == kept
    assert (found.total_minor, found.cards, found.doubts) == (total, tuple(cards), ())
    assert sum(each.amount_minor for each in found.paid) == total


@given(st.lists(st.text(max_size=80), max_size=8))
def test_any_text_is_a_row_or_refused(texts: list[str]) -> None:
    """Nothing is raised, whatever stands there."""
    gathered(*texts)
