"""Clean pictures of codes by other people's encoders, as grey arrays and as files."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import zint


def drawn(symbology: str, text: str, *, scale: int = 4, gs1: bool = False) -> Any:
    """The code on white, with margins."""
    symbol = zint.Symbol()
    symbol.symbology = getattr(zint.Symbology, symbology)
    symbol.show_hrt = False
    symbol.scale = scale / 2
    if gs1:
        symbol.input_mode = zint.InputMode.GS1
    symbol.encode(text)
    symbol.buffer()
    gray = cv2.cvtColor(np.asarray(symbol.bitmap, dtype=np.uint8), cv2.COLOR_RGB2GRAY)
    return cv2.copyMakeBorder(gray, 60, 60, 60, 60, cv2.BORDER_CONSTANT, value=255)


def png(gray: Any) -> bytes:
    """As a file's bytes."""
    return bytes(cv2.imencode(".png", gray)[1])


def jpeg(gray: Any) -> bytes:
    """As a camera sends it."""
    return bytes(cv2.imencode(".jpg", gray)[1])


def put(path: Path, data: bytes) -> None:
    """Write the whole file at once, as a program that knows of readers does."""
    draft = path.with_name(f".{path.name}")
    draft.write_bytes(data)
    draft.replace(path)
