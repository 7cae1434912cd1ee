"""A till goes back to 0.1.0, by that release's own code: its queue is the same, goes out whole, comes back whole."""

from pathlib import Path

import pytest

from integration.bridge.agent_kit import receipt
from integration.bridge.serving_kit import cloud_served, tillside
from integration.upgrade.former_kit import Former
from integration.upgrade.rollback_kit import ALL_COVERS, ALL_KINDS, Rollback, drained, made_of, made_up
from integration.upgrade.upgrade_kit import lengthen, opened_journal, queue
from kit.loops import run
from kit.waiting import wait_for
from till_sync.identity import IDENTITY_FILE, load_identity

pytestmark = pytest.mark.slow

TEN_THOUSAND = 10_000


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Rollback:
    """Made once; copied by each test."""
    return made_up(tmp_path_factory.mktemp("rollback") / "world")


@pytest.fixture
def world(played: Rollback, tmp_path: Path) -> Rollback:
    return played.copy(tmp_path / "world")


def test_the_queue_is_the_same_for_the_former_release_and_after_it(world: Rollback, former: Former) -> None:
    """Count and hash of every waiting row: as today's code left them, opened by 0.1.0, opened by today's again."""
    kinds, covers = made_of(world.journal)
    assert (set(kinds), covers) == (ALL_KINDS, ALL_COVERS)
    before = queue(world.journal)
    assert before[0] == world.waiting() > len(ALL_KINDS)
    identity = load_identity(world.state_dir / IDENTITY_FILE)
    found = former.look(world.state_dir)
    assert (found["reason"], found["damage"], found["epoch"]) == ("", "", 1)
    assert (found["waiting"], found["verified"]) == (before[0], sum(kinds.values()))
    assert queue(world.journal) == before
    assert load_identity(world.state_dir / IDENTITY_FILE) == identity, "its key too"

    async def again() -> None:
        async with opened_journal(world.state_dir) as journal:
            assert (journal.figures.waiting, journal.figures.epoch, journal.report.reason) == (before[0], 1, "")
            assert await journal.verify() == sum(kinds.values())

    run(again())
    assert queue(world.journal) == before


def test_the_former_release_drains_the_queue_as_today_s_would(world: Rollback, former: Former, tmp_path: Path) -> None:
    """Every verdict and balance is the same: also sales covered by grant, voucher and floor, and kinds that 0.1.0 does
    not know. What is still lent then goes back to its members, and nothing is written off."""
    other = world.copy(tmp_path / "other")
    last = sum(made_of(world.journal)[0].values())
    with cloud_served(other.database) as port:
        other.aim(port)
        with other.today() as agent:
            drained(agent)
    world.forget_key()
    with cloud_served(world.database) as port:
        world.aim(port)
        with former.agent(world.config, tmp_path / "former.log") as bridge:
            pos, admin = world.bridge(bridge), world.bridge(bridge, "admin")
            wait_for(lambda: admin.ask("GET", "/v1/sync")["waiting"] == 0, "the queue to drain")
            wait_for(lambda: pos.send("POST", "/v1/identify", {"reference": "m-kim"}).is_success, "members to come")
            assert lent(world) == lent(other) > 0
            pos.ask("PUT", "/v1/sales/by-former", receipt(10_000) | {"member": {"reference": "m-kim"}})
            wait_for(lambda: not lent(world), "what was lent to go back")
            replayed = pos.send("POST", "/v1/sales/mistake/void")
            assert replayed.headers["idempotent-replay"] == "true"
            pos.close()
            admin.close()
    wanted = [row for row in other.verdicts() if row[1] <= last]
    assert [row for row in world.verdicts() if row[1] <= last] == wanted
    assert {row[4] for row in wanted} == {"applied"}
    assert world.ask("SELECT count(*) FROM grant_write_offs") == [(0,)]
    assert unmoved(world, "by-former") == unmoved(other, "")
    for each in (world, other):
        tillside("cloud", "verify", "--db", str(each.database))


def lent(world: Rollback) -> int:
    """Points lent to the till."""
    return int(world.ask("SELECT coalesce(sum(points), 0) FROM grants")[0][0])


def unmoved(world: Rollback, but_for: str) -> list[tuple[str, int]]:
    """Balances of the members whom every cloud knows by the same name, without what one sale gave."""
    gave = dict(world.ask("SELECT 'm-kim', effect_points FROM ops WHERE uid = ? AND kind = 'sale'", but_for))
    rows = world.ask("SELECT member_id, balance - debt FROM balances WHERE member_id IN ('m-kim', 'm-lee', 'm-ann')")
    return sorted((who, balance - gave.get(who, 0)) for who, balance in rows)


