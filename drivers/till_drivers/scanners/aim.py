"""AIM symbology identifiers (ISO/IEC 15424): the three characters `]cm` that a scanner may put before a code.

`c` names the symbology, the modifier `m` says what the reader did with it: whether the code is GS1's (FNC1 in first
place), and whether `\\nnnnnn` in it stands for another character set (ECI).
"""

import re

from msgspec import Struct

EAN = "ean-upc"
_SYMBOLOGIES = {
    "A": "code39",
    "B": "telepen",
    "C": "code128",
    "D": "code-one",
    "E": EAN,
    "F": "codabar",
    "G": "code93",
    "H": "code11",
    "I": "itf",
    "J": "dotcode",
    "K": "code16k",
    "L": "pdf417",
    "M": "msi",
    "N": "anker",
    "O": "codablock",
    "P": "plessey",
    "Q": "qr",
    "R": "2of5",
    "S": "2of5",
    "T": "code49",
    "U": "maxicode",
    "X": "other",
    "Z": "no-barcode",
    "d": "datamatrix",
    "e": "databar",
    "h": "hanxin",
    "o": "ocr",
    "p": "posicode",
    "s": "supercode",
    "z": "aztec",
}
"""`no-barcode` is what was keyed or swiped at the scanner."""
_GS1 = frozenset({"C1", "J1", "J4", "K1", "O1", "O5", "Q3", "Q4", "T1", "d2", "d5", "e0", "e1", "z1", "z4", "z7", "zA"})
"""FNC1 in first place, by symbology and modifier; DataBar and the composites with it are GS1's whatever they hold."""
_ECI = frozenset(
    {"J3", "J4", "J5", "L1", "Q2", "Q4", "Q6", "U2", "U3", "d4", "d5", "d6", "h1", "z3", "z4", "z5", "z9", "zA", "zB"}
)
"""The reader sends changes of character set as escapes, and each backslash of the code twice."""
PREFIX_LENGTH = 3
_ESCAPE = re.compile(r"\\(\\|[0-9]{6})")


class Labelled(Struct, frozen=True, kw_only=True):
    """A code without its prefix. `aim` and `symbology` are "" when the scanner sent no known prefix."""

    text: str
    aim: str = ""
    symbology: str = ""


def symbology_of(aim: str) -> str:
    """The symbology that `cm` names, or ""."""
    is_form = len(aim) == PREFIX_LENGTH - 1 and aim[1].isascii() and aim[1].isalnum()
    return _SYMBOLOGIES.get(aim[0], "") if is_form else ""


def is_gs1(aim: str) -> bool:
    """Whether the prefix `cm` says that the code is made of GS1 element strings."""
    return aim in _GS1


def split_aim(text: str, aim: str = "") -> Labelled:
    """Take a known `]cm` prefix off; a text that only looks like one is left whole.

    `aim` is what the device told beside the text, for one that does.
    """
    told = text[1:PREFIX_LENGTH] if text.startswith("]") and len(text) > PREFIX_LENGTH else ""
    if symbology_of(told) and aim in ("", told):
        aim, text = told, text[PREFIX_LENGTH:]
    symbology = symbology_of(aim)
    if not symbology:
        return Labelled(text=text)
    return Labelled(text=_without_eci(text) if aim in _ECI else text, aim=aim, symbology=symbology)


def _without_eci(text: str) -> str:
    """The text without changes of character set (`\\000026`) and with its doubled backslashes as one."""
    return _ESCAPE.sub(lambda found: "\\" if found[1] == "\\" else "", text)
