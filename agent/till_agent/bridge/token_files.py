"""Where clients' tokens are kept: one file each, for the agent's user alone; and how one is changed without a gap.

`tokens/NAME.token` has the token, `tokens/NAME.earlier` those before it that go on for a while. A change writes the
latter first: whenever the power fails, every program has a token that is taken.
"""

import contextlib
import logging
import os
import re
import secrets
from pathlib import Path

import msgspec
from msgspec import Struct

from till_agent.bridge.exceptions import TokenError
from till_sync.files import replace_file, sync_folder

TOKEN_BYTES = 32
"""256 random bits: beyond guessing, and 43 characters still fit a configuration field."""
TOKEN_PATTERN = re.compile(r"[A-Za-z0-9_-]{43}")
CLIENT_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")
READ_LIMIT_BYTES = 1024
"""A token file holds 44 bytes; a larger one is something else."""
EARLIER_LIMIT = 8
"""Tokens of one client that go on at once: whoever changes them more often has to end some first."""
EARLIER_LIMIT_BYTES = 4096
"""Eight of them take under 1 KB."""

_log = logging.getLogger(__name__)


class Earlier(Struct, frozen=True, kw_only=True):
    """A token that was replaced: taken until `until_ms` (wall); for `overlap_ms` at most, if the clock is put back."""

    token: str
    until_ms: int
    overlap_ms: int

    def left_ms(self, now_wall_ms: int) -> int:
        """How long it goes on; 0 when it is over."""
        return max(0, min(self.until_ms - now_wall_ms, self.overlap_ms))


def token_path(state_dir: Path, client: str) -> Path:
    """Where a client's token is kept."""
    if not CLIENT_PATTERN.fullmatch(client):
        raise TokenError(f"expected a client name of letters, digits, - and _, not {client!r}")
    return state_dir / "tokens" / f"{client}.token"


def read_token(state_dir: Path, client: str) -> str | None:
    """A client's token, or None when its file is missing or holds something else."""
    raw = _read(token_path(state_dir, client), READ_LIMIT_BYTES)
    text = (raw or b"").decode("ascii", "replace").strip()
    return text if TOKEN_PATTERN.fullmatch(text) else None


def make_folder(state_dir: Path) -> Path:
    """The folder of all tokens, for its owner alone. TokenError."""
    folder = state_dir / "tokens"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        narrow(folder, 0o700)
    except OSError as exc:
        raise TokenError(f"expected a folder for tokens at {folder}: {exc.strerror}") from exc
    return folder


def narrow(path: Path, mode: int) -> bool:
    """Take others' rights away; True when there were some. Windows keeps rights in lists that the installer sets."""
    if os.name != "posix" or path.stat().st_mode & 0o077 == 0:
        return False
    path.chmod(mode)
    return True


def token_of(state_dir: Path, client: str) -> str:
    """A client's token, made when it is missing or unusable. TokenError."""
    path = token_path(state_dir, client)
    token = read_token(state_dir, client)
    if token is None:
        token = _put_new(path)
        _log.info("token made", extra={"client": client})
    elif narrow(path, 0o600):
        _log.warning(
            "token file was open to other users; make a new one if they may have read it", extra={"client": client}
        )
    return token


def earlier_of(state_dir: Path, client: str, now_wall_ms: int) -> tuple[Earlier, ...]:
    """A client's tokens before the present one that still go on. TokenError when they can't be read."""
    raw = _read(_earlier_path(state_dir, client), EARLIER_LIMIT_BYTES)
    if raw is None:
        return ()
    try:
        found = msgspec.json.decode(raw, type=tuple[Earlier, ...])
    except msgspec.DecodeError:
        # Whoever still has one of them is refused, and told so: safer than to take what nobody can read.
        _log.error("the list of earlier tokens is unusable: they have ended", extra={"client": client})
        return ()
    return tuple(each for each in found if each.left_ms(now_wall_ms) > 0 and TOKEN_PATTERN.fullmatch(each.token))


def rotate(state_dir: Path, client: str, *, overlap_ms: int, now_wall_ms: int) -> None:
    """Put a new token in the place of a client's; the one before goes on for `overlap_ms`, as others before it do.

    TokenError, also when too many go on already; then nothing is changed.
    """
    make_folder(state_dir)
    path = token_path(state_dir, client)
    present = read_token(state_dir, client)
    kept = earlier_of(state_dir, client, now_wall_ms)
    if present is not None and overlap_ms > 0:
        kept = (*kept, Earlier(token=present, until_ms=now_wall_ms + overlap_ms, overlap_ms=overlap_ms))
    if len(kept) > EARLIER_LIMIT:
        raise TokenError(f"expected at most {EARLIER_LIMIT} earlier tokens of {client} to go on: end them by --revoke")
    _put_earlier(state_dir, client, kept)
    _put_new(path)


def revoke(state_dir: Path, client: str) -> None:
    """End every token of a client but the present one. TokenError."""
    _put_earlier(state_dir, client, ())


def write_private(path: Path, content: bytes) -> None:
    """Replace a small file for its folder's owner alone, durably. OSError.

    Who runs a command as root must not take the file away from the agent's user.
    """
    replace_file(path, content)
    if os.name == "posix" and os.geteuid() == 0:
        owner = path.parent.stat()
        os.chown(path, owner.st_uid, owner.st_gid)
    sync_folder(path.parent)


def _put_new(path: Path) -> str:
    token = secrets.token_urlsafe(TOKEN_BYTES)
    try:
        write_private(path, token.encode() + b"\n")
    except OSError as exc:
        raise TokenError(f"expected to write a token at {path}: {exc.strerror}") from exc
    return token


def _put_earlier(state_dir: Path, client: str, kept: tuple[Earlier, ...]) -> None:
    path = _earlier_path(state_dir, client)
    try:
        if kept:
            write_private(path, msgspec.json.encode(kept) + b"\n")
        else:
            with contextlib.suppress(FileNotFoundError):
                path.unlink()
                sync_folder(path.parent)
    except OSError as exc:
        raise TokenError(f"expected to write the earlier tokens at {path}: {exc.strerror}") from exc


def _earlier_path(state_dir: Path, client: str) -> Path:
    return token_path(state_dir, client).with_suffix(".earlier")


def _read(path: Path, limit_bytes: int) -> bytes | None:
    try:
        with path.open("rb") as file:
            return file.read(limit_bytes)
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise TokenError(f"expected a readable token file at {path}: {exc.strerror}") from exc
