"""Files and folders put in place so that doing it again changes nothing: not the contents, not a date."""

import contextlib
import os
import secrets
import shutil
import stat
from pathlib import Path

from msgspec import Struct

from till_installer.setup.exceptions import SetupError

USER = "tillside"


class Owner(Struct, frozen=True):
    """Numbers of a user and a group; -1: leave as it is."""

    uid: int = -1
    gid: int = -1


NOBODY_IN_PARTICULAR = Owner()


def agent_owner(root: Path) -> Owner:
    """The agent's user by the `passwd` of that root; nobody in particular where there is none, or we aren't root."""
    if os.name == "nt" or os.geteuid() != 0:
        return NOBODY_IN_PARTICULAR
    with contextlib.suppress(OSError):
        for line in (root / "etc/passwd").read_text(encoding="utf-8", errors="replace").splitlines():
            fields = line.split(":")
            if fields[0] == USER and len(fields) > 3:
                return Owner(int(fields[2]), int(fields[3]))
    return NOBODY_IN_PARTICULAR


def put(path: Path, content: str | bytes, mode: int, owner: Owner = NOBODY_IN_PARTICULAR) -> bool:
    """Whole or not at all; whether anything was changed. SetupError when it can't be written."""
    data = content.encode() if isinstance(content, str) else content
    try:
        if path.is_file() and not path.is_symlink() and path.read_bytes() == data:
            return set_rights(path, mode, owner)
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        try:
            handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with open(handle, "wb") as file:  # noqa: PTH123 - of a handle
                file.write(data)
                file.flush()
                os.fsync(handle)
            set_rights(draft, mode, owner)
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as exc:
        raise SetupError(
            f"expected to write {path}: {exc.strerror}; make room or run as root", code="not_written"
        ) from exc
    return True


def folder(path: Path, mode: int, owner: Owner = NOBODY_IN_PARTICULAR) -> bool:
    """A folder with these rights; whether anything was changed. SetupError."""
    try:
        is_new = not path.is_dir()
        path.mkdir(mode=mode, parents=True, exist_ok=True)
        return set_rights(path, mode, owner) or is_new
    except OSError as exc:
        raise SetupError(f"expected a folder at {path}: {exc.strerror}; run as root", code="not_written") from exc


def set_rights(path: Path, mode: int, owner: Owner = NOBODY_IN_PARTICULAR) -> bool:
    """Give it these rights; whether they were others. OSError."""
    found = path.stat()
    changed = False
    is_other = (owner.uid not in (-1, found.st_uid)) or (owner.gid not in (-1, found.st_gid))
    if is_other:
        os.chown(path, owner.uid, owner.gid)
        changed = True
    if stat.S_IMODE(found.st_mode) != mode:
        path.chmod(mode)
        changed = True
    return changed


def link(path: Path, target: Path) -> bool:
    """A symbolic link, replaced in one step; whether anything was changed. SetupError."""
    try:
        if path.is_symlink() and path.readlink() == target:
            return False
        if path.exists() and not path.is_symlink():
            raise SetupError(f"expected nothing but our link at {path}: move that file away", code="path_taken")
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        draft.symlink_to(target)
        draft.replace(path)
    except OSError as exc:
        raise SetupError(f"expected to write {path}: {exc.strerror}; run as root", code="not_written") from exc
    return True


def remove(path: Path) -> bool:
    """A file, link or whole folder; whether there was one. SetupError."""
    try:
        if path.is_symlink() or path.is_file():
            path.unlink()
        elif path.is_dir():
            shutil.rmtree(path)
        else:
            return False
    except OSError as exc:
        raise SetupError(f"expected to remove {path}: {exc.strerror}; run as root", code="not_removed") from exc
    return True
