"""What a chain has from its first day: `cloud init`, or its first `cloud run`, begins slow tags; no upgrade does."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from till_cloud import founding
from till_cloud.cli import cloud
from till_cloud.enrolment import issue_code
from till_cloud.phone_costs import COSTS, USUAL_COST
from till_cloud.store import slow_tags
from till_cloud.store.writer import Writer
from till_sync.identity import Identity
from till_sync.phone_tags import MOST_COST, PhoneTags
from till_sync.wire import EnrolmentRequest
from unit.cloud.cloud_kit import chain

KILLED_AT = """
import os, signal, sys
import {module} as place
place.{name} = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
from till_cloud.cli import cloud
cloud(["init", "--db", sys.argv[1]])
"""
"""`cloud init` that dies where it would call a function."""


def command(db: Path, *words: str, status: int = 0) -> str:
    done = CliRunner().invoke(cloud, [*words, "--db", str(db)])
    assert done.exit_code == status, done.output
    return done.stdout if status == 0 else done.stderr


def phones(db: Path) -> Any:
    return json.loads(command(db, "privacy", "slow-phones", "--json"))


def test_init_begins_a_new_chain_with_slow_tags(tmp_path: Path) -> None:
    """At the usual cost, which is chosen once."""
    db = tmp_path / "c.db"
    first = command(db, "init")
    assert phones(db) == {"cost": USUAL_COST, "only": False, "slow": 0, "waiting": 0}
    assert command(db, "init") == command(db, "init", "--phone-cost", str(USUAL_COST)) == first
    said = command(db, "init", "--restored", "--phone-cost", "8192", status=1)
    assert "has a cost of 16384, which it keeps" in said
    assert command(db, "init") == first, "refused as a whole"
    assert phones(db)["cost"] == USUAL_COST


@pytest.mark.skipif(sys.platform == "win32", reason="kills as POSIX does")
@pytest.mark.parametrize(
    ("module", "name"),
    [
        pytest.param("till_cloud.store.connection", "_migrate", id="before its schema"),
        pytest.param("till_cloud.founding", "found", id="behind its schema"),
        pytest.param("till_cloud.store.slow_tags", "begin", id="within its founding"),
    ],
)
def test_a_chain_whose_making_was_killed_is_made_by_init_alone(tmp_path: Path, module: str, name: str) -> None:
    """Another command in between does not found it in passing, without slow tags; no life is left half begun."""
    db = tmp_path / "c.db"
    killed = subprocess.run([sys.executable, "-c", KILLED_AT.format(module=module, name=name), str(db)], check=False)
    assert killed.returncode == -9
    said = command(db, "store", "add", "s1", "--name", "One", "--time-zone", "Asia/Almaty", status=1)
    assert "`tillside cloud init` makes it to the end" in said
    command(db, "init")
    assert phones(db)["cost"] == USUAL_COST
    command(db, "store", "add", "s1", "--name", "One", "--time-zone", "Asia/Almaty")
    assert phones(db)["cost"] == USUAL_COST


def test_an_operator_with_old_tills_begins_without_and_may_do_so_later(tmp_path: Path) -> None:
    db = tmp_path / "c.db"
    command(db, "init", "--phone-cost", "off")
    command(db, "init")
    assert phones(db)["cost"] == 0
    assert "slow-phones` can begin" in command(db, "init", "--phone-cost", "8192", status=1)
    command(db, "privacy", "slow-phones", "--begin", "--cost", "8192")
    assert phones(db)["cost"] == 8192
    assert "which it keeps" in command(db, "init", "--phone-cost", "off", status=1)


def test_every_cost_on_offer_is_one_that_tills_take() -> None:
    assert max(COSTS) <= MOST_COST
    assert USUAL_COST in COSTS
    assert all(cost & (cost - 1) == 0 for cost in COSTS)


def test_a_chain_that_is_there_keeps_what_it_has(tmp_path: Path) -> None:
    """Whether it was begun with nothing, by a former release, or at another cost."""
    writer = Writer(tmp_path / "c.db")
    try:
        assert writer.call(founding.found)
        assert not writer.call(lambda connection: founding.found(connection, phone_cost=USUAL_COST))
        assert writer.call(slow_tags.phone_tags) == PhoneTags()
    finally:
        writer.close()


def test_a_till_is_told_by_its_enrolment(tmp_path: Path) -> None:
    """Nothing that it records before its first greeting names a phone by a fast tag."""
    with chain(tmp_path / "c.db") as made:
        made.centre.write(lambda c: slow_tags.begin(c, 2)).result()
        made.centre.write(slow_tags.set_only).result()
        made.till()
        code = made.centre.write(lambda c: issue_code(c, "k1", made.wall())).result()
        answer = made.centre.enrol(EnrolmentRequest(code=code, salt="s")).result()
        assert Identity.of(answer).phone_tags == PhoneTags(cost=2, only=True)
