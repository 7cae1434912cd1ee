"""The doctor's pages: the table of checks is that of the code, and every command of the how-to is typed on a till."""

import json
import re
import shlex
import tarfile
from pathlib import Path

import pytest
from click.testing import CliRunner

from house.shell import Shell, blocks
from house.test_house_docs_commands import environment, needs_a_shell
from house.tree import report, texts
from kit.world import World
from till_config.main import main
from till_installer.doctor.every import all_checks
from till_installer.doctor.reference import page
from unit.doctor.doctor_world import Healthy, Web, make_template

SETTLED = re.compile(r"^[a-z][a-z0-9_]{3,31}$")
LEAST_CHECKS = 80
PAGE = "docs/how-to/read-the-doctor.md"


def test_the_table_of_checks_is_current() -> None:
    """`python -m till_installer.doctor.reference docs/reference/doctor.md` writes it."""
    assert texts()["docs/reference/doctor.md"] == page(), "write the page anew, and commit it"


def test_each_check_can_be_told_apart_and_says_one_thing_to_do() -> None:
    """Codes that programs can hold on to; titles that say when all is well; a fix and what is looked at."""
    checks = all_checks()
    assert len(checks) >= LEAST_CHECKS
    for each in checks:
        assert SETTLED.match(each.code), each.code
        assert each.title[0].isupper() or each.title[0] == "`", each.code
        assert not each.title.endswith("."), each.code
        assert each.looks_at, each.code
        assert each.fix, each.code


def _commands() -> list[list[str]]:
    code = "\n".join(block.code for block in blocks(texts()[PAGE]) if block.language == "sh")
    return [shlex.split(line.partition("||")[0]) for line in code.splitlines() if line.startswith("tillside ")]


def test_each_command_of_the_doctors_page_is_one(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Typed one after another on a till without a system around it: none is called wrongly, none fails itself."""
    make_template(tmp_path / "template")
    cloud, agent = Web(), Web()
    till = Healthy(tmp_path / "root", tmp_path / "template", cloud, agent)
    till.scene()
    monkeypatch.setenv("TILLSIDE_CONFIG", str(till.layout.config))
    monkeypatch.chdir(tmp_path_factory.mktemp("here"))
    commands = _commands()
    with till.running():
        done = {" ".join(words): CliRunner().invoke(main, words[1:]) for words in commands}
    cloud.close()
    agent.close()
    assert len(done) >= 8
    report([f"{words}: {each.exit_code}: {each.output[-500:]}" for words, each in done.items() if each.exit_code > 2])
    assert "journal_chain" in done["tillside doctor --list"].stdout
    with tarfile.open("support.tar.gz") as archive:
        assert "MANIFEST.txt" in archive.getnames()[0]


@needs_a_shell
@pytest.mark.soak
@pytest.mark.timeout(400)
def test_the_doctors_page_works_as_it_stands(world: World, tmp_path: Path) -> None:
    """Each block in its order, by the installed program, on a till that runs; what it promises is there afterwards."""
    world.start_cloud()
    till = world.till().start().wait_members()
    variables = environment(tmp_path, TILLSIDE_CONFIG=str(till.config))
    with Shell(tmp_path, variables) as shell:
        printed = [shell.run(block.code) for block in blocks(texts()[PAGE]) if block.language == "sh"]
    assert "checks of till till-1" in "\n".join(printed)
    findings = json.JSONDecoder().raw_decode(printed[1][printed[1].index("{") :])[0]["findings"]
    grave = {each["code"] for each in findings if each["state"] == "bad" and each["severity"] == "error"}
    assert grave <= {"scanner_absent", "printer_absent"}
    assert "journal_chain" in printed[1]
    till.stop()
