"""Slip blocks as lines of letters: cleaned, wrapped at words, laid out by the width that each letter takes.

Both the plain text for cash software and the printer's bytes are made from these lines, so they break alike.
"""

import re
import unicodedata
from collections.abc import Iterable

from msgspec import Struct

from till_drivers.blocks import Align, Barcode, Block, Break, Cut, Image, Pair, QrCode, Rule, Text
from till_drivers.exceptions import RenderError

TEXT_BLOCK_LIMIT = 4_000
"""Letters of one block that are printed: half a metre of paper. A name of a megabyte stops there."""
LINE_LIMIT = 1_000
"""Lines of one slip, double ones counted twice: three metres of paper. As a picture they take 20 MB, and more lines all
the memory there is."""
PICTURE_LIMIT = 20
"""Codes and pictures of one slip: each takes up to a tenth of a second to make."""
_SPACES = re.compile(r"[ \t]+")
_NO_BREAK_SPACES = dict.fromkeys(map(ord, "\u00a0\u202f\u2007\u2060"), "\u00a0")
_NO_GLYPH = {"\u20c0": "сом"}
"""What the packaged font can't draw, and what is printed in its place. The som sign has been in Unicode since 2021."""
_PLAIN = re.compile("[ -~\u00a0-\u00ac\u00ae-\u02ff\u0400-\u0482\u048a-\u052f\u2010-\u2027\u20a0-\u20bf]*")
"""Letters that `clean` leaves as they are and that take one column each: nearly all that a slip has. Seen at one look,
since a cashier waits for the preview of each quote."""


class Line(Struct, frozen=True, kw_only=True):
    """One printed line; `text` is at most as wide as the columns it was laid out for."""

    text: str
    align: Align = "left"
    bold: bool = False
    double: bool = False


Item = Line | Image | QrCode | Barcode | Cut


def clean(text: str, *, keep_breaks: bool = False) -> str:
    """`text` with everything that could steer a printer or a terminal taken out.

    Control codes, surrogates, invisible marks (direction overrides, joiners) go; kinds of space become spaces, the
    non-breaking ones U+00A0; line ends become one space, or stay `\\n`.
    """
    text = text[:TEXT_BLOCK_LIMIT]
    if (text.isascii() and text.isprintable()) or _PLAIN.fullmatch(text):
        return text
    text = text.translate(_NO_BREAK_SPACES)
    kept: list[str] = []
    for letter in text.replace("\r\n", "\n"):
        category = unicodedata.category(letter)
        if letter in "\r\n\v\f\x85" or category in ("Zl", "Zp"):
            kept.append("\n" if keep_breaks else " ")
        elif letter == "\t" or (category == "Zs" and letter != "\u00a0"):
            kept.append(" ")
        elif category in ("Cc", "Cf", "Cs"):
            continue
        elif category in ("Co", "Cn"):
            kept.append("?")
        else:
            kept.append(_NO_GLYPH.get(letter, letter))
    return unicodedata.normalize("NFC", "".join(kept))


def width(text: str) -> int:
    """Columns that `text` takes: 0 for combining marks, 2 for wide East Asian letters, else 1."""
    if text.isascii() or _PLAIN.fullmatch(text):
        return len(text)
    return sum(_width(letter) for letter in text)


def _width(letter: str) -> int:
    if letter < "\u0300":
        return 1
    if unicodedata.combining(letter):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1


