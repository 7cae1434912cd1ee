"""What goes with a till, and what stays with the machine."""

import tarfile
from pathlib import Path

from msgspec import Struct

from till_agent.instance import LOCK_FILE, RUNNING_FILE
from till_agent.retiring import RETIRED_FILE
from till_installer.layout import UPDATE_STATE_FILE, UPDATE_WANTED_FILE

FORMAT = 1
MANIFEST = "manifest.json"
STATE = "state/"
FILES = "files/"
MANIFEST_LIMIT_BYTES = 1 << 20

STAYS = frozenset({LOCK_FILE, RUNNING_FILE, RETIRED_FILE, UPDATE_STATE_FILE, UPDATE_WANTED_FILE})
"""Of this machine and this run."""
CACHE_STEM = "cache.db"
STAGING = ".importing"


class Carried(Struct, frozen=True, kw_only=True):
    """A file of the settings that lies elsewhere: a slip template, a logo. `name` is its place in the clone."""

    name: str
    path: str


class Manifest(Struct, frozen=True, kw_only=True):
    """First of all in the file. `waiting`: operations that the cloud has not acknowledged."""

    format: int
    clone: str
    till: str
    store: str
    version: str
    state_dir: str
    config: str
    waiting: int
    last_seq: int
    files: tuple[Carried, ...] = ()


def state_files(state_dir: Path, *, with_cache: bool) -> list[Path]:
    """Everything that makes the till what it is, folders below included; in order."""
    found = []
    for path in sorted(state_dir.rglob("*")):
        relative = path.relative_to(state_dir)
        if relative.parts[0] in STAYS or relative.parts[0] == STAGING or not path.is_file() or path.is_symlink():
            continue
        if path.name.endswith("-shm") or (not with_cache and path.name.startswith(CACHE_STEM)):
            continue
        found.append(path)
    return found


def is_safe(member: tarfile.TarInfo) -> bool:
    """A plain file with a name that stays below the folder it is put into."""
    parts = Path(member.name).parts
    return (
        member.isreg()
        and bool(parts)
        and not Path(member.name).is_absolute()
        and ".." not in parts
        and "\\" not in member.name
        and ":" not in member.name
        and (member.name == MANIFEST or member.name.startswith((STATE, FILES)))
    )
