"""Ed25519 keys as hex text: made, signed with, checked. `cryptography` is loaded at the first use."""

from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

KEY_HEX_LENGTH = 64
"""Private and public keys are 32 bytes each."""

PARSED_KEYS_LIMIT = 4_096
"""Keys kept parsed: more than the tills that talk to one process in a minute."""


def new_key() -> str:
    """A fresh private key, hex."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519PrivateKey.generate().private_bytes_raw().hex()


def public_of(private: str) -> str:
    """The public key of a private one, hex; ValueError when it is not a key."""
    return _private(private).public_key().public_bytes_raw().hex()


def sign(private: str, data: bytes) -> bytes:
    """The 64 bytes of a signature; ValueError when `private` is not a key."""
    return _private(private).sign(data)


def verify(public: str, data: bytes, signature: bytes) -> bool:
    """Whether the signature is of these bytes by that key. Never raises: what is no key signed nothing."""
    from cryptography.exceptions import InvalidSignature

    try:
        _public(public).verify(signature, data)
    except (InvalidSignature, ValueError):
        return False
    return True


@lru_cache(maxsize=4)
def _private(text: str) -> "Ed25519PrivateKey":
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519PrivateKey.from_private_bytes(bytes.fromhex(text))


@lru_cache(maxsize=PARSED_KEYS_LIMIT)
def _public(text: str) -> "Ed25519PublicKey":
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    return Ed25519PublicKey.from_public_bytes(bytes.fromhex(text))
