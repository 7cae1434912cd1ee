"""An ESC/POS interpreter without I/O: bytes in, elements out.

The elements are the same however the bytes were cut into pieces. Nothing that comes can make it fail: a command it does
not know becomes Unknown and is counted.
"""

from msgspec.structs import replace

from till_drivers.simulators.escpos_elements import (
    Bars,
    CutPaper,
    Density,
    Element,
    Feed,
    LineSpacing,
    Move,
    Pulse,
    Qr,
    Raster,
    RealTimeRequest,
    Reset,
    TextRun,
    Unknown,
)
from till_drivers.simulators.escpos_modes import ESCAPE_MODES, GROUP_MODES, Modes

DATA_LIMIT = 1 << 20
"""Bytes of one command's data that are believed; a larger length is noise, and its header becomes Unknown."""
RUN_LIMIT = 4096
"""Letters kept before they are told as a run, so that a stream without line ends takes no memory."""

DLE, LF, FF, CR, HT, CAN, ESC, FS, GS = 0x10, 0x0A, 0x0C, 0x0D, 0x09, 0x18, 0x1B, 0x1C, 0x1D

# How many parameter bytes follow commands that change nothing we draw.
_ESC_IGNORED = {
    **dict.fromkeys(b" %&=?RTUV{", 1), 0x63: 2, 0x42: 2, 0x28: -1, 0x4C: 0, 0x53: 0, 0x4B: 1,
    0x4D: 1, 0x72: 1, 0x57: 8, 0x65: 1, 0x0C: 0,
}  # fmt: skip
_GS_IGNORED = {0x2F: 1, 0x3A: 0, 0x42: 1, 0x4C: 2, 0x57: 2, 0x50: 2, 0x62: 1, 0x66: 1, 0x7C: 1,
               0x24: 2, 0x5C: 2, 0x54: 1}  # fmt: skip
_FS_IGNORED = {0x2E: 0, 0x26: 0, 0x43: 1, 0x21: 1, 0x2D: 1, 0x53: 2, 0x57: 1, 0x28: -1}
_LENGTH_FOLLOWS = -1


