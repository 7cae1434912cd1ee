"""A state directory on a disk that takes nothing: the agent comes up, says so, and refuses sales in words."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from faults.disk_kit import needs_mount
from integration.bridge.agent_kit import live_agent, receipt
from integration.bridge.registration_kit import enrolled
from integration.bridge.serving_kit import cloud_served
from integration.bridge.test_bridge_offline_spending import KIM, chain
from till_agent.bridge.exceptions import AgentStartError, AlreadyRunningError
from till_agent.instance import LOCK_FILE, StateDir

WAIT_S = 20.0
READ_ONLY = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"'


@contextlib.contextmanager
def on_a_read_only_disk(folder: Path, name: str) -> Iterator[httpx.Client]:
    """The till's agent as a process, in which nothing of its state directory can be written; its cash software."""
    ready = folder / "ready.json"
    state = folder / name
    words = [sys.executable, "-m", "till_config", "agent", "run", "--config", str(folder / f"{name}.toml")]
    with (folder / "agent.log").open("wb") as log:
        command = ["unshare", "-Urm", "sh", "-c", READ_ONLY, str(state), *words, "--ready-file", str(ready)]
        agent = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=log)
        try:
            end = time.monotonic() + WAIT_S
            while not ready.exists():
                assert agent.poll() is None, (folder / "agent.log").read_text(encoding="utf-8")
                assert time.monotonic() < end, "the agent did not come up"
                time.sleep(0.05)
            port = json.loads(ready.read_bytes())["port"]
            token = (state / "tokens" / "pos.token").read_text(encoding="ascii").strip()
            head = {"Authorization": f"Bearer {token}", "X-Tillside-Client": "test"}
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=head, trust_env=False) as client:
                yield client
        finally:
            agent.send_signal(signal.SIGTERM)
            agent.wait(WAIT_S)


@needs_mount
def test_it_comes_up_and_says_what_is_wrong(tmp_path: Path) -> None:
    """No sale is taken that could not be kept; the cashier hears it in words, and support in the status."""
    database = chain(tmp_path)
    with cloud_served(database) as port:
        settings = enrolled(tmp_path, database, "t1", port)
        with live_agent(settings) as till:
            till.wait_for(lambda: till.running.agent.open_core is not None)
        with on_a_read_only_disk(tmp_path, "t1") as cash:
            answer = cash.put("/v1/sales/u1", json=receipt(10_000) | KIM)
            told: Any = answer.json()
            assert (answer.status_code, told["code"], told["retryable"]) == (503, "journal_unavailable", True)
            assert told["cashier"]
            plain_goes_on(cash)
            for method, path, asked in (
                ("POST", "/v1/identify", {"reference": "m-kim"}),
                ("POST", "/v1/quotes", receipt(10_000) | KIM),
                ("POST", "/v1/holds", {"sale_uid": "u1", "points": 100} | KIM),
                ("POST", "/v1/sales/u0/void", None),
                ("GET", "/v1/sales/u0", None),
            ):
                refused = cash.request(method, path, json=asked)
                told = refused.json()
                assert (refused.status_code, told["code"], told["retryable"]) == (503, "journal_unavailable", True)
                assert told["cashier"]
            status = cash.get("/v1/status").json()
            assert not status["ready"]
            assert "journal_unavailable" in {each["code"] for each in status["problems"]}
        with live_agent(settings) as till:
            till.wait_for(lambda: till.running.agent.open_core is not None)
            assert till.running.agent.open_core.journal.figures.waiting == 0
            kept = till.call("PUT", "/v1/sales/plain", receipt(10_000)).json
            assert kept.get("kept", True)
            assert kept["op"]


def plain_goes_on(cash: httpx.Client) -> None:
    """As on a disk that became full: a receipt of nobody is quoted and sold, and is not kept, also when asked again."""
    quote = cash.post("/v1/quotes", json=receipt(10_000))
    assert (quote.status_code, quote.json()["calculation"]["payable_minor"]) == (200, 10_000)
    for _ in range(2):
        sold = cash.put("/v1/sales/plain", json=receipt(10_000))
        told = sold.json()
        assert (sold.status_code, told["kept"], told["op"]) == (200, False, "")
        assert [each["code"] for each in told["messages"]] == ["not_kept"]


@pytest.mark.parametrize("there", [True, False])
def test_two_agents_never_share_a_directory_that_can_not_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: bool
) -> None:
    """What is there is locked instead; a folder of another user's is told at once, as before."""
    if there:
        (tmp_path / LOCK_FILE).touch()
    opened = os.open
    error = 30

    def refuse(path: Any, flags: int, *more: Any) -> int:
        if flags & os.O_CREAT:
            raise OSError(error, "Read-only file system")
        return opened(path, flags, *more)

    monkeypatch.setattr(os, "open", refuse)
    with StateDir(tmp_path), pytest.raises(AlreadyRunningError), StateDir(tmp_path):
        pass
    with StateDir(tmp_path):
        pass
    error = 13
    with pytest.raises(AgentStartError, match="give it to the agent's user"), StateDir(tmp_path):
        pass
