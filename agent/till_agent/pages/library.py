"""The packaged files of the pages: which there are, and what is in them.

The list is made once, from the package itself, and a path is looked up in it: none outside it can be asked for.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

KINDS = {
    ".css": b"text/css; charset=utf-8",
    ".html": b"text/html; charset=utf-8",
    ".js": b"text/javascript; charset=utf-8",
    ".json": b"application/json",
    ".png": b"image/png",
    ".svg": b"image/svg+xml",
}
"""What is served, by the name's end; a file of another kind stays in the package."""

INDEX = "index.html"
ASSETS = Path(__file__).with_name("assets")
DEPTH_LIMIT = 4
"""Folders within one another: a page has one or two, and a link that goes round in a circle ends here."""
FILE_LIMIT_BYTES = 300_000
"""A page is made of small files; a larger one got in by mistake and would cost each till memory."""


class Asset(Struct, frozen=True):
    """One file: its bytes, its media type, and a strong ETag of the bytes."""

    body: bytes
    media_type: bytes
    etag: bytes


class Library:
    """Files by their path in `assets`. Each is read when it is first asked for, and kept: all together are small."""

    def __init__(self, root: Path = ASSETS) -> None:
        self._root = root
        self._places: dict[str, Path] | None = None
        self._read: dict[str, Asset] = {}

    def known(self, path: str) -> Asset | None:
        """A file that was read before, without looking at the disk."""
        return self._read.get(path)

    def find(self, path: str) -> Asset | None:
        """The file at `path` (`status/index.html`), None if there is none. OSError when the disk doesn't give it."""
        found = self._read.get(path)
        if found is not None:
            return found
        if self._places is None:
            self._places = dict(_listed(self._root, "", DEPTH_LIMIT))
        place = self._places.get(path)
        if place is None:
            return None
        body = place.read_bytes()
        if len(body) > FILE_LIMIT_BYTES:
            return None
        etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'.encode()
        found = self._read[path] = Asset(body, KINDS[_end(path)], etag)
        return found


def _listed(folder: Path, prefix: str, depth: int) -> Iterator[tuple[str, Path]]:
    for each in folder.iterdir():
        if each.is_dir():
            if depth:
                yield from _listed(each, f"{prefix}{each.name}/", depth - 1)
        elif _end(each.name) in KINDS:
            yield f"{prefix}{each.name}", each


def _end(name: str) -> str:
    return "." + name.rpartition(".")[2]
