"""Pictures in the printer's own form: rows of whole bytes, 1 is black, sent as `GS v 0`."""

from typing import TYPE_CHECKING

from msgspec import Struct

from till_drivers.printers.profile import REAL_TIME_CODES, SLICE_ROWS

if TYPE_CHECKING:
    from PIL.Image import Image

RASTER = b"\x1dv0\x00"
_THICKER = b"\x30"
"""What takes the place of 0x10 before EOT, ENQ or DC4: the same lone dot with another to its left."""


class Picture(Struct, frozen=True):
    """`rows` rows of `row_bytes` bytes, the top left dot first."""

    data: bytes
    row_bytes: int
    rows: int


def commands(picture: Picture) -> bytes:
    """The bytes that print it at the left edge or as `ESC a` says, in slices of at most SLICE_ROWS rows."""
    data = harmless(picture.data)
    pieces: list[bytes] = []
    for top in range(0, picture.rows, SLICE_ROWS):
        rows = min(SLICE_ROWS, picture.rows - top)
        sizes = picture.row_bytes.to_bytes(2, "little") + rows.to_bytes(2, "little")
        start = top * picture.row_bytes
        pieces += (RASTER, sizes, data[start : start + rows * picture.row_bytes])
    return b"".join(pieces)


def harmless(data: bytes) -> bytes:
    """`data` without anything that printers obey even inside a picture: one dot (0.125 mm) is added for each such code.

    A dot added can't make another code: 0x30 is neither first nor second byte of any.
    """
    for code in REAL_TIME_CODES:
        if code in data:
            data = data.replace(code, _THICKER + code[1:])
    return data


def of_image(image: "Image") -> Picture:
    """A picture of 1 bit a dot (Pillow's mode 1, 0 is black); white dots fill its rows up to whole bytes."""
    return Picture(image.tobytes("raw", "1;I"), (image.width + 7) // 8, image.height)
