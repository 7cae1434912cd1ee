"""`current`, `previous` and `upgrader`: each names a version, and is changed in one step.

On Linux they are symbolic links, replaced by a rename; on Windows small files that the service's starter reads.
"""

import contextlib
import os
import secrets
from pathlib import Path

from till_installer.layout import Layout
from till_sync.files import replace_file, sync_folder


def upgrader(layout: Layout) -> Path:
    """Names the version whose program finishes an upgrade that was cut off: one that is proven, never the new one."""
    return layout.programs / "upgrader"


def named(pointer: Path) -> str:
    """The version that a pointer names; "" when it names none."""
    if pointer.is_symlink():
        return pointer.readlink().name
    if pointer.is_file():
        return pointer.read_text(encoding="utf-8").strip()
    return ""


def point(pointer: Path, version: str) -> None:
    """Have it name a version; "" takes it away. On the disk when this returns. OSError leaves it as it was."""
    if named(pointer) == version:
        return
    if not version:
        pointer.unlink(missing_ok=True)
    elif os.name == "nt":
        replace_file(pointer, version.encode())
    else:
        draft = pointer.with_name(f".{pointer.name}.{secrets.token_hex(4)}")
        try:
            draft.symlink_to(Path("versions", version))
            draft.replace(pointer)
        except BaseException:
            with contextlib.suppress(OSError):
                draft.unlink()
            raise
    sync_folder(pointer.parent)