def layout(blocks: Iterable[Block], columns: int) -> list[Item]:
    """Blocks as lines, and those that are no text as they are. Texts are cleaned; double text has half the columns.

    Raises RenderError past LINE_LIMIT lines or PICTURE_LIMIT codes and pictures.
    """
    items: list[Item] = []
    doubled = pictures = 0
    for block in blocks:
        match block:
            case Text():
                room = columns // 2 if block.double else columns
                before = len(items)
                items += (
                    Line(text=line, align=block.align, bold=block.bold, double=block.double)
                    for line in wrap(block.text, room)
                )
                doubled += len(items) - before if block.double else 0
            case Pair():
                items += (Line(text=line, bold=block.bold) for line in pair(block, columns))
            case Rule():
                symbol = clean(block.symbol)[:1] or "-"
                items.append(Line(text=symbol * (columns // max(1, width(symbol)))))
            case Break():
                items.append(Line(text=""))
            case _:
                items.append(block)
                pictures += not isinstance(block, Cut)
        if len(items) + doubled > LINE_LIMIT:
            raise RenderError(f"expected at most {LINE_LIMIT} lines in a slip")
        if pictures > PICTURE_LIMIT:
            raise RenderError(f"expected at most {PICTURE_LIMIT} codes and pictures in a slip")
    return items


def to_text(blocks: Iterable[Block], columns: int) -> str:
    """The slip as plain text, one `\\n` after each line, no line wider than `columns`.

    For cash software that prints it itself: a QR code or barcode is its text, a cut is an empty line. RenderError as
    `layout` raises it.
    """
    lines: list[str] = []
    for item in layout(blocks, columns):
        match item:
            case Line():
                room = columns // 2 if item.double else columns
                lines.append(place(item.text, item.align, room if item.align == "left" else columns))
            case QrCode() | Barcode():
                lines += wrap(item.data, columns)
            case Cut():
                lines.append("")
    return "".join(line.replace("\u00a0", " ").rstrip() + "\n" for line in lines)


def place(text: str, align: Align, columns: int) -> str:
    """`text` with spaces before it so that it stands left, in the middle, or right."""
    if align == "left":
        return text
    gap = max(0, columns - width(text))
    return " " * (gap if align == "right" else gap // 2) + text


def wrap(text: str, columns: int) -> list[str]:
    """Lines of at most `columns`, broken at spaces; a word longer than a line is cut. At least one line."""
    if len(text) <= columns and "  " not in text and _PLAIN.fullmatch(text):
        return [text.strip(" ")]  # nearly all lines of a slip
    text = clean(text, keep_breaks=True)
    if width(text) <= columns and "\n" not in text and "  " not in text:
        return [text.strip(" ")]
    lines: list[str] = []
    for paragraph in text.split("\n"):
        words = _SPACES.split(paragraph.strip(" "))
        line = " ".join(words)
        if width(line) <= columns:
            lines.append(line)
            continue
        line, wide = "", 0
        for word in words:
            room = width(word)
            if line and wide + 1 + room <= columns:
                line += " " + word
                wide += 1 + room
                continue
            if line:
                lines.append(line)
            *full, line = _cut(word, columns)
            wide = width(line)
            lines += full
        lines.append(line)
    return lines


def pair(block: Pair, columns: int) -> list[str]:
    """Left and right text in one line; where they don't fit, the left one is wrapped and the right stands on the last
    line, or on one of its own.
    """
    left = wrap(block.left.replace("\n", " "), columns)
    right = clean(block.right).strip(" ")
    left_room, right_room = width(left[-1]), width(right)
    if right_room > columns:
        return [*left, *wrap(right, columns)]
    if right and left_room + 1 + right_room > columns:
        left.append("")
        left_room = 0
    gap = columns - left_room - right_room
    separator = " " if block.separator == " " else clean(block.separator)[:1] or " "
    if not right or gap <= 0:
        return [*left[:-1], left[-1] + right]
    if separator == " " or gap < 3:
        fill = " " * gap
    else:
        dots = separator * ((gap - 2) // max(1, width(separator)))
        fill = " " + dots + " " * (gap - 2 - width(dots)) + " "
    last = left[-1] + fill + right if left[-1] else " " * (gap) + right
    return [*left[:-1], last]


def _cut(word: str, columns: int) -> list[str]:
    """`word` in pieces of at most `columns`; marks stay with their letter. At least one piece."""
    if width(word) <= columns:
        return [word]
    pieces: list[str] = []
    piece, wide = "", 0
    for letter in word:
        if wide + _width(letter) > columns and piece:
            pieces.append(piece)
            piece, wide = "", 0
        piece += letter
        wide += _width(letter)
    return [*pieces, piece]
