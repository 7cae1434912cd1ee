"""Slips to bytes, and back through the interpreter: what is sent is what was meant."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from till_drivers.blocks import Barcode, Block, Break, Cut, Pair, QrCode, Rule, Text
from till_drivers.exceptions import RenderError, SettingsError
from till_drivers.preview import to_png, to_slip
from till_drivers.printers import CODE_PAGES, PROFILE_58MM, PROFILE_80MM, Profile, render, to_text
from till_drivers.printers.letters import has_glyph
from till_drivers.printers.profile import REAL_TIME_CODES, SLICE_ROWS
from till_drivers.printers.render import BLOCK_LIMIT
from till_drivers.simulators.escpos_elements import CutPaper, Element, Pulse, Qr, Raster, TextRun, Unknown
from till_drivers.simulators.escpos_interpreter import Interpreter
from till_drivers.simulators.picture import draw_slip

RUSSIAN = "Съешь ещё этих мягких французских булок, №7"
OTHERS = {
    "Kazakh": "Қош келдіңіз! ӘҒҚҢӨҰҮҺІ әғқңөұүһі 500 ₸",
    "Kyrgyz": "Салам! Ңң Өө Үү 100 \u20c0",
    "Ukrainian": "Її Єє Ґґ Іі 100 ₴",
    "Uzbek": "Ўў Ққ Ғғ Ҳҳ",
    "Tajik": "Ӣӣ Ӯӯ Ҷҷ Ғғ Ққ Ҳҳ",
}


def elements(data: bytes) -> list[Element]:
    interpreter = Interpreter()
    return [*interpreter.feed(data), *interpreter.finish()]


def of_kind(data: bytes, kind: type[Element]) -> list[Element]:
    return [element for element in elements(data) if isinstance(element, kind)]


def test_every_job_begins_by_resetting_the_printer_and_naming_its_code_page() -> None:
    """A reset loses the code page, and the program before us may have set anything."""
    assert render([Break()], PROFILE_80MM) == b"\x1b@\x1c.\x1bt\x11\n"
    plain = Profile(code_page="cp1251", code_page_number=46, cancel_kanji=False)
    assert render([Break()], plain) == b"\x1b@\x1bt\x2e\n"


@pytest.mark.parametrize("code_page", ["cp866", "cp1251", "cp1125"])
def test_cyrillic_goes_as_text_in_the_printers_code_page_and_reads_back(code_page: str) -> None:
    """48 bytes a line, not 2 KB."""
    profile = Profile(code_page=code_page, code_page_number=CODE_PAGES[code_page])
    data = render([Text(text=RUSSIAN)], profile)
    runs = of_kind(data, TextRun)
    assert [run.data.decode(code_page) for run in runs if isinstance(run, TextRun)] == [RUSSIAN]
    assert all(run.code_page == CODE_PAGES[code_page] for run in runs if isinstance(run, TextRun))
    assert not of_kind(data, Raster)
    assert to_slip(data, profile).text() == RUSSIAN + "\n"


@pytest.mark.parametrize("language", OTHERS)
def test_lines_beyond_the_code_page_are_drawn(language: str) -> None:
    """One raster for the line, no text, ink in it."""
    data = render([Text(text=OTHERS[language])], PROFILE_80MM)
    (raster,) = of_kind(data, Raster)
    assert isinstance(raster, Raster)
    assert not of_kind(data, TextRun)
    assert sum(byte.bit_count() for byte in raster.data) > 15 * len(OTHERS[language])


def test_the_font_has_every_letter_of_our_languages_and_their_currencies() -> None:
    """Otherwise a drawn line would show question marks."""
    letters = set("".join(OTHERS.values()).replace("\u20c0", "") + "₽₸₴₺€«»—…№•×")
    assert {letter for letter in letters if not has_glyph(letter)} == set()
    assert not has_glyph("中")


def test_the_som_sign_is_written_out() -> None:
    """U+20C0 is in no font that we have."""
    assert to_slip(render([Text(text="100 \u20c0")], PROFILE_80MM), PROFILE_80MM).text() == "100 сом\n"


def test_a_drawn_line_shows_the_same_letters_as_a_text_line_where_both_can() -> None:
    """Cyrillic on a printer without Cyrillic: its dots equal the picture of the text line."""
    latin = Profile(code_page="cp437", code_page_number=0)
    drawn = draw_slip(to_slip(render([Text(text="Привет, мир")], latin), latin))
    typed = draw_slip(to_slip(render([Text(text="Привет, мир")], PROFILE_80MM), PROFILE_80MM))
    assert drawn.size == typed.size
    assert drawn.tobytes() == typed.tobytes()


def test_only_the_lines_that_need_it_are_drawn() -> None:
    """A slip in Kazakh with Russian lines stays short."""
    data = render([Text(text=RUSSIAN), Text(text="Ұпай"), Text(text=RUSSIAN)], PROFILE_80MM)
    kinds = [type(element) for element in elements(data) if isinstance(element, TextRun | Raster)]
    assert kinds == [TextRun, Raster, TextRun]


def test_neighbouring_drawn_lines_are_one_picture_in_slices_of_256_rows() -> None:
    """Cheap printers stop at 256 rows; 40 lines take five slices."""
    data = render([Text(text=f"Ұпай {number}") for number in range(40)], PROFILE_80MM)
    rasters = [element for element in of_kind(data, Raster) if isinstance(element, Raster)]
    assert [raster.rows for raster in rasters] == [SLICE_ROWS] * 4 + [40 * 30 - 4 * SLICE_ROWS]
    assert all(raster.row_bytes <= 72 for raster in rasters)


def test_a_drawn_line_is_only_as_wide_as_its_ink() -> None:
    """White to the right of it is not sent."""
    (raster,) = of_kind(render([Text(text="Ұпай")], PROFILE_80MM), Raster)
    assert isinstance(raster, Raster)
    assert raster.row_bytes == 6


@pytest.mark.parametrize("align", ["left", "center", "right"])
@pytest.mark.parametrize("text", ["abc", "Ұпай"])
def test_a_line_stands_where_it_should_typed_or_drawn(align: str, text: str) -> None:
    """The ink's place tells."""
    image = draw_slip(to_slip(render([Text(text=text, align=align)], PROFILE_58MM), PROFILE_58MM))  # type: ignore[arg-type]  # a parameter
    left, _, right, _ = Image.eval(image.convert("L"), lambda grey: 255 - grey).getbbox() or (0, 0, 0, 0)
    gaps = (left - 16, 384 + 16 - right)
    if align == "left":
        assert gaps[0] < 8 < gaps[1]
    elif align == "right":
        assert gaps[1] < 8 < gaps[0]
    else:
        assert abs(gaps[0] - gaps[1]) <= 16


