"""The modes that an ESC/POS printer keeps from one command to the next."""

from msgspec.structs import replace

from till_drivers.blocks import Align
from till_drivers.simulators.escpos_elements import (
    AutomaticStatusRequest,
    Element,
    Feed,
    IdRequest,
    LineSpacing,
    ProofRequest,
    Raster,
    Style,
)

_ALIGNS: tuple[Align, ...] = ("left", "center", "right")


class Modes:
    """As after `ESC @`; the interpreter makes a new one for each."""

    def __init__(self) -> None:
        self.style = Style()
        self.code_page = 0
        self.graphics: Raster | None = None
        """Kept by `GS ( L` until it is printed."""
        self.qr_data = b""
        self.qr_dots = 3
        self.qr_level = "L"
        self.bar_dots = 3
        self.bar_height = 162
        self.bar_text = False

    def escape(self, code: int, value: int) -> list[Element] | None:
        """`ESC code value`: what it says, or None when it is no such command of one byte."""
        match chr(code):
            case "!":
                self._print_mode(value)
            case "-":
                self.style = replace(self.style, underline=value not in (0, 0x30))
            case "E" | "G":
                self.style = replace(self.style, bold=bool(value & 1))
            case "a" if value & ~0x30 <= 2:
                self.style = replace(self.style, align=_ALIGNS[value & ~0x30])
            case "t":
                self.code_page = value
            case "d":
                return [Feed(value)]
            case "J":
                return [Feed(0, value)]
            case "3":
                return [LineSpacing(value)]
            case _:
                return None
        return []

    def group(self, code: int, value: int) -> list[Element] | None:
        """`GS code value`: what it says, or None when it is no such command of one byte."""
        match chr(code):
            case "!":
                self.style = replace(self.style, width=1 + (value >> 4 & 7), height=1 + (value & 7))
            case "H":
                self.bar_text = value & 3 != 0
            case "h":
                self.bar_height = max(1, value)
            case "w":
                self.bar_dots = max(1, min(6, value))
            case "r":
                return [ProofRequest(value)]
            case "a":
                return [AutomaticStatusRequest(value)]
            case "I":
                return [IdRequest(value)]
            case _:
                return None
        return []

    def _print_mode(self, value: int) -> None:
        self.style = replace(
            self.style,
            bold=bool(value & 0x08),
            underline=bool(value & 0x80),
            width=2 if value & 0x20 else 1,
            height=2 if value & 0x10 else 1,
        )


ESCAPE_MODES = frozenset(b"!-EGatdJ3")
GROUP_MODES = frozenset(b"!HhwraI")
"""Second bytes of the commands that `escape` and `group` know."""
