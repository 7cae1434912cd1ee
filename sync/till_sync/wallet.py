"""Signed wallet codes: a member shown by an app of the chain. `TSW1.PAYLOAD.SIGNATURE`, both base64url.

The chain's cloud signs; a till checks with the public key alone, so that a stolen till makes none. About 145
characters, which a QR code of version 7 or 8 holds. Decision: docs/decisions/0021.
"""

import base64
import binascii
import hashlib
import hmac
import re
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from till_sync import keys
from till_sync.exceptions import WalletCodeRefused
from till_sync.wallet_use import WHOLE_LIMIT, Count

PREFIX = "TSW1."
TEXT_LIMIT = 400
"""Ours take about 145 characters; the longest member id makes it some 190."""

MARK_BYTES = 4
"""Of a key or a chain: enough to tell two apart by, and nothing is proved by it."""

INVALID, KEY_UNKNOWN, OTHER_CHAIN = "wallet_invalid", "wallet_key_unknown", "wallet_other_chain"

_SHAPE = re.compile(r"TSW1\.([A-Za-z0-9_-]{1,300})\.([A-Za-z0-9_-]{86})")

Mark = Annotated[int, Meta(ge=0, lt=256**MARK_BYTES)]


class Token(Struct, frozen=True, kw_only=True, array_like=True):
    """What is signed. `chain` and `key` tell whose it is and which key signed; `counter` rises with each of a member's.

    `expires_at_s` is UTC, in seconds.
    """

    chain: Mark
    key: Mark
    member_id: Annotated[str, Meta(min_length=1, max_length=80)]
    expires_at_s: Count
    counter: Annotated[int, Meta(ge=1, le=WHOLE_LIMIT)]


_decoder = msgspec.msgpack.Decoder(Token)


def chain_mark(identifier_key: bytes) -> int:
    """What tells a chain's codes from another's; it gives nothing of the key away."""
    return _mark(hmac.new(identifier_key, b"tillside wallet chain", hashlib.sha256).digest())


def key_mark(public_key: str) -> int:
    """What tells a public key (hex) from another."""
    return _mark(hashlib.sha256(public_key.encode()).digest())


def encode(token: Token, private_key: str) -> str:
    """The text of a QR code."""
    payload = msgspec.msgpack.encode(token)
    return f"{PREFIX}{_text(payload)}.{_text(keys.sign(private_key, PREFIX.encode() + payload))}"


def decode(text: str, *, public_key: str, chain: int) -> Token:
    """The token that this chain's cloud signed; WalletCodeRefused for any other text, whatever it holds.

    Which chain and key a text names is looked at only to say what is wrong: the signature alone makes it good.
    """
    found = _SHAPE.fullmatch(text) if len(text) <= TEXT_LIMIT else None
    if found is None:
        raise WalletCodeRefused(INVALID)
    try:
        payload, signature = _bytes(found[1]), _bytes(found[2])
        token = _decoder.decode(payload)
    except (binascii.Error, ValueError, msgspec.DecodeError, RecursionError):
        raise WalletCodeRefused(INVALID) from None
    if token.chain != chain:
        raise WalletCodeRefused(OTHER_CHAIN)
    if not public_key or token.key != key_mark(public_key):
        raise WalletCodeRefused(KEY_UNKNOWN)
    if not keys.verify(public_key, PREFIX.encode() + payload, signature):
        raise WalletCodeRefused(INVALID)
    return token


def _mark(digest: bytes) -> int:
    return int.from_bytes(digest[:MARK_BYTES], "big")


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
