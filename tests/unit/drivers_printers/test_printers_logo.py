"""The shop's logo: made into dots once, and never in the way of a slip."""

import logging
import os
import random
import struct
import zlib
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from till_config.settings import PrinterSettings
from till_drivers.blocks import Cut, Text
from till_drivers.blocks import Image as ImageBlock
from till_drivers.exceptions import RenderError
from till_drivers.preview import to_slip
from till_drivers.printers import PROFILE_80MM, Profile, logo, render, to_text
from till_drivers.printers.profile import REAL_TIME_CODES
from till_drivers.simulators.escpos_elements import Element, Raster
from till_drivers.simulators.escpos_interpreter import Interpreter

WITHOUT = [Text(text="Полынь"), Cut()]
WITH = [ImageBlock(), *WITHOUT]


def rasters(data: bytes) -> list[Raster]:
    found: list[Element] = Interpreter().feed(data)
    return [element for element in found if isinstance(element, Raster)]


def darkness(found: list[Raster]) -> float:
    bits = sum(byte.bit_count() for raster in found for byte in raster.data)
    return bits / sum(len(raster.data) * 8 for raster in found)


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_head(wide: int, high: int) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", wide, high, 8, 0, 0, 0, 0))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A logo: a black ring on nothing, with edges of grey."""
    image = Image.new("RGBA", (400, 200), (0, 0, 0, 0))
    ImageDraw.Draw(image).ellipse((100, 10, 280, 190), outline=(0, 0, 0, 255), width=20)
    image.save(tmp_path / "logo.png")
    return tmp_path / "logo.png"


@pytest.mark.parametrize(("width_dots", "columns"), [(576, 48), (384, 32)])
def test_the_logo_is_printed_in_the_middle_and_no_wider_than_the_paper(
    path: Path, width_dots: int, columns: int
) -> None:
    """A smaller one keeps its dots; a wider one shrinks; what is transparent is white."""
    paper = Profile(width_dots=width_dots, columns=columns, logo=str(path))
    found = rasters(render(WITH, paper))
    assert [raster.style.align for raster in found] == ["center"]
    assert [(raster.row_bytes * 8, raster.rows) for raster in found] == [
        (400, 200) if width_dots == 576 else (384, 192)
    ]
    assert 0.1 < darkness(found) < 0.2


def test_a_high_logo_stops_at_six_centimetres(tmp_path: Path) -> None:
    """A poster is not a logo."""
    Image.new("1", (600, 3_000)).save(tmp_path / "high.png")
    found = rasters(render(WITH, Profile(logo=str(tmp_path / "high.png"))))
    assert sum(raster.rows for raster in found) == logo.HEIGHT_LIMIT_DOTS
    assert {raster.rows for raster in found} == {256, 480 - 256}


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_greys_become_dots_whatever_kind_of_png(tmp_path: Path, mode: str) -> None:
    """Half grey is half the dots, black is all, white none."""
    target = tmp_path / "grey.png"
    for grey, wanted in ((0, 1.0), (128, 0.5), (255, 0.0)):
        if mode == "I;16":
            image = Image.frombytes("I;16", (200, 100), struct.pack("<H", grey * 257) * 20_000)
        else:
            image = Image.new("L", (200, 100), grey).convert(mode)
        image.save(target)
        os.utime(target, ns=(grey, grey))
        assert abs(darkness(rasters(render(WITH, Profile(logo=str(target))))) - wanted) < 0.02


def test_no_real_time_code_is_in_a_picture_made_of_them(tmp_path: Path) -> None:
    """A logo whose dots are `DLE EOT 1`, `DLE ENQ 2` and `DLE DC4 1`, over and over: one dot more each, no more."""
    dots = b"\x10\x04\x01\x10\x05\x02\x10\x14\x01" * 40
    Image.frombytes("1", (72, 40), dots, "raw", "1;I").save(tmp_path / "codes.png")
    data = render(WITH, Profile(logo=str(tmp_path / "codes.png")))
    assert not any(code in data for code in REAL_TIME_CODES)
    (found,) = rasters(data)
    assert sum(byte.bit_count() for byte in found.data) == sum(byte.bit_count() for byte in dots) + 3 * 40


