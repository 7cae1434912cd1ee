"""The examples of docs/how-to/connect-cash-software.md that use the client kit, curl or the simulator, carried out."""

import subprocess
from pathlib import Path

import pytest

from house.client_kit import JAVASCRIPT
from house.shell import Block, Shell, blocks, missing
from house.test_house_docs_commands import environment, needs_a_shell
from house.tree import texts
from integration.client_kit.client_kit_world import NODE, NODE_TIMEOUT_S, needs_node, token_of_till
from kit.chain import ANNA
from kit.world import Till, World

PAGE = "docs/how-to/connect-cash-software.md"
WITH_CLIENT = "with the client"


def code(language: str, note: str = "") -> list[str]:
    """Blocks of a language with a note."""
    return [block.code for block in blocks(texts()[PAGE]) if (block.language, block.note) == (language, note)]


def placed(text: str, till: Till) -> str:
    """For a till that is not where the page has it."""
    return text.replace("17532", str(till.port)).replace("/var/lib/tillside", str(till.state_dir))


@pytest.fixture
def till(world: World) -> Till:
    """With members and a line."""
    world.start_cloud()
    return world.till().start().wait_members()


@needs_a_shell
@pytest.mark.slow
def test_the_simulator_and_curl_do_what_the_page_says(till: Till, tmp_path: Path) -> None:
    """Every command, and every line of the simulator that the page promises."""
    found: list[Block] = [block for block in blocks(texts()[PAGE]) if block.language in ("sh", "text")]
    assert [block.language for block in found] == ["sh", "text", "sh"]
    by_hand, promised, curl = (block.code for block in found)
    with Shell(tmp_path, environment(tmp_path, TILLSIDE_CONFIG=str(till.config))) as shell:
        assert missing(promised, shell.run(by_hand)) == []
        printed = shell.run(placed(curl, till))
    assert (tmp_path / "exchanges.jsonl").read_text("utf-8").count('"status": 200') > 5
    assert '"name_masked":"Anna A."' in printed
    assert '"points":1000,' in printed, "the hold"
    assert '"redeemed_points":1000' in printed
    assert "Test Shop" in printed
    assert '"points_back":1000' in printed
    assert '"state":"returned"' in printed
    assert "retry: " in printed, "the stream of events was opened"
    assert '"retryable":' not in printed, "nothing was refused"


@needs_node
@pytest.mark.slow
def test_the_examples_with_the_clients_sell(till: Till, tmp_path: Path) -> None:
    """Python with a sale and a refusal in words; JavaScript with points, and it listens until it leaves."""
    (text,) = code("python", WITH_CLIENT)
    names: dict[str, object] = {}
    exec(compile(placed(text, till), PAGE, "exec"), names)
    sell = names["sell_with_client"]
    assert callable(sell)
    assert "Earned" in sell("doc-py-1", ANNA.card, 10_000)
    assert till.pos.ask("GET", "/v1/sales/doc-py-1")["sale"]["calculation"]["earned_points"]
    assert "already sold" in sell("doc-py-1", ANNA.card, 20_000)

    (text,) = code("js")
    (tmp_path / "tillside.js").write_bytes(JAVASCRIPT.read_bytes())
    (tmp_path / "package.json").write_text('{"type": "module"}', encoding="utf-8")
    program = tmp_path / "sell.js"
    head, _, rest = placed(text, till).partition("\n")
    program.write_text(f'{head}\nconst token = "{token_of_till(till)}";\n{rest}', encoding="utf-8")
    done = subprocess.run(
        [NODE, program], capture_output=True, text=True, encoding="utf-8", timeout=NODE_TIMEOUT_S, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "Spent" in done.stdout
    assert till.pos.ask("GET", "/v1/sales/js-1")["sale"]["calculation"]["redeemed_points"] > 0
