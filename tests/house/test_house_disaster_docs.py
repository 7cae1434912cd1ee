"""When it has gone wrong: each command of the page, in its order, at a centre and on a till that runs."""

import shutil
from pathlib import Path

import pytest

from house.shell import Shell, blocks
from house.test_house_docs_commands import environment, needs_a_shell
from house.tree import ROOT, texts
from kit.bridge import receipt
from kit.world import World

PAGE = "docs/how-to/disaster-recipes.md"


def test_every_block_of_the_page_says_where_it_is_typed() -> None:
    """The test below knows what to do with each."""
    notes = {block.note for block in blocks(texts()[PAGE])}
    assert notes == {"at the centre", "on the till", "on the till, stopped"}


@needs_a_shell
@pytest.mark.soak
@pytest.mark.timeout(400)
def test_the_page_works_as_it_stands(world: World, tmp_path: Path) -> None:
    """A cloud, a till that has sold, the programme that mends, and the policy that was a mistake."""
    world.start_cloud()
    till = world.till().start().wait_members()
    assert till.pos.send("PUT", "/v1/sales/d-1", receipt(10_000)).status_code == 200
    here = tmp_path / "here"
    here.mkdir()
    example = (ROOT / "loyalty/till_loyalty/data/examples/supermarket.toml").read_text("utf-8")
    (here / "fixed.toml").write_text(example.replace("version = 1\n", "version = 99\n", 1), encoding="utf-8")
    (here / "policy.toml").write_text('[agent]\nlanguage = "kk"\n', encoding="utf-8")
    variables = environment(here, TILLSIDE_CONFIG=str(till.config))
    page = texts()[PAGE].replace("till-1", till.name).replace("chain.db", str(world.cloud_db))
    with Shell(here, variables) as shell:
        for block in blocks(page):
            if block.note == "on the till, stopped":
                till.stop()
            shell.run(block.code)
    assert (here / "support.tar.gz").is_file()
    shutil.rmtree(here)
