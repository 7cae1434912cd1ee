"""A scanner's bytes become the same codes however they are cut up."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from till_drivers.scanners.framing import CODE_LIMIT_BYTES, Framer, FrameReader

CASES = {
    "cr": (b"2900000000001\r", [b"2900000000001"]),
    "lf": (b"2900000000001\n", [b"2900000000001"]),
    "cr lf is one end": (b"2900000000001\r\n", [b"2900000000001"]),
    "tab": (b"A1\t", [b"A1"]),
    "etx": (b"\x02A1\x03", [b"A1"]),
    "stx drops what was before": (b"29000\x02A1\x03", [b"A1"]),
    "two codes in one read": (b"A1\rB2\r", [b"A1", b"B2"]),
    "empty frames": (b"\r\r\n\nA1\r\r\n", [b"A1"]),
    "gs is content": (b"]C1010460\x1d21X\r", [b"]C1010460\x1d21X"]),
    "trailing bytes wait": (b"A1\rB", [b"A1"]),
    "nothing": (b"", []),
    "cyrillic in utf-8": ("Карта7\r".encode(), ["Карта7".encode()]),
}


@pytest.mark.parametrize("name", CASES)
def test_whole(name: str) -> None:
    """All bytes at once."""
    data, frames = CASES[name]
    assert Framer().feed(data) == frames


@pytest.mark.parametrize("name", CASES)
def test_byte_by_byte(name: str) -> None:
    """One byte a read, as slow serial lines do."""
    data, frames = CASES[name]
    framer = Framer()
    assert [frame for byte in data for frame in framer.feed(bytes([byte]))] == frames


def test_one_code_in_three_reads() -> None:
    """Pieces are joined, and only the end makes a code."""
    framer = Framer()
    assert [framer.feed(piece) for piece in (b"2900", b"0000", b"00001\r")] == [[], [], [b"2900000000001"]]


def test_prefix_and_suffix_are_taken_off() -> None:
    """What the scanner is set up to add is not part of the code."""
    assert Framer(prefix=b"#", suffix=b";").feed(b"#A1;\rA2\r") == [b"A1", b"A2"]


def test_a_code_without_an_end_is_dropped_at_the_limit_and_the_next_one_is_whole() -> None:
    """Noise does not fill the memory and does not stick to the next code."""
    framer = Framer()
    assert framer.feed(b"x" * (CODE_LIMIT_BYTES + 500) + b"\rA1\r") == [b"A1"]
    assert framer.overlong == 1


def test_reset_forgets_half_a_code() -> None:
    """After an unplug the first half is not joined to the next code."""
    framer = Framer()
    framer.feed(b"29000")
    framer.reset()
    assert framer.feed(b"A1\r") == [b"A1"]


def test_flush_gives_an_unended_code_once() -> None:
    """Silence ends a code only when the driver says so."""
    framer = Framer()
    framer.feed(b"A1")
    assert (framer.flush(), framer.flush()) == (b"A1", b"")


@given(st.binary(max_size=300), st.lists(st.integers(1, 40), max_size=60))
def test_any_bytes_in_any_pieces_give_the_same_codes(data: bytes, cuts: list[int]) -> None:
    """Cutting never changes what is read, and nothing raises."""
    framer, pieces, rest = Framer(), [], data
    for cut in cuts:
        pieces.append(rest[:cut])
        rest = rest[cut:]
    pieces.append(rest)
    whole = Framer()
    assert [frame for piece in pieces for frame in framer.feed(piece)] == whole.feed(data)
    assert framer.pending == whole.pending


def told(reader: FrameReader, data: bytes) -> list[bytes]:
    return [code.raw for code in reader.feed(data)]


def test_the_rest_of_a_code_that_was_under_way_at_the_opening_is_no_code() -> None:
    """Half of a card's digits may be somebody else's EAN-8."""
    reader = FrameReader()
    reader.discard(b"OLD\r29000")
    assert reader.pending
    assert told(reader, b"00000001\rA1\r") == [b"A1"]
    assert not reader.pending


def test_a_half_that_nothing_follows_costs_the_next_code_nothing() -> None:
    """It lay there since an unplug; after a silence what comes is a code."""
    reader = FrameReader()
    reader.discard(b"29000")
    assert reader.silence() == []
    assert told(reader, b"A1\r") == [b"A1"]


def test_whole_codes_from_before_the_opening_are_dropped_and_no_more() -> None:
    """The next one is whole."""
    reader = FrameReader()
    reader.discard(b"OLD\r")
    assert not reader.pending
    assert told(reader, b"A1\r") == [b"A1"]


def test_silence_in_noise_does_not_make_a_code_of_its_end() -> None:
    """A code that is too long ends with an end only."""
    reader = FrameReader()
    assert told(reader, b"x" * (CODE_LIMIT_BYTES + 1)) == []
    assert reader.silence() == []
    assert told(reader, b"7\rA1\r") == [b"A1"]


class _TellsRests(FrameReader):
    """A broken reader that forgets what it threw away."""

    def discard(self, data: bytes) -> None:
        self.reset()


def test_the_rest_test_catches_a_reader_that_tells_rests() -> None:
    """The mutant of the tests above."""
    reader = _TellsRests()
    reader.discard(b"OLD\r29000")
    assert told(reader, b"00000001\rA1\r") == [b"00000001", b"A1"]


class _GluesHalves(Framer):
    """A broken framer that keeps half a code over an unplug."""

    def reset(self) -> None:
        self._skipping = False

    def _finish(self) -> bytes:
        frame = bytes(self._partial)
        self._partial.clear()
        return frame


def test_the_reset_test_catches_a_framer_that_glues() -> None:
    """The mutant of `test_reset_forgets_half_a_code`."""
    framer = _GluesHalves()
    framer.feed(b"29000")
    framer.reset()
    assert framer.feed(b"A1\r") != [b"A1"]
