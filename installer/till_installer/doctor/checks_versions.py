"""Checks of what is installed: the versions side by side, their files, upgrades that were cut short; Python itself."""

import re
import sqlite3
import sys
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from till_installer.doctor.catalogue import Answer, check
from till_installer.doctor.findings import Bad, NotLooked
from till_installer.layout import UPDATE_STATE_FILE
from till_sync.heartbeat import UpdateState

if TYPE_CHECKING:
    from till_installer.doctor.scene import Scene

AREA = "versions"
LEAST_PYTHON = (3, 11)
LEAST_SQLITE = (3, 37, 0)
"""From it on tables may be STRICT, as ours are."""
WITHDRAWN_SQLITE = ((3, 52, 0),)
STUCK_UPDATE_MS = 30 * 60_000
UNDER_WAY = frozenset(("downloading", "switching", "proving"))
KEPT_VERSIONS = 3
"""The one that runs, the one before, and one that is staged."""
_REQUIREMENT = re.compile(r"^([A-Za-z0-9._-]+)\s*(?:\[[^]]*\])?\s*([^;]*)(?:;(.*))?$")


def _need_versions(scene: "Scene") -> Path:
    """NotLooked where Tillside was not installed by its installer: from a checkout, or by pip."""
    if not scene.layout.versions.is_dir():
        raise NotLooked(f"there is no {scene.layout.versions}: this is no installation by `tillside setup`")
    return scene.layout.versions


def target_of(pointer: Path) -> str:
    """Name of the version that `current` or `previous` leads to, "" for none: a link, on Windows a small file."""
    try:
        if pointer.is_symlink():
            return pointer.readlink().name
        if pointer.is_file():
            return Path(pointer.read_text("utf-8").strip()).name
    except OSError:
        pass
    return ""


@check(
    "version_current",
    area=AREA,
    title="The installed version is there",
    severity="error",
    looks_at="what `current` leads to",
    fix="`tillside setup repair` with a bundle, or back to the version before: `tillside upgrade rollback`",
)
def version_current(scene: "Scene") -> Answer:
    """It leads to a version with a Python in it, which this machine still has; so has the version to go back to."""
    versions = _need_versions(scene)
    name = target_of(scene.layout.current)
    if not name:
        return Bad(found=f"{scene.layout.current} leads nowhere")
    folder = versions / name
    python = scene.layout.python(folder)
    if not python.exists() and not python.is_symlink():
        return Bad(found=f"{scene.layout.current} leads to {name}, which has no Python")
    for each in dict.fromkeys((name, target_of(scene.layout.previous))):
        if each and (trouble := _python_trouble(versions / each)):
            return Bad(found=f"version {each} {trouble}")
    return name


def _python_trouble(folder: Path) -> str:
    """What the distribution did with the Python that a version was made with; "" for nothing."""
    from till_installer.setup.bootstrap import read_complete
    from till_installer.setup.repairing import python_trouble

    complete = read_complete(folder)
    return python_trouble(folder, complete) if complete is not None else ""


@check(
    "version_mixed",
    area=AREA,
    title="The agent runs the version that is installed",
    severity="warning",
    looks_at="the running agent's version against `current`",
    fix="`systemctl restart tillside`",
)
def version_mixed(scene: "Scene") -> Answer:
    """The same."""
    _need_versions(scene)
    name = target_of(scene.layout.current)
    if not name:
        raise NotLooked("there is no current version")
    running = str(scene.status()["version"])
    if running != name:
        return Bad(found=f"{running} runs, {name} is installed")
    return running


@check(
    "version_files",
    area=AREA,
    title="The installed files are as they came",
    severity="error",
    looks_at="size and, with `--deep`, hash of every file of the packages, by the lists that they came with",
    fix="install the same version again from its bundle: `tillside setup repair`",
)
def version_files(scene: "Scene") -> Answer:
    """None is missing, none was changed."""
    name = target_of(scene.layout.current)
    folder = scene.layout.version_dir(name) if name else None
    if folder is None or not folder.is_dir():
        raise NotLooked("there is no installed version")
    wrong, count = _changed_files(folder, deep=scene.deep)
    if wrong:
        more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        return Bad(found=f"not as they came: {', '.join(wrong[:3])}{more}")
    return f"{count} files"


