"""A till on which everything is well, made of real files below one folder, with an agent and a cloud of a few lines."""

import asyncio
import base64
import contextlib
import email.utils
import hashlib
import http.server
import json
import os
import shutil
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from till_agent.balances import OwnEffects
from till_agent.bridge.token_files import make_folder, token_of
from till_agent.cache.opening import open_writer
from till_agent.instance import StateDir
from till_agent.journal import EpochKeeper, Place, open_journal
from till_agent.ports import Draft
from till_drivers.spool_store import connect, migrate
from till_installer.doctor.every import all_checks
from till_installer.doctor.findings import Finding
from till_installer.doctor.running import Told, examine
from till_installer.doctor.scene import Scene
from till_installer.layout import Layout, linux_layout
from till_sync.clock import SystemClock
from till_sync.identity import Identity, save_identity
from till_sync.keys import new_key
from till_sync.ops import Subject

NOW_MS = 1_795_000_000_000
"""A Thursday of 2026."""
TILL = "t-7"
UNIT = {
    "LoadState": "loaded",
    "ActiveState": "active",
    "SubState": "running",
    "UnitFileState": "enabled",
    "NRestarts": "0",
    "FragmentPath": "",
    "DropInPaths": "",
    "NeedDaemonReload": "no",
    "WatchdogUSec": "10s",
    "User": "tillside",
    "Result": "success",
    "MainPID": "123",
}
VERSION = "0.1.0"


