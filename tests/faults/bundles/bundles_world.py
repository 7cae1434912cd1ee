"""Tills that are installed from real bundles, and the centre that builds, publishes and rolls them out: by commands."""

import base64
import contextlib
import csv
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from functools import cache
from pathlib import Path
from typing import Any

from kit.bridge import Bridge, receipt
from kit.bundles import THIS_PYTHON
from kit.chain import STORE, TILLS, Chain
from kit.processes import Part, free_port, run
from kit.waiting import wait_for
from till_agent.bridge.token_files import read_token
from till_installer.bundle.building import PYTHONS
from till_installer.layout import UPDATE_WANTED_FILE, linux_layout
from till_installer.services.choosing import agent_command, manager_of
from till_installer.upgrade import probe

ROOT = Path(__file__).resolve().parents[3]
PASSPHRASE = {"TILLSIDE_KEY_PASSPHRASE": "a passphrase of this test"}
KEYS = ("root1", "root2", "targets")
CRASHES = "0.3.0"
"""The version that is well on a copy, and ends at its start where it serves."""
FAULT = """import os, sys
if "agent" in sys.argv and "run" in sys.argv and "/rehearsal/" not in " ".join(sys.argv):
    os._exit(3)
"""
MAIN = "till_installer/__main__.py"
RULES = "60-tillside.rules"
COMMAND_TIMEOUT_S = 600


@cache
def system_python() -> tuple[str, str]:
    """The Python of this machine's system, and the PATH that a till has; else the one that runs this."""
    path = "/usr/bin:/bin"
    words = "import venv, ssl, sqlite3, sys; print('{}.{}'.format(*sys.version_info))"
    for version in PYTHONS:
        program = shutil.which(f"python{version}", path=path)
        if program and subprocess.run([program, "-I", "-c", words], check=False, capture_output=True).returncode == 0:
            return version, path
    return THIS_PYTHON, f"{sys.base_prefix}/bin:{path}"


def without_network() -> list[str]:
    """Words before a command that leave it no network, not even its own; none where that is not permitted."""
    permitted = shutil.which("unshare") and not subprocess.run(["unshare", "-n", "true"], check=False).returncode
    return ["unshare", "-n"] if permitted else []


