"""A camera of this machine: found by its name or its USB identity, opened through OpenCV."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from till_drivers.camera.lines import shortened
from till_drivers.camera.sources import within_limit
from till_drivers.exceptions import TransportAbsent, TransportLost

DEVICE_WIDTH, DEVICE_HEIGHT = 1_280, 720
"""Asked of a device, which may give what it has: PDF417 of a wallet needs more than 640 x 480."""
FRESH_GRAB_S = 0.004
"""A picture that took less to get lay ready: it is of the past."""
STALE_GRABS_LIMIT = 5
"""Pictures that a driver keeps ready; OpenCV asks for four."""
VIDEO_CLASS = Path("/sys/class/video4linux")


def locate_camera(match: str, *, devices: Path = VIDEO_CLASS) -> str:
    """The device file to open now for `VID:PID[:SERIAL]`. TransportAbsent when there is none, or more than one."""
    wanted = match.lower().split(":", 2)
    # A camera has several nodes; the first of them gives pictures, the others data about these.
    nodes = [entry for entry in devices.glob("video*") if _read(entry / "index") in ("", "0")]
    found = sorted(entry.name for entry in nodes if _is(entry, wanted))
    if not found:
        raise TransportAbsent("not plugged in")
    if len(found) > 1:
        raise TransportAbsent(f"expected one such device, not {len(found)}")
    return f"/dev/{found[0]}"


def _is(entry: Path, wanted: list[str]) -> bool:
    usb = (entry / "device").resolve().parent
    identity = [_read(usb / name).lower() for name in ("idVendor", "idProduct", "serial")]
    return identity[: len(wanted)] == wanted


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace").strip()
    except OSError:
        return ""


class DeviceSource:
    """A camera that the system knows: a V4L2 device on Linux, a number on Windows."""

    def __init__(self, find: Callable[[], str]) -> None:
        self._find = find
        self._capture: Any = None

    def open(self) -> None:
        """See `Source`."""
        import cv2

        device: str = self._find()
        if device.isdecimal():
            capture = cv2.VideoCapture(int(device), cv2.CAP_ANY)
        else:
            # OpenCV says no more than that it could not; the system says why.
            try:
                os.close(os.open(device, os.O_RDWR | os.O_NONBLOCK))
            except OSError as exc:
                why = "not plugged in" if isinstance(exc, FileNotFoundError) else exc.strerror or exc
                raise TransportAbsent(shortened(why)) from exc
            capture = cv2.VideoCapture(device, cv2.CAP_V4L2)
        if not capture.isOpened():
            capture.release()
            raise TransportAbsent("expected a camera, not this device; another program may hold it")
        for what, value in (
            (cv2.CAP_PROP_FRAME_WIDTH, DEVICE_WIDTH),
            (cv2.CAP_PROP_FRAME_HEIGHT, DEVICE_HEIGHT),
            (cv2.CAP_PROP_BUFFERSIZE, 1),
        ):
            capture.set(what, value)
        if not capture.grab():
            capture.release()
            raise TransportAbsent("gives no picture; another program may hold it")
        self._capture = capture

    def read(self) -> Any:
        """The picture of now: those that lay ready are passed over."""
        for _ in range(STALE_GRABS_LIMIT):
            started = time.monotonic()
            if not self._capture.grab():
                raise TransportLost("the camera gives no more pictures: unplugged?")
            if time.monotonic() - started >= FRESH_GRAB_S:
                break
        is_there, picture = self._capture.retrieve()
        return within_limit(picture) if is_there else None

    def close(self) -> None:
        """Close at once, so that the device can come back under its name."""
        if self._capture is not None:
            self._capture.release()
            self._capture = None
