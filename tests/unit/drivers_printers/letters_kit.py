"""The alphabets that slips are printed in, and a reader of drawn lines that knows the font only, not our code."""

import functools

from PIL import Image, ImageDraw, ImageFont

from till_drivers.blocks import Text
from till_drivers.printers import CODE_PAGES, Profile, render
from till_drivers.simulators.escpos_elements import Feed, Raster, TextRun
from till_drivers.simulators.escpos_interpreter import Interpreter

ALPHABETS = {
    "Russian": "АБВГДЕЁЖЗИЙКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯ",
    "Kazakh": "АӘБВГҒДЕЁЖЗИЙКҚЛМНҢОӨПРСТУҰҮФХҺЦЧШЩЪЫІЬЭЮЯ",
    "Kyrgyz": "АБВГДЕЁЖЗИЙКЛМНҢОӨПРСТУҮФХЦЧШЩЪЫЬЭЮЯ",
    "Ukrainian": "АБВГҐДЕЄЖЗИІЇЙКЛМНОПРСТУФХЦЧШЩЬЮЯ",
    "Uzbek Cyrillic": "АБВГДЕЁЖЗИЙКЛМНОПРСТУФХЦЧШЪЬЭЮЯЎҚҒҲ",
    "Uzbek Latin": "ABCDEFGHIJKLMNOPQRSTUVXYZ",
    "Tajik": "АБВГҒДЕЁЖЗИӢЙКҚЛМНОПРСТУӮФХҲЧҶШЪЭЮЯ",
}
"""Capitals of each official alphabet."""
OWN_SIGNS = {
    "Russian": "₽№«»",
    "Kazakh": "₸",
    "Kyrgyz": "",
    "Ukrainian": "₴",
    "Uzbek Cyrillic": "",
    "Uzbek Latin": "\u02bb\u02bc",
    "Tajik": "",
}
"""What is written beside letters: the currency where it has a sign, and the modifiers of o\u02bb, g\u02bb and the stop
of Uzbek. The som (U+20C0) is written out, the so\u02bbm and the somoni have no sign.
"""
CELL, HEIGHT = 12, 30


def letters(language: str) -> str:
    """Every letter of the language, capital and small, and its signs."""
    capitals = ALPHABETS[language]
    return capitals + capitals.lower() + OWN_SIGNS[language]


def profile(code_page: str, width_dots: int) -> Profile:
    """A printer of that paper, 12 dots a letter, with Epson's number of the code page."""
    return Profile(
        width_dots=width_dots,
        columns=width_dots // CELL,
        code_page=code_page,
        code_page_number=CODE_PAGES[code_page],
    )


@functools.cache
def _font(size: int, *, bold: bool) -> ImageFont.FreeTypeFont:
    from importlib.resources import files

    name = f"IBMPlexMono-{'Bold' if bold else 'Regular'}.ttf"
    return ImageFont.truetype(str(files("fontpkg_ibm_plex_mono") / "files" / name), size)


@functools.cache
def font_rows(letter: str, *, scale: int = 1, bold: bool = False) -> tuple[int, ...]:
    """The font's own drawing of a letter in its cell, each row as a number: all dots darker than the threshold."""
    size = (CELL * scale, HEIGHT * scale)
    face = _font(20 * scale, bold=bold)
    ascent, descent = face.getmetrics()
    image = Image.new("L", size, 255)
    ImageDraw.Draw(image).text((0, (size[1] - ascent - descent) // 2), letter, font=face, fill=0)
    grey = image.tobytes()
    rows = [grey[start : start + size[0]] for start in range(0, len(grey), size[0])]
    return tuple(int("".join("1" if dot < 255 - (112 if bold else 80) else "0" for dot in row), 2) for row in rows)


def cells(raster: Raster, *, scale: int = 1) -> list[list[tuple[int, ...]]]:
    """A raster as lines of cells, each as `font_rows` gives a letter."""
    rows = [
        int.from_bytes(raster.data[start : start + raster.row_bytes], "big")
        for start in range(0, len(raster.data), raster.row_bytes)
    ]
    wide, cell, height = raster.row_bytes * 8, CELL * scale, HEIGHT * scale
    lefts = range(wide - cell, -1, -cell)
    return [
        [tuple(row >> left & (1 << cell) - 1 for row in rows[top : top + height]) for left in lefts]
        for top in range(0, raster.rows, height)
    ]


@functools.cache
def _by_drawing(alphabet: str, scale: int, bold: bool) -> dict[tuple[int, ...], str]:
    return {font_rows(letter, scale=scale, bold=bold): letter for letter in reversed(alphabet)}


def read_cell(cell: tuple[int, ...], alphabet: str, *, scale: int = 1, bold: bool = False) -> str:
    """The letter of `alphabet` that the font draws so; one dot more is allowed (real-time codes); "" for none."""
    if not any(cell):
        return " "
    exact = _by_drawing(alphabet, scale, bold).get(cell)
    if exact is not None:
        return exact
    for letter in alphabet:
        drawn = font_rows(letter, scale=scale, bold=bold)
        spare = [ours ^ theirs for ours, theirs in zip(cell, drawn, strict=True)]
        is_more = all(ours & theirs == theirs for ours, theirs in zip(cell, drawn, strict=True))
        if is_more and sum(row.bit_count() for row in spare) <= 1:
            return letter
    return ""


def read_lines(data: bytes, *, alphabet: str, code_page: str) -> tuple[list[str], int]:
    """The lines on paper, typed ones by the code page, drawn ones by the font; and how many of them were drawn."""
    interpreter = Interpreter()
    lines: list[str] = []
    typed, drawn = "", 0
    picture = b""
    row_bytes = 0

    def end_picture() -> None:
        nonlocal picture, drawn
        if picture:
            whole = Raster(picture, row_bytes, len(picture) // row_bytes, 1, 1, style)
            found = ["".join(read_cell(cell, alphabet) for cell in line).rstrip() for line in cells(whole)]
            lines.extend(found)
            drawn += len(found)
            picture = b""

    for element in [*interpreter.feed(data), *interpreter.finish()]:
        match element:
            case Raster():  # slices of one picture follow each other
                if element.row_bytes != row_bytes:
                    end_picture()
                picture, row_bytes, style = picture + element.data, element.row_bytes, element.style
            case TextRun():
                end_picture()
                typed += element.data.decode(code_page)
            case Feed():
                end_picture()
                lines.append(typed)
                typed = ""
    end_picture()
    return lines, drawn


def slip(alphabet: str, profile: Profile) -> bytes:
    """Each letter on a line of its own."""
    return render([Text(text=letter) for letter in alphabet], profile)
