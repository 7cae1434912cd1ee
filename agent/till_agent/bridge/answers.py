"""Answers as raw ASGI messages: bytes that are ready, with the headers that every answer carries."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct
from msgspec.structs import replace
from starlette.types import Message, Send

from till_sync.problems import PROBLEM_MEDIA_TYPE, Problem

JSON = b"application/json"
NO_CONTENT = 204
_NOT_ASCII = re.compile(r"[^\x00-\x7f]")
_PROBLEM = PROBLEM_MEDIA_TYPE.encode()

RawHeaders = tuple[tuple[bytes, bytes], ...]

ALWAYS: RawHeaders = (
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
)
"""What every answer carries that says nothing else itself: no copy in any cache, nothing of it runs or is framed, no
embedding by a foreign page even where the browser sends no Origin, no address told to others, no guessing of types.
"""
ALWAYS_LINES = b"".join(name + b": " + value + b"\r\n" for name, value in ALWAYS)
"""The same as they go over the wire."""
_ALWAYS_NAMES = frozenset(name for name, _ in ALWAYS)


class Answer(Struct, frozen=True):
    """What a handler gives back: bytes as they go out."""

    body: bytes
    status: int = 200
    media_type: bytes = JSON
    headers: RawHeaders = ()


async def send_answer(send: Send, answer: Answer) -> None:
    """Send the whole answer at once."""
    await send(
        {
            "type": "http.response.start",
            "status": answer.status,
            "headers": [*_described(answer), *answer.headers],
        }
    )
    await send({"type": "http.response.body", "body": answer.body})


def _described(answer: Answer) -> RawHeaders:
    if answer.status == NO_CONTENT:
        return ()  # RFC 9110: such an answer has no body to speak of
    return ((b"content-type", answer.media_type), (b"content-length", str(len(answer.body)).encode()))


def head_lines(answer: Answer) -> bytes:
    """The headers of an answer as they go over the wire, in the order of `send_answer` and `guarded`."""
    own = answer.headers
    lines = b"".join([name + b": " + value + b"\r\n" for name, value in (*_described(answer), *own)])
    if not own or _ALWAYS_NAMES.isdisjoint([name for name, _ in own]):
        return lines + ALWAYS_LINES
    return lines + b"".join([name + b": " + value + b"\r\n" for name, value in ALWAYS if name not in dict(own)])


def stream_headers(media_type: bytes) -> list[tuple[bytes, bytes]]:
    """Headers of an answer that goes on for long; its end is the connection's end."""
    return [(b"content-type", media_type), (b"connection", b"close")]


def guarded(send: Send) -> Send:
    """Wrap `send` so that every answer has the headers of `ALWAYS`, but for those that it brings itself."""

    async def tell(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = message["headers"]
            present = {name for name, _ in headers}
            message["headers"] = [*headers, *(pair for pair in ALWAYS if pair[0] not in present)]
        await send(message)

    return tell


def in_ascii(raw: bytes) -> bytes:
    """JSON with every letter beyond ASCII as an escape, for readers that guess the encoding wrong."""
    return raw if raw.isascii() else _NOT_ASCII.sub(_escape, raw.decode()).encode("ascii")


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x10000:
        return f"\\u{code:04x}"
    code -= 0x10000
    return f"\\u{0xD800 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"


def as_asked(answer: Answer, headers: Mapping[bytes, bytes]) -> Answer:
    """The answer in ASCII alone where the caller takes nothing else (`Accept-Charset: us-ascii`) and it is JSON."""
    wanted = headers.get(b"accept-charset", b"").strip().lower() == b"us-ascii"
    if not wanted or answer.media_type not in (JSON, _PROBLEM):
        return answer
    return replace(answer, body=in_ascii(answer.body))


def raw_headers(headers: "Iterable[tuple[str, str]]") -> RawHeaders:
    """Header fields as they go over the wire."""
    return tuple((name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers)


def problem_answer(problem: Problem, *, cashier: str, headers: "Iterable[tuple[str, str]]" = ()) -> Answer:
    """A problem with the sentence for the cashier; a sentence that the problem brings itself stays."""
    extras: Mapping[str, Any] = problem.extras
    if cashier and "cashier" not in extras:
        problem = Problem(
            status=problem.status,
            code=problem.code,
            detail=problem.detail,
            retryable=problem.retryable,
            extras={**extras, "cashier": cashier},
        )
    return Answer(problem.encode(), problem.status, _PROBLEM, raw_headers(headers))
