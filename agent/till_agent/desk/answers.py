"""The one encoding of requests and answers: digests tell a repeated request from another one under the same uid."""

import hashlib
import hmac

import msgspec
from msgspec import Struct

_encoder = msgspec.json.Encoder(order="deterministic")


class Answered(Struct, frozen=True, kw_only=True):
    """A committed document: the stored bytes of its first answer (JSON of `api.Sale` or `api.Reversed`)."""

    body: bytes
    replayed: bool


def encode(value: Struct) -> bytes:
    """Canonical JSON."""
    return _encoder.encode(value)


def request_digest(key: bytes, kind: str, uid: str, request: Struct | None = None) -> bytes:
    """What makes two requests the same: their values, not their bytes. Empty and unknown fields make no difference.

    Keyed, because a request may name a phone, and a plain hash of few possible phones is as good as the phone.
    """
    body = _encoder.encode(request) if request is not None else b""
    return hmac.new(key, b"%s\n%s\n%s" % (kind.encode(), uid.encode(), body), hashlib.sha256).digest()
