"""Rejected operations and corrections as staff meet them: the command line, on a database that a till pushed to."""

import json
from pathlib import Path

import pytest
from click.testing import Result

from kit.commands import tillside
from unit.cloud.cloud_kit import Chain


def run(db: Path, *words: str, status: int = 0) -> Result:
    return tillside("cloud", *words, "--db", db, status=status)


@pytest.fixture
def db(tmp_path: Path) -> Path:
    """A chain with a member of 1,000 points, and a till whose second sale was rejected."""
    path = tmp_path / "c.db"
    world = Chain(path)
    world.member("m-1", points=1000)
    till = world.till("K1")
    till.sale("a", "m-1")
    till.sale("a", "m-1")
    till.push()
    world.centre.close()
    return path


def test_a_rejected_op_is_found_looked_at_corrected_and_gone_from_the_list(db: Path) -> None:
    """The whole way of whoever has to put it right."""
    [row] = json.loads(run(db, "ops", "rejected", "--json").stdout)
    assert (row["op"], row["code"], row["resolved_at_ms"]) == ("K1:1:2", "sale_repeated", 0)
    assert "K1:1:2" in run(db, "ops", "rejected").stdout
    assert json.loads(run(db, "ops", "rejected", "--till", "K2", "--json").stdout) == []
    shown = json.loads(run(db, "ops", "show", "K1:1:2").stdout)
    assert (shown["status"], shown["body"]["kind"], shown["body"]["uid"]) == ("rejected", "sale", "a")
    said = run(db, "member", "adjust", "m-1", "500", "--why", "lost", "--by", "Anna", "--about", "K1:1:2").stdout
    assert said == "m-1: +500 points, balance 2500\n"
    assert json.loads(run(db, "ops", "rejected", "--json").stdout) == []
    assert "Anna" in run(db, "ops", "rejected", "--all").stdout
    [kept] = json.loads(run(db, "member", "adjustments", "m-1", "--json").stdout)
    assert (kept["points"], kept["why"], kept["made_by"], kept["about"]) == (500, "lost", "Anna", "K1:1:2")
    assert "lost" in run(db, "member", "adjustments", "m-1").stdout
    assert "already" in run(db, "member", "adjust", "m-1", "1", "--why", "x", "--about", "K1:1:2", status=1).stderr
    assert json.loads(run(db, "verify").stdout)["holds"]


def test_points_are_taken_by_a_number_below_zero(db: Path) -> None:
    """It is no option, and more than is there needs a word for it."""
    words = ("--why", "by mistake", "--by", "Anna")
    done = json.loads(run(db, "member", "adjust", "m-1", "-300", *words, "--json").stdout)
    assert (done["points"], done["balance"]) == (-300, 1700)
    assert "--into-debt" in run(db, "member", "adjust", "m-1", "-1701", *words, status=1).stderr
    assert "balance -1" in run(db, "member", "adjust", "m-1", "-1701", *words, "--into-debt").stdout
    run(db, "member", "adjust", "m-1", "-300", status=2)


def test_an_op_is_marked_without_a_correction(db: Path) -> None:
    """It was rightly rejected; who marks it is the system's user where nobody is named."""
    assert "is marked" in run(db, "ops", "resolve", "K1:1:2", "--note", "sold twice").stdout
    assert "was already" in run(db, "ops", "resolve", "K1:1:2").stdout
    [row] = json.loads(run(db, "ops", "rejected", "--all", "--json").stdout)
    assert row["resolved_by"]
    assert row["note"] == "sold twice"
    assert "expected a rejected operation" in run(db, "ops", "resolve", "K1:1:1", status=1).stderr
    assert "such as K1:1:17" in run(db, "ops", "show", "nonsense", status=1).stderr
    assert "has come" in run(db, "ops", "show", "K1:1:99", status=1).stderr
