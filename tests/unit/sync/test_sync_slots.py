"""The slots that a cloud assigns in its greeting and in its answers, as a till keeps to them."""

import msgspec

from till_sync.wire import HelloAnswer
from unit.sync.sync_bench import Bench
from unit.sync.sync_fakes import settle


def give_slots(bench: Bench, slot_ms: int) -> None:
    """The cloud's greetings assign this slot."""
    hello = bench.cloud.hello

    def assigning() -> HelloAnswer:
        return msgspec.structs.replace(hello(), retry_after_ms=slot_ms)

    bench.cloud.hello = assigning


def come_back(slot_ms: int, first_ms: int) -> None:
    """After an outage the first push comes at `first_ms` and not before; its greeting said how much waits."""
    bench = Bench(1, share=1.0)
    give_slots(bench, slot_ms)

    async def case(bench: Bench) -> None:
        bench.cloud.down = True
        bench.outbox.add(3)
        await bench.clock.advance(120_000)
        bench.cloud.down = False
        before = len(bench.names())
        while not bench.status.online:
            await bench.clock.advance(bench.clock.waits[0])
        if first_ms:
            await bench.clock.advance(first_ms - 1)
            assert bench.names()[before:] == ["hello"]
            await bench.clock.advance(1)
        await settle()
        assert bench.names()[before:] == ["hello", "ops", "changes"]
        assert "?waiting=" in bench.cloud.requests[before].path

    bench.run(case)


def test_a_slot_in_the_greeting_stands_for_the_spread() -> None:
    """The till waits just as long as the cloud said, and not up to a minute by chance."""
    come_back(7_000, 7_000)


def test_a_slot_that_is_now_is_no_wait() -> None:
    """A cloud with nothing to do lets the till go on at once."""
    come_back(1, 0)


def test_a_cloud_that_assigns_none_leaves_the_spread() -> None:
    """As one of a former release."""
    come_back(0, 60_000)


def test_a_slot_that_comes_while_pages_are_pulled_is_not_lost() -> None:
    """What waits goes out as soon as the pull is through, and not with the next poll."""
    bench = Bench(0)

    async def case(bench: Bench) -> None:
        store = bench.sink.store_page

        async def slowly(page: object) -> None:
            await bench.clock.sleep(1.0)
            await store(page)  # type: ignore[arg-type]  # as it came

        bench.cloud.retry_after_ms = 300
        bench.sink.store_page = slowly  # type: ignore[method-assign]  # a fake
        bench.outbox.add(1)
        await bench.clock.advance(bench.status.retry_in_ms)
        bench.cloud.retry_after_ms = 0
        bench.outbox.add(1)
        await bench.clock.advance(1_000)
        await settle()
        assert bench.outbox.acked == 2

    bench.run(case)
