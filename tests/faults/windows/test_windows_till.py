"""The set-up for Windows as it is built, under wine: installed, sold with, killed, stopped, removed, purged, upgraded.

Wine is no Windows: what only that can show stands in docs/how-to/install-on-windows.md.
"""

import shlex
import shutil
import socket
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from faults.windows.wine_kit import LACKING, ROLL_OUT, TYPED_TIMEOUT_S, UP_PATIENCE_S, WindowsTill, Wine
from house.shell import blocks
from house.tree import ROOT, texts
from kit.bridge import Body, receipt
from kit.chain import ANNA, PEOPLE, STORE
from kit.processes import COMMAND, free_port
from kit.proof import at_cloud, check_cloud, check_journal
from kit.waiting import wait_for
from kit.world import World
from till_installer.upgrade.pointers import named
from till_sync.heartbeat import UPDATE_STATE_FILE, UpdateState

pytestmark = [
    pytest.mark.soak,
    pytest.mark.slow,
    pytest.mark.timeout(0),
    pytest.mark.skipif(bool(LACKING), reason=LACKING),
]

TILL = "till-w"
PAGE = "docs/how-to/install-on-windows.md"
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
NEWER = "9.0.0"
WAITING = " _?=C:\\Program Files\\Tillside"
"""The uninstaller runs a copy of itself and ends; by this, as its last word, it does the work itself."""
BUILD = next(
    shlex.split(line)[1:]
    for block in blocks(texts()[PAGE])
    for line in block.code.splitlines()
    if line.startswith("tillside bundle windows")
)
AS_SYSTEM = " /ACCOUNT=LocalSystem"
"""Wine has no accounts: its `sc` knows no `config`."""
INSTALL, UNINSTALL = (block.code.strip() for block in blocks(texts()[PAGE]) if block.language == "bat")
SET_UP = INSTALL.partition(" ")[0]


