"""The camera driver with its real process: files, folders, videos, streams, and what is wrong with each."""

import asyncio
import base64
from pathlib import Path

import pytest

pytest.importorskip("cv2", reason="the extra camera is not installed")
pytest.importorskip("zxingcpp", reason="the extra camera is not installed")
pytest.importorskip("zint", reason="the encoder of the tests is not installed")

import cv2
import numpy as np

from integration.drivers_camera.camera_kit import Counter, StreamServer, is_gone, play, running
from till_drivers.camera.scanner import MISSING
from till_drivers.exceptions import SettingsError
from unit.drivers_camera.camera_codes import drawn, jpeg, png, put

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=frame\r\n\r\n"


def part(gray: object) -> bytes:
    data = jpeg(gray)
    return b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(data) + data + b"\r\n"


def test_a_picture_that_is_written_anew_is_a_camera(tmp_path: Path) -> None:
    """A code in view is told on and on as one sighting; bars after two pictures, GS1 with its elements."""
    path = tmp_path / "now.png"
    put(path, png(drawn("QRCODE", "TSW1.abc")))

    async def day() -> None:
        async with running(Counter(path)) as counter:
            await counter.until(lambda: len(counter.scans) >= 2)
            first = counter.scans[0]
            assert (first.text, first.raw, first.aim, first.symbology) == ("TSW1.abc", b"TSW1.abc", "Q1", "qr")
            assert (first.device_id, first.seq, first.continuous, first.confirmed_frames) == ("c1", 1, True, 1)
            put(path, png(drawn("GS1_128", "[01]04600000000015[10]ABC", gs1=True)))
            await counter.until(lambda: len(counter.texts) == 2)
            bars = counter.scans[-1]
            assert (bars.aim, bars.gs1, bars.confirmed_frames) == ("C1", {"01": "04600000000015", "10": "ABC"}, 2)
            assert counter.states == ["opening", "ready"]
        assert counter.states[-1] == "disabled"
        assert [scan.seq for scan in counter.scans] == list(range(1, len(counter.scans) + 1))

    play(day)


def test_a_folder_shows_what_is_put_into_it(tmp_path: Path) -> None:
    """Garbage and a picture of 64 megapixels among it cost nothing but themselves."""
    (tmp_path / "0.png").write_bytes(b"garbage")
    put(tmp_path / "1.png", png(np.zeros((8000, 8000), np.uint8)))
    put(tmp_path / "2.png", png(drawn("EANX", "460000000001")))

    async def day() -> None:
        async with running(Counter(tmp_path)) as counter:
            await counter.until(lambda: counter.texts == {"4600000000015"})
            put(tmp_path / "3.png", png(drawn("PDF417", "2900000000001")))
            await counter.until(lambda: len(counter.texts) == 2)
            assert counter.scans[-1].symbology == "pdf417"
            assert counter.states == ["opening", "ready"]

    play(day)


def test_only_the_formats_of_the_settings_are_told(tmp_path: Path) -> None:
    """A picture with two codes and a till that wants one of them."""
    bars, matrix = drawn("EANX", "460000000001"), drawn("QRCODE", "A")
    both = np.full((bars.shape[0] + matrix.shape[0], bars.shape[1]), 255, np.uint8)
    both[: bars.shape[0]] = bars
    both[bars.shape[0] :, : matrix.shape[1]] = matrix
    put(tmp_path / "now.png", png(both))

    async def day() -> None:
        async with running(Counter(tmp_path / "now.png", formats=("qr",))) as counter:
            await counter.until(lambda: len(counter.scans) >= 3)
        assert counter.texts == {"A"}

    play(day)


def test_a_video_that_ends_is_lost_and_played_again_when_it_is_another(tmp_path: Path) -> None:
    """The end is a state that is told once, not one a try."""
    path = tmp_path / "film.avi"

    def film(text: str) -> None:
        gray = cv2.resize(drawn("QRCODE", text), (320, 320), interpolation=cv2.INTER_NEAREST)
        draft = tmp_path / "draft.avi"
        writer = cv2.VideoWriter(str(draft), cv2.VideoWriter.fourcc(*"MJPG"), 10, (320, 320), isColor=False)
        for _ in range(4):
            writer.write(gray)
        writer.release()
        draft.replace(path)

    film("FIRST")

    async def day() -> None:
        async with running(Counter(path)) as counter:
            await counter.until(lambda: "lost" in counter.states)
            assert counter.texts == {"FIRST"}
            assert counter.health[-1].detail == "the video has ended"
            await asyncio.sleep(0.6)
            assert counter.states == ["opening", "ready", "lost"]
            film("SECOND")
            await counter.until(lambda: "SECOND" in counter.texts)

    play(day)


