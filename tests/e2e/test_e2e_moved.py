"""With real processes: a till moves by its file and a code, and the chain's policy reaches a running agent."""

import json
from pathlib import Path

import pytest

from kit.bridge import receipt
from kit.chain import ANNA
from kit.processes import run
from kit.world import World

pytestmark = pytest.mark.soak


def test_a_till_moves_with_its_queue_and_the_cloud_knows_one_machine(world: World, tmp_path: Path) -> None:
    """Export, import with a code, start: what waited arrives once; a copy of the file with the same code is refused."""
    world.start_cloud()
    old = world.till().start().wait_members()
    old.pos.sell("m-1", receipt(10_000, member={"card": ANNA.card}))
    old.drain()
    world.line.cut()
    old.pos.sell("m-2", receipt(20_000, member={"card": ANNA.card}))
    old.stop()
    file, words = tmp_path / "till.clone", tmp_path / "words"
    words.write_text("correct horse battery\n")
    told = old.command("clone", "export", file, "--passphrase-file", words).out
    assert "operations that wait in it: 1" in told
    world.line.mend()
    copy = tmp_path / "copy.clone"
    copy.write_bytes(file.read_bytes())
    code = tmp_path / "code"
    code.write_text(world.command("cloud", "till", "code", "till-1").out)

    new = world.till("new-pc")
    sealed = ("--passphrase-file", words, "--code-file", code, "--state-dir", new.state_dir)
    assert "operations that wait: 1" in new.command("clone", "import", file, *sealed).out
    again = run(
        *("clone", "import", copy, "--config", tmp_path / "third.toml", "--passphrase-file", words),
        *("--code-file", code, "--state-dir", tmp_path / "third"),
        folder=tmp_path,
        status=1,
    )
    assert "code_used" in again.err
    new.start().wait_members()
    new.pos.sell("m-3", receipt(30_000, member={"card": ANNA.card}))
    new.drain()
    for uid in ("m-1", "m-2", "m-3"):
        assert new.pos.ask("GET", f"/v1/sales/{uid}")["sync"] in ("applied", "adjusted")
    old.start()
    assert "till_retired" in {each["code"] for each in old.status()["problems"]}
    old.stop()
    new.stop()
    ops = world.command("cloud", "till", "list", "--json").out
    assert next(row for row in json.loads(ops) if row["till"] == "till-1")["acked_seq"] == 3
    world.verify()


def test_a_policy_and_a_changed_file_reach_a_running_agent(world: World, tmp_path: Path) -> None:
    """`cloud policy put`, the till's next look, `config explain`; `config apply` and a bad file; a start with that."""
    world.start_cloud()
    policy = tmp_path / "policy.toml"
    policy.write_text('[agent]\nlanguage = "kk"\n')
    world.command("cloud", "policy", "put", policy)
    till = world.till().start().wait_members()
    till.wait_status(lambda _: (till.state_dir / "policy.json").exists(), "the policy to come")
    explained = run("config", "explain", "agent.language", "--config", till.config, folder=tmp_path).out
    assert 'agent.language = "kk"\n  from:     policy 1:4:1, over ' in explained
    text = till.config.read_text()
    till.config.write_text(text.replace("port = 0", "port = 0\nbody_limit_bytes = 70000\n").replace("10000", "9000"))
    told = till.command("config", "apply").out
    assert "bridge.rate_limit_per_second" in told
    assert "Restart the agent for: bridge.body_limit_bytes." in told
    till.config.write_text("[agent]\nstate_dir = 5\n")
    assert "till-1.toml:2:13" in till.command("config", "apply", status=1).err
    till.config.write_text(text.replace("port = 0", "prot = 0"))
    till.stop()
    till.start()
    assert "config_bad" in {each["code"] for each in till.status()["problems"]}
    till.pos.sell("p-1", receipt(1_000))
    till.stop()
