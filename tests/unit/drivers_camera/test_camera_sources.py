"""Pictures from files and devices: what changes, what ends, what is no picture or too large, what is not there."""

import os
import struct
import zlib
from pathlib import Path

import pytest

pytest.importorskip("cv2", reason="the extra camera is not installed")
pytest.importorskip("zint", reason="the encoder of the tests is not installed")

import cv2
import numpy as np

from till_drivers.camera.devices import DeviceSource, locate_camera
from till_drivers.camera.lines import Start
from till_drivers.camera.places import DEVICE, FILE, STREAM, kind_of, source_of
from till_drivers.camera.sources import (
    LOOK_LIMIT_PX,
    PICTURE_LIMIT_BYTES,
    FolderSource,
    PictureSource,
    VideoSource,
    decode_picture,
)
from till_drivers.exceptions import TransportAbsent, TransportLost
from unit.drivers_camera.camera_codes import drawn, png, put


def shown(source: FolderSource, reads: int) -> list[int]:
    """The grey of the middle of each picture that comes, 0 for none."""
    source._look_at = 0.0
    return [0 if gray is None else int(gray[5, 5]) for gray in (source.read() for _ in range(reads))]


def plain(level: int) -> bytes:
    return png(np.full((10, 10), level, np.uint8))


def test_a_picture_is_seen_until_the_file_changes(tmp_path: Path) -> None:
    """The same array while it is the same, so that nothing is decoded twice; another program may write it anew."""
    path = tmp_path / "now.png"
    path.write_bytes(plain(50))
    source = PictureSource(path)
    source.open()
    first = source.read()
    assert first[0, 0] == 50
    assert source.read() is first
    put(path, plain(90))
    assert source.read()[0, 0] == 90
    path.write_bytes(plain(90)[:20])
    assert source.read() is None
    path.unlink()
    with pytest.raises(TransportLost, match="No such file"):
        source.read()


def test_garbage_and_too_large_a_picture_are_no_pictures(tmp_path: Path) -> None:
    """A few kilobytes that unfold to ten gigabytes are not unfolded; nor is a file of any size read."""
    head = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 0, 0, 0, 0)
    chunks = [(b"IHDR", head), (b"IDAT", zlib.compress(b"\x00" * 1000)), (b"IEND", b"")]
    bomb = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
    sparse = tmp_path / "sparse.png"
    with sparse.open("wb") as file:
        file.truncate(PICTURE_LIMIT_BYTES * 100)
    for data in (b"", b"garbage", bomb, plain(1)[:-30], os.urandom(4000)):
        gray = decode_picture(data)
        assert gray is None or max(gray.shape) <= 10
    with pytest.raises(TransportAbsent, match="expected a picture"):
        PictureSource(sparse).open()


def test_a_large_picture_is_looked_at_in_what_size_a_camera_has() -> None:
    """A telephone's photograph is, within a tenth of a second."""
    gray = decode_picture(png(np.zeros((3000, 4000), np.uint8)))
    assert gray.shape == (1440, LOOK_LIMIT_PX)


def test_a_folder_shows_each_picture_then_what_comes_new(tmp_path: Path) -> None:
    """By name, each for some looks; what is no picture, hidden or gone is left out; a changed one is new."""
    put(tmp_path / "b.png", plain(20))
    put(tmp_path / "a.png", plain(10))
    (tmp_path / "notes.txt").write_text("no picture", "utf-8")
    (tmp_path / "c.png").write_bytes(b"garbage")
    (tmp_path / ".hidden.png").write_bytes(plain(99))
    (tmp_path / "folder.png").mkdir()
    source = FolderSource(tmp_path, looks=2)
    source.open()
    assert shown(source, 6) == [10, 10, 20, 20, 0, 0]
    put(tmp_path / "0.png", plain(30))
    put(tmp_path / "a.png", plain(41))
    assert shown(source, 5) == [30, 30, 41, 41, 0]
    source.close()
    source.open()
    assert shown(source, 1) == [0]