def test_bold_and_double_are_switched_off_again() -> None:
    """The next line is plain."""
    data = render([Text(text="A", bold=True, double=True, align="center"), Text(text="b", bold=True), Text(text="c")],
                  PROFILE_80MM)  # fmt: skip
    styles = [run.style for run in of_kind(data, TextRun) if isinstance(run, TextRun)]
    assert [(s.bold, s.width, s.height, s.align) for s in styles] == [
        (True, 2, 2, "center"),
        (True, 1, 1, "left"),
        (False, 1, 1, "left"),
    ]


def test_a_qr_code_is_native_within_a_white_margin_of_four_modules() -> None:
    """85 bytes against 3.4 KB; 80 mm leaves room left and right."""
    data = render([QrCode(data="https://example.org/m/0123456789", correction="Q")], PROFILE_80MM)
    (code,) = of_kind(data, Qr)
    assert isinstance(code, Qr)
    assert (code.data, code.level, code.style.align) == (b"https://example.org/m/0123456789", "Q", "center")
    assert len(data) < 130
    side = 33 * code.module_dots
    assert (576 - side) // 2 >= 4 * code.module_dots
    assert data.count(b"\n") == 2
    assert code.module_dots * 4 <= 30


@pytest.mark.parametrize("profile", [PROFILE_80MM, PROFILE_58MM, Profile(native_qr=False)])
@pytest.mark.parametrize("length", [1, 20, 120, 300])
def test_qr_codes_are_read_back_from_the_picture(profile: Profile, length: int) -> None:
    """By an independent reader, native or drawn, short or long, at both widths."""
    zxingcpp = pytest.importorskip("zxingcpp")
    text = ("Карта-0123456789-" * 40)[:length]
    image = draw_slip(to_slip(render([Text(text="Ұ"), QrCode(data=text), Text(text="b")], profile), profile))
    assert [found.text for found in zxingcpp.read_barcodes(image.convert("L"))] == [text]


@pytest.mark.parametrize(
    ("block", "text"),
    [
        (Barcode(data="4600682000013", symbology="ean13"), "4600682000013"),
        (Barcode(data="460068200001", symbology="ean13"), "4600682000013"),
        (Barcode(data="2200123456"), "2200123456"),
        (Barcode(data="AB-12{x}", print_text=False), "AB-12{x}"),
        (Barcode(data="16041605"), "16041605"),
    ],
)
@pytest.mark.parametrize("profile", [PROFILE_80MM, PROFILE_58MM])
def test_barcodes_are_read_back_from_the_picture(block: Barcode, text: str, profile: Profile) -> None:
    """By an independent reader."""
    zxingcpp = pytest.importorskip("zxingcpp")
    image = draw_slip(to_slip(render([block], profile), profile))
    assert [found.text for found in zxingcpp.read_barcodes(image.convert("L"))] == [text]


