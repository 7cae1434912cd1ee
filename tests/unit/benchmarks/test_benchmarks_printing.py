"""What the figures of slips are made from: the slips that are named, and two ways that print the same."""

from till_drivers.preview import to_slip
from till_drivers.printers import CODE_PAGES, Profile, render
from till_drivers.simulators.escpos_elements import Raster
from till_drivers.simulators.escpos_interpreter import Interpreter
from tillbench import aims, printing


def test_every_line_that_the_aim_names_is_drawn() -> None:
    """40 lines, 30 rows each, and no letter typed."""
    found = Interpreter().feed(render(printing.DRAWN, Profile()))
    rasters = [element for element in found if isinstance(element, Raster)]
    assert sum(raster.rows for raster in rasters) == printing.LINES * 30


def test_the_named_slips_are_typed_and_drawn_as_their_names_say() -> None:
    """17 lines of text, no picture where the code page has all letters."""
    kazakh = Profile(code_page="kz1048", code_page_number=CODE_PAGES["kz1048"])
    for blocks, profile in ((printing.RUSSIAN, Profile()), (printing.KAZAKH, kazakh)):
        text = to_slip(render(blocks, profile), profile).text()
        assert "[picture" not in text
        assert sum(1 for line in text.splitlines() if line and "[QR" not in line) == 17


def test_a_run_gives_each_figure_and_an_aim() -> None:
    """One round."""
    found = printing.measure(1)
    assert (
        found.bytes_of["Russian, cp866: typed, 80 mm"]
        < 1_000
        < found.bytes_of["Kazakh, cp866: what it lacks is drawn, 80 mm"]
    )
    assert found.bytes_of["QR code, by the printer"] * 20 < found.bytes_of["QR code, as a picture"]
    assert printing.times_of(found) > 0
    assert printing.seconds_on_a_line(11_520) == 1
    assert aims.of_drawn_lines(9.9)["reached"]
    assert not aims.of_drawn_lines(10.1)["reached"]