def test_a_folder_that_is_gone_is_lost(tmp_path: Path) -> None:
    """And absent until it is there again."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    source = FolderSource(folder, looks=1)
    source.open()
    folder.rmdir()
    source._look_at = 0.0
    with pytest.raises(TransportLost, match="No such file"):
        source.read()
    with pytest.raises(TransportAbsent):
        source.open()


def video(path: Path, frames: int, rate: int) -> None:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), rate, (64, 48), isColor=False)
    for number in range(frames):
        writer.write(np.full((48, 64), number * 5, np.uint8))
    writer.release()


def test_a_video_is_played_once_at_its_own_speed(tmp_path: Path) -> None:
    """Of thirty pictures a second ten are looked at; the end is said, and a changed file is played again."""
    path = tmp_path / "film.avi"
    video(path, 30, 30)
    source = VideoSource(path, frames_per_second=10)
    source.open()
    levels = []

    def play() -> None:
        while True:
            levels.append(int(source.read()[0, 0]))

    with pytest.raises(TransportLost, match="the video has ended"):
        play()
    assert len(levels) == 10
    assert levels == sorted(levels)
    source.close()
    with pytest.raises(TransportAbsent, match="the video has ended"):
        source.open()
    video(path, 5, 10)
    source.open()
    assert source.read() is not None
    source.close()


def test_what_is_no_video_is_said(tmp_path: Path) -> None:
    """Whatever it is called."""
    path = tmp_path / "film.mp4"
    path.write_bytes(b"garbage" * 100)
    with pytest.raises(TransportAbsent, match="expected a video or picture"):
        VideoSource(path, frames_per_second=10).open()


def test_a_pipe_is_no_picture_and_no_video(tmp_path: Path) -> None:
    """Opening one would wait for whoever writes into it."""
    for name in ("now.png", "film.avi"):
        os.mkfifo(tmp_path / name)
    with pytest.raises(TransportAbsent, match="expected a picture"):
        PictureSource(tmp_path / "now.png").open()
    with pytest.raises(TransportAbsent, match="expected a file"):
        VideoSource(tmp_path / "film.avi", frames_per_second=10).open()


def test_a_device_that_is_not_there_or_no_camera_is_said(tmp_path: Path) -> None:
    """The system's own word on the one, ours on the other."""
    with pytest.raises(TransportAbsent, match="not plugged in"):
        DeviceSource(lambda: str(tmp_path / "video7")).open()
    with pytest.raises(TransportAbsent, match="expected a camera"):
        DeviceSource(lambda: "/dev/null").open()


def sysfs(folder: Path, node: str, index: int, usb: str, vid: str, pid: str, serial: str) -> None:
    device = folder / "devices" / usb
    (device / "1.0").mkdir(parents=True, exist_ok=True)
    for name, value in (("idVendor", vid), ("idProduct", pid), ("serial", serial)):
        (device / name).write_text(f"{value}\n", "ascii")
    entry = folder / "class" / node
    entry.mkdir(parents=True)
    (entry / "index").write_text(f"{index}\n", "ascii")
    (entry / "device").symlink_to(device / "1.0")


def test_a_camera_is_found_by_what_it_is(tmp_path: Path) -> None:
    """Not by its number, which another camera may have after a replug; its second node gives no pictures."""
    sysfs(tmp_path, "video0", 0, "1-1", "046d", "0825", "A1")
    sysfs(tmp_path, "video1", 1, "1-1", "046d", "0825", "A1")
    sysfs(tmp_path, "video2", 0, "1-2", "046d", "0825", "B2")
    sysfs(tmp_path, "video3", 0, "1-3", "0c45", "6366", "")
    nodes = tmp_path / "class"
    assert locate_camera("0C45:6366", devices=nodes) == "/dev/video3"
    assert locate_camera("046d:0825:B2", devices=nodes) == "/dev/video2"
    with pytest.raises(TransportAbsent, match="expected one such device, not 2"):
        locate_camera("046d:0825", devices=nodes)
    with pytest.raises(TransportAbsent, match="not plugged in"):
        locate_camera("1234:5678", devices=tmp_path / "nothing")


@pytest.mark.parametrize(
    ("port", "kind"),
    [
        ("/dev/video0", DEVICE),
        ("/dev/v4l/by-id/usb-046d_0825_A1-video-index0", DEVICE),
        ("0", DEVICE),
        ("http://camera/video", STREAM),
        ("HTTPS://camera:8443/video", STREAM),
        ("/srv/pictures", FILE),
        ("film.mp4", FILE),
    ],
)
def test_what_a_setting_means_is_seen_by_its_looks(port: str, kind: str) -> None:
    """Device, address or file."""
    assert kind_of(port) == kind


def test_each_place_has_its_source(tmp_path: Path) -> None:
    """A name that leads to a device is a device."""
    (tmp_path / "a.png").write_bytes(png(drawn("QRCODE", "A")))
    (tmp_path / "link").symlink_to("/dev/null")
    places = {".": "FolderSource", "a.png": "PictureSource", "film.avi": "VideoSource", "link": "DeviceSource"}
    for name, source in places.items():
        assert type(source_of(Start(port=str(tmp_path / name)), looks=1)).__name__ == source
    assert type(source_of(Start(port="http://camera"), looks=1)).__name__ == "MjpegSource"
    assert type(source_of(Start(port="", match="046d:0825"), looks=1)).__name__ == "DeviceSource"
