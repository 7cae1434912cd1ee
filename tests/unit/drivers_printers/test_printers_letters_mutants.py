"""Mistakes made on purpose in the way from blocks to bytes: the tests that hold each rule must fail."""

from pathlib import Path

import pytest

from kit.broken import Mutant, notice, pass_unbroken
from kit.forks import Forks

HERE = "tests/unit/drivers_printers/"
LETTERS = HERE + "test_printers_letters.py"
RASTER = HERE + "test_printers_raster.py"

MUTANTS: list[Mutant] = [
    (
        "letters that no page has are printed as question marks",
        "printers/render.py",
        'letters = text.replace("\\u00a0", " ").encode(code_page)',
        'letters = text.replace("\\u00a0", " ").encode(code_page, "replace")',
        LETTERS + "::test_every_letter_is_printed_and_reads_back",
    ),
    (
        "a drawn letter stands one dot beside its cell",
        "printers/letters.py",
        "ink |= _spread(letter, cell, height, line.bold, width_dots) >> at",
        "ink |= _spread(letter, cell, height, line.bold, width_dots) >> at + 1",
        LETTERS + "::test_every_letter_is_printed_and_reads_back",
    ),
    (
        "kept letters of both weights are mixed up",
        "printers/letters.py",
        "for row in glyph(letter, cell_dots, height_dots, bold):\n        ink",
        "for row in glyph(letter, cell_dots, height_dots, False):\n        ink",
        LETTERS + "::test_words_are_drawn_as_the_font_has_them",
    ),
    (
        "a picture may hold a status request",
        "printers/raster.py",
        "data = harmless(picture.data)",
        "data = picture.data",
        HERE + "test_printers_logo.py::test_no_real_time_code_is_in_a_picture_made_of_them",
    ),
    (
        "the white around a QR code is two modules",
        "printers/codes.py",
        "QR_MARGIN_MODULES = 4",
        "QR_MARGIN_MODULES = 2",
        HERE + "test_printers_codes.py::test_four_modules_around_a_qr_code_are_white",
    ),
    (
        "a logo's size is not looked at before it is unpacked",
        "printers/logo.py",
        "if wide * high > PIXEL_LIMIT or max(wide, high) > SIDE_LIMIT:",
        "if False:",
        HERE + "test_printers_logo.py::test_what_is_wrong_can_be_known_before_the_first_slip",
    ),
    (
        "the length of a QR code is not looked at",
        "printers/codes.py",
        "if profile.native_qr and _length(data) not in REAL_TIME_CODES:",
        "if profile.native_qr:",
        RASTER + "::test_a_qr_code_whose_length_is_a_status_request_goes_as_a_picture",
    ),
]


@pytest.mark.parametrize("mutant", MUTANTS, ids=[mutant[0] for mutant in MUTANTS])
def test_a_mistake_is_noticed(mutant: Mutant, forks: Forks, tmp_path: Path) -> None:
    """Each of them by a test that states the rule."""
    notice(forks, tmp_path, "till_drivers", mutant)


def test_nothing_is_noticed_where_there_is_no_mistake(forks: Forks, tmp_path: Path) -> None:
    """Over an unbroken copy the same tests pass."""
    pass_unbroken(forks, tmp_path, "till_drivers", MUTANTS)
