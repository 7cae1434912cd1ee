"""SQLite's log as it lies on the disk: its pages one by one, also those that SQLite drops behind a bad one. Pure."""

import struct
from collections import Counter
from collections.abc import Iterator
from typing import Literal

LOG_HEADER_BYTES, FRAME_HEADER_BYTES = 32, 24
USUAL_PAGE_BYTES = 4096
PAGES_LIMIT = 1_000_000
"""4 GB: a page beyond that is a number that was changed."""


def pages_of(log: bytes, *, checked: bool) -> Iterator[tuple[int, bytes]]:
    """(page number, page) of each frame of the log's present round, in order."""
    size = int.from_bytes(log[8:12], "big")
    if not 512 <= size <= 65_536 or size & (size - 1):
        size = USUAL_PAGE_BYTES
    stride = FRAME_HEADER_BYTES + size
    starts = range(LOG_HEADER_BYTES, len(log) - stride + 1, stride)
    # The header may be what was changed: the first frames are of the present round too.
    salts = Counter([log[16:24], *(log[start + 8 : start + 16] for start in starts[:2])]).most_common(1)[0][0]
    order: Literal["little", "big"] = "big" if log[3] & 1 else "little"
    seed = log[24:32]
    largest = len(starts) + PAGES_LIMIT
    for start in starts:
        head, page = log[start : start + FRAME_HEADER_BYTES], log[start + FRAME_HEADER_BYTES : start + stride]
        number = int.from_bytes(head[:4], "big")
        whole = not checked or _checksum(seed, head[:8] + page, order) == head[16:24]
        if head[8:16] == salts and 0 < number <= largest and whole:
            yield number, page
        seed = head[16:24]


def _checksum(seed: bytes, data: bytes, order: Literal["little", "big"]) -> bytes:
    """SQLite's checksum of a frame, which goes on from that of the frame before."""
    one, two = int.from_bytes(seed[:4], "big"), int.from_bytes(seed[4:], "big")
    words = struct.unpack(f"{'<' if order == 'little' else '>'}{len(data) // 4}I", data)
    for index in range(0, len(words), 2):
        one = (one + words[index] + two) & 0xFFFFFFFF
        two = (two + words[index + 1] + one) & 0xFFFFFFFF
    return one.to_bytes(4, "big") + two.to_bytes(4, "big")
