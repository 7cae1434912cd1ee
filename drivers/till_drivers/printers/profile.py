"""What a printer can do: paper width, letters, code page, cutter."""

from typing import Protocol

from msgspec import Struct

from till_drivers.exceptions import SettingsError

CODE_PAGES = {
    "cp437": 0,
    "cp850": 2,
    "cp852": 18,
    "cp858": 19,
    "cp866": 17,
    "cp1125": 44,
    "cp1250": 45,
    "cp1251": 46,
    "cp1252": 16,
    "cp1253": 47,
    "cp1254": 48,
    "cp1257": 51,
    "kz1048": 53,
}
"""Python's name of each single-byte code page that receipt printers have, with the number most of them give it in
`ESC t` (Epson's table; many cheap printers have another, which their self-test slip shows)."""

WIDTH_DOTS_RANGE = (192, 1024)
"""From the narrowest paper of label printers to beyond 112 mm at 8 dots a millimetre."""
CUT_MODES = ("partial", "full")
DENSITY_RANGE = (-6, 6)
"""What Epson's printers take (`GS ( K`, function 49); others have fewer steps, and none have more."""
COLUMNS_RANGE = (16, 80)
"""Fewer hold no word; more are no receipt printer's."""
LINE_DOTS = 30
"""Height of a text line with the default spacing of 1/6 inch."""
SLICE_ROWS = 256
"""Rows of one `GS v 0`: cheap printers keep no more than 64 KB, and some stop at 256 rows whatever their width."""
REAL_TIME_CODES = (b"\x10\x04", b"\x10\x05", b"\x10\x14")
"""Printers obey these (status, recover, open the drawer, power off) even in the middle of other commands' data."""


class PrinterConfig(Protocol):
    """The settings of one printer (`till_config.settings.PrinterSettings` has these, and so may anything else)."""

    @property
    def name(self) -> str: ...
    @property
    def host(self) -> str: ...
    @property
    def port(self) -> int: ...
    @property
    def device(self) -> str: ...
    @property
    def baud_rate(self) -> int: ...
    @property
    def width_dots(self) -> int: ...
    @property
    def columns(self) -> int: ...
    @property
    def code_page(self) -> str: ...
    @property
    def code_page_number(self) -> int: ...
    @property
    def cut(self) -> bool: ...
    @property
    def drawer(self) -> bool: ...
    @property
    def status(self) -> bool: ...
    @property
    def match(self) -> str: ...
    @property
    def queue(self) -> str: ...
    @property
    def cut_mode(self) -> str: ...
    @property
    def native_qr(self) -> bool: ...
    @property
    def density(self) -> int: ...
    @property
    def logo(self) -> str: ...


class Profile(Struct, frozen=True, kw_only=True):
    """A printer as `render` sees it. Raises SettingsError when made with values that fit no printer."""

    width_dots: int = 576
    columns: int = 48
    code_page: str = "cp866"
    code_page_number: int = 17
    cut: bool = True
    cut_mode: str = "partial"
    """`partial` leaves a bridge that holds the slip, `full` none."""
    density: int = 0
    """Darkness against the printer's own, -6 to 6; 0 sends nothing."""
    logo: str = ""
    """Path of the PNG that the block `image("logo")` prints, or ""."""
    drawer: bool = False
    """Open the cash drawer that hangs on this printer with each slip."""
    native_qr: bool = True
    cancel_kanji: bool = True
    """Send `FS .` first: printers made for China read pairs of high bytes as one Chinese letter until told not to."""

    def __post_init__(self) -> None:
        low, high = WIDTH_DOTS_RANGE
        if not low <= self.width_dots <= high or self.width_dots % 8:
            raise SettingsError(f"width_dots: expected a multiple of 8 from {low} to {high}, not {self.width_dots}")
        low, high = COLUMNS_RANGE
        if not low <= self.columns <= high:
            raise SettingsError(f"columns: expected {low} to {high}, not {self.columns}")
        if self.code_page not in CODE_PAGES:
            raise SettingsError(f"code_page: expected one of {', '.join(CODE_PAGES)}, not {self.code_page!r}")
        if not 0 <= self.code_page_number <= 255:
            raise SettingsError(f"code_page_number: expected 0 to 255, not {self.code_page_number}")
        if self.cut_mode not in CUT_MODES:
            raise SettingsError(f"cut_mode: expected one of {', '.join(CUT_MODES)}, not {self.cut_mode!r}")
        low, high = DENSITY_RANGE
        if not low <= self.density <= high:
            raise SettingsError(f"density: expected {low} to {high}, not {self.density}")

    @property
    def cell_dots(self) -> int:
        """Width of one letter."""
        return self.width_dots // self.columns

    @classmethod
    def of(cls, settings: PrinterConfig) -> "Profile":
        """The profile that the settings describe. A logo that can't be printed is logged; slips go without it."""
        if settings.logo:
            from till_drivers.printers.logo import warn_beforehand  # it needs this module

            warn_beforehand(settings.logo)
        return cls(
            width_dots=settings.width_dots,
            columns=settings.columns,
            code_page=settings.code_page,
            code_page_number=settings.code_page_number,
            cut=settings.cut,
            drawer=settings.drawer,
            cut_mode=settings.cut_mode,
            density=settings.density,
            logo=settings.logo,
            native_qr=settings.native_qr,
        )


PROFILE_80MM = Profile()
PROFILE_58MM = Profile(width_dots=384, columns=32)
