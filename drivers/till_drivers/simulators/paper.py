"""Paper under a simulated print head: elements in, slips out, as text."""

from collections.abc import Callable

from msgspec import Struct

from till_drivers.printers.profile import CODE_PAGES, LINE_DOTS
from till_drivers.printers.text import place
from till_drivers.simulators.escpos_elements import (
    Bars,
    CutPaper,
    Element,
    Feed,
    LineSpacing,
    Move,
    Qr,
    Raster,
    Reset,
    Style,
    TextRun,
)

MARK_LIMIT = 5_000
"""Lines and pictures of one slip; then the paper is torn, so that a stream without cuts takes no memory."""
CODECS = {number: name for name, number in CODE_PAGES.items()}
BAR_NAMES = {65: "UPC-A", 66: "UPC-E", 67: "EAN-13", 68: "EAN-8", 69: "CODE39", 70: "ITF", 71: "CODABAR", 72: "CODE93",
             73: "CODE128"}  # fmt: skip


class Piece(Struct, frozen=True):
    """Letters of one style."""

    text: str
    style: Style


class PrintedLine(Struct, frozen=True):
    """One line on paper, as high as `dots`; no pieces: empty."""

    pieces: tuple[Piece, ...]
    dots: int

    @property
    def style(self) -> Style:
        """The first piece's style, whose alignment holds for the line."""
        return self.pieces[0].style if self.pieces else Style()


class Space(Struct, frozen=True):
    """White paper of `dots`."""

    dots: int


Mark = PrintedLine | Space | Raster | Qr | Bars


class Slip(Struct, frozen=True, kw_only=True):
    """One piece of paper. `torn`: it did not end with a cut."""

    number: int
    marks: tuple[Mark, ...]
    columns: int
    width_dots: int
    torn: bool = False

    def text(self) -> str:
        """What can be read, one `\\n` after each line; pictures and codes are named in brackets."""
        lines = [_mark_text(mark, self.columns).rstrip() for mark in self.marks]
        if self.torn:
            lines.append("[torn]")
        return "".join(line + "\n" for line in lines)


class Paper:
    """A roll. Give it elements; `done` gets each slip that was cut off."""

    def __init__(self, *, width_dots: int, columns: int, done: Callable[[Slip], None], first_number: int = 1) -> None:
        self._width_dots = width_dots
        self._columns = columns
        self._done = done
        self._next_number = first_number
        self._marks: list[Mark] = []
        self._line: list[Piece] = []
        self._used_columns = 0
        self._spacing = LINE_DOTS

    @property
    def is_blank(self) -> bool:
        """Whether nothing was printed since the last cut."""
        return not self._marks and not self._line

    def put(self, element: Element) -> None:
        """Print one element; those that leave no trace on paper are passed over."""
        match element:
            case TextRun():
                self._letters(element)
            case Feed():
                self._feed(element)
            case Raster() | Qr() | Bars():
                self._end_line()
                self._marks.append(element)
            case Move():
                self._move(element)
            case LineSpacing():
                self._spacing = LINE_DOTS if element.dots is None else element.dots
            case Reset():
                self._end_line()
                self._spacing = LINE_DOTS
            case CutPaper():
                self._end_line()
                self._finish(torn=False)
            case _:
                pass
        if len(self._marks) >= MARK_LIMIT:
            self.tear()

    def tear(self) -> None:
        """Take off what is printed so far."""
        self._end_line()
        if self._marks:
            self._finish(torn=True)

    def _letters(self, run: TextRun) -> None:
        codec = CODECS.get(run.code_page, "cp437")
        for letter in run.data.decode(codec, errors="replace"):
            if self._used_columns + run.style.width > self._columns:  # printers wrap
                self._end_line()
            if self._line and self._line[-1].style == run.style:
                self._line[-1] = Piece(self._line[-1].text + letter, run.style)
            else:
                self._line.append(Piece(letter, run.style))
            self._used_columns += run.style.width

    def _move(self, move: Move) -> None:
        """Spaces up to the column that stands at the place; a move back over letters is passed over."""
        column = round(move.dots * self._columns / self._width_dots) + (self._used_columns if move.relative else 0)
        gap = min(column, self._columns) - self._used_columns
        if gap > 0:
            self._line.append(Piece(" " * gap, Style()))
            self._used_columns += gap

    def _feed(self, feed: Feed) -> None:
        lines = feed.lines
        if self._line:
            self._end_line()
            lines -= 1
        self._marks += [PrintedLine((), self._spacing)] * max(0, lines)
        if feed.dots:
            self._marks.append(Space(feed.dots))

    def _end_line(self) -> None:
        if self._line:
            height = max(piece.style.height for piece in self._line)
            self._marks.append(PrintedLine(tuple(self._line), max(self._spacing, LINE_DOTS * height)))
        self._line = []
        self._used_columns = 0

    def _finish(self, *, torn: bool) -> None:
        slip = Slip(
            number=self._next_number,
            marks=tuple(self._marks),
            columns=self._columns,
            width_dots=self._width_dots,
            torn=torn,
        )
        self._marks = []
        self._next_number += 1
        self._done(slip)


def barcode_text(bars: Bars) -> str:
    """The data that the barcode stands for; Code 128's own code-set marks are taken out."""
    if bars.kind == 73 and bars.data[:2] == b"{C":
        return "".join(f"{pair:02d}" for pair in bars.data[2:])
    if bars.kind == 73 and bars.data[:1] == b"{":
        return bars.data[2:].decode("ascii", "replace").replace("{{", "{")
    return bars.data.decode("ascii", "replace")


def _mark_text(mark: Mark, columns: int) -> str:
    match mark:
        case PrintedLine():
            wide = sum(len(piece.text) * (piece.style.width - 1) for piece in mark.pieces)
            text = "".join(piece.text for piece in mark.pieces)
            return place(text, mark.style.align, max(0, columns - (wide if mark.style.align == "right" else 0)))
        case Raster():
            return f"[picture {mark.row_bytes * 8 * mark.scale_x}x{mark.rows * mark.scale_y}]"
        case Qr():
            return f"[QR {mark.data.decode('utf-8', 'replace')}]"
        case Bars():
            return f"[{BAR_NAMES.get(mark.kind, f'barcode {mark.kind}')} {barcode_text(mark)}]"
        case Space():
            return ""
