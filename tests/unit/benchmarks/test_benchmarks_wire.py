"""The lean client sends what cash software sends, and reads one answer, no more and no less."""

import json
import socket
import threading

import msgspec
import pytest

from till_agent.api import Identify, QuoteRequest, SaleRequest
from till_loyalty.identifiers import classify
from till_loyalty.programme_document import example_text, parse_programme
from tillbench import people, wire

ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nContent-Length: 5\r\n\r\nhello"


def _served(pieces: list[bytes]) -> bytes:
    """What `read_answer` makes of an answer that comes in these pieces."""
    ours, theirs = socket.socketpair()

    def serve() -> None:
        for piece in pieces:
            theirs.sendall(piece)
        theirs.close()

    with ours:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            return wire.read_answer(ours)
        finally:
            thread.join()


@pytest.mark.parametrize("cut", range(1, len(ANSWER)))
def test_an_answer_may_come_in_any_two_pieces(cut: int) -> None:
    """Head and body are cut by the network as it likes."""
    assert _served([ANSWER[:cut], ANSWER[cut:]]) == b"hello"


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 429 Too Many Requests\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nshort",
        b"HTTP/1.1 2",
    ],
)
def test_anything_but_a_whole_good_answer_is_no_sample(answer: bytes) -> None:
    """Refusals are quick: counted in, they would make a figure look good."""
    with pytest.raises(wire.BadAnswerError):
        _served([answer])


def test_a_request_says_who_calls_and_how_long_it_is() -> None:
    """The headers that the bridge wants, and the length of the very body."""
    head, _, body = wire.request("PUT", "/x", 99, b'{"a":1}', token="t", close=True).partition(b"\r\n\r\n")
    assert body == b'{"a":1}'
    lines = head.split(b"\r\n")
    assert lines[0] == b"PUT /x HTTP/1.1"
    assert {b"Host: 127.0.0.1:99", b"Authorization: Bearer t", b"Connection: close", b"Content-Length: 7"} <= set(lines)


def test_bodies_are_what_the_bridge_takes() -> None:
    """Ten lines, a member by reference or card, payments that add up."""
    rules = parse_programme(example_text("supermarket")).identifiers
    for number in (0, 1, 999_999):
        scan = msgspec.json.decode(people.identify_body(number), type=Identify).scan
        assert scan is not None
        assert classify(scan, rules).kind == "card"
        quote = msgspec.json.decode(people.quote_body(number, number), type=QuoteRequest)
        sale = msgspec.json.decode(people.sale_body(number, number), type=SaleRequest)
        assert len(quote.receipt.lines) == len(sale.receipt.lines) == 10
        assert sum(each.amount_minor for each in sale.payments) == sale.receipt.total_minor
        assert json.loads(people.quote_body(number, number))["member"]["reference"] == people.member_id(number)


def test_every_member_has_cards_and_phones_of_their_own() -> None:
    """Two members of one card would be looked up as one."""
    rows = [people.row(b"key", number) for number in range(0, 1_000_000, 997)]
    tags = [tag for row in rows for tag in row.tags]
    assert len(set(tags)) == len(tags) == 2 * len(rows)
