"""A Windows till on Linux: a wine of its own in a folder, what people type there, and the agent that NSSM runs in it.

Wine ends every service with the last program of a person's, so one is held open for as long as the machine is up.
"""

import contextlib
import os
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx
import msgspec

from kit.bridge import Bridge
from kit.waiting import wait_for
from till_agent.audit_trail import AUDIT_FILE, read
from till_agent.bridge.token_files import read_token
from till_agent.instance import RUNNING_FILE, Running
from till_installer.layout import Layout, windows_layout
from till_installer.upgrade import probe

HERE = Path("/usr/lib/wine")
"""Where Debian has wine64 and its server, neither of which need be on the PATH."""
WINE = shutil.which("wine64") or shutil.which("wine64", path=str(HERE)) or ""
SERVER = shutil.which("wineserver") or shutil.which("wineserver", path=str(HERE)) or ""
MAKENSIS = shutil.which("makensis") or ""
LACKING = "" if WINE and SERVER and MAKENSIS else "expected wine64 and nsis: `apt-get install wine64 nsis` brings them"

TYPED_TIMEOUT_S = 900.0
"""A set-up unpacks, compiles, and watches a new version for half a minute; under wine that takes minutes."""
UP_PATIENCE_S = 180.0
"""An agent under wine is up within ten seconds, on a busy machine a minute."""
END_PATIENCE_S = 30.0
LOOK_S = 0.05
ROLL_OUT = "roll-out"
"""Folder on C: with what is brought to the till, as the page has it."""


