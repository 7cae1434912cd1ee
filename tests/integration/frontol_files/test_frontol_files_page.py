"""The how-to about Frontol's files: its commands are typed as they stand there, at a till with a report."""

import os
import shutil
import sys
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from fakes.frontol_report import FrontolTill
from house.shell import Shell, blocks
from house.tree import texts
from integration.bridge.agent_kit import ANNA_CARD, enrol_by_hand, fill_cache, live_agent, settings_for
from integration.frontol_files.reports_kit import SINCE
from till_config.settings_frontol import FrontolSettings, ReportSettings

PAGE = "docs/how-to/reconcile-frontol-reports.md"


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.skipif(not shutil.which("bash"), reason="the page's commands are for bash, and there is none")
def test_the_commands_of_the_page_do_what_it_says(tmp_path: Path) -> None:
    """A sale that the bridge never saw is found, accepted, and its member loaded into Frontol."""
    till = FrontolTill(day=(datetime.now().astimezone() - timedelta(days=1)).strftime("%d.%m.%Y"))
    till.sale(ANNA_CARD)
    report = till.write(tmp_path / "report.txt")
    (tmp_path / "clients.csv").write_text(f"code;name;card\n11;Анна К.;{ANNA_CARD}\n", "utf-8")
    state_dir, config, load = tmp_path / "state", tmp_path / "till.toml", tmp_path / "load.txt"
    config.write_text(
        f'[agent]\nstate_dir = "{state_dir}"\n[[frontol.reports]]\npath = "{report}"\nsince = "{SINCE}"\n'
        f'[frontol.load]\npath = "{load}"\nflag = "{tmp_path / "load.flg"}"\ncounter_type = 3\n',
        "utf-8",
    )
    enrol_by_hand(state_dir)
    fill_cache(state_dir)
    frontol = FrontolSettings(reports=(ReportSettings(path=str(report), since=SINCE),))
    variables = {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "LC_ALL": "C.UTF-8",
        "TILLSIDE_CONFIG": str(config),
    }
    with live_agent(settings_for(state_dir, frontol=frontol)) as agent, Shell(tmp_path, variables) as shell:
        watch = agent.running.agent.reports
        assert watch is not None
        watch._grace_ms = 0
        for _ in range(3):
            agent.on_loop(watch.look)
        printed = [shell.run(block.code) for block in blocks(texts()[PAGE]) if block.language == "sh"]
    assert "Documents: 1 sales (1 with a card), 0 returns, 0 cancelled, 0 others, 0 not closed." in printed[0]
    assert "1 findings" in printed[1]
    assert "unseen_sale" in printed[1]
    assert "1: accrued, 5 points" in printed[2]
    assert f"11;1;{ANNA_CARD}" in printed[3]
    assert "Wrote 1 clients" in printed[3]
    assert "Frontol has not taken the flag file load.flg yet." in printed[3]
    client = load.read_bytes().decode("cp1251").split("\r\n")[3].split(";")
    assert (client[0], client[2], client[23], client[24]) == ("11", "Анна К.", "3", "505")
