"""Pages for who looks after a till: its settings, its next version, its next machine; each command in its order."""

import platform
import re
from pathlib import Path

import pytest

from house import shell as terminal
from house.shell import Shell, blocks, missing
from house.test_house_docs_commands import environment, needs_a_shell
from house.tree import report, texts
from kit.bridge import receipt
from kit.bundles import PUBLIC, small_bundle
from kit.chain import STORE, Chain
from kit.upgrades import Installation
from kit.world import World
from till_installer.bundle.archive import pack
from till_installer.services.choosing import agent_command, manager_of

BAD = '[bridge]\nport = 16732\n\n[cloud]\nulr = ""\n\n[[scanners]]\nname = "front"\nbaud_rate = "9600"\n'
PRINTER = '[[printers]]\nname = "receipt"\ndriver = "tcp"\nhost = "127.0.0.1"\nport = 1\n'
SUDO = 'sudo() { "$@"; }'

pytestmark = [
    needs_a_shell,
    pytest.mark.soak,
    pytest.mark.timeout(900),
    pytest.mark.usefixtures("_patient"),
]


@pytest.fixture
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A change of version is watched for half a minute, and a busy machine takes its time."""
    monkeypatch.setattr(terminal, "STEP_TIMEOUT_S", 400.0)


def test_a_till_is_configured_as_its_page_says(world: World, tmp_path: Path) -> None:
    """From the defaults to a policy over the till's own word, with an agent that runs by that file."""
    world.start_cloud()
    till = world.till()
    own = till.config.read_text()
    here = tmp_path / "here"
    here.mkdir()
    settings = here / "till.toml"
    (here / "policy.toml").write_text('[agent]\nlanguage = "kk"\n')
    page = texts()["docs/how-to/configure-a-till.md"].replace("chain.db", str(world.cloud_db))
    page = page.replace("--store S1", f"--store {STORE}").replace("--till K1", f"--till {till.name}")
    printed, note = "", ""
    wrong: list[str] = []
    with Shell(here, environment(here)) as shell:
        for block in blocks(page):
            note = block.note or (note if block.language == "text" else "")
            if block.language == "toml":
                (here / "usual.toml").write_text(block.code)
                assert "OK" in shell.run("tillside config check usual.toml")
            elif note == "of a file with problems":
                settings.write_text(BAD)
                printed = shell.run("tillside config check till.toml 2>&1 || true")
                wrong += missing(block.code, printed)
            elif block.note == "of a file with another port":
                settings.write_text("[bridge]\nport = 18000\n")
                printed = shell.run(block.code)
            elif block.note == "runs until it is ended":
                settings.write_text(own)
                shell.run(f"{block.code.strip()} --ready-file ready 2> agent.log &")
                shell.run("until test -s ready; do sleep 0.2; done")
            elif block.note == "of a changed file":
                changed = own.replace('"en"', '"kk"').replace("[cloud]", "body_limit_bytes = 70000\n[cloud]")
                settings.write_text(changed + PRINTER)
                printed = shell.run(block.code)
            elif block.note == "under the policy":
                # With its cloud and its own port: without the first nothing is ever asked for.
                settings.write_text(own.replace('"en"', '"ru"'))
                looked = "tillside config explain agent.language --config till.toml | grep -q policy"
                # After a start it asks within ten seconds; the page lets it take its five minutes.
                shell.run("kill %1; wait %1 || true")
                shell.run("tillside agent run --config till.toml 2>> agent.log &")
                shell.run(f"until {looked}; do sleep 1; done")
                printed = re.sub(r"policy \d+:", "policy 7:", shell.run(block.code))
            elif block.language == "sh":
                printed = shell.run(block.code)
            elif block.language == "text":
                wrong += [f"not printed: {line}\nbut:\n{printed}" for line in missing(block.code, printed)]
    report(wrong)


def test_a_till_changes_its_version_as_its_page_says(chain: Chain, tmp_path: Path) -> None:
    """Applied, looked at, taken back and watched; with what waits for the cloud the same after each."""
    till = Installation(tmp_path / "till", chain)
    till.manager.remove()
    till.manager = manager_of(till.layout)  # type: ignore[assignment]  # the one that the command finds
    till.manager.install(agent_command(till.layout), config=till.layout.config)
    (till.layout.config_dir / "release.pub").write_text(PUBLIC)
    machine = platform.machine()
    pack(small_bundle(tmp_path / "bundle", "1.1.0"), tmp_path / f"tillside-1.1.0-linux-{machine}.tar.gz")
    till.add("1.1.0")
    page = texts()["docs/how-to/upgrade.md"].partition("## A till\n")[2].partition("**What it finds.**")[0]
    page = page.replace("linux-x86_64", f"linux-{machine}")
    typed = [block.code for block in blocks(page) if block.language == "sh"]
    assert [code.split()[2] for code in typed] == ["apply", "status", "rollback", "watch"]
    try:
        till.start().sell("before-1", "before-2")
        with Shell(tmp_path, environment(tmp_path)) as shell:
            said = [shell.run(f"{code.strip()} --root {till.layout.root} 2>&1") for code in typed]
        assert till.version() == "1.0.0"
        till.sell("after")
    finally:
        till.end()
    promised = "\n".join(page.split("```")[3].strip().splitlines()).replace("1,204", "2")
    assert [line for line in promised.splitlines()[:2] if line not in said[0]] == []
    assert "2 queued before, 2 after, hash equal" in said[0]
    assert "without a till for" in said[0]
    assert "version 1.1.0, before it 1.0.0" in said[1]
    assert "1.0.0 serves, 1.1.0 was taken back (by_hand)" in said[2]
    assert "2 queued before, 2 after, hash equal" in said[2]
    assert "Nothing was cut off." in said[3]
    assert till.sold() == {"before-1", "before-2", "after"}


def test_a_till_moves_to_another_machine_as_its_page_says(world: World, tmp_path: Path) -> None:
    """With what waits: it goes out from there, and the old machine sells no more."""
    world.start_cloud()
    old = world.till().start().wait_members()
    new = world.till("new-pc")
    stick = tmp_path / "stick"
    stick.mkdir()
    page = texts()["docs/how-to/replace-a-till.md"].replace("chain.db", str(world.cloud_db)).replace("TILL ", "till-1 ")
    page = page.replace("/media/stick", str(stick)).replace("clone import", "clone import --passphrase-file pass.txt")
    page = page.replace("sudo systemctl", ": systemctl")
    world.line.cut()
    old.pos.sell("waits", receipt(10_000))
    old.stop()
    world.line.mend()
    notes = []
    for block in blocks(page):
        if block.language != "sh":
            continue
        notes.append(block.note)
        config = {"on the old PC": old.config, "on the new PC": new.config}.get(block.note)
        variables = environment(tmp_path, **({"TILLSIDE_CONFIG": str(config)} if config else {}))
        with Shell(tmp_path, variables) as shell:
            shell.run(SUDO)
            code = block.code.replace("clone import", f"clone import --state-dir {new.state_dir}")
            for line in code.splitlines():
                printed = shell.run(line)
                if "clone export" in line:
                    (tmp_path / "pass.txt").write_text(_passphrase(printed))
                if "clone import" in line:
                    assert "1 " in printed
                    new.start().wait_members()
    assert notes == ["at the centre", "on the old PC", "on the new PC"]
    new.drain()
    assert new.pos.ask("GET", "/v1/sales/waits")["sync"] in ("applied", "adjusted")
    new.stop()
    world.verify()


def _passphrase(printed: str) -> str:
    return printed.partition("shown once: ")[2].splitlines()[0]
