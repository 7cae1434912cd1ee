"""What the camera's process and the agent say to each other: one line of JSON each. No I/O.

The agent writes one `Start`, and its end of the pipe stays open for as long as the process is to live. The process
writes `Seen`, `Eyes` and `Alive`.
"""

from typing import TypeVar

import msgspec
from msgspec import Struct

from till_drivers.exceptions import ProtocolError

CODE_LIMIT_BYTES = 4_096
"""As for serial scanners (`till_drivers.scanners.framing`)."""
LINE_LIMIT_BYTES = 65_536
"""A code of CODE_LIMIT_BYTES of which each byte takes six in JSON, once more in base 64, and room for the rest."""
DETAIL_LIMIT = 200
"""Characters of a reason; what libraries say may be of any length."""

T = TypeVar("T")


class Start(Struct, frozen=True, kw_only=True):
    """What to look at and how. `port` may hold a password (in an address), so it is never an argument of a command."""

    port: str
    match: str = ""
    encoding: str = "utf-8"
    formats: tuple[str, ...] = ()
    frames_per_second: int = 10


class Seen(Struct, frozen=True, kw_only=True, tag="seen"):
    """A code is in view. `aim` is the symbology identifier without `]`."""

    raw: bytes
    text: str
    aim: str
    frames: int


class Eyes(Struct, frozen=True, kw_only=True, tag="eyes"):
    """Whether there are pictures now, and why not, or what is amiss all the same."""

    open: bool
    detail: str = ""


class Alive(Struct, frozen=True, kw_only=True, tag="alive"):
    """Nothing to tell, but not hung."""


Said = Seen | Eyes | Alive

_said: "msgspec.json.Decoder[Said]" = msgspec.json.Decoder(Said)
_start = msgspec.json.Decoder(Start)
_encoder = msgspec.json.Encoder()


def line(message: Said | Start) -> bytes:
    """The message with its end of line. ProtocolError when it is longer than the other side takes."""
    data = _encoder.encode(message) + b"\n"
    if len(data) > LINE_LIMIT_BYTES:
        raise ProtocolError(f"expected a line of at most {LINE_LIMIT_BYTES} bytes, not {len(data)}")
    return data


def parse_said(data: bytes) -> Said:
    """A line of the camera's process. ProtocolError for anything else; its text never quotes the line."""
    return _parse(_said, data)


def parse_start(data: bytes) -> Start:
    """The agent's first line. ProtocolError for anything else."""
    return _parse(_start, data)


def _parse(decoder: "msgspec.json.Decoder[T]", data: bytes) -> T:
    if len(data) > LINE_LIMIT_BYTES:
        raise ProtocolError(f"expected a line of at most {LINE_LIMIT_BYTES} bytes")
    try:
        return decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as exc:
        raise ProtocolError(f"expected a line of the camera's process, not what gives {type(exc).__name__}") from None


def shortened(detail: object) -> str:
    """A reason on one line, no longer than a board can show."""
    return " ".join(str(detail).split())[:DETAIL_LIMIT]
