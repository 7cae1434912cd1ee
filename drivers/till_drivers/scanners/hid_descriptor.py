"""Where a scanner's reports have what, from its HID report descriptor. No I/O.

From USB-IF's HID Point of Sale Usage Tables, usage page 0x8C: a scanned data report holds a byte count (most makers),
the AIM symbology identifier, the decoded data, and a flag that the code goes on in the next report. Makers order and
size them as they like.
"""

from msgspec import Struct

from till_drivers.exceptions import ProtocolError

SCANNER_PAGE = 0x8C
DESCRIPTOR_LIMIT_BYTES = 4096
"""As much as Linux and hidapi keep of one."""
REPORT_LIMIT_BYTES = 4096
"""Full-speed USB makes reports of 64 bytes; more than this is no scanner's."""

_BYTE_COUNT = 0x01_003B
_IDENTIFIERS = (SCANNER_PAGE << 16 | 0xFB, SCANNER_PAGE << 16 | 0xFC, SCANNER_PAGE << 16 | 0xFD)
_DATA = SCANNER_PAGE << 16 | 0xFE
_CONTINUED = SCANNER_PAGE << 16 | 0xFF
_WANTED = frozenset({_BYTE_COUNT, *_IDENTIFIERS, _DATA, _CONTINUED})

_MAIN, _GLOBAL, _LOCAL = 0, 1, 2
_INPUT = 8
_USAGE_PAGE, _REPORT_SIZE, _REPORT_ID, _REPORT_COUNT, _PUSH, _POP = 0, 7, 8, 9, 10, 11
_USAGE, _USAGE_MINIMUM, _USAGE_MAXIMUM = 0, 1, 2
_CONSTANT = 1
_LONG_ITEM = 0xFE
_LARGEST_VALUE_BITS = 32
"""HID's own limit for a value."""
_STACK_LIMIT = 16
_USAGES_LIMIT = 256


class Span(Struct, frozen=True):
    """Where a field stands in a report, its number not counted, in bits."""

    start: int
    bits: int
    """Of one value."""
    count: int = 1

    def number(self, body: bytes) -> int:
        """The first value."""
        return int.from_bytes(body, "little") >> self.start & (1 << self.bits) - 1

    def values(self, body: bytes) -> bytes:
        """All values, of whole bytes."""
        first = self.start // 8
        return body[first : first + self.count]


class Layout(Struct, frozen=True, kw_only=True):
    """Where a scanned data report has what. Without `count` the data is padded with NUL."""

    data: Span
    count: Span | None = None
    identifiers: tuple[Span, ...] = ()
    continued: Span | None = None


Layouts = dict[int, Layout]
"""By report number; 0: the device's reports have none."""

USUAL: Layouts = {
    2: Layout(
        count=Span(0, 8),
        identifiers=(Span(8, 8), Span(16, 8), Span(24, 8)),
        data=Span(32, 8, 56),
        continued=Span(62 * 8, 1, 8),
    )
}
"""What the makers' manuals show (Honeywell, Access-IS), for a device whose descriptor can't be had."""


class _State(Struct, frozen=True, kw_only=True):
    """What a descriptor has said that holds until it says otherwise."""

    page: int = 0
    size: int = 0
    count: int = 0
    report: int = 0


def parse_descriptor(descriptor: bytes) -> Layouts:
    """The scanned data reports of a device.

    Raises ProtocolError when the descriptor breaks off, or no report in it has decoded data in whole bytes.
    """
    if len(descriptor) > DESCRIPTOR_LIMIT_BYTES:
        raise ProtocolError(f"expected a descriptor of at most {DESCRIPTOR_LIMIT_BYTES} bytes, not {len(descriptor)}")
    walk = _Walk()
    for kind, tag, value, size in _items(descriptor):
        if kind == _GLOBAL:
            walk.hold(tag, value)
        elif kind == _LOCAL:
            walk.use(tag, value, is_whole=size == 4)
        elif kind == _MAIN:
            walk.place(tag, value)
    layouts = {number: layout for number, found in walk.fields.items() if (layout := _layout(found)) is not None}
    if not layouts:
        raise ProtocolError("expected a report with decoded data of a scanner in the descriptor; it has none")
    return layouts


