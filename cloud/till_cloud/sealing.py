"""The keys that tills seal people to: the newest is told to tills, the former ones stay to open what was sealed."""

import os
import sqlite3
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from till_cloud.exceptions import AdminError
from till_cloud.store import meta
from till_sync.sealing import new_private_key

FILE_LIMIT_BYTES = 1024 * 1024
"""Some 15,000 keys."""


class KeyFile(Struct, frozen=True, kw_only=True):
    """The private keys (hex, the newest first) as they are kept beside backups: whoever has them reads the sealed."""

    tillside_seal_keys: Literal[1] = 1
    keys: Annotated[tuple[Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")], ...], Meta(min_length=1)]


def rotate(connection: sqlite3.Connection) -> int:
    """A new key for what is sealed from now on; how many there are. A till hears of it within ten minutes.

    Former keys are never dropped: a till that was put away for a year may still bring what was sealed to one.
    """
    kept = (new_private_key(), *meta.seal_keys(connection))
    meta.set_seal_keys(connection, kept)
    return len(kept)


def write_file(connection: sqlite3.Connection, path: Path) -> int:
    """Write all keys into a file for its owner alone, whole or not at all; how many. OSError."""
    found = meta.seal_keys(connection)
    draft = path.with_name(f".{path.name}.new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.json.encode(KeyFile(keys=found)) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    return len(found)


def read_file(path: Path) -> tuple[str, ...]:
    """The keys of such a file. AdminError, OSError."""
    with path.open("rb") as file:
        data = file.read(FILE_LIMIT_BYTES)
    try:
        return msgspec.json.decode(data, type=KeyFile).keys
    except msgspec.DecodeError:
        # Nothing of what is in it goes into the message.
        raise AdminError(f"expected a file of `cloud privacy keys` in {path}, not another one") from None


def add(connection: sqlite3.Connection, keys: tuple[str, ...]) -> int:
    """Take keys back that a restored database lacks, none twice; how many came. Tills seal to the newest of all."""
    known = meta.seal_keys(connection)
    missing = tuple(dict.fromkeys(each for each in keys if each not in known))
    # The file is later than the database when it has begun a key since the database's newest.
    is_later = known[0] in keys[1:]
    later = keys[: keys.index(known[0])] if is_later else ()
    first = tuple(each for each in dict.fromkeys(later) if each in missing)
    meta.set_seal_keys(connection, (*first, *known, *(each for each in missing if each not in first)))
    return len(missing)
