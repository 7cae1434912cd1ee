"""A chain of two stores whose tills hold the members seen there, and what a till holds."""

import sqlite3
from collections.abc import Iterable
from pathlib import Path

from integration.agent_stores.snapshot_kit import PullingTill, add_members
from till_cloud.jobs.running import JobsDone, run_jobs
from till_cloud.ledger.book import Book
from till_cloud.store import meta, tills
from till_cloud.store import windows as rows
from till_cloud.windows import see
from unit.cloud.cloud_kit import Chain, Till

DAY_MS = 86_400_000
MEMBERS = 60
HERE = range(20)
THERE = range(10, 30)
"""Members who were seen in s1 and in s2; ten of them in both, and half of all in neither."""


def member(number: int) -> str:
    return f"m-{number:07}"


def two_stores(path: Path) -> Chain:
    chain = Chain(path)
    add_members(chain, MEMBERS)
    chain.centre.write(lambda c: tills.put_store(c, tills.StoreRow("s2", "Second", "Europe/Moscow"), 0)).result()
    seen(chain, "s1", HERE)
    seen(chain, "s2", THERE)
    chain.centre.write(lambda c: meta.tell(c, rows.JUDGED, "on")).result()
    return chain


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
