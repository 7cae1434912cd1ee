"""What a configuration may say of printers is what their driver takes: `config check` must not pass what it refuses."""

import typing
from importlib.metadata import entry_points
from pathlib import Path

from msgspec import Meta

from till_config import load
from till_config.meaning import CODE_PAGES as CHECKED_CODE_PAGES
from till_config.meaning_devices import PORT_OR_MATCH, PRINTER_NEEDS
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


def test_each_driver_with_the_key_that_it_needs_is_good(tmp_path: Path) -> None:
    """And so are drivers of other packages, whatever they need; two cameras and two printers on one host included."""
    scanners = [
        'driver = "serial"\nport = "COM3"',
        'driver = "serial"\nmatch = "0c2e:0b61:A"',
        'driver = "keyboard"\nmatch = "0c2e:0b61:B"',
        'driver = "hidpos"\nport = "/dev/hidraw0"',
        'driver = "camera"\nport = "/dev/video0"',
        'driver = "camera"\nport = "http://camera:8081/stream?x=1"',
        'driver = "camera"\nport = "C:/frames"',
        'driver = "camera"\nmatch = "046d:0825"',
        'driver = "acme"',
    ]
    printers = [
        'driver = "tcp"\nhost = "192.0.2.10"',
        'driver = "tcp"\nhost = "192.0.2.10"',
        'driver = "serial"\ndevice = "COM4"',
        'driver = "usb"\nmatch = "04b8:0202"',
        'driver = "file"\ndevice = "/dev/usb/lp0"',
        'driver = "file"\ndevice = "LPT1"',
        'driver = "cups"\nqueue = "receipt_1"',
        'driver = "windows"\nqueue = "POS-80 (copy 1)"',
        f'driver = "acme"\nlogo = "{tmp_path.as_posix()}/logo.png"',
    ]
    text = "".join(f'[[scanners]]\nname = "s{n}"\n{each}\n' for n, each in enumerate(scanners))
    text += "".join(f'[[printers]]\nname = "p{n}"\n{each}\n' for n, each in enumerate(printers))
    path = tmp_path / "till.toml"
    path.write_text(text, encoding="utf-8")
    settings = load(path)
    assert (len(settings.scanners), len(settings.printers)) == (len(scanners), len(printers))


def test_the_drivers_whose_needs_are_checked_are_those_that_are_packaged() -> None:
    """A new driver has to say here what it needs."""
    scanners = {point.name for point in entry_points(group="tillside.scanners") if point.value.startswith("till_")}
    printers = {point.name for point in entry_points(group="tillside.printers") if point.value.startswith("till_")}
    assert scanners == set(PORT_OR_MATCH)
    assert printers == set(PRINTER_NEEDS)
