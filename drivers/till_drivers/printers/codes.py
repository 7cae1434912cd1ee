"""QR codes and barcodes as the printer draws them itself; as dots where it can't."""

from typing import Any

from till_drivers.blocks import Barcode, QrCode
from till_drivers.exceptions import RenderError
from till_drivers.printers.profile import LINE_DOTS, REAL_TIME_CODES, Profile
from till_drivers.printers.raster import commands, of_image
from till_drivers.printers.text import clean

QR_MARGIN_MODULES = 4
"""White around a QR code on each side, as its standard asks; cameras fail on less."""
QR_LARGEST_MODULE_DOTS = 6
"""0.75 mm: easily read by any phone; more wastes paper."""
QR_SMALLEST_MODULE_DOTS = 3
"""0.375 mm: the least that hand scanners read from thermal paper."""
BARCODE_HEIGHT_DOTS = 64
BARCODE_QUIET_MODULES = 20
"""White left and right of a barcode, both together."""
BARCODE_DATA_LIMIT = 60
"""Longer ones fit no receipt."""
_LEVELS = {"L": 0, "M": 1, "Q": 2, "H": 3}


def qr(dummy: Any, block: QrCode, profile: Profile) -> None:
    """Print the code in the middle, as large as fits. The job is centred already.

    Raises RenderError when the data is empty or too long for the paper.
    """
    data = clean(block.data)
    if not data:
        raise RenderError("expected data for a QR code, not ''")
    code = _code(data, block.correction)
    modules = 17 + 4 * int(code.version)
    size = min(QR_LARGEST_MODULE_DOTS, profile.width_dots // (modules + 2 * QR_MARGIN_MODULES))
    if size < QR_SMALLEST_MODULE_DOTS:
        raise RenderError(f"expected a QR code for {profile.width_dots} dots, not one of {modules} modules")
    margin_lines = -(-QR_MARGIN_MODULES * size // LINE_DOTS)
    raw = dummy._raw  # noqa: SLF001  # python-escpos' own documented way to send bytes
    raw(b"\n" * margin_lines)
    # A code of 1,037 bytes has DLE EOT for its length, which printers would answer in the middle of it.
    if profile.native_qr and _length(data) not in REAL_TIME_CODES:
        dummy.qr(data, ec=_LEVELS[block.correction], size=size, native=True)
    else:
        raw(_drawn(code, size))
    raw(b"\n" * margin_lines)


def _length(data: str) -> bytes:
    """The length field of `GS ( k` that stores `data`: three bytes of the command's own are counted in."""
    return (len(data.encode()) + 3).to_bytes(2, "little")


def _code(data: str, correction: str) -> Any:
    """The code with its version chosen. Bytes mode, as printers use: the version is never less than theirs."""
    from qrcode.constants import (  # type: ignore[import-untyped]  # comes with python-escpos, has no types
        ERROR_CORRECT_H,
        ERROR_CORRECT_L,
        ERROR_CORRECT_M,
        ERROR_CORRECT_Q,
    )
    from qrcode.exceptions import DataOverflowError  # type: ignore[import-untyped]  # the same
    from qrcode.main import QRCode  # type: ignore[import-untyped]  # the same
    from qrcode.util import MODE_8BIT_BYTE, QRData  # type: ignore[import-untyped]  # the same

    levels = {"L": ERROR_CORRECT_L, "M": ERROR_CORRECT_M, "Q": ERROR_CORRECT_Q, "H": ERROR_CORRECT_H}
    code = QRCode(error_correction=levels[correction], border=0)
    try:
        piece = QRData(data.encode(), mode=MODE_8BIT_BYTE)  # pyright: ignore[reportArgumentType]  # its stub is wrong
        code.add_data(piece, optimize=0)
        code.best_fit(start=1)
    except (DataOverflowError, ValueError) as exc:
        raise RenderError(f"expected data that a QR code can hold, not {len(data.encode())} bytes") from exc
    return code


def _drawn(code: Any, size: int) -> bytes:
    """`code` as a picture."""
    from PIL import Image

    code.make(fit=False)
    modules = len(code.modules)
    image = Image.frombytes("L", (modules, modules), bytes(0 if dark else 255 for row in code.modules for dark in row))
    side = (modules * size + 7) // 8 * 8  # whole bytes, so that centring does not shear
    canvas = Image.new("1", (side, modules * size), 1)
    canvas.paste(image.resize((modules * size, modules * size), Image.Resampling.NEAREST), (0, 0))
    return commands(of_image(canvas))


def barcode(dummy: Any, block: Barcode, profile: Profile) -> None:
    """Print the code in the middle. Raises RenderError for data that the symbology can't hold, or too much of it.

    python-escpos' own `barcode` prints to stdout and would end the daemon's JSON log; its constants are used instead.
    """
    from escpos import constants

    data = clean(block.data)
    if not 1 <= len(data) <= BARCODE_DATA_LIMIT:
        raise RenderError(f"expected 1 to {BARCODE_DATA_LIMIT} characters for a barcode, not {len(data)}")
    kind, payload, modules = _ean13(data) if block.symbology == "ean13" else _code128(data)
    size = 3 if (modules + BARCODE_QUIET_MODULES) * 3 <= profile.width_dots else 2
    if (modules + BARCODE_QUIET_MODULES) * size > profile.width_dots:
        raise RenderError(f"expected a barcode for {profile.width_dots} dots, not one of {modules} modules")
    dummy._raw(  # noqa: SLF001  # python-escpos' own documented way to send bytes
        b"".join(
            (
                constants.BARCODE_HEIGHT + bytes((BARCODE_HEIGHT_DOTS,)),
                constants.BARCODE_WIDTH + bytes((size,)),
                constants.BARCODE_FONT_A,
                constants.BARCODE_TXT_BLW if block.print_text else constants.BARCODE_TXT_OFF,
                constants.BARCODE_TYPES["B"][kind] + bytes((len(payload),)) + payload,
                b"\n",
            )
        )
    )


def _ean13(data: str) -> tuple[str, bytes, int]:
    if not (data.isascii() and data.isdigit()) or len(data) not in (12, 13):
        raise RenderError("expected 12 or 13 digits for EAN-13")
    check = str(-sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(data[:12])) % 10)
    if len(data) == 13 and data[12] != check:
        raise RenderError(f"expected the check digit {check} for this EAN-13, not {data[12]}")
    return "EAN13", (data[:12] + check).encode(), 95


def _code128(data: str) -> tuple[str, bytes, int]:
    if not data.isascii():
        raise RenderError("expected ASCII for Code 128")
    if data.isdigit() and len(data) % 2 == 0:
        pairs = bytes(int(data[place : place + 2]) for place in range(0, len(data), 2))
        if not any(code in pairs for code in REAL_TIME_CODES):
            return "CODE128", b"{C" + pairs, 11 * (len(pairs) + 2) + 13
    return "CODE128", b"{B" + data.replace("{", "{{").encode(), 11 * (len(data) + 2) + 13
