"""The chain that is measured: a cloud and a till of their own in a folder that is removed afterwards."""

import asyncio
import contextlib
import csv
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from till_agent.cache import CacheStore
from till_installer.demo.processes import Processes, command, ready_facts
from till_loyalty.programme_document import digest, example_text, parse_programme, programme_json
from till_sync.identity import IDENTITY_FILE, Identity, load_identity
from till_sync.wire import ChangesAnswer, ProgrammeRow
from tillbench import people
from tillbench.wire import Connection, request

TILL, STORE = "till-1", "store-1"
PAGE_ROWS = 10_000
"""As large as the pages of a first pull."""
READY_POLL_S = 0.001
READY_TIMEOUT_S = 30.0
CLOUD_MEMBERS = 2_000


class World:
    """Folders, processes and settings. `parts` ends every process that was started here, and nothing else."""

    def __init__(self, folder: Path, programme: str = "") -> None:
        self.folder = folder
        self.parts = Processes(folder)
        self._programme = programme or example_text("supermarket")

    @property
    def state_dir(self) -> Path:
        """Of the till that is measured."""
        return self.folder / "state"

    @property
    def cloud_db(self) -> Path:
        """The cloud's database."""
        return self.folder / "cloud.db"

    def identity(self, state_dir: Path | None = None) -> Identity:
        """What enrolment gave."""
        return load_identity((state_dir or self.state_dir) / IDENTITY_FILE)

    def programme(self) -> str:
        """The packaged supermarket programme, unless another was given."""
        return self._programme

    def programme_row(self) -> ProgrammeRow:
        """The programme as the cloud sends it."""
        body = programme_json(parse_programme(self.programme()))
        return ProgrammeRow(programme_id="supermarket", version=1, digest=digest(body), active=True, body=body)

    def second_state(self, name: str) -> Path:
        """Another state directory of the same till, enrolled and empty."""
        state = self.folder / name
        state.mkdir(mode=0o700)
        shutil.copy2(self.state_dir / IDENTITY_FILE, state)
        return state

    def make_cloud(self) -> None:
        """A cloud with a programme, a store and members, by the commands that a chain would use."""
        db = str(self.cloud_db)
        text = self.folder / "programme.toml"
        text.write_text(self.programme(), encoding="utf-8")
        members = self.folder / "members.csv"
        with members.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(("name", "phone", "card", "tier", "balance"))
            for number in range(CLOUD_MEMBERS):
                tier = people.TIERS[number % len(people.TIERS)]
                writer.writerow((f"Member {number}", "", people.card(number), tier, number * 37 % 2_500))
        run = self.parts.run
        run("cloud", "init", "--db", db)
        run("cloud", "programme", "upload", "--db", db, str(text))
        run("cloud", "store", "add", STORE, "--db", db, "--name", "Bench", "--time-zone", "Asia/Almaty")
        run("cloud", "member", "import", "--db", db, str(members))

    def enrol(self) -> None:
        """Make the till known to the cloud."""
        port = self.start_cloud()
        code = self.parts.run("cloud", "till", "add", TILL, "--db", str(self.cloud_db), "--store", STORE).split()[-1]
        self.parts.run("agent", "enrol", "--config", str(self.config("enrol", self.state_dir, port)), "--code", code)
        self.parts.stop("cloud")

    def config(self, name: str, state_dir: Path, cloud_port: int = 0, more: str = "") -> Path:
        """A configuration file. Without a cloud's port the till has no line at all."""
        path = self.folder / f"{name}.toml"
        url = f"http://127.0.0.1:{cloud_port}" if cloud_port else ""
        path.write_text(
            f'[agent]\nstate_dir = "{state_dir}"\nlanguage = "ru"\nlog_level = "warning"\n'
            # The limit guards a till against a mad client; a benchmark is one.
            f"[bridge]\nport = 0\nrate_limit_per_second = 10000\n"
            f'[cloud]\nurl = "{url}"\nspread_ms = 0\n{more}',
            encoding="utf-8",
        )
        return path

    def start_cloud(self, port: int = 0, db: Path | None = None) -> int:
        """Serve; gives the port."""
        ready = self.folder / "cloud.ready"
        ready.unlink(missing_ok=True)
        words = ("cloud", "run", "--db", str(db or self.cloud_db), "--port", str(port), "--ready-file", str(ready))
        self.parts.start("cloud", *words, ready=ready)
        return int(ready_facts(ready)["port"])

    def pid_of_cloud(self) -> int:
        """Of the process that `start_cloud` started last."""
        return int(ready_facts(self.folder / "cloud.ready")["pid"])

    def start_agent(self, config: Path, name: str = "agent") -> "RunningTill":
        """The installed command, as the service would run it; a second one at the same time has another `name`."""
        ready = self.folder / f"{name}.ready"
        ready.unlink(missing_ok=True)
        child = self.parts.start(name, "agent", "run", "--config", str(config), "--ready-file", str(ready), ready=ready)
        settings = config.read_text(encoding="utf-8")
        state_dir = Path(settings.split('state_dir = "', 1)[1].split('"', 1)[0])
        return RunningTill(child.pid, int(ready_facts(ready)["port"]), state_dir)

    def stop_agent(self, name: str = "agent") -> None:
        """In order, as at the end of a day."""
        self.parts.stop(name)


