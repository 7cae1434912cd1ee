"""The small parts: clock, bounded waits, batch sizes, problems, wire types."""

import asyncio
import time
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.loops import run
from till_sync.batch_size import BatchSize
from till_sync.clock import SystemClock
from till_sync.httpx_transport import HttpxTransport
from till_sync.problems import Problem, ProblemError
from till_sync.waiting import pause, within
from till_sync.wire import WHOLE_LIMIT, HelloAnswer, OpResult, PushAnswer
from unit.sync.sync_fakes import FakeClock, settle


def test_the_system_clock_tells_the_machine_s_time() -> None:
    """Wall and monotonic milliseconds, whole, the latter never backwards."""
    clock = SystemClock()
    assert abs(clock.wall_ms() - time.time() * 1000) < 60_000
    first, second = clock.mono_ms(), clock.mono_ms()
    assert isinstance(first, int)
    assert second >= first


def test_two_processes_of_one_boot_share_its_name(tmp_path: Path) -> None:
    """The kernel's boot id is used as it stands."""
    boot = tmp_path / "boot_id"
    boot.write_text("0a1b-2c3d\n")
    assert SystemClock(boot).boot == SystemClock(boot).boot == "0a1b-2c3d"


@pytest.mark.parametrize("content", [None, b"", b"\n", b"\xff\xfe"])
def test_without_a_boot_id_each_process_has_its_own(tmp_path: Path, content: bytes | None) -> None:
    """Where the kernel names no boot, monotonic times of two runs are never compared."""
    boot = tmp_path / "boot_id"
    if content is not None:
        boot.write_bytes(content)
    first, second = SystemClock(boot), SystemClock(boot)
    assert first.boot != second.boot
    assert first.boot == first.boot
    assert first.boot


def test_within_gives_the_result_and_leaves_nothing_behind() -> None:
    """Work that ends in time ends the timer too."""
    clock = FakeClock()

    async def work() -> int:
        await clock.sleep(0.05)
        return 7

    async def case() -> int:
        asked = asyncio.ensure_future(within(clock, 100, work()))
        await clock.advance(50)
        assert clock.waits == []
        return await asked

    assert run(case()) == 7


def test_within_cancels_what_takes_too_long() -> None:
    """The work is told, and TimeoutError raised."""
    clock = FakeClock()
    told: list[str] = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            told.append("cancelled")
            raise

    async def case() -> None:
        asked = asyncio.ensure_future(within(clock, 100, work()))
        await clock.advance(100)
        with pytest.raises(TimeoutError):
            await asked

    run(case())
    assert told == ["cancelled"]


def test_within_passes_its_own_cancellation_on() -> None:
    """Whoever stops the waiting stops the work."""
    clock = FakeClock()
    ended = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async def case() -> None:
        asked = asyncio.ensure_future(within(clock, 100, work()))
        await settle()
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        assert ended.is_set()

    run(case())


def test_a_pause_ends_at_its_time_or_at_a_waker() -> None:
    """Either ends it, and an event that is set already lets it not even begin."""
    clock = FakeClock()

    async def case() -> None:
        waker = asyncio.Event()
        for wake in (False, True):
            paused = asyncio.ensure_future(pause(clock, 1_000, waker))
            await clock.advance(999)
            assert not paused.done()
            if wake:
                waker.set()
                await settle()
            else:
                await clock.advance(1)
            assert paused.done()
        await pause(clock, 10**9, waker)

    run(case())


@given(
    steps=st.lists(st.tuples(st.sampled_from(["done", "slow", "refused", "limit", "forget"]), st.integers(0, 10_000)))
)
def test_a_batch_size_never_leaves_its_bounds(steps: list[tuple[str, int]]) -> None:
    """Whatever is learnt, at least one and at most the own ceiling is asked for."""
    size = BatchSize(initial=100, ceiling=5_000)
    for step, number in steps:
        match step:
            case "done":
                size.done(size.current, number)
            case "slow":
                size.too_slow(size.current)
            case "refused":
                size.refused(size.current)
            case "limit":
                size.limit(number)
            case _:
                size.forget()
        assert 1 <= size.current <= 5_000


def test_a_refused_size_is_not_tried_again_until_the_cloud_is_new() -> None:
    """After 413 the size grows no further than half of what was refused."""
    size = BatchSize(initial=100, ceiling=5_000)
    size.refused(100)
    for _ in range(10):
        size.done(size.current, 1)
    assert size.current == 50
    size.forget()
    size.done(size.current, 1)
    assert size.current == 100


def test_a_problem_is_written_with_its_stable_type() -> None:
    """RFC 9457 members, with further ones beside them and none replaced."""
    problem = Problem(status=409, code="seq_gap", detail="d", extras={"expected_seq": 4, "status": 200, "type": "x"})
    assert msgspec.json.decode(problem.encode()) == {
        "type": "https://tillside.dev/problems/seq-gap",
        "title": "Seq gap",
        "status": 409,
        "detail": "d",
        "code": "seq_gap",
        "retryable": False,
        "expected_seq": 4,
    }


def test_a_problem_error_says_what_it_is() -> None:
    """Its text is for logs: status, code and detail."""
    assert str(ProblemError(404, "not_found", "nothing is here")) == "404 not_found: nothing is here"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "cloud.example",
        "//cloud.example",
        "ftp://cloud.example",
        "file:///etc/passwd",
        "https://",
        "https://:443",
        "https://user:password@cloud.example",
        "https://cloud.example?x=1",
        "https://cloud.example#x",
        "https://cloud.example:99999",
        "https://cloud.example:0",
        "https://[::1",
    ],
)
def test_an_address_that_is_none_is_refused(url: str) -> None:
    """Said when it is configured and not at the first exchange."""
    with pytest.raises(ValueError, match=r"expected https://host"):
        HttpxTransport(url)


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (b'{"seq":-1,"status":"applied"}', OpResult),
        (b'{"seq":1,"status":"applied","balance":9007199254740993}', OpResult),
        (b'{"seq":1,"status":"applied","balance":-9007199254740993}', OpResult),
        (b'{"seq":1,"status":"kept"}', OpResult),
        (b'{"seq":true,"status":"applied"}', OpResult),
        (b'{"seq":1.0,"status":"applied"}', OpResult),
        (b'{"incarnation":"i","acked_seq":-1,"results":[],"server_time_ms":1}', PushAnswer),
        (
            b'{"incarnation":"","till":"","store":"","epoch":1,"acked_seq":1,"head_hash":"","server_time_ms":1,"limits":{"max_ops":0}}',
            HelloAnswer,
        ),
    ],
)
def test_numbers_out_of_range_are_no_message_of_ours(raw: bytes, kind: type) -> None:
    """No count is negative, none overflows a stored integer, and a limit of nothing is no limit."""
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(raw, type=kind)


def test_the_whole_range_of_amounts_is_kept() -> None:
    """The largest amounts go through unchanged."""
    for balance in (WHOLE_LIMIT, -WHOLE_LIMIT):
        result = OpResult(seq=1, status="applied", balance=balance)
        assert msgspec.json.decode(msgspec.json.encode(result), type=OpResult) == result
