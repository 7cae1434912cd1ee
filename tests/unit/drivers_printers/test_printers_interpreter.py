"""The simulator's interpreter: every command, whole and byte by byte, trailing bytes, and anything at all."""

import itertools

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from till_drivers.blocks import Barcode, Cut, QrCode, Text
from till_drivers.printers import PROFILE_80MM, render
from till_drivers.simulators.escpos_elements import (
    AutomaticStatusRequest,
    Bars,
    CutPaper,
    Density,
    Element,
    Feed,
    IdRequest,
    LineSpacing,
    Move,
    ProofRequest,
    Pulse,
    Qr,
    Raster,
    RealTimeRequest,
    Reset,
    Style,
    TextRun,
    Unknown,
)
from till_drivers.simulators.escpos_interpreter import DATA_LIMIT, RUN_LIMIT, Interpreter

PLAIN = Style()
QR = b"\x1d(k\x04\x001A2\x00\x1d(k\x03\x001C\x06\x1d(k\x03\x001E1\x1d(k\x08\x001P0hello\x1d(k\x03\x001Q0"

COMMANDS: list[tuple[bytes, list[Element]]] = [
    (b"\x1b@", [Reset()]),
    (b"abc\n", [TextRun(b"abc", 0, PLAIN), Feed(1)]),
    (b"a\tb\r\n", [TextRun(b"a", 0, PLAIN), TextRun(b" b", 0, PLAIN), Feed(1)]),
    (b"\x1bt\x11\x80\n", [TextRun(b"\x80", 17, PLAIN), Feed(1)]),
    (b"\x1bE\x01x\n", [TextRun(b"x", 0, Style(bold=True)), Feed(1)]),
    (b"\x1ba\x01x\n", [TextRun(b"x", 0, Style(align="center")), Feed(1)]),
    (b"\x1ba2x\n", [TextRun(b"x", 0, Style(align="right")), Feed(1)]),
    (b"\x1b!\xb8x\n", [TextRun(b"x", 0, Style(bold=True, underline=True, width=2, height=2)), Feed(1)]),
    (b"\x1d!\x12x\n", [TextRun(b"x", 0, Style(width=2, height=3)), Feed(1)]),
    (b"\x1b-\x01x\n", [TextRun(b"x", 0, Style(underline=True)), Feed(1)]),
    (b"\x1bd\x06", [Feed(6)]),
    (b"\x1bJ\x18", [Feed(0, 24)]),
    (b"\x1b3\x18\x1b2", [LineSpacing(24), LineSpacing(None)]),
    (b"\x1bp\x00\x19\xfa", [Pulse(2)]),
    (b"\x1dV\x00", [CutPaper(feeds=False)]),
    (b"\x1dVB\x00", [CutPaper(feeds=True)]),
    (b"\x1bi", [CutPaper(feeds=False)]),
    (b"\x10\x04\x01", [RealTimeRequest(1)]),
    (b"\x1dr\x01", [ProofRequest(1)]),
    (b"\x1dv0\x00\x02\x00\x02\x00\xff\x0f\x1b@", [Raster(b"\xff\x0f\x1b@", 2, 2, 1, 1, PLAIN)]),
    (b"\x1dv03\x01\x00\x01\x00\xaa", [Raster(b"\xaa", 1, 1, 2, 2, PLAIN)]),
    (QR, [Qr(b"hello", 6, "M", PLAIN)]),
    (
        b"\x1dh\x40\x1dw\x03\x1dH\x02\x1dkC\x0d4600682000013\n",
        [Bars(67, b"4600682000013", 3, 64, True, PLAIN), Feed(1)],
    ),
    (b"\x1dk\x024600682000013\x00", [Bars(67, b"4600682000013", 3, 162, False, PLAIN)]),
    (b"\x1c.\x1bR\x07\x1ba\x00\x1b{\x00\x1dL\x00\x00\x1bD\x08\x10\x00\x1b\x63\x35\x00", []),
    (b"\x1da\x0e\x1dIC", [AutomaticStatusRequest(14), IdRequest(67)]),
    (b"a\x1b$\x24\x00b\n", [TextRun(b"a", 0, PLAIN), Move(36, False), TextRun(b"b", 0, PLAIN), Feed(1)]),
    (b"\x1b\\\xf4\xff", [Move(-12, True)]),
    (b"\x1d(K\x02\x001\xfa", [Density(-6)]),
    (b"\x1d(L\x0d\x000p0\x01\x021\x09\x00\x01\x00\xff\x80\x00\x1d(L\x02\x0002", [Unknown(b"\x1d(L\x0d\x00")]),
    (
        b"\x1d8L\x0c\x00\x00\x000p0\x01\x021\x09\x00\x01\x00\xff\x80\x1d(L\x02\x0002",
        [Raster(b"\xff\x80", 2, 1, 1, 2, PLAIN)],
    ),
    (b"\x1d8L\xff\xff\xff\xff", [Unknown(b"\x1d8L\xff\xff\xff\xff")]),
    (b"\x1d(A\x02\x00\x00\x02", [Unknown(b"\x1d(A\x02\x00")]),
    (b"\x1b\x01\x07", [Unknown(b"\x1b\x01"), Unknown(b"\x07")]),
    (b"\x1ba\x09x\n", [Unknown(b"\x1ba\x09"), TextRun(b"x", 0, PLAIN), Feed(1)]),
    (b"\x1dv0\x00\xff\xff\xff\xff", [Unknown(b"\x1dv0\x00\xff\xff\xff\xff")]),
]
SLIP = render([Text(text="Итого"), Text(text="Ұпай"), QrCode(data="1"), Barcode(data="12"), Cut()], PROFILE_80MM)


