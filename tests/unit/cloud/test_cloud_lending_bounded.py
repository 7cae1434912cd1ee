"""A transaction of lending has its bound whatever the tills of a store, for pushes of all tills wait for it. Work is
counted, never time: in a store with a thousand tills a hundred members took a second and more."""

import sqlite3
from typing import NamedTuple

import pytest

from till_cloud import takers
from till_cloud.jobs import lending as job_module
from till_cloud.jobs.lending import BLOCK_MEMBERS, BLOCK_TILLS
from till_cloud.jobs.lending import Lending as LendingJob
from till_cloud.takers import TILLS_LIMIT
from unit.cloud.grants_kit import LendingChain, lending

POINTS = 1_000
MOST_LOOKED_AT = BLOCK_TILLS + 2 * TILLS_LIMIT
"""The last member is begun before the bound is reached, and has so many tills and grants at most."""


class Block(NamedTuple):
    """What one transaction did."""

    more: bool
    statements: int
    steps: int
    grants: int


def many(world: LendingChain, tills: int, members: int) -> None:
    """Tills of one store that take grants, and members who shop there."""

    def add(connection: sqlite3.Connection) -> None:
        connection.executemany(
            "INSERT INTO tills (till, store, added_at_ms, epoch, enrolled_at_ms, seen_at_ms, takes_grants)"
            " VALUES (?, 's1', 0, 1, 1, ?, 1)",
            [(f"w{number:04d}", world.wall()) for number in range(tills)],
        )

    world.centre.write(add).result()
    for number in range(members):
        world.member(f"m-{number:03d}", points=POINTS)
    world.centre.write(
        lambda c: c.execute(
            "INSERT INTO member_stores (member_id, store, purchases, last_day) SELECT member_id, 's1', 1, ?"
            " FROM members",
            ("2099-01-01",),
        )
    ).result()


def block(world: LendingChain, job: LendingJob) -> Block:
    """The job's next transaction, and what it cost SQLite: statements, and hundreds of its machine's instructions."""
    statements = steps = 0

    def run(connection: sqlite3.Connection) -> Block:
        def told(_statement: str) -> None:
            nonlocal statements
            statements += 1

        def step() -> int:
            nonlocal steps
            steps += 1
            return 0

        before = count(connection)
        connection.set_trace_callback(told)
        connection.set_progress_handler(step, 100)
        try:
            more = job.block(connection)
        finally:
            connection.set_trace_callback(None)
            connection.set_progress_handler(None, 0)
        return Block(more, statements, steps, count(connection) - before)

    return world.centre.write(run).result()


def count(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT count(*) FROM grants WHERE points > 0").fetchone()[0])


def job_of(world: LendingChain) -> LendingJob:
    return LendingJob(world.centre.registry, world.wall)


def first_block(world: LendingChain, tills: int, members: int) -> Block:
    many(world, tills, members)
    return block(world, job_of(world))


def stays_within(found: Block) -> None:
    """For a till: its row, and that is all; for a member some ten statements, and their row at the end."""
    assert found.more
    assert found.grants <= BLOCK_TILLS + TILLS_LIMIT
    assert found.statements <= 2 * MOST_LOOKED_AT


def test_a_store_of_a_thousand_tills_costs_a_transaction_no_more_than_its_bound(world: LendingChain) -> None:
    """It ends after some members, and the next one goes on with the others."""
    stays_within(first_block(world, 1_000, 20))


@pytest.mark.parametrize("limit", [(takers, "TILLS_LIMIT"), (job_module, "BLOCK_TILLS")])
@pytest.mark.mutants
def test_lending_without_a_bound_is_found_out(
    world: LendingChain, monkeypatch: pytest.MonkeyPatch, limit: tuple[object, str]
) -> None:
    """Mutants: a member has as many tills as there are; a block has as many as its members have."""
    monkeypatch.setattr(*limit, 10**9)
    with pytest.raises(AssertionError):
        stays_within(first_block(world, 1_000, 20))


def test_all_members_are_lent_to_in_the_end_and_never_more_than_there_is(world: LendingChain) -> None:
    """Block by block, each of them within the bound; those who had no room in one are the next one's first."""
    many(world, 150, 20)
    job = job_of(world)
    blocks = [block(world, job)]
    while blocks[-1].more:
        blocks.append(block(world, job))
    lent = dict(world.rows("SELECT member_id, sum(points) FROM grants GROUP BY member_id"))
    assert lent == {f"m-{number:03d}": POINTS for number in range(20)}
    assert {row[0] for row in world.rows("SELECT count(*) FROM grants GROUP BY member_id")} == {TILLS_LIMIT}
    assert len(blocks) > 20 * TILLS_LIMIT // MOST_LOOKED_AT
    assert all(each.grants <= BLOCK_TILLS + TILLS_LIMIT for each in blocks)


def test_members_whose_rest_is_over_wait_for_the_next_transaction_too(world: LendingChain) -> None:
    """After a recall from all their tills, twenty of them at once: none is forgotten, none lent to twice."""
    world.upload(lending(2, share_basis_points=5_000))
    many(world, 150, 20)
    world.lend()
    world.centre.write(lambda c: c.execute("UPDATE grants SET recalled_at_ms = 1")).result()
    job = job_of(world)
    blocks = 1
    while block(world, job).more:
        blocks += 1
    assert blocks > 20 * TILLS_LIMIT // MOST_LOOKED_AT
    assert world.rows("SELECT sum(points) FROM grants") == [(20 * POINTS // 2,)]
    assert world.rows("SELECT count(*) FROM grants WHERE recalled_at_ms > 0") == [(0,)]


def test_a_programme_that_lends_no_more_asks_back_within_the_bound(world: LendingChain) -> None:
    """All of it, block by block."""
    many(world, 150, 20)
    world.lend()
    world.upload(lending(2, offline="refuse"))
    job = job_of(world)
    blocks = [block(world, job)]
    while blocks[-1].more:
        blocks.append(block(world, job))
    assert len(blocks) > 2
    assert all(each.statements <= 2 * MOST_LOOKED_AT for each in blocks)
    assert world.rows("SELECT count(*) FROM grants WHERE recall < points") == [(0,)]


def test_tills_of_other_stores_are_looked_at_once_for_all_members(world: LendingChain) -> None:
    """A chain of a thousand tills with four of them in the store: all tills were read for each member."""
    many(world, 4, BLOCK_MEMBERS)

    def elsewhere(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO stores (store, name, time_zone, added_at_ms) VALUES ('s2', '', 'UTC', 0)")
        connection.executemany(
            "INSERT INTO tills (till, store, added_at_ms, epoch, enrolled_at_ms, seen_at_ms, takes_grants)"
            " VALUES (?, 's2', 0, 1, 1, ?, 1)",
            [(f"x{number:04d}", world.wall()) for number in range(1_000)],
        )

    world.centre.write(elsewhere).result()
    found = block(world, job_of(world))
    assert found.grants == 4 * BLOCK_MEMBERS
    assert found.steps * 100 < 2 * 1_000 * BLOCK_MEMBERS  # the least of a look at a row is more
