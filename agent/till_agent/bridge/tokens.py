"""The secrets by which client programs are known: one file each, made at the first start, never logged, never shown."""

import base64
import binascii
import hashlib
import hmac
import logging
import os
import re
import secrets
from collections.abc import Iterable
from pathlib import Path

from msgspec import Struct

from till_agent.bridge.exceptions import TokenError
from till_sync.clock import SystemClock
from till_sync.ports import Clock

TOKEN_BYTES = 32
"""256 random bits: beyond guessing, and 43 characters still fit a configuration field."""
TOKEN_PATTERN = re.compile(r"[A-Za-z0-9_-]{43}")
CLIENT_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")
PRESENTED_LIMIT_BYTES = 256
"""Longer credentials are refused unread: a name of 40, a colon and 43 characters take 112 in base64."""
FRONTOL_PATTERN = re.compile(rb"[0-9a-f]{32}")
"""MD5 in hexadecimal."""
READ_LIMIT_BYTES = 1024
"""A token file holds 44 bytes; a larger one is something else."""

_log = logging.getLogger(__name__)


class Client(Struct, frozen=True):
    """A known client program and what it may do: any of sale, register, admin."""

    name: str
    scopes: frozenset[str]


class Secret(Struct, frozen=True):
    """A client's token; `until_ms` (monotonic) when it is one of those before, which end."""

    client: Client
    token: str
    until_ms: int | None = None


class _Known(Struct, frozen=True):
    client: Client
    digest: bytes
    until_ms: int | None = None


class Tokens:
    """Who a presented secret belongs to. Holds hashes only, but for the access key of Frontol, which it digests with
    each body: `frontol` is the name of the client whose token that key is.

    What is put in, paired or taken out counts from the next call on. Used on the loop.
    """

    def __init__(
        self, secrets_by_client: "dict[Client, str]", *, frontol: str = "", clock: Clock | None = None
    ) -> None:
        self._clock = clock or SystemClock()
        self._frontol = frontol
        self._paired: tuple[_Known, ...] = ()
        self.put(Secret(client, token) for client, token in secrets_by_client.items())

    def put(self, found: Iterable[Secret]) -> None:
        """The configured clients' tokens, instead of those that were known; paired browsers stay."""
        tokens = tuple(found)
        self._configured = tuple(_Known(each.client, digest(each.token.encode()), each.until_ms) for each in tokens)
        self._keys = tuple(each for each in tokens if each.client.name == self._frontol)

    def pair(self, client: Client, hashed: bytes) -> None:
        """A browser is known from now on, by the hash of its token."""
        self._paired = (*self._paired, _Known(client, hashed))

    def unpair(self, name: str) -> None:
        """The browser of that name is known no more."""
        self._paired = tuple(known for known in self._paired if known.client.name != name)

    @property
    def clients(self) -> tuple[str, ...]:
        """Names of the clients that have a token."""
        return tuple(dict.fromkeys(known.client.name for known in (*self._configured, *self._paired)))

    @property
    def has_frontol(self) -> bool:
        """Whether there is an access key, so that Frontol may call."""
        return bool(self._keys)

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
        presented = digest(token)
        now_ms = self._clock.mono_ms()
        found: Client | None = None
        for known in (*self._configured, *self._paired):
            same = hmac.compare_digest(presented, known.digest)
            if name is not None:
                same &= hmac.compare_digest(name, known.client.name.encode())
            if same and (known.until_ms is None or now_ms < known.until_ms):
                found = known.client
        return found

    def find_frontol(self, authorization: bytes, body: bytes) -> Client | None:
        """The client of an `Authorization: FrontolAuth` header: md5 in hex of access key and raw body; else None.

        Frontol takes no better digest. Who listens on the loopback knows the body, and still not the key.
        """
        kind, _, said = authorization.strip().partition(b" ")
        said = said.strip().lower()
        if kind.lower() != b"frontolauth" or not FRONTOL_PATTERN.fullmatch(said):
            return None
        now_ms = self._clock.mono_ms()
        found: Client | None = None
        for key in self._keys:
            # The digest is Frontol's choice: MD5 here is a format, and no promise of ours.
            wanted = hashlib.md5(key.token.encode() + body, usedforsecurity=False).hexdigest()
            same = hmac.compare_digest(said, wanted.encode())
            if same and (key.until_ms is None or now_ms < key.until_ms):
                found = key.client
        return found


def digest(token: bytes) -> bytes:
    """What is kept of a token."""
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


def load_tokens(
    state_dir: Path, clients: tuple[Client, ...], *, frontol: str = "", clock: Clock | None = None
) -> Tokens:
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
    return Tokens(found, frontol=frontol, clock=clock)


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