class RunningTill:
    """A running agent: its process, its port, and the two tokens."""

    def __init__(self, pid: int, port: int, state_dir: Path) -> None:
        self.pid, self.port, self.state_dir = pid, port, state_dir
        self.token = (state_dir / "tokens" / "pos.token").read_text(encoding="ascii").strip()
        self.admin = (state_dir / "tokens" / "admin.token").read_text(encoding="ascii").strip()

    def resident_kib(self) -> int:
        """Resident memory now."""
        return resident_kib(self.pid)

    def status(self, connection: Connection) -> dict[str, Any]:
        """`/v1/status` by the admin's token."""
        found: dict[str, Any] = json.loads(
            connection.call(request("GET", "/v1/status", self.port, token=self.admin, close=False))
        )
        return found


def resident_kib(pid: int) -> int:
    """VmRSS of a process; 0 where the system does not say."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    except OSError:
        return 0
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:"))


def time_start_ms(words: list[str], ready: Path) -> tuple[float, subprocess.Popen[bytes]]:
    """Milliseconds from the start of a process to its ready file; the process goes on."""
    ready.unlink(missing_ok=True)
    started = time.perf_counter()
    child = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not ready.exists():
        if child.poll() is not None or time.perf_counter() - started > READY_TIMEOUT_S:
            child.kill()
            child.wait()
            raise RuntimeError(f"{words[:4]} did not come up")
        time.sleep(READY_POLL_S)
    return (time.perf_counter() - started) * 1000, child


def end(child: subprocess.Popen[bytes]) -> None:
    """Politely, then not."""
    child.terminate()
    try:
        child.wait(10)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def agent_words(config: Path, ready: Path) -> list[str]:
    """The command line of an agent."""
    return command("agent", "run", "--config", str(config), "--ready-file", str(ready))


@contextlib.contextmanager
def echo_server(folder: Path, *, durable: bool = False) -> Iterator[int]:
    """The bare server in a process of its own; gives its port. `durable`: it syncs before each answer, in `folder`."""
    ready = folder / "echo.ready"
    ready.unlink(missing_ok=True)  # Of an earlier one in this folder, whose port is closed.
    words = [sys.executable, "-m", "tillbench.echo", str(ready), *([str(folder)] if durable else [])]
    benchmarks = str(Path(__file__).resolve().parents[1])
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([benchmarks, *filter(None, [os.getenv("PYTHONPATH")])])}
    child = subprocess.Popen(words, stdin=subprocess.DEVNULL, env=environment)
    try:
        give_up = time.monotonic() + READY_TIMEOUT_S
        while not ready.exists():
            if child.poll() is not None or time.monotonic() > give_up:
                raise RuntimeError("the echo server did not come up")
            time.sleep(READY_POLL_S)
        yield int(ready_facts(ready)["port"])
    finally:
        end(child)


def build_cache(path: Path, identity: Identity, members: int, programme: ProgrammeRow) -> None:
    """Fill a cache as a first pull would: pages through `CacheStore.store_page`, the last one without `more`."""

    async def fill() -> None:
        cache = CacheStore(path, identity.till)
        await cache.start()
        for first in range(0, members, PAGE_ROWS):
            numbers = range(first, min(first + PAGE_ROWS, members))
            page = ChangesAnswer(
                incarnation="bench",
                rows=(programme, *[people.row(identity.key, number) for number in numbers]),
                next=f"bench:{numbers.stop}",
                more=numbers.stop < members,
                epoch=0,
                acked_seq=0,
                server_time_ms=int(time.time() * 1000),
            )
            await cache.store_page(page)
        await cache.stop()

    asyncio.run(fill())
