"""How a simulated printer is: one behaviour or several at once, and what its status says of each. No I/O.

`Manner` is a set of behaviours with a name, `slow+near-end`. The bits are those of `DLE EOT 1` to `4` and of the four
bytes that `GS a` asks for, as the manuals of ESC/POS printers give them.
"""

import enum

from till_drivers.exceptions import SimulatorError


class Behaviour(enum.StrEnum):
    """What a printer can be. All but NORMAL can come together, DEAF and DIES excepted."""

    NORMAL = "normal"
    SLOW = "slow"
    SILENT = "silent"
    """Prints, but answers nothing."""
    DEAF = "deaf"
    """Takes connections and reads nothing."""
    NEAR_END = "near-end"
    PAPER_OUT = "paper-out"
    COVER_OPEN = "cover-open"
    CUTTER_ERROR = "cutter-error"
    """The knife is stuck: nothing is printed until somebody has freed it, or a recovery request comes."""
    JAMS = "jams"
    """The knife gets stuck at the next cut."""
    DIES = "dies"
    """Loses its power after so many bytes; comes back when told to be normal."""
    UNPLUGGED = "unplugged"
    """Its cable is out: nobody reaches it, and what has come it prints all the same."""
    LATE = "late"
    """Begins to print some seconds after the bytes came."""


_STANDING = frozenset({Behaviour.PAPER_OUT, Behaviour.COVER_OPEN, Behaviour.CUTTER_ERROR})
_MUTE = frozenset({Behaviour.SILENT, Behaviour.DEAF})

_REAL_TIME: dict[int, dict[Behaviour, int]] = {
    1: dict.fromkeys(_STANDING, 0x08),
    2: {Behaviour.COVER_OPEN: 0x04, Behaviour.PAPER_OUT: 0x20, Behaviour.CUTTER_ERROR: 0x40},
    3: {Behaviour.CUTTER_ERROR: 0x08},
    4: {Behaviour.PAPER_OUT: 0x6C, Behaviour.NEAR_END: 0x0C},
}
"""Bits of `DLE EOT n`, by n: printer, cause of being offline, error, paper."""
_AUTOMATIC: tuple[dict[Behaviour, int], ...] = (
    dict.fromkeys(_STANDING, 0x08) | {Behaviour.COVER_OPEN: 0x28},
    {Behaviour.CUTTER_ERROR: 0x08},
    {Behaviour.PAPER_OUT: 0x0F, Behaviour.NEAR_END: 0x03},
    {},
)
_AUTOMATIC_FIXED = (0x10, 0, 0, 0x0F)
_ITEMS = ((0, 0x02), (1, 0x04), (2, 0x08))
"""Which of the four bytes an item of `GS a` is about: online or not, errors, paper."""


class Manner(frozenset[Behaviour]):
    """Behaviours at one time; empty is normal."""

    @classmethod
    def of(cls, text: str) -> "Manner":
        """From a name such as `normal`, `paper-out` or `slow+near-end`. Raises SimulatorError."""
        try:
            found = {Behaviour(part.strip()) for part in text.split("+")}
        except ValueError as exc:
            known = ", ".join(Behaviour)
            raise SimulatorError(f"expected one of {known}, or several with + between, not {text!r}") from exc
        if Behaviour.NORMAL in found and len(found) > 1:
            raise SimulatorError(f"expected normal alone, not {text!r}")
        if {Behaviour.DEAF, Behaviour.DIES} <= found:
            raise SimulatorError(f"expected deaf or dies, not {text!r}: who takes no byte does not die of one")
        return cls(found - {Behaviour.NORMAL})

    @property
    def name(self) -> str:
        """As `of` takes it."""
        return "+".join(behaviour for behaviour in Behaviour if behaviour in self) or Behaviour.NORMAL.value

    @property
    def stands(self) -> bool:
        """Whether nothing is printed, though bytes are taken."""
        return not self.isdisjoint(_STANDING)

    @property
    def is_reachable(self) -> bool:
        """Whether it can be connected to: a dying printer that lives yet included."""
        return Behaviour.UNPLUGGED not in self

    @property
    def is_mute(self) -> bool:
        """Whether nothing is answered."""
        return not self.isdisjoint(_MUTE)

    def with_stuck_knife(self) -> "Manner":
        """After a cut that jammed."""
        return Manner(self - {Behaviour.JAMS} | {Behaviour.CUTTER_ERROR})

    def recovered(self) -> "Manner":
        """After `DLE ENQ`, which frees a knife; paper and cover are for hands."""
        return Manner(self - {Behaviour.CUTTER_ERROR})

    def real_time(self, number: int) -> bytes:
        """The answer to `DLE EOT number`: bits 1 and 4 are always set, 0 and 7 never; b"" for unknown numbers."""
        bits = _REAL_TIME.get(number)
        return b"" if bits is None else bytes((_all(bits, self, 0x12),))

    def proof(self, number: int) -> bytes:
        """The answer to `GS r number`: 1 is the paper's sensor, 2 the drawer's."""
        is_low = Behaviour.NEAR_END in self and number in (1, 49)
        return bytes((0x03 if is_low else 0x00,))

    def automatic(self) -> bytes:
        """The four bytes for whom `GS a` switched them on."""
        return bytes(_all(bits, self, fixed) for bits, fixed in zip(_AUTOMATIC, _AUTOMATIC_FIXED, strict=True))


def told(items: int, before: bytes, now: bytes) -> bool:
    """Whether `GS a items` asked to hear of this change of the four bytes."""
    return any(items & item and before[place] != now[place] for place, item in _ITEMS)


def identity(number: int) -> bytes:
    """The answer to `GS I number`: one byte up to 3, else `_`, words and a zero; b"" for what it does not know."""
    one = {1: 0x20, 2: 0x02, 3: 0x01, 49: 0x20, 50: 0x02, 51: 0x01}  # model, has a knife, version
    words = {65: b"1", 66: b"TILLSIDE", 67: b"SIMULATOR", 68: b"0"}
    if number in one:
        return bytes((one[number],))
    return b"_" + words[number] + b"\0" if number in words else b""


def _all(bits: dict[Behaviour, int], manner: Manner, fixed: int) -> int:
    for behaviour, mask in bits.items():
        if behaviour in manner:
            fixed |= mask
    return fixed


class RealTimeScanner:
    """Finds `DLE EOT n` and `DLE ENQ n` in raw bytes, even within a picture's: printers look for them first."""

    REQUEST_BYTES = 3
    """Of one of these requests."""

    def __init__(self) -> None:
        self._tail = b""

    def find(self, data: bytes) -> list[tuple[int, int]]:
        """Second byte (4 or 5) and n of each request that is complete with `data`."""
        both = self._tail + data
        found: list[tuple[int, int]] = []
        at = both.find(b"\x10")
        while at >= 0 and at + 2 < len(both):
            is_request = both[at + 1] in (4, 5)
            if is_request:
                found.append((both[at + 1], both[at + 2]))
            at = both.find(b"\x10", at + (self.REQUEST_BYTES if is_request else 1))
        self._tail = both[at:] if at >= 0 else b""
        return found
