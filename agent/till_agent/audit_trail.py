"""What people did to this till, in a file that only grows: `audit.log` in the state directory, one JSON object a line.

Each line holds the hash of the line before it, so that a line that was changed, taken out or moved shows. No line holds
anything of members, and of who did it only the number of the system's account. A large file is put aside as
`audit.log.1`, and the one after it begins with a line that is chained to its last.
"""

import hashlib
import io
import logging
import os
import sys
import time
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from till_agent import audit_file
from till_agent.audit_file import FORMER_FILE

log = logging.getLogger(__name__)

AUDIT_FILE = "audit.log"
SIZE_LIMIT_BYTES = 8 * 1024 * 1024
"""Some 30,000 lines: more than a till has in its life. A larger file is put aside, and the chain goes on in a new one;
the one before it goes, so that the disk is never filled."""
TAIL_BYTES = 16 * 1024
"""The last line lies within; a line takes at most 4 KB."""
DETAIL_LIMIT = 500
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
    file: str = AUDIT_FILE


_encode = msgspec.json.Encoder(order="sorted").encode


def note(state_dir: Path, what: What, **facts: str | int) -> bool:
    """Write down what was done; False, and a word in the log, when it could not be. Never raises.

    Facts are codes, versions, counts and names of files: never a member's, a token or a key.
    """
    told = {name: str(value)[:DETAIL_LIMIT] for name, value in list(facts.items())[:FACTS_LIMIT]}
    path = state_dir / AUDIT_FILE
    try:
        with audit_file.held(path) as file:
            before = _last(file)
            if file.seek(0, os.SEEK_END) > SIZE_LIMIT_BYTES:
                _put_aside(file, path)
            new: list[Line] = []
            if file.seek(0, os.SEEK_END) == 0 and (former := _last_former(path.with_name(FORMER_FILE))) is not None:
                before = _after(former, CONTINUED, -1, {"after": FORMER_FILE})
                new.append(before)
            account = os.getuid() if sys.platform != "win32" else -1
            new.append(_after(before, what, account, told))
            audit_file.append(file, b"".join(_encode(line) + b"\n" for line in new))
    except OSError as error:
        log.warning("what was done could not be written into the audit log: %s: %s", what, error.strerror or error)
        return False
    return True


def read_both(state_dir: Path) -> tuple[list[Line], BadLine | None]:
    """All lines of the file that was put aside and of the one in use, up to the first that does not fit. OSError."""
    found = _read_both(state_dir)
    # Between two readings a file may have been put aside: what is wrong is so the second time too.
    return found if found[1] is None else _read_both(state_dir)


def _read_both(state_dir: Path) -> tuple[list[Line], BadLine | None]:
    former, bad = read(state_dir / FORMER_FILE)
    if bad is not None:
        return former, msgspec.structs.replace(bad, file=FORMER_FILE)
    lines, bad = read(state_dir / AUDIT_FILE)
    if former and lines and former[0].hash == lines[0].hash:
        return lines, bad  # cut off when it was copied and not emptied yet: all of it is here too
    if lines and (gap := _gap(former[-1] if former else None, lines[0])):
        return former, BadLine(line=1, detail=gap)
    return former + lines, bad


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


def _gap(former: Line | None, first: Line) -> str:
    """Why the file in use does not go on where the one that was put aside ends; "" when it does."""
    if former is None:
        return f"expected {FORMER_FILE}, which entry {first.seq} goes on from" if first.what == CONTINUED else ""
    if first.prev != former.hash or first.seq != former.seq + 1:
        return f"expected entry {former.seq + 1} here, which goes on from {FORMER_FILE}, not {first.seq}"
    return ""


def _after(before: Line | None, what: str, account: int, facts: dict[str, str]) -> Line:
    line = Line(
        seq=before.seq + 1 if before else 1,
        at_ms=time.time_ns() // 1_000_000,
        what=what,
        account=account,
        facts=facts,
        prev=before.hash if before else FIRST,
    )
    return msgspec.structs.replace(line, hash=hash_of(line))


def _put_aside(file: io.FileIO, path: Path) -> None:
    """Where that can't be done now, the file goes on as it is: what was done must be written down."""
    try:
        audit_file.put_aside(file, path)
    except OSError as error:
        log.warning("the audit log could not be put aside: %s", error.strerror or error)


def _last_former(path: Path) -> Line | None:
    """The last line of the file that was put aside; None where there is none that can be read."""
    try:
        return _decoded(audit_file.tail(path, TAIL_BYTES))
    except OSError:
        return None


def _last(file: io.FileIO) -> Line | None:
    """The last whole line; a piece of one behind it is cut off."""
    tail = audit_file.tail_of(file, TAIL_BYTES)
    whole = tail.rfind(b"\n") + 1
    if whole < len(tail):
        file.truncate(file.seek(0, os.SEEK_END) - (len(tail) - whole))
    return _decoded(tail[:whole])


def _decoded(tail: bytes) -> Line | None:
    last = tail.rstrip(b"\n").rpartition(b"\n")[2]
    if not last:
        return None
    try:
        return msgspec.json.decode(last, type=Line)
    except msgspec.DecodeError:
        # Somebody wrote into it. What comes now is chained to nothing, and `read` names the bad line.
        return None
