"""What a configuration may say of printers is what their driver takes: `config check` must not pass what it refuses."""

import typing

from msgspec import Meta

from till_config.meaning import CODE_PAGES as CHECKED_CODE_PAGES
from till_config.settings import PrinterSettings
from till_drivers.printers import CODE_PAGES, Profile
from till_drivers.printers.profile import COLUMNS_RANGE, WIDTH_DOTS_RANGE


def bounds(name: str) -> tuple[int | None, int | None]:
    """The least and the largest that the settings allow."""
    found = typing.get_type_hints(PrinterSettings, include_extras=True)[name]
    meta = next(each for each in found.__metadata__ if isinstance(each, Meta))
    return typing.cast("tuple[int | None, int | None]", (meta.ge, meta.le))


def test_the_code_pages_are_those_of_the_driver() -> None:
    """None more, none less."""
    assert sorted(CHECKED_CODE_PAGES) == sorted(CODE_PAGES)


def test_widths_are_those_of_the_driver() -> None:
    """In letters and in dots."""
    assert bounds("columns") == COLUMNS_RANGE
    assert bounds("width_dots") == WIDTH_DOTS_RANGE


def test_the_defaults_make_a_printer() -> None:
    """With nothing but a name and a driver."""
    Profile.of(PrinterSettings(name="receipt", driver="tcp"))
