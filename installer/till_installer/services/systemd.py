"""The agent as a unit of systemd: written, enabled, started, stopped and looked at through `systemctl`."""

import shlex
import subprocess
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from till_installer.exceptions import ServiceError
from till_installer.layout import SERVICE, Layout
from till_installer.services.ports import ServiceState, ServiceStatus
from till_installer.setup.files import put, remove

UPDATES = ("tillside-update.path", "tillside-update.timer")
WORKERS = ("tillside-update.service", "tillside-finish.service")
"""Started by those, by a failure, or with the machine."""
UNITS = ("tillside.service", *WORKERS, *UPDATES)
ENABLED = ("tillside.service", "tillside-finish.service", *UPDATES)
MASK = Path("/dev/null")
"""Where a unit leads that somebody has masked: shut off, and not to be started even by mistake."""
WATCHERS = (".path", ".timer")
"""Units that wait for something, and go on by their old words until they are started again."""
RUNNING = Path("/run/systemd/system")
"""There where systemd is the first process."""
ASK_TIMEOUT_S = 20.0
START_TIMEOUT_S = 90.0
"""The unit itself gives up after 60 s."""
_STATES: dict[str, ServiceState] = {
    "active": "running",
    "reloading": "running",
    "activating": "starting",
    "deactivating": "running",
    "failed": "failed",
}


