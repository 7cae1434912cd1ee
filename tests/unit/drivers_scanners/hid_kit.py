"""Report descriptors and reports of scanners in HID-POS mode, as makers' manuals and USB-IF's tables describe them."""

from collections.abc import Callable
from typing import Any

DATA_BYTES = 56


def counted(*, data_bytes: int = DATA_BYTES) -> bytes:
    """A descriptor with a byte count, three bytes of identifier, data, two of the maker's and a flag of eight bits.

    Behind it stand reports that are not a code's: a trigger for the scanner, and settings.
    """
    return (
        bytes.fromhex("058C 0902 A101 0912 A102 8502 1500 26FF00 7508")
        + bytes.fromhex("9501 0501 093B 8102")
        + bytes.fromhex("9503 058C 09FB 09FC 09FD 8102")
        + bytes([0x95, data_bytes])
        + bytes.fromhex("09FE 820201 0666FF 9502 0904 0900 8102 058C 2501 7501 9508 09FF 8102 C0")
        + bytes.fromhex("0914 A102 8504 1500 2501 7501 9508 0900 095F 0960 9186 C0 C0")
    )


def padded() -> bytes:
    """A descriptor without report numbers and without a count; the flag stands first, filled up to a byte."""
    return bytes.fromhex(
        "058C 0902 A101 0912 A102 1500 2501 7501 9501 09FF 8102 7507 8103"
        "26FF00 7508 9503 19FB 29FD 8102 953C 09FE 820201 C0 C0"
    )


def long_usages() -> bytes:
    """Usages that name their page themselves, kept and taken back state, and a long item."""
    return bytes.fromhex(
        "0501 0906 A101 0B02008C00 A102 8507 A4 7508 9502 0BFB008C00 0BFC008C00 8102 FE02AA0102 B4"
        "7508 9505 0BFE008C00 8102 C0 C0"
    )


def report(data: bytes, *, aim: str = "", more: bool = False, number: int = 2) -> bytes:
    """A report of 64 bytes in the usual layout."""
    identifier = f"]{aim}".encode() if aim else bytes(3)
    return bytes([number, len(data)]) + identifier + data.ljust(DATA_BYTES, b"\0") + b"s\0" + bytes([more])


def reports(data: bytes, aim: str = "") -> list[bytes]:
    """A code in as many reports as it needs."""
    pieces = [data[start : start + DATA_BYTES] for start in range(0, len(data), DATA_BYTES)] or [b""]
    return [report(piece, aim=aim, more=piece is not pieces[-1]) for piece in pieces]


class Device:
    """`hid.device` of a scanner that a test holds in its hand."""

    def __init__(self, bus: "Bus") -> None:
        self._bus = bus
        self._is_open = False

    def open_path(self, path: bytes) -> None:
        if self._bus.refuses:
            raise OSError("open failed")
        if path not in {each["path"] for each in self._bus.enumerate()}:
            raise OSError("open failed")
        self._is_open = True
        self._bus.opened += 1

    def get_report_descriptor(self, _size: int = 4096) -> list[int]:
        if self._bus.descriptor is None:
            raise OSError("error")
        return list(self._bus.descriptor)

    def read(self, size: int, timeout_ms: int = 0) -> list[int]:
        if not self._is_open:
            raise ValueError("not open")
        return list(self._bus.wait(timeout_ms)[:size])

    def close(self) -> None:
        self._is_open = False
        self._bus.closed += 1


class Bus:
    """A stand-in for the module `hid`: what is plugged in, and the reports that wait."""

    def __init__(self, wait: Callable[[float], bytes]) -> None:
        self._wait = wait
        self.plugged: list[dict[str, Any]] = []
        self.descriptor: bytes | None = counted()
        self.refuses = False
        self.opened = 0
        self.closed = 0

    def enumerate(self, _vid: int = 0, _pid: int = 0) -> list[dict[str, Any]]:
        return list(self.plugged)

    def device(self) -> Device:
        return Device(self)

    def wait(self, timeout_ms: float) -> bytes:
        return self._wait(timeout_ms)


def entry(match: str = "0c2e:0b61:S1", *, path: bytes = b"1-1:1.0", page: int = 0x8C) -> dict[str, Any]:
    """What hidapi lists of a device."""
    vid, pid, serial = [*match.split(":"), ""][:3]
    return {
        "path": path,
        "vendor_id": int(vid, 16),
        "product_id": int(pid, 16),
        "serial_number": serial,
        "usage_page": page,
        "usage": 2,
        "product_string": "Scanner",
        "interface_number": 0,
    }
