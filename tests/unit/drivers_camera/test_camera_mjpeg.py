"""Pictures out of an MJPEG stream: in any pieces, with and without lengths, and nothing past the limits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from till_drivers.camera.mjpeg import HEAD_LIMIT_BYTES, PICTURE_LIMIT_BYTES, PartReader, boundary_of
from till_drivers.exceptions import ProtocolError

ONE, TWO = b"\xff\xd8one\r\n\r\n--not\xff\xd9", b"\xff\xd8two\xff\xd9"


def part(body: bytes, *, length: bool = True) -> bytes:
    sized = b"Content-Length: %d\r\n" % len(body) if length else b""
    return b"--frame\r\nContent-Type: image/jpeg\r\n" + sized + b"\r\n" + body + b"\r\n"


@pytest.mark.parametrize("length", [True, False])
@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 10_000])
def test_pictures_come_whole_in_any_pieces(length: bool, size: int) -> None:
    """Byte by byte as well as at once; the bytes behind a closing boundary are not looked at."""
    stream = b"preamble\r\n" + part(ONE, length=length) + part(TWO, length=length) + b"--frame--\r\ntrailing"
    reader, found = PartReader(b"frame"), []
    for start in range(0, len(stream), size):
        found += reader.feed(stream[start : start + size])
    assert found == [ONE, TWO]
    assert reader.ended


@pytest.mark.parametrize(
    ("kind", "boundary"),
    [
        ("multipart/x-mixed-replace; boundary=frame", b"frame"),
        ('Multipart/X-Mixed-Replace;charset=x;Boundary="a b"', b"a b"),
        ("multipart/x-mixed-replace;boundary=--myboundary", b"myboundary"),
    ],
)
def test_boundaries_are_taken_as_cameras_declare_them(kind: str, boundary: bytes) -> None:
    """With quotes, in any case, with the two hyphens that belong to the marks."""
    assert boundary_of(kind) == boundary


@pytest.mark.parametrize(
    "kind",
    [
        "",
        "image/jpeg",
        "text/html; boundary=x",
        "multipart/x-mixed-replace",
        "multipart/x-mixed-replace; boundary=" + "x" * 71,
    ],
)
def test_what_is_no_stream_of_pictures_is_said(kind: str) -> None:
    """A login page, for one."""
    with pytest.raises(ProtocolError, match="expected multipart/x-mixed-replace"):
        boundary_of(kind)


@pytest.mark.parametrize(
    "stream",
    [
        b"x" * (HEAD_LIMIT_BYTES + 1),
        b"--frame\r\n" + b"a: b\r\n" * HEAD_LIMIT_BYTES,
        b"--frame\r\nContent-Length: %d\r\n\r\n" % (PICTURE_LIMIT_BYTES + 1),
        b"--frame\r\nContent-Length: -1\r\n\r\n",
        b"--frame\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n",
        b"--frame\r\n\r\n" + b"x" * (PICTURE_LIMIT_BYTES + 100),
    ],
    ids=["no boundary", "head", "length", "negative", "digits", "body"],
)
def test_nothing_grows_past_its_limit(stream: bytes) -> None:
    """Whoever answers instead of the camera can't fill the memory."""
    reader = PartReader(b"frame")

    def feed() -> None:
        for start in range(0, len(stream), 65_536):
            reader.feed(stream[start : start + 65_536])

    with pytest.raises(ProtocolError):
        feed()


@given(st.lists(st.binary(max_size=40) | st.sampled_from([b"--f", b"\r\n\r\n", b"--f--", b"Content-Length: 3"])))
def test_any_bytes_are_pictures_or_a_protocol_error(pieces: list[bytes]) -> None:
    """Nothing else is ever raised."""
    reader = PartReader(b"f")
    try:
        for each in pieces:
            for body in reader.feed(each):
                assert body in b"".join(pieces)
    except ProtocolError:
        pass
