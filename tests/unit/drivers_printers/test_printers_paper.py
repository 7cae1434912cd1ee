"""The simulator's paper: lines, wraps, cuts, and pictures of them."""

from PIL import Image

from till_drivers.printers.profile import LINE_DOTS
from till_drivers.simulators.escpos_interpreter import Interpreter
from till_drivers.simulators.paper import MARK_LIMIT, Paper, Slip
from till_drivers.simulators.picture import CUT_DOTS, draw_slip, slip_png


def slips_of(data: bytes, *, columns: int = 48, width_dots: int = 576, tear: bool = True) -> list[Slip]:
    slips: list[Slip] = []
    paper = Paper(width_dots=width_dots, columns=columns, done=slips.append)
    interpreter = Interpreter()
    for element in [*interpreter.feed(data), *interpreter.finish()]:
        paper.put(element)
    if tear:
        paper.tear()
    return slips


def test_each_cut_ends_a_slip_and_they_are_numbered() -> None:
    """Two jobs, two pieces of paper."""
    slips = slips_of(b"one\n\x1dVB\x00two\n\x1dVB\x00")
    assert [(slip.number, slip.text(), slip.torn) for slip in slips] == [(1, "one\n", False), (2, "two\n", False)]


def test_what_is_torn_off_says_so() -> None:
    """A printer that died in mid-slip leaves a stump."""
    (slip,) = slips_of(b"half a sl")
    assert slip.torn
    assert slip.text() == "half a sl\n[torn]\n"


def test_a_line_wider_than_the_paper_wraps() -> None:
    """As printers do, by letter; double letters take two columns."""
    assert slips_of(b"abcdefgh\n", columns=5)[0].text() == "abcde\nfgh\n[torn]\n"
    assert slips_of(b"\x1d!\x10abcd\n", columns=5)[0].text() == "ab\ncd\n[torn]\n"


def test_letters_follow_the_code_page_of_their_time() -> None:
    """`ESC t` in mid-line."""
    assert slips_of(b"\x1bt\x11\x80\x1bt\x2e\xc0\n")[0].text() == "АА\n[torn]\n"


def test_a_reset_returns_to_latin() -> None:
    """Whoever forgets `ESC t` gets what a real printer gives."""
    assert slips_of(b"\x1bt\x11\x1b@\x80\n")[0].text() == "Ç\n[torn]\n"


def test_places_in_dots_become_columns() -> None:
    """`ESC $` counts from the left, `ESC \\` from the last letter; back over letters it moves nothing."""
    assert slips_of(b"ab\x1b$\x60\x00c\x1b\\\x18\x00d\n")[0].text() == "ab      c  d\n[torn]\n"
    assert slips_of(b"abc\x1b$\x0c\x00d\x1b\\\xe8\xffe\x1b$\xff\xff\n")[0].text() == "abcde\n[torn]\n"


def test_feeds_and_spacing_move_the_paper() -> None:
    """Heights add up in dots."""
    slip = slips_of(b"a\n\x1bd\x02\x1bJ\x0a\x1b3\x3cb\n")[0]
    assert draw_slip(slip).height == 2 * CUT_DOTS + LINE_DOTS + 2 * LINE_DOTS + 10 + 60


def test_a_stream_without_cuts_is_torn_at_the_limit() -> None:
    """Memory stays bounded."""
    slips = slips_of(b"x\n" * (MARK_LIMIT + 5))
    assert [len(slip.marks) for slip in slips] == [MARK_LIMIT, 5]


def test_the_picture_is_a_png_of_one_bit() -> None:
    """One pixel a dot."""
    import io

    picture = slip_png(slips_of(b"\x1d!\x01tall\x1b-\x01 \x1bE\x01x\n")[0])
    with Image.open(io.BytesIO(picture)) as image:
        assert (image.format, image.mode, image.size) == ("PNG", "1", (576 + 32, 2 * CUT_DOTS + 2 * LINE_DOTS))


def test_a_picture_wider_than_the_paper_loses_its_edge() -> None:
    """Nothing is drawn beside the paper, and nothing fails."""
    slip = slips_of(b"\x1dv0\x00\x50\x00\x01\x00" + b"\xff" * 80, width_dots=384)[0]
    image = draw_slip(slip)
    assert image.width == 384 + 32
    assert [bool(image.getpixel((x, CUT_DOTS))) for x in (15, 16, 16 + 383, 16 + 384)] == [True, False, False, True]


def test_codes_that_no_library_can_draw_do_not_stop_the_printer() -> None:
    """An impossible barcode and an impossible QR code."""
    data = b"\x1dkC\x03abc\x1dkN\x02zz\x1d(k\xb8\x0b1P0" + b"x" * 2997 + b"\x1d(k\x03\x001Q0"
    slip = slips_of(data)[0]
    assert draw_slip(slip).height > 2 * CUT_DOTS
