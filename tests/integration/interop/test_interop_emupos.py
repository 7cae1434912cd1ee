"""Our slips read by an interpreter of ESC/POS that is not ours: emupos, from PyPI."""

import io
import itertools
import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from PIL import Image

from integration.interop.interop_kit import read_by_emupos
from till_drivers.blocks import Barcode, Block, Cut, Pair, QrCode, Rule, Text
from till_drivers.blocks import Image as ImageBlock
from till_drivers.printers import Profile, render, to_text
from till_drivers.simulators.escpos_elements import Raster, Style
from unit.drivers_printers.letters_kit import CELL, HEIGHT, cells, font_rows, profile, read_cell

SLIPS: dict[str, list[Block]] = {
    "Russian": [Text(text="Магазин у дома", align="center", bold=True), Pair(left="Начислено", right="12,50 ₽")],
    "Kazakh": [Text(text="Қош келдіңіз!", align="center", bold=True), Pair(left="Ұпай есептелді", right="12,50 ₸")],
    "Kyrgyz": [Text(text="Кош келиңиз!", align="center"), Pair(left="Өткөн упай", right="12,50 \u20c0")],
    "Ukrainian": [Text(text="Ґанок, їжа і єство", align="right"), Pair(left="Нараховано", right="12,50 ₴")],
    "Uzbek": [
        Text(text="O\u02bbzbekiston, g\u02bboyat", align="center"),
        Pair(left="Ҳисобланди, ўн", right="12,50 so\u02bbm"),
    ],
    "Tajik": [
        Text(text="Хуш омадед, ҷаноби ӯ", align="center"),
        Pair(left="Ҳисоб шуд, ғайра, ӣ", right="12,50 сомонӣ"),
    ],
}
PAGES = ("cp866", "cp1251", "cp1125", "kz1048", "cp437")
WIDTHS = (384, 576)
pytestmark = pytest.mark.timeout(180)
ENTRY = re.compile(r"\[image (\d+)x(\d+)\]")


def _blocks(language: str) -> list[Block]:
    return [*SLIPS[language], Rule(), Pair(left="ID", right="***0019"), Text(text="Thank you")]


