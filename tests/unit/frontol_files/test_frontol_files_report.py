"""A report's bytes: its head, its encodings, its rows by slices, and what is no row yet."""

import codecs
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.frontol_report import FrontolTill
from till_agent.frontol_files import report
from till_agent.frontol_files.exceptions import ReportUnfinished, ReportUnreadable
from till_agent.frontol_files.report import Head, digest_before, mark_taken, read_head, read_slice

ENCODINGS = {
    "cp1251": ("cp1251", b""),
    "cp866": ("cp866", b""),
    "utf-8": ("utf-8", b""),
    "utf-8 with a mark": ("utf-8", codecs.BOM_UTF8),
    "utf-16-le": ("utf-16-le", codecs.BOM_UTF16_LE),
    "utf-16-be": ("utf-16-be", codecs.BOM_UTF16_BE),
}


def _bytes(text: str, encoding: str) -> bytes:
    name, mark = ENCODINGS[encoding]
    return mark + text.encode(name)


def _told(encoding: str) -> str:
    """What the configuration says: of a report with a mark, something else."""
    name, mark = ENCODINGS[encoding]
    return "cp1251" if mark else name


def _all(file: io.BytesIO, encoding: str, *, last: bool = False) -> tuple[Head, list[tuple[int, str]]]:
    head = read_head(file, encoding)
    rows: list[tuple[int, str]] = []
    offset, line = head.start, 4
    while not (found := read_slice(file, head, offset, line, last=last)).empty:
        rows += found.rows
        offset, line = found.end, found.line
    return head, rows


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("newline", ["\r\n", "\n"])
def test_rows_come_back_in_every_encoding(encoding: str, newline: str) -> None:
    """Also letters, and the sign that stands for a semicolon; a mark is stronger than the configuration."""
    rows = (
        ["1;Молоко;2", "2;Хлеб\u00a4белый;", "3;;"] if encoding != "cp866" else ["1;Молоко;2", "2;Хлеб\u00a4;", "3;;"]
    )
    text = newline.join(["#", "7", "466", *rows]) + newline
    head, found = _all(io.BytesIO(_bytes(text, encoding)), _told(encoding))
    assert (head.mark, head.database, head.report) == ("#", "7", "466")
    assert found == list(enumerate(rows, 4))


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_report_that_is_being_written_is_read_to_its_last_whole_row(encoding: str) -> None:
    """Cut at every byte: rows are whole or not there, and reading on from where it was gives the rest."""
    text = "#\r\n1\r\n2\r\n" + "".join(f"{number};ряд;{number * 7}\r\n" for number in range(5))
    whole = _bytes(text, encoding)
    _, wanted = _all(io.BytesIO(whole), _told(encoding))
    for cut in range(len(whole)):
        try:
            head, found = _all(io.BytesIO(whole[:cut]), _told(encoding))
        except ReportUnfinished:
            assert cut < len(_bytes("#\r\n1\r\n2\r\n", encoding))
            continue
        assert found == wanted[: len(found)]
        offset = read_offset(whole[:cut], head)
        rest = read_slice(io.BytesIO(whole), head, offset, 4 + len(found))
        assert found + rest.rows == wanted


def read_offset(raw: bytes, head: Head) -> int:
    """Where reading stopped."""
    offset, line = head.start, 4
    while not (found := read_slice(io.BytesIO(raw), head, offset, line)).empty:
        offset, line = found.end, found.line
    return offset


def test_a_last_row_without_its_line_end_counts_once_the_report_has_settled() -> None:
    file = io.BytesIO(b"#\n1\n2\n1;a\n2;b")
    assert _all(file, "cp1251")[1] == [(4, "1;a")]
    assert _all(file, "cp1251", last=True)[1] == [(4, "1;a"), (5, "2;b")]


def test_empty_lines_and_the_end_of_file_sign_are_no_rows() -> None:
    assert _all(io.BytesIO(b"#\n1\n2\n\n1;a\n\x1a\n"), "cp1251")[1] == [(5, "1;a")]


@pytest.mark.parametrize(
    "raw", [b"PK\x03\x04", b"##@@&&\r\n#\r\n$$$ADD\r\n", b"hello\n1\n2\n", b"#\n1;2\n3\n", b"x" * 9000]
)
def test_another_file_is_no_report(raw: bytes) -> None:
    """A load file too: it begins with two of the sign."""
    with pytest.raises(ReportUnreadable):
        read_head(io.BytesIO(raw), "cp1251")


@pytest.mark.parametrize("raw", [b"", b"#", b"#\r\n", b"#\r\n1", b"@\r\n1\r\n466", codecs.BOM_UTF16_LE])
def test_a_head_that_is_not_whole_waits(raw: bytes) -> None:
    with pytest.raises(ReportUnfinished):
        read_head(io.BytesIO(raw), "cp1251")


def test_a_row_without_end_is_left_out_and_the_next_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever its length, no more of it is held than a slice."""
    monkeypatch.setattr(report, "SLICE_BYTES", 64)
    monkeypatch.setattr(report, "ROW_BYTES", 32)
    file = io.BytesIO(b"#\n1\n2\n1;a\n" + b"9" * 500 + b"\n" + b"2;b\n" + b"8" * 40 + b"\n3;c\n")
    head = read_head(file, "cp1251")
    offset, line, rows, long = head.start, 4, [], []
    while not (found := read_slice(file, head, offset, line)).empty:
        rows += found.rows
        long += found.too_long
        offset, line = found.end, found.line
    assert rows == [(4, "1;a"), (6, "2;b"), (8, "3;c")]
    assert long == [5, 7]


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_the_mark_is_one_letter_in_its_place(encoding: str, tmp_path: Path) -> None:
    """All else stays as it was; a second time nothing is written."""
    text = "#\r\n1\r\n2\r\n1;#;#\r\n"
    path = tmp_path / "report.txt"
    path.write_bytes(_bytes(text, encoding))
    with path.open("r+b") as file:
        head = read_head(file, _told(encoding))
        assert mark_taken(file, head)
        assert not mark_taken(file, head)
    assert path.read_bytes() == _bytes("@" + text[1:], encoding)


def test_a_report_replaced_in_its_place_has_another_digest() -> None:
    first, second = io.BytesIO(b"#\n1\n2\n1;a\n"), io.BytesIO(b"#\n1\n2\n1;b\n")
    head = read_head(first, "cp1251")
    assert digest_before(first, head.start, 10) != digest_before(second, head.start, 10)


@given(st.binary(max_size=400))
def test_any_bytes_are_a_report_or_refused(raw: bytes) -> None:
    """Nothing else is raised, and reading ends."""
    file = io.BytesIO(raw)
    try:
        _all(file, "cp1251", last=True)
    except ReportUnreadable:
        return


def test_the_writer_of_the_tests_writes_what_is_read() -> None:
    till = FrontolTill()
    till.sale("2900000000018")
    _, rows = _all(io.BytesIO(till.text().encode("cp1251")), "cp1251")
    assert [text for _, text in rows] == till.rows
