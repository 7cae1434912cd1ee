"""The shop's own picture: a PNG from the printer's settings, made into dots once and kept.

Whatever is wrong with the file, slips go out without it and the log says why, once. `check` says it beforehand.
"""

import functools
import logging
import os
import stat
import struct
from pathlib import Path

from till_drivers.exceptions import RenderError
from till_drivers.printers.profile import Profile
from till_drivers.printers.raster import Picture, of_image

log = logging.getLogger(__name__)

FILE_LIMIT = 2 << 20
"""Bytes of the file: a logo of paper width has some thousand."""
PIXEL_LIMIT = 4_000_000
"""Points of the picture: 16 MB while it is made into dots, once. A small file can claim any number of them."""
SIDE_LIMIT = 10_000
"""Points of a side: making one of 4,000,000 smaller took 300 MB."""
HEIGHT_LIMIT_DOTS = 480
"""60 mm of paper; a higher picture is made smaller."""
KEPT = 4
"""Pictures kept: one a printer."""
_HEAD = struct.Struct(">8sI4sII")
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_warned: dict[str, str] = {}


def check(path: str) -> None:
    """Raises RenderError unless `path` is a PNG of a size that can be printed. Reads its head only."""
    found = _stat(path)
    if not stat.S_ISREG(found.st_mode):
        raise RenderError(f"logo {path}: expected a file")
    if found.st_size > FILE_LIMIT:
        raise RenderError(f"logo {path}: expected at most {FILE_LIMIT:,} bytes, not {found.st_size:,}")
    try:
        with Path(path).open("rb") as file:
            head = file.read(_HEAD.size)
    except OSError as exc:
        raise RenderError(f"logo {path}: expected a readable PNG: {exc}") from exc
    if len(head) < _HEAD.size or not head.startswith(_SIGNATURE):
        raise RenderError(f"logo {path}: expected a PNG")
    _, _, kind, wide, high = _HEAD.unpack(head)
    if kind != b"IHDR" or not wide or not high:
        raise RenderError(f"logo {path}: expected a PNG with a picture in it")
    _bound(path, wide, high)


def _bound(path: str, wide: int, high: int) -> None:
    if wide * high > PIXEL_LIMIT or max(wide, high) > SIDE_LIMIT:
        raise RenderError(
            f"logo {path}: expected at most {PIXEL_LIMIT:,} points, {SIDE_LIMIT:,} on a side, not {wide} x {high}"
        )


def warn_beforehand(path: str) -> None:
    """Log what is wrong with the file when the agent starts, not when the first slip lacks it."""
    try:
        check(path)
    except RenderError as exc:
        _warn(path, str(exc))


def picture(profile: Profile) -> Picture | None:
    """The logo for this paper; None when there is none, or none that can be printed, which is logged once."""
    if not profile.logo:
        return None
    try:
        found = _stat(profile.logo)
        drawn = _draw(profile.logo, found.st_mtime_ns, found.st_size, profile.width_dots)
    except RenderError as exc:
        _warn(profile.logo, str(exc))
        return None
    _warned.pop(profile.logo, None)
    return drawn


def _stat(path: str) -> os.stat_result:
    try:
        return Path(path).stat()
    except (OSError, ValueError) as exc:
        raise RenderError(f"logo {path}: expected a readable PNG: {exc}") from exc


def _warn(path: str, said: str) -> None:
    if _warned.get(path) != said:
        _warned[path] = said
        log.warning("slips are printed without their logo: %s", said)


@functools.lru_cache(maxsize=KEPT)
def _draw(path: str, _changed_ns: int, _size: int, width_dots: int) -> Picture:
    from PIL import Image

    check(path)
    try:
        with Image.open(path, formats=("PNG",)) as image:
            _bound(path, image.width, image.height)  # a second head in the file, which counts for Pillow
            # 16 bits of grey: `convert` alone makes nearly all of them white.
            shallow = image.point(lambda grey: grey / 257).convert("L") if image.mode.startswith("I") else image
            coloured = shallow.convert("RGBA")
        white = Image.new("RGBA", coloured.size, "white")
        grey = Image.alpha_composite(white, coloured).convert("L")
        share = min(1.0, width_dots / grey.width, HEIGHT_LIMIT_DOTS / grey.height)
        if share < 1:
            size = (max(1, round(grey.width * share)), max(1, round(grey.height * share)))
            grey = grey.resize(size, Image.Resampling.LANCZOS)
        canvas = Image.new("L", ((grey.width + 7) // 8 * 8, grey.height), 255)  # whole bytes: centring does not shear
        canvas.paste(grey, ((canvas.width - grey.width) // 2, 0))
        return of_image(canvas.convert("1"))
    except RenderError:
        raise
    except Exception as exc:  # whatever Pillow makes of a file that is not what it claims to be; slips go without it
        raise RenderError(f"logo {path}: expected a sound PNG: {exc}") from exc
