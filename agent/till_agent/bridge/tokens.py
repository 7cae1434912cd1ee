"""The secrets by which client programs are known, never logged, never shown (see `token_files`)."""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Callable, Iterable
from pathlib import Path

from msgspec import Struct

from till_agent.bridge.token_files import earlier_of, make_folder, read_token, token_of, token_path
from till_sync.clock import SystemClock
from till_sync.ports import Clock

__all__ = ["Client", "Secret", "TokenFolder", "Tokens", "digest", "load_tokens", "read_token", "token_path"]

PRESENTED_LIMIT_BYTES = 256
"""Longer credentials are refused unread: a name of 40, a colon and 43 characters take 112 in base64."""
FRONTOL_PATTERN = re.compile(rb"[0-9a-f]{32}")
"""MD5 in hexadecimal."""


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
        self,
        secrets_by_client: "dict[Client, str]",
        *,
        frontol: str = "",
        clock: Clock | None = None,
        folder: "TokenFolder | None" = None,
    ) -> None:
        self.folder = folder
        self.seen_ms: dict[str, int] = {}
        """When a paired browser last called (wall), by name; for those that did since the start."""
        self.on_end: list[Callable[[], None]] = []
        """Told when a token may have ended before its time: what goes on by it has to look again."""
        self._clock = clock or SystemClock()
        self._frontol = frontol
        self._paired: tuple[_Known, ...] = ()
        self.put(Secret(client, token) for client, token in secrets_by_client.items())

    def put(self, found: Iterable[Secret]) -> None:
        """The configured clients' tokens, instead of those that were known; paired browsers stay."""
        tokens = tuple(found)
        self._configured = tuple(_Known(each.client, digest(each.token.encode()), each.until_ms) for each in tokens)
        self._keys = tuple(each for each in tokens if each.client.name == self._frontol)
        self._tell_end()

    def pair(self, client: Client, hashed: bytes) -> None:
        """A browser is known from now on, by the hash of its token."""
        self._paired = (*self._paired, _Known(client, hashed))

    def unpair(self, name: str) -> None:
        """The browser of that name is known no more."""
        self._paired = tuple(known for known in self._paired if known.client.name != name)
        self.seen_ms.pop(name, None)
        self._tell_end()

    def _tell_end(self) -> None:
        for told in self.on_end:
            told()

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
        paired = False
        for index, known in enumerate((*self._configured, *self._paired)):
            same = hmac.compare_digest(presented, known.digest)
            if name is not None:
                same &= hmac.compare_digest(name, known.client.name.encode())
            if same and (known.until_ms is None or now_ms < known.until_ms):
                found = known.client
                paired = index >= len(self._configured)
        if found is not None and paired:
            self.seen_ms[found.name] = self._clock.wall_ms()
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


class TokenFolder:
    """The files of the configured clients' tokens."""

    def __init__(self, state_dir: Path, clients: tuple[Client, ...], clock: Clock) -> None:
        self.path = make_folder(state_dir)
        self._state_dir = state_dir
        self._clients = clients
        self._clock = clock

    def read(self) -> tuple[Secret, ...]:
        """Every client's token, those that are missing made, and those before it that still go on. TokenError."""
        found: list[Secret] = []
        now_wall_ms, now_ms = self._clock.wall_ms(), self._clock.mono_ms()
        for client in self._clients:
            token = token_of(self._state_dir, client.name)
            found.append(Secret(client, token))
            found += [
                # Counted from now on by the clock that nobody puts forward or back.
                Secret(client, each.token, now_ms + each.left_ms(now_wall_ms))
                for each in earlier_of(self._state_dir, client.name, now_wall_ms)
                if each.token != token
            ]
        return tuple(found)


def load_tokens(
    state_dir: Path, clients: tuple[Client, ...], *, frontol: str = "", clock: Clock | None = None
) -> Tokens:
    """Read every client's token, making those that are missing or unusable. Raises TokenError when the disk refuses."""
    clock = clock or SystemClock()
    folder = TokenFolder(state_dir, clients, clock)
    tokens = Tokens({}, frontol=frontol, clock=clock, folder=folder)
    tokens.put(folder.read())
    return tokens
