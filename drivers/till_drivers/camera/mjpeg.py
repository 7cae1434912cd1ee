"""Pictures out of an MJPEG stream (`multipart/x-mixed-replace`). No I/O: bytes in, JPEGs out.

A part is read by its `Content-Length` where it has one, else up to the next boundary. Some cameras put `--` before the
boundary that they declare, and some declare it with these two; both are taken.
"""

from till_drivers.exceptions import ProtocolError

PICTURE_LIMIT_BYTES = 8 * 1024 * 1024
"""A JPEG of 12 megapixels at good quality; a longer part is no picture of a camera."""
HEAD_LIMIT_BYTES = 8_192
"""Of a part, and of what comes before the first boundary; cameras send three lines."""

_BOUNDARY_LIMIT = 70  # RFC 2046


def boundary_of(content_type: str) -> bytes:
    """The boundary that a `Content-Type` declares. ProtocolError when it is no stream of pictures."""
    kind, _, parameters = content_type.partition(";")
    if kind.strip().lower() != "multipart/x-mixed-replace":
        raise ProtocolError(f"expected multipart/x-mixed-replace, not {kind.strip()[:60]!r}")
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "boundary":
            boundary = value.strip().strip('"').removeprefix("--")
            if 0 < len(boundary) <= _BOUNDARY_LIMIT and boundary.isascii():
                return boundary.encode("ascii")
    raise ProtocolError("expected multipart/x-mixed-replace with a boundary")


class PartReader:
    """Takes bytes in whatever pieces they come; memory stays under PICTURE_LIMIT_BYTES and a piece."""

    def __init__(self, boundary: bytes) -> None:
        self._mark = b"--" + boundary
        self._data = bytearray()
        self._searched = 0
        self._length: int | None = None
        self._in_body = False
        self.ended = False
        """The stream has said that no more comes."""

    def feed(self, data: bytes) -> list[bytes]:
        """Bodies of the parts that `data` completes. ProtocolError past a limit or for what is no multipart stream."""
        self._data += data
        bodies = []
        while not self.ended:
            if not self._in_body:
                if not self._take_head():
                    break
            else:
                body = self._take_body()
                if body is None:
                    break
                if body:
                    bodies.append(body)
        if self.ended:
            self._data.clear()
        return bodies

    def _take_head(self) -> bool:
        """Go on to a part's body; False when its head isn't whole yet."""
        place, after, end = self._data.find(self._mark), 0, -1
        if place >= 0:
            after = place + len(self._mark)
            if self._data[after : after + 2] == b"--":
                self.ended = True
                return True
            end = self._data.find(b"\r\n\r\n", after)
        if end < 0 or end > HEAD_LIMIT_BYTES:
            if len(self._data) > HEAD_LIMIT_BYTES:
                raise ProtocolError(f"expected a part's head within {HEAD_LIMIT_BYTES} bytes")
            return False
        self._length = _length(bytes(self._data[after:end]))
        del self._data[: end + 4]
        self._in_body, self._searched = True, 0
        return True

    def _take_body(self) -> bytes | None:
        if self._length is not None:
            if len(self._data) < self._length:
                return None
            end = self._length
        else:
            mark = b"\r\n" + self._mark
            end = self._data.find(mark, max(0, self._searched - len(mark)))
            if end < 0:
                self._searched = len(self._data)
                if self._searched > PICTURE_LIMIT_BYTES:
                    raise ProtocolError(f"expected a picture of at most {PICTURE_LIMIT_BYTES} bytes")
                return None
        body = bytes(self._data[:end])
        if len(body) > PICTURE_LIMIT_BYTES:
            raise ProtocolError(f"expected a picture of at most {PICTURE_LIMIT_BYTES} bytes")
        del self._data[:end]
        self._in_body = False
        return body


def _length(head: bytes) -> int | None:
    for each in head.split(b"\r\n"):
        name, _, value = each.partition(b":")
        if name.strip().lower() == b"content-length":
            digits = value.strip()
            if not digits.isdigit() or len(digits) > len(str(PICTURE_LIMIT_BYTES)):
                raise ProtocolError("expected a content length in digits, within the limit")
            if int(digits) > PICTURE_LIMIT_BYTES:
                raise ProtocolError(f"expected a picture of at most {PICTURE_LIMIT_BYTES} bytes, not {int(digits)}")
            return int(digits)
    return None
