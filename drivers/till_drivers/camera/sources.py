"""Pictures from files: one picture, a folder of them, a video. Used in the camera's process; `devices` and `streams`
have the live ones.

Every picture is bounded before it is decoded, since
a picture of a few kilobytes can unfold into gigabytes.
"""

import os
import time
from pathlib import Path
from typing import Any, Protocol

from till_drivers.camera.lines import shortened
from till_drivers.exceptions import TransportAbsent, TransportLost

PICTURE_LIMIT_BYTES = 32 * 1024 * 1024
"""A photograph of 50 megapixels; anything larger is none."""
PICTURE_LIMIT_PIXELS = 50_000_000
"""50 MB as grey; OpenCV's own limit is a gigabyte."""
LOOK_LIMIT_PX = 1_920
"""The longer side that is looked at: a code that is too fine for it is too fine for a camera at a till."""
FOLDER_LIMIT = 10_000
"""Pictures of a folder that are remembered as shown; of more, the later names are left out."""
FOLDER_LOOK_S = 0.5
"""Between two looks into a folder for what is new."""

PICTURE_ENDINGS = frozenset({".bmp", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"})


class Source(Protocol):
    """Pictures one after another. `open` and `read` take a few seconds at most, in which nothing else is told."""

    def open(self) -> None:
        """TransportAbsent when there are no pictures to be had."""
        ...

    def read(self) -> Any:
        """The picture of now, or None when there is no picture now. TransportLost when the source is gone."""
        ...

    def close(self) -> None: ...


def quiet_opencv() -> None:
    """Set OpenCV's limits, which it reads as it is imported."""
    os.environ["OPENCV_IO_MAX_IMAGE_PIXELS"] = str(PICTURE_LIMIT_PIXELS)
    os.environ["OPENCV_LOG_LEVEL"] = "OFF"
    os.environ["OPENCV_FFMPEG_LOGLEVEL"] = "-8"
    os.environ["OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT"] = "3"


def decode_picture(data: bytes) -> Any:
    """A grey array from a picture file's bytes, within LOOK_LIMIT_PX; None when they are no picture or too large."""
    import cv2
    import numpy as np

    if not data:
        return None
    try:
        gray = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)
    except cv2.error:  # more pixels than PICTURE_LIMIT_PIXELS
        return None
    return None if gray is None else within_limit(gray)


def within_limit(picture: Any) -> Any:
    """The picture in grey and no larger than is looked at."""
    import cv2

    gray = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY) if picture.ndim == 3 else picture
    longer = max(gray.shape)
    if longer <= LOOK_LIMIT_PX:
        return gray
    scale = LOOK_LIMIT_PX / longer
    size = (max(1, round(gray.shape[1] * scale)), max(1, round(gray.shape[0] * scale)))
    return cv2.resize(gray, size, interpolation=cv2.INTER_AREA)


_Identity = tuple[int, int, int]


def _identity(path: Path) -> _Identity:
    """What changes when the file does. OSError when there is none."""
    found = path.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns


def _load(path: Path) -> Any:
    """The picture, or None for what is none. OSError as `open` has it."""
    if not path.is_file():  # opening a pipe would wait for whoever writes into it
        return None
    with path.open("rb") as file:
        data = file.read(PICTURE_LIMIT_BYTES + 1)
    return None if len(data) > PICTURE_LIMIT_BYTES else decode_picture(data)


