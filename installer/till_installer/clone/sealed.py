"""The file that carries a till: a readable head, and a body that only its passphrase opens.

The key comes from the passphrase by Argon2id; the body is a secretstream (XChaCha20-Poly1305) of chunks, so that a
journal of any size takes little memory, and a file that was altered, reordered or cut is known before its end. The head
is bound to the first chunk.
"""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Annotated

import msgspec
from msgspec import Meta, Struct

from till_installer.clone.exceptions import CloneError

MAGIC = b"TILLSIDE-CLONE-1\n"
CHUNK_BYTES = 1 << 20
"""One chunk is in memory at a time."""
HEAD_LIMIT_BYTES = 4_096
PASSPHRASE_LEAST = 12
"""Characters of a passphrase that a person chose; the one that is made has 100 random bits."""
OPERATIONS = 3
MEMORY_BYTES = 64 << 20
"""Argon2id at the strength that libsodium calls interactive and more passes: half a second, on a till of 512 MB too."""
MEMORY_MOST_BYTES = 256 << 20
SPENT = "spent"
_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
_GROUPS, _GROUP_LETTERS = 5, 4


class Head(Struct, frozen=True, kw_only=True):
    """What everybody may read of the file. `salt` is hex; one that has been brought to a machine is `spent`."""

    clone: str
    till: str
    made_ms: int
    salt: Annotated[str, Meta(pattern=r"^([0-9a-f]{32}|spent)$")]
    operations: Annotated[int, Meta(ge=1, le=16)] = OPERATIONS
    memory_bytes: Annotated[int, Meta(ge=8 << 20, le=MEMORY_MOST_BYTES)] = MEMORY_BYTES


def new_passphrase() -> str:
    """A one-time code of 100 bits, as people write it down."""
    return "-".join("".join(secrets.choice(_LETTERS) for _ in range(_GROUP_LETTERS)) for _ in range(_GROUPS))


def new_head(till: str, now_ms: int) -> Head:
    """For a file that is to be made."""
    return Head(clone=secrets.token_hex(8), till=till, made_ms=now_ms, salt=secrets.token_hex(16))


def read_head(path: Path) -> Head:
    """CloneError `not_a_clone_file`, `file_spent`."""
    with _opened(path) as file:
        return _head(file, path)[0]


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    try:
        file = path.open("rb")
    except OSError as exc:
        raise unreadable(path, exc) from exc
    with file:
        yield file


def _head(file: IO[bytes], path: Path) -> tuple[Head, bytes]:
    if file.read(len(MAGIC)) != MAGIC:
        raise CloneError(f"expected a file of `tillside clone export`, not {path}", code="not_a_clone_file")
    raw = file.readline(HEAD_LIMIT_BYTES)
    try:
        head = msgspec.json.decode(raw, type=Head)
    except msgspec.DecodeError as exc:
        raise CloneError(f"expected a file of `tillside clone export`, not {path}", code="not_a_clone_file") from exc
    if head.salt == SPENT:
        raise CloneError(
            f"till {head.till} was brought to a machine by this file already; it serves once", code="file_spent"
        )
    return head, raw


def _key(head: Head, passphrase: str) -> bytes:
    from nacl import pwhash

    return pwhash.argon2id.kdf(
        32, passphrase.strip().encode(), bytes.fromhex(head.salt), opslimit=head.operations, memlimit=head.memory_bytes
    )


class SealedWriter:
    """Takes bytes and writes them sealed; `close` ends the stream, and only a stream that was ended can be read."""

    def __init__(self, file: IO[bytes], head: Head, passphrase: str) -> None:
        from nacl import bindings

        self._file = file
        self._state = bindings.crypto_secretstream_xchacha20poly1305_state()
        raw = msgspec.json.encode(head) + b"\n"
        file.write(MAGIC + raw)
        start = bindings.crypto_secretstream_xchacha20poly1305_init_push(self._state, _key(head, passphrase))
        file.write(start)
        self._bound: bytes | None = raw
        self._waiting = bytearray()

    def write(self, data: bytes) -> int:
        """All of it is taken."""
        self._waiting += data
        while len(self._waiting) >= CHUNK_BYTES:
            self._push(bytes(self._waiting[:CHUNK_BYTES]), last=False)
            del self._waiting[:CHUNK_BYTES]
        return len(data)

    def close(self) -> None:
        """The end, without which nothing before it counts."""
        self._push(bytes(self._waiting), last=True)

    def _push(self, data: bytes, *, last: bool) -> None:
        from nacl import bindings

        tag = (
            bindings.crypto_secretstream_xchacha20poly1305_TAG_FINAL
            if last
            else bindings.crypto_secretstream_xchacha20poly1305_TAG_MESSAGE
        )
        sealed = bindings.crypto_secretstream_xchacha20poly1305_push(self._state, data, self._bound, tag)
        self._bound = None
        self._file.write(len(sealed).to_bytes(4, "big") + sealed)


