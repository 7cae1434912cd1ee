"""Which manager runs the agent of an installation."""

import sys
from pathlib import Path

from till_installer.layout import Layout
from till_installer.services.ports import ServiceManager
from till_installer.services.systemd import RUNNING, SystemdManager

WATCHDOG_S = 10.0
"""As in the unit."""
USER = "tillside"


def agent_command(layout: Layout) -> tuple[str, ...]:
    """What a manager runs: whichever version is the current one."""
    if sys.platform == "win32":
        from till_installer.services.windows import service_command

        return service_command(layout)
    python = str(layout.python(layout.current))
    return (python, "-P", "-m", "till_installer", "agent", "run", "--config", str(layout.config))


def manager_of(layout: Layout, systemd: Path = RUNNING) -> ServiceManager:
    """Windows'; systemd's for the machine's own installation where it is the first process, else a keeper of ours."""
    if sys.platform == "win32":
        from till_installer.services.windows import WindowsManager

        return WindowsManager(layout)
    from till_installer.services.process import ProcessManager

    if layout.root == Path("/") and systemd.is_dir():
        return SystemdManager(layout)
    user = USER if layout.root == Path("/") else ""
    return ProcessManager(layout.programs / "run", notify=True, watchdog_s=WATCHDOG_S, user=user)
