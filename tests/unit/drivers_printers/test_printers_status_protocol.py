"""Status answers: whole, byte by byte, none, two, trailing, unasked, and anything at all."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from till_drivers.printers.escpos_status import (
    OWED_LIMIT,
    AutomaticStatus,
    ErrorCause,
    OfflineCause,
    PaperStatus,
    PrinterStatus,
    Proof,
    Request,
    StatusProtocol,
    Unexpected,
)

ASKABLE = st.lists(st.sampled_from(list(Request)), max_size=6)


@pytest.mark.parametrize(
    ("request_", "answer", "event"),
    [
        (Request.PRINTER, 0x12, PrinterStatus(offline=False)),
        (Request.PRINTER, 0x16, PrinterStatus(offline=False)),
        (Request.PRINTER, 0x1A, PrinterStatus(offline=True)),
        (Request.OFFLINE_CAUSE, 0x12, OfflineCause(cover_open=False, feeding=False, paper_stop=False, error=False)),
        (Request.OFFLINE_CAUSE, 0x16, OfflineCause(cover_open=True, feeding=False, paper_stop=False, error=False)),
        (Request.OFFLINE_CAUSE, 0x32, OfflineCause(cover_open=False, feeding=False, paper_stop=True, error=False)),
        (Request.OFFLINE_CAUSE, 0x52, OfflineCause(cover_open=False, feeding=False, paper_stop=False, error=True)),
        (Request.ERROR_CAUSE, 0x12, ErrorCause()),
        (Request.ERROR_CAUSE, 0x16, ErrorCause(recoverable=True)),
        (Request.ERROR_CAUSE, 0x1A, ErrorCause(cutter=True)),
        (Request.ERROR_CAUSE, 0x32, ErrorCause(unrecoverable=True)),
        (Request.ERROR_CAUSE, 0x52, ErrorCause(passing=True)),
        (Request.PAPER, 0x12, PaperStatus(near_end=False, end=False)),
        (Request.PAPER, 0x1E, PaperStatus(near_end=True, end=False)),
        (Request.PAPER, 0x72, PaperStatus(near_end=False, end=True)),
        (Request.PAPER, 0x7E, PaperStatus(near_end=True, end=True)),
        (Request.PROOF, 0x00, Proof(near_end=False, end=False)),
        (Request.PROOF, 0x03, Proof(near_end=True, end=False)),
        (Request.PROOF, 0x0F, Proof(near_end=True, end=True)),
    ],
)
def test_each_answer_means_what_the_manual_says(request_: Request, answer: int, event: object) -> None:
    """One request, one byte, one event."""
    protocol = StatusProtocol()
    assert protocol.ask(request_) == request_.value
    assert protocol.receive(bytes((answer,))) == [event]


def test_an_answer_of_no_bytes_is_no_event() -> None:
    """Silence is not good news: nothing comes out."""
    protocol = StatusProtocol()
    protocol.ask(Request.PRINTER)
    assert protocol.receive(b"") == []


def test_the_second_byte_of_a_double_answer_answers_nothing() -> None:
    """Some printers send two bytes; the second is not taken for the next request's answer."""
    protocol = StatusProtocol()
    protocol.ask(Request.PRINTER)
    assert protocol.receive(b"\x12\x12") == [PrinterStatus(offline=False), Unexpected(0x12)]


def test_a_status_byte_is_never_taken_for_a_proof_nor_a_proof_for_a_status() -> None:
    """Their fixed bits differ, so a late answer to `DLE EOT` proves nothing."""
    protocol = StatusProtocol()
    protocol.ask(Request.PROOF)
    assert protocol.receive(b"\x12\x1e") == [Unexpected(0x12), Unexpected(0x1E)]
    assert protocol.owed == 1
    protocol.ask(Request.PAPER)
    assert protocol.receive(b"\x00\x12") == [Proof(near_end=False, end=False), PaperStatus(near_end=False, end=False)]


@pytest.mark.parametrize("byte", [0x11, 0x13, 0xFF, 0x80])
def test_flow_control_and_noise_answer_nothing(byte: int) -> None:
    """XON, XOFF and bytes with impossible bits are told as unexpected."""
    protocol = StatusProtocol()
    protocol.ask(Request.PRINTER)
    protocol.ask(Request.PROOF)
    assert protocol.receive(bytes((byte,))) == [Unexpected(byte)]


def test_a_proof_nobody_asked_for_is_unexpected() -> None:
    """A zero byte on a line that was just plugged in proves no slip."""
    assert StatusProtocol().receive(b"\x00") == [Unexpected(0)]


