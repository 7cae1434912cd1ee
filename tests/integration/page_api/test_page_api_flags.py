"""Flags of a real agent: told to store IT, kept over restarts, read from the files, and never in a sale's way."""

import json
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from integration.bridge.agent_kit import (
    ANNA_CARD,
    ANNA_PHONE,
    LiveAgent,
    enrol_by_hand,
    fill_cache,
    live_agent,
    settings_for,
)
from till_agent.cli.queue import queue

LINES = [{"number": 1, "sku": "milk", "name": "Молоко", "amount_minor": 10_000}]


def sell(agent: LiveAgent, uid: str, **changes: Any) -> None:
    body = {"receipt": {"lines": LINES}, "member": {"phone": ANNA_PHONE}, "cashier": "7", "print_slip": False}
    reply = agent.call("PUT", f"/v1/sales/{uid}", body | changes)
    assert reply.status == 200, reply.body


def metric(agent: LiveAgent) -> str:
    lines = agent.call("GET", "/metrics").body.decode().splitlines()
    (found,) = [line for line in lines if line.startswith("tillside_conduct_flags")]
    return found


def test_a_flag_is_told_and_blocks_nothing(tmp_path: Path) -> None:
    """Over a restart too, and by the command with and without a running agent; no name and no number is in it."""
    state_dir = tmp_path / "state"
    enrol_by_hand(state_dir)
    fill_cache(state_dir)
    config = tmp_path / "tillside.toml"
    config.write_text(f'[agent]\nstate_dir = "{state_dir}"\n', encoding="utf-8")
    command = ["flags", "--config", str(config)]
    with live_agent(settings_for(state_dir)) as agent:
        for number in range(3):
            sell(agent, f"s-{number}")
        assert agent.call("GET", "/v1/flags", client="admin").json == {"flags": [], "count": 0, "days": 20}
        assert metric(agent) == "tillside_conduct_flags 0.0"
        sell(agent, "s-3", member={"card": ANNA_CARD}, entry="typed")
        found = agent.call("GET", "/v1/flags?language=ru", client="admin")
        (flag,) = found.json["flags"]
        assert (flag["cashier"], flag["reference"], flag["receipts"]) == ("7", "m-anna", 4)
        assert flag["sales"] == ["s-3", "s-2", "s-1", "s-0"]
        assert [each["code"] for each in flag["signals"]] == ["many_a_day", "close_together"]
        assert flag["signals"][0]["text"] == "чеков за один день: 4"
        assert metric(agent) == "tillside_conduct_flags 1.0"
        told = json.dumps(flag | {"first_ms": 0, "last_ms": 0}, ensure_ascii=False)  # times have any four digits
        for secret in (ANNA_PHONE[2:], ANNA_CARD, "Анна", "12-34", "0018"):
            assert secret not in told
        sell(agent, "s-4")
        assert agent.call("GET", "/v1/flags").code == "scope_missing"
    with live_agent(settings_for(state_dir)) as agent:
        (flag,) = agent.call("GET", "/v1/flags", client="admin").json["flags"]
        assert flag["receipts"] == 5
        running = CliRunner().invoke(queue, [*command, "--json"])
        assert json.loads(running.stdout) == {"flags": [flag], "count": 1, "days": 20}
    at_rest = CliRunner().invoke(queue, command)
    assert at_rest.exit_code == 0, at_rest.output
    assert "cashier 7, m-anna: 5 receipts in one day; 4 receipts within an hour of the one before" in at_rest.stdout
    assert "1 flags in 20 days" in at_rest.stdout


def test_the_watch_reads_on_by_itself(tmp_path: Path) -> None:
    """Nobody has to ask before the figure is right."""
    enrol_by_hand(tmp_path)
    fill_cache(tmp_path)
    with live_agent(settings_for(tmp_path)) as agent:
        for number in range(4):
            sell(agent, f"s-{number}")
        core = agent.running.agent.open_core
        assert core is not None
        agent.on_loop(core.conduct.look)
        assert metric(agent) == "tillside_conduct_flags 1.0"


def test_before_the_enrolment_there_is_nothing_to_look_into(tmp_path: Path) -> None:
    with live_agent(settings_for(tmp_path)) as agent:
        assert agent.call("GET", "/v1/flags", client="admin").code == "till_not_enrolled"
