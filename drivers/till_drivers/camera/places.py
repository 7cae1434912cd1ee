"""Which source a setting means."""

import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from till_drivers.camera.lines import Start

if TYPE_CHECKING:
    from till_drivers.camera.sources import Source

DEVICE, STREAM, FILE = "device", "stream", "file"


def kind_of(port: str) -> str:
    """What `port` is by its looks: an address, a device of this machine, or something among the files."""
    if port.lower().startswith(("http://", "https://")):
        return STREAM
    if port.isdecimal() or port.startswith("/dev/") or not port:
        return DEVICE
    return FILE


def source_of(start: Start, *, looks: int) -> "Source":
    """The source, not opened yet. `looks`: how often each picture of a folder is shown."""
    kind = kind_of(start.port)
    if kind == STREAM:
        from till_drivers.camera.streams import MjpegSource

        return MjpegSource(start.port)
    if kind == DEVICE or _is_device(Path(start.port)):
        from till_drivers.camera.devices import DeviceSource, locate_camera

        port = f"/dev/video{start.port}" if start.port.isdecimal() and sys.platform == "linux" else start.port
        return DeviceSource(lambda: port or locate_camera(start.match))
    from till_drivers.camera.sources import PICTURE_ENDINGS, FolderSource, PictureSource, VideoSource

    path = Path(start.port)
    if path.is_dir():
        return FolderSource(path, looks=looks)
    if path.suffix.lower() in PICTURE_ENDINGS:
        return PictureSource(path)
    return VideoSource(path, frames_per_second=start.frames_per_second)


def _is_device(path: Path) -> bool:
    """A name of one's own that leads to a device, such as a link of udev's."""
    try:
        return stat.S_ISCHR(path.stat().st_mode)
    except OSError:
        return False
