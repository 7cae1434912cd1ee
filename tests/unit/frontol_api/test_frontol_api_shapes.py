"""Every spelling of a document that is known, and every hostile one: an answer, and no number of HTTP for a cashier."""

import asyncio
import contextlib
import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.till import ANNA_PHONE
from kit.frontol_documents import UID, document, position
from till_agent.frontol.amounts import decimal_of, product, smallest, units
from till_agent.frontol.answers import encoded
from till_agent.frontol.exceptions import BadDocument
from till_agent.frontol.reading import local_time, read_document, read_json
from unit.frontol_api.frontol_api_till import SALE, FrontolTill, cash

ANNA = {"mobilePhone": ANNA_PHONE}
HUGE_LINES = 1_000


def read(**fields: Any) -> Any:
    raw = json.dumps(document("confirm", position(1, 100)) | fields).encode()
    return read_document(read_json(raw), 2)


@pytest.mark.parametrize(
    ("text", "minor"),
    [
        ("100.5", 10050),
        ('"100,50"', 10050),
        ('"1 234,5"', 123450),
        ('" 7 "', 700),
        ("0.005", 1),
        ("0.004999", 0),
        ("2.675", 268),
        ("1.005", 101),
        ("1.0E+2", 10000),
        ("-0.0", 0),
        ("1e-400", 0),
        ("99999999999.99", 9_999_999_999_999),
        ("12345678901.005", 1_234_567_890_101),
    ],
)
def test_amounts_are_read_exactly_and_rounded_half_up(text: str, minor: int) -> None:
    assert (
        read_document(read_json(b'{"positions":[{"index":1,"totalAmount":%s}]}' % text.encode()), 2).total_minor
        == minor
    )


@pytest.mark.parametrize(
    "text",
    [
        "1e309",
        "-1",
        '"-5"',
        '"12abc"',
        "true",
        "[1]",
        "{}",
        "1e999999999",
        "1e9999999999999999999",
        "9" * 30,
        "1e15",
        '"1e5000"',
    ],
)
@pytest.mark.parametrize("name", ["totalAmount", "price", "quantity", "minimumPrice"])
def test_amounts_that_no_receipt_has_are_refused_in_words(text: str, name: str) -> None:
    till = FrontolTill()
    raw = b'{"action":"confirm","type":"receipt","uid":"u","positions":[{"index":1,"id":"a","%s":%s}]}'
    status, answer = till.raw("/frontol/document", raw % (name.encode(), text.encode()))
    assert (status, json.loads(answer)["code"]) == (200, 100)
    assert till.journal.reader.recent(9) == []


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b"null",
        b'"confirm"',
        b"{",
        b'{"action":"confirm","uid":NaN}',
        b'{"positions":[1]}',
        b"[" * 5_000,
        b'{"a":' * 5_000,
        b"\xff\xfe{}",
        b'{"action":"confirm","positions":[{"totalAmount":' + b"1" * 5_000 + b"}]}",
        b'{"action":"explode"}',
        b"{}",
        b'{"action":["confirm"],"client":[1],"positions":{"a":1},"payments":"x","uid":{},"cashier":3}',
    ],
)
@pytest.mark.parametrize("path", ["/document", "/client", "/extra/client", "/nothing"])
def test_whatever_comes_is_answered_with_a_positive_code(raw: bytes, path: str) -> None:
    status, answer = FrontolTill().raw(f"/frontol{path}", raw)
    assert status == 200
    found = json.loads(answer)
    assert found["code"] > 0
    assert found["error"]


def test_fields_may_be_missing_null_or_of_another_type() -> None:
    """A receipt needs its goods and a name; all else is made up for."""
    till = FrontolTill()
    bare = {"action": "confirm", "uid": UID, "positions": [{"price": "12.50", "quantity": "2"}, {"text": "Хлеб"}]}
    assert till.post("/document", bare)["code"] == 0
    lines = till.sale().receipt.lines
    assert [(line.number, line.sku, line.amount_minor) for line in lines] == [(1, "position-1", 2500), (2, "Хлеб", 0)]