class _Walk:
    """A descriptor's items one after another."""

    def __init__(self) -> None:
        self.fields: dict[int, dict[int, Span]] = {}
        """By report number and usage; those that a scanner's codes are in."""
        self._ends: dict[int, int] = {}
        self._state = _State()
        self._kept: list[_State] = []
        self._usages: list[int] = []

    def hold(self, tag: int, value: int) -> None:
        """A global item. Raises ProtocolError when more is taken back than was kept."""
        if tag == _PUSH and len(self._kept) < _STACK_LIMIT:
            self._kept.append(self._state)
        elif tag in (_PUSH, _POP):
            if tag == _PUSH or not self._kept:
                raise ProtocolError(f"expected what is kept in a descriptor to be taken back, up to {_STACK_LIMIT}")
            self._state = self._kept.pop()
        else:
            self._state = _changed(self._state, tag, value)

    def use(self, tag: int, value: int, *, is_whole: bool) -> None:
        """A local item: what the next fields are for; a range comes as its ends. `is_whole`: with its page."""
        usage = value if is_whole else self._state.page << 16 | value
        room = _USAGES_LIMIT - len(self._usages)
        if tag in (_USAGE, _USAGE_MINIMUM) and room:
            self._usages.append(usage)
        elif tag == _USAGE_MAXIMUM and self._usages:
            first = self._usages[-1] + 1
            self._usages.extend(range(first, min(usage + 1, first + room)))

    def place(self, tag: int, value: int) -> None:
        """A main item; an input field takes its place. Usages go to the values in order, the last to all that are left.

        Constants are filling.
        """
        state, usages = self._state, self._usages
        if tag == _INPUT:
            start = self._ends.get(state.report, 0)
            self._ends[state.report] = start + state.size * state.count
            found = self.fields.setdefault(state.report, {})
            for place, usage in enumerate(usages[: state.count]):
                is_last = place == len(usages) - 1
                span = Span(start + place * state.size, state.size, state.count - place if is_last else 1)
                is_sane = state.size <= _LARGEST_VALUE_BITS and span.start < 8 * REPORT_LIMIT_BYTES
                if usage in _WANTED and is_sane and not value & _CONSTANT:
                    found.setdefault(usage, span)
        usages.clear()


def _items(descriptor: bytes) -> list[tuple[int, int, int, int]]:
    """Kind, tag, value and the bytes of the value of each short item."""
    items = []
    place = 0
    while place < len(descriptor):
        head = descriptor[place]
        if head == _LONG_ITEM:
            # Reserved by the standard; it tells its own length.
            place += 3 + (descriptor[place + 1] if place + 1 < len(descriptor) else 0)
            continue
        size = (0, 1, 2, 4)[head & 3]
        value = descriptor[place + 1 : place + 1 + size]
        if len(value) < size:
            raise ProtocolError(f"expected {size} bytes behind the item at {place} of a descriptor, not {len(value)}")
        items.append((head >> 2 & 3, head >> 4, int.from_bytes(value, "little"), size))
        place += 1 + size
    return items


def _changed(state: _State, tag: int, value: int) -> _State:
    return _State(
        page=value if tag == _USAGE_PAGE else state.page,
        size=value if tag == _REPORT_SIZE else state.size,
        count=value if tag == _REPORT_COUNT else state.count,
        report=value if tag == _REPORT_ID else state.report,
    )


def _layout(found: dict[int, Span]) -> Layout | None:
    data = found.get(_DATA)
    end = (data.start + data.bits * data.count) // 8 if data else 0
    if data is None or data.bits != 8 or data.start % 8 or not 0 < end <= REPORT_LIMIT_BYTES:
        return None
    return Layout(
        data=data,
        count=found.get(_BYTE_COUNT),
        identifiers=tuple(found[usage] for usage in _IDENTIFIERS if usage in found),
        continued=found.get(_CONTINUED),
    )
