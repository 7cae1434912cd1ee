"""Whether anything has moved since the last picture: an empty counter in front of a camera is no reason to be busy."""

from typing import Any

CELLS = (64, 48)
"""Each cell is the mean of some hundred pixels, so that a sensor's noise stays under the threshold."""
MOVED_LEVELS = 8.0
"""Of 256. A hand, a card or a telephone changes cells by some dozens; a flickering lamp by a few."""


class Stillness:
    """Remembers one small copy of the picture that was looked at last."""

    def __init__(self) -> None:
        self._last: Any = None

    def has_moved(self, gray: Any) -> bool:
        """Whether some cell differs from the last picture for which this was true."""
        import cv2

        small = cv2.resize(gray, CELLS, interpolation=cv2.INTER_AREA)
        if self._last is not None and cv2.norm(small, self._last, cv2.NORM_INF) <= MOVED_LEVELS:
            return False
        self._last = small
        return True

    def forget(self) -> None:
        """The next picture is of another scene."""
        self._last = None
