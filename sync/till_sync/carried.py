"""A till's queue as a file: carried to the centre by a person where there is no line.

    one line of JSON    `Head`: whose it is and which operations are in it
    pieces              4 bytes of length, then a push sealed to the cloud's key (X25519) and packed by zstd
    4 bytes of zeros    the end of the pieces
    one line of JSON    `Tail`: the till's signature (Ed25519) over SHA-256 of all bytes before

Who finds the stick reads no name and no figure; who writes on it makes a file that is refused. What is in it are the
pushes that the till would have sent, so that they may come by the line as well: each operation counts once.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, BinaryIO, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct

from till_sync import keys
from till_sync.exceptions import PackingError
from till_sync.packing import pack, unpack
from till_sync.wire import TILL_ID_PATTERN, PushRequest

T = TypeVar("T")

SUFFIX = ".tillside-queue"
PIECE_OPS = 500
PIECE_BYTES = 4 * 1024 * 1024
"""Of a push before it is packed, if it is not a single operation: what is in memory at once."""
PIECE_LIMIT_BYTES = 16 * 1024 * 1024
LINE_LIMIT_BYTES = 16 * 1024
FILE_LIMIT_BYTES = 2 * 1024 * 1024 * 1024
"""100,000 operations take about 60 MB."""
_CONTEXT = b"tillside carried queue 1\0"
_Hex = Annotated[str, Meta(pattern=r"^[0-9a-f]{128}$")]
_Count = Annotated[int, Meta(ge=0, le=2**53)]


class CarriedError(Exception):
    """Raised when a carried queue can't be taken; `code`: `carried_format`, `carried_signature`, `carried_key`."""

    def __init__(self, message: str, *, code: str = "carried_format") -> None:
        super().__init__(message)
        self.code = code


class Stretch(Struct, frozen=True, kw_only=True):
    """Operations of one epoch, in sequence."""

    epoch: _Count
    first_seq: _Count
    last_seq: _Count


class Head(Struct, frozen=True, kw_only=True):
    """What anybody may read of it."""

    tillside_queue: Literal[1] = 1
    till: Annotated[str, Meta(pattern=TILL_ID_PATTERN)]
    made_ms: _Count
    """By the till's clock."""
    stretches: Annotated[tuple[Stretch, ...], Meta(max_length=1_000)]
    key: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")]
    """The cloud's public key that it was sealed to."""

    @property
    def count(self) -> int:
        """Operations in it."""
        return sum(each.last_seq - each.first_seq + 1 for each in self.stretches)


class Tail(Struct, frozen=True, kw_only=True):
    """`signature` is the till's."""

    pieces: _Count
    signature: _Hex


class CarriedWriter:
    """Writes one file, piece by piece."""

    def __init__(self, file: BinaryIO, head: Head) -> None:
        self._file = file
        self._key = bytes.fromhex(head.key)
        self._sum = hashlib.sha256(_CONTEXT)
        self._pieces = 0
        self._write(msgspec.json.encode(head) + b"\n")

    def add(self, push: PushRequest) -> None:
        """Seal one push."""
        from nacl import bindings

        box = bindings.crypto_box_seal(pack(msgspec.json.encode(push)), self._key)
        self._write(len(box).to_bytes(4, "big") + box)
        self._pieces += 1

    def close(self, private_key: str) -> None:
        """End it with the till's signature."""
        self._write(bytes(4))
        signature = keys.sign(private_key, self._sum.digest()).hex()
        self._file.write(msgspec.json.encode(Tail(pieces=self._pieces, signature=signature)) + b"\n")

    def _write(self, data: bytes) -> None:
        self._sum.update(data)
        self._file.write(data)


def read_head(path: Path) -> Head:
    """Whose it says it is; nothing is proven by that. CarriedError, OSError."""
    with path.open("rb") as file:
        return _line(file, Head)


def check(path: Path, public_key: str) -> Head:
    """The head of a file that the till with this key has signed, all of it. CarriedError, OSError."""
    if path.stat().st_size > FILE_LIMIT_BYTES:
        raise CarriedError(f"expected at most {FILE_LIMIT_BYTES} bytes in {path.name}")
    summed = hashlib.sha256(_CONTEXT)
    with path.open("rb") as file:
        head = _line(file, Head, summed)
        count = sum(1 for _ in _boxes(file, summed))
        tail = _line(file, Tail)
        if file.read(1):
            raise CarriedError(f"expected nothing after the end of {path.name}; carry it out again")
    if tail.pieces != count:
        raise CarriedError(f"expected {tail.pieces} pieces in {path.name}, not {count}; carry it out again")
    if not keys.verify(public_key, summed.digest(), bytes.fromhex(tail.signature)):
        raise CarriedError(
            f"expected {path.name} as till {head.till} signed it: it was altered, cut, or is another till's; carry it "
            "out again",
            code="carried_signature",
        )
    return head


def pushes(path: Path, private_keys: tuple[str, ...]) -> Iterator[PushRequest]:
    """The pushes of a file that was checked. CarriedError `carried_key` when none of the cloud's keys opens it."""
    from nacl import bindings
    from nacl.exceptions import CryptoError

    with path.open("rb") as file:
        head = _line(file, Head)
        pairs = [(each, bindings.crypto_scalarmult_base(bytes.fromhex(each))) for each in private_keys]
        found = next(((bytes.fromhex(private), public) for private, public in pairs if public.hex() == head.key), None)
        if found is None:
            raise CarriedError("expected a queue sealed to a key of this cloud, not to another's", code="carried_key")
        for box in _boxes(file, hashlib.sha256()):
            try:
                packed = bindings.crypto_box_seal_open(box, found[1], found[0])
                yield msgspec.json.decode(unpack(packed, limit_bytes=PIECE_LIMIT_BYTES), type=PushRequest)
            except (CryptoError, PackingError, msgspec.DecodeError, ValueError, TypeError) as exc:
                # Nothing of what was inside goes into the message.
                raise CarriedError(f"expected a push in {path.name}, not what fails: {type(exc).__name__}") from None


def _boxes(file: BinaryIO, summed: "hashlib._Hash") -> Iterator[bytes]:
    while True:
        size = file.read(4)
        summed.update(size)
        length = int.from_bytes(size, "big")
        if len(size) == 4 and length == 0:
            return
        if length > PIECE_LIMIT_BYTES:
            raise CarriedError("expected a carried queue, not another file; carry it out again")
        box = file.read(length)
        if len(size) < 4 or len(box) < length:
            raise CarriedError("expected a whole file, and this one is cut; carry it out again")
        summed.update(box)
        yield box


def _line(file: BinaryIO, kind: type[T], summed: "hashlib._Hash | None" = None) -> T:
    line = file.readline(LINE_LIMIT_BYTES)
    if summed is not None:
        summed.update(line)
    try:
        return msgspec.json.decode(line, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        raise CarriedError("expected a carried queue, not another file; carry it out again") from exc
