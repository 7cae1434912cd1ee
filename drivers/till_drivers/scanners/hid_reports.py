"""Codes from the reports of a scanner in HID-POS mode. No I/O."""

from till_drivers.scanners.aim import symbology_of
from till_drivers.scanners.codes import Code
from till_drivers.scanners.framing import CODE_LIMIT_BYTES
from till_drivers.scanners.hid_descriptor import USUAL, Layout, Layouts


class ReportReader:
    """Implements `till_drivers.scanners.reading_loop.Reader`; `feed` takes one report at a time, as devices send them.

    A report that is none of a scanner's, or too short, is passed over. What a report brings behind its fields is not
    looked at.
    """

    def __init__(self, *, prefix: bytes = b"", suffix: bytes = b"") -> None:
        self.layouts: Layouts = USUAL
        """To be set when the device is opened."""
        self._prefix = prefix
        self._suffix = suffix
        self._partial = bytearray()
        self._aim = ""
        self._is_open = False
        self._is_skipping = False

    @property
    def pending(self) -> bool:
        """See `Reader`."""
        return self._is_open

    def feed(self, data: bytes) -> list[Code]:
        """See `Reader`."""
        number, body = (0, data) if 0 in self.layouts else (data[0] if data else -1, data[1:])
        layout = self.layouts.get(number)
        if layout is None or len(body) <= layout.data.start // 8:
            return []
        self._aim = self._aim or _aim_of(layout, body)
        piece = layout.data.values(body)
        piece = piece[: layout.count.number(body)] if layout.count is not None else piece.rstrip(b"\0")
        if not self._is_skipping:
            self._partial += piece
        if len(self._partial) > CODE_LIMIT_BYTES:
            self._partial.clear()
            self._is_skipping = True
        self._is_open = layout.continued is not None and bool(layout.continued.number(body))
        return [] if self._is_open else self._finish()

    def discard(self, data: bytes) -> None:
        """See `Reader`."""
        self.feed(data)
        if self._is_open:
            self._partial.clear()
            self._is_skipping = True

    def silence(self) -> list[Code]:
        """The rest of a code never came: the half is thrown away, not joined to the next."""
        self.reset()
        return []

    def reset(self) -> None:
        """See `Reader`."""
        self._partial.clear()
        self._aim = ""
        self._is_open = self._is_skipping = False

    def _finish(self) -> list[Code]:
        raw, aim = bytes(self._partial), self._aim
        self.reset()
        # Some scanners are set to send an Enter behind the data all the same.
        text = raw.rstrip(b"\r\n").removeprefix(self._prefix)
        text = text.removesuffix(self._suffix) if self._suffix else text
        return [Code(raw=text, aim=aim)] if text else []


def _aim_of(layout: Layout, body: bytes) -> str:
    """The identifier `cm` that a report tells, or ""."""
    told = bytes(span.number(body) & 0xFF for span in layout.identifiers).strip(b"\0").decode("latin-1")
    aim = told.removeprefix("]")
    return aim if symbology_of(aim) else ""
