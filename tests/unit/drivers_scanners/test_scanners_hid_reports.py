"""Codes from reports, and where they stand from descriptors: whole, in several reports, with trailing bytes, fuzzed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from till_drivers.exceptions import ProtocolError
from till_drivers.scanners.framing import CODE_LIMIT_BYTES
from till_drivers.scanners.hid_descriptor import USUAL, Layout, Span, parse_descriptor
from till_drivers.scanners.hid_reports import ReportReader
from unit.drivers_scanners.hid_kit import counted, long_usages, padded, report, reports

LONG = bytes(range(0x20, 0x7F)) * 2


def read(pieces: list[bytes], *, descriptor: bytes = b"", **ends: bytes) -> list[tuple[bytes, str]]:
    reader = ReportReader(**ends)
    if descriptor:
        reader.layouts = parse_descriptor(descriptor)
    return [(code.raw, code.aim) for piece in pieces for code in reader.feed(piece)]


def test_a_descriptor_with_a_count_is_the_usual_layout() -> None:
    """What the manuals draw is what a device with that descriptor says itself."""
    assert parse_descriptor(counted()) == USUAL


def test_layouts_of_other_makers() -> None:
    """Without report numbers, with usages as a range and with pages of their own."""
    assert parse_descriptor(padded()) == {
        0: Layout(
            continued=Span(0, 1),
            identifiers=(Span(8, 8), Span(16, 8), Span(24, 8)),
            data=Span(32, 8, 60),
        )
    }
    assert parse_descriptor(long_usages()) == {7: Layout(identifiers=(Span(0, 8), Span(8, 8)), data=Span(16, 8, 5))}


@pytest.mark.parametrize(
    ("descriptor", "why"),
    [
        (b"", "it has none"),
        (bytes.fromhex("05010906A101C0"), "it has none"),
        (b"\x26\xff", "expected 2 bytes behind the item at 0"),
        (b"\xb4", "taken back"),
        (b"\xa4" * 17, "taken back"),
        (b"\x00" * 4097, "at most 4096 bytes"),
        (bytes.fromhex("058C 7507 9538 09FE 8102"), "it has none"),
        (bytes.fromhex("058C 7508 96FFFF 09FE 8102"), "it has none"),
        (bytes.fromhex("058C 77FFFFFFFF 97FFFFFFFF 09FE 8102 09FF 8102"), "it has none"),
    ],
)
def test_descriptors_of_no_scanner(descriptor: bytes, why: str) -> None:
    """They are refused in words."""
    with pytest.raises(ProtocolError, match=why):
        parse_descriptor(descriptor)


CASES = {
    "one report": ([report(b"2900000000001", aim="C0")], [(b"2900000000001", "C0")]),
    "no identifier": ([report(b"2900000000001")], [(b"2900000000001", "")]),
    "an identifier that is none": ([b"\x02\x02AB?77" + bytes(57)], [(b"77", "")]),
    "two codes": ([report(b"A1"), report(b"B2")], [(b"A1", ""), (b"B2", "")]),
    "four reports": (reports(LONG, "Q1"), [(LONG, "Q1")]),
    "a full report and no more": (reports(b"x" * 56, "Q1"), [(b"x" * 56, "Q1")]),
    "an empty last report": ([report(b"A1", more=True), report(b"")], [(b"A1", "")]),
    "nul and gs in the data": ([report(b"A\x00B\x1dC")], [(b"A\x00B\x1dC", "")]),
    "an enter behind the data": ([report(b"A1\r\n")], [(b"A1", "")]),
    "lines within": ([report(b"BEGIN\r\nEND")], [(b"BEGIN\r\nEND", "")]),
    "nothing read": ([report(b"")], []),
    "another report": ([report(b"A1", number=4)], []),
    "no report": ([b""], []),
    "half a report": ([report(b"2900000000001")[:9]], [(b"2900", "")]),
    "less than half": ([report(b"2900000000001")[:5]], []),
    "trailing bytes": ([report(b"A1") + b"garbage"], [(b"A1", "")]),
    "a count beyond the data": ([b"\x02\xff" + report(b"A1")[2:]], [(b"A1" + bytes(54), "")]),
    "a code without an end": (
        [report(b"x" * 56, more=True)] * (CODE_LIMIT_BYTES // 56 + 1) + [report(b"x"), report(b"A1")],
        [(b"A1", "")],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_reports(name: str) -> None:
    """Each code once, whole."""
    pieces, codes = CASES[name]
    assert read(pieces) == codes
    assert read(pieces, descriptor=counted()) == codes


def test_reports_without_a_count_are_padded_with_nul() -> None:
    """Another maker's layout: the flag first, no report number."""
    pieces = [b"\x01]Q1" + b"A" * 60, b"\x00]Q1" + b"B1".ljust(60, b"\0")]
    assert read(pieces, descriptor=padded()) == [(b"A" * 60 + b"B1", "Q1")]


