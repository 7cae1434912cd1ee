"""Grants and vouchers as staff handle them: what is lent, giving it up, and a voucher's text."""

import json
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from kit.commands import tillside
from unit.cloud.grants_kit import LendingChain


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A till that was lent 600 of a member's 1,000 points."""
    path = tmp_path / "c.db"
    world = LendingChain(path)
    world.member("m-1", points=1000)
    world.give(world.taker(), "m-1", 600)
    world.centre.close()
    return path


def run(*words: str, status: int = 0) -> str:
    done = tillside("cloud", *words, status=status)
    return done.stdout if status == 0 else done.output


def test_what_is_lent_is_listed(path: Path) -> None:
    db = ("--db", str(path))
    (row,) = json.loads(run("grant", "list", "--member", "m-1", "--json", *db))
    assert (row["holder"], row["member_id"], row["points"], row["used"]) == ("k1", "m-1", 600, 0)
    assert "600" in run("grant", "list", "--till", "k1", *db)
    assert json.loads(run("grant", "list", "--till", "k2", "--json", *db)) == []
    assert json.loads(run("member", "show", "m-1", "--json", *db))["granted"] == 600
    assert json.loads(run("verify", *db))["figures"]["granted"] == 600


def test_silent_tills_that_have_points_are_listed_with_what_to_do(path: Path) -> None:
    """One line a till; one that was heard of since, or has nothing any more, is not among them."""
    db = ("--db", str(path))
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE tills SET seen_at_ms = ?", (int(time.time() * 1000) - 31 * 86_400_000,))
    (row,) = json.loads(run("grant", "list", "--stale", "30", "--json", *db))
    assert (row["till"], row["members"], row["points"]) == ("k1", 1, 600)
    done = tillside("cloud", "grant", "list", "--stale", "30", *db)
    assert "600" in done.stdout
    assert "grant revoke --till TILL --removed" in done.stderr
    assert json.loads(run("grant", "list", "--stale", "32", "--json", *db)) == []
    assert json.loads(run("grant", "list", "--stale", "30", "--till", "k2", "--json", *db)) == []
    assert "revoke" not in tillside("cloud", "grant", "list", "--stale", "32", *db).output
    run("grant", "revoke", "--till", "k1", *db)
    assert json.loads(run("grant", "list", "--stale", "30", "--json", *db)) == []


def test_a_dead_tills_grants_are_given_up_once(path: Path) -> None:
    db = ("--db", str(path))
    assert run("grant", "revoke", "--till", "k1", "--removed", *db).startswith("k1: 600 ")
    assert run("grant", "revoke", "--till", "k1", *db).startswith("k1: 0 ")
    assert "expected a till" in run("grant", "revoke", "--till", "nobody", *db, status=1)
    assert json.loads(run("verify", *db))["holds"] is True


def test_a_voucher_is_issued_and_listed(path: Path) -> None:
    db = ("--db", str(path))
    told, text = run("voucher", "issue", "m-1", "--till", "k1", "--points", "400", "--days", "3", *db).splitlines()
    assert "400" in told
    (row,) = json.loads(run("voucher", "list", "--json", *db))
    assert (row["points"], row["state"], row["holder"]) == (400, "open", "k1")
    assert text.startswith("TSV1.")
    assert "at most 0" in run("voucher", "issue", "m-1", "--till", "k1", "--points", "1", *db, status=1)
    assert "expected a till" in run("voucher", "issue", "m-1", "--till", "x", "--points", "1", *db, status=1)
