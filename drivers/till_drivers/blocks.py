"""What a slip is made of, before any printer is known."""

from typing import Literal

from msgspec import Struct

Align = Literal["left", "center", "right"]


class Text(Struct, frozen=True, kw_only=True, tag="text", omit_defaults=True):
    """A paragraph, wrapped at words."""

    text: str
    align: Align = "left"
    bold: bool = False
    double: bool = False


class Pair(Struct, frozen=True, kw_only=True, tag="pair", omit_defaults=True):
    """Left text and right text on one line, the gap filled with `separator`."""

    left: str
    right: str
    separator: str = " "
    bold: bool = False


class Rule(Struct, frozen=True, kw_only=True, tag="line", omit_defaults=True):
    """A line of one symbol over the whole width."""

    symbol: str = "-"


class Break(Struct, frozen=True, kw_only=True, tag="br"):
    """An empty line."""


class QrCode(Struct, frozen=True, kw_only=True, tag="qrcode", omit_defaults=True):
    """A QR code with a white margin of at least four modules."""

    data: str
    correction: Literal["L", "M", "Q", "H"] = "M"


class Barcode(Struct, frozen=True, kw_only=True, tag="barcode", omit_defaults=True):
    """A one-dimensional code."""

    data: str
    symbology: Literal["ean13", "code128"] = "code128"
    print_text: bool = True


class Image(Struct, frozen=True, kw_only=True, tag="image", omit_defaults=True):
    """A picture of the shop's own, by its name in the printer's settings; where there is none, nothing is printed."""

    name: str = "logo"


class Cut(Struct, frozen=True, kw_only=True, tag="cut"):
    """End of the slip."""


Block = Text | Pair | Rule | Break | Image | QrCode | Barcode | Cut
