"""What a scanner types, from Linux input events (`struct input_event`). No I/O: bytes in, typed bytes out.

The keys are read by the US layout, which scanners type in unless set otherwise; the layout of the till, Cyrillic or
Kazakh, has no part in it. Ctrl with a key is a control character (Ctrl+] is GS), Alt with digits on the keypad is a
character by its number, as some scanners send what the US layout lacks.
"""

import struct
import sys

from till_drivers.scanners.codes import Code
from till_drivers.scanners.framing import Framer

EVENT = struct.Struct("@llHHi")
"""Seconds, microseconds, type, code, value; as long as this machine's `long` makes it."""

_EV_SYN, _EV_KEY = 0x00, 0x01
_SYN_DROPPED = 3
_RELEASED, _PRESSED = 0, 1
"""A third value, 2, is a key that is held: the system makes it up, no scanner types it."""

_SHIFTS, _CTRLS, _ALTS = frozenset({42, 54}), frozenset({29, 97}), frozenset({56, 100})
_CAPS_LOCK = 58
_KEYPAD_DIGITS = {82: "0", 79: "1", 80: "2", 81: "3", 75: "4", 76: "5", 77: "6", 71: "7", 72: "8", 73: "9"}
_ROWS = (
    (2, "1234567890-=", "!@#$%^&*()_+"),
    (16, "qwertyuiop[]", "QWERTYUIOP{}"),
    (30, "asdfghjkl;'`", 'ASDFGHJKL:"~'),
    (43, "\\zxcvbnm,./", "|ZXCVBNM<>?"),
)
"""First key code of a row of keys, what they type, and what with Shift."""
_PLAIN = {first + place: sign for first, plain, _ in _ROWS for place, sign in enumerate(plain)}
_SHIFTED = {first + place: sign for first, _, shifted in _ROWS for place, sign in enumerate(shifted)}
_ALWAYS = _KEYPAD_DIGITS | {
    57: " ",
    15: "\t",
    28: "\r",
    96: "\r",
    55: "*",
    74: "-",
    78: "+",
    83: ".",
    98: "/",
    117: "=",
    121: ",",
}
"""Keys that type the same with Shift: space, Tab, both Enters and the keypad, whose NumLock a scanner takes as on."""
_102ND = 86
"""The key beside the left Shift of European keyboards; US layouts give it the backslash."""
_PLAIN[_102ND], _SHIFTED[_102ND] = "\\", "|"

ALT_DIGITS_LIMIT = 7
"""U+10FFFF has seven decimal digits; more are no number of a character."""
_BYTES = 0x100
_CONTROLS = range(0x40, 0x60)
"""`@` to `_`: with Ctrl, the control characters 0 to 31 in their order."""

KEYS_OF_A_SCANNER = frozenset(range(2, 12)) | {28}
"""Digits and Enter: a device without them types no codes (buttons, volume keys, mice)."""


class KeyReader:
    """Implements `till_drivers.scanners.reading_loop.Reader`: codes from events in whatever pieces they come.

    Characters beyond ASCII are typed in `encoding`. `ends_in_silence`: the scanner types no Enter behind a code.
    """

    def __init__(
        self, *, prefix: bytes = b"", suffix: bytes = b"", encoding: str = "utf-8", ends_in_silence: bool = False
    ) -> None:
        self._framer = Framer(prefix=prefix, suffix=suffix)
        self._encoding = encoding
        self._ends_in_silence = ends_in_silence
        self._rest = b""
        self._held: set[int] = set()
        self._is_caps = False
        self._alt_digits: list[str] = []

    @property
    def pending(self) -> bool:
        """See `Reader`."""
        return self._framer.pending > 0 or self._framer.is_skipping

    def feed(self, data: bytes) -> list[Code]:
        """See `Reader`."""
        self._rest += data
        whole = len(self._rest) - len(self._rest) % EVENT.size
        events, self._rest = self._rest[:whole], self._rest[whole:]
        frames: list[bytes] = []
        for _, _, kind, code, value in EVENT.iter_unpack(events):
            if kind == _EV_SYN and code == _SYN_DROPPED:
                # The system's buffer ran over and keys are missing: what is not whole must not be told.
                self._all_up()
                self._framer.skip()
            elif kind == _EV_KEY:
                frames += self._framer.feed(self._typed(code, value))
        return [Code(raw=frame) for frame in frames]

    def discard(self, data: bytes) -> None:
        """See `Reader`."""
        self.feed(data)
        if self.pending:
            self._framer.skip()

    def silence(self) -> list[Code]:
        """See `Reader`. A code of which keys were missing is over as well."""
        if self._framer.is_skipping:
            self._framer.reset()
        frame = self._framer.flush() if self._ends_in_silence else b""
        return [Code(raw=frame)] if frame else []

    def reset(self) -> None:
        """See `Reader`."""
        self._framer.reset()
        self._rest = b""
        self._is_caps = False
        self._all_up()

    def _all_up(self) -> None:
        self._held.clear()
        self._alt_digits.clear()

    def _typed(self, code: int, value: int) -> bytes:
        """What a key types as it goes down, or Alt as it comes up."""
        if code in _SHIFTS or code in _CTRLS or code in _ALTS:
            if value == _PRESSED:
                self._held.add(code)
            elif value == _RELEASED:
                self._held.discard(code)
            return self._alt_character() if code in _ALTS and value == _RELEASED else b""
        if value != _PRESSED:
            return b""
        if code == _CAPS_LOCK:
            self._is_caps = not self._is_caps
            return b""
        if self._held & _ALTS and code in _KEYPAD_DIGITS:
            if len(self._alt_digits) < ALT_DIGITS_LIMIT:
                self._alt_digits.append(_KEYPAD_DIGITS[code])
            return b""
        return self._character(code)

    def _character(self, code: int) -> bytes:
        if code in _ALWAYS:
            return _ALWAYS[code].encode()
        plain, shifted = _PLAIN.get(code, ""), _SHIFTED.get(code, "")
        if self._held & _CTRLS:
            named = [sign for sign in (plain.upper(), shifted) if sign and ord(sign) in _CONTROLS]
            return bytes([ord(named[0]) - _CONTROLS.start]) if named else b""
        is_shifted = bool(self._held & _SHIFTS) != (self._is_caps and plain.isalpha())
        return (shifted if is_shifted else plain).encode()

    def _alt_character(self) -> bytes:
        """The character whose number was typed; below 256 it is a byte of the scanner's encoding."""
        number = int("".join(self._alt_digits) or "-1")
        self._alt_digits.clear()
        if number < 0:
            return b""
        if number < _BYTES:
            return bytes([number])
        character = chr(number) if number <= sys.maxunicode else "\ufffd"
        return character.encode(self._encoding, errors="replace")
