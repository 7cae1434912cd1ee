"""Keys of the update repository: Ed25519, private ones in files that a passphrase opens.

A file without a passphrase is for the online key alone, on the server that signs every night with nobody there.
"""

# pyright: reportPrivateImportUsage=false
# tuf and securesystemslib name what is public in lists that are made when they are imported.

import hashlib
import os
import stat
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct
from securesystemslib.signer import Key, SecretsHandler, Signature, Signer, SSlibKey

from till_installer.update.exceptions import RepositoryError
from till_sync import keys as ed25519

PASSPHRASE_VARIABLE = "TILLSIDE_KEY_PASSPHRASE"  # noqa: S105 - the name of a variable
PASSPHRASE_LEAST = 10
"""Characters. Argon2id makes each guess cost a third of a second and 64 MB."""
_FILE_LIMIT_BYTES = 4_096


class _KeyFile(Struct, frozen=True, kw_only=True):
    """`box` is the private key (hex): as it is, or sealed by what Argon2id makes of the passphrase and `salt`."""

    tillside_key: Literal[1] = 1
    public: str
    box: str
    salt: str = ""


def key_of(public: str) -> SSlibKey:
    """The public key as metadata has it. Its id is the SHA-256 of its hex. RepositoryError when it is no key."""
    text = public.strip()
    try:
        fits = len(bytes.fromhex(text)) == ed25519.KEY_HEX_LENGTH // 2
    except ValueError:
        fits = False
    if not fits:
        raise RepositoryError(f"expected a public key of {ed25519.KEY_HEX_LENGTH} hex digits, not {text[:80]!r}")
    return SSlibKey(hashlib.sha256(text.encode()).hexdigest(), "ed25519", "ed25519", {"public": text})


class FileSigner(Signer):
    """Signs by a private key that was read from its file."""

    def __init__(self, private: str) -> None:
        self._private = private
        self._key = key_of(ed25519.public_of(private))

    @property
    def public_key(self) -> Key:
        """What checks its signatures."""
        return self._key

    def sign(self, payload: bytes) -> Signature:
        """Of these bytes."""
        return Signature(self._key.keyid, ed25519.sign(self._private, payload).hex())

    @classmethod
    def from_priv_key_uri(
        cls,
        priv_key_uri: str,
        public_key: Key,  # noqa: ARG003 - the base says what is given
        secrets_handler: SecretsHandler | None = None,  # noqa: ARG003 - the base says what is given
    ) -> "FileSigner":
        """Never: a key is read by `read_signer`, which says what is wrong with its file. RepositoryError."""
        raise RepositoryError(f"expected the file of a key, not the address {priv_key_uri[:80]!r}")


def make_key(path: Path, passphrase: str) -> str:
    """A new key in a new file for its owner alone; `passphrase` "" leaves it open. Gives the public key, also beside
    the file as `.pub`. RepositoryError.
    """
    if passphrase and len(passphrase) < PASSPHRASE_LEAST:
        raise RepositoryError(f"expected a passphrase of at least {PASSPHRASE_LEAST} characters")
    private = ed25519.new_key()
    public = ed25519.public_of(private)
    salt = os.urandom(16) if passphrase else b""
    box = _seal(private, passphrase, salt) if passphrase else private
    made = _KeyFile(public=public, box=box, salt=salt.hex())
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(handle, "wb") as file:  # noqa: PTH123 - of a handle
            file.write(msgspec.json.format(msgspec.json.encode(made), indent=1) + b"\n")
        path.with_name(f"{path.name}.pub").write_text(public + "\n", encoding="ascii")
    except FileExistsError as exc:
        raise RepositoryError(f"expected no file at {path}: a key is never written over; name another file") from exc
    except OSError as exc:
        raise RepositoryError(f"expected to write {path}: {exc.strerror}; name another folder") from exc
    return public


def read_public(path: Path) -> SSlibKey:
    """Of a `.pub` file, or of the key file itself. RepositoryError."""
    text = _read(path)
    return key_of(_decode(path, text).public if text.lstrip().startswith("{") else text)


def needs_passphrase(path: Path) -> bool:
    """Whether a key file was sealed. RepositoryError."""
    return bool(_decode(path, _read(path)).salt)


def read_signer(path: Path, passphrase: str = "") -> FileSigner:
    """The private key of a file; RepositoryError, also for a passphrase that does not open it."""
    kept = _decode(path, _read(path))
    if os.name == "posix" and stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise RepositoryError(f"expected the key {path} to be its owner's alone; run `chmod 600 {path}`")
    private = _open(kept, passphrase, path) if kept.salt else kept.box
    try:
        signer = FileSigner(private)
    except ValueError as exc:
        raise RepositoryError(f"expected a private key in {path}") from exc
    if signer.public_key != key_of(kept.public):
        raise RepositoryError(f"expected the private key in {path} to be that of its public one")
    return signer


def _seal(private: str, passphrase: str, salt: bytes) -> str:
    from nacl.secret import SecretBox

    return SecretBox(_stretch(passphrase, salt)).encrypt(bytes.fromhex(private)).hex()


def _open(kept: _KeyFile, passphrase: str, path: Path) -> str:
    from nacl.exceptions import CryptoError
    from nacl.secret import SecretBox

    try:
        return SecretBox(_stretch(passphrase, bytes.fromhex(kept.salt))).decrypt(bytes.fromhex(kept.box)).hex()
    except (CryptoError, ValueError) as exc:
        raise RepositoryError(f"expected the passphrase of {path.name}, not another one") from exc


def _stretch(passphrase: str, salt: bytes) -> bytes:
    from nacl.pwhash import argon2id

    return argon2id.kdf(
        32, passphrase.encode(), salt, opslimit=argon2id.OPSLIMIT_INTERACTIVE, memlimit=argon2id.MEMLIMIT_INTERACTIVE
    )


def _decode(path: Path, text: str) -> _KeyFile:
    try:
        return msgspec.json.decode(text, type=_KeyFile)
    except msgspec.DecodeError as exc:
        raise RepositoryError(f"expected a key made by `tillside update repo key` in {path}") from exc


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_FILE_LIMIT_BYTES).decode("ascii")
    except (OSError, UnicodeDecodeError) as exc:
        why = exc.strerror if isinstance(exc, OSError) else "it is no text"
        raise RepositoryError(f"expected a key in {path}: {why}; name its file") from exc
