"""Slip blocks to one job's ESC/POS bytes.

The shape of every job: `ESC @`, `FS .`, `ESC t`, then lines. A line that fits the printer's code page goes as text (48
bytes), one that does not as dots (2 KB); neighbouring dot lines go as one picture.
"""

import functools
from collections.abc import Iterable
from typing import Any

import msgspec

from till_drivers.blocks import Barcode, Block, Cut, Image, QrCode
from till_drivers.exceptions import RenderError
from till_drivers.printers import codes, logo
from till_drivers.printers.letters import draw_line, stack
from till_drivers.printers.profile import Profile
from till_drivers.printers.raster import Picture, commands
from till_drivers.printers.text import Item, Line, layout

BLOCK_LIMIT = 1_000
"""Blocks of one slip: three metres of paper."""
_PLAIN = str.maketrans(
    {
        "«": '"', "»": '"', "“": '"', "”": '"', "„": '"', "‘": "'", "’": "'", "‚": "'", "`": "'", "–": "-", "—": "-",
        "−": "-", "‐": "-", "‑": "-", "…": "...", "•": "*", "·": ".", "×": "x", "\u00a0": " ",
    }
)  # fmt: skip
"""Punctuation that a code page may lack. Letters and currency signs are never replaced: they are drawn."""
LOGO = "logo"
"""The picture that settings name; a template may ask for others, which nobody has."""
_FULL_CUT, _PARTIAL_CUT = b"\x1dVA\x00", b"\x1dVB\x00"
"""To the knife, however far that is, then a cut; the partial one leaves a bridge."""
TEAR_LINES = 6
"""Lines fed where nothing cuts, so that the last one is beyond the tear bar."""
_DENSITY = b"\x1d(K\x02\x001"


def render(blocks: Iterable[Block], profile: Profile) -> bytes:
    """Bytes that print the slip on a printer of this profile, whatever was printed before.

    Raises RenderError when a code can't be printed at this width, or there are more blocks, lines or codes than a slip
    may have.
    """
    from till_drivers.printers.escpos_builder import new_dummy

    listed = list(blocks)
    if len(listed) > BLOCK_LIMIT:
        raise RenderError(f"expected at most {BLOCK_LIMIT} blocks in a slip, not {len(listed)}")
    job = _Job(new_dummy(profile), profile)
    for item in layout((_plain(block, profile) for block in listed), profile.columns):
        job.add(item)
    return job.finish()


class _Job:
    """One slip under way: remembers the printer's modes so that each is sent only when it changes."""

    def __init__(self, dummy: Any, profile: Profile) -> None:
        self._dummy = dummy
        self._raw = dummy._raw  # noqa: SLF001  # python-escpos' own documented way to send bytes
        self._profile = profile
        self._align = "left"
        self._bold = False
        self._double = False
        self._drawn: list[tuple[Picture, int]] = []
        dummy.hw("INIT")
        if profile.cancel_kanji:
            self._raw(b"\x1c.")
        self._raw(b"\x1bt" + bytes((profile.code_page_number,)))
        if profile.density:
            self._raw(_DENSITY + bytes((profile.density & 0xFF,)))
        if profile.drawer:
            dummy.cashdraw(2)

    def add(self, item: Item) -> None:
        if isinstance(item, Line):
            self._line(item)
            return
        self._flush()
        match item:
            case QrCode():
                self._mode(align="center")
                codes.qr(self._dummy, item, self._profile)
            case Barcode():
                self._mode(align="center")
                codes.barcode(self._dummy, item, self._profile)
            case Image():
                self._image(item)
            case Cut():
                self._mode()
                self._cut()

    def finish(self) -> bytes:
        self._flush()
        output: bytes = self._dummy.output
        return output

    def _line(self, line: Line) -> None:
        letters = _encode(line.text, self._profile.code_page)
        if letters is None:
            self._drawn.append(draw_line(line, width_dots=self._profile.width_dots, cell_dots=self._profile.cell_dots))
            return
        self._flush()
        if letters:
            self._mode(align=line.align, bold=line.bold, double=line.double)
        self._raw(letters + b"\n")

    def _flush(self) -> None:
        """Send the drawn lines that wait, as one picture in slices."""
        if not self._drawn:
            return
        picture = stack(self._drawn)
        self._drawn.clear()
        self._mode()
        self._raw(commands(picture))

    def _image(self, image: Image) -> None:
        picture = logo.picture(self._profile) if image.name == LOGO else None
        if picture is not None:
            self._mode(align="center")
            self._raw(commands(picture))

    def _mode(self, *, align: str = "left", bold: bool = False, double: bool = False) -> None:
        if double != self._double:
            # `ESC !` of python-escpos clears bold as well, so bold is sent again below.
            self._dummy.set(double_width=double, double_height=double, normal_textsize=not double)
            self._double, self._bold = double, False
        if bold != self._bold:
            self._dummy.set(bold=bold)
            self._bold = bold
        if align != self._align:
            self._dummy.set(align=align)
            self._align = align

    def _cut(self) -> None:
        if self._profile.cut:
            self._raw(_FULL_CUT if self._profile.cut_mode == "full" else _PARTIAL_CUT)
        else:
            self._dummy.print_and_feed(TEAR_LINES)


def _encode(text: str, code_page: str) -> bytes | None:
    """`text` in the code page; None when it does not fit or would hold control bytes."""
    try:
        letters = text.replace("\u00a0", " ").encode(code_page)
    except UnicodeEncodeError:
        return None
    return letters if all(byte >= 0x20 and byte != 0x7F for byte in letters) else None


@functools.cache
def _replaced(code_page: str) -> dict[int, str]:
    """Punctuation that the code page lacks, with what is printed in its place."""
    return {code: plain for code, plain in _PLAIN.items() if _encode(chr(code), code_page) is None}


def _plain(block: Block, profile: Profile) -> Block:
    """`block` with punctuation that the code page lacks replaced, before the lines are broken: `…` is three letters."""
    table = _replaced(profile.code_page)
    changed = {
        name: plain
        for name in ("text", "left", "right")
        if (value := getattr(block, name, "")) and not value.isascii() and (plain := value.translate(table)) != value
    }
    return msgspec.structs.replace(block, **changed) if changed else block
