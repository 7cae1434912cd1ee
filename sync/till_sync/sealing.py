"""What waits at a till and says who somebody is, readable by the chain's cloud alone: a sealed box (X25519).

A till has the public key only: what it has sealed it can't read itself, and neither can who takes its disk. The cloud
keeps every private key that it ever had, so that what was sealed before a rotation or an outage opens after it.
"""

import binascii
import secrets
from base64 import b64decode, b64encode
from collections.abc import Sequence
from functools import lru_cache

import msgspec
from msgspec import Struct

from till_sync.exceptions import SealError
from till_sync.keys import KEY_HEX_LENGTH

KEY_NAME_DIGITS = 8
"""Of the public key's hex, before the box: says which key opens it, and to people, which one is wanting."""
SEALED_LIMIT = 16_384
"""Characters. A name of 200 letters and all else of a person take under 2,000."""
_KEY_BYTES = KEY_HEX_LENGTH // 2


class SealedPerson(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a person said of themselves. `uid` is that of the operation, so that no box serves in another one."""

    uid: str
    name: str = ""
    birth_date: str = ""
    sex: str = ""

    def __repr__(self) -> str:
        """Without the person: reprs end up in logs."""
        return f"SealedPerson(uid={self.uid!r})"


_person = msgspec.json.Decoder(SealedPerson)


def new_private_key() -> str:
    """A fresh X25519 key, hex."""
    return secrets.token_hex(_KEY_BYTES)


@lru_cache(maxsize=4)
def public_key_of(private: str) -> str:
    """The public key of a private one, hex; ValueError when it is not a key."""
    from nacl import bindings

    return bindings.crypto_scalarmult_base(_bytes_of(private)).hex()


def is_key(text: str) -> bool:
    """Whether that could be a key: 64 hex digits."""
    try:
        return len(_bytes_of(text)) == _KEY_BYTES
    except ValueError:
        return False


def seal(public: str, person: SealedPerson) -> str:
    """`name-of-key.base64`, another text each time; ValueError when `public` is not a key."""
    from nacl import bindings

    box = bindings.crypto_box_seal(msgspec.json.encode(person), _bytes_of(public))
    return f"{public[:KEY_NAME_DIGITS]}.{b64encode(box).decode()}"


def open_sealed(privates: Sequence[str], text: str, *, uid: str) -> SealedPerson:
    """What `text` says of the person of operation `uid`.

    SealError `seal_unknown_key` when none of the keys is the one it was sealed to, `seal_broken` when it is no box of
    that key, or another operation's.
    """
    from nacl import bindings
    from nacl.exceptions import CryptoError

    name, _, encoded = text.partition(".")
    private = next((each for each in privates if public_key_of(each)[:KEY_NAME_DIGITS] == name), None)
    if private is None:
        raise SealError(f"expected a box sealed to a key of this cloud, not to {name[:KEY_NAME_DIGITS]!r}")
    if len(text) > SEALED_LIMIT:
        raise SealError(f"expected at most {SEALED_LIMIT} characters, not {len(text)}", code="seal_broken")
    try:
        box = b64decode(encoded, validate=True)
        opened = bindings.crypto_box_seal_open(box, bytes.fromhex(public_key_of(private)), _bytes_of(private))
        person = _person.decode(opened)
    except (CryptoError, ValueError, TypeError, binascii.Error, msgspec.DecodeError) as exc:
        # Nothing of what was inside goes into the message.
        raise SealError(f"expected a whole box, not one that fails: {type(exc).__name__}", code="seal_broken") from None
    if person.uid != uid:
        raise SealError(f"expected the box of {uid!r}, not another operation's", code="seal_broken")
    return person


def _bytes_of(key: str) -> bytes:
    found = bytes.fromhex(key)
    if len(found) != _KEY_BYTES:
        raise ValueError(f"expected a key of {_KEY_BYTES} bytes, not {len(found)}")
    return found
