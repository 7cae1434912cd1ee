"""An installation in a folder with several versions of one program: this very tree, each with a number of its own.

A version's `bin/python` is a script that runs the tests' interpreter with a `sitecustomize` before everything else:
that gives the number, and one fault where a fault is wanted, as a bad release has it. Nothing is unpacked and nothing
is built, so that a version costs three small files.
"""

import contextlib
import json
import shutil
import sqlite3
import sys
from pathlib import Path

from kit.bridge import Bridge, receipt
from kit.chain import Chain
from kit.waiting import wait_for
from till_agent.bridge.token_files import read_token
from till_agent.cache.schema import VERSION as CACHE
from till_agent.instance import RUNNING_FILE
from till_agent.journal.schema import VERSION as JOURNAL
from till_installer.bundle.manifest import BundleFile, Manifest, Schemas, encode_manifest
from till_installer.layout import Layout, linux_layout
from till_installer.services.process import ProcessManager
from till_installer.setup.bootstrap import KEPT_BUNDLE
from till_installer.upgrade import probe
from till_installer.upgrade.engine import Upgrader
from till_installer.upgrade.health import Pace
from till_installer.upgrade.means import Means
from till_installer.upgrade.pointers import point
from till_installer.upgrade.receipts import Waiting

TILL = "till-1"
QUICK = Pace(look_s=0.1, start_s=40.0, proof_s=0.6, limit_s=50.0, stop_s=1.0, back_s=40.0)
"""A watch that takes a second: what is held here is what happens, not how long."""
SITE = """
import importlib.metadata, os, sys, threading, time
_version = importlib.metadata.version
importlib.metadata.version = lambda name: {version!r} if name == "tillside" else _version(name)
_words = getattr(sys, "orig_argv", [])
if "agent" in _words and "run" in _words:
    _config = _words[_words.index("--config") + 1]
    _where = "rehearsal" if "/rehearsal/" in _config else "service"
    if _where in {where!r}:
        exec({fault!r})
exec({always!r})
"""
OTHER_WORDS = """
import till_installer.services.systemd as _units
_filled = _units.filled
_units.filled = lambda name, *more: "# of {version}\\n" + _filled(name, *more)
"""
"""A version whose units and rules are others than those of all else: each begins with its number."""
AFTER_READY = """
_running = os.path.join({state_dir!r}, "running.json")
def _later():
    while True:
        try:
            if ('"pid":%d' % os.getpid()) in open(_running).read().replace(" ", ""):
                break
        except OSError:
            pass
        time.sleep(0.01)
    _do()
threading.Thread(target=_later, daemon=True).start()
"""
FAULTS = {
    "crash": "os._exit(3)",
    "hang": "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(3600)",
    "unready": "import till_agent.facade as f; f.Agent.ready = lambda self: 'journal_unavailable'",
    "quotes-wrong": (
        "import till_agent.desk.quoting as q\n"
        "import msgspec\n"
        "_quote = q.Quoting.quote\n"
        "async def quote(self, request):\n"
        "    found = await _quote(self, request)\n"
        "    wrong = msgspec.structs.replace(found.calculation, payable_minor=found.calculation.payable_minor + 1)\n"
        "    return msgspec.structs.replace(found, calculation=wrong)\n"
        "q.Quoting.quote = quote\n"
    ),
    "sells-nothing": (
        "import till_agent.desk.selling as s\n"
        "async def sell(self, uid, request):\n"
        "    raise RuntimeError('a bad release')\n"
        "s.Selling.sell = sell\n"
    ),
    "prints-nothing": (
        "import till_drivers.spool_worker as w\nasync def start(self):\n    pass\nw.SpoolWorker.start = start\n"
    ),
    "corrupt": (
        "def _do():\n"
        "    time.sleep({after_s})\n"
        "    path = os.path.join({state_dir!r}, 'journal.db')\n"
        "    for name in (path, path + '-wal'):\n"
        "        if os.path.exists(name):\n"
        "            size = os.path.getsize(name)\n"
        "            with open(name, 'r+b') as file:\n"
        "                for at in range(4096, size, 1024):\n"
        "                    file.seek(at); file.write(os.urandom(64))\n"
    )
    + AFTER_READY,
    "exits": "def _do():\n    time.sleep({after_s})\n    os._exit(5)\n" + AFTER_READY,
    "fills": (
        "def _do():\n"
        "    with open(os.path.join({state_dir!r}, 'core'), 'wb', buffering=0) as file:\n"
        "        for size in (65536, 4096, 1):\n"
        "            try:\n"
        "                while True:\n"
        "                    file.write(b'x' * size)\n"
        "            except OSError:\n"
        "                pass\n"
    )
    + AFTER_READY,
}
"""What a bad release does, as Python that runs before its agent."""


