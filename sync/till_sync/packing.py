"""zstd for bodies: packed where it pays, unpacked within limits that hold while it is done.

`compression.zstd` from Python 3.14 on, its backport before; loaded at the first use (2 MB, 17 ms).
"""

import sys
from typing import Any

from till_sync.exceptions import PackedTooLarge, PackingBroken

ZSTD = "zstd"
"""The Content-Encoding of RFC 8878, and the only one that either end takes."""

LEAST_BYTES = 1_024
"""A shorter body fits into one packet as it is."""

LEVEL = 1
"""100 sales go from 123 KB to 10.9 KB in 0.1 ms; level 3 makes it 10.2 KB in half as much time again, level 6, 9.8 KB
in five times as long.
"""

WINDOW_LOG = 23
"""8 MB, what RFC 8878 asks of everybody: a frame that wants more memory to be unpacked is refused."""

RATIO_LIMIT = 200
"""Bytes out for a byte in. Sales of one till come to 10 or 20, a bomb to 30,000."""

RATIO_FREE_BYTES = 256 * 1024
"""So much may come out of however little."""

STEP_BYTES = 64 * 1024
"""Taken out at once, between two looks at the limits."""

_MAGIC = b"\x28\xb5\x2f\xfd"
"""How a frame begins, and no JSON."""


def pack(body: bytes) -> bytes:
    """One zstd frame with a checksum."""
    zstd = _zstd()
    options = {zstd.CompressionParameter.compression_level: LEVEL, zstd.CompressionParameter.checksum_flag: 1}
    packed: bytes = zstd.compress(body, options=options)
    return packed


def pack_for_others(body: bytes) -> bytes | None:
    """`pack`; None where `unpack` would take it for a bomb, such as a long receipt of one and the same thing."""
    packed = pack(body)
    return packed if len(body) <= _most(packed) else None


def is_packed(body: bytes | bytearray) -> bool:
    """Whether it is a frame whatever its header says: some proxies take the header off and leave the body as it is."""
    return body.startswith(_MAGIC)


def unpack(packed: bytes, *, limit_bytes: int) -> bytes:
    """What one frame holds. PackingBroken unless it is one whole frame, PackedTooLarge past `limit_bytes` or the ratio;
    never more than `STEP_BYTES` over the limit is made.
    """
    zstd = _zstd()
    most = min(limit_bytes, _most(packed))
    body = bytearray()
    try:
        decompressor = zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: WINDOW_LOG})
        rest = packed
        while not decompressor.eof:
            step = decompressor.decompress(rest, max_length=STEP_BYTES)
            rest = b""
            body += step
            if len(body) > most:
                raise PackedTooLarge(f"expected at most {most} bytes out of {len(packed)}")
            if not step and decompressor.needs_input:
                raise PackingBroken("expected a whole zstd frame, not a part of one")
    except zstd.ZstdError as error:
        raise PackingBroken(f"expected a zstd frame: {error}") from None
    if decompressor.unused_data:
        raise PackingBroken("expected one zstd frame and nothing behind it")
    return bytes(body)


def _most(packed: bytes) -> int:
    return max(RATIO_FREE_BYTES, RATIO_LIMIT * len(packed))


def _zstd() -> Any:
    # Any: the two modules are the same, and which is there depends on the Python that runs.
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd
    return zstd
