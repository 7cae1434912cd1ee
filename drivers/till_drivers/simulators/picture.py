"""A slip of paper as a picture: what the printer's dots would look like."""

import io
from typing import TYPE_CHECKING

from till_drivers.printers.letters import draw_cells
from till_drivers.printers.profile import LINE_DOTS
from till_drivers.simulators.escpos_elements import Bars, Qr, Raster, Style
from till_drivers.simulators.paper import Mark, Piece, PrintedLine, Slip, Space, barcode_text

if TYPE_CHECKING:
    from PIL.Image import Image

EDGE_DOTS = 16
"""White paper beside what can be printed on."""
CUT_DOTS = 24
"""White paper above the first and below the last line."""


def slip_png(slip: Slip) -> bytes:
    """The slip as PNG, one pixel a dot, black and white."""
    output = io.BytesIO()
    draw_slip(slip).save(output, "PNG", optimize=False)
    return output.getvalue()


def draw_slip(slip: Slip) -> "Image":
    """The slip as a picture of 1 bit a dot."""
    from PIL import Image

    drawn = [_draw(mark, slip) for mark in slip.marks]
    paper = Image.new("1", (slip.width_dots + 2 * EDGE_DOTS, sum(i.height for i, _ in drawn) + 2 * CUT_DOTS), 1)
    top = CUT_DOTS
    for image, style in drawn:
        gap = max(0, slip.width_dots - image.width)
        left = {"left": 0, "center": gap // 2, "right": gap}[style.align]
        if image.width > slip.width_dots:  # printers lose what lies beyond the paper
            image = image.crop((0, 0, slip.width_dots, image.height))  # noqa: PLW2901  # the cut one is what is printed
        paper.paste(image, (EDGE_DOTS + left, top))
        top += image.height
    return paper


def _draw(mark: Mark, slip: Slip) -> "tuple[Image, Style]":
    from PIL import Image

    match mark:
        case PrintedLine():
            return _line(mark, slip.width_dots // slip.columns), mark.style
        case Space():
            return Image.new("1", (1, max(1, mark.dots)), 1), Style()
        case Raster():
            return _raster(mark), mark.style
        case Qr():
            return _qr(mark), mark.style
        case Bars():
            return _bars(mark), mark.style


def _line(line: PrintedLine, cell_dots: int) -> "Image":
    from PIL import Image

    cells = [_piece(piece, cell_dots) for piece in line.pieces]
    image = Image.new("1", (max(1, sum(cell.width for cell in cells)), max(1, line.dots)), 1)
    left = 0
    for cell in cells:
        image.paste(cell, (left, image.height - cell.height))
        left += cell.width
    return image


def _piece(piece: Piece, cell_dots: int) -> "Image":
    style = piece.style
    scale = min(style.width, style.height)
    image = draw_cells(piece.text, cell_dots=cell_dots * scale, height_dots=LINE_DOTS * scale, bold=style.bold)
    if style.width != style.height:
        from PIL import Image

        size = (image.width * style.width // scale, image.height * style.height // scale)
        image = image.resize(size, Image.Resampling.NEAREST)
    if style.underline:
        image.paste(0, (0, image.height - 3, image.width, image.height - 2))
    return image


def _raster(raster: Raster) -> "Image":
    from PIL import Image

    size = (raster.row_bytes * 8, raster.rows)
    image = Image.frombytes("1", size, bytes(byte ^ 0xFF for byte in raster.data))
    if raster.scale_x > 1 or raster.scale_y > 1:
        image = image.resize((size[0] * raster.scale_x, size[1] * raster.scale_y), Image.Resampling.NEAREST)
    return image


def _qr(code: Qr) -> "Image":
    """The code without any margin, as printers draw it: white around it is the sender's business."""
    from PIL import Image
    from qrcode.exceptions import DataOverflowError  # type: ignore[import-untyped]  # comes with python-escpos, untyped
    from qrcode.main import QRCode  # type: ignore[import-untyped]  # the same

    maker = QRCode(error_correction={"L": 1, "M": 0, "Q": 3, "H": 2}[code.level], border=0)
    try:
        maker.add_data(code.data)
        maker.make(fit=True)
    except (DataOverflowError, ValueError):
        return Image.new("1", (1, 1), 1)  # printers print nothing for what no code can hold
    side = len(maker.modules)
    image = Image.frombytes("L", (side, side), bytes(0 if dark else 255 for row in maker.modules for dark in row))
    edge = side * code.module_dots
    return image.resize((edge, edge), Image.Resampling.NEAREST).convert("1")


def _bars(bars: Bars) -> "Image":
    import barcode  # type: ignore[import-untyped]  # comes with python-escpos, untyped
    from barcode.errors import BarcodeError  # type: ignore[import-untyped]  # the same
    from PIL import Image

    text = barcode_text(bars)
    names = {67: "ean13", 68: "ean8", 69: "code39", 73: "code128"}
    try:
        pattern = barcode.get(names[bars.kind], text).build()[0]
    except (KeyError, ValueError, BarcodeError):
        return _line(PrintedLine((Piece(f"[{text}]", Style()),), LINE_DOTS), 12)
    stripes = Image.frombytes("L", (len(pattern), 1), bytes(255 if mark == "0" else 0 for mark in pattern))
    image = stripes.resize((len(pattern) * bars.module_dots, bars.height_dots), Image.Resampling.NEAREST).convert("1")
    if not bars.has_text:
        return image
    label = draw_cells(text, cell_dots=12, height_dots=LINE_DOTS, bold=False)
    whole = Image.new("1", (max(image.width, label.width), image.height + label.height), 1)
    whole.paste(image, ((whole.width - image.width) // 2, 0))
    whole.paste(label, ((whole.width - label.width) // 2, image.height))
    return whole