def unreadable(path: Path, exc: OSError) -> CloneError:
    """A name that was misspelt, a stick that is not plugged in, a folder."""
    return CloneError(
        f"expected the file of a till at {path}: {exc.strerror}; see its name and the stick", code="file_unreadable"
    )


class SealedReader:
    """Gives the bytes back. CloneError `passphrase_wrong`, `file_altered`: whoever reads to the end has it whole."""

    def __init__(self, path: Path, passphrase: str) -> None:
        self._have = bytearray()
        self._ended = False
        try:
            self._file = path.open("rb")
        except OSError as exc:
            raise unreadable(path, exc) from exc
        try:
            self._begin(path, passphrase)
        except OSError as exc:
            self._file.close()
            raise unreadable(path, exc) from exc
        except BaseException:
            self._file.close()
            raise

    def _begin(self, path: Path, passphrase: str) -> None:
        from nacl import bindings

        self.head, raw = _head(self._file, path)
        self._state = bindings.crypto_secretstream_xchacha20poly1305_state()
        start = self._file.read(bindings.crypto_secretstream_xchacha20poly1305_HEADERBYTES)
        if len(start) != bindings.crypto_secretstream_xchacha20poly1305_HEADERBYTES:
            raise _altered()
        bindings.crypto_secretstream_xchacha20poly1305_init_pull(self._state, start, _key(self.head, passphrase))
        self._bound: bytes | None = raw
        self._pull()

    def read(self, size: int = -1) -> bytes:
        """As of a file."""
        while not self._ended and (size < 0 or len(self._have) < size):
            self._pull()
        taken = bytes(self._have if size < 0 else self._have[:size])
        del self._have[: len(taken)]
        return taken

    def finish(self) -> None:
        """Read what is left: a stream without its end was cut."""
        while not self._ended:
            self._pull()
        if self._file.read(1):
            raise _altered()

    def close(self) -> None:
        self._file.close()

    def _pull(self) -> None:
        from nacl import bindings
        from nacl.exceptions import CryptoError

        size = int.from_bytes(self._file.read(4), "big")
        if not 0 < size <= CHUNK_BYTES + bindings.crypto_secretstream_xchacha20poly1305_ABYTES:
            raise _altered()
        sealed = self._file.read(size)
        is_first = self._bound is not None
        try:
            data, tag = bindings.crypto_secretstream_xchacha20poly1305_pull(self._state, sealed, self._bound)
        except (CryptoError, ValueError, RuntimeError) as exc:
            if is_first:
                raise CloneError(
                    "expected the passphrase that the export showed, and a file that nobody altered",
                    code="passphrase_wrong",
                ) from exc
            raise _altered() from exc
        self._bound = None
        self._have += data
        self._ended = tag == bindings.crypto_secretstream_xchacha20poly1305_TAG_FINAL


def spend(path: Path, head: Head) -> None:
    """The file serves no more: without its salt nobody can open it. OSError where the stick can't be written."""
    import os

    with path.open("r+b") as file:
        file.seek(len(MAGIC))
        raw = msgspec.json.encode(head)
        gone = msgspec.json.encode(msgspec.structs.replace(head, salt=SPENT)).ljust(len(raw))
        file.write(gone + b"\n")
        file.flush()
        os.fsync(file.fileno())


def _altered() -> CloneError:
    return CloneError(
        "expected the file as it was exported: it was altered, or cut short when it was copied; copy it again",
        code="file_altered",
    )
