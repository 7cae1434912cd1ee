"""A chain whose programme registers members with codes, a cloud that sends them to a file, and a line to cut."""

import contextlib
import socket
import sys
import threading
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Self

from integration.bridge.serving_kit import cloud_served, tillside
from kit.phones import make_slow
from till_config import load
from till_config.settings import Settings

CODES = "codes.jsonl"
MEMBERS = "member_id,name,phone,card,tier,language,status,balance\nm-kim,Ким,+79161231235,,silver,ru,active,50000\n"
RULES = """
[registration]
consent_version = "2"
consent = { ru = "Согласие на обработку данных" }
ask = ["name", "birth_date"]

[[events]]
id = "welcome"
on = "registered"
points = 10000
"""
PROOF = 'proof = ["code"]\nproof_above_points = 10000\n'


def chain_of(folder: Path) -> Path:
    """A database with a store, Kim with 500 points, and the supermarket's rules with registration by code."""
    path = begun(folder)
    make_slow(path)
    return path


def begun(folder: Path) -> Path:
    """The same as the commands leave it, with the slow tags of phones still to be made."""
    path = folder / "cloud.db"
    (folder / "members.csv").write_text(MEMBERS, encoding="utf-8")
    text = files("till_loyalty").joinpath("data", "examples", "supermarket.toml").read_text(encoding="utf-8")
    text = text.replace("[redemption]\n", f"[redemption]\n{PROOF}", 1)
    (folder / "programme.toml").write_text(text + RULES, encoding="utf-8")
    tillside("cloud", "init", "--db", str(path))
    tillside("cloud", "programme", "upload", "--db", str(path), str(folder / "programme.toml"))
    tillside("cloud", "store", "add", "s1", "--db", str(path), "--name", "Shop", "--time-zone", "Asia/Almaty")
    tillside("cloud", "member", "import", "--db", str(path), str(folder / "members.csv"))
    return path


def enrolled(
    folder: Path, database: Path, name: str, port: int, *, through: "Line | None" = None, clients: str = ""
) -> Settings:
    """A till of the chain, enrolled at the running cloud."""
    code = tillside("cloud", "till", "add", name, "--db", str(database), "--store", "s1").split()[-1]
    config = folder / f"{name}.toml"
    address = f"http://127.0.0.1:{through.port if through else port}"
    config.write_text(
        f'[agent]\nstate_dir = "{folder / name}"\n[bridge]\nport = 0\nrate_limit_per_second = 10000\n{clients}'
        f'[cloud]\nurl = "{address}"\npoll_interval_ms = 100\nspread_ms = 0\n',
        encoding="utf-8",
    )
    (folder / f"{name}.code").write_text(f"{code}\n", encoding="utf-8")
    tillside("agent", "enrol", "--config", str(config), "--code-file", str(folder / f"{name}.code"))
    return load(config)


@contextlib.contextmanager
def live_cloud(folder: Path, database: Path, port: int = 0, *, send: bool = True, command: str = "") -> Iterator[int]:
    """The cloud on a loop of its own thread; gives its port. It sends codes to a file, unless told otherwise."""
    program = folder / "send.py"
    program.write_text(f"import sys\nopen({str(folder / CODES)!r}, 'a').write(sys.stdin.read())\n", encoding="utf-8")
    wanted = command or (f"{sys.executable} {program}" if send else "")
    with cloud_served(database, port, send_codes=wanted) as served:
        yield served


class Line:
    """A relay to the cloud that can be cut: connections then end, and new ones are closed at once."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._open = True
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        self._sockets: set[socket.socket] = set()
        self._thread = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)  # ends the wait for the next connection; closing does not
        self._server.close()
        self.cut()
        self._thread.join(5)

    def cut(self) -> None:
        self._open = False
        for each in list(self._sockets):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        self._open = True

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._server.accept()
                if not self._open:
                    near.close()
                    continue
                try:
                    far = socket.create_connection(("127.0.0.1", self._target))
                except OSError:  # the cloud is not there: neither is its line, until it is
                    near.close()
                    continue
                for source, sink in ((near, far), (far, near)):
                    self._sockets.add(source)
                    threading.Thread(target=self._carry, args=(source, sink), daemon=True).start()

    def _carry(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
        for each in (source, sink):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        with contextlib.suppress(OSError):
            source.close()
        self._sockets.discard(source)
