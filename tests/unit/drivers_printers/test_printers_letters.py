"""Every letter of every language, on every code page and paper: printed, and read back from what was printed."""

from collections import Counter

import pytest
from PIL import Image, ImageChops

from till_drivers.blocks import Pair, Text
from till_drivers.preview import to_slip
from till_drivers.printers import CODE_PAGES, PROFILE_58MM, PROFILE_80MM, Profile, render
from till_drivers.printers.letters import draw_cells, has_glyph
from till_drivers.simulators.escpos_elements import Raster, TextRun
from till_drivers.simulators.escpos_interpreter import Interpreter
from till_drivers.simulators.picture import draw_slip
from unit.drivers_printers.letters_kit import (
    ALPHABETS,
    OWN_SIGNS,
    cells,
    font_rows,
    letters,
    profile,
    read_cell,
    read_lines,
    slip,
)

CYRILLIC_PAGES = ("cp866", "cp1251", "cp1125", "kz1048")
PAGES = (*CYRILLIC_PAGES, "cp437", "cp858")
WIDTHS = (384, 576)
WORDS = {
    "Russian": "Съешь ещё этих мягких французских булок",
    "Kazakh": "Қош келдіңіз, ұпайыңыз өсті",
    "Kyrgyz": "Кош келиңиз, упайыңыз өстү",
    "Ukrainian": "Ґречний їжак з'їв єдиний сир",
    "Uzbek Cyrillic": "Ўзбекистон, ҳақиқий қовун ғор",
    "Uzbek Latin": "O\u02bbzbekiston, g\u02bboyat ma\u02bcno",
    "Tajik": "Тоҷикистон, ҳаққи ӯ ғолиби ӣ",
}


def _encodable(alphabet: str, code_page: str) -> int:
    return sum(1 for letter in alphabet if letter in letter.encode(code_page, "ignore").decode(code_page))


@pytest.mark.parametrize("width_dots", WIDTHS)
@pytest.mark.parametrize("code_page", PAGES)
@pytest.mark.parametrize("language", ALPHABETS)
def test_every_letter_is_printed_and_reads_back(language: str, code_page: str, width_dots: int) -> None:
    """Typed where the code page has it, else drawn just as the font has it; nothing is lost, replaced, or a box."""
    alphabet = letters(language).replace("«", "").replace("»", "").replace("№", "")  # punctuation is below
    lines, drawn = read_lines(slip(alphabet, profile(code_page, width_dots)), alphabet=alphabet, code_page=code_page)
    assert "".join(lines) == alphabet
    assert drawn == len(alphabet) - _encodable(alphabet, code_page)


@pytest.mark.parametrize("language", ALPHABETS)
def test_no_letter_is_a_box_or_looks_like_another(language: str) -> None:
    """The font has each one, and draws each one differently."""
    alphabet = letters(language)
    box = font_rows("\U000f1234")
    drawings = {font_rows(letter) for letter in alphabet}
    assert box not in drawings
    assert len(drawings) == len(alphabet)
    assert all(map(has_glyph, alphabet))


@pytest.mark.parametrize(
    ("language", "whole"),
    [
        ("Russian", {"cp866", "cp1251", "cp1125", "kz1048"}),
        ("Kazakh", {"kz1048"}),
        ("Kyrgyz", {"kz1048"}),
        ("Ukrainian", {"cp1251", "cp1125"}),
        ("Uzbek Cyrillic", set()),
        ("Uzbek Latin", set(PAGES)),
        ("Tajik", set()),
    ],
)
def test_the_code_pages_that_hold_a_whole_alphabet_are_those_the_manual_names(language: str, whole: set[str]) -> None:
    """docs/reference/devices.md, "Letters": what to choose so that slips stay short."""
    alphabet = ALPHABETS[language] + ALPHABETS[language].lower()
    assert {page for page in PAGES if _encodable(alphabet, page) == len(alphabet)} == whole


@pytest.mark.parametrize("language", WORDS)
@pytest.mark.parametrize("paper", [PROFILE_58MM, PROFILE_80MM])
@pytest.mark.parametrize(("bold", "double"), [(False, False), (True, False), (False, True), (True, True)])
def test_words_are_drawn_as_the_font_has_them(language: str, paper: Profile, bold: bool, double: bool) -> None:
    """On a printer without any Cyrillic, in each size and weight, cell by cell."""
    latin = profile("cp437", paper.width_dots)
    words = WORDS[language]
    interpreter = Interpreter()
    found = interpreter.feed(render([Text(text=words, bold=bold, double=double)], latin))
    scale = 2 if double else 1
    letters_read = [
        "".join(read_cell(cell, words, scale=scale, bold=bold) for cell in line).rstrip()
        if isinstance(element, Raster)
        else element.data.decode("cp437")
        for element in found
        if isinstance(element, Raster | TextRun)
        for line in (cells(element, scale=scale) if isinstance(element, Raster) else [[]])
    ]
    assert " ".join(letters_read) == words


