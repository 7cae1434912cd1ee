"""AIM symbology identifiers (ISO/IEC 15424): the three characters `]cm` that a scanner may put before a code."""

from msgspec import Struct

_SYMBOLOGIES = {
    "A": "code39",
    "C": "code128",
    "E": "ean-upc",
    "F": "codabar",
    "I": "itf",
    "L": "pdf417",
    "Q": "qr",
    "d": "datamatrix",
    "e": "databar",
    "z": "aztec",
}
PREFIX_LENGTH = 3


class Labelled(Struct, frozen=True, kw_only=True):
    """A code without its prefix. `aim` and `symbology` are "" when the scanner sent no known prefix."""

    text: str
    aim: str = ""
    symbology: str = ""


def split_aim(text: str) -> Labelled:
    """Take a known `]cm` prefix off; a text that only looks like one is left whole."""
    if (
        len(text) > PREFIX_LENGTH
        and text[0] == "]"
        and text[1] in _SYMBOLOGIES
        and text[2].isascii()
        and text[2].isalnum()
    ):
        return Labelled(text=text[PREFIX_LENGTH:], aim=text[1:PREFIX_LENGTH], symbology=_SYMBOLOGIES[text[1]])
    return Labelled(text=text)
