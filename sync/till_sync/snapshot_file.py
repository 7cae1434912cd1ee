"""Packs a snapshot's file and unpacks it: zstd, and the SHA-256 of what goes over the line."""

import hashlib
import os
import shutil
import sys
from pathlib import Path
from typing import Any

from till_sync.exceptions import SnapshotUnusable
from till_sync.snapshot_layout import CHUNK_BYTES, LARGEST_BYTES

LEVEL = 3
"""Of zstd; 9 takes a fifth off the bytes and five times the work."""

SPARE_BYTES = 64 * 1024 * 1024
"""Of the disk stays free for the journal, whatever a snapshot wants: sales come first."""


def pack(source: Path, target: Path) -> tuple[int, str]:
    """Compress a file into a new one, on disk when this returns. Gives the bytes and the SHA-256 (hex) of the new."""
    zstd = _zstd()
    hasher, written = hashlib.sha256(), 0
    compressor = zstd.ZstdCompressor(level=LEVEL)
    compressor.set_pledged_input_size(source.stat().st_size)
    with source.open("rb") as plain, target.open("wb") as packed:
        while chunk := plain.read(CHUNK_BYTES):
            out = compressor.compress(chunk)
            hasher.update(out)
            written += packed.write(out)
        out = compressor.flush()
        hasher.update(out)
        written += packed.write(out)
        packed.flush()
        os.fsync(packed.fileno())
    return written, hasher.hexdigest()


def unpack(source: Path, target: Path, *, sha256: str) -> None:
    """The file within a fetched snapshot, at `target`. SnapshotUnusable when it is not the one of that SHA-256, or no
    snapshot; `disk_full` when there is no room. OSError when the disk refuses.
    """
    zstd = _zstd()
    hasher = hashlib.sha256()
    decompressor = zstd.ZstdDecompressor()
    room = min(LARGEST_BYTES, shutil.disk_usage(target.parent).free - SPARE_BYTES)
    written = 0
    with source.open("rb") as packed, target.open("wb") as plain:
        try:
            while chunk := packed.read(CHUNK_BYTES):
                hasher.update(chunk)
                while not decompressor.eof:
                    out = decompressor.decompress(chunk, CHUNK_BYTES)
                    chunk = b""
                    written += plain.write(out)
                    if written > room:
                        raise SnapshotUnusable(f"expected room for more than {written} bytes", code="disk_full")
                    if decompressor.needs_input:
                        break
        except zstd.ZstdError as error:
            raise SnapshotUnusable(f"expected a snapshot, not these bytes: {error}", code="snapshot_broken") from error
    if hasher.hexdigest() != sha256 or not decompressor.eof or decompressor.unused_data:
        raise SnapshotUnusable("expected the bytes that the cloud named, not others", code="snapshot_broken")


def _zstd() -> Any:
    """Loaded at the first use: only a till without a cache, and a cloud that makes a snapshot, need it."""
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd
    return zstd
