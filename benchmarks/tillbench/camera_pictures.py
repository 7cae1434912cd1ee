"""Pictures of codes as a cheap camera sees them, from a seed: other people's encoders, and our own ways to spoil them.

A code is drawn large, put on a card in a scene three times as fine as the picture, spoiled there by what spoils light
(angle, motion, lens, a screen's grid) and after that by what spoils the sensor's numbers (contrast, noise).
"""

from collections.abc import Callable
from dataclasses import dataclass

import barcode
import cv2
import numpy as np
import segno
import zint
from numpy.typing import NDArray

Gray = NDArray[np.uint8]
Rng = np.random.Generator

WIDTH, HEIGHT = 640, 480
"""What a cheap camera gives unless it is asked for more."""
FINER = 3
"""How much finer the scene is than the picture."""
PAPER, INK, TABLE = 225, 35, 120
QUIET_2D, QUIET_1D = 4, 10
"""Modules of white margin that the symbologies ask for."""
BAR_MODULES = 28
"""How high bars are."""


@dataclass(frozen=True)
class Code:
    """A symbology, what was encoded, and its modules: True is ink."""

    symbology: str
    text: str
    modules: NDArray[np.bool_]
    module_px: tuple[float, float]
    """Pixels of a module in the picture: from hardly enough to plenty."""


def _digits(rng: Rng, count: int) -> str:
    return "".join(str(each) for each in rng.integers(0, 10, count))


def _zint(symbology: zint.Symbology, text: str) -> NDArray[np.bool_]:
    symbol = zint.Symbol()
    symbol.symbology = symbology
    symbol.show_hrt = False
    symbol.scale = 1
    symbol.encode(text)
    symbol.buffer()
    drawn = np.asarray(symbol.bitmap)
    return (drawn[::2, ::2, 0] if drawn.ndim == 3 else drawn[::2, ::2]) < 128


def _bars(name: str, text: str) -> NDArray[np.bool_]:
    line = "".join(barcode.get_barcode_class(name)(text).build())
    return np.tile(np.array([each == "1" for each in line]), (BAR_MODULES, 1))


def _qr(rng: Rng) -> Code:
    text = f"TSW1.{_digits(rng, 24)}.{_digits(rng, 40)}"
    return Code("QR", text, np.array(segno.make_qr(text, error="m").matrix, dtype=bool), (1.6, 5.0))


def _pdf417(rng: Rng) -> Code:
    text = f"29{_digits(rng, 14)}"
    return Code("PDF417", text, _zint(zint.Symbology.PDF417, text), (1.1, 3.2))


def _aztec(rng: Rng) -> Code:
    text = f"29{_digits(rng, 30)}"
    return Code("Aztec", text, _zint(zint.Symbology.AZTEC, text), (1.8, 6.0))


def _datamatrix(rng: Rng) -> Code:
    text = f"29{_digits(rng, 30)}"
    return Code("DataMatrix", text, _zint(zint.Symbology.DATAMATRIX, text), (1.8, 6.0))


def _code128(rng: Rng) -> Code:
    text = f"29{_digits(rng, 11)}"
    return Code("Code128", text, _bars("code128", text), (1.0, 3.0))


def _ean13(rng: Rng) -> Code:
    text = str(barcode.get_barcode_class("ean13")(f"29{_digits(rng, 10)}").get_fullcode())
    return Code("EAN-13", text, _bars("ean13", text), (1.0, 3.2))


CODES: dict[str, Callable[[Rng], Code]] = {
    "QR": _qr,
    "PDF417": _pdf417,
    "Aztec": _aztec,
    "DataMatrix": _datamatrix,
    "Code128": _code128,
    "EAN-13": _ean13,
}


def _card(code: Code) -> Gray:
    """The code on white, eight pixels a module."""
    flat = code.symbology in {"Code128", "EAN-13"}
    quiet = QUIET_1D if flat else QUIET_2D
    padded = np.pad(code.modules, ((QUIET_2D, QUIET_2D), (quiet, quiet)))
    drawn = np.where(padded, INK, PAPER).astype(np.uint8)
    return np.repeat(np.repeat(drawn, 8, axis=0), 8, axis=1)


def _scene(card: Gray, module_px: float, turn: float, tilt: NDArray[np.float64], rng: Rng) -> Gray:
    """The card on a table with a gradient of light, FINER times as fine as the picture."""
    height, width = card.shape
    scale = module_px * FINER / 8
    half = np.array([width, height]) * scale / 2
    square = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * half * (1 + tilt)
    spin = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    centre = np.array([WIDTH, HEIGHT]) * FINER / 2 + rng.uniform(-20, 20, 2) * FINER
    target = (square @ spin + centre).astype(np.float32)
    source = np.array([[0, 0], [width, 0], [width, height], [0, height]], dtype=np.float32)
    size = (WIDTH * FINER, HEIGHT * FINER)
    slope = np.linspace(rng.uniform(-25, 0), rng.uniform(0, 25), size[0])
    table = np.tile((TABLE + slope).astype(np.uint8), (size[1], 1))
    matrix = cv2.getPerspectiveTransform(source, target)
    return cv2.warpPerspective(card, matrix, size, table, cv2.INTER_AREA, cv2.BORDER_TRANSPARENT)


