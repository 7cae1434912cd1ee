"""Small private files, replaced in one step: whoever reads one, whatever fails, has the old or the new, no part."""

import contextlib
import os
import secrets
import sys
from pathlib import Path


def replace_file(path: Path, content: bytes) -> None:
    """Put `content` in the place of `path`, readable by its owner alone, synced; OSError leaves what was there.

    The owner is the folder's, also where root writes: a command run as root must not take a till's identity or state
    away from the agent's user, who could not start any more.

    The new name itself is on the disk after `sync_folder`.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            give_to_folders_owner(path.parent, file.fileno())
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            draft.unlink()
        raise


def sync_folder(folder: Path) -> None:
    """Make renames and new names durable; Windows does so by itself and can't be asked."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def give_to_folders_owner(folder: Path, handle: int) -> None:
    """Where root made the file: to whom its folder belongs. OSError."""
    if sys.platform != "win32" and os.geteuid() == 0:
        owner = folder.stat()
        os.fchown(handle, owner.st_uid, owner.st_gid)