@pytest.fixture(scope="module")
def set_ups(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the set-up of this tree, and with one of the same programs under a higher number."""
    folder = tmp_path_factory.mktemp("windows")
    for version in (VERSION, NEWER):
        wheel = _wheel(folder / version, version)
        words = [str(wheel) if word.endswith(".whl") else word for word in BUILD]
        done = subprocess.run(
            [*COMMAND, *words, "--into", str(folder)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            timeout=TYPED_TIMEOUT_S,
        )
        assert done.returncode == 0, done.stderr
    return folder


def _wheel(folder: Path, version: str) -> Path:
    """Of this tree, with that number."""
    about = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    packages = tomllib.loads(about)["tool"]["hatch"]["build"]["targets"]["wheel"]["only-include"]
    for name in packages:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    about = about.replace(f'\nversion = "{VERSION}"\n', f'\nversion = "{version}"\n')
    (folder / "pyproject.toml").write_text(about, encoding="utf-8")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder / "dist")]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=TYPED_TIMEOUT_S)
    (wheel,) = (folder / "dist").glob(f"tillside-{version}-*.whl")
    return wheel


@pytest.fixture
def till(world: World, tmp_path: Path, set_ups: Path) -> Iterator[WindowsTill]:
    """An empty machine, and in C:\\roll-out what the page's command names: set-up, settings, one-time code."""
    world.start_cloud()
    code = world.command("cloud", "till", "add", TILL, "--store", STORE).out.split()[-1]
    with Wine(tmp_path / "wine") as wine:
        folder = wine.drive / ROLL_OUT
        for set_up in set_ups.glob("TillsideSetup-*.exe"):
            shutil.copy(set_up, folder)
        (folder / "code.txt").write_text(f"{code}\r\n", encoding="utf-8", newline="")
        (folder / "till.toml").write_text(
            f'[agent]\nlanguage = "en"\n[bridge]\nport = {free_port()}\n'
            f'[cloud]\nurl = "http://127.0.0.1:{world.line.port}"\npoll_interval_ms = 500\nspread_ms = 0\n',
            encoding="utf-8",
        )
        yield WindowsTill(wine)


def test_a_windows_till_lives_from_its_set_up_to_its_end(till: WindowsTill, world: World) -> None:
    """Each step on what the one before has left, as on a till."""
    book = Book(till)
    _is_refused_and_leaves_nothing(till)
    _is_installed_and_sells(till, world, book)
    _changes_nothing_the_second_time(till)
    _comes_back_after_a_kill(till, book)
    _stops_and_starts(till, book)
    _starts_with_the_machine(till, book)
    _is_removed_and_finds_its_data_again(till, book)
    _is_mended(till, book)
    _is_not_purged_with_a_queue(till, world, book)
    _is_upgraded_with_a_queue(till, book)
    _is_no_other_version_by_a_repair_alone(till, book)
    world.line.mend()
    book.drain()
    till.wine.type("net stop tillside")
    till.wait_silent()
    check_cloud(world.cloud_db, TILL, check_journal(till.layout.state_dir, book.answers, set(book.answers)))
    till.wine.type(f"{UNINSTALL} /PURGE=1{WAITING}")
    assert not list(till.layout.state_dir.rglob("*.db")), "purged"
    assert not (till.layout.state_dir / "identity.json").exists()


class Book:
    """What was sold, and the very bytes of each answer."""

    def __init__(self, till: WindowsTill) -> None:
        self.till = till
        self.answers: dict[str, bytes] = {}

    def sell(self) -> None:
        """One more; and each one before is answered as it was."""
        uid = f"{TILL}-{len(self.answers) + 1}"
        self.answers[uid] = b""
        with self.till.bridge() as pos:
            for each, known in self.answers.items():
                answer = pos.send("PUT", f"/v1/sales/{each}", self._body())
                assert answer.status_code == 200, answer.text
                assert answer.content == known or each == uid
                assert ("idempotent-replay" in answer.headers) == (each != uid)
                self.answers[each] = answer.content

    def drain(self) -> None:
        """Until nothing waits for the cloud."""

        def drained() -> bool:
            with self.till.bridge("admin") as admin:
                found = admin.ask("POST", "/v1/sync")
            return bool(found["waiting"] == 0 and found["online"])

        wait_for(drained, "the queue to reach the cloud", patience_s=UP_PATIENCE_S)

    @staticmethod
    def _body() -> Body:
        return receipt(10_000, 2_500, member={"card": ANNA.card})


def _is_refused_and_leaves_nothing(till: WindowsTill) -> None:
    """Another program has the port: neither programs nor a service are left, only what was said."""
    settings = tomllib.loads((till.wine.drive / ROLL_OUT / "till.toml").read_text(encoding="utf-8"))
    with socket.create_server(("127.0.0.1", settings["bridge"]["port"])):
        till.wine.type(INSTALL + AS_SYSTEM, status=1)
    assert "port_taken" in till.log()
    assert not till.layout.programs.exists()
    assert not till.layout.config.exists()


def _is_installed_and_sells(till: WindowsTill, world: World, book: Book) -> None:
    """By the page's command; what is sold reaches the cloud."""
    till.wine.type(INSTALL + AS_SYSTEM)
    till.wait_selling(VERSION)
    till.wait_state("SERVICE_RUNNING")
    assert named(till.layout.current) == VERSION
    assert "installed" in till.done()
    policy = r"HKLM\SOFTWARE\Policies\Google\Chrome\LocalNetworkAccessAllowedForUrls"
    assert "https://pos.example" in till.wine.type(f"reg query {policy}")
    entry = r"HKLM\Software\Microsoft\Windows\CurrentVersion\Uninstall\Tillside"
    assert VERSION in till.wine.type(f"reg query {entry} /v DisplayVersion")
    with till.bridge("admin") as admin:
        wait_for(
            lambda: admin.ask("GET", "/v1/status")["members_cached"] >= len(PEOPLE),
            "the members to come from the cloud",
            patience_s=UP_PATIENCE_S,
        )
    book.sell()
    book.drain()
    assert at_cloud(world.cloud_db, "SELECT count(*) FROM ops WHERE till = ? AND kind = 'sale'", TILL) == [(1,)]


def _changes_nothing_the_second_time(till: WindowsTill) -> None:
    """Neither the agent that runs nor a line of the audit log; the code, which is used up, is not asked for again."""
    pid, done, said = till.running().pid, till.done(), till.log()
    till.wine.type(INSTALL + AS_SYSTEM)
    assert (till.running().pid, till.done()) == (pid, done)
    assert [line for line in till.log().removeprefix(said).splitlines() if line[20:].startswith("  ")] == []


def _comes_back_after_a_kill(till: WindowsTill, book: Book) -> None:
    """NSSM starts it again, and nothing that it had acknowledged is lost or doubled."""
    pid = till.running().pid
    till.wine.type(f"taskkill /F /PID {pid}")
    till.wait_selling(VERSION, not_pid=pid)
    till.wait_state("SERVICE_RUNNING")
    assert (till.layout.state_dir / "starts").stat().st_size == 2, "once by hand, once by NSSM"
    book.sell()


def _stops_and_starts(till: WindowsTill, book: Book) -> None:
    """In order, as the log has it; and it is not started again before somebody asks for it."""
    ends = till.agent_log().count("stopping")
    till.wine.type("net stop tillside")
    till.wait_silent()
    till.wait_state("SERVICE_STOPPED")
    assert till.agent_log().count("stopping") == ends + 1
    till.wine.type("net start tillside")
    till.wait_selling(VERSION)
    book.sell()


def _starts_with_the_machine(till: WindowsTill, book: Book) -> None:
    """After the power went."""
    till.wine.power_off()
    assert not till.answers()
    till.wine.power_on()
    till.wait_selling(VERSION)
    book.sell()


def _is_removed_and_finds_its_data_again(till: WindowsTill, book: Book) -> None:
    """By the page's command; the set-up needs neither settings nor code afterwards."""
    till.wine.type(UNINSTALL + WAITING)
    till.wait_silent()
    assert not till.layout.versions.exists()
    assert not till.layout.current.exists()
    assert {"journal.db", "identity.json", "till.toml"} <= {each.name for each in till.layout.state_dir.iterdir()}
    assert till.done()[-1] == "uninstalled"
    till.wine.type(r"reg query HKLM\SYSTEM\CurrentControlSet\Services\tillside", status=1)
    till.wine.type(f"{SET_UP} /S{AS_SYSTEM}")
    till.wait_selling(VERSION)
    book.sell()


def _is_mended(till: WindowsTill, book: Book) -> None:
    """A file that is gone and one that is another are there again."""
    site = till.layout.version_dir(VERSION) / "Lib/site-packages"
    gone, altered = site / "till_agent/core.py", site / "till_agent/facade.py"
    before = altered.read_bytes()
    gone.unlink()
    altered.write_bytes(b"raise SystemExit(1)\n")
    till.wine.type(f"{SET_UP} /S /REPAIR=1{AS_SYSTEM}")
    assert gone.is_file()
    assert altered.read_bytes() == before
    assert "repaired" in till.done()
    till.wait_selling(VERSION)
    book.sell()


def _is_not_purged_with_a_queue(till: WindowsTill, world: World, book: Book) -> None:
    """Exit code 4, and it serves on."""
    book.drain()
    world.line.cut()
    book.sell()
    till.wine.type(f"{UNINSTALL} /PURGE=1{WAITING}", status=4)
    assert "queue_waiting" in till.log()
    till.wait_selling(VERSION)
    book.sell()


def _is_upgraded_with_a_queue(till: WindowsTill, book: Book) -> None:
    """By a set-up with a higher number: rehearsed, switched, watched; what waits is as it was."""
    till.wine.type(f"TillsideSetup-{NEWER}.exe /S{AS_SYSTEM}")
    till.wait_selling(NEWER)
    assert (named(till.layout.current), named(till.layout.previous)) == (NEWER, VERSION)
    told = msgspec.json.decode((till.layout.state_dir / UPDATE_STATE_FILE).read_bytes(), type=UpdateState)
    assert (told.stage, told.from_version, told.to_version) == ("done", VERSION, NEWER)
    assert told.queue_hash_equal
    assert (told.queued_before, told.queued_after) == (2, 2)
    assert "upgraded" in till.done()
    book.sell()


def _is_no_other_version_by_a_repair_alone(till: WindowsTill, book: Book) -> None:
    """A repair by another version's set-up is an upgrade as any: the agent that sells is not stopped for the files."""
    ends, said = till.agent_log().count("stopping"), till.log()
    till.wine.type(f"{SET_UP} /S /REPAIR=1{AS_SYSTEM}")
    till.wait_selling(VERSION)
    new = till.log().removeprefix(said)
    assert "rehearsing" in new
    assert "watching" in new
    assert till.agent_log().count("stopping") == ends + 1, "for the switch alone"
    told = msgspec.json.decode((till.layout.state_dir / UPDATE_STATE_FILE).read_bytes(), type=UpdateState)
    assert (told.stage, told.from_version, told.to_version) == ("done", NEWER, VERSION)
    assert told.queue_hash_equal
    book.sell()
