"""What a simulated printer's status bytes say in each state, and what a simulated scanner puts on its line. No I/O."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from till_drivers.exceptions import SimulatorError
from till_drivers.printers.escpos_status import (
    AutomaticStatus,
    OfflineCause,
    PaperStatus,
    PrinterStatus,
    Proof,
    Request,
    StatusProtocol,
)
from till_drivers.simulators.printer_manner import Behaviour, Manner, RealTimeScanner, identity, told
from till_drivers.simulators.scanner import element_string, in_pieces, noise

STATES = [
    # name, DLE EOT 1, 2, 3, 4, GS r 1, the four bytes of GS a
    ("normal", 0x12, 0x12, 0x12, 0x12, 0x00, "10 00 00 0f"),
    ("slow", 0x12, 0x12, 0x12, 0x12, 0x00, "10 00 00 0f"),
    ("near-end", 0x12, 0x12, 0x12, 0x1E, 0x03, "10 00 03 0f"),
    ("paper-out", 0x1A, 0x32, 0x12, 0x7E, 0x00, "18 00 0f 0f"),
    ("cover-open", 0x1A, 0x16, 0x12, 0x12, 0x00, "38 00 00 0f"),
    ("cutter-error", 0x1A, 0x52, 0x1A, 0x12, 0x00, "18 08 00 0f"),
    ("paper-out+cover-open", 0x1A, 0x36, 0x12, 0x7E, 0x00, "38 00 0f 0f"),
    ("slow+near-end", 0x12, 0x12, 0x12, 0x1E, 0x03, "10 00 03 0f"),
    ("near-end+cutter-error", 0x1A, 0x52, 0x1A, 0x1E, 0x03, "18 08 03 0f"),
]


@pytest.mark.parametrize(("name", "printer", "offline", "error", "paper", "proof", "automatic"), STATES)
def test_every_state_has_the_bits_that_the_manuals_give_it(
    name: str, printer: int, offline: int, error: int, paper: int, proof: int, automatic: str
) -> None:
    """`DLE EOT 1` to `4`, `GS r 1` and `GS a`."""
    manner = Manner.of(name)
    assert [manner.real_time(number) for number in range(6)] == [
        b"", bytes((printer,)), bytes((offline,)), bytes((error,)), bytes((paper,)), b""
    ]  # fmt: skip
    assert (manner.proof(1)[0], manner.proof(49)[0], manner.proof(2)[0]) == (proof, proof, 0)
    assert manner.automatic() == bytes.fromhex(automatic)


@pytest.mark.parametrize("name", [state[0] for state in STATES])
def test_the_printers_driver_reads_out_of_these_bits_what_was_put_in(name: str) -> None:
    """Its own parser, which was written from the same manuals."""
    manner, protocol = Manner.of(name), StatusProtocol()
    paper_out, cover_open = Behaviour.PAPER_OUT in manner, Behaviour.COVER_OPEN in manner
    near_end = Behaviour.NEAR_END in manner or paper_out
    for request in (Request.PRINTER, Request.OFFLINE_CAUSE, Request.PAPER, Request.PROOF):
        protocol.ask(request)
    bits = manner.real_time(1) + manner.real_time(2) + manner.real_time(4) + manner.automatic() + manner.proof(1)
    printer, cause, paper, automatic, proof = protocol.receive(bits)
    assert printer == PrinterStatus(offline=manner.stands)
    assert cause == OfflineCause(
        cover_open=cover_open, feeding=False, paper_stop=paper_out, error=Behaviour.CUTTER_ERROR in manner
    )
    assert paper == PaperStatus(near_end=near_end, end=paper_out)
    assert isinstance(automatic, AutomaticStatus)
    told_of = (automatic.cover_open, automatic.offline, automatic.near_end, automatic.end)
    assert told_of == (cover_open, manner.stands, near_end, paper_out)
    assert proof == Proof(near_end=Behaviour.NEAR_END in manner, end=False)


def test_a_manner_is_named_in_one_way_whatever_the_order() -> None:
    """And its name leads back to it."""
    assert Manner.of(" near-end + slow").name == "slow+near-end"
    assert Manner.of("normal") == Manner()
    assert Manner().name == "normal"


@pytest.mark.parametrize("name", ["", "asleep", "normal+slow", "deaf+dies", "slow++late"])
def test_what_can_not_be_is_refused(name: str) -> None:
    """With what could be."""
    with pytest.raises(SimulatorError, match="expected"):
        Manner.of(name)


@pytest.mark.parametrize(
    ("items", "after", "expected"),
    [(0x02, "cover-open", True), (0x08, "near-end", True), (0x04, "cutter-error", True), (0x08, "cover-open", False),
     (0x00, "paper-out", False), (0x0E, "slow", False)],
)  # fmt: skip
def test_changes_are_told_to_whoever_asked_for_that_item(items: int, after: str, expected: bool) -> None:
    """Online or not is 2, errors 4, paper 8."""
    assert told(items, Manner().automatic(), Manner.of(after).automatic()) is expected


def test_an_identity_is_one_byte_or_a_framed_text() -> None:
    """No byte of which can be taken for a status."""
    assert [len(identity(number)) for number in (1, 2, 3)] == [1, 1, 1]
    assert identity(67) == b"_SIMULATOR\0"
    assert identity(99) == b""
    assert all(identity(number)[0] & 0x90 == 0 for number in (1, 2, 3))


REQUESTS = b"a\x10\x04\x01\x10\x10\x04\x02\x1dv0\x10\x05\x02\x10\x14\x01\x10\x04"


@given(st.lists(st.integers(1, len(REQUESTS) - 1), max_size=6))
def test_real_time_requests_are_found_however_the_bytes_were_cut(cuts: list[int]) -> None:
    """Whole, byte by byte, and with bytes around; an unfinished one waits for its rest."""
    ends = [0, *sorted(set(cuts)), len(REQUESTS)]
    scanner, found = RealTimeScanner(), []
    for start, end in itertools.pairwise(ends):
        found += scanner.find(REQUESTS[start:end])
    assert found == [(4, 1), (4, 2), (5, 2)]
    assert scanner.find(b"\x04") == [(4, 4)]


@pytest.mark.parametrize(
    ("readable", "sent"),
    [
        ("(01)04600000000015", "0104600000000015"),
        ("(01)04600000000015(21)AB(17)261231", "010460000000001521AB\x1d17261231"),
        ("(10)A1(21)77", "10A1\x1d2177"),
        ("(3103)001250(10)A", "310300125010A"),
        ("(01)04600000000015(21)5!(x(93)dGVz", None),
        ("01046", None),
        ("(01)", None),
        ("(x1)22", None),
    ],
)
def test_gs1_codes_are_sent_without_brackets_and_with_separators(readable: str, sent: str | None) -> None:
    """Only behind a value whose length is open, and not behind the last."""
    if sent is None:
        with pytest.raises(SimulatorError, match="expected"):
            element_string(readable)
    else:
        assert element_string(readable) == sent


@given(st.binary(min_size=1, max_size=40), st.integers(1, 60))
def test_pieces_are_the_whole_and_none_is_empty(data: bytes, count: int) -> None:
    """At most as many as there are bytes."""
    found = in_pieces(data, count)
    assert b"".join(found) == data
    assert len(found) == min(count, len(data))
    assert all(found)


def test_noise_is_the_same_for_the_same_seed() -> None:
    """So that a test that failed fails again."""
    assert noise(50, 3) == noise(50, 3) != noise(50, 4)
