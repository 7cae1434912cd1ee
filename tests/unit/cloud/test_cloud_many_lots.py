"""A member of many years: what a sale, a page or a hold reads of them does not grow with the lots they ever had."""

import sqlite3
from collections.abc import Callable

import pytest

from till_cloud.grant_routes import _AVAILABLE
from till_cloud.ledger.book import Book
from till_cloud.showing import _BALANCE
from till_cloud.store.members import _PAGE, _SOME
from unit.cloud.cloud_ledger_kit import shop

LOTS = 400
ADD = """
INSERT INTO lots (member_id, lot, position, issued, left, used, expired, reversed, active_at_ms)
VALUES ('m-1', :lot, :lot, 10, 10, 0, 0, 0, :active_at_ms)
"""


def _account(connection: sqlite3.Connection) -> int:
    account = Book(connection, 0).account("m-1")
    return 0 if account is None else account.inactive


READS: dict[str, Callable[[sqlite3.Connection], object]] = {
    "account": _account,
    "page": lambda connection: connection.execute(_PAGE, {"after": 0, "limit": 10}).fetchall(),
    "some": lambda connection: connection.execute(_SOME, {"ids": '["m-1"]'}).fetchall(),
    "shown": lambda connection: connection.execute(_BALANCE, ("m-1",)).fetchall(),
    "available": lambda connection: connection.execute(_AVAILABLE, ("m-1",)).fetchall(),
}


def _steps(connection: sqlite3.Connection, read: Callable[[sqlite3.Connection], object]) -> int:
    """Instructions of SQLite's virtual machine."""
    counted = 0

    def one() -> int:
        nonlocal counted
        counted += 1
        return 0

    connection.set_progress_handler(one, 1)
    try:
        read(connection)
    finally:
        connection.set_progress_handler(None, 0)
    return counted


@pytest.mark.parametrize("name", READS)
def test_reading_a_member_takes_no_longer_for_lots_that_are_awake(tmp_path, name: str) -> None:
    """Every purchase of a life leaves a lot; only those that are asleep are looked through."""
    with shop(tmp_path / "c.db") as world:
        world.member("m-1")

        def steps(connection: sqlite3.Connection) -> tuple[int, int]:
            before = _steps(connection, READS[name])
            connection.executemany(ADD, [{"lot": 1_000 + n, "active_at_ms": None} for n in range(LOTS)])
            after = _steps(connection, READS[name])
            connection.execute("DELETE FROM lots WHERE lot >= 1000")
            return before, after

        before, after = world.centre.write(steps).result()
    assert before
    assert after == before


def test_lots_that_are_asleep_are_counted(tmp_path) -> None:
    """Two of three sleep: their points are in no promise."""
    with shop(tmp_path / "c.db") as world:
        world.member("m-1")

        def asleep(connection: sqlite3.Connection) -> int:
            rows = [{"lot": 1_000, "active_at_ms": 7}, {"lot": 1_001, "active_at_ms": None}]
            connection.executemany(ADD, [*rows, {"lot": 1_002, "active_at_ms": 8}])
            found = _account(connection)
            connection.execute("DELETE FROM lots WHERE lot >= 1000")
            return found

        assert world.centre.write(asleep).result() == 20