def test_upgraded_again_the_till_goes_on_where_it_was(world: Rollback, former: Former, tmp_path: Path) -> None:
    """The same journal, no new epoch, each op once; it hands in its key anew, and is lent points again."""
    world.forget_key()
    before = load_identity(world.state_dir / IDENTITY_FILE)
    with cloud_served(world.database) as port:
        world.aim(port)
        with former.agent(world.config, tmp_path / "former.log") as bridge:
            pos, admin = world.bridge(bridge), world.bridge(bridge, "admin")
            pos.ask("PUT", "/v1/sales/by-former", receipt(10_000) | {"member": {"reference": "m-kim"}})
            wait_for(lambda: admin.ask("GET", "/v1/sync")["waiting"] == 0, "the queue to drain")
            pos.close()
            admin.close()
        assert world.ask("SELECT public_key FROM tills") == [("",)]
        with world.today() as agent:
            drained(agent)
            core = agent.running.agent.core
            assert (core.journal.figures.epoch, core.journal.report.reason) == (1, "")
            wait_for(lambda: world.ask("SELECT public_key FROM tills WHERE public_key <> ''"), "its key")
            assert load_identity(world.state_dir / IDENTITY_FILE).private_key == before.private_key
            assert agent.call("POST", "/v1/sales/mistake/void").headers["idempotent-replay"] == "true"
            tillside("cloud", "jobs", "run", "--db", str(world.database))
            agent.wait_for(lambda: core.cache.granted(1)[1] > 0)
            agent.wait_for(lambda: core.cache.member_count == world.ask("SELECT count(*) FROM balances")[0][0])
    made = sum(made_of(world.journal)[0].values())
    assert world.ask("SELECT count(*), count(DISTINCT kind || uid), max(seq) FROM ops") == [(made, made, made)]
    tillside("cloud", "verify", "--db", str(world.database))


def test_without_forgetting_the_key_nothing_is_lost_either(world: Rollback, former: Former, tmp_path: Path) -> None:
    """The cloud takes nothing unsigned of a till whose key it knows: sales go on and wait, until the operator does what
    upgrade.md says."""
    with cloud_served(world.database) as port:
        world.aim(port)
        with former.agent(world.config, tmp_path / "former.log") as bridge:
            pos, admin = world.bridge(bridge), world.bridge(bridge, "admin")
            wait_for(lambda: admin.ask("GET", "/v1/sync")["last_error"], "to be refused")
            waiting = admin.ask("GET", "/v1/sync")["waiting"]
            pos.ask("PUT", "/v1/sales/by-former", receipt(10_000))
            assert admin.ask("GET", "/v1/sync")["waiting"] == waiting + 1
            world.forget_key()
            wait_for(lambda: admin.ask("POST", "/v1/sync")["waiting"] == 0, "the queue to drain")
            pos.close()
            admin.close()


@pytest.mark.timeout(300)
def test_ten_thousand_waiting_ops_go_back_and_forth_whole(world: Rollback, former: Former, tmp_path: Path) -> None:
    """Count and hash after the way back, and after the next upgrade; then 0.1.0 sends them all, each once."""
    made = lengthen(world.state_dir, TEN_THOUSAND)
    before = queue(world.journal)
    assert before[0] == TEN_THOUSAND
    assert made_of(world.journal)[1] == ALL_COVERS
    found = former.look(world.state_dir)
    assert (found["reason"], found["waiting"], found["verified"]) == ("", TEN_THOUSAND, made)
    assert queue(world.journal) == before

    async def again() -> None:
        async with opened_journal(world.state_dir) as journal:
            assert (journal.figures.waiting, journal.report.reason) == (TEN_THOUSAND, "")
            assert await journal.verify() == made

    run(again())
    assert queue(world.journal) == before
    world.forget_key()
    with cloud_served(world.database) as port:
        world.aim(port)
        with former.agent(world.config, tmp_path / "former.log") as bridge:
            admin = world.bridge(bridge, "admin")
            wait_for(lambda: admin.ask("GET", "/v1/sync")["waiting"] == 0, "the queue to drain", patience_s=200)
            admin.close()
    assert world.ask("SELECT count(*), max(seq), sum(status <> 'applied') FROM ops") == [(made, made, 0)]
    assert queue(world.journal)[0] == 0
    tillside("cloud", "verify", "--db", str(world.database))