def read(pieces: list[bytes]) -> tuple[list[Element], int]:
    interpreter = Interpreter()
    found = [element for piece in pieces for element in interpreter.feed(piece)]
    return [*found, *interpreter.finish()], interpreter.unknown_count


@pytest.mark.parametrize(("data", "meant"), COMMANDS)
def test_each_command_is_understood_whole(data: bytes, meant: list[Element]) -> None:
    """In one read."""
    assert read([data])[0] == meant


@pytest.mark.parametrize(("data", "meant"), COMMANDS)
def test_each_command_is_understood_byte_by_byte(data: bytes, meant: list[Element]) -> None:
    """As a slow serial line brings it."""
    assert read([bytes((byte,)) for byte in data])[0] == meant


@pytest.mark.parametrize(("data", "meant"), COMMANDS)
def test_bytes_that_trail_a_command_are_their_own(data: bytes, meant: list[Element]) -> None:
    """A command takes exactly what is its own: the one after it is whole."""
    assert read([data + b"\x1dr\x01"])[0] == [*meant, ProofRequest(1)]


@pytest.mark.parametrize("size", range(1, 9))
def test_a_whole_slip_in_pieces_of_any_size_is_the_same_slip(size: int) -> None:
    """Text, raster, QR code, barcode, cut."""
    pieces = [SLIP[start : start + size] for start in range(0, len(SLIP), size)]
    whole, unknown = read([SLIP])
    assert read(pieces) == (whole, 0)
    assert unknown == 0
    assert [type(element).__name__ for element in whole if not isinstance(element, Feed)] == [
        "Reset", "TextRun", "Raster", "Qr", "Bars", "CutPaper",
    ]  # fmt: skip


def test_a_raster_holds_commands_without_obeying_them() -> None:
    """A status request within a picture's bytes is ink."""
    data = b"\x1dv0\x00\x03\x00\x01\x00\x10\x04\x01"
    assert read([data])[0] == [Raster(b"\x10\x04\x01", 3, 1, 1, 1, PLAIN)]


def test_an_unfinished_command_waits_for_ever_and_takes_nothing() -> None:
    """Half a picture is no picture."""
    interpreter = Interpreter()
    assert interpreter.feed(b"abc\x1dv0\x00\x10\x00\x10\x00" + b"\xff" * 100) == []
    assert interpreter.finish() == [TextRun(b"abc", 0, PLAIN)]


def test_a_stream_without_line_ends_comes_out_in_runs() -> None:
    """No more than RUN_LIMIT letters are kept."""
    found, _ = read([b"x" * (2 * RUN_LIMIT + 1)])
    assert [len(run.data) for run in found if isinstance(run, TextRun)] == [RUN_LIMIT, RUN_LIMIT, 1]


COMMANDLIKE = st.lists(
    st.one_of(
        st.binary(max_size=12),
        st.sampled_from(
            [
                b"\x1b",
                b"\x1d",
                b"\x1c",
                b"\x10",
                b"\x1dv0\x00",
                b"\x1d(k",
                b"\x1dk",
                b"\x1b*",
                b"\x1bD",
                b"\x1d8L",
                b"\x1d(L",
            ]
        ),
        st.sampled_from([command for command, _ in COMMANDS]),
    ),
    max_size=12,
).map(b"".join)


@settings(max_examples=300, deadline=None)
@example(data=b"\x1dv0\x00" + DATA_LIMIT.to_bytes(4, "little"), cuts=[])
@given(data=COMMANDLIKE, cuts=st.lists(st.integers(0, 200), max_size=5))
def test_anything_at_all_is_read_without_an_error_and_alike_however_it_is_cut(data: bytes, cuts: list[int]) -> None:
    """What is not known is counted."""
    places = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    pieces = [data[start:end] for start, end in itertools.pairwise(places)]
    whole = read([data])
    assert read(pieces) == whole
    assert read([bytes((byte,)) for byte in data]) == whole
    assert whole[1] == sum(isinstance(element, Unknown) for element in whole[0])
