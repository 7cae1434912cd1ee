"""Wallet codes from a scanner's port to the event stream."""

import json
import time
from pathlib import Path

import pytest
from msgspec.structs import replace

from fakes.till import CLOUD_PRIVATE_KEY, KEY
from integration.bridge.agent_kit import LiveAgent, enrol_by_hand, fill_cache, live_agent, receipt, settings_for
from integration.bridge.test_bridge_agent import _events, _listen
from till_config.settings import ScannerSettings
from till_drivers.simulators.scanner import ScannerSimulator
from till_sync import wallet
from till_sync.identity import IDENTITY_FILE, load_identity, save_identity
from till_sync.keys import public_of
from till_sync.wallet import Token


@pytest.fixture
def state_dir(tmp_path: Path) -> Path:
    """A till that knows the cloud's key, and whose newest page came from it just now."""
    folder = tmp_path / "state"
    enrol_by_hand(folder)
    path = folder / IDENTITY_FILE
    save_identity(path, replace(load_identity(path), cloud_key=public_of(CLOUD_PRIVATE_KEY)))
    fill_cache(folder)
    return folder


def token(counter: int, **changes: object) -> str:
    fields = {
        "chain": wallet.chain_mark(KEY),
        "key": wallet.key_mark(public_of(CLOUD_PRIVATE_KEY)),
        "member_id": "m-anna",
        "expires_at_s": int(time.time()) + 3600,
        "counter": counter,
    }
    return wallet.encode(Token(**(fields | changes)), CLOUD_PRIVATE_KEY)


def test_a_code_is_a_card_until_a_sale_has_used_it(
    state_dir: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Cash software sees a member; then the cashier is told why not. Nothing of the code is in the log, and the status
    says that nobody could tell the time."""
    scanner = ScannerSimulator(tmp_path / "scanner")
    scanner.plug()
    settings = settings_for(state_dir, scanners=(ScannerSettings(name="counter", port=str(tmp_path / "scanner")),))
    text, others = token(10), token(11, chain=1)
    try:
        with live_agent(settings) as agent, _listen(agent) as stream:
            board = agent.running.agent.board
            agent.wait_for(lambda: [health.state for health in board.health()] == ["ready"])
            scanner.scan(text)
            scanner.scan(others)
            told = [event for event in _events(stream, until=3) if event[0] != "device"]
            sale = receipt(10_000) | {"member": {"reference": told[0][1]["member"]["reference"]}}
            assert agent.call("PUT", "/v1/sales/s-1", sale).status == 200
            assert agent.call("POST", "/v1/identify", {"scan": text}).json["code"] == "wallet_used"
            trust = problems(agent)
    finally:
        scanner.unplug()
    assert [(name, data.get("kind", data.get("code"))) for name, data in told] == [
        ("scan", "card"),
        ("scan", "unknown"),
        ("alert", "wallet_other_chain"),
    ]
    assert told[0][1]["member"]["reference"] == "m-anna"
    assert "wallet_on_trust" in trust
    assert not any(part in record.getMessage() for record in caplog.records for part in (text[5:40], text[-40:]))


def problems(agent: LiveAgent) -> list[str]:
    status = json.loads(agent.call("GET", "/v1/status", client="admin").body)
    return [each["code"] for each in status["problems"]]
