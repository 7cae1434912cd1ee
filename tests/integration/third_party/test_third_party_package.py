"""Drivers of another package, installed as its users install it: a real agent runs both of them."""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from integration.bridge.agent_kit import ANNA_CARD, enrol_by_hand, fill_cache, receipt
from till_agent.bridge.tokens import read_token

ROOT = Path(__file__).resolve().parents[3]
EXAMPLE = ROOT / "docs" / "examples" / "third-party-driver"
WAIT_S = 60


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a process that has the package, installed from its own source without any network."""
    target = tmp_path_factory.mktemp("site")
    source = tmp_path_factory.mktemp("source") / "acme"
    _copy(source)
    options = ["--no-deps", "--no-index", "--no-build-isolation", "--no-compile", "--disable-pip-version-check"]
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "-q", *options, "--target", str(target), str(source)],
        check=True,
        timeout=WAIT_S,
        capture_output=True,
    )
    return {**os.environ, "PYTHONPATH": str(target)}


def _copy(target: Path) -> None:
    """Building writes next to the source, so it is done on a copy."""
    for file in EXAMPLE.rglob("*"):
        if file.is_file() and "__pycache__" not in file.parts:
            copy = target / file.relative_to(EXAMPLE)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(file.read_bytes())


def test_its_own_checks_pass(installed: dict[str, str]) -> None:
    """The example's tests are those that a reader copies."""
    words = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--rootdir",
        str(EXAMPLE),
        "-c",
        os.devnull,
    ]
    done = subprocess.run(
        [*words, str(EXAMPLE / "tests")], env=installed, capture_output=True, text=True, timeout=WAIT_S, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout


class Till:
    """A till whose scanner and printer are the other package's, and the agent that runs it."""

    def __init__(self, folder: Path, port: int, env: dict[str, str]) -> None:
        self.slips = folder / "slips"
        self.slips.mkdir()
        self.state = folder / "state"
        self.config = folder / "till.toml"
        self.config.write_text(
            f'[agent]\nstate_dir = "{self.state}"\nlanguage = "en"\n[bridge]\nport = 0\n'
            f'[[scanners]]\nname = "belt"\ndriver = "acme-line"\nport = "127.0.0.1:{port}"\n'
            f'[[printers]]\nname = "archive"\ndriver = "acme-text"\ndevice = "{self.slips}"\n',
            encoding="utf-8",
        )
        enrol_by_hand(self.state)
        fill_cache(self.state)
        self.env = env
        ready = folder / "ready.json"
        self.process = subprocess.Popen(
            [*self.command("agent", "run"), "--ready-file", str(ready)], env=env, stderr=subprocess.PIPE
        )
        give_up = time.monotonic() + WAIT_S
        while not ready.exists():
            assert self.process.poll() is None, self.process.communicate()[1]
            assert time.monotonic() < give_up, "the agent did not get ready"
            time.sleep(0.02)
        self.url = f"http://127.0.0.1:{json.loads(ready.read_bytes())['port']}"
        self.headers = {"Authorization": f"Bearer {read_token(self.state, 'admin')}", "X-Tillside-Client": "test"}

    def command(self, *words: str) -> list[str]:
        return [str(Path(sys.executable).with_name("tillside")), *words, "--config", str(self.config)]

    def run(self, *words: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            self.command(*words), env=self.env, capture_output=True, text=True, timeout=WAIT_S, check=False
        )

    def stop(self) -> None:
        self.process.terminate()
        self.process.communicate(timeout=WAIT_S)


def test_a_real_agent_reads_its_scanner_and_prints_on_its_printer(tmp_path: Path, installed: dict[str, str]) -> None:
    """A scan comes as an event, a sale's slip is a text file, and so is the slip of `tillside devices test`."""

    async def day() -> None:
        writers: list[asyncio.StreamWriter] = []
        joined = asyncio.Event()

        async def connected(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writers.append(writer)
            joined.set()

        server = await asyncio.start_server(connected, "127.0.0.1", 0)
        till = await asyncio.to_thread(Till, tmp_path, server.sockets[0].getsockname()[1], installed)
        try:
            async with asyncio.timeout(WAIT_S), httpx.AsyncClient(base_url=till.url, headers=till.headers) as http:
                await joined.wait()
                async with http.stream("GET", "/v1/events", timeout=WAIT_S) as events:
                    writers[0].write(f"{ANNA_CARD}\r\n".encode())
                    scan = await _scan(events)
                assert (scan["device"], scan["kind"], scan["text"]) == ("belt", "card", ANNA_CARD)
                sale = receipt(10_000) | {"member": {"scan": scan["text"]}}
                assert (await http.put("/v1/sales/s-1", json=sale)).status_code == 200
                await _until(lambda: len(list(till.slips.glob("slip-*.txt"))) == 1)
                devices = (await http.get("/v1/status")).json()["devices"]
                assert {(each["device"], each["state"]) for each in devices} == {
                    ("belt", "ready"),
                    ("archive", "ready"),
                }
            tried = await asyncio.to_thread(till.run, "devices", "test", "printer", "--json")
        finally:
            await asyncio.to_thread(till.stop)
            for writer in writers:
                writer.close()
            server.close()
        assert tried.returncode == 0, tried.stdout + tried.stderr
        told = json.loads(tried.stdout)
        assert told["outcome"] == "printed"
        first, second = sorted(till.slips.glob("slip-*.txt"))
        assert "500" in first.read_text(encoding="utf-8")
        assert told["code"] in second.read_text(encoding="utf-8")

    asyncio.run(day())


async def _scan(events: httpx.Response) -> dict[str, str]:
    name = ""
    async for line in events.aiter_lines():
        if line.startswith("event: "):
            name = line[7:]
        elif line.startswith("data: ") and name == "scan":
            found: dict[str, str] = json.loads(line[6:])
            return found
    raise AssertionError("the stream of events ended")


async def _until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.02)