def _read(text: str, png: bytes, alphabet: str) -> list[tuple[str, bool]]:
    """Its lines, and whether each was drawn: typed ones from its text, drawn ones from the dots of its picture."""
    with Image.open(io.BytesIO(png)) as image:
        paper = Image.new("1", (image.width, image.height + 4 * HEIGHT), 1)
        paper.paste(image, (0, 0))
    lines: list[tuple[str, bool]] = []
    top = 0
    for entry in text.splitlines():
        found = ENTRY.fullmatch(entry)
        if found is None:
            lines.append((entry.strip(), False))
            top += HEIGHT
            continue
        high = int(found[2])
        wide = -(-int(found[1]) // (2 * CELL)) * 2 * CELL  # whole cells and whole bytes
        piece = Image.new("1", (wide, high), 1)
        piece.paste(paper.crop((0, top, min(wide, paper.width), top + high)), (0, 0))
        data = piece.tobytes("raw", "1;I")
        raster = Raster(data, wide // 8, high, 1, 1, Style())
        lines += [(_letters(line, alphabet), True) for line in cells(raster)]
        top += high
    return lines


def _letters(line: list[tuple[int, ...]], alphabet: str) -> str:
    """A drawn line; one in the middle of the paper may begin half a cell from where the cells do."""
    read = "".join(_letter(cell, alphabet) for cell in line).strip()
    if "\ufffd" not in read:
        return read
    half, rest = CELL // 2, (1 << CELL // 2) - 1
    moved = [
        tuple((here & rest) << half | there >> half for here, there in zip(cell, after, strict=True))
        for cell, after in itertools.pairwise([*line, (0,) * HEIGHT])
    ]
    return "".join(_letter(cell, alphabet) for cell in moved).strip()


def _letter(cell: tuple[int, ...], alphabet: str) -> str:
    return read_cell(cell, alphabet) or read_cell(cell, alphabet, bold=True) or "\ufffd"


def _fold(text: str, alphabet: str) -> str:
    """Each letter as the first of the alphabet that looks the same."""
    first = {font_rows(letter): letter for letter in reversed(alphabet)}
    return "".join(first.get(font_rows(letter), letter) for letter in text)


def test_the_text_of_a_slip_is_the_same_in_every_language_on_every_code_page_and_paper() -> None:
    """60 slips: what another's interpreter reads is what cash software is given as plain text, letter by letter."""
    cases = [(language, page, width) for language in SLIPS for page in PAGES for width in WIDTHS]
    jobs = [
        {"data": render(_blocks(language), profile(page, width)).hex(), "width_dots": width}
        for language, page, width in cases
    ]
    drawn = 0
    for (language, page, width), found in zip(cases, read_by_emupos(jobs), strict=True):
        # Its text leaves out the spaces by which a typed line is centred; its picture has them.
        plain = [line.strip() for line in to_text(_blocks(language), width // CELL).splitlines()]
        alphabet = "".join(sorted(set("".join(plain)) - {" "}))
        said = _read(found["text"], bytes.fromhex(found["png"]), alphabet)
        # A Latin letter that is drawn as a Cyrillic one can't be told from it by its dots.
        wanted = [
            (_fold(line, alphabet) if is_drawn else line, is_drawn)
            for line, (_, is_drawn) in zip(plain, said, strict=True)
        ]
        assert said == wanted, (language, page, width)
        assert (found["unknown"], found["rest"]) == ([], "")
        drawn += "[image" in found["text"]
    assert 20 < drawn < len(cases)


@pytest.mark.parametrize("paper", [Profile(), Profile(width_dots=384, columns=32)])
@pytest.mark.parametrize("native", [True, False])
def test_codes_are_read_from_its_picture_by_two_readers(paper: Profile, native: bool) -> None:
    """QR by zxing-cpp and by zbar, EAN-13 and Code 128 too."""
    zxingcpp = pytest.importorskip("zxingcpp")
    pyzbar = pytest.importorskip("pyzbar.pyzbar", exc_type=ImportError)
    printer = Profile(width_dots=paper.width_dots, columns=paper.columns, native_qr=native)
    codes: Sequence[Block] = [
        QrCode(data="https://example.org/m/0123456789", correction="Q"),
        Barcode(data="4600682000013", symbology="ean13"),
        Barcode(data="2200123456"),
    ]
    slips = [render([Text(text="a"), code, Text(text="b"), Cut()], printer) for code in codes]
    jobs = [{"data": slip.hex(), "width_dots": paper.width_dots} for slip in slips]
    for code, found in zip(codes, read_by_emupos(jobs), strict=True):
        with Image.open(io.BytesIO(bytes.fromhex(found["png"]))) as image:
            whole = Image.new("L", (image.width + 80, image.height + 80), 255)  # the paper's own edges
            whole.paste(image.convert("L"), (40, 40))
        assert [each.text for each in zxingcpp.read_barcodes(whole)] == [code.data]  # type: ignore[union-attr]  # all have
        assert [each.data.decode() for each in pyzbar.decode(whole)] == [code.data]  # type: ignore[union-attr]  # the same
        assert (found["unknown"], found["cuts"], found["rest"]) == ([], 1, "")


def test_a_logo_and_a_density_do_not_confuse_it(tmp_path: Path) -> None:
    """A picture in the middle; what it does not simulate is skipped as a whole, with not one letter printed of it."""
    path = tmp_path / "logo.png"
    Image.new("1", (200, 80)).save(path)
    printer = Profile(logo=str(path), density=3)
    (found,) = read_by_emupos(
        [{"data": render([ImageBlock(), Text(text="a"), Cut()], printer).hex(), "width_dots": 576}]
    )
    assert found["text"] == "[image 200x80]\na\n"
    assert [event["bytes"] for event in found["unknown"]] == ["1d 28 4b 02 00 31 03"]
    with Image.open(io.BytesIO(bytes.fromhex(found["png"]))) as image:
        assert image.crop((188, 0, 388, 80)).getextrema() == (0, 0)
