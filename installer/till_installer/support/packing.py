"""The bundle as a file: a tar with one folder, and first in it a page that tells a person what is inside."""

import gzip
import io
import os
import tarfile
from pathlib import Path

import msgspec
from msgspec import Struct

from till_installer.support.exceptions import NotAllowedError, SupportError, TooLargeError
from till_installer.support.gathering import Gathered

SIZE_LIMIT_BYTES = 5 * 1024 * 1024
"""What mail and messengers take."""
FOLDER = "tillside-support"
MANIFEST = "MANIFEST.txt"
MEMBERS = frozenset(
    (
        MANIFEST,
        "doctor.json",
        "status.json",
        "metrics.txt",
        "versions.json",
        "config.json",
        "journal.json",
        "files.json",
        "update.json",
        "service.json",
        "log.jsonl",
    )
)
"""All that a bundle may hold, by name."""


class Bundle(Struct, frozen=True, kw_only=True):
    """What was made: `members` with their sizes, and what could not be had."""

    file: str
    bytes: int
    members: dict[str, int]
    missing: dict[str, str]


def manifest(found: Gathered, *, till: str, version: str, made: str) -> str:
    """What is in it, for whoever is to send it."""
    rows = [f"  {name:15} {len(data):9,} bytes   {found.about[name]}" for name, data in found.members.items()]
    lacking = [f"  {name:15} {why}" for name, why in found.missing.items()]
    return "\n".join(
        (
            "Tillside support bundle",
            f"till {till or 'none'}, version {version}, made {made}",
            "",
            "In it:",
            *rows,
            *(("", "Not in it, as it could not be had:", *lacking) if lacking else ()),
            "",
            "Never in it: phones, cards, names, receipts, balances, tokens, keys, passwords, codes. Of free text only",
            "words of Tillside's own programs are kept; [word], [digits] and [secret] stand for the rest.",
            "Every file is text: read it before you send it.",
            "",
        )
    )


def pack(found: Gathered, *, page: str, now_s: int) -> bytes:
    """The bytes of the file, the same for the same members. TooLargeError, NotAllowedError."""
    members = {MANIFEST: page.encode(), **found.members}
    unknown = sorted(set(members) - MEMBERS)
    if unknown:
        raise NotAllowedError(f"expected members of the list alone, not {', '.join(unknown)}")
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, data in members.items():
            entry = tarfile.TarInfo(f"{FOLDER}/{name}")
            entry.size, entry.mtime, entry.mode = len(data), now_s, 0o600
            archive.addfile(entry, io.BytesIO(data))
    packed = gzip.compress(raw.getvalue(), mtime=now_s)
    if len(packed) > SIZE_LIMIT_BYTES:
        raise TooLargeError(f"expected at most {SIZE_LIMIT_BYTES} bytes, not {len(packed)}; tell whoever asked for it")
    return packed


def write(path: Path, data: bytes) -> None:
    """For its owner alone, whole or not at all. SupportError."""
    draft = path.with_name(f".{path.name}.part")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        draft.replace(path)
    except OSError as exc:
        raise SupportError(f"expected to write {path}: {exc.strerror}; name another file by --out") from exc


def encode(bundle: Bundle) -> str:
    """For programs."""
    return msgspec.json.format(msgspec.json.encode(bundle), indent=2).decode()
