"""Ed25519 keys as hex text: made, signed with, checked. libsodium is loaded at the first use (4 MB)."""

import secrets
from functools import lru_cache

KEY_HEX_LENGTH = 64
"""Private and public keys are 32 bytes each."""

SIGNATURE_BYTES = 64

_KEY_BYTES = KEY_HEX_LENGTH // 2


def new_key() -> str:
    """A fresh private key, hex."""
    return secrets.token_hex(_KEY_BYTES)


def public_of(private: str) -> str:
    """The public key of a private one, hex; ValueError when it is not a key."""
    return _pair(private)[0].hex()


def sign(private: str, data: bytes) -> bytes:
    """The 64 bytes of a signature; ValueError when `private` is not a key."""
    from nacl import bindings

    return bindings.crypto_sign(data, _pair(private)[1])[:SIGNATURE_BYTES]


def verify(public: str, data: bytes, signature: bytes) -> bool:
    """Whether the signature is of these bytes by that key. Never raises: what is no key signed nothing."""
    from nacl import bindings
    from nacl.exceptions import CryptoError

    try:
        key = bytes.fromhex(public)
        if len(key) != _KEY_BYTES or len(signature) != SIGNATURE_BYTES:
            return False
        bindings.crypto_sign_open(signature + data, key)
    except (CryptoError, ValueError):
        return False
    return True


@lru_cache(maxsize=4)
def _pair(private: str) -> tuple[bytes, bytes]:
    """The public key, and the private one as libsodium signs with it."""
    from nacl import bindings

    seed = bytes.fromhex(private)
    if len(seed) != _KEY_BYTES:
        raise ValueError(f"expected a key of {_KEY_BYTES} bytes, not {len(seed)}")
    return bindings.crypto_sign_seed_keypair(seed)