def test_numbers_may_be_texts_and_texts_numbers() -> None:
    found = read(
        number="345", shift="12", workPlace=3, cashier={"name": None, "code": 7}, client={"card": 2900000000018}
    )
    assert (found.number, found.shift, found.till, found.cashier) == ("345", "12", "3", "7")
    assert found.who.card == "2900000000018"


def test_positions_may_stand_inside_a_document() -> None:
    raw = json.dumps({"action": "calculate", "document": {"positions": [position(1, 5)]}}).encode()
    assert read_document(read_json(raw), 2).total_minor == 500


def test_what_rounding_took_off_is_read_wherever_it_stands() -> None:
    rows = [
        position(1, 5, discardedAmount=0.3),
        position(2, 5, discardedAmount="0,2"),
        position(3, 5, discardedAmount={}),
    ]
    assert read(positions=rows).discarded_minor == 50
    assert read(discardedAmount="0.50").discarded_minor == 50


def test_positions_of_one_number_keep_apart() -> None:
    found = read(positions=[position(1, 1), position(1, 2), position(0, 3), position(10**9, 4)])
    assert len({each.index for each in found.positions}) == 4


def test_coupons_of_the_document_and_its_positions_are_read_once() -> None:
    rows = [position(1, 5, coupons=["A", 12]), position(2, 5, coupons=None)]
    assert read(positions=rows, coupons=["A", {"code": "B"}, "", None]).codes == ("A", "B", "12")


@pytest.mark.parametrize(
    ("text", "local"),
    [
        ("2024-01-31T12:00:00.000+0500", "2024-01-31T12:00:00"),
        ("2024-01-31T12:00:00.123456+05:00", "2024-01-31T12:00:00"),
        ("2024-01-31 12:00", "2024-01-31T12:00:00"),
        ("31.01.2024 12:00:05", "2024-01-31T12:00:05"),
        ("2024-02-31T12:00:00", ""),
        ("yesterday", ""),
        ("", ""),
    ],
)
def test_the_tills_own_clock_is_what_stands_before_the_zone(text: str, local: str) -> None:
    assert local_time(text) == local


def test_a_body_in_windows_cyrillic_is_read() -> None:
    raw = json.dumps(document("confirm", position(1, 5, text="Хлеб")), ensure_ascii=False).encode("cp1251")
    assert read_document(read_json(raw), 2).positions[0].name == "Хлеб"
    assert read_json(b"\xef\xbb\xbf{}") == {}


@pytest.mark.parametrize("path", ["/document", "/document/", "/ascii/document", "/ascii/document/"])
def test_addresses_may_end_in_a_slash(path: str) -> None:
    till = FrontolTill()
    raw = json.dumps(document("confirm", position(1, 5), payments=[cash(5)])).encode()
    assert json.loads(till.raw(f"/frontol{path}", raw)[1]) == {"code": 0}
    assert till.sale(SALE)


def test_answers_may_be_in_ascii_only() -> None:
    till = FrontolTill()
    raw = json.dumps({"client": {"mobilePhone": ANNA_PHONE}}).encode()
    plain, ascii_only = till.raw("/frontol/client", raw)[1], till.raw("/frontol/ascii/client", raw)[1]
    assert json.loads(plain) == json.loads(ascii_only)
    assert (plain.isascii(), ascii_only.isascii()) == (False, True)


@given(st.dictionaries(st.text(), st.text() | st.integers() | st.none()))
def test_any_answer_survives_the_escape(body: dict[str, Any]) -> None:
    assert json.loads(encoded(body, ascii_only=True)) == body


