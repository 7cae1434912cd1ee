"""Request bodies: read whole within a size and a time, then decoded to a type. Whatever is sent, never a 500.

When a JSON object names a member twice, the last one counts (RFC 8259 leaves it open; msgspec takes the last).
"""

import asyncio
import hashlib
from typing import TypeVar

import msgspec
from starlette.requests import ClientDisconnect, Request

from till_sync.exceptions import PackedTooLarge, PackingBroken
from till_sync.http.problems import decode_problem
from till_sync.packing import ZSTD, is_packed, unpack
from till_sync.problems import ProblemError
from till_sync.signing import digest_field

T = TypeVar("T")

BODY_LIMIT_BYTES = 2 * 1024 * 1024
"""The bridge's default: a 10,000-line receipt takes about 1.5 MB."""

READ_TIMEOUT_MS = 5_000
"""Whole time for a body: a loopback client needs milliseconds; a slow one must not keep a connection for ever."""

_CLOSE = {"Connection": "close"}
_ACCEPT = {"Accept": "application/json"}
_UTF8 = frozenset({"charset=utf-8", 'charset="utf-8"', "charset=utf8"})


async def read_body(
    request: Request,
    *,
    limit_bytes: int = BODY_LIMIT_BYTES,
    timeout_ms: int = READ_TIMEOUT_MS,
    packed: bool = False,
) -> bytes:
    """The whole body, which is what its Content-Digest says, if it has one; `packed`: it may be a zstd frame, and is
    known for one without its header too.

    ProblemError 413 `body_too_large`, 408 `body_too_slow`, 415 `encoding_unsupported`, 400 `digest_mismatch`,
    `encoding_broken`.
    """
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding != "identity" and not (packed and encoding == ZSTD):
        headers = {"Accept-Encoding": ZSTD if packed else "identity"}
        raise ProblemError(
            415, "encoding_unsupported", "expected a body without this Content-Encoding", headers=headers
        )
    announced = request.headers.get("content-length", "")
    if announced.isascii() and announced.isdigit() and (len(announced) > 18 or int(announced) > limit_bytes):
        raise _too_large(limit_bytes)
    body = bytearray()
    digest = hashlib.sha256()
    try:
        async with asyncio.timeout(timeout_ms / 1000):
            async for chunk in request.stream():
                body += chunk
                if len(body) > limit_bytes:
                    raise _too_large(limit_bytes)
                digest.update(chunk)
    except TimeoutError:
        detail = f"expected the whole body within {timeout_ms} ms"
        raise ProblemError(408, "body_too_slow", detail, retryable=True, headers=_CLOSE) from None
    except ClientDisconnect:
        raise ProblemError(400, "body_cut", "the connection ended inside the body", retryable=True) from None
    _check_digest(request, digest.digest())
    is_frame = encoding == ZSTD or (packed and is_packed(body))
    return _unpacked(bytes(body), limit_bytes) if is_frame else bytes(body)


def _check_digest(request: Request, sha256: bytes) -> None:
    """Other digests than ours are nothing to us (RFC 9530). A signed request has ours, or its signature is refused."""
    said = request.headers.get("content-digest", "")
    if "sha-256=" in said and said.strip() != digest_field(sha256):
        detail = "expected a body of the digest that was announced: it was changed on its way"
        raise ProblemError(400, "digest_mismatch", detail, retryable=True)


def _unpacked(packed: bytes, limit_bytes: int) -> bytes:
    try:
        return unpack(packed, limit_bytes=limit_bytes)
    except PackedTooLarge:
        raise _too_large(limit_bytes) from None
    except PackingBroken as error:
        raise ProblemError(400, "encoding_broken", str(error)) from None


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
    packed: bool = False,
) -> T:
    """Check the content type, read the body, decode it; errors as in the three functions that it is made of."""
    require_json(request)
    raw = await read_body(request, limit_bytes=limit_bytes, timeout_ms=timeout_ms, packed=packed)
    return decode_body(raw, decoder)


def _too_large(limit_bytes: int) -> ProblemError:
    detail = f"expected at most {limit_bytes} bytes"
    return ProblemError(413, "body_too_large", detail, headers=_CLOSE, extras={"limit_bytes": limit_bytes})
