"""Looks for what must not be on a disk: phones, cards, names and secrets, in every spelling and packing we know of.

A file is looked at as bytes, and what can be unpacked of it again as bytes: each cell of a database (whose long values
are spread over pages), base64, hex, gzip, zlib and zstd wherever they begin. Of numbers the digits count, whatever
stands between them; of words, all usual encodings and both cases.
"""

import base64
import binascii
import contextlib
import json
import re
import shutil
import sqlite3
import sys
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

ENCODINGS = ("utf-8", "utf-16-le", "utf-16-be", "cp1251", "cp866", "koi8-r")
DEPTH = 3
GZIP = 31
"""What zlib calls a gzip stream."""
_BETWEEN = re.compile(rb"[ \-().\t\x00]|\xc2\xa0|\xe2\x80[\x80-\x95]|%20|%2[DdBb]|\\u00[aA]0")
_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{16,}={0,2}")
_HEX = re.compile(rb"(?:[0-9a-fA-F]{2}){10,}")
_ZLIB = re.compile(rb"\x78[\x01\x5e\x9c\xda]")


class Seed(NamedTuple):
    """One thing that was put in: what it is, and how it reads."""

    name: str
    text: str


class Found(NamedTuple):
    """Which seed lies where: the file, and how it was packed there."""

    seed: str
    file: str
    packing: str


def phone(name: str, e164: str) -> Seed:
    """Ten national digits: with +7, 8 or nothing before them it is the same phone."""
    return Seed(name, e164[-10:])


def look(paths: list[Path], seeds: list[Seed], *, passed: frozenset[str] = frozenset()) -> list[Found]:
    """Every seed in every file of `paths`; files named in `passed` are left out."""
    found: list[Found] = []
    for top in paths:
        files = sorted(top.rglob("*")) if top.is_dir() else [top]
        for path in files:
            if path.is_file() and str(path.relative_to(top.parent)) not in passed:
                found += _in_file(path, seeds)
    return found


def _in_file(path: Path, seeds: list[Seed]) -> list[Found]:
    hits = {(seed.name, packing) for packing, data in _views(path) for seed in seeds if _is_in(seed.text, data)}
    return [Found(name, path.name, packing) for name, packing in sorted(hits)]


def _views(path: Path) -> Iterator[tuple[str, bytes]]:
    raw = path.read_bytes()
    yield from _unpacked("", raw.replace(bytes(512), b"\n"), DEPTH)
    if raw.startswith(b"SQLite format 3"):
        for cell in _cells(path):
            yield from _unpacked("cell", cell, DEPTH)


def _cells(path: Path) -> Iterator[bytes]:
    """Of a copy: the file may be in use."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / path.name
        for suffix in ("", "-wal"):
            with contextlib.suppress(FileNotFoundError):
                shutil.copy2(f"{path}{suffix}", f"{copy}{suffix}")
        connection = sqlite3.connect(copy)
        try:
            tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
            for table in tables:
                for row in connection.execute(f'SELECT * FROM "{table}"'):
                    for cell in row:
                        if isinstance(cell, str | bytes):
                            yield cell.encode() if isinstance(cell, str) else cell
        finally:
            connection.close()


def _unpacked(how: str, data: bytes, depth: int) -> Iterator[tuple[str, bytes]]:
    yield how, data
    if not depth:
        return
    for name, part in _parts(data):
        yield from _unpacked(f"{how} {name}".strip(), part, depth - 1)


def _parts(data: bytes) -> Iterator[tuple[str, bytes]]:
    for match in _BASE64.finditer(data):
        text = match[0].rstrip(b"=").replace(b"-", b"+").replace(b"_", b"/")
        for cut in range(4):  # where it begins nobody knows: letters before it look like its own
            with contextlib.suppress(binascii.Error):
                yield "base64", base64.b64decode(text[cut:] + b"=" * (-len(text[cut:]) % 4))
    for match in _HEX.finditer(data):
        yield "hex", binascii.unhexlify(match[0])
    for at in _places(data, b"\x1f\x8b\x08"):
        with contextlib.suppress(zlib.error):
            yield "gzip", zlib.decompressobj(GZIP).decompress(data[at:])
    for at in _places(data, b"\x28\xb5\x2f\xfd"):
        with contextlib.suppress(zstd.ZstdError):
            yield "zstd", zstd.ZstdDecompressor().decompress(data[at:])
    for match in _ZLIB.finditer(data):
        with contextlib.suppress(zlib.error):
            yield "zlib", zlib.decompressobj().decompress(data[match.start() :])


def _places(data: bytes, mark: bytes) -> Iterator[int]:
    at = data.find(mark)
    while at >= 0:
        yield at
        at = data.find(mark, at + 1)


def _is_in(text: str, data: bytes) -> bool:
    if text.isdigit():
        return text.encode() in _BETWEEN.sub(b"", data) or _pairs_swapped(text) in data
    return any(form in data for form in _spellings(text))


def _pairs_swapped(digits: str) -> bytes:
    """As packed decimals of devices, two digits a byte."""
    even = digits if len(digits) % 2 == 0 else f"{digits}f"
    return binascii.unhexlify(even)


def _spellings(text: str) -> set[bytes]:
    forms: set[bytes] = set()
    for said in (text, text.upper(), text.lower()):
        for encoding in ENCODINGS:
            with contextlib.suppress(UnicodeEncodeError):
                forms.add(said.encode(encoding))
        escaped = json.dumps(said)[1:-1]
        capitals = re.sub(r"\\u....", lambda found: found[0].upper().replace("U", "u"), escaped)
        forms |= {escaped.encode(), capitals.encode()}
        forms |= {quote(said).encode(), quote(said).lower().encode()}
    return forms