class Interpreter:
    """One printer's reading head. `feed` bytes, get elements; `finish` tells the letters that wait."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._letters = bytearray()
        self._modes = Modes()
        self.unknown_count = 0

    def feed(self, data: bytes) -> list[Element]:
        """Elements that are complete with `data`; an unfinished command waits for its rest."""
        self._buffer += data
        found: list[Element] = []
        at = 0
        while at < len(self._buffer):
            byte = self._buffer[at]
            if byte >= 0x20:
                self._letters.append(byte)
                at += 1
                if len(self._letters) >= RUN_LIMIT:
                    self._end_run(found)
                continue
            used = self._command(at, found)
            if used == 0:
                break
            at += used
        del self._buffer[:at]
        return found

    def finish(self) -> list[Element]:
        """Letters that no line end has followed."""
        found: list[Element] = []
        self._end_run(found)
        return found

    def _end_run(self, found: list[Element]) -> None:
        if self._letters:
            found.append(TextRun(bytes(self._letters), self._modes.code_page, self._modes.style))
            self._letters.clear()

    def _command(self, at: int, found: list[Element]) -> int:
        """Bytes used by the command at `at`; 0 when it is not complete."""
        byte = self._buffer[at]
        if byte in (ESC, GS, FS, DLE):
            if at + 1 >= len(self._buffer):
                return 0
            reader = {ESC: self._escape, GS: self._group, FS: self._field, DLE: self._link}[byte]
            count = len(found)
            self._end_run(found)
            used = reader(at, found)
            if used == 0 and len(found) > count:
                # Not complete after all: the letters go on waiting, so that pieces make no difference.
                run = found.pop()
                if isinstance(run, TextRun):
                    self._letters += run.data
            return used
        self._end_run(found)
        if byte in (LF, FF):
            found.append(Feed(1))
        elif byte == HT:
            self._letters.append(0x20)
        elif byte not in (CR, CAN):
            self._miss(found, bytes((byte,)))
        return 1

    def _bytes(self, at: int, count: int) -> bytes | None:
        """`count` bytes at `at`, or None when they are not all here yet."""
        piece = bytes(self._buffer[at : at + count])
        return piece if len(piece) == count else None

    def _miss(self, found: list[Element], data: bytes) -> None:
        self.unknown_count += 1
        found.append(Unknown(data))

    def _skip(self, at: int, known: dict[int, int], found: list[Element]) -> int:
        """Pass over a command that draws nothing, or one nobody knows."""
        count = known.get(self._buffer[at + 1])
        if count is None:
            self._miss(found, bytes(self._buffer[at : at + 2]))
            return 2
        if count == _LENGTH_FOLLOWS:
            lengths = self._bytes(at + 3, 2)
            count = 3 + int.from_bytes(lengths, "little") if lengths is not None else 3 + 2
        return 2 + count if at + 2 + count <= len(self._buffer) else 0

    def _escape(self, at: int, found: list[Element]) -> int:
        code = self._buffer[at + 1]
        if code == 0x40:  # @
            self._modes = Modes()
            found.append(Reset())
            return 2
        if code == 0x32:  # 2
            found.append(LineSpacing(None))
            return 2
        if code in (0x69, 0x6D):  # i, m
            found.append(CutPaper(feeds=False))
            return 2
        if code == 0x2A:  # *
            return self._columns(at, found)
        if code == 0x44:  # D: tab stops until a zero, at most 32
            end = self._buffer.find(0, at + 2, at + 35)
            if end < 0 and len(self._buffer) < at + 35:
                return 0
            return (end - at + 1) if end >= 0 else 34
        if code == 0x70:  # p
            given = self._bytes(at + 2, 3)
            if given is None:
                return 0
            found.append(Pulse(5 if given[0] & 1 else 2))
            return 5
        if code in (0x24, 0x5C):  # $, \
            to = self._bytes(at + 2, 2)
            if to is None:
                return 0
            found.append(Move(int.from_bytes(to, "little", signed=code == 0x5C), relative=code == 0x5C))
            return 4
        if code not in ESCAPE_MODES:
            return self._skip(at, _ESC_IGNORED, found)
        return self._mode(at, found)

    def _mode(self, at: int, found: list[Element]) -> int:
        given = self._bytes(at, 3)
        if given is None:
            return 0
        change = self._modes.escape if given[0] == ESC else self._modes.group
        said = change(given[1], given[2])
        if said is None:
            self._miss(found, given)
        else:
            found += said
        return 3

    def _columns(self, at: int, found: list[Element]) -> int:
        """`ESC *`: a picture in columns of 8 or 24 dots. Counted, not drawn: nothing of ours sends it."""
        head = self._bytes(at + 2, 3)
        if head is None:
            return 0
        size = int.from_bytes(head[1:], "little") * (3 if head[0] in (32, 33) else 1)
        if self._bytes(at + 5, size) is None:
            return 0
        self._miss(found, bytes(self._buffer[at : at + 5]))
        return 5 + size

    def _group(self, at: int, found: list[Element]) -> int:
        code = self._buffer[at + 1]
        if code == 0x76:  # v 0
            return self._raster(at, found)
        if code == 0x28:  # (
            return self._extended(at, found)
        if code == 0x38:  # 8 L
            return self._large(at, found)
        if code == 0x6B:  # k
            return self._bars(at, found)
        if code == 0x56:  # V
            mode = self._bytes(at + 2, 1)
            if mode is None:
                return 0
            feeds = mode[0] in (65, 66, 97, 98, 103, 104)
            if feeds and self._bytes(at + 3, 1) is None:
                return 0
            found.append(CutPaper(feeds=feeds))
            return 4 if feeds else 3
        if code not in GROUP_MODES:
            return self._skip(at, _GS_IGNORED, found)
        return self._mode(at, found)

    def _raster(self, at: int, found: list[Element]) -> int:
        head = self._bytes(at + 2, 6)
        if head is None:
            return 0
        row_bytes, rows = int.from_bytes(head[2:4], "little"), int.from_bytes(head[4:6], "little")
        if head[0] not in (0, 0x30) or (head[1] & ~0x30) > 3 or not 0 < row_bytes * rows <= DATA_LIMIT:
            self._miss(found, bytes(self._buffer[at : at + 8]))
            return 8
        data = self._bytes(at + 8, row_bytes * rows)
        if data is None:
            return 0
        found.append(Raster(data, row_bytes, rows, 1 + (head[1] & 1), 1 + (head[1] >> 1 & 1), self._modes.style))
        return 8 + len(data)

    def _extended(self, at: int, found: list[Element]) -> int:
        """`GS (` and a letter: two bytes of length, then as many of data."""
        head = self._bytes(at + 2, 3)
        if head is None:
            return 0
        size = int.from_bytes(head[1:], "little")
        data = self._bytes(at + 5, size)
        if data is None:
            return 0
        if head[0] == 0x6B and len(data) >= 2 and data[0] == 0x31:  # k, QR
            self._qr(data[1], data[2:], found)
        elif head[0] == 0x4C:
            self._graphics(data, bytes(self._buffer[at : at + 5]), found)
        elif head[0] == 0x4B and size == 2 and data[0] == 0x31:  # K, density
            found.append(Density(int.from_bytes(data[1:], "big", signed=True)))
        else:
            self._miss(found, bytes(self._buffer[at : at + 5]))
        return 5 + size

    def _large(self, at: int, found: list[Element]) -> int:
        """`GS 8 L`: a length of four bytes, then as `GS ( L`."""
        head = self._bytes(at + 2, 5)
        if head is None:
            return 0
        size = int.from_bytes(head[1:], "little")
        if head[0] != 0x4C or not 0 < size <= DATA_LIMIT:
            self._miss(found, bytes(self._buffer[at : at + 7]))
            return 7
        data = self._bytes(at + 7, size)
        if data is None:
            return 0
        self._graphics(data, bytes(self._buffer[at : at + 7]), found)
        return 7 + size

    def _graphics(self, data: bytes, head: bytes, found: list[Element]) -> None:
        """Function 112 keeps a picture (tone, scales, colour, sizes in dots, rows), 50 prints it."""
        if data[:2] == b"0p" and len(data) > 10:
            wide, rows = int.from_bytes(data[6:8], "little"), int.from_bytes(data[8:10], "little")
            row_bytes = (wide + 7) // 8
            if len(data) == 10 + row_bytes * rows and set(data[3:5]) <= {1, 2}:
                self._modes.graphics = Raster(data[10:], row_bytes, rows, data[3], data[4], self._modes.style)
                return
        elif data in (b"02", b"0\x02"):
            if self._modes.graphics is not None:
                found.append(replace(self._modes.graphics, style=self._modes.style))
            self._modes.graphics = None
            return
        self._miss(found, head)

    def _qr(self, function: int, data: bytes, found: list[Element]) -> None:
        if function == 0x43 and data:
            self._modes.qr_dots = max(1, min(16, data[0]))
        elif function == 0x45 and data:
            self._modes.qr_level = "LMQH"[data[0] & 3]
        elif function == 0x50:
            self._modes.qr_data = data[1:]
        elif function == 0x51:
            found.append(Qr(self._modes.qr_data, self._modes.qr_dots, self._modes.qr_level, self._modes.style))
        elif function != 0x41:
            self._miss(found, bytes((function,)))

    def _bars(self, at: int, found: list[Element]) -> int:
        kind = self._bytes(at + 2, 1)
        if kind is None:
            return 0
        if kind[0] < 65:  # the older form, up to a zero
            end = self._buffer.find(0, at + 3, at + 3 + 256)
            if end < 0:
                if len(self._buffer) < at + 3 + 256:
                    return 0
                self._miss(found, bytes(self._buffer[at : at + 3]))
                return 3
            data, used = bytes(self._buffer[at + 3 : end]), end - at + 1
            number = kind[0] + 65
        else:
            size = self._bytes(at + 3, 1)
            given = self._bytes(at + 4, size[0]) if size is not None else None
            if given is None:
                return 0
            data, used, number = given, 4 + len(given), kind[0]
        found.append(
            Bars(number, data, self._modes.bar_dots, self._modes.bar_height, self._modes.bar_text, self._modes.style)
        )
        return used

    def _field(self, at: int, found: list[Element]) -> int:
        return self._skip(at, _FS_IGNORED, found)

    def _link(self, at: int, found: list[Element]) -> int:
        code = self._buffer[at + 1]
        sizes = {0x04: 3, 0x05: 3, 0x14: 5}
        size = sizes.get(code)
        if size is None:
            self._miss(found, bytes(self._buffer[at : at + 2]))
            return 2
        given = self._bytes(at, size)
        if given is None:
            return 0
        if code == 0x04:
            found.append(RealTimeRequest(given[2]))
        return size
