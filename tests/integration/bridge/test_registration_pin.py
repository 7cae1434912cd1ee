"""A PIN keyed at a real till, compared at a real cloud, and found in no file of either."""

import contextlib
import logging
from pathlib import Path

import pytest

from integration.bridge.agent_kit import body_of, live_agent
from integration.bridge.registration_kit import PROOF, chain_of, enrolled, live_cloud
from integration.bridge.serving_kit import tillside
from integration.bridge.test_registration_bridge import emptied, refused, sell
from till_cloud.pins import new_pin
from till_cloud.staff import set_pin
from till_cloud.store.writer import Writer

PIN = "90351746"
WRONG = "90351747"
KIM = {"member": {"reference": "m-kim"}}

pytestmark = pytest.mark.slow


def bytes_of(path: Path) -> bytes:
    """Nothing of a draft that has meanwhile got its name, under which it is read."""
    with contextlib.suppress(FileNotFoundError):
        return path.read_bytes()
    return b""


def test_a_large_redemption_takes_the_members_pin_and_keeps_it_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    proof = PROOF.replace('["code"]', '["code", "pin"]')
    monkeypatch.setattr("integration.bridge.registration_kit.PROOF", proof)
    database = chain_of(tmp_path)
    chosen, writer = new_pin(PIN), Writer(database)
    writer.call(lambda connection: set_pin(connection, "m-kim", chosen, 1))
    writer.close()
    with live_cloud(tmp_path, database) as port, live_agent(enrolled(tmp_path, database, "t1", port)) as agent:
        agent.wait_for(lambda: agent.running.agent.open_core.cache.member_count == 1)
        large = {"sale_uid": "s-1", "points": 10001} | KIM
        problem = refused(agent.call("POST", "/v1/holds", large), "proof_required")
        assert problem["proof"] == ["code", "pin"]
        assert "ПИН-код" in problem["cashier"]
        problem = refused(agent.call("POST", "/v1/holds", large | {"pin": WRONG}), "pin_wrong")
        assert (problem["tries_left"], problem["pointer"]) == (4, "/pin")
        assert "4" in problem["cashier"]
        refused(agent.call("POST", "/v1/holds", large | {"pin": "12"}), "body_invalid")
        held = body_of(agent.call("POST", "/v1/holds", large | {"pin": PIN}))
        sale = sell(agent, "s-1", 100_000, redeem_points=10001, hold=held["hold"], **KIM)
        assert sale["calculation"]["redeemed_points"] == 10001
        emptied(agent)
        kept = [path for path in tmp_path.rglob("*") if path.is_file()]
        assert database in kept
        assert any("journal.db" in path.name for path in kept)
        for text in (PIN, WRONG):
            assert [path.name for path in kept if text.encode() in bytes_of(path)] == []
            assert text not in caplog.text
    assert "has no PIN any more" in tillside("cloud", "member", "pin", "m-kim", "--db", str(database), "--remove")
