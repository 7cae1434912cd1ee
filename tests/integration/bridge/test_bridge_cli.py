"""The agent's commands: against a running agent, against its files when it is down, and when there is neither."""

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from integration.bridge.agent_kit import (
    LiveAgent,
    enrol_by_hand,
    fill_cache,
    live_agent,
    receipt,
    settings_for,
    written_config,
)
from till_agent.bridge.tokens import read_token
from till_agent.cli import asking
from till_agent.cli.asking import ask
from till_agent.cli.sync import show
from till_agent.instance import RUNNING_FILE, StateDir
from till_config.main import main


@pytest.fixture
def state_dir(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def config(tmp_path: Path, state_dir: Path) -> Path:
    return written_config(tmp_path, state_dir)


@pytest.fixture
def agent(state_dir: Path) -> Iterator[LiveAgent]:
    enrol_by_hand(state_dir)
    fill_cache(state_dir)
    with live_agent(settings_for(state_dir)) as running:
        yield running


def tillside(*words: str) -> Result:
    return CliRunner().invoke(main, words, catch_exceptions=False)


def on(config: Path, *words: str) -> Result:
    return tillside(*words, "--config", str(config))


def test_queue_and_sync_are_the_same_from_the_agent_and_from_its_files(config: Path, state_dir: Path) -> None:
    enrol_by_hand(state_dir)
    with live_agent(settings_for(state_dir)) as agent:
        for number in range(3):
            assert agent.call("PUT", f"/v1/sales/s-{number}", receipt(100)).status == 200
        asked = {
            words: on(config, *words).stdout
            for words in (
                ("queue", "list", "--json"),
                ("queue", "list", "--newest", "--limit", "2"),
                ("queue", "show", "2"),
            )
        }
        status = json.loads(on(config, "sync", "status", "--json").stdout)
        assert (status["waiting"], status["last_seq"]) == (3, 3)
    assert [op["op"] for op in json.loads(asked["queue", "list", "--json"])["ops"]] == ["t1:1:1", "t1:1:2", "t1:1:3"]
    for words, said in asked.items():
        read = on(config, *words)
        assert read.stdout == said
        assert "no agent is running" in read.stderr
    assert json.loads(on(config, "sync", "status", "--json").stdout) == {"waiting": 3, "acked_seq": 0, "last_seq": 3}


def test_sync_status_is_worded_for_people(config: Path, agent: LiveAgent) -> None:
    said = on(config, "sync", "status").stdout
    assert "waiting for the cloud  0 ops" in said
    assert "cloud.url is not set" in said


def test_sync_now_that_reaches_nobody_ends_with_status_1(config: Path, agent: LiveAgent) -> None:
    result = on(config, "sync", "now")
    assert result.exit_code == 1
    assert "line                   down" in result.stdout


def test_op_that_there_is_not_is_said_in_one_line(config: Path, agent: LiveAgent) -> None:
    result = on(config, "queue", "show", "7")
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
    assert "404" in result.stderr


@pytest.mark.parametrize("words", [("sync", "status"), ("sync", "now"), ("queue", "list"), ("queue", "show", "1")])
def test_neither_agent_nor_files_is_one_clear_line(config: Path, words: tuple[str, ...]) -> None:
    result = on(config, *words)
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: no agent is running on ")
    assert result.stderr.count("\n") == 1


def test_killed_agents_leftover_does_not_get_the_token_sent_to_its_port(config: Path, state_dir: Path) -> None:
    """The port may be another program's by now."""
    enrol_by_hand(state_dir)
    with live_agent(settings_for(state_dir)):
        leftover = (state_dir / RUNNING_FILE).read_bytes()
    (state_dir / RUNNING_FILE).write_bytes(leftover)
    result = on(config, "sync", "now")
    assert "no agent is running" in result.stderr


def test_token_command_shows_the_path_alone(config: Path, agent: LiveAgent, state_dir: Path) -> None:
    result = on(config, "agent", "token", "pos")
    assert result.stdout.strip() == str(state_dir / "tokens" / "pos.token")
    assert str(read_token(state_dir, "pos")) not in result.output
    assert "expected one of bridge.clients" in on(config, "agent", "token", "nobody").stderr


def test_openapi_command_prints_what_is_served(agent: LiveAgent) -> None:
    assert tillside("agent", "openapi").stdout.encode() == agent.call("GET", "/openapi.json").body


@pytest.mark.parametrize("language", ["ru", "kk", "ky", "uk", "en"])
def test_slip_preview_fits_its_columns(language: str) -> None:
    text = tillside("slip", "preview", "--lang", language, "--columns", "32").stdout
    assert "412" in text
    assert max(len(line) for line in text.splitlines()) <= 32


def test_slip_preview_draws_a_picture(tmp_path: Path) -> None:
    picture = tmp_path / "slip.png"
    assert tillside("slip", "preview", "--png", str(picture)).stdout.strip() == str(picture)
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_slip_preview_of_a_bad_template_is_one_line(tmp_path: Path) -> None:
    template = tmp_path / "bad.slip"
    template.write_text("{{ nothing }}")
    result = tillside("slip", "preview", "--template", str(template))
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: bad.slip")


def test_enrol_without_a_cloud_says_what_is_missing(config: Path) -> None:
    assert "cloud.url" in on(config, "agent", "enrol", "--code", "X").stderr
    assert "one of --code and --code-file" in on(config, "agent", "enrol").stderr


def started(config: Path, ready: Path) -> "subprocess.Popen[bytes]":
    """The agent as a process of its own, ready."""
    words = [
        sys.executable,
        "-m",
        "till_config.main",
        "agent",
        "run",
        "--config",
        str(config),
        "--ready-file",
        str(ready),
    ]
    words[1:3] = ["-c", "from till_config.main import main; main()"]
    process = subprocess.Popen(words, stderr=subprocess.PIPE)
    give_up = time.monotonic() + 30
    while not ready.exists():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < give_up, "the agent did not get ready"
        time.sleep(0.01)
    return process


def test_daemon_tells_ready_stops_on_sigterm_and_logs_json(config: Path, state_dir: Path, tmp_path: Path) -> None:
    enrol_by_hand(state_dir)
    ready = tmp_path / "ready.json"
    process = started(config, ready)
    told = json.loads(ready.read_bytes())
    assert told["pid"] == process.pid
    assert ask(state_dir, "GET", "/v1/sync")["enrolled"] is True
    process.send_signal(signal.SIGTERM)
    _, logged = process.communicate(timeout=20)
    assert process.returncode == 0
    assert not ready.exists()
    assert not (state_dir / RUNNING_FILE).exists()
    lines = [json.loads(line) for line in logged.splitlines()]
    assert {"ready", "stopping"} <= {line["message"] for line in lines}
    if os.name == "posix":
        assert (state_dir / "journal.db").stat().st_mode & 0o077 == 0


@pytest.mark.faults
def test_killed_daemon_keeps_what_it_acknowledged(config: Path, state_dir: Path, tmp_path: Path) -> None:
    """kill -9 right after the answer; the next start has the sale and gives the same answer."""
    enrol_by_hand(state_dir)
    process = started(config, tmp_path / "ready.json")
    told = json.loads((tmp_path / "ready.json").read_bytes())
    agent = _Remote(told["port"], state_dir)
    first = agent.call("PUT", "/v1/sales/s-1", receipt(100))
    assert first.status == 200
    process.kill()
    process.communicate()
    assert json.loads(on(config, "queue", "list", "--json").stdout)["ops"][0]["uid"] == "s-1"
    with live_agent(settings_for(state_dir)) as again:
        assert again.call("PUT", "/v1/sales/s-1", receipt(100)).body == first.body


class _Remote(LiveAgent):
    """Calls to an agent of another process."""

    def __init__(self, port: int, state_dir: Path) -> None:
        self.running = _Place(port, state_dir)  # type: ignore[assignment]  # the two fields that calls use


class _Place:
    def __init__(self, port: int, state_dir: Path) -> None:
        self.port = port
        self.state_dir = state_dir


def test_an_agent_that_starts_is_no_broken_journal(config: Path, state_dir: Path) -> None:
    """It has the file to itself before it answers: nobody is to think that the file is the trouble."""
    enrol_by_hand(state_dir)
    with live_agent(settings_for(state_dir)) as agent:
        assert agent.call("PUT", "/v1/sales/s-1", receipt(100)).status == 200
    (state_dir / RUNNING_FILE).write_text('{"port": 1, "pid": 1}')
    with (
        contextlib.closing(sqlite3.connect(state_dir / "journal.db", isolation_level=None)) as held,
        StateDir(state_dir),
    ):
        held.execute("PRAGMA locking_mode = EXCLUSIVE")
        held.execute("BEGIN EXCLUSIVE")
        told = on(config, "queue", "list")
    assert told.exit_code == 1
    assert "an agent alone that starts just now, or hangs: try again in a minute" in told.output
    assert "can't be read" not in told.output


def test_a_running_agent_keeps_its_identity_and_the_code_its_use(config: Path, state_dir: Path) -> None:
    """One thing to do, which is not another state directory."""
    enrol_by_hand(state_dir)
    config.write_text(config.read_text() + '[cloud]\nurl = "http://127.0.0.1:9"\n')
    with StateDir(state_dir):
        told = on(config, "agent", "enrol", "--again", "--code", "till-1.AAAA")
    assert told.exit_code == 1
    assert f"the agent runs on {state_dir}: stop it, then enrol by the same code" in told.output


def test_sync_tells_a_refused_till_from_a_cut_line(capsys: pytest.CaptureFixture[str]) -> None:
    """And says of nothing that it never was, when only this start of the agent has not seen it."""
    found = {
        "waiting": 1, "acked_seq": 3, "last_seq": 4, "online": False, "halted": "token_invalid", "last_push_ms": 0,
        "oldest_waiting_ms": 0, "last_pull_ms": 0, "pushed": 0, "resent": 0, "adjusted": 0, "rejected": 0,
        "loading": False, "divergences": 0, "last_error": "token_invalid: 401",
    }  # fmt: skip
    show(found)
    said = " ".join(capsys.readouterr().out.split())
    assert "line halted (token_invalid)" in said
    assert "never" not in said
    show(found | {"halted": ""})
    assert "line down" in " ".join(capsys.readouterr().out.split())


def test_sync_does_not_say_none_of_a_journal_that_is_closed(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An agent on a disk that refuses knows of no operation: that is no empty queue."""
    closed = {"code": "journal_unavailable", "text": "the journal can't be opened"}
    answers: dict[str, object] = {
        "/v1/sync": {"online": False, "waiting": 0, "acked_seq": 0, "last_seq": 0},
        "/v1/status": {"problems": [closed]},
    }
    monkeypatch.setattr(asking, "ask", lambda _dir, _method, path, _body=None: answers[path])
    told = on(config, "sync", "status")
    assert (told.exit_code, told.output) == (1, "Error: the journal can't be opened\n")