def _changed_files(folder: Path, *, deep: bool) -> tuple[list[str], int]:
    """Files below a version's site-packages that are not as RECORD says, and how many were looked at."""
    import base64
    import csv
    import hashlib

    wrong: list[str] = []
    count = 0
    for record in sorted(folder.glob("**/site-packages/*.dist-info/RECORD")):
        base = record.parent.parent
        with record.open(encoding="utf-8", newline="") as lines:
            for row in csv.reader(lines):
                if len(row) < 3 or not row[2]:
                    continue
                path, count = base / row[0], count + 1
                try:
                    is_same = path.stat().st_size == int(row[2])
                    # Ours are always read: they are few, and it is they that sell.
                    if is_same and row[1].startswith("sha256=") and (deep or row[0].startswith("till_")):
                        found = base64.urlsafe_b64encode(hashlib.sha256(path.read_bytes()).digest())
                        is_same = found.rstrip(b"=").decode() == row[1][7:]
                except OSError:
                    is_same = False
                if not is_same:
                    wrong.append(row[0])
    return wrong, count


@check(
    "version_previous",
    area=AREA,
    title="There is a version to go back to",
    severity="warning",
    looks_at="what `previous` leads to; after the first installation there is none",
    fix="nothing today; the next upgrade keeps this version to go back to",
)
def version_previous(scene: "Scene") -> Answer:
    """It leads to a whole version, or was never made."""
    versions = _need_versions(scene)
    if not scene.layout.previous.exists() and not scene.layout.previous.is_symlink():
        return "none: nothing was upgraded yet"
    name = target_of(scene.layout.previous)
    if not name or not scene.layout.python(versions / name).exists():
        return Bad(found=f"{scene.layout.previous} leads to {name or 'nothing'}, which can't run")
    return name


@check(
    "version_leftovers",
    area=AREA,
    title="No upgrade was cut short",
    severity="warning",
    looks_at="drafts among the versions, more of them than are needed, and an update that is under way for long",
    fix="run the upgrade again: it finishes what was begun, or takes it back",
)
def version_leftovers(scene: "Scene") -> Answer:
    """Whole versions only, and no update that stands still."""
    versions = _need_versions(scene)
    drafts = sorted(
        each.name for each in versions.iterdir() if each.name.startswith((".", "_")) or each.suffix in (".part", ".tmp")
    )
    if drafts:
        return Bad(found=f"left in {versions}: {', '.join(drafts[:3])}")
    state = update_state(scene)
    if state is not None and state.stage in UNDER_WAY and scene.now_ms() - state.at_ms > STUCK_UPDATE_MS:
        minutes = (scene.now_ms() - state.at_ms) // 60_000
        return Bad(found=f"the update to {state.to_version} is {state.stage} for {minutes} minutes")
    kept = [each for each in versions.iterdir() if each.is_dir()]
    if len(kept) > KEPT_VERSIONS:
        return Bad(
            found=f"{len(kept)} versions are kept, {KEPT_VERSIONS} are needed",
            fix=f"remove all in {versions} but those that `current` and `previous` lead to",
        )
    return f"{len(kept)} versions"


def update_state(scene: "Scene") -> UpdateState | None:
    """The last update; None when there was none, or nobody can read it."""
    try:
        return msgspec.json.decode((scene.state_dir / UPDATE_STATE_FILE).read_bytes(), type=UpdateState)
    except (OSError, msgspec.DecodeError):
        return None


@check(
    "update_failed",
    area=AREA,
    title="The last update went through",
    severity="warning",
    looks_at="`update-state.json`: refused, rolled back or halted, and why",
    fix="send `tillside support` to whoever makes the releases; the till sells on with the version that it has",
)
def update_failed(scene: "Scene") -> Answer:
    """Neither refused nor rolled back."""
    state = update_state(scene)
    if state is None:
        raise NotLooked("nothing was updated yet")
    if state.stage in ("refused", "rolled_back", "halted"):
        return Bad(
            found=f"{state.to_version} was {state.stage.replace('_', ' ')}: {state.code} {state.detail}".rstrip()
        )
    if not state.queue_hash_equal:
        return Bad(found=f"the queue was another one after the update to {state.to_version}", severity="error")
    return f"{state.stage} {state.to_version}".rstrip()