def test_prefix_and_suffix_are_taken_off_reported_codes() -> None:
    """As they are from a serial scanner's."""
    assert read([report(b"#A1;\r")], prefix=b"#", suffix=b";") == [(b"A1", "")]


def test_the_rest_that_never_came_is_not_joined_to_the_next_code() -> None:
    """After silence, and after an unplug."""
    for forget in (ReportReader.silence, ReportReader.reset):
        reader = ReportReader()
        assert reader.feed(report(b"290", aim="C1", more=True)) == []
        assert reader.pending
        assert not forget(reader)
        assert not reader.pending
        assert [(code.raw, code.aim) for code in reader.feed(report(b"A1"))] == [(b"A1", "")]


def test_the_rest_of_a_code_whose_first_report_came_before_the_opening_is_no_code() -> None:
    """What follows it is."""
    reader = ReportReader()
    first, *rest = reports(LONG)
    reader.discard(first)
    assert [code.raw for piece in (*rest, report(b"A1")) for code in reader.feed(piece)] == [b"A1"]


class _KeepsHalves(ReportReader):
    """A broken reader that waits for the rest for ever."""

    def reset(self) -> None:
        self._is_open = False

    def _finish(self) -> list:  # type: ignore[type-arg]  # the mutant's type is the reader's
        codes = super()._finish()
        self._partial.clear()
        return codes


def test_the_halves_test_catches_a_reader_that_keeps_them() -> None:
    """The mutant of the test above."""
    reader = _KeepsHalves()
    reader.feed(report(b"290", more=True))
    reader.silence()
    assert [code.raw for code in reader.feed(report(b"A1"))] == [b"290A1"]


@given(st.lists(st.binary(min_size=1, max_size=200).filter(lambda data: not data.endswith((b"\r", b"\n"))), max_size=5))
def test_what_is_reported_is_read(codes: list[bytes]) -> None:
    """Codes of any bytes and lengths come back, each once and whole."""
    assert read([piece for code in codes for piece in reports(code)]) == [(code, "") for code in codes]


@given(
    st.lists(st.one_of(st.binary(max_size=70), st.binary(max_size=62).map(lambda body: b"\x02" + body)), max_size=20)
)
def test_any_reports_never_raise_and_never_spoil_the_next_code(pieces: list[bytes]) -> None:
    """Noise is passed over; after the silence behind it a code is whole."""
    reader = ReportReader()
    for piece in pieces:
        reader.feed(piece)
    reader.silence()
    assert [code.raw for code in reader.feed(report(b"A1"))] == [b"A1"]


@given(
    st.one_of(
        st.binary(max_size=200),
        st.tuples(st.integers(0, len(counted())), st.binary(min_size=1, max_size=6)).map(
            lambda spoilt: counted()[: spoilt[0]] + spoilt[1] + counted()[spoilt[0] + len(spoilt[1]) :]
        ),
    ),
    st.binary(max_size=70),
)
def test_any_descriptor_is_parsed_or_refused_and_its_reports_read(descriptor: bytes, piece: bytes) -> None:
    """Nothing else is raised, whatever a device says of itself."""
    reader = ReportReader()
    try:
        reader.layouts = parse_descriptor(descriptor)
    except ProtocolError:
        return
    reader.feed(piece)
