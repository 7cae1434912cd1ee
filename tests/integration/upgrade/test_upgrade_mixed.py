"""Programs of 0.1.0 and of today at either end of the line, and a cloud that goes back: real code on both sides."""

import json
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from integration.bridge.agent_kit import LiveAgent, body_of, live_agent
from integration.bridge.serving_kit import cloud_served, tillside
from integration.upgrade.former_kit import Former
from integration.upgrade.rollback_kit import Rollback
from integration.upgrade.test_upgrade_till import CARDLESS, OPS, drained, sale
from integration.upgrade.upgrade_kit import TILL, answers, content, golden_cloud, unpack
from kit.waiting import wait_for
from till_cloud.store.copying import kept_as
from till_config import load
from till_sync.identity import IDENTITY_FILE, load_identity

pytestmark = pytest.mark.slow

ANNA = json.loads(answers("sale")["k1-001"][0])["member"]["card"]
PERSON = {"uid": "reg", "phone": "+79161230444", "consent": {"version": "1", "given": True}}


class Chain(Rollback):
    """The golden till and the golden cloud, as their settings would have them."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.database = folder / "chain" / "cloud.db"
        self.state_dir = folder / TILL

    def rows(self, question: str, *values: object) -> list[Any]:
        return self.ask(question, *values)


@pytest.fixture
def chain(tmp_path: Path) -> Chain:
    made = Chain(tmp_path)
    golden_cloud(tmp_path / "chain")
    unpack("till", made.state_dir)
    made.config.write_text(
        f'[agent]\nstate_dir = "{made.state_dir}"\n[bridge]\nport = 0\n[cloud]\nurl = ""\n'
        "poll_interval_ms = 100\nspread_ms = 0\n",
        encoding="utf-8",
    )
    return made


def emptied(admin: Any) -> Callable[[], bool]:
    return lambda: admin.ask("GET", "/v1/sync")["waiting"] == 0


def test_a_former_till_goes_on_at_todays_cloud(chain: Chain, former: Former, tmp_path: Path) -> None:
    """It drains, pulls, sells and spends by a hold; nothing is lent to it, no key asked of it."""
    with cloud_served(chain.database) as port:
        chain.aim(port)
        with former.agent(chain.config, tmp_path / "former.log") as bridge:
            pos, admin = chain.bridge(bridge), chain.bridge(bridge, "admin")
            wait_for(emptied(admin), "the queue to drain")
            wait_for(lambda: pos.send("POST", "/v1/identify", {"card": ANNA}).json().get("known"), "members to come")
            for number in range(3):
                pos.ask("PUT", f"/v1/sales/new-{number}", sale(ANNA, 1_000_000))
            wait_for(emptied(admin), "the sales to go out")
            tillside("cloud", "jobs", "run", "--db", str(chain.database))
            wish = {"sale_uid": "spends", "points": 1_000, "member": {"card": ANNA}}
            held = pos.ask("POST", "/v1/holds", wish)["hold"]
            pos.ask("PUT", "/v1/sales/spends", sale(ANNA, 1_000_000) | {"redeem_points": 1_000, "hold": held})
            wait_for(emptied(admin), "the sale to go out")
            pos.close()
            admin.close()
    found = chain.rows("SELECT status, code FROM ops WHERE uid LIKE 'new-%' OR uid = 'spends'")
    assert found == [("applied", "")] * 4
    assert chain.rows("SELECT count(*) FROM grants") == [(0,)]
    assert chain.rows("SELECT public_key, takes_grants FROM tills WHERE till = ?", TILL) == [("", 0)]
    tillside("cloud", "verify", "--db", str(chain.database))


@pytest.fixture
def today(chain: Chain, former: Former, tmp_path: Path) -> Iterator[tuple[LiveAgent, Chain]]:
    """Today's till at a cloud of 0.1.0."""
    with former.cloud(chain.database, tmp_path / "cloud.log") as port:
        chain.aim(port)
        with live_agent(load(chain.config)) as agent:
            yield agent, chain


def test_todays_till_goes_on_at_a_former_cloud(today: tuple[LiveAgent, Chain]) -> None:
    """It drains, pulls, sells and spends by a hold of the cloud, for nothing is granted. A new member waits with what
    was sold after, and the status says why."""
    agent, chain = today
    drained(agent)
    core = agent.running.agent.core
    for number in range(3):
        body_of(agent.call("PUT", f"/v1/sales/new-{number}", sale(ANNA, 1_000_000)))
    drained(agent)
    wish = {"sale_uid": "spends", "points": 1_000, "member": {"card": ANNA}}
    held = body_of(agent.call("POST", "/v1/holds", wish))["hold"]
    assert held.startswith("h-"), "reserved by the cloud, for nothing was granted"
    body_of(agent.call("PUT", "/v1/sales/spends", sale(ANNA, 1_000_000) | {"redeem_points": 1_000, "hold": held}))
    drained(agent)
    assert core.cache.granted(1) == (0, 0)
    body_of(agent.call("POST", "/v1/members", PERSON))
    body_of(agent.call("PUT", "/v1/sales/late", sale(CARDLESS, 1_000)))
    agent.wait_for(lambda: core.worker.status.halted == "protocol_unsupported")
    assert core.journal.figures.waiting == 2
    found = chain.rows("SELECT status, code FROM ops WHERE uid LIKE 'new-%' OR uid = 'spends'")
    assert found == [("applied", "")] * 4


