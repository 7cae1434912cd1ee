"""A queue as long as wanted: a sample is sold by the real agent, and its bodies are written on under further numbers.

An agent sells some hundreds a second; 100,000 sales would take minutes that measure nothing new.
"""

import asyncio
import shutil
from collections.abc import Sequence
from pathlib import Path

from msgspec.structs import replace

from till_agent.journal import DiskJournal, EpochKeeper, Place
from till_agent.ports import Draft
from till_sync.clock import SystemClock
from till_sync.ops import SaleBody, decode_body, encode_body
from tillbench import people
from tillbench.wire import Connection, request
from tillbench.world import CLOUD_MEMBERS, TILL, RunningTill, World

TOGETHER = 48
"""Commits that wait for the disk at once: they share a sync, and are fewer than the journal lets wait."""
PAGE_BYTES = 16 * 1024 * 1024


class Nowhere:
    """Effects that nobody asks for."""

    forgotten = 0

    def changes(self) -> list[tuple[int, str, bytes]]:
        """None."""
        return []

    def add_row(self, row_id: int, subject_key: str, effect_points: int) -> None:
        """Nothing."""

    def add_change(self, row_id: int, subject_key: str, packed: bytes) -> None:
        """Nothing."""

    def forget(self, included: tuple[int, int]) -> None:
        """Nothing."""


def sell(till: RunningTill, first: int, count: int, mark: str = "d") -> None:
    """Sales of members that the cloud knows, by their cards, one after the other, as one cash desk makes them."""
    connection = Connection(till.port)
    for number in range(first, first + count):
        connection.call(sale_message(till, number, mark))
    connection.close()


def sale_message(till: RunningTill, number: int, mark: str) -> bytes:
    """The request of one such sale."""
    body = people.sale_body(0, number).replace(
        f'"reference":"{people.member_id(0)}"'.encode(),
        f'"card":"{people.card(number * 7 % CLOUD_MEMBERS)}"'.encode(),
    )
    return request("PUT", f"/v1/sales/{mark}-{number}", till.port, body, token=till.token, close=False)


def open_place(state: Path) -> DiskJournal:
    """The journal of a stopped till."""
    keeper = EpochKeeper(0, lambda _epoch: None)
    return DiskJournal(Place(path=state / "journal.db", till=TILL, keeper=keeper, clock=SystemClock()), Nowhere())


def sample(world: World, state: Path, count: int) -> list[SaleBody]:
    """Bodies of `count` sales, from a copy of the state that is thrown away; the cloud is stopped, members cached."""
    copy = world.folder / "state-sample"
    shutil.copytree(state, copy)
    till = world.start_agent(world.config("sample", copy, 1))
    sell(till, 0, count)
    world.stop_agent()
    bodies = asyncio.run(_bodies(copy))
    shutil.rmtree(copy)
    return bodies


async def _bodies(state: Path) -> list[SaleBody]:
    journal = open_place(state)
    await journal.start()
    try:
        batch = await journal.next_batch(max_ops=100_000, max_bytes=PAGE_BYTES, incarnation="bench")
    finally:
        await journal.stop()
    bodies = [decode_body(bytes(op.body)) for op in (batch.ops if batch is not None else ())]
    return [body for body in bodies if isinstance(body, SaleBody)]


def extend(state: Path, bodies: Sequence[SaleBody], first: int, count: int) -> None:
    """Put `count` sales more into a stopped till's journal, each under a number of its own from `first` on."""

    async def fill() -> None:
        journal = open_place(state)
        await journal.start()
        try:
            for start in range(first, first + count, TOGETHER):
                numbers = range(start, min(start + TOGETHER, first + count))
                await asyncio.gather(*[_add(journal, bodies[number % len(bodies)], number) for number in numbers])
        finally:
            await journal.stop()

    asyncio.run(fill())


async def _add(journal: DiskJournal, like: SaleBody, number: int) -> None:
    draft = as_draft(like, number)
    await journal.commit(lambda _reader: draft)


def as_draft(like: SaleBody, number: int) -> Draft:
    """The same sale once more, as another one."""
    uid = f"q-{number}"
    body = encode_body(replace(like, uid=uid, number=str(number)))
    return Draft(
        kind="sale",
        uid=uid,
        about_uid="",
        request_digest=b"d" * 32,
        body=body,
        answer=b"a" * 3_000,
        subject=like.subject,
        effect_points=like.result.earned_points,
        at_wall_ms=like.at_wall_ms,
    )
