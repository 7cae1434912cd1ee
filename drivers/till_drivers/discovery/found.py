"""What was found, in types: a thing that is plugged in, the drivers that fit it, and sources that could not be read."""

from typing import Literal

from msgspec import Struct

Role = Literal["scanner", "printer"]
Kind = Literal["serial", "keyboard", "hid", "camera", "usb", "file", "queue", "network"]


class Fit(Struct, frozen=True, kw_only=True):
    """A driver that can use the thing, with the keys of its section; `sure` when the thing says what it is."""

    role: Role
    driver: str
    keys: dict[str, str | int | bool]
    sure: bool = False


class Found(Struct, frozen=True, kw_only=True):
    """One thing. `place` is what it is opened by now: a device file, a port, a queue, `host:port`.

    `by_id` is the name that stays the same over replugging, or "". `name` is what it calls itself. `trouble` says why
    it can't be used now, `fix` what to do about that; both "" when nothing is known to be wrong. `is_present` is false
    for an address at which nothing answers.
    """

    kind: Kind
    place: str
    by_id: str = ""
    vid: int | None = None
    pid: int | None = None
    serial_number: str = ""
    name: str = ""
    fits: tuple[Fit, ...] = ()
    trouble: str = ""
    fix: str = ""
    is_present: bool = True

    @property
    def usb(self) -> str:
        """`VID:PID` in hexadecimal, or ""."""
        return f"{self.vid:04x}:{self.pid:04x}" if self.vid is not None and self.pid is not None else ""

    @property
    def match(self) -> str:
        """`VID:PID` or `VID:PID:SERIAL`, as settings name it, or ""."""
        return f"{self.usb}:{self.serial_number}" if self.usb and self.serial_number else self.usb


class SourceFault(Struct, frozen=True, kw_only=True):
    """A source that could not be read: what it would have found is not in the list."""

    source: str
    message: str


class Discovery(Struct, frozen=True, kw_only=True):
    """Everything that was found, by kind and place, and what could not be looked at."""

    found: tuple[Found, ...]
    faults: tuple[SourceFault, ...]
