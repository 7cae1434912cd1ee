"""Input events as Linux tells them of a keyboard, made from text as a scanner types it."""

from till_drivers.scanners.keyboard_keys import EVENT

SHIFT, CTRL, ALT, CAPS, ENTER, KEYPAD_ENTER, TAB = 42, 29, 56, 58, 28, 96, 15
KEYPAD = {"7": 71, "8": 72, "9": 73, "4": 75, "5": 76, "6": 77, "1": 79, "2": 80, "3": 81, "0": 82}
# Written out by the standard's table of keys, not by the driver's rows.
KEYS = {
    "1": 2, "2": 3, "3": 4, "4": 5, "5": 6, "6": 7, "7": 8, "8": 9, "9": 10, "0": 11, "-": 12, "=": 13,
    "q": 16, "w": 17, "e": 18, "r": 19, "t": 20, "y": 21, "u": 22, "i": 23, "o": 24, "p": 25, "[": 26, "]": 27,
    "a": 30, "s": 31, "d": 32, "f": 33, "g": 34, "h": 35, "j": 36, "k": 37, "l": 38, ";": 39, "'": 40, "`": 41,
    "\\": 43, "z": 44, "x": 45, "c": 46, "v": 47, "b": 48, "n": 49, "m": 50, ",": 51, ".": 52, "/": 53, " ": 57,
}  # fmt: skip
SHIFTED = dict(zip('!@#$%^&*()_+{}:"~|<>?', "1234567890-=[];'`\\,./", strict=True))


def event(kind: int, code: int, value: int) -> bytes:
    """One `struct input_event`, with a time that says nothing."""
    return EVENT.pack(1_700_000_000, 123_456, kind, code, value)


def down(code: int) -> bytes:
    """A key goes down: its scan code, the key, the end of the packet."""
    return event(4, 4, 0x70000 + code) + event(1, code, 1) + event(0, 0, 0)


def up(code: int) -> bytes:
    """A key comes up."""
    return event(1, code, 0) + event(0, 0, 0)


def tap(code: int, *held: int) -> bytes:
    """A key with others held."""
    return b"".join(map(down, held)) + down(code) + up(code) + b"".join(map(up, reversed(held)))


def alt(digits: str) -> bytes:
    """Alt with a number on the keypad."""
    return down(ALT) + b"".join(tap(KEYPAD[digit]) for digit in digits) + up(ALT)


def typed(text: str) -> bytes:
    """What a scanner in keyboard mode sends for a text."""
    taps = b""
    for sign in text:
        if sign == "\x1d":
            taps += tap(KEYS["]"], CTRL)
        elif sign in KEYS:
            taps += tap(KEYS[sign])
        elif sign in SHIFTED:
            taps += tap(KEYS[SHIFTED[sign]], SHIFT)
        elif sign.isascii() and sign.isalpha():
            taps += tap(KEYS[sign.lower()], SHIFT)
        elif sign == "\r":
            taps += tap(ENTER)
        else:
            taps += b"".join(alt(f"{byte:04d}") for byte in sign.encode())
    return taps


DROPPED = event(0, 3, 0)
"""The system's buffer ran over."""
