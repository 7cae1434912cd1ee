"""A chain of two stores whose tills hold the members seen there, and what a till holds."""

import sqlite3
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

from integration.agent_stores.snapshot_kit import PullingTill, add_members, pulling, served
from integration.agent_stores.test_digests_mend import COLUMNS, planted
from kit.loops import run
from till_cloud.jobs.running import JobsDone, run_jobs
from till_cloud.ledger.book import Book
from till_cloud.store import meta, tills
from till_cloud.store import windows as rows
from till_cloud.windows import see
from till_sync.ports import Clock
from unit.cloud.cloud_kit import Chain, Till

DAY_MS = 86_400_000
MEMBERS = 60
HERE = range(20)
THERE = range(10, 30)
"""Members who were seen in s1 and in s2; ten of them in both, and half of all in neither."""
GHOST = "m-0000005x"
"""Somebody whom the cloud does not have, amid the members of s1."""


def member(number: int) -> str:
    return f"m-{number:07}"


def two_stores(path: Path) -> Chain:
    chain = Chain(path)
    add_members(chain, MEMBERS)
    chain.centre.write(lambda c: tills.put_store(c, tills.StoreRow("s2", "Second", "Europe/Moscow"), 0)).result()
    seen(chain, "s1", HERE)
    seen(chain, "s2", THERE)
    judged(chain, "on")
    return chain


def at_till(
    chain: Chain, folder: Path, work: Callable[[PullingTill], Awaitable[None]], clock: Clock | None = None
) -> None:
    """Do `work` at a till of s1 that has pulled what there is."""
    till = chain.till()

    async def whole() -> None:
        async with served(chain) as port, pulling(folder, chain, till, port, clock) as here:
            await here.pull()
            await work(here)

    run(whole())


def plant_ghost(here: PullingTill) -> None:
    """The cache holds GHOST, of whom no page has told."""
    planted(
        here.cache._path,
        f"INSERT INTO members SELECT '{GHOST}', generation, data FROM members WHERE member_id = 'm-0000006'",
        f"INSERT INTO balances SELECT '{GHOST}', {COLUMNS} FROM balances WHERE member_id = 'm-0000006'",
    )


def judged(chain: Chain, value: str) -> None:
    """Whether windows are kept by now: before, tills hold the whole base."""
    chain.centre.write(lambda c: meta.tell(c, rows.JUDGED, value)).result()


def ops_wait(here: PullingTill, *keys: str) -> None:
    """Operations of the till wait that speak of those."""
    here.cache._waiting = lambda _included: frozenset(keys)


def seen(chain: Chain, store: str, numbers: Iterable[int]) -> None:
    def write(connection) -> None:
        book = Book(connection, chain.wall())
        for number in numbers:
            see(book, store, member(number))
        book.flush()

    chain.centre.write(write).result()


def till_in(chain: Chain, store: str, name: str) -> Till:
    made = chain.till(name)
    chain.centre.write(lambda c: c.execute("UPDATE tills SET store = ? WHERE till = ?", (store, name))).result()
    return made


def jobs(chain: Chain) -> JobsDone:
    return run_jobs(
        lambda block: chain.centre.write(block).result(), registry=chain.centre.registry, wall_ms=chain.wall
    )


def days(chain: Chain, count: int) -> JobsDone:
    chain.wall.ms += count * DAY_MS
    return jobs(chain)


def held(here: PullingTill) -> set[str]:
    """Ids of all members in the cache's file."""
    with sqlite3.connect(here.cache._path) as connection:
        found = {row[0] for row in connection.execute("SELECT member_id FROM members")}
    connection.close()
    assert here.cache.member_count == len(found)
    return found


def members(numbers: Iterable[int]) -> set[str]:
    return {member(number) for number in numbers}
