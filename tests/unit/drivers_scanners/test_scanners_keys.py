"""What a scanner types, from constructed input events: whole, byte by byte, with trailing bytes, in any pieces."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from till_drivers.scanners.framing import CODE_LIMIT_BYTES
from till_drivers.scanners.keyboard_keys import EVENT, KeyReader
from unit.drivers_scanners.keys_kit import (
    ALT,
    CAPS,
    CTRL,
    DROPPED,
    ENTER,
    KEYPAD,
    KEYPAD_ENTER,
    KEYS,
    SHIFT,
    TAB,
    alt,
    down,
    event,
    tap,
    typed,
    up,
)

CASES = {
    "digits": (typed("2900000000001\r"), ["2900000000001"]),
    "both cases": (typed("AbC\r"), ["AbC"]),
    "every sign of the us layout": (
        typed(" !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~\r"),
        [" !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"],
    ),
    "two codes in one read": (typed("A1\rB2\r"), ["A1", "B2"]),
    "tab ends a code": (typed("A1") + tap(TAB), ["A1"]),
    "the keypad": (b"".join(tap(KEYPAD[digit]) for digit in "1234567890") + tap(KEYPAD_ENTER), ["1234567890"]),
    "keypad digits with shift": (down(SHIFT) + tap(KEYPAD["7"]) + up(SHIFT) + tap(ENTER), ["7"]),
    "gs by ctrl": (typed("]C10104600000000015\x1d21X\r"), ["]C10104600000000015\x1d21X"]),
    "gs by alt": (typed("10AB") + alt("029") + typed("21X\r"), ["10AB\x1d21X"]),
    "cr by ctrl": (typed("A1") + tap(KEYS["m"], CTRL), ["A1"]),
    "stx by ctrl begins anew": (typed("9") + tap(KEYS["b"], CTRL) + typed("A1\r"), ["A1"]),
    "caps lock": (tap(CAPS) + typed("ab1") + tap(CAPS) + typed("c\r"), ["AB1c"]),
    "shift against caps lock": (tap(CAPS) + typed("Ab") + tap(ENTER), ["aB"]),
    "caps lock leaves signs": (tap(CAPS) + typed("1-!\r"), ["1-!"]),
    "shift held over two": (down(SHIFT) + tap(KEYS["a"]) + tap(KEYS["b"]) + up(SHIFT) + typed("c\r"), ["ABc"]),
    "the right shift": (tap(KEYS["a"], 54) + typed("\r"), ["A"]),
    "letters beyond ascii by alt": (typed("Карта-7\r"), ["Карта-7"]),
    "a number beyond a byte by alt": (alt("1050") + typed("7\r"), ["К7"]),
    "alt alone": (down(ALT) + up(ALT) + typed("A1\r"), ["A1"]),
    "no character has this number": (alt("9999999") + typed("1\r"), ["\ufffd1"]),
    "a held key is one key": (down(KEYS["1"]) + event(1, KEYS["1"], 2) * 3 + up(KEYS["1"]) + typed("\r"), ["1"]),
    "keys that type nothing": (tap(103) + tap(59) + typed("A1\r") + tap(113), ["A1"]),
    "other events": (event(2, 0, 5) + event(0x11, 0, 1) + typed("A1\r") + event(3, 0, 1), ["A1"]),
    "an enter of its own": (typed("\r\rA1\r"), ["A1"]),
    "no enter yet": (typed("A1\rB2"), ["A1"]),
    "trailing bytes wait": (typed("A1\r") + down(KEYS["b"])[:-5], ["A1"]),
    "lost keys": (typed("29000") + DROPPED + typed("001\rA1\r"), ["A1"]),
    "lost keys in a new code": (typed("A1\r") + DROPPED + typed("77\rB2\r"), ["A1", "B2"]),
    "a shift lost with its release": (down(SHIFT) + DROPPED + typed("\ra1\r"), ["a1"]),
    "noise": (typed("x" * (CODE_LIMIT_BYTES + 1) + "\rA1\r"), ["A1"]),
    "nothing": (b"", []),
}


def texts(reader: KeyReader, *pieces: bytes) -> list[str]:
    return [code.raw.decode("utf-8", errors="replace") for piece in pieces for code in reader.feed(piece)]


@pytest.mark.parametrize("name", CASES)
def test_keys_whole(name: str) -> None:
    """All events at once."""
    data, expected = CASES[name]
    assert texts(KeyReader(), data) == expected


@pytest.mark.parametrize("name", [name for name in CASES if name != "noise"])
def test_keys_byte_by_byte(name: str) -> None:
    """One byte a read: no event comes so, and none is lost if one does."""
    data, expected = CASES[name]
    assert texts(KeyReader(), *(data[place : place + 1] for place in range(len(data)))) == expected


def test_bytes_by_alt_are_of_the_scanners_encoding() -> None:
    """A scanner set to a Cyrillic code page types its numbers."""
    reader = KeyReader(encoding="cp1251")
    (code,) = reader.feed(alt("0202") + alt("202") + typed("1\r"))
    assert code.raw.decode("cp1251") == "КК1"


def test_prefix_and_suffix_are_taken_off_typed_codes() -> None:
    """As they are from a serial scanner's."""
    assert texts(KeyReader(prefix=b"#", suffix=b";"), typed("#A1;\rA2\r")) == ["A1", "A2"]


