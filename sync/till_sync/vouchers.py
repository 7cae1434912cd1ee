"""Signed vouchers: points of a member that one till may take offline. `TSV1.PAYLOAD.SIGNATURE`, both base64url.

The points are put aside at the cloud when the voucher is made, and it names the one till that takes it (its holder):
two tills that can't hear of each other can't both take it, so that nothing can be lost.
"""

import base64
import binascii
import re
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from till_sync import keys
from till_sync.wire import Count

PREFIX = "TSV1."
TEXT_LIMIT = 1_000
"""Ours take about 350 characters, which a QR code of version 12 holds."""

_SHAPE = re.compile(r"TSV1\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]{86})")


class Voucher(Struct, frozen=True, kw_only=True, array_like=True):
    """What is signed. Times are UTC milliseconds; `holder` is the till that may take it."""

    voucher: Annotated[str, Meta(pattern=r"^v-[A-Za-z0-9_-]{8,40}$")]
    member_id: str
    holder: str
    store: str
    points: Annotated[int, Meta(ge=1, le=2**53)]
    made_at_ms: Count
    expires_at_ms: Count


_decoder = msgspec.json.Decoder(Voucher)


def encode(voucher: Voucher, private_key: str) -> str:
    """The text of a QR code."""
    payload = msgspec.json.encode(voucher)
    return f"{PREFIX}{_text(payload)}.{_text(keys.sign(private_key, PREFIX.encode() + payload))}"


def decode(text: str, public_key: str) -> Voucher | None:
    """The voucher, if it is one that the holder of that key signed; None for anything else."""
    found = _SHAPE.fullmatch(text) if len(text) <= TEXT_LIMIT else None
    if found is None:
        return None
    try:
        payload, signature = _bytes(found[1]), _bytes(found[2])
        if not keys.verify(public_key, PREFIX.encode() + payload, signature):
            return None
        return _decoder.decode(payload)
    except (binascii.Error, ValueError, msgspec.DecodeError, RecursionError):
        return None


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
