"""Pictures on their way to the printer: slices, bytes that printers obey inside them, the settings of a job."""

import itertools

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from till_drivers.blocks import Barcode, Block, Break, Cut, Pair, QrCode, Text
from till_drivers.blocks import Image as ImageBlock
from till_drivers.exceptions import SettingsError
from till_drivers.printers import PROFILE_80MM, Profile, render
from till_drivers.printers.profile import REAL_TIME_CODES, SLICE_ROWS
from till_drivers.printers.raster import Picture, commands, harmless, of_image
from till_drivers.simulators.escpos_elements import CutPaper, Density, Element, Feed, Pulse, Qr, Raster
from till_drivers.simulators.escpos_interpreter import Interpreter

NEAR_CODES = st.lists(st.sampled_from([b"\x10", b"\x04", b"\x05", b"\x14", b"\x30", b"\x00", b"\xff"]), max_size=40)


def elements(data: bytes) -> list[Element]:
    return Interpreter().feed(data)


@settings(deadline=None)
@example(data=[b"\x10", b"\x10", b"\x04"])
@example(data=[b"\x10", b"\x04", b"\x10", b"\x14", b"\x10", b"\x05"])
@given(data=NEAR_CODES)
def test_a_picture_speaks_to_no_printer_and_loses_no_dot(data: list[bytes]) -> None:
    """One dot more for each code that it held, and no other change."""
    picture = b"".join(data)
    sent = harmless(picture)
    assert not any(code in sent for code in REAL_TIME_CODES)
    assert len(sent) == len(picture)
    changed = [(was, now) for was, now in zip(picture, sent, strict=True) if was != now]
    assert changed == [(0x10, 0x30)] * sum(picture.count(code) for code in REAL_TIME_CODES)


@pytest.mark.parametrize("rows", [1, 255, 256, 257, 511, 512, 600])
def test_a_picture_goes_in_slices_and_is_whole_again_on_paper(rows: int) -> None:
    """Cheap printers stop at 256 rows."""
    data = bytes(number % 13 for number in range(3 * rows))
    found = elements(commands(Picture(data, 3, rows)))
    rasters = [element for element in found if isinstance(element, Raster)]
    assert len(rasters) == len(found)
    assert b"".join(raster.data for raster in rasters) == data
    assert all(raster.rows <= SLICE_ROWS and raster.row_bytes == 3 for raster in rasters)


def test_black_is_one_and_rows_are_filled_with_white() -> None:
    """Ten dots wide: six white ones fill the second byte."""
    assert of_image(Image.new("1", (10, 2), 0)) == Picture(b"\xff\xc0\xff\xc0", 2, 2)


@pytest.mark.parametrize(
    ("settings", "cut"),
    [
        ({}, b"\x1dVB\x00"),
        ({"cut_mode": "partial"}, b"\x1dVB\x00"),
        ({"cut_mode": "full"}, b"\x1dVA\x00"),
    ],
)
def test_the_paper_is_fed_to_the_knife_and_cut_as_the_settings_say(settings: dict[str, str], cut: bytes) -> None:
    """`GS V 65/66 0` feeds as far as this printer's knife is, so that the last line is never cut through."""
    data = render([Text(text="a"), Cut()], Profile(**settings))  # type: ignore[arg-type]  # a table's row
    assert data.endswith(b"a\n" + cut)
    assert [element for element in elements(data) if isinstance(element, CutPaper)] == [CutPaper(feeds=True)]


def test_where_nothing_cuts_the_last_line_is_fed_beyond_the_tear_bar() -> None:
    """Whatever `cut_mode` says."""
    found = elements(render([Text(text="a"), Cut()], Profile(cut=False, cut_mode="full")))
    assert found[-1] == Feed(6)
    assert not any(isinstance(element, CutPaper) for element in found)


@pytest.mark.parametrize("steps", range(-6, 7))
def test_the_density_is_set_in_each_job_and_left_alone_at_nought(steps: int) -> None:
    """`GS ( K`, function 49: after the reset, which would undo it."""
    data = render([Break()], Profile(density=steps))
    assert [element for element in elements(data) if isinstance(element, Density)] == (
        [Density(steps)] if steps else []
    )
    assert data.startswith(b"\x1b@")
    if not steps:
        assert data == render([Break()], PROFILE_80MM)


