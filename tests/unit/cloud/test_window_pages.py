"""A page of a store's members costs by what is less, the window or what the chain changed: after an outage a thousand
tills ask, and each of their pages walked through the changes of all stores."""

import sqlite3
from collections.abc import Iterator
from random import Random

import pytest

from till_cloud.store import windows
from till_cloud.store.windows import FEW_CHANGES
from unit.cloud.cloud_kit import Chain

MEMBERS = 4_000
STORES = 40


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sqlite3.Connection]:
    """Members of forty stores, some of two, some seen everywhere, some gone; changed in an order by chance."""
    path = tmp_path_factory.mktemp("window") / "c.db"
    made = Chain(path)
    chance = Random(11)
    order = chance.sample(range(1, MEMBERS + 1), MEMBERS)

    def fill(connection: sqlite3.Connection) -> None:
        connection.execute("DELETE FROM balances")
        for number, position in enumerate(order):
            name = f"m-{number:05d}"
            connection.execute("INSERT INTO members (member_id, status, added_at_ms) VALUES (?, 'active', 0)", (name,))
            connection.execute("INSERT INTO balances (member_id, position) VALUES (?, ?)", (name, position))
            stores = {f"s{number % STORES}", f"s{chance.randrange(STORES)}", *([""] if not number % 97 else [])}
            connection.executemany(
                "INSERT INTO window_members (store, member_id, seen_at_ms, inside, position) VALUES (?, ?, 0, ?, 0)",
                [(store, name, int(chance.random() < 0.9)) for store in stores],
            )

    made.centre.write(fill).result()
    made.centre.close()
    connection = sqlite3.connect(path)
    yield connection
    connection.close()


@pytest.mark.parametrize("after", [0, 100, MEMBERS - FEW_CHANGES - 1, MEMBERS - FEW_CHANGES, MEMBERS])
@pytest.mark.parametrize("limit", [1, 7, 1_000])
def test_both_ways_find_the_same(
    base: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch, after: int, limit: int
) -> None:
    """Members in the order of their changes, nobody twice, up to the limit and the bound."""
    for store, last in (("s1", MEMBERS), ("s2", MEMBERS - 50), ("elsewhere", MEMBERS), ("", MEMBERS)):
        found = windows.changed(base, store, after, last, limit)
        with monkeypatch.context() as patched:
            patched.setattr(windows, "FEW_CHANGES", 10**9)
            assert found == windows.changed(base, store, after, last, limit)
        assert found == sorted(set(found))
    assert after or windows.changed(base, "s1", after, MEMBERS, limit)


def steps(connection: sqlite3.Connection, store: str, after: int) -> int:
    """Instructions of SQLite's machine that a page takes."""
    counted = 0

    def step() -> int:
        nonlocal counted
        counted += 1
        return 0

    connection.set_progress_handler(step, 1)
    try:
        windows.changed(connection, store, after, MEMBERS, 1_000)
    finally:
        connection.set_progress_handler(None, 0)
    return counted


def costs_by_the_window(connection: sqlite3.Connection) -> None:
    """For each change of the chain it is counted and no more; looked up are the store's members."""
    assert steps(connection, "s1", 0) < 10 * MEMBERS


def test_a_page_looks_at_the_window_where_that_is_less(base: sqlite3.Connection) -> None:
    costs_by_the_window(base)


@pytest.mark.mutants
def test_a_page_that_looks_at_all_changes_is_found_out(
    base: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Mutant: as it was."""
    monkeypatch.setattr(windows, "FEW_CHANGES", 10**9)
    with pytest.raises(AssertionError):
        costs_by_the_window(base)