@pytest.mark.parametrize(
    "block",
    [
        QrCode(data=""),
        QrCode(data="x" * 3_000),
        QrCode(data="x" * 1_500),
        Barcode(data="4600682000014", symbology="ean13"),
        Barcode(data="46006820", symbology="ean13"),
        Barcode(data="Ж"),
        Barcode(data=""),
        Barcode(data="x" * 61),
        Barcode(data="x" * 40),
    ],
)
def test_a_code_that_no_paper_holds_is_refused(block: Block) -> None:
    """RenderError says what was expected; nothing wrong is printed."""
    with pytest.raises(RenderError, match="expected"):
        render([block], PROFILE_58MM)


def test_a_slip_without_end_is_refused() -> None:
    """A template in a loop."""
    with pytest.raises(RenderError, match=str(BLOCK_LIMIT)):
        render([Break()] * (BLOCK_LIMIT + 1), PROFILE_80MM)


def test_the_cut_and_the_drawer_follow_the_settings() -> None:
    """A printer without a knife feeds to its tear bar."""
    assert of_kind(render([Cut()], PROFILE_80MM), CutPaper)
    without = render([Cut()], Profile(cut=False))
    assert not of_kind(without, CutPaper)
    assert without.endswith(b"\x1bd\x06")
    assert of_kind(render([Cut()], Profile(drawer=True)), Pulse)
    assert not of_kind(render([Cut()], PROFILE_80MM), Pulse)


@settings(max_examples=60, deadline=None)
@given(
    text=st.text(alphabet=st.characters(codec="utf-8"), max_size=80),
    right=st.text(alphabet=st.characters(codec="utf-8"), max_size=20),
    page=st.sampled_from(sorted(CODE_PAGES)),
    columns=st.sampled_from([32, 42, 48]),
)
def test_no_text_can_speak_to_the_printer(text: str, right: str, page: str, columns: int) -> None:
    """The interpreter finds our own commands and letters, nothing unknown, and no cut, drawer or status request."""
    profile = Profile(code_page=page, code_page_number=CODE_PAGES[page], columns=columns)
    data = render([Text(text=text), Pair(left=text, right=right), Rule(symbol=text)], profile)
    found = elements(data)
    assert {type(element).__name__ for element in found} <= {"Reset", "TextRun", "Feed", "Raster"}
    assert not any(isinstance(element, Unknown) for element in found)
    for element in found:
        if isinstance(element, Raster):
            assert not any(code in element.data for code in REAL_TIME_CODES)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"width_dots": 100}, "width_dots"),
        ({"width_dots": 577}, "width_dots"),
        ({"columns": 5}, "columns"),
        ({"code_page": "utf-8"}, "code_page: expected one of cp437"),
        ({"code_page_number": 256}, "code_page_number"),
    ],
)
def test_a_profile_that_fits_no_printer_is_refused(change: dict[str, int | str], message: str) -> None:
    """SettingsError names the key."""
    with pytest.raises(SettingsError, match=message):
        Profile(**change)  # type: ignore[arg-type]  # the wrong values are the point


def test_a_preview_is_written_and_returned(tmp_path: Path) -> None:
    """PNG of the real bytes, as wide as the paper with its edges."""
    path = tmp_path / "slip.png"
    picture = to_png([Text(text=RUSSIAN)], PROFILE_58MM, path)
    assert path.read_bytes() == picture
    with Image.open(path) as image:
        assert (image.format, image.mode, image.width) == ("PNG", "1", 384 + 32)


def test_text_for_cash_software_and_print_break_alike() -> None:
    """Both come from the same lines."""
    slip: list[Block] = [Text(text=RUSSIAN * 3), Pair(left=RUSSIAN, right="1,00", separator=".")]
    assert to_slip(render(slip, PROFILE_58MM), PROFILE_58MM).text() == to_text(slip, 32)


def test_importing_the_drivers_loads_neither_escpos_nor_pillow() -> None:
    """The daemon starts without them."""
    code = (
        "import sys, till_drivers.printers, till_drivers.spool, till_drivers.spool_worker;"
        "sys.exit(any(name in sys.modules for name in ('escpos', 'PIL', 'qrcode', 'serial', 'sqlite_utils')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_making_a_slip_leaves_nothing_behind(tmp_path: Path) -> None:
    """python-escpos leaves a directory and a log handler at import, and prints; none of that reaches the daemon."""
    code = (
        "import logging\n"
        "from till_drivers.blocks import Barcode, QrCode, Text\n"
        "from till_drivers.printers import PROFILE_80MM, render\n"
        "render([Text(text='Ұ'), QrCode(data='x'), Barcode(data='12')], PROFILE_80MM)\n"
        "raise SystemExit(len(logging.root.handlers))\n"
    )
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert list(tmp_path.iterdir()) == []
