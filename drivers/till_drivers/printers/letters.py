"""Letters that no code page of the printer has, drawn as dots.

IBM Plex Mono (OFL) comes as a package and has every letter of the languages we print and the tenge, hryvnia, rouble,
lira and tugrik signs. A letter is drawn by Pillow once and kept as a number whose bits are its dots, each row as long
as a row of the paper: a line is then its letters shifted to their columns and or-ed together.
"""

import functools
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING

from till_drivers.exceptions import RenderError
from till_drivers.printers.profile import LINE_DOTS
from till_drivers.printers.raster import Picture
from till_drivers.printers.text import Line, width

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageFont import FreeTypeFont

FONT_PACKAGE = "fontpkg_ibm_plex_mono"
ADVANCE_PER_EM = 0.6
"""Width of every letter of the font as a part of its size."""
INK_THRESHOLD, BOLD_INK_THRESHOLD = 80, 112
"""Grey above which a dot burns, of 255. At 80, 84 % of the strokes of our letters are two dots wide and 3 % are one,
faint on thermal paper; at the middle, 37 % are one (docs/decisions/0025). Bold strokes are wide enough.
"""
GLYPH_LIMIT = 512
"""Letters kept, of each printer's width, size and weight: all alphabets of a shop's slips, at most 2 MB."""


@functools.cache
def font(size: int, *, bold: bool = False) -> "FreeTypeFont":
    """The font at `size` dots. Raises RenderError when its package is broken."""
    from PIL import ImageFont

    name = f"IBMPlexMono-{'Bold' if bold else 'Regular'}.ttf"
    try:
        with as_file(files(FONT_PACKAGE) / "files" / name) as path:
            return ImageFont.truetype(str(Path(path)), size)
    except (ModuleNotFoundError, OSError) as exc:
        raise RenderError(f"expected the font {name} in the package {FONT_PACKAGE}: {exc}") from exc


def _drawn(letter: str) -> bytes:
    from PIL import Image, ImageDraw

    image = Image.new("L", (24, 30), 255)
    ImageDraw.Draw(image).text((0, 0), letter, font=font(20), fill=0)
    return image.tobytes()


@functools.cache
def _unknown() -> bytes:
    return _drawn("\U000f1234")


@functools.lru_cache(maxsize=2048)
def has_glyph(letter: str) -> bool:
    """Whether the font can draw `letter`: what it can't, it draws like the private-use letter that it lacks."""
    return letter == " " or _drawn(letter) != _unknown()


@functools.lru_cache(maxsize=GLYPH_LIMIT)
def glyph(letter: str, cell_dots: int, height_dots: int, bold: bool) -> tuple[int, ...]:
    """Rows of `letter` in a cell of its own, the leftmost dot highest, 1 is black; a mark stands where it is put over
    the letter before it. What the font lacks is `?`.
    """
    from PIL import Image, ImageDraw

    face = font(round(cell_dots / ADVANCE_PER_EM), bold=bold)
    ascent, descent = face.getmetrics()
    top = max(0, (height_dots - ascent - descent) // 2)
    image = Image.new("L", (cell_dots * max(1, width(letter)), height_dots), 255)
    left = 0
    if not width(letter):  # the font has marks left of where they are put; here they stand in the middle of a cell
        box = face.getbbox(letter)
        left = round((cell_dots - box[0] - box[2]) / 2)
    ImageDraw.Draw(image).text((left, top), letter if has_glyph(letter) else "?", font=face, fill=0)
    white = 255 - (BOLD_INK_THRESHOLD if bold else INK_THRESHOLD)
    ink = image.point([0] * white + [255] * (256 - white), "1").tobytes("raw", "1;I")
    row = len(ink) // height_dots
    spare = row * 8 - image.width
    return tuple(int.from_bytes(ink[start : start + row], "big") >> spare for start in range(0, len(ink), row))


@functools.lru_cache(maxsize=GLYPH_LIMIT)
def _spread(letter: str, cell_dots: int, height_dots: int, bold: bool, row_dots: int) -> int:
    """`letter` at the left of a picture `row_dots` wide, as one number, the top left dot highest."""
    ink = 0
    for row in glyph(letter, cell_dots, height_dots, bold):
        ink = ink << row_dots | row
    return ink << row_dots - cell_dots * max(1, width(letter))


def draw_cells(text: str, *, cell_dots: int, height_dots: int, bold: bool) -> "Image":
    """`text` as black on white, 1 bit a dot, each letter in its own cell of `cell_dots` times its columns."""
    from PIL import Image

    used = max(1, width(text) * cell_dots)
    row_bytes = (used + 7) // 8
    rows = [0] * height_dots
    column = 0
    for letter in text:
        wide = width(letter)
        at = column if wide or not column else column - 1  # a combining mark: over the letter before it
        left = row_bytes * 8 - (at + max(1, wide)) * cell_dots
        for number, row in enumerate(glyph(letter, cell_dots, height_dots, bold)):
            rows[number] |= row << left if left >= 0 else row >> -left
        column += wide
    data = b"".join(row.to_bytes(row_bytes, "big") for row in rows)
    return Image.frombytes("1", (used, height_dots), data, "raw", "1;I")


def draw_line(line: Line, *, width_dots: int, cell_dots: int) -> tuple[Picture, int]:
    """The line as a picture as wide as the paper (a multiple of 8 dots), and how many bytes of each row its letters
    need. Letters beyond the paper are left out.
    """
    scale = 2 if line.double else 1
    cell, height = cell_dots * scale, LINE_DOTS * scale
    gap = max(0, width_dots - width(line.text) * cell)
    left = {"left": 0, "center": gap // 2, "right": gap}[line.align]
    ink, place, last = 0, left, left
    for letter in line.text:
        columns = width(letter)
        at = place if columns or place == left else last  # a combining mark: over the letter before it
        if at + max(1, columns) * cell > width_dots:
            continue
        if letter != " ":
            ink |= _spread(letter, cell, height, line.bold, width_dots) >> at
        last, place = at, place + columns * cell
    used = min(width_dots, place + 7) // 8
    row_bytes = width_dots // 8
    return Picture(ink.to_bytes(row_bytes * height, "big"), row_bytes, height), used


def stack(lines: list[tuple[Picture, int]]) -> Picture:
    """Lines of one paper below each other, cut to the bytes that the longest of them needs."""
    used = max(needed for _, needed in lines)
    row_bytes = lines[0][0].row_bytes
    data = b"".join(picture.data for picture, _ in lines)
    if used < row_bytes:
        data = b"".join([data[start : start + used] for start in range(0, len(data), row_bytes)])
    return Picture(data, used, sum(picture.rows for picture, _ in lines))
