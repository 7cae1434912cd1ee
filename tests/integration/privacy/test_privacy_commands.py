"""`tillside privacy`: what is held, told without naming anybody; old rows go on command and by themselves."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from integration.bridge.agent_kit import enrol_by_hand, fill_cache
from integration.privacy.test_privacy_journal import ACKED, DAY_MS, NEWEST, fill
from kit.loops import run
from till_agent import retention
from till_agent.audit_trail import AUDIT_FILE, read
from till_agent.cli.privacy import privacy
from till_agent.instance import StateDir
from till_agent.journal import pruning
from till_config.settings import AgentSettings, Settings
from till_sync.identity import load_identity
from unit.agent_stores.stores_kit import Identity, StepClock, journal_in


@pytest.fixture
def state_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A till with a filled cache and journal; all rows are of 2023."""
    monkeypatch.setattr(pruning, "NEWEST_ROWS", NEWEST)
    folder = tmp_path / "state"
    enrol_by_hand(folder)
    fill_cache(folder)

    async def work() -> None:
        till = load_identity(folder / "identity.json").till
        async with journal_in(folder, Identity(0), till=till) as journal:
            await fill(journal)

    run(work())
    (tmp_path / "till.toml").write_text(f'[agent]\nstate_dir = "{folder}"\n', encoding="utf-8")
    return folder


def command(state_dir: Path, *words: str, status: int = 0) -> Any:
    done = CliRunner().invoke(privacy, [*words, "--config", str(state_dir.parent / "till.toml"), "--json"])
    assert done.exit_code == status, done.output
    return json.loads(done.stdout) if status == 0 else done.output


def test_show_counts_and_names_nobody(state_dir: Path) -> None:
    """By file and kind, with the age of the oldest."""
    told = command(state_dir, "show")
    held = {(each["file"], each["what"]): each for each in told["holdings"]}
    assert held["journal.db", "sale operations"]["count"] == ACKED + 20
    assert held["cache.db", "members"]["count"] > 0
    assert told["unread"] == []
    assert "secret" not in json.dumps(told)
    shown = CliRunner().invoke(privacy, ["show", "--config", str(state_dir.parent / "till.toml")])
    assert "sale operations" in shown.stdout


def test_show_counts_the_journal_of_an_agent_that_runs(state_dir: Path) -> None:
    """Which has it to itself; what was copied to be counted is gone."""
    told: list[Any] = []

    async def beside() -> None:
        till = load_identity(state_dir / "identity.json").till
        async with journal_in(state_dir, Identity(0), till=till):
            told.append(await asyncio.to_thread(command, state_dir, "show"))

    run(beside())
    assert told[0]["unread"] == []
    assert [each["count"] for each in told[0]["holdings"] if each["what"] == "sale operations"] == [ACKED + 20]
    assert list(state_dir.glob(".carry-*")) == []


def test_prune_leaves_what_no_balance_includes_and_refuses_beside_an_agent(
    state_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cache's floor counts; 29 days are too few for a till that may be offline for 30."""
    assert command(state_dir, "prune")["rows"] == 0
    monkeypatch.setattr("till_agent.holdings.cached_floor", lambda _path: (1, 10_000))
    with StateDir(state_dir):
        assert "stop it first" in command(state_dir, "prune", status=1)
    command(state_dir, "prune", "--days", "29", status=2)
    assert command(state_dir, "prune", "--days", "30")["rows"] == ACKED - 2
    assert command(state_dir, "prune")["rows"] == 0


def test_the_agent_prunes_by_itself_once_a_day(tmp_path: Path) -> None:
    """Not in its first hour, and not only once; by the days of its settings, and it is written down."""
    pruned: list[int] = []

    class Journal:
        async def prune(self, days: int) -> int:
            assert days == 45
            pruned.append(clock.mono)
            return 1

    class Core:
        journal = Journal()

    class Clock(StepClock):
        async def sleep(self, seconds: float) -> None:
            await super().sleep(seconds)
            if len(pruned) == 3:
                raise asyncio.CancelledError

    class Agent:
        clock = Clock()
        open_core = Core()
        settings = Settings(agent=AgentSettings(state_dir=str(tmp_path), keep_days=45))

    clock = Agent.clock
    started = clock.mono
    with pytest.raises(asyncio.CancelledError):
        run(retention.keep(Agent()))  # type: ignore[arg-type]  # what it looks at of an agent
    assert [line.what for line in read(tmp_path / AUDIT_FILE)[0]] == ["retention_applied"] * 3
    assert [at - started for at in pruned] == [3_600_000 + DAY_MS * n for n in range(3)]
