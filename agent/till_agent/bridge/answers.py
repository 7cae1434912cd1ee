"""Answers as raw ASGI messages: bytes that are ready, with the headers that every answer carries."""

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct
from starlette.types import Send

from till_sync.problems import PROBLEM_MEDIA_TYPE, Problem

JSON = b"application/json"
NO_CONTENT = 204
_PROBLEM = PROBLEM_MEDIA_TYPE.encode()

# No copy in any cache, no guessing of types, no embedding by a foreign page even where the browser sends no Origin.
_ALWAYS = (
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"cross-origin-resource-policy", b"same-origin"),
)

RawHeaders = tuple[tuple[bytes, bytes], ...]


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
            "headers": [*_described(answer), *_ALWAYS, *answer.headers],
        }
    )
    await send({"type": "http.response.body", "body": answer.body})


def _described(answer: Answer) -> RawHeaders:
    if answer.status == NO_CONTENT:
        return ()  # RFC 9110: such an answer has no body to speak of
    return ((b"content-type", answer.media_type), (b"content-length", str(len(answer.body)).encode()))


def stream_headers(media_type: bytes) -> list[tuple[bytes, bytes]]:
    """Headers of an answer that goes on for long; its end is the connection's end."""
    return [(b"content-type", media_type), (b"connection", b"close"), *_ALWAYS]


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