class Installation:
    """A till installed below `folder`, version 1.0.0 of it; nothing runs yet. Without a chain: one that is there."""

    def __init__(self, folder: Path, chain: Chain | None = None) -> None:
        self.folder = folder
        self.layout: Layout = linux_layout(folder / "root")
        self.manager = ProcessManager(folder / "run")
        if chain is not None:
            self._install_first(chain)

    def _install_first(self, chain: Chain) -> None:
        for made in (self.layout.versions, self.layout.config_dir, self.layout.state_dir.parent):
            made.mkdir(parents=True)
        files = self.folder / "chain"
        files.mkdir()
        chain.copy(files)
        shutil.move(files / TILL, self.layout.state_dir)
        self.layout.config.write_text(
            f'[agent]\nstate_dir = "{self.layout.state_dir}"\nlanguage = "en"\n'
            '[bridge]\nport = 0\nrate_limit_per_second = 10000\n[cloud]\nurl = "http://127.0.0.1:1"\n',
            encoding="utf-8",
        )
        self.add("1.0.0")
        point(self.layout.current, "1.0.0")
        words = ["-P", "-m", "till_installer", "agent", "run", "--config", str(self.layout.config)]
        command = (str(self.layout.python(self.layout.current)), *words)
        self.manager.install(command, config=self.layout.config)

    def end(self) -> None:
        """For clean-up: nothing runs after it."""
        self.manager.stop(2.0)

    def bundle(
        self, version: str, *, journal: int = JOURNAL, cache: int = CACHE, size: int = 1_000
    ) -> tuple[Path, Manifest]:
        """A bundle's folder; what would be unpacked of it is made by `install`."""
        folder = self.folder / f"bundle-{version}"
        folder.mkdir(exist_ok=True)
        manifest = Manifest(
            format=1,
            version=version,
            platform="linux",
            machine="x86_64",
            pythons=("3.11",),
            schemas=Schemas(journal=journal, cache=cache),
            made_s=0,
            files=(BundleFile(path="wheels/none.whl", sha256="0" * 64, size=size),),
        )
        (folder / "bundle.json").write_bytes(encode_manifest(manifest))
        return folder, manifest

    def add(
        self,
        version: str,
        fault: str = "",
        *,
        where: tuple[str, ...] = ("service",),
        after_s: float = 0.0,
        other_words: bool = False,
    ) -> Path:
        """Make a version's folder, with a fault of FAULTS in the program where it serves, in a rehearsal, or both.

        `other_words`: it is asked what it puts into the system, and that is its own.
        """
        folder = self.layout.version_dir(version)
        (folder / "bin").mkdir(parents=True)
        site = folder / "site"
        site.mkdir()
        code = FAULTS[fault] if fault else ""
        code = code.replace("{state_dir!r}", repr(str(self.layout.state_dir))).replace("{after_s}", str(after_s))
        always = OTHER_WORDS.format(version=version) if other_words else ""
        text = SITE.format(version=version, where=where, fault=code, always=always)
        (site / "sitecustomize.py").write_text(text, encoding="utf-8")
        python = folder / "bin/python"
        python.write_text(f'#!/bin/sh\nPYTHONPATH="{site}" exec "{sys.executable}" "$@"\n', encoding="utf-8")
        python.chmod(0o755)
        source, _ = self.bundle(version)
        shutil.copy(source / "bundle.json", folder)
        if other_words:
            shutil.copytree(source, folder / KEPT_BUNDLE)
        (folder / "complete.json").write_text(json.dumps({"bundle": version, "python": "3.11", "files": {}}))
        return folder

    def upgrader(self, **means: object) -> Upgrader:
        """With a quick watch, and versions that are there already."""
        made: dict[str, object] = {
            "pace": QUICK,
            "waiting": Waiting(poll_s=0.02),
            "install": self._install,
            "ballast_bytes": 64 * 1024,
        }
        return Upgrader(self.layout, self.manager, Means(**(made | means)))  # type: ignore[arg-type]  # by name, as Means has them

    def _install(self, bundle: Path, versions: Path) -> Path:
        version = json.loads((bundle / "bundle.json").read_bytes())["version"]
        return self.add(version)

    def start(self) -> "Installation":
        """Start the service, and wait until it takes sales."""
        self.manager.start()
        self.wait_ready()
        return self

    def wait_ready(self) -> None:
        """Until the agent that runs takes sales."""
        wait_for(lambda: probe.is_answering(self.layout.state_dir), "the agent to take sales")

    @property
    def port(self) -> int:
        """Where the agent that runs listens."""
        return int(json.loads((self.layout.state_dir / RUNNING_FILE).read_bytes())["port"])

    def pos(self, client: str = "pos") -> Bridge:
        """Cash software at the agent that runs."""
        token = read_token(self.layout.state_dir, client)
        assert token is not None
        return Bridge(self.port, token)

    def sell(self, *uids: str) -> "Installation":
        """Sales that wait for the cloud, which is not there."""
        pos = self.pos()
        try:
            for uid in uids:
                pos.sell(uid, receipt(10_000, 2_500))
        finally:
            pos.close()
        return self

    def sold(self) -> set[str]:
        """Uids of sales in the journal at rest: nothing may run."""
        with contextlib.closing(sqlite3.connect(self.layout.state_dir / "journal.db")) as connection:
            return {row[0] for row in connection.execute("SELECT uid FROM entries WHERE kind = 'sale'")}

    def version(self) -> str:
        """Of the agent that runs, by its own word."""
        admin = self.pos("admin")
        try:
            return str(admin.ask("GET", "/v1/status")["version"])
        finally:
            admin.close()
