"""The page on registering members is typed as it stands: a cloud that sends codes, and a new member."""

import json
import shutil
import sys
from pathlib import Path

import pytest

from house.shell import Shell, blocks
from house.test_house_docs_commands import environment, needs_a_shell
from house.tree import texts
from kit.processes import free_port
from kit.world import World

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the page's commands are for bash and curl")


@needs_a_shell
@pytest.mark.slow
@pytest.mark.timeout(200)
def test_a_member_is_registered_as_the_page_says(world: World, tmp_path: Path) -> None:
    """What is needed, the code from the operator's program, and the member; then the staff's list of flags."""
    folder = tmp_path / "typed"
    folder.mkdir()
    shutil.copy(world.cloud_db, folder / "chain.db")
    port = free_port()
    text = texts()["docs/how-to/register-members.md"].replace("17580", str(port))
    sender, first, rest, flags = [block.code for block in blocks(text) if block.language == "sh"]
    with Shell(folder, environment(folder)) as shell:
        shell.run(sender)
        world.line.target_port = port
        till = world.till().start().wait_members()
        shell.run(f"TOKEN={(till.state_dir / 'tokens' / 'pos.token').read_text().strip()}")
        needs = json.loads(shell.run(first.replace("17532", str(till.port))))
        assert (needs["state"], needs["needs"], needs["consent"]["version"]) == ("needs", ["consent"], "1")
        asked, done = map(json.loads, shell.run(rest).strip().splitlines())
        assert (asked["needs"], asked["confirmation"]["state"]) == (["code"], "sent")
        assert (done["state"], done["member"]["name_masked"]) == ("registered", "Aliya A.")
        till.drain()
        assert "merge_needed" not in shell.run(flags)
        till.stop()
