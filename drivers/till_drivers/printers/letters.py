"""Letters that no code page of the printer has, drawn as dots.

IBM Plex Mono (OFL) comes as a package and has every letter of the languages we print and the tenge, hryvnia, rouble,
lira and tugrik signs. Pillow is imported when the first such line is drawn, not before.
"""

import functools
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING

from till_drivers.exceptions import RenderError
from till_drivers.printers.profile import LINE_DOTS, REAL_TIME_CODES
from till_drivers.printers.text import Line, width

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageFont import FreeTypeFont

FONT_PACKAGE = "fontpkg_ibm_plex_mono"
ADVANCE_PER_EM = 0.6
"""Width of every letter of the font as a part of its size."""
INK_THRESHOLD = 112
"""Grey above which a dot burns, of 255. Below the middle, because thermal heads print thin strokes thinner."""


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


@functools.lru_cache(maxsize=2048)
def _glyph(letter: str) -> bytes:
    from PIL import Image, ImageDraw

    image = Image.new("L", (24, 30), 255)
    ImageDraw.Draw(image).text((0, 0), letter, font=font(20), fill=0)
    return image.tobytes()


def has_glyph(letter: str) -> bool:
    """Whether the font can draw `letter`: what it can't, it draws like the private-use letter that it lacks."""
    return letter == " " or _glyph(letter) != _glyph("\U000f1234")


def draw_cells(text: str, *, cell_dots: int, height_dots: int, bold: bool) -> "Image":
    """`text` as black on white, 1 bit a dot, each letter in its own cell of `cell_dots` times its columns."""
    from PIL import Image, ImageDraw

    face = font(round(cell_dots / ADVANCE_PER_EM), bold=bold)
    ascent, descent = face.getmetrics()
    top = max(0, (height_dots - ascent - descent) // 2)
    image = Image.new("L", (max(1, width(text) * cell_dots), height_dots), 255)
    pen = ImageDraw.Draw(image)
    column = 0
    for letter in text:
        if not width(letter) and column:  # a combining mark: over the letter before it
            pen.text(((column - 1) * cell_dots, top), letter, font=face, fill=0)
            continue
        pen.text((column * cell_dots, top), letter if has_glyph(letter) else "?", font=face, fill=0)
        column += width(letter)
    return image.point(_to_ink, "1")


def _to_ink(grey: int) -> int:
    return 0 if grey < 255 - INK_THRESHOLD else 255


def draw_line(line: Line, *, width_dots: int, cell_dots: int) -> "Image":
    """The whole line as a picture, as wide as its ink needs, in multiples of 8 dots."""
    from PIL import Image

    scale = 2 if line.double else 1
    cells = draw_cells(line.text, cell_dots=cell_dots * scale, height_dots=LINE_DOTS * scale, bold=line.bold)
    gap = max(0, width_dots - cells.width)
    left = {"left": 0, "center": gap // 2, "right": gap}[line.align]
    used = min(width_dots, (left + cells.width + 7) // 8 * 8)
    image = Image.new("1", (used, cells.height), 1)
    for nudge in range(8):
        image.paste(1, (0, 0, *image.size))
        image.paste(cells, (max(0, left - nudge) if left else nudge, 0))
        raster = image.tobytes()
        # Pillow's bits are 1 for white, the printer's are 1 for black.
        if not any(code in bytes(byte ^ 0xFF for byte in raster) for code in REAL_TIME_CODES):
            break
    return image