def test_a_stream_is_read_with_its_password_and_found_again(tmp_path: Path) -> None:
    """Cut in mid-picture, it is lost and opened anew; the address, which has the password, is told to nobody."""
    shown, cut = part(drawn("QRCODE", "STREAM")), []

    def parts() -> bytes | None:
        if cut:
            cut.clear()
            return None
        return shown

    server = StreamServer(HEAD, parts)

    async def day() -> None:
        async with running(Counter(f"http://user:secret@{server.address}/video")) as counter:
            await counter.until(lambda: counter.texts == {"STREAM"})
            cut.append(True)
            await counter.until(lambda: "lost" in counter.states)
            await counter.until(lambda: counter.states.count("ready") == 2)
            seen = len(counter.scans)
            await counter.until(lambda: len(counter.scans) > seen)
            told = f"{counter.health}{counter.driver.__dict__['_command']}"
            command = Path(f"/proc/{counter.driver.process_id}/cmdline")
            told += command.read_text("utf-8") if command.exists() else ""
            assert "secret" not in told

    try:
        play(day)
    finally:
        server.close()
    assert b"Basic " + base64.b64encode(b"user:secret") in server.requests[0]


@pytest.mark.parametrize(
    ("head", "body", "detail"),
    [
        (b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n", None, "not 401"),
        (b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html>", None, "not 'text/html'"),
        (HEAD, b"", "silent for"),
        (HEAD + b"--frame\r\n\r\n", b"x", "no picture in"),
        (HEAD + b"x" * 10_000, None, "a part's head"),
        (b"garbage", None, "no answer"),
    ],
    ids=["password", "page", "silent", "slow", "no parts", "no http"],
)
def test_what_is_no_stream_is_said(head: bytes, body: bytes | None, detail: str) -> None:
    """In words that say what to look after; the driver goes on trying."""
    server = StreamServer(head, lambda: body)

    async def day() -> None:
        async with running(Counter(f"http://{server.address}/")) as counter:
            await counter.until(lambda: bool(counter.health))
            assert counter.health[0].state == "absent"
            assert detail in counter.health[0].detail

    try:
        play(day)
    finally:
        server.close()


def test_what_is_not_there_costs_no_process(tmp_path: Path) -> None:
    """A device and a file that are missing are told once, and found when they come."""
    path = tmp_path / "now.png"

    async def day() -> None:
        async with running(Counter("/dev/video97")) as away, running(Counter(path)) as counter:
            await away.until(lambda: bool(away.health))
            await counter.until(lambda: bool(counter.health))
            assert (away.health[0].state, away.health[0].detail) == ("absent", "not plugged in")
            assert counter.health[0].detail == "no such file or folder"
            assert away.driver.process_id is counter.driver.process_id is None
            put(path, png(drawn("QRCODE", "HERE")))
            await counter.until(lambda: counter.texts == {"HERE"})
            assert away.states == ["absent"]
            assert counter.states == ["absent", "opening", "ready"]

    play(day)


def test_a_machine_without_the_packages_is_told_what_to_install(tmp_path: Path) -> None:
    """No process is started for it."""

    async def day() -> None:
        counter = Counter(tmp_path)
        counter.driver._has_packages = lambda: False
        async with running(counter):
            await counter.until(lambda: bool(counter.health))
            assert (counter.health[0].state, counter.health[0].detail) == ("absent", MISSING)
            assert counter.driver.process_id is None

    play(day)


@pytest.mark.parametrize("settings", [{}, {"port": "/dev/video0", "match": "046d:0825"}])
def test_settings_name_one_place(settings: dict[str, str]) -> None:
    """By port or by identity, not by both."""
    with pytest.raises(SettingsError, match="expected either port or match"):
        Counter(settings.get("port", ""), **({"match": settings["match"]} if "match" in settings else {}))


@pytest.mark.parametrize("waits", [False, True])
def test_it_stops_at_once(tmp_path: Path, waits: bool) -> None:
    """In the middle of a start, and while it looks; the process is gone when `run` has ended."""

    async def day() -> None:
        async with running(Counter(tmp_path)) as counter:
            pid = await counter.process_id()
            if waits:
                await counter.until(lambda: "ready" in counter.states)
        assert is_gone(pid)
        assert counter.states[-1:] == (["disabled"] if waits else [])

    play(day)
