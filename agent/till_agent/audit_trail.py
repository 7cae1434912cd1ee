"""What people did to this till, in a file that only grows: `audit.log` in the state directory, one JSON object a line.

Each line holds the hash of the line before it, so that a line that was changed, taken out or moved shows. No line holds
anything of members, and of who did it only the number of the system's account.
"""

import contextlib
import errno
import hashlib
import io
import logging
import os
import stat
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

log = logging.getLogger(__name__)

AUDIT_FILE = "audit.log"
FORMER_FILE = "audit.log.1"
SIZE_LIMIT_BYTES = 8 * 1024 * 1024
"""Some 30,000 lines: more than a till has in its life. A larger file is put aside, and the chain goes on in a new one;
the one before it goes, so that the disk is never filled."""
TAIL_BYTES = 16 * 1024
"""The last line lies within; a line takes at most 4 KB."""
DETAIL_LIMIT = 500
LOCK_TRIES = 100
LOCK_PAUSE_S = 0.02
"""Two seconds: an upgrade waits for nobody who holds this file."""
FACTS_LIMIT = 12
FIRST = "0" * 64
CONTINUED = "log_continued"
"""What a file begins with that goes on where one was put aside."""

What = Literal[
    "installed",
    "uninstalled",
    "repaired",
    "enrolled",
    "token_rotated",
    "token_revoked",
    "config_applied",
    "config_refused",
    "policy_applied",
    "policy_refused",
    "findings_accepted",
    "findings_dismissed",
    "upgraded",
    "rolled_back",
    "update_refused",
    "queue_carried_out",
    "clone_exported",
    "clone_imported",
    "journal_salvaged",
    "member_erased",
    "retention_applied",
]


class Line(Struct, frozen=True, kw_only=True):
    """One thing that was done. `account` is the number of the system's account, -1 where there are none."""

    seq: int
    at_ms: int
    what: str
    account: int
    facts: dict[str, str]
    prev: str
    hash: str = ""


class BadLine(Struct, frozen=True, kw_only=True):
    """The first line that does not fit: its number in the file, from 1."""

    line: int
    detail: str


_encode = msgspec.json.Encoder(order="sorted").encode


def note(state_dir: Path, what: What, **facts: str | int) -> bool:
    """Write down what was done; False, and a word in the log, when it could not be. Never raises.

    Facts are codes, versions, counts and names of files: never a member's, a token or a key.
    """
    told = {name: str(value)[:DETAIL_LIMIT] for name, value in list(facts.items())[:FACTS_LIMIT]}
    try:
        with _locked(state_dir) as file:
            before = _last(file)
            line = Line(
                seq=before.seq + 1 if before else 1,
                at_ms=time.time_ns() // 1_000_000,
                what=what,
                account=os.getuid() if sys.platform != "win32" else -1,
                facts=told,
                prev=before.hash if before else FIRST,
            )
            file.write(_encode(msgspec.structs.replace(line, hash=hash_of(line))) + b"\n")
            os.fsync(file.fileno())
    except OSError as error:
        log.warning("what was done could not be written into the audit log: %s: %s", what, error.strerror or error)
        return False
    return True


def read(path: Path) -> tuple[list[Line], BadLine | None]:
    """All lines up to the first that does not fit, and that one. A file that is not there has none. OSError."""
    lines: list[Line] = []
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return [], None
    with file:
        for number, raw in enumerate(file, start=1):
            try:
                line = msgspec.json.decode(raw, type=Line)
            except msgspec.DecodeError:
                if not raw.endswith(b"\n"):
                    # Cut by a loss of power while it was written: it was not acknowledged, the next one replaces it.
                    return lines, None
                return lines, BadLine(line=number, detail="expected a line of the audit log")
            bad = _misfit(line, lines[-1] if lines else None, number)
            if bad is not None:
                return lines, bad
            lines.append(line)
    return lines, None


def hash_of(line: Line) -> str:
    """SHA-256 (hex) over everything in the line but the hash itself."""
    return hashlib.sha256(_encode(msgspec.structs.replace(line, hash=""))).hexdigest()


def _misfit(line: Line, before: Line | None, number: int) -> BadLine | None:
    if line.hash != hash_of(line):
        return BadLine(line=number, detail=f"entry {line.seq} ({line.what}) was changed")
    if before is None:
        if (line.seq == 1 and line.prev == FIRST) or (line.seq > 1 and line.what == CONTINUED):
            return None
        return BadLine(line=number, detail=f"expected entry 1 here, not {line.seq}")
    if line.prev != before.hash or line.seq != before.seq + 1:
        return BadLine(line=number, detail=f"expected entry {before.seq + 1} here, not {line.seq}")
    return None


@contextlib.contextmanager
def _locked(state_dir: Path) -> Iterator[io.FileIO]:
    """The file, for this process alone, at its end; anew when it has grown too large. OSError."""
    path = state_dir / AUDIT_FILE
    with _open(path) as file:
        _lock(file)
        if file.seek(0, os.SEEK_END) <= SIZE_LIMIT_BYTES:
            yield file
            return
        before = _last(file)
        path.replace(path.with_name(FORMER_FILE))
    with _open(path) as file:
        _lock(file)
        if before is not None:
            went_on = Line(
                seq=before.seq + 1,
                at_ms=time.time_ns() // 1_000_000,
                what=CONTINUED,
                account=-1,
                facts={"after": FORMER_FILE},
                prev=before.hash,
            )
            file.write(_encode(msgspec.structs.replace(went_on, hash=hash_of(went_on))) + b"\n")
        yield file


def _open(path: Path) -> io.FileIO:
    flags = os.O_RDWR | os.O_CREAT
    for name in ("O_BINARY", "O_CLOEXEC", "O_NOFOLLOW", "O_NONBLOCK"):
        flags |= getattr(os, name, 0)
    file = io.FileIO(os.open(path, flags, 0o600), "r+")
    try:
        if sys.platform != "win32" and os.geteuid() == 0:
            _give(file.fileno(), path)
    except OSError:
        file.close()
        raise
    return file


def _give(handle: int, path: Path) -> None:
    """Whoever installs and upgrades is root; the file is the agent's, like all else in the folder.

    The folder is the agent's too: what root writes to and gives away there must be no second name of a file of others.
    """
    found, owner = os.fstat(handle), path.parent.stat()
    if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1 or found.st_uid not in (0, owner.st_uid):
        raise OSError(errno.EPERM, "expected a file of the agent's with one name", str(path))
    os.fchown(handle, owner.st_uid, owner.st_gid)


def _last(file: io.FileIO) -> Line | None:
    """The last whole line; a piece of one behind it is cut off. The file stands at its end after this."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - TAIL_BYTES))
    tail = file.read()
    whole = tail.rfind(b"\n") + 1
    if whole < len(tail):
        file.truncate(size - (len(tail) - whole))
        file.seek(0, os.SEEK_END)
    last = tail[:whole].rstrip(b"\n").rpartition(b"\n")[2]
    if not last:
        return None
    try:
        return msgspec.json.decode(last, type=Line)
    except msgspec.DecodeError:
        # Somebody wrote into it. What comes now is chained to nothing, and `read` names the bad line.
        return None


def _lock(file: io.FileIO) -> None:
    """Held until the file is closed; the commands that write take microseconds. OSError when another keeps it."""
    if sys.platform == "win32":
        import msvcrt

        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)
    else:
        import fcntl

        for _ in range(LOCK_TRIES):
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            threading.Event().wait(LOCK_PAUSE_S)
        raise OSError(errno.EWOULDBLOCK, "another program holds it")
