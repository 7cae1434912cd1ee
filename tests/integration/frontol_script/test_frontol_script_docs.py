"""The page on connecting Frontol by its scenario: its commands are typed, its names are the scenario's."""

import re
import sys
from pathlib import Path

import pytest

from house.shell import Shell, blocks
from house.test_house_docs_commands import environment, needs_a_shell
from house.tree import texts
from integration.frontol_script.frontol_script_kit import SCRIPT
from integration.frontol_script.test_frontol_script_commands import offline_till
from till_installer.frontol.settings_block import read_settings

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the page's commands are for bash")

PAGE = "docs/how-to/connect-frontol-script.md"
PAGES = (PAGE, "docs/reference/frontol.md", "docs/decisions/0028-frontol-scenario.md")


@needs_a_shell
@pytest.mark.slow
def test_the_commands_of_the_page_work(tmp_path: Path) -> None:
    """Put in place and checked (no agent runs here, which is told), the functions for the template, without init()."""
    offline_till(tmp_path)
    first, second, template = [block.code for block in blocks(texts()[PAGE]) if block.language == "sh"]
    with Shell(tmp_path, environment(tmp_path)) as shell:
        said = shell.run(first.replace("check --into frontol", "check --into frontol 2>&1 || true"))
        assert "installed, for the agent at 127.0.0.1:17599 as pos" in said
        assert "FAULT: nothing that is the agent answers" in said
        assert "updated" in shell.run(second)
        assert "function tillsidePrintSlip(print)" in shell.run(template)


def test_each_name_that_the_pages_tell_is_the_scenarios() -> None:
    """Functions, user values and settings."""
    script = SCRIPT.read_text(encoding="ascii")
    for page in PAGES:
        for name in set(re.findall(r"`(tillside[A-Z]\w*)", texts()[page])):
            assert re.sub(r"\d+$", "", name) in script, (page, name)
    table = texts()[PAGE].partition("| setting | |")[2].partition("\n\n")[0]
    told = re.findall(r"`([a-z]\w+)`", "\n".join(line.split("|")[1] for line in table.splitlines() if "|" in line[1:]))
    assert set(told) <= set(read_settings(script))
    assert len(told) > 6
