"""What the documentation tells people to type is typed here, and what it says comes back has to come back."""

import ast
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from house import cli_reference
from house.shell import STOP_TIMEOUT_S, Block, Shell, blocks, carry_out, missing
from house.tree import ROOT, report, texts
from kit.bridge import receipt
from kit.chain import ANNA
from kit.processes import free_port
from kit.waiting import wait_for
from kit.world import World
from till_config import load
from till_drivers.ports import Outcome
from till_drivers.states import TRANSITIONS
from till_loyalty.programme_document import parse_programme

BIN = Path(sys.executable).parent
PORTS = ("17532", "17580", "19100", "19101")
"""What the pages use; each run takes others, since a real till may run on this machine."""
INSTALLING = ("make install\n", ". .venv/bin/activate\n")
"""Lines of pages that are not run: the environment of this very test is what they make."""
BAD_CARD = "name,phone,card\nAnna,87010000001,2900000000018\nIvan,87010000002,\nSam,,2000000000015\n"

needs_a_shell = pytest.mark.skipif(
    sys.platform == "win32" or not (shutil.which("bash") and shutil.which("curl")),
    reason="the pages' commands are for bash and curl, and one of them is missing",
)


def page(name: str) -> str:
    """A page with ports that are free."""
    text = texts()[name]
    for port in PORTS:
        text = text.replace(port, str(free_port()))
    for line in INSTALLING:
        text = text.replace(line, "")
    return text


def environment(home: Path, **more: str) -> dict[str, str]:
    """The variables of a person's terminal: our commands first, a home of its own."""
    return {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "HOME": str(home), "LC_ALL": "C.UTF-8", **more}


