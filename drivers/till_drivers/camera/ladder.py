"""What is tried on a picture in which zxing-cpp found nothing: one more way a picture, in turn (decision 0022).

A card is held in view for some tenths of a second, so that the next pictures are its second and third chance. A rung
that led to something is tried first on the next picture, which is of the same card.
"""

import contextlib
import time
from collections.abc import Callable, Sequence
from typing import Any

from msgspec import Struct

from till_drivers.camera.decoders import Decoder, OpencvDecoder, ZbarDecoder, ZxingDecoder
from till_drivers.camera.sightings import Found

WITHOUT_ZBAR = "reads fewer bars without zbar: install the system's libzbar0"


class Rung(Struct, frozen=True):
    """One way to look at a picture: what is done to it, and who reads it then."""

    name: str
    prepare: Callable[[Any], Any]
    decoder: Decoder


class Ladder:
    """Looks at one picture after another. Not for two threads."""

    def __init__(self, first: Rung, rungs: Sequence[Rung], *, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._first = first
        self._rungs = tuple(rungs)
        self._clock_s = clock_s
        self._next = 0
        self._lucky: int | None = None
        self._is_owed = False
        self._tried = 0

    @property
    def height(self) -> int:
        """How many rungs there are."""
        return len(self._rungs)

    @property
    def is_climbed(self) -> bool:
        """Whether every rung was tried on pictures since `restart` and the last look found nothing."""
        return self._tried >= len(self._rungs)

    def restart(self) -> None:
        """The scene is another: all rungs are worth trying."""
        self._tried = 0

    def decode(self, gray: Any, formats: Sequence[str], budget_ms: int) -> list[Found]:
        """See `Decoder`: the first look, and one rung if it found nothing.

        Where the first look has used the budget up, the rung has the next picture to itself.
        """
        started = self._clock_s()
        if not self._is_owed:
            found = self._first.decoder.decode(self._first.prepare(gray), formats, budget_ms)
            if found or not self._rungs:
                return found
            if (self._clock_s() - started) * 1000 >= budget_ms:
                self._is_owed = True
                return []
        self._is_owed = False
        number = self._next if self._lucky is None else self._lucky
        rung = self._rungs[number]
        found = rung.decoder.decode(rung.prepare(gray), formats, budget_ms)
        if found:
            self._lucky = number
            return found
        self._lucky = None
        self._next = (number + 1) % len(self._rungs) if number == self._next else self._next
        self._tried += 1
        return []


def as_is(gray: Any) -> Any:
    return gray


def doubled(gray: Any) -> Any:
    """Twice the size: modules of little more than a pixel."""
    import cv2

    return cv2.resize(gray, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)


def black_and_white(gray: Any) -> Any:
    """Twice the size, each pixel black or white by its surroundings: faint print, and print under a screen's grid."""
    import cv2

    soft = cv2.GaussianBlur(doubled(gray), (0, 0), 1.2)
    return cv2.adaptiveThreshold(soft, 255, cv2.ADAPTIVE_THRESH_MEAN_C, cv2.THRESH_BINARY, 51, 5)


def parted(gray: Any) -> Any:
    """Black or white by one level for the whole picture, slightly blurred before: noise and grids, for little time."""
    import cv2

    return cv2.threshold(cv2.GaussianBlur(gray, (0, 0), 1.0), 0, 255, cv2.THRESH_OTSU)[1]


def turned_left(gray: Any) -> Any:
    """Turned by a third of a right angle: bars and PDF417 are found along the edges of a picture only."""
    return _turned(gray, 30)


def turned_right(gray: Any) -> Any:
    """The same the other way; of the three, one is within 15 degrees of any angle."""
    return _turned(gray, -30)


def _turned(gray: Any, degrees: int) -> Any:
    import cv2

    height, width = gray.shape
    across, down = round(width * 0.87 + height * 0.5), round(width * 0.5 + height * 0.87)
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1)
    matrix[:, 2] += (across - width) / 2, (down - height) / 2
    return cv2.warpAffine(gray, matrix, (across, down), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def standard(encoding: str) -> tuple[Ladder, str]:
    """The ladder that did best in `benchmarks/tillbench/camera.py`, and what is amiss with it on this machine.

    OpenCV's detector reads bars that are not there, so that it is only asked where there is no zbar, which reads more.
    ImportError when zxing-cpp or OpenCV is not installed.
    """
    zxing = ZxingDecoder(encoding)
    bars, note = Rung("opencv", as_is, OpencvDecoder()), WITHOUT_ZBAR
    with contextlib.suppress(ImportError):  # pyzbar, or the system's library; said in the note
        bars, note = Rung("zbar, doubled", doubled, ZbarDecoder()), ""
    rungs = (
        Rung("black and white", black_and_white, zxing),
        bars,
        Rung("parted", parted, zxing),
        Rung("turned left", turned_left, zxing),
        Rung("turned right", turned_right, zxing),
        Rung("doubled", doubled, zxing),
    )
    return Ladder(Rung("plain", as_is, zxing), rungs), note
