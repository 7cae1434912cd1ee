"""QR codes and barcodes on paper, read back by two readers that are not ours: zxing-cpp and zbar."""

import pytest
from PIL import Image

from till_drivers.blocks import Barcode, Block, Cut, QrCode, Text
from till_drivers.preview import to_slip
from till_drivers.printers import Profile, render
from till_drivers.simulators.escpos_elements import Qr, Raster
from till_drivers.simulators.escpos_interpreter import Interpreter
from till_drivers.simulators.paper import Slip
from till_drivers.simulators.picture import CUT_DOTS, EDGE_DOTS, draw_slip

zxingcpp = pytest.importorskip("zxingcpp")
pyzbar = pytest.importorskip("pyzbar.pyzbar", exc_type=ImportError)

WIDTHS = {384: 32, 512: 42, 576: 48, 832: 69}
"""58 mm, 80 mm of printers with 42 letters, 80 mm, 112 mm."""
MARGIN_MODULES = 4
"""What the standard asks for; not taken from the code, which might be wrong."""
TEXT = "TSW1.eyJtZW1iZXIiOiJtLTAxMjM0NTY3ODkiLCJleHAiOjE3OTU0MzIxMDB9.c2lnbmF0dXJlLW9mLTY0LWJ5dGVz" * 4


def paper(width_dots: int, *, native: bool = True) -> Profile:
    return Profile(width_dots=width_dots, columns=WIDTHS[width_dots], native_qr=native)


def printed(block: Block, profile: Profile) -> Image.Image:
    slip = to_slip(render([Text(text="Ұпай"), block, Text(text="Спасибо!"), Cut()], profile), profile)
    return draw_slip(slip).convert("L")


def read(image: Image.Image) -> tuple[list[str], list[str]]:
    """By zxing-cpp, by zbar."""
    return [each.text for each in zxingcpp.read_barcodes(image)], [each.data.decode() for each in pyzbar.decode(image)]


@pytest.mark.parametrize("native", [True, False])
@pytest.mark.parametrize("width_dots", WIDTHS)
@pytest.mark.parametrize(("length", "correction"), [(1, "H"), (24, "M"), (90, "Q"), (200, "L"), (300, "M")])
def test_qr_codes_of_all_sizes_are_read_by_both(length: int, correction: str, width_dots: int, native: bool) -> None:
    """Between lines of text, at each width of paper, drawn by the printer or by us."""
    block = QrCode(data=TEXT[:length], correction=correction)  # type: ignore[arg-type]  # a row of the table
    assert read(printed(block, paper(width_dots, native=native))) == ([block.data], [block.data])


@pytest.mark.parametrize("native", [True, False])
@pytest.mark.parametrize("text", ["Қарта № 1", "Їжак", "Ҷ 5 ₸", "日本"])
def test_a_qr_code_holds_any_letters(text: str, native: bool) -> None:
    """UTF-8, which zxing-cpp takes for what it is; zbar guesses other encodings at times, so it is not asked."""
    (found,) = zxingcpp.read_barcodes(printed(QrCode(data=text), paper(576, native=native)))
    assert bytes(found.bytes).decode() == text


@pytest.mark.parametrize("native", [True, False])
@pytest.mark.parametrize("width_dots", WIDTHS)
@pytest.mark.parametrize("length", [1, 60, 300])
def test_four_modules_around_a_qr_code_are_white(length: int, width_dots: int, native: bool) -> None:
    """Above, below, left and right, counted in dots on paper that is full of letters above and below."""
    profile = paper(width_dots, native=native)
    block = QrCode(data=TEXT[:length])
    full = Text(text="Ж" * profile.columns)
    data = render([full, block, full], profile)
    image = draw_slip(to_slip(data, profile)).convert("L")
    code = next(mark for mark in to_slip(data, profile).marks if isinstance(mark, Qr | Raster))
    ink = _bounds(image, profile)
    finder = _finder_dots(image, ink)
    module = finder // 7
    if isinstance(code, Qr):
        assert module == code.module_dots
    left, top, right, bottom = ink
    margin = MARGIN_MODULES * module
    assert left - EDGE_DOTS >= margin
    assert EDGE_DOTS + width_dots - right >= margin
    inner = image.crop((EDGE_DOTS, CUT_DOTS, EDGE_DOTS + width_dots, image.height - CUT_DOTS))
    for edge in ((0, top - margin - CUT_DOTS, width_dots, top - CUT_DOTS),
                 (0, bottom - CUT_DOTS, width_dots, bottom + margin - CUT_DOTS)):  # fmt: skip
        assert inner.crop(edge).getextrema() == (255, 255)


def _bounds(image: Image.Image, profile: Profile) -> tuple[int, int, int, int]:
    """Where the code stands: ink between the first and the last line of letters."""
    top, bottom = CUT_DOTS + 30, image.height - CUT_DOTS - 30
    middle = image.crop((EDGE_DOTS, top, EDGE_DOTS + profile.width_dots, bottom))
    box = middle.point(lambda grey: 255 - grey).getbbox()
    assert box is not None
    return EDGE_DOTS + box[0], top + box[1], EDGE_DOTS + box[2], top + box[3]


def _finder_dots(image: Image.Image, ink: tuple[int, int, int, int]) -> int:
    """Width of the corner mark, seven modules: the run of black at the code's top left."""
    row = image.crop((ink[0], ink[1], ink[2], ink[1] + 1)).tobytes()
    return len(row) - len(row.lstrip(b"\x00"))


@pytest.mark.parametrize("width_dots", WIDTHS)
@pytest.mark.parametrize(
    "block",
    [
        Barcode(data="4600682000013", symbology="ean13"),
        Barcode(data="2200123456"),
        Barcode(data="GIFT-0042-AB"),
        Barcode(data="2200123456", print_text=False),
    ],
)
def test_barcodes_are_read_by_both(block: Barcode, width_dots: int) -> None:
    """At each width of paper, with the number below or without."""
    if width_dots == 384 and len(block.data) > 11 and block.symbology == "code128":
        block = Barcode(data=block.data[:9], print_text=block.print_text)
    assert read(printed(block, paper(width_dots))) == ([block.data], [block.data])


def test_a_slip_with_all_codes_gives_all_of_them() -> None:
    """Three codes on one paper are three codes."""
    profile = paper(576)
    blocks = [QrCode(data="first"), Text(text="Ұпай"), Barcode(data="2200123456"), QrCode(data="third"), Cut()]
    slip: Slip = to_slip(render(blocks, profile), profile)
    found = read(draw_slip(slip).convert("L"))
    assert [sorted(each) for each in found] == [["2200123456", "first", "third"]] * 2


def test_the_printer_is_told_to_draw_it_or_is_sent_dots() -> None:
    """85 bytes against some thousand."""
    block = QrCode(data="https://example.org/m/0123456789")
    native, drawn = (render([block], paper(576, native=native)) for native in (True, False))
    assert any(isinstance(element, Qr) for element in Interpreter().feed(native))
    assert any(isinstance(element, Raster) for element in Interpreter().feed(drawn))
    assert len(native) * 20 < len(drawn)