class PictureSource:
    """A picture file is what the camera sees, until the file changes: one that another program writes anew is live."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._identity: _Identity | None = None
        self._gray: Any = None

    def open(self) -> None:
        """See `Source`."""
        try:
            self._take()
        except OSError as exc:
            raise TransportAbsent(shortened(exc.strerror or exc)) from exc
        if self._gray is None:
            raise TransportAbsent("expected a picture within the limits, not this file")

    def read(self) -> Any:
        """The picture; the same array for as long as the file is the same."""
        try:
            self._take()
        except OSError as exc:
            raise TransportLost(shortened(exc.strerror or exc)) from exc
        return self._gray

    def close(self) -> None:
        """Look at the file anew when it is opened next."""
        self._identity, self._gray = None, None

    def _take(self) -> None:
        identity = _identity(self._path)
        if identity != self._identity:
            # Half of a picture that is being written is no picture; the rest changes the identity again.
            self._identity, self._gray = identity, _load(self._path)


class FolderSource:
    """Each picture of a folder for some looks, by name, then those that come later; None when all were shown."""

    def __init__(self, path: Path, *, looks: int) -> None:
        self._path = path
        self._looks = looks
        self._shown: dict[str, _Identity] = {}
        self._waiting: list[tuple[str, _Identity]] = []
        self._gray: Any = None
        self._left = 0
        self._look_at = 0.0

    def open(self) -> None:
        """See `Source`."""
        try:
            self._find()
        except OSError as exc:
            raise TransportAbsent(shortened(exc.strerror or exc)) from exc

    def read(self) -> Any:
        """The picture whose turn it is."""
        if self._left > 0 and self._gray is not None:
            self._left -= 1
            return self._gray
        self._gray = None
        if not self._waiting and time.monotonic() >= self._look_at:
            try:
                self._find()
            except OSError as exc:
                raise TransportLost(shortened(exc.strerror or exc)) from exc
        while self._waiting and self._gray is None:
            name, identity = self._waiting.pop(0)
            self._shown[name] = identity
            try:
                self._gray = _load(self._path / name)
            except OSError:
                continue  # gone again
        self._left = self._looks - 1
        return self._gray

    def close(self) -> None:
        """What was shown stays shown."""
        self._waiting, self._gray, self._left, self._look_at = [], None, 0, 0.0

    def _find(self) -> None:
        self._look_at = time.monotonic() + FOLDER_LOOK_S
        with os.scandir(self._path) as entries:
            names = [entry.name for entry in entries if not entry.name.startswith(".")]
        there = sorted(name for name in names if Path(name).suffix.lower() in PICTURE_ENDINGS)[:FOLDER_LIMIT]
        for name in set(self._shown) - set(there):
            del self._shown[name]
        for name in there:
            try:
                identity = _identity(self._path / name)
            except OSError:
                continue
            if self._shown.get(name) != identity:
                self._waiting.append((name, identity))


class VideoSource:
    """A video file, once, as fast as it was taken; played again when the file changes."""

    def __init__(self, path: Path, *, frames_per_second: int) -> None:
        self._path = path
        self._rate = frames_per_second
        self._played: _Identity | None = None
        self._capture: Any = None
        self._step = 1.0
        self._due = 0.0

    def open(self) -> None:
        """See `Source`."""
        import cv2

        try:
            identity = _identity(self._path)
        except OSError as exc:
            raise TransportAbsent(shortened(exc.strerror or exc)) from exc
        if not self._path.is_file():
            raise TransportAbsent("expected a file or a folder")
        if identity == self._played:
            raise TransportAbsent("the video has ended")
        self._played = identity
        capture = cv2.VideoCapture(str(self._path), cv2.CAP_ANY)
        width, height = (capture.get(each) for each in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
        if not capture.isOpened() or not 0 < width * height <= PICTURE_LIMIT_PIXELS:
            capture.release()
            raise TransportAbsent("expected a video or picture within the limits, not this file")
        own_rate = capture.get(cv2.CAP_PROP_FPS)
        self._step = max(1.0, own_rate / self._rate) if 1 <= own_rate <= 1_000 else 1.0
        self._capture, self._due = capture, 0.0

    def read(self) -> Any:
        """The next picture that is due; those between are passed over."""
        self._due += self._step
        while self._due >= 1:
            self._due -= 1
            if not self._capture.grab():
                raise TransportLost("the video has ended")
        is_there, picture = self._capture.retrieve()
        return within_limit(picture) if is_there else None

    def close(self) -> None:
        """Give the file back."""
        if self._capture is not None:
            self._capture.release()
            self._capture = None