class Web:
    """A server on this machine whose answers a test may change: path -> (status, headers, body)."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, dict[str, str], bytes]] = {}
        self.date_ms = NOW_MS
        web = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                status, headers, body = web.answers.get(self.path.partition("?")[0], (404, {}, b"{}"))
                self.send_response_only(status)
                self.send_header("Date", email.utils.formatdate(web.date_ms / 1000, usegmt=True))
                self.send_header("Content-Length", str(len(body)))
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


def status_of_agent() -> dict[str, Any]:
    """As `/v1/status` says it of a till that is well."""
    return {
        "version": VERSION, "till": TILL, "store": "s-1", "started_ms": NOW_MS - 3_600_000, "now_ms": NOW_MS,
        "ready": True, "problems": [], "programme": "p 1", "members_cached": 3, "cache_as_of_ms": NOW_MS - 1_000,
        "clock_skew_ms": 0, "prints_waiting": 0, "disk_free_bytes": 10**11, "disk_total_bytes": 10**12,
        "sync": {
            "online": True, "enrolled": True, "waiting": 2, "oldest_waiting_ms": 1_000, "acked_seq": 10, "last_seq": 12,
            "last_push_ms": NOW_MS, "last_pull_ms": NOW_MS, "last_error": "", "pushed": 10, "resent": 0, "adjusted": 0,
            "rejected": 0, "halted": "", "loading": False, "members": 3, "divergences": 0, "retry_in_ms": 0,
        },
        "devices": [
            {"device": "front", "role": "scanner", "state": "ready", "detail": "", "since_ms": 1},
            {"device": "receipt", "role": "printer", "state": "ready", "detail": "", "since_ms": 1},
        ],
    }  # fmt: skip


def make_template(folder: Path) -> None:
    """Journal, cache, print queue, identity and tokens, made once by the programs that make them on a till."""
    folder.mkdir(mode=0o700)
    key = new_key()
    identity = Identity(
        till=TILL, store="s-1", store_name="Shop", time_zone="Europe/Moscow", token="T" * 40, identifier_key="ab" * 32,
        last_epoch=1, private_key=key,
    )  # fmt: skip
    save_identity(folder / "identity.json", identity)
    make_folder(folder)
    for client in ("pos", "admin"):
        token_of(folder, client)
    (folder / "counter").write_text("1000\n")
    asyncio.run(_journal(folder))
    connection, _ = open_writer(folder / "cache.db", TILL)
    with contextlib.closing(connection):
        connection.execute("UPDATE progress SET as_of_ms = ?, members = 3", (NOW_MS - 60_000,))
        connection.execute("INSERT INTO programmes VALUES ('p', 1, 'd', 1, '{}')")
    with contextlib.closing(connect(folder / "spool.db")) as spool:
        migrate(spool)


async def _journal(folder: Path) -> None:
    place = Place(path=folder / "journal.db", till=TILL, keeper=EpochKeeper(1, lambda _: None), clock=SystemClock())
    journal = await open_journal(place, OwnEffects(), None, floor=None)
    for number in range(12):
        draft = Draft(
            kind="sale", uid=f"u-{number}", about_uid="", request_digest=b"d", body=b'{"kind":"sale","n":%d}' % number,
            answer=b"{}", subject=Subject(member_id="m-1"), effect_points=5, at_wall_ms=NOW_MS - 60_000,
        )  # fmt: skip
        await journal.commit(lambda _reader, draft=draft: draft)
    assert await journal.stop()


class Healthy:
    """One till; each test gets its own, and breaks one thing of it."""

    def __init__(self, root: Path, template: Path, cloud: Web, agent: Web) -> None:
        self.root, self.cloud, self.agent = root, cloud, agent
        self.layout: Layout = linux_layout(root)
        self.state = self.layout.state_dir
        self.now_ms = NOW_MS
        self.environment = {"PATH": f"{root / 'bin'}{os.pathsep}/usr/bin{os.pathsep}/bin"}
        self.status = status_of_agent()
        self.unit = dict(UNIT)
        self.config_lines = {"cloud": [f'url = "http://127.0.0.1:{cloud.port}"'], "bridge": [f"port = {agent.port}"]}
        self.devices = (
            '[[scanners]]\nname = "front"\nport = "/dev/serial/by-id/usb-front"\n'
            '[[printers]]\nname = "receipt"\ndriver = "tcp"\nhost = "127.0.0.1"\n'
        )
        shutil.copytree(template, self.state)
        cloud.answers = {"/livez": (200, {}, b"alive\n")}
        cloud.date_ms = NOW_MS
        self._system()
        self._versions()
        self._has_config = False

    def write(self, path: str, text: str = "") -> Path:
        """A file of the system, below the root."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def _system(self) -> None:
        self.write("proc/mounts", "/dev/sda1 / ext4 rw,relatime 0 0\n")
        self.write("proc/meminfo", "MemTotal: 512000 kB\nMemAvailable: 200000 kB\n")
        self.write(f"proc/{os.getpid()}/status", "Name: python\nVmRSS:\t 60000 kB\n")
        self.write("run/systemd/timesync/synchronized")
        (self.root / "run/systemd/system").mkdir(parents=True)
        self.write("etc/hosts", "127.0.0.1 localhost\n::1 localhost ip6-localhost\n")
        (self.root / "etc/localtime").symlink_to("/usr/share/zoneinfo/Europe/Moscow")
        systemctl = self.write("bin/systemctl", f'#!/bin/sh\ncat "{self.root}/unit"\n')
        systemctl.chmod(0o755)
        self.layout.log_dir.mkdir(parents=True)
        self.layout.config_dir.mkdir(parents=True)

    def _versions(self) -> None:
        home = self.layout.version_dir(VERSION)
        packages = home / "lib/python3.11/site-packages"
        self.write(str((packages / "till_agent/core.py").relative_to(self.root)), "x = 1\n")
        self.write(str((home / "bin/python").relative_to(self.root)), "")
        digest = base64.urlsafe_b64encode(hashlib.sha256(b"x = 1\n").digest()).rstrip(b"=").decode()
        record = packages / "tillside-0.1.0.dist-info/RECORD"
        self.write(str(record.relative_to(self.root)), f"till_agent/core.py,sha256={digest},6\n")
        self.layout.current.symlink_to(Path("versions", VERSION))

    def sql(self, name: str, *statements: str, trusted: bool = False) -> None:
        """Change a database behind the agent's back."""
        with contextlib.closing(sqlite3.connect(self.state / name, isolation_level=None)) as connection:
            if trusted:
                connection.execute("DROP TRIGGER entries_never_change")
            for each in statements:
                connection.execute(each)

    def identity(self, **changes: object) -> None:
        """Change the identity file as it lies there."""
        path = self.state / "identity.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    def scene(self, **more: Any) -> Scene:
        """As the doctor sees it now."""
        sections = [f"[{name}]\n" + "\n".join(lines) for name, lines in self.config_lines.items()]
        if not self._has_config:
            self._has_config = True
            self.layout.config.write_text(
                f'[agent]\nstate_dir = "{self.state}"\n' + "\n".join(sections) + "\n" + self.devices
            )
            os.utime(self.layout.config, (NOW_MS / 1000 - 86_400,) * 2)
        (self.root / "unit").write_text("".join(f"{name}={value}\n" for name, value in self.unit.items()))
        self.agent.answers.setdefault("/livez", (200, {}, b'{"live":true}'))
        self.agent.answers.setdefault("/readyz", (200, {}, b'{"ready":true,"reason":"","missing":[]}'))
        self.agent.answers["/v1/status"] = (200, {}, json.dumps(self.status).encode())
        return Scene(self.layout, system=self.root, environment=self.environment, wall_ms=lambda: self.now_ms, **more)

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """While the context lasts an agent has the state directory."""
        (self.state / "running.json").write_text(json.dumps({"port": self.agent.port, "pid": os.getpid()}))
        with StateDir(self.state):
            yield

    def told(self, **more: Any) -> list[Told]:
        """What the doctor says."""
        return examine(self.scene(**more), tuple(each for each in all_checks() if more.get("deep") or not each.deep))


def bad(told: list[Told]) -> dict[str, Finding]:
    """All that is not well, by code."""
    return {each.finding.code: each.finding for each in told if each.finding.state in ("bad", "late", "broken")}
