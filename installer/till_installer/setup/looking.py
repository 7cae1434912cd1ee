"""What is installed on this machine and how it is, in a few lines; `tillside doctor` looks deeper."""

import shutil
from pathlib import Path

from msgspec import Struct

from till_config import ConfigError, load
from till_installer.bundle.manifest import Version
from till_installer.layout import Layout
from till_installer.services.ports import ServiceManager
from till_installer.setup import bootstrap
from till_installer.setup.enrolling import enrolled_as
from till_installer.setup.repairing import Fault, look
from till_installer.upgrade.pointers import named


class Standing(Struct, frozen=True, kw_only=True):
    """`versions`: those that are there as a whole. `good`: nothing is wrong with what is installed."""

    installed: bool
    version: str = ""
    previous: str = ""
    versions: tuple[Version, ...] = ()
    service: str = "none"
    restarts: int = 0
    till: str = ""
    config_problems: int = 0
    program_bytes: int = 0
    free_bytes: int = 0
    faults: tuple[Fault, ...] = ()

    @property
    def good(self) -> bool:
        """Installed, and as it was installed."""
        return self.installed and not self.faults and not self.config_problems


def standing(layout: Layout, manager: ServiceManager | None) -> Standing:
    """As it is now; nothing is changed."""
    if not named(layout.current) and not layout.versions.is_dir():
        return Standing(installed=False)
    whole = sorted(each.name for each in layout.versions.glob("[0-9]*") if bootstrap.read_complete(each) is not None)
    status = manager.status() if manager is not None else None
    return Standing(
        installed=bool(named(layout.current)),
        version=named(layout.current),
        previous=named(layout.previous),
        versions=tuple(whole),
        service=status.state if status is not None else "none",
        restarts=status.restarts if status is not None else 0,
        till=enrolled_as(layout),
        config_problems=_problems(layout.config),
        program_bytes=_size(layout.programs),
        free_bytes=shutil.disk_usage(layout.programs).free,
        faults=tuple(look(layout, manager)),
    )


def _problems(config: Path) -> int:
    try:
        load(config)
    except ConfigError as exc:
        return max(1, len(getattr(exc, "problems", ())))
    return 0


def _size(folder: Path) -> int:
    return sum(path.lstat().st_blocks * 512 for path in folder.rglob("*") if not path.is_dir())