class SystemdManager:
    """Of the units of one installation. `systemctl`: the program to call."""

    kind = "systemd"

    def __init__(self, layout: Layout, systemctl: str = "systemctl") -> None:
        self.layout = layout
        self.folder = layout.root / "etc/systemd/system"
        self._systemctl = systemctl

    def install(self, command: tuple[str, ...], *, config: Path) -> None:
        """Write the units and enable them; masked ones stay so. ServiceError."""
        masked = self.masked()
        texts = {name: text for name, text in unit_texts(self.layout, command, config).items() if name not in masked}
        changed = [name for name, text in texts.items() if put(self.folder / name, text, 0o644)]
        if changed:
            self._call("daemon-reload")
        self._enable([name for name in ENABLED if name not in masked])

    def masked(self, names: tuple[str, ...] = UNITS) -> tuple[str, ...]:
        """Units that the operator has shut off: nothing is written in their place, and they are not enabled."""
        return tuple(name for name in names if is_masked(self.folder / name))

    def left_out(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """Those of the units that are there and that the operator has disabled or masked. ServiceError."""
        there = [name for name in names if (self.folder / name).exists()]
        return tuple(name for name in there if self._asked("is-enabled", name).strip() in ("disabled", "masked"))

    def change(self, units: dict[str, bytes | None], *, enabled: tuple[str, ...], disabled: tuple[str, ...]) -> None:
        """Units as another version has them, None for one that is to go. The agent is left as it is, and what is masked
        stays so. ServiceError."""
        masked = self.masked((*units, *enabled, *disabled))
        units = {name: data for name, data in units.items() if name not in masked}
        enabled = tuple(name for name in enabled if name not in masked)
        disabled = tuple(name for name in disabled if name not in masked)
        unwanted = [*disabled, *(name for name, data in units.items() if data is None and name not in disabled)]
        if there := [name for name in unwanted if (self.folder / name).exists()]:
            self._call("disable", *there)
            if watching := [name for name in there if name.endswith(WATCHERS)]:
                self._call("stop", *watching)
        for name, data in units.items():
            if data is None:
                remove(self.folder / name)
            else:
                put(self.folder / name, data, 0o644)
        self._call("daemon-reload")
        self._enable(enabled)
        if watching := [name for name in enabled if name in units and name.endswith(WATCHERS)]:
            self._call("restart", *watching)

    def is_as_installed(self, command: tuple[str, ...], *, config: Path) -> bool:
        """Whether every unit is there as `install` writes it."""
        return not any(
            not (self.folder / name).is_file() or (self.folder / name).read_text("utf-8") != text
            for name, text in unit_texts(self.layout, command, config).items()
            if not is_masked(self.folder / name)
        )

    def remove(self) -> None:
        """Stop and disable all units, and remove them. ServiceError."""
        there = [name for name in UNITS if (self.folder / name).exists()]
        if not there:
            return
        # Whoever is just changing the version would start the agent again.
        self._call("stop", *[name for name in (*UPDATES, *WORKERS) if name in there])
        self.stop()
        self._call("disable", *[name for name in ENABLED if name in there])
        for name in there:
            remove(self.folder / name)
        self._call("daemon-reload")

    def start(self) -> None:
        """Start the agent and wait until it says that it is ready. ServiceError."""
        if masked := self.masked((f"{SERVICE}.service",)):
            raise ServiceError(f"{masked[0]} is masked; {unmasking(masked)}", code="service_masked")
        self._call("start", f"{SERVICE}.service", timeout_s=START_TIMEOUT_S)

    def watch_for_updates(self) -> None:
        """Start what waits for releases. ServiceError."""
        masked = self.masked(UPDATES)
        if watching := [name for name in UPDATES if name not in masked]:
            self._call("start", *watching)

    def stop(self, timeout_s: float = 10.0) -> None:
        """Stop the agent; kill what has not ended after `timeout_s`. ServiceError."""
        unit = f"{SERVICE}.service"
        try:
            self._run("stop", unit, timeout_s=timeout_s)
        except subprocess.TimeoutExpired:
            self._call("kill", "--signal=SIGKILL", unit)
            self._call("stop", unit)

    def status(self) -> ServiceStatus:
        """As systemd has it. ServiceError."""
        shown = self._call(
            "show", f"{SERVICE}.service", "--property=LoadState,ActiveState,SubState,MainPID,NRestarts,Result"
        )
        values = dict(line.split("=", 1) for line in shown.splitlines() if "=" in line)
        if values.get("LoadState") in (None, "", "not-found"):
            return ServiceStatus(state="absent")
        result = values.get("Result", "success")
        detail = "" if result == "success" else f"{values.get('SubState', '')}: {result}"
        return ServiceStatus(
            state=_STATES.get(values.get("ActiveState", ""), "stopped"),
            pid=int(values.get("MainPID") or 0),
            restarts=int(values.get("NRestarts") or 0),
            detail="masked" if values["LoadState"] == "masked" else detail,
        )

    def _enable(self, names: Sequence[str]) -> None:
        if names and self._run("is-enabled", *names).stdout.split() != ["enabled"] * len(names):
            self._call("enable", *names)

    def _asked(self, *words: str) -> str:
        try:
            return self._run(*words).stdout
        except subprocess.TimeoutExpired as exc:
            raise _too_late(words, ASK_TIMEOUT_S) from exc

    def _call(self, *words: str, timeout_s: float = ASK_TIMEOUT_S) -> str:
        try:
            done = self._run(*words, timeout_s=timeout_s)
        except subprocess.TimeoutExpired as exc:
            raise _too_late(words, timeout_s) from exc
        if done.returncode:
            said = (done.stderr.strip().splitlines() or [f"it ended with {done.returncode}"])[-1]
            raise ServiceError(f"`systemctl {shlex.join(words)}` failed: {said}; see `journalctl -u {SERVICE} -n 50`")
        return done.stdout

    def _run(self, *words: str, timeout_s: float = ASK_TIMEOUT_S) -> "subprocess.CompletedProcess[str]":
        try:
            return subprocess.run(  # noqa: S603 - systemctl with words of our own
                [self._systemctl, "--no-ask-password", *words],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
                timeout=timeout_s,
            )
        except FileNotFoundError as exc:
            raise ServiceError("expected systemctl on this machine; install with --no-service where there is none",
                               code="no_systemd") from exc  # fmt: skip


def _too_late(words: tuple[str, ...], timeout_s: float) -> ServiceError:
    said = f"expected `systemctl {shlex.join(words)}` to end within {timeout_s:g} s"
    return ServiceError(f"{said}; see `journalctl -u {SERVICE} -n 50`")


def is_masked(path: Path) -> bool:
    """Whether a unit's file is the link by which systemd takes it for shut off."""
    return path.is_symlink() and path.readlink() == MASK


def unmasking(names: Sequence[str]) -> str:
    """What to do about masked units, in one sentence: unmasking takes the link away, and then there is no unit."""
    return f"`systemctl unmask {' '.join(names)}`, then `tillside setup repair`, brings back what was shut off"


def unit_texts(layout: Layout, command: tuple[str, ...], config: Path) -> dict[str, str]:
    """Every unit by its name, with this installation's places filled in."""
    return {name: filled(name, layout, command, config) for name in UNITS}


def filled(name: str, layout: Layout, command: tuple[str, ...] = (), config: Path | None = None) -> str:
    """One of our data files with this installation's places in it."""
    text = (resources.files("till_installer") / "data" / name).read_text(encoding="utf-8")
    for mark, value in (
        ("COMMAND", shlex.join(command)),
        ("PROGRAMS", layout.programs),
        ("CONFIG_DIR", layout.config_dir),
        ("CONFIG", config or layout.config),
        ("STATE", layout.state_dir),
        ("LOGS", layout.log_dir),
        ("UPDATES", layout.updates_dir),
        ("ETC", layout.root / "etc"),
    ):
        text = text.replace(f"@{mark}@", str(value))
    return text
