"""Where an installed Tillside keeps its parts. Every path hangs below one root, so that a test installs into a folder.

Several versions lie side by side; `current` names the one that runs, `previous` the one before it. Switching replaces a
symbolic link by a rename, on Windows a small file that the service's starter reads.
"""

import os
from pathlib import Path

from msgspec import Struct

from till_config.installed import CONFIG_FILE, LINUX_CONFIG_DIR, WINDOWS_CONFIG_DIR
from till_sync.heartbeat import UPDATE_STATE_FILE, UPDATE_WANTED_FILE

__all__ = [
    "SERVICE",
    "UPDATE_STATE_FILE",
    "UPDATE_WANTED_FILE",
    "Layout",
    "linux_layout",
    "this_layout",
    "windows_layout",
]

SERVICE = "tillside"
"""Name of the agent's service."""


class Layout(Struct, frozen=True, kw_only=True):
    """Folders and files of one installation."""

    root: Path
    programs: Path
    """`versions/<version>/`, `current`, `previous`."""
    config_dir: Path
    """`till.toml`, readable by the agent, written by root."""
    state_dir: Path
    """Of the agent: journal, cache, identity, tokens. Outlives every version."""
    log_dir: Path
    updates_dir: Path
    """Of the upgrader alone: downloads, the trusted metadata of updates, its lock."""

    @property
    def config(self) -> Path:
        """The till's own settings."""
        return self.config_dir / CONFIG_FILE

    @property
    def versions(self) -> Path:
        """Holds a folder for each version."""
        return self.programs / "versions"

    @property
    def current(self) -> Path:
        """Names the version that runs."""
        return self.programs / "current"

    @property
    def previous(self) -> Path:
        """Names the version to go back to."""
        return self.programs / "previous"

    def version_dir(self, version: str) -> Path:
        """Folder of one version."""
        return self.versions / version

    def python(self, version_dir: Path) -> Path:
        """The interpreter of a version (or of `current`)."""
        return version_dir / ("python.exe" if os.name == "nt" else "bin/python")


def linux_layout(root: Path = Path("/")) -> Layout:
    """By the Filesystem Hierarchy Standard."""
    return Layout(
        root=root,
        programs=root / "opt/tillside",
        config_dir=root / LINUX_CONFIG_DIR.relative_to("/"),
        state_dir=root / "var/lib/tillside",
        log_dir=root / "var/log/tillside",
        updates_dir=root / "var/lib/tillside-updates",
    )


def windows_layout(programs: Path = Path("C:/Program Files/Tillside"), data: Path = WINDOWS_CONFIG_DIR) -> Layout:
    """Programs below Program Files, all else below ProgramData."""
    return Layout(
        root=Path(programs.anchor or "/"),
        programs=programs,
        config_dir=data,
        state_dir=data,
        log_dir=data / "logs",
        updates_dir=data / "updates",
    )


def this_layout(root: Path | None = None) -> Layout:
    """Of this system; `root` moves all of it."""
    if os.name == "nt":
        return (
            windows_layout()
            if root is None
            else windows_layout(root / "Program Files/Tillside", root / "ProgramData/Tillside")
        )
    return linux_layout() if root is None else linux_layout(root)