def test_a_former_cloud_leaves_a_migrated_database_alone(chain: Chain, former: Former, tmp_path: Path) -> None:
    """It says why, and changes nothing; the copy that the migration kept, it reads and verifies."""
    before = content(chain.database)
    tillside("cloud", "init", "--db", str(chain.database))
    after = content(chain.database)
    for words in (("init",), ("run", "--port", "0"), ("verify",), ("backup", str(tmp_path / "backup.db"))):
        refused = former.command("cloud", words[0], "--db", chain.database, *words[1:], status=1)
        assert "schema" in refused.stderr, words
    assert content(chain.database) == after
    kept = kept_as(chain.database, 1)
    assert content(kept) == before
    assert json.loads(former.command("cloud", "verify", "--db", kept).stdout)["holds"] is True


def go_back(chain: Chain, former: Former) -> None:
    """What upgrade.md tells an operator to do."""
    aside = chain.database.parent / "newer"
    aside.mkdir()
    for path in chain.database.parent.glob("cloud.db*"):
        if path.is_file():
            shutil.move(path, aside / path.name)
    shutil.copy(aside / kept_as(chain.database, 1).name, chain.database)
    former.command("cloud", "init", "--restored", "--db", chain.database)


def test_a_cloud_goes_back_by_the_file_that_was_kept(chain: Chain, former: Former, tmp_path: Path) -> None:
    """Tills send again what it lacks; what only the newer release can read waits on them until it is back. Nothing is
    rejected, and at the end each op is there once."""
    with cloud_served(chain.database) as port:
        chain.aim(port)
        with live_agent(load(chain.config)) as agent:
            drained(agent)
            for number in range(3):
                body_of(agent.call("PUT", f"/v1/sales/new-{number}", sale(ANNA, 1_000_000)))
            body_of(agent.call("POST", "/v1/members", PERSON))
            body_of(agent.call("PUT", "/v1/sales/late", sale(CARDLESS, 1_000)))
            drained(agent)
            key = load_identity(chain.state_dir / IDENTITY_FILE).private_key
            last = agent.running.agent.core.journal.figures.last_seq
    go_back(chain, former)
    with former.cloud(chain.database, tmp_path / "cloud.log") as port:
        chain.aim(port)
        with live_agent(load(chain.config)) as agent:
            core = agent.running.agent.core
            agent.wait_for(lambda: core.worker is not None and core.worker.status.halted == "protocol_unsupported")
            assert core.journal.figures.waiting == 2
    assert seqs(chain) == (last - 2, last - 2)
    with cloud_served(chain.database) as port:
        chain.aim(port)
        with live_agent(load(chain.config)) as agent:
            drained(agent)
    assert seqs(chain) == (last, last)
    assert chain.rows("SELECT count(*) FROM ops WHERE status = 'rejected'") == [(0,)]
    assert load_identity(chain.state_dir / IDENTITY_FILE).private_key == key
    tillside("cloud", "verify", "--db", str(chain.database))


def seqs(chain: Chain) -> tuple[int, int]:
    """How many ops of the till the cloud holds, and the newest one's number."""
    ((count, last),) = chain.rows("SELECT count(*), max(seq) FROM ops WHERE till = ?", TILL)
    return count, last


def test_both_gone_back_a_former_cloud_rejects_what_it_does_not_know(
    chain: Chain, former: Former, tmp_path: Path
) -> None:
    """The one order in which something has to be done again by hand: a registration that waited. Sales are counted."""
    with former.cloud(chain.database, tmp_path / "first.log") as port:
        chain.aim(port)
        with live_agent(load(chain.config)) as agent:
            drained(agent)
    with live_agent(load(chain.config)) as agent:
        agent.wait_for(lambda: agent.running.agent.open_core is not None)
        body_of(agent.call("POST", "/v1/members", PERSON))
        body_of(agent.call("PUT", "/v1/sales/late", sale(CARDLESS, 1_000)))
    with former.cloud(chain.database, tmp_path / "cloud.log") as port:
        chain.aim(port)
        with former.agent(chain.config, tmp_path / "former.log") as bridge:
            admin = chain.bridge(bridge, "admin")
            wait_for(emptied(admin), "the queue to drain")
            admin.close()
    found = chain.rows("SELECT kind, uid, status FROM ops WHERE till = ? AND seq > ? ORDER BY seq", TILL, OPS)
    assert [row[2] for row in found if row[1] == "reg"] in (["rejected"], [])
    assert ("sale", "late", "applied") in found
    with sqlite3.connect(chain.journal) as connection:
        kept = connection.execute(
            "SELECT status FROM verdicts v JOIN entries e USING (id) WHERE e.uid = 'reg'"
        ).fetchall()
    assert kept == [("rejected",)]
