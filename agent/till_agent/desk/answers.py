"""The one encoding of requests and answers."""

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
