"""Agent and cloud together: enrolment by code, a hold that is spent, a line that goes and comes back."""

import contextlib
from importlib.resources import files
from pathlib import Path

import pytest
from click.testing import CliRunner

from integration.bridge.agent_kit import body_of, live_agent, receipt
from integration.bridge.serving_kit import cloud_served, tillside
from kit.phones import make_slow
from till_agent.bridge.tokens import read_token
from till_config import load
from till_config.main import main

CARD_AND_BALANCE = (
    "member_id,name,phone,card,tier,language,status,balance\nm-anna,Анна Ким,+79161231234,,silver,ru,active,50000\n"
)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A chain with a programme, a store, and Anna with 500 points."""
    path = tmp_path / "cloud.db"
    (tmp_path / "members.csv").write_text(CARD_AND_BALANCE, encoding="utf-8")
    programme = tmp_path / "programme.toml"
    programme.write_text(
        files("till_loyalty").joinpath("data", "examples", "supermarket.toml").read_text(encoding="utf-8"), "utf-8"
    )
    tillside("cloud", "init", "--db", str(path))
    tillside("cloud", "programme", "upload", "--db", str(path), str(programme))
    tillside("cloud", "store", "add", "s1", "--db", str(path), "--name", "Shop", "--time-zone", "Asia/Almaty")
    tillside("cloud", "member", "import", "--db", str(path), str(tmp_path / "members.csv"))
    make_slow(path)
    return path


def config_for(tmp_path: Path, port: int) -> Path:
    path = tmp_path / "agent.toml"
    path.write_text(
        f'[agent]\nstate_dir = "{tmp_path / "state"}"\n[bridge]\nport = 0\nrate_limit_per_second = 10000\n'
        f'[cloud]\nurl = "http://127.0.0.1:{port}"\npoll_interval_ms = 100\nspread_ms = 0\n',
        encoding="utf-8",
    )
    return path


def test_points_are_held_spent_and_confirmed_and_a_cut_line_loses_nothing(tmp_path: Path, database: Path) -> None:
    code = tillside("cloud", "till", "add", "t1", "--db", str(database), "--store", "s1").split()[-1]
    anna = {"member": {"reference": "m-anna"}}
    with cloud_served(database) as port:
        config = config_for(tmp_path, port)
        (tmp_path / "code").write_text(f"{code}\n", encoding="utf-8")
        tillside("agent", "enrol", "--config", str(config), "--code-file", str(tmp_path / "code"))
        settings = load(config)
        stack = contextlib.ExitStack()
        agent = stack.enter_context(live_agent(settings))
        core = agent.running.agent.open_core
        assert core is not None
        agent.wait_for(lambda: core.cache.member_count == 1)
        held = body_of(agent.call("POST", "/v1/holds", {"sale_uid": "s-1", "points": 1000} | anna))
        spend = receipt(100_000) | anna | {"hold": held["hold"], "redeem_points": 1000}
        sale = body_of(agent.call("PUT", "/v1/sales/s-1", spend))
        assert (sale["offline"], sale["calculation"]["redeemed_points"]) == (False, 1000)
        agent.wait_for(lambda: core.journal.figures.waiting == 0)
        assert body_of(agent.call("GET", "/v1/sales/s-1"))["sync"] == "applied"
        dropped = body_of(agent.call("POST", "/v1/holds", {"sale_uid": "s-2", "points": 500} | anna))
        assert agent.call("DELETE", f"/v1/holds/{dropped['hold']}").status == 204
        agent.wait_for(lambda: core.journal.figures.waiting == 0)
        # What the cloud holds for the member comes with the next page.
        body_of(agent.call("POST", "/v1/sync", client="admin"))
        after = body_of(agent.call("POST", "/v1/identify", anna["member"]))
        assert after["balance_points"] == sale["balance_after_points"] == after["spendable_points"]
    with stack:
        agent.wait_for(lambda: not core.worker.line.online)  # type: ignore[union-attr]  # there is a cloud in the settings
        for number in range(5):
            uid = f"off-{number}"
            assert body_of(agent.call("PUT", f"/v1/sales/{uid}", receipt(10_000) | anna))["offline"] is True
        assert body_of(agent.call("GET", "/v1/status"))["sync"]["waiting"] == 5
        shown = body_of(agent.call("POST", "/v1/identify", anna["member"]))
        assert (shown["spendable_points"], shown["spendable_reason"]) == (0, "offline")
        with cloud_served(database, port):
            assert body_of(agent.call("POST", "/v1/sync", client="admin"))["waiting"] == 0
            agent.wait_for(lambda: core.journal.figures.waiting == 0)
            agent.call("POST", "/v1/sync", client="admin")
            confirmed = body_of(agent.call("POST", "/v1/identify", anna["member"]))
            assert confirmed["balance_points"] == shown["balance_points"]
            assert confirmed["unconfirmed_points"] == 0


def test_code_that_was_used_enrols_nobody_again(tmp_path: Path, database: Path) -> None:
    code = tillside("cloud", "till", "add", "t1", "--db", str(database), "--store", "s1").split()[-1]
    with cloud_served(database) as port:
        config = config_for(tmp_path, port)
        tillside("agent", "enrol", "--config", str(config), "--code", code)
        words = ["agent", "enrol", "--config", str(config), "--code", code]
        assert "already" in CliRunner().invoke(main, words).stderr
        again = CliRunner().invoke(main, [*words, "--again"])
        assert again.exit_code == 1
        assert "code_used" in again.stderr
    assert read_token(tmp_path / "state", "pos") is None