def test_proofs_are_owed_until_given_or_forgiven() -> None:
    """Each request is one more; forgetting real-time requests leaves them owed."""
    protocol = StatusProtocol()
    protocol.ask(Request.PROOF)
    protocol.ask(Request.PROOF)
    protocol.forget()
    assert protocol.owed == 2
    protocol.receive(b"\x00")
    assert protocol.owed == 1
    protocol.forgive()
    assert protocol.owed == 0


def test_what_is_owed_is_bounded() -> None:
    """A printer that never answers costs no memory."""
    protocol = StatusProtocol()
    for _ in range(OWED_LIMIT * 2):
        protocol.ask(Request.PROOF)
    assert protocol.owed == OWED_LIMIT


def test_an_automatic_status_is_not_taken_for_proofs() -> None:
    """Another program switched it on; its later bytes look like answers to `GS r`."""
    protocol = StatusProtocol()
    protocol.ask(Request.PROOF)
    assert protocol.receive(b"\x38\x00\x0c\x0f") == [
        AutomaticStatus(cover_open=True, offline=True, near_end=False, end=True)
    ]
    assert protocol.owed == 1


def test_an_automatic_status_that_breaks_off_proves_nothing() -> None:
    """A byte that can't be its next ends it; what came of it is noise, though it looks like proofs."""
    protocol = StatusProtocol()
    protocol.ask(Request.PROOF)
    assert protocol.receive(b"\x10\x00\x00\x80") == [Unexpected(byte) for byte in (0x10, 0, 0, 0x80)]
    assert protocol.owed == 1
    assert protocol.receive(b"\x00") == [Proof(near_end=False, end=False)]


@pytest.mark.parametrize(
    ("inserted", "event"),
    [(0x13, Unexpected(0x13)), (0x11, Unexpected(0x11)), (0x12, PrinterStatus(offline=False))],
)
@pytest.mark.parametrize("place", [1, 2, 3])
def test_a_byte_within_an_automatic_status_leaves_it_whole_and_makes_no_proof(
    inserted: int, event: object, place: int
) -> None:
    """Flow control comes at any time, and so does the answer to a question; the block's rest proves nothing."""
    protocol = StatusProtocol()
    protocol.ask(Request.PROOF)
    protocol.ask(Request.PRINTER)
    block = b"\x18\x00\x00\x0f"
    whole = AutomaticStatus(cover_open=False, offline=True, near_end=False, end=False)
    assert protocol.receive(block[:place] + bytes((inserted,)) + block[place:]) == [event, whole]
    assert protocol.owed == 1


def test_an_automatic_status_names_the_error() -> None:
    """Its second byte is laid out as the answer to ERROR_CAUSE."""
    (told,) = StatusProtocol().receive(b"\x18\x08\x00\x00")
    assert isinstance(told, AutomaticStatus)
    assert told.error == ErrorCause(cutter=True)


@given(asked=ASKABLE, data=st.binary(max_size=40))
def test_proofs_never_come_out_of_an_automatic_status(asked: list[Request], data: bytes) -> None:
    """Behind its first byte, three bytes of its form are its own, whatever stands between them."""
    protocol = StatusProtocol()
    protocol.ask(Request.PROOF)
    for request in asked:
        protocol.ask(request)
    between = bytes(byte for byte in data if byte in (0x11, 0x13))
    events = protocol.receive(b"\x10" + between + b"\x00" + between + b"\x03" + between + b"\x0c")
    assert not [event for event in events if isinstance(event, Proof)]
    assert protocol.owed == asked.count(Request.PROOF) + 1


@given(asked=ASKABLE, data=st.binary(max_size=40))
def test_any_bytes_give_events_and_never_an_error(asked: list[Request], data: bytes) -> None:
    """Nothing a printer sends can make the protocol fail, or count more proofs than were asked for."""
    protocol = StatusProtocol()
    for request in asked:
        protocol.ask(request)
    events = protocol.receive(data)
    assert sum(isinstance(event, Proof) for event in events) <= asked.count(Request.PROOF)
    assert len(events) <= len(data)


@given(asked=ASKABLE, data=st.binary(max_size=40), cuts=st.lists(st.integers(0, 40), max_size=6))
def test_the_events_are_the_same_however_the_bytes_are_cut(asked: list[Request], data: bytes, cuts: list[int]) -> None:
    """Whole, in pieces, and byte by byte."""
    places = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    pieces = [data[start:end] for start, end in itertools.pairwise(places)]
    told = []
    for cutting in ([data], pieces, [bytes((byte,)) for byte in data]):
        protocol = StatusProtocol()
        for request in asked:
            protocol.ask(request)
        told.append([event for piece in cutting for event in protocol.receive(piece)])
    assert told[0] == told[1] == told[2]