def test_the_file_is_made_into_dots_once_until_it_changes(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A slip costs no decoding; a new logo needs no restart."""
    opened: list[str] = []
    real = Image.open

    def counting(name: str, **how: tuple[str, ...]) -> Image.Image:
        opened.append(name)
        return real(name, **how)

    monkeypatch.setattr(Image, "open", counting)
    paper = Profile(logo=str(path))
    before = [render(WITH, paper) for _ in range(3)]
    assert len(opened) == 1
    Image.new("1", (80, 40)).save(path)
    os.utime(path, ns=(1, 1))
    assert render(WITH, paper) != before[0]
    assert len(opened) == 2


def test_no_logo_and_other_names_print_nothing(path: Path) -> None:
    """A template of one shop works in another; only `logo` is there."""
    assert render(WITH, PROFILE_80MM) == render(WITHOUT, PROFILE_80MM)
    other = [ImageBlock(name="other"), *WITHOUT]
    assert render(other, Profile(logo=str(path))) == render(WITHOUT, PROFILE_80MM)
    assert to_text(WITH, 48) == to_text(WITHOUT, 48)


BROKEN = {
    "missing": None,
    "empty": b"",
    "not a png": b"GIF89a" + bytes(100),
    "head only": png_head(100, 100),
    "cut off": png_head(100, 100) + chunk(b"IDAT", zlib.compress(bytes(101 * 100))[:20]),
    "rotten data": png_head(100, 100) + chunk(b"IDAT", b"\x78\x9c" + bytes(50)) + chunk(b"IEND", b""),
    "no rows": png_head(100, 0) + chunk(b"IEND", b""),
    "claims 3.6 thousand million points": png_head(60_000, 60_000) + chunk(b"IDAT", zlib.compress(bytes(1 << 20))),
    "more than 4 million points": png_head(2_001, 2_000) + chunk(b"IDAT", zlib.compress(bytes(2_002 * 2_000))),
    "2 MB and more": png_head(10, 10) + bytes(logo.FILE_LIMIT),
    "a text that unpacks to 20 MB": png_head(8, 8) + chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(20 << 20), 9)),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_bad_file_never_costs_a_slip(kind: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The slip goes out without it, and the log says why, once however many slips follow."""
    path = tmp_path / "logo.png"
    data = BROKEN[kind]
    if data is not None:
        path.write_bytes(data)
    paper = Profile(logo=str(path))
    with caplog.at_level(logging.WARNING):
        printed = [render(WITH, paper) for _ in range(3)]
    assert printed == [render(WITHOUT, PROFILE_80MM)] * 3
    assert len(caplog.records) == 1
    assert str(path) in caplog.records[0].getMessage()


def test_a_folder_or_a_pipe_is_not_read(tmp_path: Path) -> None:
    """Opening a pipe would wait for ever."""
    os.mkfifo(tmp_path / "pipe.png")
    for path in (tmp_path, tmp_path / "pipe.png", Path("/dev/zero")):
        with pytest.raises(RenderError, match="expected a file"):
            logo.check(str(path))
        assert render(WITH, Profile(logo=str(path))) == render(WITHOUT, PROFILE_80MM)


@pytest.mark.parametrize("kind", ["missing", "empty", "not a png", "no rows", "claims 3.6 thousand million points"])
def test_what_is_wrong_can_be_known_before_the_first_slip(kind: str, tmp_path: Path) -> None:
    """`check` reads 24 bytes and says what it expected, with the path."""
    path = tmp_path / "logo.png"
    if (data := BROKEN[kind]) is not None:
        path.write_bytes(data)
    with pytest.raises(RenderError, match=r"logo .*logo\.png: expected"):
        logo.check(str(path))


def test_a_logo_that_is_not_there_is_told_of_at_the_start_and_not_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Making the printer says it; the slips that lack it are silent."""
    settings = PrinterSettings(name="front", driver="tcp", host="127.0.0.1", logo=str(tmp_path / "none.png"))
    with caplog.at_level(logging.WARNING):
        paper = Profile.of(settings)
        assert len(caplog.records) == 1
        render(WITH, paper)
    assert len(caplog.records) == 1


def test_a_sound_file_passes_the_check(path: Path) -> None:
    """And is mended without a restart when it comes back."""
    logo.check(str(path))
    paper = Profile(logo=str(path))
    whole = path.read_bytes()
    path.unlink()
    assert not rasters(render(WITH, paper))
    path.write_bytes(whole)
    assert rasters(render(WITH, paper))


def test_any_damage_to_a_file_is_survived(path: Path) -> None:
    """200 files with bytes changed, lost or added: each gives a slip, with the logo or without."""
    chance = random.Random(11)
    whole = path.read_bytes()
    paper = Profile(logo=str(path))
    for number in range(200):
        data = bytearray(whole)
        for _ in range(chance.randrange(1, 4)):
            place = chance.randrange(len(data))
            match chance.randrange(3):
                case 0:
                    data[place] ^= 1 << chance.randrange(8)
                case 1:
                    del data[place : place + chance.randrange(1, 40)]
                case _:
                    data[place:place] = chance.randbytes(chance.randrange(1, 20))
        path.write_bytes(bytes(data))
        os.utime(path, ns=(number, number))
        assert to_slip(render(WITH, paper), paper).text().endswith("Полынь\n")


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("second", [(12_000, 12_000), (30_000, 30_000), None])
def test_a_picture_larger_than_its_first_head_says_never_costs_a_slip(
    tmp_path: Path, second: tuple[int, int] | None
) -> None:
    """Pillow believes the second: one of 17 KB took 2 GB, another had every slip refused. Long sides take much too."""
    picture = tmp_path / "logo.png"
    heads = chunk(b"IHDR", struct.pack(">IIBBBBB", *(second or (1, 2_000_000)), 1, 0, 0, 0, 0))
    first = png_head(10, 10) if second else b"\x89PNG\r\n\x1a\n"
    picture.write_bytes(first + heads + chunk(b"IDAT", zlib.compress(bytes(1_000))) + chunk(b"IEND", b""))
    profile = Profile(logo=str(picture))
    assert not rasters(render([ImageBlock(), Text(text="x"), Cut()], profile))
