"""The page on connecting Frontol is typed as it stands, against a running agent."""

import json
from pathlib import Path

import pytest

from house.shell import Shell, blocks
from house.test_house_docs_commands import environment, needs_a_shell
from house.tree import texts
from integration.bridge.agent_kit import live_agent
from integration.frontol_api.frontol_api_kit import enrolled_till, frontol_settings
from till_config import load

PAGE = "docs/how-to/connect-frontol-priority.md"


@needs_a_shell
@pytest.mark.timeout(60)
def test_the_key_opens_as_the_page_says(tmp_path: Path) -> None:
    """With the page's own configuration, but for the folder and the port."""
    state = enrolled_till(tmp_path)
    written, typed = [each.code for each in blocks(texts()[PAGE]) if each.language in ("toml", "sh")]
    (tmp_path / "till.toml").write_text(f'{written}\n[agent]\nstate_dir = "{state}"\n', encoding="utf-8")
    assert load(tmp_path / "till.toml").frontol == frontol_settings(state).frontol
    with live_agent(frontol_settings(state)) as agent, Shell(tmp_path, environment(tmp_path)) as shell:
        answer = json.loads(shell.run(typed.replace("17532", str(agent.port))))
    assert (answer["code"], answer["client"]) == (0, {"availableAmount": 0.0})