class Wine:
    """One Windows machine, up while its context lasts."""

    def __init__(self, folder: Path) -> None:
        self.prefix = folder / "prefix"
        self.drive = self.prefix / "drive_c"
        self._scripts = 0
        self._open: subprocess.Popen[bytes] | None = None
        home = folder / "home"
        home.mkdir(parents=True)
        kept = {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY")}
        self._environment = {
            **kept,
            "HOME": str(home),
            "WINEPREFIX": str(self.prefix),
            "WINEARCH": "win64",
            "WINEDEBUG": "-all",
            # Neither is installed, and wine would ask a person whether to fetch them.
            "WINEDLLOVERRIDES": "mscoree,mshtml=",
        }

    def __enter__(self) -> Self:
        self._start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.power_off()

    def _start(self) -> None:
        self._open = subprocess.Popen(
            [WINE, "cmd"],
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        wait_for((self.drive / "windows/system32/cmd.exe").exists, "wine to be there", patience_s=UP_PATIENCE_S)
        (self.drive / ROLL_OUT).mkdir(exist_ok=True)

    def power_off(self) -> None:
        """Every process in it ends at once; what lies on its disk stays."""
        subprocess.run([SERVER, "-k"], env=self._environment, check=False, timeout=END_PATIENCE_S)
        subprocess.run([SERVER, "-w"], env=self._environment, check=False, timeout=END_PATIENCE_S)
        if self._open is not None:
            assert self._open.stdin is not None
            with contextlib.suppress(OSError):
                self._open.stdin.close()
            self._open.wait(END_PATIENCE_S)
            self._open = None

    def power_on(self) -> None:
        """After `power_off`: it boots, and starts what starts with it."""
        self._start()

    def type(self, *lines: str, status: int | None = 0) -> str:
        """Lines as a person types them into a console, in the folder with what was brought; what they printed.

        AssertionError unless the last one ends with `status` (None: any).
        """
        self._scripts += 1
        script = self.drive / f"typed-{self._scripts}.bat"
        text = ["@echo off", f"cd /d C:\\{ROLL_OUT}", *lines, "exit %ERRORLEVEL%"]
        script.write_text("\r\n".join(text) + "\r\n", encoding="utf-8", newline="")
        # Pipes at both ends: under wine, Python does not start with a file as its standard output.
        process = subprocess.Popen(
            [WINE, "cmd", "/c", f"C:\\{script.name}"],
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        with process:
            printed = _printed(process)
        ended = process.returncode
        said = _text(printed)
        if status is not None and ended != status:
            raise AssertionError(f"{lines} ended with {ended}, not {status}: {said} {self.tail()}")
        return said

    def tail(self) -> str:
        """The end of what set-ups said."""
        log = self.drive / "ProgramData/Tillside/logs/setup.log"
        return log.read_text(encoding="utf-8")[-1500:] if log.exists() else ""


class WindowsTill:
    """The installation in a wine, as it lies on the disk, and its agent."""

    def __init__(self, wine: Wine) -> None:
        self.wine = wine
        programs, data = wine.drive / "Program Files/Tillside", wine.drive / "ProgramData/Tillside"
        self.layout: Layout = windows_layout(programs, data)

    def log(self) -> str:
        """What set-ups and uninstallers said."""
        path = self.layout.log_dir / "setup.log"
        return path.read_text(encoding="utf-8") if path.exists() else ""

    def done(self) -> list[str]:
        """What the audit log says was done, oldest first; AssertionError when it was changed."""
        lines, bad = read(self.layout.state_dir / AUDIT_FILE)
        assert bad is None, bad
        return [line.what for line in lines]

    def wait_state(self, state: str) -> None:
        """Until NSSM has the service in that state: it calls it starting until it has run for as long as it must."""
        ask = '"C:\\Program Files\\Tillside\\nssm.exe" status tillside'
        wait_for(lambda: self.wine.type(ask, status=None).strip() == state, state, patience_s=UP_PATIENCE_S)

    def running(self) -> Running:
        """Port and number of the agent that runs, as it told."""
        return msgspec.json.decode((self.layout.state_dir / RUNNING_FILE).read_bytes(), type=Running)

    def answers(self) -> bool:
        """Whether it takes sales."""
        return probe.is_answering(self.layout.state_dir)

    def wait_selling(self, version: str, *, not_pid: int = 0) -> int:
        """Until that version takes sales; the number of its process."""

        def selling() -> int:
            with contextlib.suppress(OSError, msgspec.DecodeError, httpx.TransportError):
                pid = self.running().pid
                if pid != not_pid and self.answers():
                    with self.bridge("admin") as admin:
                        return pid if admin.ask("GET", "/v1/status")["version"] == version else 0
            return 0

        try:
            return wait_for(selling, f"{version} to take sales", patience_s=UP_PATIENCE_S)
        except AssertionError as error:
            raise AssertionError(f"{error}: {self.tail()}") from error

    def tail(self) -> str:
        """The end of what was said and logged."""
        log = self.layout.log_dir / "agent.log"
        return f"{self.wine.tail()}\n{log.read_text(errors='replace')[-1500:] if log.exists() else 'no agent.log'}"

    def agent_log(self) -> str:
        """All that the agents so far have logged."""
        return (self.layout.log_dir / "agent.log").read_text(encoding="utf-8", errors="replace")

    @contextlib.contextmanager
    def bridge(self, client: str = "pos") -> Iterator[Bridge]:
        """Cash software at the agent that runs."""
        token = read_token(self.layout.state_dir, client)
        assert token is not None
        made = Bridge(self.running().port, token)
        try:
            yield made
        finally:
            made.close()

    def wait_silent(self) -> None:
        """Until nothing answers."""
        wait_for(lambda: probe.readiness(self.layout.state_dir) is None, "the agent to end", patience_s=UP_PATIENCE_S)


def _printed(process: "subprocess.Popen[bytes]") -> bytes:
    """What it prints until it ends; services that it started may hold the pipe open for as long as they run."""
    assert process.stdout is not None
    printed = b""
    give_up = time.monotonic() + TYPED_TIMEOUT_S
    while True:
        is_over = process.poll() is not None
        while select.select([process.stdout], [], [], 0 if is_over else LOOK_S)[0]:
            chunk = os.read(process.stdout.fileno(), 65_536)
            if not chunk:
                break
            printed += chunk
        if is_over:
            return printed
        if time.monotonic() > give_up:
            process.kill()
        time.sleep(LOOK_S)


def _text(data: bytes) -> str:
    """NSSM writes UTF-16 into a pipe, all others bytes."""
    return data.decode("utf-16-le" if b"\0" in data else "utf-8", "replace").lstrip("\ufeff")
