"""Long bodies are made and read in pieces: the loop serves others between them, and what comes out is the same."""

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

import msgspec
import pytest

from kit.loops import run
from till_sync import pieces, push, secured
from till_sync.exceptions import NotOurCloud
from till_sync.packing import ZSTD, pack
from till_sync.pieces import PIECE_OPS, PIECE_ROWS, RawPage, encode_push, read_page
from till_sync.transport import Reply
from till_sync.wire import ChangesAnswer, LeftRow, MemberRow, PushRequest, WireOp
from unit.sync.sync_bench import PushBench

T = TypeVar("T")


def request_of(ops: int, salt: str = "salt") -> PushRequest:
    """A batch whose bodies differ in length, with something behind them."""
    bodies = [msgspec.Raw(msgspec.json.encode({"n": number, "pad": "x" * (number % 7)})) for number in range(ops)]
    return PushRequest(
        protocol=3,
        epoch=1,
        salt=salt,
        incarnation="i",
        first_seq=1,
        prev_hash="p",
        head_hash="h",
        sent_wall_ms=1,
        sent_mono_ms=2,
        boot="b",
        ops=tuple(WireOp(seq=number + 1, fingerprint="f", body=body) for number, body in enumerate(bodies)),
        remaining=5,
    )


def page_of(rows: int) -> ChangesAnswer:
    """Members, and one who left."""
    members = [MemberRow(member_id=f"m-{number}", tags=(f"card:{number}",), balance=number) for number in range(rows)]
    return ChangesAnswer(
        incarnation="i",
        rows=(*members, LeftRow(member_id="m-gone")),
        next="c",
        more=True,
        epoch=1,
        acked_seq=2,
        server_time_ms=3,
        shares={"rule": 4},
        window_days=5,
    )


async def turns_beside(work: "Coroutine[Any, Any, T]") -> tuple[T, int]:
    """What it gives, and how often somebody else had a turn of the loop meanwhile."""
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    beside = asyncio.create_task(other())
    try:
        return await work, turns
    finally:
        beside.cancel()


@pytest.mark.parametrize("ops", [0, 1, PIECE_OPS, PIECE_OPS + 1, 5 * PIECE_OPS])
@pytest.mark.parametrize("salt", ["salt", '"ops":[]', "\\"])
def test_a_batch_made_in_pieces_is_byte_for_byte_the_same(ops: int, salt: str) -> None:
    request = request_of(ops, salt)
    assert run(encode_push(request)) == msgspec.json.encode(request)


def test_the_loop_serves_others_between_the_pieces_of_a_batch() -> None:
    _, turns = run(turns_beside(encode_push(request_of(10 * PIECE_OPS))))
    assert turns >= 9


def test_a_long_batch_is_put_together_in_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Copying into fresh memory lets go of the interpreter there, and of nothing on the loop."""
    threads: list[int] = []
    to_thread = asyncio.to_thread

    async def noted(work: Any, *values: Any) -> Any:
        def there() -> Any:
            threads.append(threading.get_ident())
            return work(*values)

        return await to_thread(there)

    monkeypatch.setattr(asyncio, "to_thread", noted)
    request = request_of(3 * PIECE_OPS)
    assert run(encode_push(request)) == msgspec.json.encode(request)
    assert threads == []
    monkeypatch.setattr(pieces, "THREAD_BYTES", 1_000)
    assert run(encode_push(request)) == msgspec.json.encode(request)
    assert len(threads) == 1
    assert threads != [threading.get_ident()]


def test_the_pusher_makes_its_batches_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that goes first and those that are read ahead."""
    made: list[int] = []

    async def noted(request: PushRequest) -> bytes:
        made.append(len(request.ops))
        return await encode_push(request)

    monkeypatch.setattr(push, "encode_push", noted)
    bench = PushBench(7 * push.FIRST_BATCH_OPS)
    run(bench.drain())
    assert made == [len(each.ops) for each in bench.requests()]
    assert len(made) == 3


@pytest.mark.parametrize("rows", [0, 1, PIECE_ROWS, 3 * PIECE_ROWS])
def test_a_page_read_in_pieces_is_the_same_page(rows: int) -> None:
    page = page_of(rows)
    raw = msgspec.json.decode(msgspec.json.encode(page), type=RawPage)
    found, turns = run(turns_beside(read_page(raw)))
    assert found == page
    assert type(found) is ChangesAnswer
    assert turns >= rows // PIECE_ROWS - 1


def test_a_row_that_is_none_of_ours_makes_the_whole_page_none() -> None:
    """As where a page was read in one go."""

    async def work() -> None:
        bench = PushBench(1)
        await bench.greet()
        broken = msgspec.json.encode(page_of(2 * PIECE_ROWS)).replace(b'"m-300"', b"300")
        bench.cloud.script["changes"] = [Reply(200, {"content-type": "application/json"}, broken)]
        with pytest.raises(NotOurCloud, match="ValidationError"):
            await bench.client.changes("", limit=1_000)

    run(work())


def test_a_long_packed_answer_is_unpacked_in_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """A short one at once: a thread takes longer to wake."""
    threads: list[int] = []
    unpacked = secured._unpacked

    def noted(reply: Reply, limit_bytes: int) -> Reply:
        threads.append(threading.get_ident())
        return unpacked(reply, limit_bytes)

    monkeypatch.setattr(secured, "_unpacked", noted)
    here = threading.get_ident()
    body = msgspec.json.encode(page_of(PIECE_ROWS))
    packed = pack(body)
    reply = Reply(200, {"content-type": "application/json", "content-encoding": ZSTD}, packed)
    assert run(secured.unpack_reply(reply, 1 << 20)).body == body
    assert threads == [here]
    monkeypatch.setattr(secured, "UNPACK_THREAD_BYTES", len(packed))
    assert run(secured.unpack_reply(reply, 1 << 20)).body == body
    assert here not in threads[1:]
    assert len(threads) == 2
