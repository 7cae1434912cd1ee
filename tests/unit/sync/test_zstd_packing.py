"""Bodies packed with zstd: the same bytes come out, and nothing that was made to harm does harm."""

import random
import tracemalloc

import pytest
from backports import zstd

from till_sync import packing
from till_sync.exceptions import PackedTooLarge, PackingBroken

MB = 1024 * 1024
BODY = b'{"ops":[' + b",".join(b'{"seq":%d,"uid":"u-%d"}' % (n, n * 7919) for n in range(2_000)) + b"]}"


@pytest.mark.parametrize("body", [b"", b"x", BODY, random.Random(1).randbytes(300_000)], ids=["0", "1", "ops", "noise"])
def test_what_is_packed_comes_out_again(body: bytes) -> None:
    assert packing.unpack(packing.pack(body), limit_bytes=MB) == body


def test_the_limit_is_on_what_comes_out() -> None:
    packed = packing.pack(BODY)
    assert packing.unpack(packed, limit_bytes=len(BODY)) == BODY
    with pytest.raises(PackedTooLarge):
        packing.unpack(packed, limit_bytes=len(BODY) - 1)


@pytest.mark.parametrize("size", [MB, 64 * MB])
def test_a_bomb_is_not_unpacked(size: int) -> None:
    """Neither by its size nor by its ratio, and it takes no memory worth speaking of."""
    bomb = zstd.compress(bytes(1) * size)
    tracemalloc.start()
    try:
        with pytest.raises(PackedTooLarge):
            packing.unpack(bomb, limit_bytes=8 * MB)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 3 * packing.RATIO_FREE_BYTES


def test_without_the_ratio_the_limit_alone_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "RATIO_LIMIT", 10**9)
    with pytest.raises(PackedTooLarge):
        packing.unpack(zstd.compress(bytes(64 * MB)), limit_bytes=MB)


def test_mutant_without_limits_the_bomb_goes_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the tests above would notice."""
    monkeypatch.setattr(packing, "RATIO_LIMIT", 10**9)
    assert len(packing.unpack(zstd.compress(bytes(4 * MB)), limit_bytes=10**12)) == 4 * MB


@pytest.mark.parametrize(
    "garbage",
    [
        b"",
        b"{}",
        b"\x28\xb5\x2f\xfd",
        packing.pack(BODY)[:-1],
        packing.pack(BODY)[: len(packing.pack(BODY)) // 2],
        packing.pack(BODY) + b"{}",
        packing.pack(BODY) * 2,
        b"\x1f\x8b" + packing.pack(BODY)[2:],
        b"\x28\xb5\x2f\xfd\x00\xff",
    ],
)
def test_what_is_no_whole_frame_is_refused(garbage: bytes) -> None:
    with pytest.raises(PackingBroken):
        packing.unpack(garbage, limit_bytes=MB)


def test_a_flipped_bit_is_found() -> None:
    """By the frame's checksum, whichever bit it is."""
    packed = packing.pack(BODY)
    chance = random.Random(5)
    for _ in range(200):
        bit = chance.randrange(len(packed) * 8)
        damaged = bytearray(packed)
        damaged[bit // 8] ^= 1 << bit % 8
        try:
            out = packing.unpack(bytes(damaged), limit_bytes=MB)
        except (PackingBroken, PackedTooLarge):
            continue
        assert out == BODY  # an unused bit of the head


def test_a_frame_that_wants_much_memory_is_refused() -> None:
    """A window of 128 MB, where RFC 8878 lets nobody count on more than 8."""
    options = {zstd.CompressionParameter.window_log: 27}
    compressor = zstd.ZstdCompressor(options=options)
    packed = compressor.compress(BODY) + compressor.flush()
    with pytest.raises(PackingBroken):
        packing.unpack(packed, limit_bytes=MB)