def _take(scene: Gray) -> Gray:
    return cv2.resize(scene, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)


def _noisy(gray: Gray, sigma: float, rng: Rng) -> Gray:
    return np.clip(gray + rng.normal(0, sigma, gray.shape), 0, 255).astype(np.uint8)


def _faded(gray: Gray, contrast: float) -> Gray:
    return np.clip((gray.astype(np.float32) - 128) * contrast + 128, 0, 255).astype(np.uint8)


def _smeared(scene: Gray, length: float, angle: float) -> Gray:
    size = max(3, round(length * FINER) | 1)
    kernel = np.zeros((size, size), np.float32)
    middle = size // 2
    reach = np.array([np.cos(angle), np.sin(angle)]) * middle
    start, end = np.round(middle - reach).astype(int), np.round(middle + reach).astype(int)
    cv2.line(kernel, start.tolist(), end.tolist(), 1.0)
    return cv2.filter2D(scene, -1, kernel / kernel.sum())


def _on_screen(scene: Gray, pitch: float, depth: float) -> Gray:
    """A telephone's grid of pixels, sampled by points as a sensor without a soft lens does: moire."""
    rows, columns = (np.arange(count) for count in scene.shape)
    grid = (1 - depth * (np.cos(2 * np.pi * columns / pitch) > 0.3))[None, :] * (
        1 - depth * (np.cos(2 * np.pi * rows / pitch) > 0.3)
    )[:, None]
    lit = np.clip(scene * grid, 0, 255).astype(np.uint8)
    return np.ascontiguousarray(cv2.GaussianBlur(lit, (0, 0), 0.7)[1::FINER, 1::FINER])


@dataclass(frozen=True)
class Picture:
    """What a camera saw, and what stood in it."""

    code: Code
    spoiled: str
    gray: Gray


def _picture(spoiled: str, code: Code, rng: Rng) -> Gray:
    """One picture, spoiled in one way by a strength of chance, beside a little of what no camera is without."""
    low, high = code.module_px
    module_px = float(rng.uniform(low + (high - low) * 0.35, high))
    turn, tilt = float(rng.uniform(-0.06, 0.06)), np.zeros((4, 2))
    strength = float(rng.uniform(0, 1))
    if spoiled == "small":
        module_px = low + (high - low) * 0.35 * strength
    if spoiled == "turned":
        turn = float(rng.uniform(-np.pi, np.pi))
    if spoiled == "tilted":
        tilt = rng.uniform(-0.45, 0.0, (4, 2)) * (0.4 + 0.6 * strength)
    scene = _scene(_card(code), module_px, turn, tilt, rng)
    if spoiled == "blurred":
        scene = cv2.GaussianBlur(scene, (0, 0), FINER * module_px * (0.35 + 0.65 * strength))
    if spoiled == "moved":
        scene = _smeared(scene, module_px * (0.8 + 2.2 * strength), float(rng.uniform(0, np.pi)))
    if spoiled == "screen":
        gray = _on_screen(scene, float(rng.uniform(2.3, 4.8)), 0.35 + 0.45 * strength)
    else:
        gray = _take(cv2.GaussianBlur(scene, (0, 0), 0.35 * FINER))
    if spoiled == "faint":
        gray = _faded(gray, 0.22 - 0.16 * strength)
    return _noisy(gray, 8 + 42 * strength if spoiled == "noisy" else 3, rng)


SPOILED = ("small", "blurred", "moved", "noisy", "faint", "turned", "tilted", "screen")


def pictures(seed: int, each: int, symbology: str) -> list[Picture]:
    """`each` pictures of the symbology for every way of spoiling, no two of one code. The same seed, the same bytes."""
    found = []
    for spoiled in SPOILED:
        for number in range(each):
            rng = np.random.default_rng([seed, list(CODES).index(symbology), SPOILED.index(spoiled), number])
            code = CODES[symbology](rng)
            found.append(Picture(code, spoiled, _picture(spoiled, code, rng)))
    return found


def empty(seed: int, count: int) -> list[Gray]:
    """Scenes with print but without a code: stripes, letters' size of blobs, noise. Whatever is read here is false."""
    found = []
    for number in range(count):
        rng = np.random.default_rng([seed, 99, number])
        width = int(rng.integers(1, 5))
        lines = np.repeat(rng.integers(0, 2, WIDTH // width + 1) * 190 + 35, width)[:WIDTH]
        gray = np.tile(lines.astype(np.float32), (HEIGHT, 1))
        blobs = cv2.resize(rng.uniform(-120, 120, (HEIGHT // 8, WIDTH // 8)).astype(np.float32), (WIDTH, HEIGHT))
        found.append(_noisy(np.clip(gray + blobs * (number % 3), 0, 255).astype(np.uint8), 6, rng))
    return found