class Till:
    """One installed below `folder`; its keeper is the one that the upgrader finds."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder = folder
        self.name = name
        self.layout = linux_layout(folder / "root")
        self.manager = manager_of(self.layout)
        self.sold: list[str] = []

    def install(self, archive: Path, url: str, *more: str | Path) -> None:
        """As the page says, without a network, and twice: the second time it finds nothing to do."""
        self.folder.mkdir()
        # Below this root the agent is run by whoever runs this, so that is its user there.
        passwd = self.layout.root / "etc/passwd"
        passwd.parent.mkdir(parents=True)
        passwd.write_text(f"tillside:x:{os.geteuid()}:{os.getegid()}::/:/usr/sbin/nologin\n")
        settings = self.folder / "till.toml"
        settings.write_text(
            f'[agent]\nstate_dir = "{self.layout.state_dir}"\nlanguage = "en"\n'
            f"[bridge]\nport = {free_port()}\nrate_limit_per_second = 10000\n"
            f'[cloud]\nurl = "{url}"\nspread_ms = 0\npoll_interval_ms = 500\n'
        )
        with tarfile.open(archive) as opened:
            opened.extractall(self.folder, filter="data")
        (unpacked,) = self.folder.glob("tillside-*-linux-*")
        environment = {"PATH": system_python()[1], "HOME": "/nonexistent"}
        words = [unpacked / "install", "--root", self.layout.root, "--silent", "--config", settings, *more]
        for _ in range(2):
            done = subprocess.run(
                [*without_network(), *map(str, words)],
                capture_output=True,
                text=True,
                check=False,
                env=environment,
                timeout=COMMAND_TIMEOUT_S,
            )
            assert (done.returncode, done.stdout, done.stderr) == (0, "", "")

    def enrol(self, code: str, *, status: int = 0) -> str:
        """With a one-time code, as the message of the installation says."""
        file = self.folder / "code.txt"
        file.write_text(code)
        words = ("agent", "enrol", "--config", self.layout.config, "--code-file", file)
        return self.command(*words, status=status)

    def start(self) -> None:
        """Below another root the running is left to whoever starts from it: here as `setup install` does it."""
        self.manager.install(agent_command(self.layout), config=self.layout.config)
        self.manager.start()
        self.wait_ready()

    def wait_ready(self) -> None:
        """Until it takes sales."""
        wait_for(lambda: probe.is_answering(self.layout.state_dir), "the agent to take sales", patience_s=120)

    def command(self, *words: str | Path, status: int | None = 0) -> str:
        """By the version that runs."""
        program = [str(self.layout.python(self.layout.current)), "-P", "-m", "till_installer", *map(str, words)]
        done = subprocess.run(program, capture_output=True, text=True, check=False, timeout=COMMAND_TIMEOUT_S)
        assert status is None or done.returncode == status, f"{words} ended with {done.returncode}: {done}"
        return done.stdout

    def rooted(self, *words: str | Path, status: int | None = 0) -> str:
        """The same, of this root's installation."""
        return self.command(*words, "--root", self.layout.root, status=status)

    def must_be_as_installed(self) -> None:
        """Files, rights, links, and what the version puts into the system: its rules begin with its number."""
        assert "Everything is as it was installed." in self.rooted("setup", "status")
        assert self.rules() == f"# of {self.version()}"

    def rules(self) -> str:
        """First line of the system's file of rules."""
        return (self.layout.root / "etc/udev/rules.d" / RULES).read_text().splitlines()[0]

    def sell(self, count: int = 3) -> None:
        """Sales that are noted: each of them is to be in the cloud at the end, once."""
        token = read_token(self.layout.state_dir, "pos")
        assert token is not None
        port = json.loads((self.layout.state_dir / "running.json").read_bytes())["port"]
        with contextlib.closing(Bridge(port, token)) as pos:
            for _ in range(count):
                uid = f"{self.name}-sale-{len(self.sold)}"
                pos.sell(uid, receipt(10_000))
                self.sold.append(uid)

    def version(self) -> str:
        """Of the agent that serves, by its own word."""
        return str(probe.status_of(self.layout.state_dir).get("version"))

    def wait_wanted(self, version: str) -> None:
        """A start is followed by a heartbeat within ten seconds, and not after five minutes."""
        self.manager.stop()
        self.manager.start()
        self.wait_ready()
        path = self.layout.state_dir / UPDATE_WANTED_FILE
        wait_for(lambda: path.exists() and version in path.read_text(), f"{version} to be wanted", patience_s=60)

    def state(self) -> dict[str, Any]:
        """Of the last change, as the heartbeat tells it."""
        found: dict[str, Any] = json.loads((self.layout.state_dir / "update-state.json").read_bytes())
        return found

    def waiting(self) -> int:
        """Operations that the cloud does not have."""
        return int(json.loads(self.command("sync", "status", "--json", "--config", self.layout.config))["waiting"])

    def wait_drained(self) -> None:
        """Until the cloud has all of them."""
        wait_for(lambda: self.waiting() == 0, "the queue to be taken", patience_s=300)