@pytest.mark.parametrize("language", OWN_SIGNS)
def test_an_amount_with_its_currency_is_on_one_line(language: str) -> None:
    """`Total … 1 234 ₸`: the sign turns the line into a picture, and it stays a line."""
    for sign in OWN_SIGNS[language]:
        data = render([Pair(left="Total", right=f"1\u00a0234,50\u00a0{sign}")], PROFILE_80MM)
        text = "Total1234,50" + sign
        (lines, drawn) = read_lines(data, alphabet=text, code_page="cp866")
        if drawn:
            assert lines[0].split() == ["Total", "1", "234,50", sign]


def test_the_som_is_written_in_letters_that_every_page_with_cyrillic_has() -> None:
    """U+20C0 is younger than the fonts: `сом` takes 3 columns and no picture."""
    for code_page in CYRILLIC_PAGES:
        data = render([Pair(left="Баары", right="1\u00a0234,50\u00a0\u20c0")], profile(code_page, 384))
        assert read_lines(data, alphabet="", code_page=code_page) == (["Баары               1 234,50 сом"], 0)


def test_punctuation_that_a_page_lacks_is_replaced_and_letters_never_are() -> None:
    """`«»—…` become ASCII on cp866; on cp1251 they stay."""
    for code_page, said in (("cp866", '"a" - b...'), ("cp1251", "«a» — b…")):
        data = render([Text(text="«a» — b…")], profile(code_page, 576))
        assert read_lines(data, alphabet="", code_page=code_page) == ([said], 0)


def test_a_mark_that_has_no_letter_of_its_own_stands_over_its_letter() -> None:
    """A stress mark: within the cell before it, above the letter, and no column is taken."""
    plain, marked = (
        draw_slip(to_slip(render([Text(text=text)], profile("cp437", 576)), profile("cp437", 576)))
        for text in ("за\u043cок", "за\u0301\u043cок")
    )
    assert plain.size == marked.size
    left, top, right, bottom = ImageChops.difference(plain.convert("L"), marked.convert("L")).getbbox() or (0, 0, 0, 0)
    assert 16 + 12 <= left < right <= 16 + 24
    assert top < bottom <= 24 + 12


def test_the_simulators_picture_of_letters_is_the_fonts_own() -> None:
    """Cells of any width: what is shown in previews is not drawn by other rules."""
    image = draw_cells("Ұпай", cell_dots=12, height_dots=30, bold=False)
    expected = [font_rows(letter) for letter in "Ұпай"]
    rows = [sum(cell[row] << (3 - at) * 12 for at, cell in enumerate(expected)) for row in range(30)]
    bits = b"".join(row.to_bytes(6, "big") for row in rows)
    assert image.tobytes() == Image.frombytes("1", (48, 30), bits, "raw", "1;I").tobytes()


def test_letters_that_do_not_fit_the_paper_are_left_out_and_nothing_else() -> None:
    """A profile whose letters don't divide its width: no line is ever beyond it."""
    odd = Profile(width_dots=400, columns=33)
    data = render([Text(text="Ұ" * 33), Text(text="Ә" * 33, align="right")], odd)
    rasters = [element for element in Interpreter().feed(data) if isinstance(element, Raster)]
    assert [raster.row_bytes for raster in rasters] == [50]


@pytest.mark.parametrize("code_page", CODE_PAGES)
def test_each_code_page_is_one_that_python_has_too(code_page: str) -> None:
    """What is typed is what the printer shows: 0x20 to 0x7E are ASCII in each."""
    assert bytes(range(0x20, 0x7F)).decode(code_page) == bytes(range(0x20, 0x7F)).decode("ascii")


def test_strokes_are_two_dots_wide() -> None:
    """One dot is faint on thermal paper: at most 5 % of the strokes across all letters, and 80 % are two."""
    widths: Counter[int] = Counter()
    alphabet = sorted(set("".join(ALPHABETS[language] for language in ALPHABETS if "Latin" not in language)))
    for letter in "".join(alphabet) + "".join(alphabet).lower():
        raster = next(
            element
            for element in Interpreter().feed(render([Text(text=letter)], profile("cp437", 576)))
            if isinstance(element, Raster)
        )
        (line,) = cells(raster)
        for row in line[0]:
            widths.update(len(run) for run in f"{row:b}".split("0") if 0 < len(run) < 5)
    strokes = widths.total()
    assert widths[1] / strokes < 0.05
    assert widths[2] / strokes > 0.8
