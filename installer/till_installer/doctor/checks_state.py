"""Checks of the state directory: there, the agent's own, writable, with room, on a disk that keeps what it is given."""

import contextlib
import errno
import os
import re
import secrets
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from till_agent.journal.copies import PREFIX as COPY_PREFIX
from till_installer.doctor.catalogue import Answer, check
from till_installer.doctor.findings import Bad, Mend, NotLooked

if TYPE_CHECKING:
    from till_installer.doctor.scene import Scene

AREA = "state"
DISK_ERROR_BYTES = 64 * 1024 * 1024
"""A day of a busy till takes some 10 MB, and a copy of the journal before an upgrade as much as it has."""
DISK_LOW_BYTES = 512 * 1024 * 1024
"""As in the agent's own status: a month without a line takes some 300 MB of journal."""
INODES_LOW = 1_000
NETWORK_TYPES = frozenset(
    ("nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "fuse.sshfs", "afs", "ncpfs", "glusterfs", "ceph", "fuse.glusterfs")
)
FILES_LIMIT = 2_000
"""Of the state directory that are looked at."""
DRAFT_MS = 3_600_000
"""A draft lives for a moment: one so old is nobody's any more. That of the identity has its secrets in it."""
_DRAFT = re.compile(r"^\..+\.(?:[0-9a-f]{8}|new)$|\.draft$")
_TRIAL_PREFIX = ".doctor-"
_PASSING = (_TRIAL_PREFIX, COPY_PREFIX)
"""Names of what root's own commands lay there for a moment, these checks among them: the agent never opens it."""
_OCTAL = re.compile(r"\\([0-7]{3})")


@check(
    "state_dir_missing",
    area=AREA,
    title="The state directory is there",
    severity="error",
    looks_at="the folder `agent.state_dir`: journal, cache, identity, tokens",
    fix="make it for the agent's user alone, or name another one in agent.state_dir",
    mends="makes the folder, where its parent is there",
)
def state_dir_missing(scene: "Scene") -> Answer:
    """The folder is there."""
    path = scene.state_dir
    if path.is_dir():
        return str(path)
    if path.exists() or path.is_symlink():
        return Bad(found=f"{path} is no folder", fix=f"move {path} away and start the agent")

    def make() -> str:
        path.mkdir(mode=0o700)
        owner = path.parent.stat()
        if os.name == "posix" and os.geteuid() == 0 and owner.st_uid:
            os.chown(path, owner.st_uid, owner.st_gid)
        return f"made {path}"

    return Bad(
        found=f"there is no {path}",
        fix=f"`install -d -m 700 -o tillside -g tillside {path}`",
        mend=Mend(f"make {path}", make) if path.parent.is_dir() else None,
    )


@check(
    "state_dir_owner",
    area=AREA,
    title="All of the state directory is its owner's",
    severity="error",
    looks_at="the owner of each file in it: what root left there the agent can't open",
    fix="give all of it to the agent's user: `chown -R tillside: DIR`",
    mends="gives such files to the folder's owner (as root)",
)
def state_dir_owner(scene: "Scene") -> Answer:
    """Every file has the folder's owner."""
    folder = scene.state()
    if os.name != "posix":
        raise NotLooked("rights are kept in lists that the installer sets")
    owner = folder.stat()
    lasting = [each for each in _files(folder) if not each.name.startswith(_PASSING)]
    alien = [each for each in lasting if _owner_of(each, owner.st_uid) != owner.st_uid]
    if not alien:
        return "one owner"

    def give() -> str:
        for each in alien:
            os.chown(each, owner.st_uid, owner.st_gid, follow_symlinks=False)
        return f"gave {', '.join(each.name for each in alien[:5])} to the owner of {folder}"

    names = ", ".join(each.name for each in alien[:5]) + (f" and {len(alien) - 5} more" if len(alien) > 5 else "")
    return Bad(
        found=f"not of the owner of {folder}: {names}",
        fix=f"`chown -R --reference={folder} {folder}` as root",
        mend=Mend("give them to the folder's owner", give) if os.geteuid() == 0 else None,
    )


@check(
    "state_dir_rights",
    area=AREA,
    title="Nobody else may look into the state directory",
    severity="warning",
    looks_at="rights of the folder, which has to be 0700: cards' tags and tokens lie there",
    fix="`chmod 700 DIR`",
    mends="takes the rights of group and others away",
)
def state_dir_rights(scene: "Scene") -> Answer:
    """Neither group nor others have a right to it."""
    folder = scene.state()
    if os.name != "posix":
        raise NotLooked("rights are kept in lists that the installer sets")
    mode = stat.S_IMODE(folder.stat().st_mode)
    if not mode & 0o077 and mode & 0o700 == 0o700:
        return f"{mode:o}"

    def narrow() -> str:
        folder.chmod(0o700)
        return f"set {folder} to 700"

    return Bad(
        found=f"{folder} has the mode {mode:o}, expected 700",
        fix=f"`chmod 700 {folder}`",
        mend=Mend("set its mode to 700", narrow),
    )


@check(
    "state_dir_readonly",
    area=AREA,
    title="The disk of the state directory takes writes",
    severity="error",
    looks_at="a small file that is written, kept and removed again; a disk with faults is mounted read-only",
    fix="look into the system's log for errors of the disk (`dmesg`); mount it for writing, or replace it",
)
def state_dir_readonly(scene: "Scene") -> Answer:
    """A file can be written and kept."""
    folder = scene.state()
    if _mount_of(scene, folder)[2]:
        return Bad(found=f"the disk of {folder} is mounted read-only")
    trial = folder / f"{_TRIAL_PREFIX}{secrets.token_hex(4)}"
    try:
        descriptor = os.open(trial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except PermissionError:
        raise
    except OSError as exc:
        return _refused(folder, exc, f"nothing can be written into {folder}: {exc.strerror}")
    try:
        os.write(descriptor, b"tillside doctor\n")
        os.fsync(descriptor)
    except OSError as exc:
        return _refused(folder, exc, f"what is written into {folder} is not kept: {exc.strerror}")
    finally:
        os.close(descriptor)
        with contextlib.suppress(OSError):
            trial.unlink()
    return "a file was written and kept"


def _refused(folder: Path, exc: OSError, found: str) -> Bad:
    """NotLooked when it is full: a disk without room has no fault."""
    if exc.errno not in {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}:
        return Bad(found=found)
    if is_full(folder):
        raise NotLooked("the disk is full, which another finding tells") from exc
    return Bad(
        found=found, fix="make room: `df -i` shows files that are too many, `quota` the share of the agent's user"
    )


@check(
    "disk_low",
    area=AREA,
    title="The disk has room",
    severity="warning",
    looks_at="free bytes for the agent's user; an error below 64 MB, since sales need them",
    fix="free room on the disk; `tillside doctor --only log_size --only state_leftovers` names what of ours may go",
)
def disk_low(scene: "Scene") -> Answer:
    """More than 512 MB are free."""
    folder = scene.state()
    free = free_bytes(folder)
    said = f"{free // 1024**2} MB are free on the disk of {folder}"
    if free < DISK_ERROR_BYTES:
        return Bad(found=said, severity="error")
    return Bad(found=said) if free < DISK_LOW_BYTES else said


def is_full(folder: Path) -> bool:
    """Whether `disk_low` tells an error: what else fails there for want of room has that cause."""
    return free_bytes(folder) < DISK_ERROR_BYTES


def free_bytes(folder: Path) -> int:
    """For who is not root: some of a disk is root's alone."""
    if hasattr(os, "statvfs"):
        room = os.statvfs(folder)
        return room.f_bavail * room.f_frsize
    import shutil

    return shutil.disk_usage(folder).free


@check(
    "inodes_low",
    area=AREA,
    title="The disk has room for more files",
    severity="warning",
    looks_at="free inodes: with none, a disk with room takes no new file",
    fix="remove files that nobody needs, often thousands of small ones below /var or /tmp: `df -i` shows the disk",
)
def inodes_low(scene: "Scene") -> Answer:
    """Enough inodes are free."""
    folder = scene.state()
    if not hasattr(os, "statvfs"):
        raise NotLooked("this system has no inodes")
    room = os.statvfs(folder)
    if not room.f_files:
        raise NotLooked("this file system counts no inodes")
    said = f"{room.f_favail} of {room.f_files} inodes are free"
    return Bad(found=said) if room.f_favail < INODES_LOW else said


@check(
    "state_on_network",
    area=AREA,
    title="The state directory is on a disk of this machine",
    severity="error",
    looks_at="the type of its file system: over a network neither locks nor syncs are kept",
    fix="put agent.state_dir on a local disk, with the agent stopped and all its files moved there",
)
def state_on_network(scene: "Scene") -> Answer:
    """Neither a network's nor memory's."""
    folder = scene.state()
    kind, place, _ = _mount_of(scene, folder)
    if kind in NETWORK_TYPES:
        return Bad(found=f"{folder} is on {place}, which is {kind}")
    if kind in ("tmpfs", "ramfs"):
        return Bad(found=f"{folder} is on {place}, which is {kind}: it is lost when the machine is switched off")
    return kind or "nobody says what kind of disk it is"


def _mount_of(scene: "Scene", folder: Path) -> tuple[str, str, bool]:
    """(type, mount point, read-only) of a path by /proc/mounts; ("", "", False) where there is none."""
    try:
        lines = (scene.system / "proc/mounts").read_text("utf-8", errors="replace").splitlines()
    except OSError:
        return "", "", False
    path = folder.resolve()
    best: tuple[int, str, str, bool] = (-1, "", "", False)
    for line in lines:
        words = line.split(" ")
        if len(words) < 4:
            continue
        point = _OCTAL.sub(lambda found: chr(int(found[1], 8)), words[1])
        if path.is_relative_to(point) and len(point) >= best[0]:
            best = (len(point), words[2], point, "ro" in words[3].split(","))
    return best[1:]


@check(
    "state_leftovers",
    area=AREA,
    title="Nothing waits in the state directory to be looked at",
    severity="warning",
    looks_at="damaged files that the agent has put aside, and drafts that a crash left more than an hour ago",
    fix="keep what was put aside elsewhere for support, then remove it from the state directory by hand",
    mends="removes such drafts; what was put aside stays",
)
def state_leftovers(scene: "Scene") -> Answer:
    """No file was put aside, and no draft is left of one that was to be replaced."""
    folder = scene.state()
    every = sorted([*folder.iterdir(), *(folder / "tokens").glob("*")])
    aside = [each for each in every if ".damaged" in each.name and not _DRAFT.search(each.name)]
    drafts = [each for each in every if _DRAFT.search(each.name) and _age_ms(each, scene.now_ms()) > DRAFT_MS]
    if not aside and not drafts:
        return "nothing was put aside"
    said = [
        f"{len(files)} {what} ({sum(map(_size, files)) // 1024} KB): {', '.join(each.name for each in files[:4])}"
        for what, files in (("put aside", aside), ("drafts of a crash", drafts))
        if files
    ]

    def remove() -> str:
        for each in drafts:
            each.unlink(missing_ok=True)
        return f"removed {', '.join(each.name for each in drafts[:4])}"

    by_hand = f"send `tillside support` to support, then move {folder}/*.damaged* elsewhere"
    return Bad(
        found="; ".join(said),
        fix=by_hand if aside else "`tillside doctor --only state_leftovers --fix`",
        mend=Mend("remove the drafts", remove) if drafts else None,
    )


def _age_ms(path: Path, now_ms: int) -> int:
    """Since a file was written; 0 for one that went meanwhile."""
    try:
        return now_ms - path.lstat().st_mtime_ns // 1_000_000
    except FileNotFoundError:
        return 0


def _size(path: Path) -> int:
    try:
        return path.lstat().st_size
    except FileNotFoundError:
        return 0


def _owner_of(path: Path, gone: int) -> int:
    """Of a file; `gone` for one that went meanwhile: the agent, and another check, make and remove small ones."""
    try:
        return path.lstat().st_uid
    except FileNotFoundError:
        return gone


def _files(folder: Path) -> list[Path]:
    found: list[Path] = []
    for where, folders, names in os.walk(folder):
        found += [Path(where, name) for name in (*folders, *names)]
        if len(found) > FILES_LIMIT:
            break
    return found
