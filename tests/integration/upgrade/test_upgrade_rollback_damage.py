"""A journal that today's code has salvaged, given back to 0.1.0: what it can open, and what becomes of the rest."""

import contextlib
import json
import sqlite3
from pathlib import Path

import pytest

from integration.bridge.agent_kit import receipt
from integration.bridge.serving_kit import cloud_served, tillside
from integration.upgrade.former_kit import Former
from integration.upgrade.rollback_kit import Rollback, drained, made_up
from integration.upgrade.upgrade_kit import opened_journal, queue
from kit.loops import run
from kit.waiting import wait_for
from till_agent.journal.salvage import Salvage

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Rollback:
    """Made once; copied by each test."""
    return made_up(tmp_path_factory.mktemp("rollback") / "world")


@pytest.fixture
def world(played: Rollback, tmp_path: Path) -> Rollback:
    return played.copy(tmp_path / "world")


def spoil(world: Rollback, *, waiting: bool) -> str:
    """A sale's body becomes another's, among those that wait or among those that the cloud has; its uid."""
    with contextlib.closing(sqlite3.connect(world.journal, isolation_level=None)) as connection:
        connection.execute("DROP TRIGGER entries_never_change")
        acked = connection.execute("SELECT acked_seq FROM epochs").fetchone()[0]
        row, uid = connection.execute(
            "SELECT id, uid FROM entries WHERE kind = 'sale' AND (id & ((1 << 40) - 1) > ?) = ? "
            "ORDER BY id LIMIT 1 OFFSET 1",
            (acked, waiting),
        ).fetchone()
        connection.execute("UPDATE entries SET body = x'7b7d' WHERE id = ?", (row,))
    return str(uid)


def salvaged(world: Rollback) -> Salvage:
    """Today's code opens it, and closes it again."""

    async def look() -> Salvage:
        async with opened_journal(world.state_dir) as journal:
            damage = journal.report.damage
            assert damage is not None
            assert damage.salvage is not None
            return damage.salvage

    found: Salvage = run(look())
    return found


def uids_at_cloud(world: Rollback) -> list[str]:
    """Sales that the cloud has a verdict for."""
    return [uid for (uid,) in world.ask("SELECT uid FROM ops WHERE kind = 'sale'")]


def uids_in(journal: Path) -> set[str]:
    with contextlib.closing(sqlite3.connect(journal)) as connection:
        return {uid for (uid,) in connection.execute("SELECT uid FROM entries WHERE kind = 'sale'")}


def test_what_was_salvaged_of_waiting_ops_goes_back_and_out(world: Rollback, former: Former, tmp_path: Path) -> None:
    """Rows of the old epoch, and those behind the damage in a new one: the same queue, and all of it drains."""
    every = uids_in(world.journal)
    gone = spoil(world, waiting=True)
    found = salvaged(world)
    assert (found.lost, found.state) == (1, "done")
    assert found.sent_on > 0
    assert found.anew > 0
    before = queue(world.journal)
    looked = former.look(world.state_dir)
    assert (looked["reason"], looked["damage"], looked["epoch"], looked["waiting"]) == ("", "", 2, before[0])
    assert queue(world.journal) == before
    world.forget_key()
    with cloud_served(world.database) as port:
        world.aim(port)
        with former.agent(world.config, tmp_path / "former.log") as bridge:
            admin = world.bridge(bridge, "admin")
            wait_for(lambda: admin.ask("GET", "/v1/sync")["waiting"] == 0, "the queue to drain")
            admin.close()
    at_cloud = uids_at_cloud(world)
    assert (set(at_cloud), len(at_cloud)) == (every - {gone}, len(every) - 1)
    tillside("cloud", "verify", "--db", str(world.database))


def test_a_journal_with_holes_is_put_aside_and_comes_back_with_the_upgrade(
    world: Rollback, former: Former, tmp_path: Path
) -> None:
    """0.1.0 knows no holes among acknowledged rows, and begins anew; what waited lies aside whole. upgrade.md says to
    drain such a till first. If nobody did, `queue salvage` brings all of it after the next upgrade."""
    every = uids_in(world.journal)
    spoil(world, waiting=False)
    found = salvaged(world)
    assert (found.lost, found.anew) == (0, 0)
    assert found.sent_on == queue(world.journal)[0]
    world.forget_key()
    with cloud_served(world.database) as port:
        world.aim(port)
        with former.agent(world.config, tmp_path / "former.log") as bridge:
            pos, admin = world.bridge(bridge), world.bridge(bridge, "admin")
            pos.ask("PUT", "/v1/sales/by-former", receipt(10_000))
            wait_for(lambda: admin.ask("GET", "/v1/sync")["waiting"] == 0, "the sale to go out")
            pos.close()
            admin.close()
        assert "by-former" in uids_at_cloud(world)
        assert "by-floor" not in uids_at_cloud(world)
        newest = max(world.state_dir.glob("journal.db.damaged-*.json"), key=lambda path: path.stat().st_mtime_ns).stem
        answer = json.loads(tillside("queue", "salvage", newest, "--json", "--config", str(world.config)))
        assert (answer["salvage"]["state"], answer["salvage"]["lost"]) == ("done", 0)
        with world.today() as agent:
            drained(agent)
    at_cloud = uids_at_cloud(world)
    assert set(at_cloud) == every | {"by-former"}
    assert len(at_cloud) == len(every) + 1
    tillside("cloud", "verify", "--db", str(world.database))