def test_the_drawer_stays_shut_unless_asked_for() -> None:
    """A slip of points is no reason to open it."""
    whole = [Text(text="Ұ"), ImageBlock(), QrCode(data="x"), Cut()]
    assert not any(isinstance(element, Pulse) for element in elements(render(whole, PROFILE_80MM)))
    assert any(isinstance(element, Pulse) for element in elements(render(whole, Profile(drawer=True))))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cut_mode": "half"}, "cut_mode: expected one of partial, full, not 'half'"),
        ({"density": 7}, "density: expected -6 to 6, not 7"),
        ({"density": -7}, "density: expected -6 to 6, not -7"),
    ],
)
def test_a_setting_that_fits_no_printer_is_refused(change: dict[str, int | str], message: str) -> None:
    """SettingsError names the key."""
    with pytest.raises(SettingsError, match=message):
        Profile(**change)  # type: ignore[arg-type]  # the wrong values are the point


@pytest.mark.parametrize("length", [1_036, 1_037, 1_038, 1_292, 1_293, 1_294])
def test_a_qr_code_whose_length_is_a_status_request_goes_as_a_picture(length: int) -> None:
    """`GS ( k` of 1,037 bytes has 10 04 for its length: a printer would answer in the middle of the command."""
    data = render([QrCode(data="x" * length, correction="L")], PROFILE_80MM)
    assert not any(code in data for code in REAL_TIME_CODES)
    kinds = {type(element) for element in elements(data)}
    assert (Raster in kinds, Qr in kinds) == ((True, False) if length in (1_037, 1_293) else (False, True))


def test_no_job_holds_a_real_time_code_however_its_lines_lie() -> None:
    """Letters drawn at each place of a byte, in both sizes and weights."""
    for text, align, bold, double in itertools.product(
        ("Ғ ғ Ұпай ₸", "Іі Її |!ı", "Ҷ Ӣ ʻ"), ("left", "center", "right"), (False, True), (False, True)
    ):
        blocks = [Text(text=text[start:], align=align, bold=bold, double=double) for start in range(len(text) - 1)]  # type: ignore[arg-type]  # of a table
        data = render(blocks, Profile(code_page="cp437", code_page_number=0))
        assert not any(code in data for code in REAL_TIME_CODES)


WORDS = st.text(alphabet=st.characters(codec="utf-8", exclude_categories=("Cs",)), max_size=30)
BLOCKS: st.SearchStrategy[Block] = st.one_of(
    st.builds(Text, text=WORDS, align=st.sampled_from(["left", "center", "right"]), bold=st.booleans()),
    st.builds(Text, text=st.text("ҒғҶҷӣ|!.,ıі", max_size=30), align=st.just("center"), double=st.booleans()),
    st.builds(Pair, left=WORDS, right=st.text("0123456789₸₽ ", max_size=9)),
    st.builds(QrCode, data=st.text(min_size=1, max_size=60).map(lambda text: f"x{text}")),
    st.builds(Barcode, data=st.text("0123456789", min_size=2, max_size=10)),
    st.builds(Cut),
)


@settings(max_examples=150, deadline=None)
@given(
    blocks=st.lists(BLOCKS, max_size=6),
    native=st.booleans(),
    density=st.integers(-6, 6),
    page=st.sampled_from([16, 17]),
)
def test_no_job_of_any_kind_holds_a_real_time_code(blocks: list[Block], native: bool, density: int, page: int) -> None:
    """Anywhere: commands and their numbers, text, codes, pictures, and where one ends and the next begins."""
    profile = Profile(
        native_qr=native, density=density, code_page="cp866" if page == 17 else "cp1252", code_page_number=page
    )
    data = render(blocks, profile)
    assert not any(code in data for code in REAL_TIME_CODES)
    interpreter = Interpreter()
    interpreter.feed(data)
    assert interpreter.unknown_count == 0