@check(
    "python_version",
    area=AREA,
    title="Python is of a version that Tillside runs with",
    severity="error",
    looks_at="the interpreter of the installed version (3.11 or later, with `ssl` and `sqlite3`)",
    fix="install the version again: `tillside setup repair`",
)
def python_version(scene: "Scene") -> Answer:
    """3.11 or later, and able to run."""
    name = target_of(scene.layout.current)
    python = scene.layout.python(scene.layout.current)
    if name and python.is_symlink() and not python.exists():
        return Bad(found=f"{python} leads to {python.readlink()}, which is not there: the system's Python was changed",
                   fix="install the system's Python again, or a bundle that fits the new one")  # fmt: skip
    found = sys.version_info[:3]
    said = ".".join(map(str, found))
    return said if found >= LEAST_PYTHON else Bad(found=f"{said}, expected {'.'.join(map(str, LEAST_PYTHON))} or later")


@check(
    "packages_missing",
    area=AREA,
    title="Every package that Tillside needs is there",
    severity="error",
    looks_at="what the installed Tillside asks for, and which versions of it are there",
    fix="install the same version again from its bundle: `tillside setup repair`",
)
def packages_missing(scene: "Scene") -> Answer:
    """All of them, new enough."""
    del scene
    wanted = tuple(metadata.requires("tillside") or ())
    wrong = _lacking(wanted)
    return Bad(found="; ".join(wrong)) if wrong else f"{len(wanted)} requirements"


@cache
def _lacking(wanted: tuple[str, ...]) -> tuple[str, ...]:
    """Read once: no package comes or goes while a program runs."""
    wrong: list[str] = []
    for line in wanted:
        form = _REQUIREMENT.match(line)
        if form is None or "extra ==" in (form[3] or "") or not _applies(form[3] or ""):
            continue
        name, least = form[1], re.search(r">=\s*([0-9.]+)", form[2] or "")
        try:
            found = metadata.version(name)
        except metadata.PackageNotFoundError:
            wrong.append(f"{name} is missing")
            continue
        if least and _numbers(found) < _numbers(least[1]):
            wrong.append(f"{name} {found}, expected {least[1]} or later")
    return tuple(wrong)


def _applies(marker: str) -> bool:
    form = re.search(r"python_version\s*<\s*['\"]([0-9.]+)['\"]", marker)
    return form is None or sys.version_info[:2] < _numbers(form[1])


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(each) for each in re.findall(r"\d+", text.split("+", maxsplit=1)[0])[:4])


@check(
    "sqlite_version",
    area=AREA,
    title="SQLite is a version that keeps what it is given",
    severity="error",
    looks_at="its version against those that are too old or known for faults that concern Tillside's files",
    fix="install the system's updates for SQLite (`libsqlite3-0`), then restart the agent",
)
def sqlite_version(scene: "Scene") -> Answer:
    """Neither too old nor withdrawn."""
    del scene
    found = tuple(sqlite3.sqlite_version_info)
    said = sqlite3.sqlite_version
    if found < LEAST_SQLITE:
        return Bad(found=f"{said}, expected {'.'.join(map(str, LEAST_SQLITE))} or later")
    if found in WITHDRAWN_SQLITE:
        return Bad(found=f"{said}, which its makers withdrew", severity="warning")
    if has_reset_fault(found):
        return f"{said}; its fault with two writers at one log can't show: each file of ours has one writer"
    return said


def has_reset_fault(version: tuple[int, ...]) -> bool:
    """Whether two connections that write or copy the log at one moment may damage a file.

    Before 3.51.3 (2026-03-13); mended also in 3.50.7 and 3.44.6. Ours have one writer each, the journal by a lock.
    """
    if version >= (3, 51, 3):
        return False
    mended = {(3, 50): 7, (3, 44): 6}.get((version[0], version[1]))
    return mended is None or version[2] < mended