class Centre:
    """The chain's cloud, keys, bundles and repository, made by commands."""

    def __init__(self, folder: Path, chain: Chain) -> None:
        self.folder = folder
        folder.mkdir()
        chain.copy(folder)
        self.db = folder / "cloud.db"
        self.port = free_port()
        # Those of the chain were used.
        self.codes = {till: self.code(till) for till in TILLS}
        run("bundle", "key", folder / "release.key", folder=folder)
        self.wheel = _built(folder)
        self._wheels: Path | None = None
        for name in (*KEYS, "root3"):
            self.update("key", f"{name}.key", repo=False)
        self.update("key", "--no-passphrase", "online.key", repo=False)
        words = [word for name in ("root1", "root2", "root3") for word in ("--root-key", f"{name}.key.pub")]
        self.update("init", *words, "--targets-key", "targets.key.pub", "--online-key", "online.key.pub")
        for name in KEYS:
            self.update("sign", "--key", f"{name}.key")
        self.update("publish", "--online", "online.key")
        self.update("root", "root.json")
        self.part: Part | None = None

    @property
    def url(self) -> str:
        """Of the cloud, while it runs."""
        return f"http://127.0.0.1:{self.port}"

    def code(self, till: str) -> str:
        """A new one-time code."""
        return self.cloud("till", "code", till).split()[-1]

    def cloud(self, *words: str | Path, status: int | None = 0) -> str:
        """A command of the cloud's."""
        return run("cloud", *words, "--db", self.db, folder=self.folder, status=status).out

    def update(self, *words: str | Path, repo: bool = True) -> str:
        """A command of the repository's."""
        more = ("--repo", self.folder / "updates") if repo else ()
        return run("update", "repo", *words, *more, folder=self.folder, env=PASSPHRASE).out

    def start(self) -> None:
        """The line is there."""
        updates = self.folder / "updates/public"
        words = ("cloud", "run", "--db", self.db, "--port", str(self.port), "--updates", updates)
        self.part = Part("cloud", *words, folder=self.folder)
        self.part.facts()

    def end(self) -> None:
        """The line is cut."""
        if self.part is not None:
            self.part.end()

    def bundle(self, version: str, *, sign_later: bool = False) -> Path:
        """With all its packages, for the system's Python; the first one's are the others' registry."""
        python, _ = system_python()
        words: list[str | Path] = ["--wheel", _as_version(self.wheel, version), "--python", python]
        words += ["--lock", ROOT / "requirements/bundle.devices.lock", "--extra", "hid", "--extra", "usb"]
        words += ["--unsigned"] if sign_later else ["--key", "release.key"]
        env = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(self._wheels)} if self._wheels else {}
        done = run("bundle", "build", *words, "--into", self.folder / "dist", "--json", folder=self.folder, env=env)
        archive = self.folder / json.loads(done.out)["archive"]
        if sign_later:
            run("bundle", "sign", "--key", "release.key", archive, folder=self.folder)
        run("bundle", "verify", "--release-key", "release.key.pub", archive, folder=self.folder)
        if self._wheels is None:
            with tarfile.open(archive) as opened:
                opened.extractall(self.folder / "first", filter="data")
            (self._wheels,) = self.folder.glob("first/*/wheels")
        return archive

    def publish(self, *archives: Path) -> None:
        """For tills to have, once a wave or a stick brings it."""
        for archive in archives:
            self.update("add", archive, "--release-key", "release.key.pub")
        self.update("sign", "--key", "targets.key")
        self.update("publish", "--online", "online.key")

    def wave(self, version: str) -> None:
        """Both tills are in its first step."""
        self.cloud("wave", "start", "code", version, "--sizes", "2,all", "--stores", STORE, "--spread-minutes", "0")

    def waves(self) -> list[dict[str, Any]]:
        """Those of the programs, the newest first."""
        found: list[dict[str, Any]] = json.loads(self.cloud("wave", "status", "code", "--json", status=None))
        return found


def _built(folder: Path) -> Path:
    code = "import sys; from hatchling.build import build_wheel; sys.stdout.write(build_wheel(sys.argv[1]))"
    words = [sys.executable, "-c", code, str(folder)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True, timeout=100, env=os.environ)
    return folder / done.stdout.splitlines()[-1]


def _as_version(wheel: Path, version: str) -> Path:
    """The same wheel with another number, with rules that begin with it, and with the fault of the one that crashes."""
    old = wheel.name.split("-")[1]
    into = wheel.parent / version / f"tillside-{version}-py3-none-any.whl"
    into.parent.mkdir()
    rows: list[tuple[str, str, str]] = []
    with zipfile.ZipFile(wheel) as opened, zipfile.ZipFile(into, "w", zipfile.ZIP_DEFLATED) as made:
        for entry in opened.infolist():
            name = entry.filename.replace(f"tillside-{old}.dist-info", f"tillside-{version}.dist-info")
            data = opened.read(entry)
            if name.endswith("dist-info/METADATA"):
                data = data.replace(f"\nVersion: {old}\n".encode(), f"\nVersion: {version}\n".encode())
            elif name.endswith(f"/{RULES}"):
                data = f"# of {version}\n".encode() + data
            elif name == MAIN and version == CRASHES:
                data = FAULT.encode() + data
            elif name.endswith("dist-info/RECORD"):
                continue
            made.writestr(name, data)
            sum_of = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
            rows.append((name, f"sha256={sum_of}", str(len(data))))
        record = f"tillside-{version}.dist-info/RECORD"
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([*rows, (record, "", "")])
        made.writestr(record, text.getvalue())
    return into
