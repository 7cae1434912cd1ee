"""The commands of the page about watching tills, typed as they stand there."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from house.tree import texts
from integration.bridge.agent_kit import TILL, enrol_by_hand
from kit.loops import run
from till_config.main import main
from unit.agent_stores.stores_kit import draft, journal_in, once
from unit.cloud.cloud_kit import Chain

PAGE = "docs/how-to/watch-tills.md"
SERVES = ("tillside cloud run", "tillside doctor")
"""Run by tests of their own: the one goes on until it is ended, the other looks at a machine."""


def commands() -> list[str]:
    """Every line of a shell block, and every command within a sentence."""
    text = texts()[PAGE]
    found = [line for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL) for line in block.splitlines()]
    found += re.findall(r"`(tillside [^`]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    return [each for each in found if not each.startswith(SERVES)]


def test_every_command_of_the_page_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside a cloud's database and a till's configuration, with the names that the page uses."""
    monkeypatch.chdir(tmp_path)
    chain = Chain(Path("cloud.db"))
    chain.till(TILL)
    chain.centre.close()
    enrol_by_hand(tmp_path / "state")

    async def fill() -> None:
        async with journal_in(tmp_path / "state", till=TILL) as journal:
            await journal.commit(once(draft("s-1")))

    run(fill())
    Path("till.toml").write_text(f'[agent]\nstate_dir = "{tmp_path}/state"\n', encoding="utf-8")
    assert len(commands()) == 5
    for command in commands():
        done = CliRunner().invoke(main, command.replace("TILL", TILL).split()[1:])
        assert done.exit_code == 0, (command, done.output)


def test_what_the_page_offers_to_read_is_there() -> None:
    """The option for Prometheus' token, and the exit status of the watchdog."""
    from till_agent.supervision.watchdog import EXIT_SALE_PATH_DEAD

    done = CliRunner().invoke(main, ["cloud", "run", "--help"])
    assert "--metrics-token-file" in done.output
    assert f"status {EXIT_SALE_PATH_DEAD}" in texts()[PAGE]
