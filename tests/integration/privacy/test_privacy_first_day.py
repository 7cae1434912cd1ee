"""A chain as `cloud init` begins it, at the cost that it has by default: its tills find everybody by phone, and nothing
that they write names one by a tag that could be tried out in minutes."""

import contextlib
import json
import sqlite3
from pathlib import Path
from typing import Any

from integration.bridge.agent_kit import LiveAgent, body_of, live_agent, receipt
from integration.bridge.registration_kit import Line, begun, enrolled
from integration.bridge.serving_kit import cloud_served, tillside
from kit.waiting import wait_for
from till_cloud.phone_costs import USUAL_COST
from till_loyalty.identifiers import tag
from till_sync.identity import IDENTITY_FILE, load_identity
from till_sync.phone_tags import PhoneTags

KIM, NEWCOMER, STRANGER = "+79161231235", "+79169990001", "+79169990002"
BEGUN = PhoneTags(cost=USUAL_COST, only=True)


def member(agent: LiveAgent, phone: str) -> Any:
    return body_of(agent.call("POST", "/v1/identify", {"phone": phone}))


def sell(agent: LiveAgent, uid: str, phone: str, **more: Any) -> Any:
    return body_of(agent.call("PUT", f"/v1/sales/{uid}", receipt(100_000) | {"member": {"phone": phone}} | more))


def drained(agent: LiveAgent) -> None:
    core = agent.running.agent.core
    agent.wait_for(lambda: core.journal.figures.waiting == 0)
    body_of(agent.call("POST", "/v1/sync", client="admin"))


def phones_slow(database: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(tillside("cloud", "privacy", "slow-phones", "--db", str(database), "--json"))
    return told


def test_a_new_chain_works_by_phone_and_its_tills_write_no_fast_tag(tmp_path: Path) -> None:
    """Registered, sold to with a line and without, held for, and known at another till."""
    database, state = begun(tmp_path), tmp_path / "t1"
    with cloud_served(database, jobs=True) as port, Line(port) as line:
        wait_for(lambda: phones_slow(database)["only"], "the imported member's slow tag")
        settings = enrolled(tmp_path, database, "t1", port, through=line)
        assert load_identity(state / IDENTITY_FILE).phone_tags == BEGUN
        with live_agent(settings) as agent:
            core = agent.running.agent.core
            agent.wait_for(lambda: core.cache.member_count == 1)
            assert member(agent, KIM)["reference"] == "m-kim"
            wish = {"sale_uid": "s-1", "member": {"phone": KIM}, "points": 1_000}
            held = body_of(agent.call("POST", "/v1/holds", wish))["hold"]
            assert sell(agent, "s-1", KIM, hold=held, redeem_points=1_000)["calculation"]["redeemed_points"] == 1_000
            line.cut()
            agent.wait_for(lambda: not core.worker.line.online)
            request = {"uid": "r-1", "phone": NEWCOMER, "consent": {"version": "2", "given": True}}
            assert body_of(agent.call("POST", "/v1/members", request | {"without_code": True}))["state"] == "registered"
            for number, phone in enumerate((NEWCOMER, STRANGER, KIM, STRANGER)):
                assert sell(agent, f"off-{number}", phone)["offline"] is True
            line.mend()
            drained(agent)
            agent.wait_for(lambda: core.cache.member_count == 3)
            shown = {phone: member(agent, phone) for phone in (KIM, NEWCOMER, STRANGER)}
            assert all(each["known"] and not each["unconfirmed_points"] for each in shown.values())
            assert shown[STRANGER]["balance_points"] == 2 * shown[NEWCOMER]["balance_points"] > 0
        with live_agent(enrolled(tmp_path, database, "t2", port)) as other:
            other.wait_for(lambda: other.running.agent.core.cache.member_count == 3)
            assert member(other, STRANGER)["reference"] == shown[STRANGER]["reference"]
    assert phones_slow(database) == {"cost": USUAL_COST, "only": True, "slow": 3, "waiting": 0}
    tillside("cloud", "verify", "--db", str(database))
    key = load_identity(state / IDENTITY_FILE).key
    for phone in (KIM, NEWCOMER, STRANGER):
        fast = tag(key, "phone", phone).removeprefix("phone:").encode()
        assert [path.name for path in state.rglob("*") if path.is_file() and fast in path.read_bytes()] == []
    with contextlib.closing(sqlite3.connect(database)) as cloud:
        assert cloud.execute("SELECT count(*) FROM slow_tags").fetchone() == (1,), "of the imported one only"