class SecondTerminal:
    """Another shell with one command that reads what is typed into it: the scanner."""

    def __init__(self, code: str, folder: Path, variables: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            ["bash", "-e", "-c", code],
            cwd=folder,
            env=os.environ | variables,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def type(self, lines: str) -> None:
        """Type these lines."""
        assert self.process.stdin is not None
        self.process.stdin.write(lines)
        self.process.stdin.flush()

    def close(self) -> str:
        """End it, as Ctrl-D does; what it printed."""
        try:
            return self.process.communicate(timeout=STOP_TIMEOUT_S)[0]
        finally:
            self.process.kill()
            self.process.wait(STOP_TIMEOUT_S)


@pytest.fixture
def terminals() -> Iterator[list[SecondTerminal]]:
    """Second terminals of a test; those still open at its end are closed."""
    opened: list[SecondTerminal] = []
    yield opened
    for terminal in opened:
        if terminal.process.poll() is None:
            terminal.close()


@needs_a_shell
@pytest.mark.slow
@pytest.mark.timeout(400)
def test_the_first_till_is_set_up_and_sells_as_its_page_says(tmp_path: Path, terminals: list[SecondTerminal]) -> None:
    """Every command of the tutorial in its order, and every line that it promises."""
    variables = environment(tmp_path)
    folder = tmp_path / "first-till"
    with Shell(ROOT, variables) as shell:

        def others(block: Block) -> bool:
            if block.note == "second terminal":
                terminals.append(SecondTerminal(block.code, ROOT, variables))
                wait_for((folder / "scanner").exists, "the scanner to appear")
                shell.run('until grep -q "printer on" printer.log; do sleep 0.1; done')
            elif block.note == "typed into the scanner":
                # A person is slower than the listener's first line.
                shell.run("until test -s events.txt; do sleep 0.1; done")
                terminals[0].type(block.code)
                shell.run('until grep -q "event: scan" events.txt; do sleep 0.1; done')
            else:
                return False
            return True

        report(carry_out(page("docs/tutorial/first-till.md"), shell, others=others))
    assert len(list((folder / "slips").glob("slip-*.txt"))) == 3, "two sales and a return"
    assert "not done" not in terminals[0].close()


@needs_a_shell
@pytest.mark.slow
@pytest.mark.timeout(400)
def test_the_cloud_is_run_backed_up_and_restored_as_its_page_says(tmp_path: Path) -> None:
    """With the example programme and a members' file in which one card is not of the programme."""
    example = ROOT / "loyalty/till_loyalty/data/examples/supermarket.toml"
    shutil.copy(example, tmp_path / "programme.toml")
    (tmp_path / "members.csv").write_text(BAD_CARD, encoding="utf-8")
    with Shell(tmp_path, environment(tmp_path)) as shell:
        report(carry_out(page("docs/how-to/run-the-cloud.md"), shell))
        assert shell.run("tillside cloud member show --phone 87010000002 --db chain.db").count("Ivan") == 1


@needs_a_shell
@pytest.mark.slow
def test_a_programme_is_written_checked_and_tried_as_its_page_says(tmp_path: Path) -> None:
    """From the packaged example to the comparison of two versions."""
    shutil.copy(ROOT / "loyalty/till_loyalty/data/examples/supermarket.toml", tmp_path / "programme.toml")
    with Shell(tmp_path, environment(tmp_path)) as shell:
        report(carry_out(page("docs/how-to/write-a-programme.md"), shell))


@needs_a_shell
@pytest.mark.slow
@pytest.mark.timeout(400)
def test_devices_are_simulated_as_their_page_says(tmp_path: Path, terminals: list[SecondTerminal]) -> None:
    """The printer changes its behaviour; the scanner takes every command, and is there again after them."""
    variables = environment(tmp_path)
    link = tmp_path / "scanner"
    with Shell(tmp_path, variables) as shell:

        def others(block: Block) -> bool:
            if block.note == "second terminal":
                terminals.append(SecondTerminal(block.code, tmp_path, variables))
                wait_for(link.exists, "the scanner to appear")
            elif block.note == "typed into the scanner":
                terminals[0].type(block.code)
            else:
                return False
            return True

        report(carry_out(page("docs/how-to/simulate-devices.md"), shell, others=others))
        said = terminals[0].close()
    assert "not done" not in said
    assert not link.is_symlink(), "a scanner that ends takes its port with it"


@needs_a_shell
@pytest.mark.slow
def test_the_commands_that_find_faults_work_on_a_running_till(world: World, tmp_path: Path) -> None:
    """As the page has them."""
    world.start_cloud()
    till = world.till().start().wait_members()
    text = texts()["docs/how-to/find-out-what-is-wrong.md"].replace("17532", str(till.port))
    with Shell(tmp_path, environment(tmp_path, TILLSIDE_CONFIG=str(till.config))) as shell:
        printed = [shell.run(block.code) for block in blocks(text) if block.language == "sh"]
    assert "OK" in printed[0]
    assert "0 operations wait" in printed[0]
    assert '"problems":[' in printed[1]
    till.stop()


@pytest.mark.slow
def test_the_example_of_cash_software_sells_and_sells_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page's Python as it stands, against a till: a sale, the same again, a refusal, and a till that is down."""
    world.start_cloud()
    till = world.till().start().wait_members()
    page = blocks(texts()["docs/how-to/connect-cash-software.md"])
    (code,) = (b.code for b in page if b.language == "python" and not b.note)
    token = till.state_dir / "tokens" / "pos.token"
    code = code.replace('"/var/lib/tillside/tokens/pos.token"', repr(str(token))).replace("17532", str(till.port))
    names: dict[str, object] = {}
    exec(compile(code, "connect-cash-software.md", "exec"), names)
    sell, refused = names["sell"], names["Refused"]
    assert callable(sell)
    assert isinstance(refused, type)
    assert issubclass(refused, Exception)

    sale = receipt(10_000, member={"card": ANNA.card})
    first = sell("doc-1", sale)
    assert first["uid"] == "doc-1"
    assert sell("doc-1", sale) == first
    with pytest.raises(refused, match="already sold"):
        sell("doc-1", receipt(20_000))
    till.stop()
    assert sell("doc-2", sale) is None, "nothing answers: to be sent again later"


def test_every_configuration_on_a_page_is_a_good_one(tmp_path: Path) -> None:
    """For a reader copies it."""
    found = 0
    for name, text in texts().items():
        if name.startswith(("docs/how-to/", "docs/tutorial/")) and name.endswith(".md"):
            for block in blocks(text):
                if block.language == "toml" and block.note == "part of a programme":
                    parse_programme(f'format = 1\nid = "page"\nversion = 1\ncurrency = "USD"\n{block.code}')
                elif block.language == "toml":
                    (tmp_path / "till.toml").write_text(block.code, encoding="utf-8")
                    load(tmp_path / "till.toml")
                    found += 1
    assert found


def test_the_page_of_commands_is_current() -> None:
    """`make reference` writes it."""
    assert texts()["docs/reference/cli.md"] == cli_reference.page(), "run `make reference`, and commit what it writes"


def test_every_command_has_a_word_of_help() -> None:
    """And so has each of its options, or a name that says it all."""
    report(
        [
            f"{context.command_path}: expected help"
            for context in cli_reference.commands(cli_reference.root, ("tillside",), None)
            if not cli_reference.about(context.command)
        ]
    )


def test_the_table_of_states_is_that_of_the_drivers() -> None:
    """Each state, and what may follow it."""
    rows = re.findall(r"^\| `([a-z]+)` \| [^|]+ \| (`[^|]*`) \|$", texts()["docs/reference/devices.md"], re.MULTILINE)
    told = {state: sorted(re.findall(r"`([a-z]+)`", after)) for state, after in rows}
    assert told == {state.value: sorted(each.value for each in after) for state, after in TRANSITIONS.items()}


def test_the_table_of_outcomes_has_them_all() -> None:
    """Of a print job."""
    text = texts()["docs/reference/devices.md"].partition("| outcome |")[2].partition("\n\n")[0]
    assert re.findall(r"^\| `([a-z]+)` \|", text, re.MULTILINE) == [outcome.value for outcome in Outcome]


def test_every_problem_of_the_status_has_a_line_of_advice() -> None:
    """Store IT looks the code up in the page; the codes are read from the code that makes them."""
    source = texts()["agent/till_agent/status.py"]
    tree = ast.parse(source)
    codes = {
        node.args[0].value
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "_said"
        and isinstance(node.args[0], ast.Constant)
    }
    from till_agent.status import NOT_READY

    wanted = (codes | set(NOT_READY)) - {"starting", "stopping"}
    assert len(wanted) > 8
    text = texts()["docs/how-to/find-out-what-is-wrong.md"]
    assert sorted(code for code in wanted if f"`{code}`" not in text) == []


@pytest.mark.parametrize(
    ("promised", "printed", "wrong"),
    [
        ("a\nb\n", "a\nx\nb\n", []),
        ("a\nb\n", "b\na\n", ["b"]),
        ("a\n...\n", "a", []),
        ("at 2026-11-22 10:34:02", "at 2027-01-01 00:00:00", []),
        ("key 0123456789abcdef", "key fedcba9876543210", []),
        ("3 members", "4 members", ["3 members"]),
    ],
)
def test_a_page_that_promises_something_else_is_found_out(promised: str, printed: str, wrong: list[str]) -> None:
    """Times and keys may differ, figures and order may not."""
    assert missing(promised, printed) == wrong


@needs_a_shell
def test_a_command_of_a_page_that_fails_is_told_with_what_it_said(tmp_path: Path) -> None:
    """The shell stops there, like a careful reader."""
    with Shell(tmp_path, environment(tmp_path)) as shell:
        assert shell.run("echo one").strip() == "one"
        with pytest.raises(AssertionError, match=r"(?s)a command failed in:\nls nowhere.*No such file"):
            shell.run("ls nowhere\necho two")
