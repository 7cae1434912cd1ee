"""What the camera's process and the agent say to each other: bounded, and never quoted in an error."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from till_drivers.camera.lines import (
    CODE_LIMIT_BYTES,
    LINE_LIMIT_BYTES,
    Alive,
    Eyes,
    Seen,
    Start,
    line,
    parse_said,
    parse_start,
    shortened,
)
from till_drivers.exceptions import ProtocolError


@given(st.binary(max_size=200), st.text(max_size=200), st.text(max_size=3), st.integers(0, 9))
def test_a_code_comes_through_as_it_is(raw: bytes, text: str, aim: str, frames: int) -> None:
    """Any bytes, any text; one line."""
    seen = Seen(
        raw=raw,
        text=text.encode("utf-8", "replace").decode(),
        aim=aim.encode("utf-8", "replace").decode(),
        frames=frames,
    )
    data = line(seen)
    assert data.count(b"\n") == 1
    assert parse_said(data) == seen


@pytest.mark.parametrize("message", [Alive(), Eyes(open=True), Eyes(open=False, detail="not plugged in")])
def test_states_come_through(message: Alive | Eyes) -> None:
    """Each kind by its tag."""
    assert parse_said(line(message)) == message


def test_the_longest_code_has_room_in_a_line() -> None:
    """Even if each of its bytes is six in JSON."""
    assert parse_said(line(Seen(raw=b"\x00" * CODE_LIMIT_BYTES, text="\x00" * CODE_LIMIT_BYTES, aim="Q1", frames=1)))


def test_a_longer_line_is_refused_on_both_sides() -> None:
    """It could be of any length."""
    with pytest.raises(ProtocolError, match="expected a line of at most"):
        line(Seen(raw=b"", text="x" * LINE_LIMIT_BYTES, aim="", frames=1))
    with pytest.raises(ProtocolError, match="expected a line of at most"):
        parse_said(b" " * (LINE_LIMIT_BYTES + 1))


@given(st.binary(max_size=100))
def test_any_bytes_are_a_message_or_a_protocol_error_without_them(data: bytes) -> None:
    """A log that tells the error tells no card."""
    for parse in (parse_said, parse_start):
        said = ""
        try:
            parse(b'{"type":"seen","raw":"4600000000015' + data)
        except ProtocolError as exc:
            said = f"{exc}{exc.__cause__ or ''}"
        assert "46000" not in said


def test_the_first_line_has_what_to_look_at() -> None:
    """The address with its password goes through the pipe, not through a list of processes."""
    start = Start(port="http://user:secret@camera/video", formats=("qr",), frames_per_second=5)
    assert parse_start(line(start)) == start


def test_a_reason_fits_a_board() -> None:
    """One line of at most 200 characters, whatever a library says."""
    assert shortened("a\nb  c") == "a b c"
    assert len(shortened("x" * 10_000)) == 200
