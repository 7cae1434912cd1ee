"""What an ESC/POS stream says, element by element."""

from msgspec import Struct

from till_drivers.blocks import Align


class Style(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Modes of the printer when an element came."""

    align: Align = "left"
    bold: bool = False
    underline: bool = False
    width: int = 1
    """1 to 8 times as wide."""
    height: int = 1


class TextRun(Struct, frozen=True):
    """Letters of one style and code page, not yet printed: the next Feed prints the line."""

    data: bytes
    code_page: int
    style: Style


class Feed(Struct, frozen=True):
    """Print the line that waits and move the paper: `lines` of the set spacing, and `dots`."""

    lines: int
    dots: int = 0


class Raster(Struct, frozen=True):
    """A picture, 1 bit a dot, 1 is black, rows of `row_bytes`; scaled."""

    data: bytes
    row_bytes: int
    rows: int
    scale_x: int
    scale_y: int
    style: Style


class Qr(Struct, frozen=True):
    """A QR code that the printer makes. `level` is L, M, Q or H."""

    data: bytes
    module_dots: int
    level: str
    style: Style


class Bars(Struct, frozen=True):
    """A barcode that the printer makes; `kind` is the number of `GS k`, in its newer form (65 and up)."""

    kind: int
    data: bytes
    module_dots: int
    height_dots: int
    has_text: bool
    style: Style


class CutPaper(Struct, frozen=True):
    """The knife. `feeds` when the paper is moved to it first."""

    feeds: bool


class Pulse(Struct, frozen=True):
    """The cash drawer opens."""

    pin: int


class LineSpacing(Struct, frozen=True):
    """Dots from line to line; None is the printer's own."""

    dots: int | None


class Move(Struct, frozen=True):
    """`ESC $` and `ESC \\`: where the next letter stands, in dots from the left, or from the last letter."""

    dots: int
    relative: bool


class Density(Struct, frozen=True):
    """`GS ( K`: darker or lighter than the printer's own, in its steps."""

    steps: int


class RealTimeRequest(Struct, frozen=True):
    """`DLE EOT number`: to be answered at once, whatever is still to be printed."""

    number: int


class ProofRequest(Struct, frozen=True):
    """`GS r number`: to be answered when everything before it has been printed."""

    number: int


class AutomaticStatusRequest(Struct, frozen=True):
    """`GS a items`: tell the printer's state now and at each change of those items; 0 ends that."""

    items: int


class IdRequest(Struct, frozen=True):
    """`GS I number`: what the printer is."""

    number: int


class Reset(Struct, frozen=True):
    """`ESC @`."""


class Unknown(Struct, frozen=True):
    """Bytes that mean nothing here."""

    data: bytes


Element = (
    TextRun
    | Feed
    | Raster
    | Qr
    | Bars
    | CutPaper
    | Pulse
    | LineSpacing
    | Move
    | Density
    | RealTimeRequest
    | ProofRequest
    | AutomaticStatusRequest
    | IdRequest
    | Reset
    | Unknown
)
