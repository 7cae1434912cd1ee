"""The agent's service as systemd has it: one call of `systemctl show`, bounded. Blocking."""

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from till_installer.doctor.findings import NotLooked
from till_installer.layout import SERVICE

TIMEOUT_S = 3.0
PROPERTIES = (
    "LoadState",
    "ActiveState",
    "SubState",
    "UnitFileState",
    "NRestarts",
    "FragmentPath",
    "DropInPaths",
    "NeedDaemonReload",
    "WatchdogUSec",
    "MemoryCurrent",
    "User",
    "Result",
    "MainPID",
)


class Unit(Struct, frozen=True, kw_only=True):
    """Properties of the unit by systemd's own names; "" for what it doesn't tell."""

    told: Mapping[str, str]

    def __getitem__(self, name: str) -> str:
        return self.told.get(name, "")

    @property
    def is_installed(self) -> bool:
        """Whether systemd knows such a unit."""
        return self["LoadState"] not in ("", "not-found", "masked")


def look_at_unit(system: Path, environment: Mapping[str, str]) -> Unit:
    """What systemd says of our service. NotLooked where no systemd runs, or it doesn't answer."""
    if not (system / "run/systemd/system").is_dir():
        raise NotLooked("no systemd runs here")
    program = shutil.which("systemctl", path=environment.get("PATH"))
    if program is None:
        raise NotLooked("there is no `systemctl`")
    try:
        done = subprocess.run(  # noqa: S603 - the system's own program with words of ours
            [program, "show", f"{SERVICE}.service", f"--property={','.join(PROPERTIES)}", "--no-pager"],
            capture_output=True,
            timeout=TIMEOUT_S,
            check=False,
            stdin=subprocess.DEVNULL,
            env=dict(environment),
        )
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise NotLooked(f"systemctl does not answer: {type(exc).__name__}") from exc
    lines = done.stdout.decode(errors="replace").splitlines()
    told = dict(line.split("=", 1) for line in lines if "=" in line)
    if not told:
        raise NotLooked(f"systemctl says nothing ({done.returncode})")
    return Unit(told=told)
