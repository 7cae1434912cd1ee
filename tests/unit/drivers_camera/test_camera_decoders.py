"""The libraries that read codes, over clean pictures by other people's encoders: bytes, text and AIM identifiers."""

import pytest

pytest.importorskip("cv2", reason="the extra camera is not installed")
pytest.importorskip("zxingcpp", reason="the extra camera is not installed")
pytest.importorskip("zint", reason="the encoder of the tests is not installed")

import numpy as np
import segno

from till_drivers.camera import ladder as ladders
from till_drivers.camera.decoders import FORMATS, OpencvDecoder, ZbarDecoder, ZxingDecoder
from till_drivers.camera.eye import Eye
from till_drivers.camera.ladder import WITHOUT_ZBAR, standard
from till_drivers.camera.stillness import Stillness
from till_drivers.scanners.codes import read_code
from unit.drivers_camera.camera_codes import drawn

GS1_TEXT = "[01]04600000000015[10]ABC[21]77"
GS1_RAW = b"010460000000001510ABC\x1d2177"
ELEMENTS = {"01": "04600000000015", "10": "ABC", "21": "77"}


@pytest.mark.parametrize(
    ("symbology", "text", "aim", "raw"),
    [
        ("QRCODE", "TSW1.abc", "Q1", b"TSW1.abc"),
        ("MICROQR", "12345", "Q1", b"12345"),
        ("PDF417", "2900000000001", "L2", b"2900000000001"),
        ("AZTEC", "2900000000001", "z0", b"2900000000001"),
        ("DATAMATRIX", "2900000000001", "d1", b"2900000000001"),
        ("CODE128", "2900000000001", "C0", b"2900000000001"),
        ("CODE39", "ABC123", "A0", b"ABC123"),
        ("C25INTER", "12345678", "I0", b"12345678"),
        ("CODABAR", "A123456B", "F0", b"A123456B"),
        ("EANX", "460000000001", "E0", b"4600000000015"),
        ("UPCA", "03600029145", "E0", b"0036000291452"),
    ],
)
def test_zxing_reads_every_symbology_as_a_scanner_would_send_it(
    symbology: str, text: str, aim: str, raw: bytes
) -> None:
    """The identifier a serial scanner would put before the bytes; a UPC-A with its zero, as an EAN-13."""
    (found,) = ZxingDecoder().decode(drawn(symbology, text), (), 80)
    assert (found.aim, found.raw, found.text) == (aim, raw, raw.decode())
    assert found.is_matrix == (aim[0] in "QLzd")


@pytest.mark.parametrize(("symbology", "aim"), [("GS1_128", "C1"), ("QRCODE", "Q3"), ("DATAMATRIX", "d2")])
def test_element_strings_come_as_bytes_with_their_separators(symbology: str, aim: str) -> None:
    """Not as the text for people with brackets; the scanners' own parser takes them apart."""
    (found,) = ZxingDecoder().decode(drawn(symbology, GS1_TEXT, gs1=True), (), 80)
    assert (found.aim, found.raw) == (aim, GS1_RAW)
    assert read_code(found.text, aim=found.aim).gs1 == ELEMENTS


def test_another_character_set_is_read_and_not_announced() -> None:
    """The text is decoded already: no identifier says that it holds escapes, and a backslash in it stays one."""
    words = "Бонус \\ ұ"
    gray = np.kron(np.pad(np.array(segno.make_qr(words, encoding="utf-8", eci=True).matrix), 4), np.ones((6, 6)))
    (found,) = ZxingDecoder().decode((255 - 220 * gray).astype(np.uint8), (), 80)
    assert (found.text, found.aim) == (words, "Q1")
    assert read_code(found.text, aim=found.aim).text == words


def test_only_the_formats_that_are_asked_for_are_read() -> None:
    """By every library."""
    ean = drawn("EANX", "460000000001")
    for decoder in (ZxingDecoder(), ZbarDecoder(), OpencvDecoder()):
        assert decoder.decode(ean, ("qr", "itf"), 80) == []
    for decoder in (ZxingDecoder(), ZbarDecoder()):
        assert [each.text for each in decoder.decode(ean, ("qr", "ean13"), 80)] == ["4600000000015"]


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_of_the_settings_can_be_asked_for(name: str) -> None:
    """A name that a library does not know would end the camera's process."""
    blank = np.full((120, 160), 200, np.uint8)
    for decoder in (ZxingDecoder(), ZbarDecoder(), OpencvDecoder()):
        assert decoder.decode(blank, (name,), 80) == []


def test_zbar_and_opencv_say_bars_as_zxing_does() -> None:
    """Else two of them could never agree."""
    for symbology, text, decoders in (
        ("EANX", "460000000001", (ZbarDecoder(), OpencvDecoder())),
        ("UPCA", "03600029145", (ZbarDecoder(), OpencvDecoder())),
        ("CODE128", "2900000000001", (ZbarDecoder(),)),
        ("CODE39", "ABC123", (ZbarDecoder(),)),
        ("GS1_128", GS1_TEXT, (ZbarDecoder(),)),
    ):
        gray = drawn(symbology, text, scale=4)
        (told,) = ZxingDecoder().decode(gray, (), 80)
        for decoder in decoders:
            for found in decoder.decode(gray, (), 80):
                assert (found.key, found.text) == (told.key, told.text)


def test_an_aztec_rune_is_no_code() -> None:
    """Eleven modules a side: noise looks like one, and no wallet uses it."""
    assert ZxingDecoder().decode(drawn("AZRUNE", "25", scale=8), (), 80) == []


def test_the_ladder_reads_what_plain_zxing_does_not() -> None:
    """Faint print, turned by 30 degrees; told after two pictures that agree."""
    gray = ladders.turned_left(drawn("EANX", "460000000001"))
    assert ZxingDecoder().decode(gray, (), 80) == []
    ladder, note = standard("utf-8")
    assert note == ""
    eye = Eye(ladder, Stillness(), formats=(), budget_ms=10_000)
    told = [each for at_ms in range(0, 1500, 100) for each in eye.see(gray, at_ms)]
    assert {(each.found.text, each.found.aim) for each in told} == {("4600000000015", "E0")}
    assert told[0].frames == 2


def test_without_zbar_it_goes_on_and_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenCV's detector takes its place on the ladder."""

    def missing() -> None:
        raise ImportError("Unable to find zbar shared library")

    monkeypatch.setattr(ladders, "ZbarDecoder", missing)
    ladder, note = standard("utf-8")
    assert note == WITHOUT_ZBAR
    assert "opencv" in [rung.name for rung in ladder._rungs]


def test_a_sensor_s_noise_is_no_movement_and_a_card_is() -> None:
    """So that an empty counter costs next to nothing."""
    rng = np.random.default_rng(5)
    counter = rng.integers(90, 160, (48, 64)).astype(np.float64).repeat(10, 0).repeat(10, 1)

    def taken(scene: "np.ndarray[tuple[int, int], np.dtype[np.float64]]") -> object:
        return np.clip(scene + rng.normal(0, 8, scene.shape), 0, 255).astype(np.uint8)

    stillness = Stillness()
    assert stillness.has_moved(taken(counter))
    assert not any(stillness.has_moved(taken(counter)) for _ in range(10))
    with_card = counter.copy()
    with_card[200:260, 300:400] = 230
    assert stillness.has_moved(taken(with_card))
    stillness.forget()
    assert stillness.has_moved(taken(with_card))
