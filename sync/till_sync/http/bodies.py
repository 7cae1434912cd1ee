"""Request bodies: read whole within a size and a time, then decoded to a type. Whatever is sent, never a 500.

When a JSON object names a member twice, the last one counts (RFC 8259 leaves it open; msgspec takes the last).
"""

import asyncio
from typing import TypeVar

import msgspec
from starlette.requests import ClientDisconnect, Request

from till_sync.http.problems import decode_problem
from till_sync.problems import ProblemError

T = TypeVar("T")

BODY_LIMIT_BYTES = 2 * 1024 * 1024
"""The bridge's default: a 10,000-line receipt takes about 1.5 MB."""

READ_TIMEOUT_MS = 5_000
"""Whole time for a body: a loopback client needs milliseconds; a slow one must not keep a connection for ever."""

_CLOSE = {"Connection": "close"}
_ACCEPT = {"Accept": "application/json"}
_UTF8 = frozenset({"charset=utf-8", 'charset="utf-8"', "charset=utf8"})


async def read_body(
    request: Request, *, limit_bytes: int = BODY_LIMIT_BYTES, timeout_ms: int = READ_TIMEOUT_MS
) -> bytes:
    """The whole body. ProblemError 413 `body_too_large`, 408 `body_too_slow`, 415 `encoding_unsupported`."""
    if request.headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise ProblemError(415, "encoding_unsupported", "expected a body without Content-Encoding")
    announced = request.headers.get("content-length", "")
    if announced.isascii() and announced.isdigit() and (len(announced) > 18 or int(announced) > limit_bytes):
        raise _too_large(limit_bytes)
    body = bytearray()
    try:
        async with asyncio.timeout(timeout_ms / 1000):
            async for chunk in request.stream():
                body += chunk
                if len(body) > limit_bytes:
                    raise _too_large(limit_bytes)
    except TimeoutError:
        detail = f"expected the whole body within {timeout_ms} ms"
        raise ProblemError(408, "body_too_slow", detail, retryable=True, headers=_CLOSE) from None
    except ClientDisconnect:
        raise ProblemError(400, "body_cut", "the connection ended inside the body", retryable=True) from None
    return bytes(body)


def require_json(request: Request) -> None:
    """ProblemError 415 `not_json` unless the body is announced as JSON in UTF-8."""
    media_type, *parameters = request.headers.get("content-type", "").lower().split(";")
    charsets = [value.strip() for value in parameters if value.strip().startswith("charset=")]
    if media_type.strip() != "application/json" or any(value not in _UTF8 for value in charsets):
        raise ProblemError(415, "not_json", "expected Content-Type application/json", headers=_ACCEPT)


def decode_body(raw: bytes | msgspec.Raw, decoder: msgspec.json.Decoder[T]) -> T:
    """Typed value of JSON bytes. ProblemError 400 `body_malformed` or `body_too_deep`, 422 `body_invalid`."""
    try:
        return decoder.decode(raw)
    except msgspec.DecodeError as error:
        raise decode_problem(error) from None
    except UnicodeDecodeError:
        raise ProblemError(400, "body_malformed", "expected UTF-8, not these bytes") from None
    except RecursionError:
        raise ProblemError(400, "body_too_deep", "expected JSON nested less deeply") from None


async def read_json(
    request: Request,
    decoder: msgspec.json.Decoder[T],
    *,
    limit_bytes: int = BODY_LIMIT_BYTES,
    timeout_ms: int = READ_TIMEOUT_MS,
) -> T:
    """Check the content type, read the body, decode it; errors as in the three functions that it is made of."""
    require_json(request)
    return decode_body(await read_body(request, limit_bytes=limit_bytes, timeout_ms=timeout_ms), decoder)


def _too_large(limit_bytes: int) -> ProblemError:
    detail = f"expected at most {limit_bytes} bytes"
    return ProblemError(413, "body_too_large", detail, headers=_CLOSE, extras={"limit_bytes": limit_bytes})
