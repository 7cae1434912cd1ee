"""The secrets by which client programs are known: one file each, made at the first start, never logged, never shown."""

import base64
import binascii
import hashlib
import hmac
import logging
import os
import re
import secrets
from pathlib import Path

from msgspec import Struct

from till_agent.bridge.exceptions import TokenError

TOKEN_BYTES = 32
"""256 random bits: beyond guessing, and 43 characters still fit a configuration field."""
TOKEN_PATTERN = re.compile(r"[A-Za-z0-9_-]{43}")
CLIENT_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")
PRESENTED_LIMIT_BYTES = 256
"""Longer credentials are refused unread: a name of 40, a colon and 43 characters take 112 in base64."""
READ_LIMIT_BYTES = 1024
"""A token file holds 44 bytes; a larger one is something else."""

_log = logging.getLogger(__name__)


class Client(Struct, frozen=True):
    """A known client program and what it may do: any of sale, register, admin."""

    name: str
    scopes: frozenset[str]


class _Known(Struct, frozen=True):
    client: Client
    digest: bytes


class Tokens:
    """Who a presented secret belongs to. Holds hashes only."""

    def __init__(self, secrets_by_client: "dict[Client, str]") -> None:
        self._known = tuple(_Known(client, _digest(token.encode())) for client, token in secrets_by_client.items())

    @property
    def clients(self) -> tuple[str, ...]:
        """Names of the clients that have a token."""
        return tuple(known.client.name for known in self._known)

    def find(self, authorization: bytes) -> Client | None:
        """The client of an `Authorization` header (Bearer, or Basic with the client's name); None when it is nobody's.

        Every known hash is compared, in constant time, so that the time taken says nothing.
        """
        kind, _, rest = authorization.strip().partition(b" ")
        rest = rest.strip()
        if len(rest) > PRESENTED_LIMIT_BYTES:
            return None
        name = None
        if kind.lower() == b"bearer":
            token = rest
        elif kind.lower() == b"basic":
            try:
                name, _, token = base64.b64decode(rest, validate=True).partition(b":")
            except (binascii.Error, ValueError):
                return None
        else:
            return None
        presented = _digest(token)
        found: Client | None = None
        for known in self._known:
            same = hmac.compare_digest(presented, known.digest)
            if name is not None:
                same &= hmac.compare_digest(name, known.client.name.encode())
            if same:
                found = known.client
        return found


def _digest(token: bytes) -> bytes:
    return hashlib.sha256(token).digest()


def token_path(state_dir: Path, client: str) -> Path:
    """Where a client's token is kept."""
    if not CLIENT_PATTERN.fullmatch(client):
        raise TokenError(f"expected a client name of letters, digits, - and _, not {client!r}")
    return state_dir / "tokens" / f"{client}.token"


def read_token(state_dir: Path, client: str) -> str | None:
    """A client's token, or None when its file is missing or holds something else."""
    path = token_path(state_dir, client)
    try:
        with path.open("rb") as file:
            raw = file.read(READ_LIMIT_BYTES)
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise TokenError(f"expected a readable token file at {path}: {exc.strerror}") from exc
    text = raw.decode("ascii", "replace").strip()
    return text if TOKEN_PATTERN.fullmatch(text) else None


def load_tokens(state_dir: Path, clients: tuple[Client, ...]) -> Tokens:
    """Read every client's token, making those that are missing or unusable. Raises TokenError when the disk refuses."""
    folder = state_dir / "tokens"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _narrow(folder, 0o700)
    except OSError as exc:
        raise TokenError(f"expected a folder for tokens at {folder}: {exc.strerror}") from exc
    found: dict[Client, str] = {}
    for client in clients:
        path = token_path(state_dir, client.name)
        token = read_token(state_dir, client.name)
        if token is None:
            token = _make(path)
            _log.info("token made", extra={"client": client.name})
        elif _narrow(path, 0o600):
            _log.warning(
                "token file was open to other users; make a new one if they may have read it",
                extra={"client": client.name},
            )
        found[client] = token
    return Tokens(found)


def _narrow(path: Path, mode: int) -> bool:
    """Take others' rights away; True when there were some. Windows keeps rights in lists that the installer sets."""
    if os.name != "posix" or path.stat().st_mode & 0o077 == 0:
        return False
    path.chmod(mode)
    return True


def _make(path: Path) -> str:
    token = secrets.token_urlsafe(TOKEN_BYTES)
    new = path.with_suffix(".new")
    try:
        new.unlink(missing_ok=True)
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(token + "\n")
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    except OSError as exc:
        raise TokenError(f"expected to write a token at {path}: {exc.strerror}") from exc
    return token