def test_a_receipt_of_a_thousand_positions_is_sold() -> None:
    till = FrontolTill()
    lines = [position(number, "19.99") for number in range(1, HUGE_LINES + 1)]
    till.good("calculate", *lines, client=ANNA)
    paid = till.good("payByBonus", *lines, client=ANNA, payment={"amount": 500})
    assert sum(row["paidAmount"] for row in paid["document"]["positions"]) == 500
    till.good("confirm", *lines, client=ANNA, payments=[{"type": "bonus", "amount": 500}, cash("19490.00")])
    assert till.sale().result.payable_minor == 1_949_000


def test_calls_for_one_receipt_at_once_take_turns() -> None:
    """Ten equal confirms among as many calculates: one sale, and the same answer for each."""
    till = FrontolTill()
    calls = {
        each: json.dumps(document(each, position(1, 5), client=ANNA)).encode() for each in ("calculate", "confirm")
    }

    async def all_at_once() -> list[tuple[int, bytes]]:
        wanted = ["calculate", "confirm"] * 10
        return await asyncio.gather(*[till.ask("/frontol/document", calls[each]) for each in wanted])

    answers = asyncio.run(all_at_once())
    assert len({body for _, body in answers[1::2]}) == 1
    assert len(till.journal.reader.recent(99)) == 1


def test_a_fault_of_ours_is_told_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sell without the card, says the answer; not a number."""
    till = FrontolTill()

    async def broken(*_: Any) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr(till.desk, "quote", broken)
    answer = till.document("calculate", position(1, 5))
    assert answer["code"] == 102
    assert "Продайте без карты" in answer["error"]


class TestAccess:
    """The key is compared with the raw body before anything of it is read."""

    def test_a_wrong_key_is_the_only_error_of_http(self) -> None:
        till = FrontolTill()
        raw = json.dumps(document("confirm", position(1, 5))).encode()
        status, answer = till.raw("/frontol/document", raw, key="x" * 43)
        assert (status, json.loads(answer)["code"]) == (401, 110)
        assert till.journal.reader.recent(9) == []
        assert till.refusals == ["token_unknown"]

    def test_the_digest_is_of_the_bytes_as_they_came(self) -> None:
        """Spaces and order count: what is hashed is not what was parsed."""
        till = FrontolTill()
        odd = b'{ "client" : {"mobilePhone":"\\u002b79161231234"},  "action":"x" }\n'
        assert till.raw("/frontol/client", odd)[0] == 200

    def test_many_wrong_keys_are_told_apart_no_more_and_the_right_one_passes(self) -> None:
        till = FrontolTill()
        statuses = [till.raw("/frontol/client", b"{}", key="x")[0] for _ in range(12)]
        assert statuses == [401] * 10 + [429] * 2
        assert till.raw("/frontol/client", b"{}")[0] == 200

    def test_a_client_without_the_scope_may_not_register(self) -> None:
        till = FrontolTill(scopes="sale")
        assert till.raw("/frontol/extra/client", b'{"action":"describe"}')[0] == 403
        assert till.raw("/frontol/client", b"{}")[0] == 200


@given(st.decimals(min_value=0, max_value=10**11, places=2))
def test_what_is_written_is_read_again(amount: Decimal) -> None:
    minor = units(amount, 2, "x")
    assert decimal_of(minor, 2) == amount
    assert units(str(amount).replace(".", ","), 2, "x") == minor


@given(st.integers(0, 10**9), st.integers(0, 10**6))
def test_a_minimum_is_never_below_its_pieces(price: int, quantity: int) -> None:
    assert 0 <= smallest(price, quantity) * 1000 - price * quantity < 1000
    assert abs(2 * (product(price, quantity) * 1000 - price * quantity)) <= 1000


@given(st.text() | st.floats() | st.integers() | st.none() | st.lists(st.integers(), max_size=1))
def test_anything_is_a_number_or_refused(value: Any) -> None:
    with contextlib.suppress(BadDocument):
        assert isinstance(units(value, 2, "x"), int)
