"""A `systemctl` for machines whose first process is not systemd: it reads units from a folder and really runs them.

`put_on_path(folder, units)` writes the program into `folder`; with that first on PATH, `systemctl start tillside`
starts the unit's ExecStart, kept running as Restart=always says, told READY=1 and WATCHDOG=1 as systemd is. What it
knows of a unit is what it read at the last daemon-reload, as with systemd. Each call is noted in `calls`.
"""

import configparser
import contextlib
import io
import json
import shlex
import subprocess
import sys
from pathlib import Path

from till_installer.exceptions import ServiceError
from till_installer.layout import Layout
from till_installer.services.process import ProcessManager
from till_installer.services.systemd import SystemdManager

SHOWN = {
    "running": ("active", "running"),
    "starting": ("activating", "auto-restart"),
    "failed": ("activating", "auto-restart"),
    "stopped": ("inactive", "dead"),
    "absent": ("inactive", "dead"),
}


def put_on_path(folder: Path, units: Path) -> Path:
    """The program; its folder is to be first on PATH, or its path given to SystemdManager."""
    state = folder / "state"
    state.mkdir(parents=True)
    program = folder / "systemctl"
    words = [repr(str(each)) for each in (Path(__file__).resolve().parents[1], state, units)]
    program.write_text(
        f"#!{sys.executable}\nimport sys\nfrom pathlib import Path\nsys.path.insert(0, {words[0]})\n"
        f"from kit.fake_systemctl import main\nsys.exit(main(Path({words[1]}), Path({words[2]}), sys.argv[1:]))\n"
    )
    program.chmod(0o755)
    return program


class Asking(SystemdManager):
    """Asks that program without a process of its own for each call: for what starts no agent."""

    def __init__(self, layout: Layout, program: Path) -> None:
        super().__init__(layout, str(program))
        self._state = program.parent / "state"

    def _run(self, *words: str, timeout_s: float = 0.0) -> "subprocess.CompletedProcess[str]":
        del timeout_s
        said, complained = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(complained):
            status = main(self._state, self.folder, list(words))
        return subprocess.CompletedProcess(words, status, said.getvalue(), complained.getvalue())


def calls(program: Path) -> list[str]:
    """What it was asked to do, one line a call; looks are left out."""
    path = program.parent / "state" / "calls"
    return path.read_text().splitlines() if path.exists() else []


def main(state: Path, units: Path, words: list[str]) -> int:
    """One call; the exit status."""
    options = [word for word in words if word.startswith("-")]
    verb, *names = [word for word in words if not word.startswith("-")]
    known_file, enabled_file = state / "known.json", state / "enabled.json"
    known: dict[str, str] = json.loads(known_file.read_text()) if known_file.exists() else {}
    enabled: list[str] = json.loads(enabled_file.read_text()) if enabled_file.exists() else []
    if verb not in ("show", "is-enabled", "is-active"):
        with (state / "calls").open("a") as file:
            file.write(shlex.join([verb, *names]) + "\n")
    if verb == "daemon-reload":
        known_file.write_text(json.dumps({path.name: path.read_text() for path in units.glob("tillside*")}))
        return 0
    masked = {
        path.name for path in units.glob("tillside*") if path.is_symlink() and str(path.readlink()) == "/dev/null"
    }
    if verb == "is-enabled":
        told = {name: "masked" if name in masked else "enabled" if name in enabled else "disabled" for name in names}
        sys.stdout.writelines(f"{told[name]}\n" for name in names if (units / name).exists())
        return 0 if set(told.values()) == {"enabled"} else 1
    if verb in ("enable", "start", "restart") and (shut := masked & set(names)):
        sys.stderr.write(f"Failed to {verb} unit, unit {min(shut)} is masked.\n")
        return 1
    if verb in ("enable", "disable"):
        if missing := [name for name in names if name not in known]:
            sys.stderr.write(f"Failed to {verb} unit: Unit file {missing[0]} does not exist.\n")
            return 1
        kept = [name for name in enabled if name not in names]
        enabled_file.write_text(json.dumps([*kept, *names] if verb == "enable" else kept))
        return 0
    return max([_of_unit(state, known, verb, name, options) for name in names], default=0)


def _of_unit(state: Path, known: dict[str, str], verb: str, name: str, options: list[str]) -> int:
    text = known.get(name, "")
    if verb == "show":
        known_as = "masked" if name in known and not text else "loaded" if text else "not-found"
        return _show(ProcessManager(state / name), name, known_as)
    if not text:
        sys.stderr.write(f"Failed to {verb} {name}: Unit {name} not found.\n")
        return 5
    unit = configparser.RawConfigParser(strict=False)
    unit.optionxform = str  # type: ignore[assignment, method-assign]  # keys of units have capitals
    unit.read_string(text)
    if not unit.has_option("Service", "ExecStart"):
        return 0  # a path or a timer: nothing runs
    service = unit["Service"]
    manager = ProcessManager(
        state / name, notify=service["Type"] == "notify", watchdog_s=float(service.get("WatchdogSec", "0"))
    )
    try:
        if verb in ("stop", "restart"):
            manager.stop()
        if verb == "kill":
            manager.stop(0)
        if verb in ("start", "restart"):
            manager.install(tuple(shlex.split(service["ExecStart"])), config=Path("-"))
            manager.start()
    except ServiceError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    del options
    return 0


def _show(manager: ProcessManager, name: str, known_as: str) -> int:
    status = manager.status()
    active, sub = SHOWN[status.state]
    for key, value in (
        ("LoadState", known_as),
        ("ActiveState", active),
        ("SubState", sub),
        ("MainPID", status.pid),
        ("NRestarts", status.restarts),
        ("Result", "success"),
        ("Id", name),
    ):
        sys.stdout.write(f"{key}={value}\n")
    return 0