def test_unplug_in_mid_code_forgets_keys_and_half_a_code() -> None:
    """Shift, caps lock, Alt and half an event of the device that is gone mean nothing for the next."""
    reader = KeyReader()
    assert texts(reader, tap(CAPS) + typed("290") + down(ALT) + tap(KEYPAD["7"]) + down(SHIFT)[:7]) == []
    reader.reset()
    assert not reader.pending
    assert texts(reader, typed("a1\r")) == ["a1"]


def test_silence_ends_typed_codes_only_when_configured() -> None:
    """A person at a scanner's keypad may think between two digits; a scanner without Enter never does."""
    patient, quick = KeyReader(), KeyReader(ends_in_silence=True)
    for reader in (patient, quick):
        reader.feed(typed("A1"))
        assert reader.pending
    assert [code.raw for code in quick.silence()] == [b"A1"]
    assert patient.silence() == []
    assert texts(patient, typed("B2\r")) == ["A1B2"]


def test_silence_ends_a_code_of_which_keys_were_lost() -> None:
    """If its Enter was among them, the next code must not pay for it."""
    reader = KeyReader()
    reader.feed(typed("290") + DROPPED + typed("1"))
    assert reader.pending
    assert reader.silence() == []
    assert texts(reader, typed("A1\r")) == ["A1"]


def test_the_rest_of_what_was_being_typed_at_the_opening_is_no_code() -> None:
    """Codes before it are stale, the one under way has no beginning, the next is whole."""
    reader = KeyReader()
    reader.discard(typed("OLD\r290"))
    assert texts(reader, typed("01\rA1\r")) == ["A1"]
    reader.discard(typed("290"))
    assert reader.silence() == []
    assert texts(reader, typed("B2\r")) == ["B2"]


class _TellsWhatIsLeft(KeyReader):
    """A broken reader that takes lost keys for nothing."""

    def feed(self, data: bytes) -> list:  # type: ignore[type-arg]  # the mutant's type is the reader's
        return super().feed(data.replace(DROPPED, b""))


def test_the_lost_keys_test_catches_a_reader_that_tells_what_is_left() -> None:
    """The mutant of `lost keys`: a code with a hole would be another member's card."""
    data, expected = CASES["lost keys"]
    assert texts(_TellsWhatIsLeft(), data) == ["29000001", "A1"] != expected


_TYPEABLE = st.text(
    st.characters(codec="utf-8", categories=["L", "N", "P", "S"], exclude_characters="\ufffd"), min_size=1, max_size=12
)


@given(st.lists(_TYPEABLE, max_size=4))
def test_what_is_typed_is_read(codes: list[str]) -> None:
    """Codes of any letters come back, each once and whole."""
    assert texts(KeyReader(), b"".join(typed(code + "\r") for code in codes)) == codes


_EVENTS = st.builds(
    lambda kind, code, value: EVENT.pack(0, 0, kind, code, value),
    st.sampled_from([0, 1, 1, 1, 1, 2, 4]),
    st.one_of(st.integers(0, 130), st.sampled_from([3, ALT, SHIFT, CTRL, ENTER, *KEYPAD.values()])),
    st.integers(-1, 3),
)


@given(st.lists(_EVENTS, max_size=60).map(b"".join), st.binary(max_size=30), st.lists(st.integers(1, 40), max_size=40))
def test_any_events_in_any_pieces_give_the_same_codes(events: bytes, noise: bytes, cuts: list[int]) -> None:
    """Cutting never changes what is read, and nothing raises."""
    data, pieces, rest = events + noise, [], events + noise
    for cut in cuts:
        pieces.append(rest[:cut])
        rest = rest[cut:]
    whole, cut_up = KeyReader(), KeyReader()
    assert texts(cut_up, *pieces, rest) == texts(whole, data)
    assert cut_up.pending == whole.pending


@given(st.lists(_EVENTS, max_size=20).map(b"".join))
def test_after_anything_an_enter_and_a_stop_the_next_code_is_whole(events: bytes) -> None:
    """Whatever was typed before the scanner was plugged in anew."""
    reader = KeyReader()
    reader.feed(events)
    reader.reset()
    assert texts(reader, typed("A1\r")) == ["A1"]
