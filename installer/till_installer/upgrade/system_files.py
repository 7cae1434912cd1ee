"""What a version puts into the system around its folders: units, rules, rights. It changes with the version.

The version itself is asked for its files while the old one serves; what is there in their places is kept. At the
switch they are written, on the way back what was there is written again: each may be repeated after it was cut off.
"""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
from msgspec import Struct

from till_installer.exceptions import ServiceError
from till_installer.layout import Layout
from till_installer.services.ports import ServiceManager
from till_installer.services.systemd import is_masked
from till_installer.setup import system
from till_installer.setup.bootstrap import KEPT_BUNDLE
from till_installer.setup.exceptions import SetupError
from till_installer.setup.files import put, remove
from till_installer.upgrade.exceptions import UpgradeError
from till_sync.files import replace_file, sync_folder

PLAN_FILE = "system.json"
"""In `updates_dir`, while a change is under way that brings other files."""
ASK_TIMEOUT_S = 60.0
SAID_LIMIT = 300
NO_SUCH_COMMAND = 2
"""Exit status of a version that was made before it could be asked."""
UNITS = "etc/systemd/system/"
_OURS = re.compile(
    r"(etc/systemd/system|etc/(sysusers|tmpfiles|modules-load)\.d|etc/udev/rules\.d)/([0-9]+-)?tillside[A-Za-z0-9@._-]*"
)
"""A version that names anything else is not obeyed, whoever signed it: a slip there would cost the machine."""


class Brought(Struct, frozen=True, kw_only=True):
    """What a version wants in the system: texts by their path below the root, and the units that are enabled."""

    files: dict[str, str] = {}
    enabled: tuple[str, ...] = ()


class Plan(Struct, frozen=True, kw_only=True):
    """What differs between two versions: contents by path, None where there is no such file."""

    before: dict[str, bytes | None]
    after: dict[str, bytes | None]
    enabled_before: tuple[str, ...] = ()
    enabled_after: tuple[str, ...] = ()


Ask = Callable[[Layout, str], Brought | None]
"""(layout, version) -> what it brings; None when it can't be asked. UpgradeError."""


def of_this_version(layout: Layout) -> Brought:
    """What `tillside setup system-files` says: asked by the upgrader of another version."""
    from till_installer.services.choosing import agent_command
    from till_installer.services.systemd import ENABLED, unit_texts

    if sys.platform == "win32":
        return Brought()
    units = unit_texts(layout, agent_command(layout), layout.config)
    return Brought(files=system.file_texts(layout) | {UNITS + name: text for name, text in units.items()},
                   enabled=ENABLED)  # fmt: skip


def ask(layout: Layout, version: str) -> Brought | None:
    """By the program of that version. UpgradeError; None, and what is there stays, for one that can't be asked: it was

    made before that, or not from a bundle.
    """
    folder = layout.version_dir(version)
    if sys.platform == "win32" or not (folder / KEPT_BUNDLE).is_dir():
        return None
    command = [str(layout.python(folder)), "-P", "-m", "till_installer", "setup", "system-files"]
    if layout.root != Path("/"):
        command += ["--root", str(layout.root)]
    silent = f"version {version} does not say which files of the system are its own"
    try:
        done = subprocess.run(  # noqa: S603 - a version of ours
            command, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=ASK_TIMEOUT_S, cwd="/"
        )
    except (OSError, subprocess.SubprocessError) as exc:
        raise UpgradeError(f"{silent}: {exc}", code="staging_failed") from exc
    if done.returncode == NO_SUCH_COMMAND:
        return None
    try:
        found = msgspec.json.decode(done.stdout if done.returncode == 0 else b"", type=Brought)
    except msgspec.DecodeError as exc:
        said = done.stderr.decode(errors="replace").strip()[-SAID_LIMIT:] or str(exc)
        raise UpgradeError(f"{silent}: {said}", code="staging_failed") from exc
    if strange := [path for path in found.files if not _OURS.fullmatch(path)]:
        message = f"expected of version {version} only files of Tillside's, not {strange[0]}"
        raise UpgradeError(message, code="staging_failed")
    return found


class SystemFiles:
    """Of one installation and one change of version."""

    def __init__(self, layout: Layout, manager: ServiceManager, ask_version: Ask = ask) -> None:
        self._layout = layout
        self._manager = manager
        self._ask = ask_version

    @property
    def plan_path(self) -> Path:
        """There while a change is under way that brings other files."""
        return self._layout.updates_dir / PLAN_FILE

    def prepare(self, from_version: str, to_version: str) -> str:
        """Ask both, and write down what differs from what is there; gives what is to be said of that, "" for nothing.

        UpgradeError when the new version can't say what it needs. OSError.
        """
        self.clear()
        new = self._ask(self._layout, to_version)
        if new is None:
            return ""
        try:
            old = self._ask(self._layout, from_version) or Brought()
        except UpgradeError:
            old = Brought()
        left = self._left_out(old.enabled, new.enabled)
        remark = f"{', '.join(left)} disabled or masked by somebody, and left so" if left else ""
        before: dict[str, bytes | None] = {}
        after: dict[str, bytes | None] = {}
        for path in sorted({*old.files, *new.files}):
            if path.startswith(UNITS) and (not self._has_units or is_masked(self._layout.root / path)):
                continue
            there = _content(self._layout.root / path)
            wanted = new.files[path].encode() if path in new.files else None
            if there != wanted:
                before[path], after[path] = there, wanted
        if not before:
            return remark
        if closed := self._closed(before):
            return f"{closed} can't be written: units and rules stay as they were; `tillside setup repair` brings them"
        plan = Plan(
            before=before,
            after=after,
            enabled_before=tuple(name for name in old.enabled or new.enabled if name not in left),
            enabled_after=tuple(name for name in new.enabled if name not in left),
        )
        replace_file(self.plan_path, msgspec.json.encode(plan))
        sync_folder(self.plan_path.parent)
        return remark

    def put_new(self) -> None:
        """What the new version brings; nothing when that is what is there. InstallerError, OSError."""
        plan = self._plan()
        if plan is not None:
            gone = tuple(name for name in plan.enabled_before if name not in plan.enabled_after)
            self._write(plan.after, plan.enabled_after, gone)

    def put_back(self) -> None:
        """What was there before. InstallerError, OSError."""
        plan = self._plan()
        if plan is not None:
            new = tuple(name for name in plan.enabled_after if name not in plan.enabled_before)
            self._write(plan.before, plan.enabled_before, new)

    def clear(self) -> None:
        """The change is over. OSError."""
        self.plan_path.unlink(missing_ok=True)

    @property
    def _has_units(self) -> bool:
        return self._manager is not None and hasattr(self._manager, "change")

    def _left_out(self, old: tuple[str, ...], new: tuple[str, ...]) -> tuple[str, ...]:
        """Units that the operator has shut off, which no change of version switches on again."""
        left_out = getattr(self._manager, "left_out", None)
        if left_out is None:
            return ()
        try:
            return tuple(left_out(tuple(dict.fromkeys((*old, *new)))))
        except ServiceError as exc:
            raise UpgradeError(str(exc), code="staging_failed") from exc

    def _plan(self) -> Plan | None:
        try:
            return msgspec.json.decode(self.plan_path.read_bytes(), type=Plan)
        except FileNotFoundError:
            return None
        except msgspec.DecodeError as exc:
            raise UpgradeError(f"expected what an upgrader wrote in {self.plan_path}: {exc}", code="marker") from exc

    def _write(self, wanted: dict[str, bytes | None], enabled: tuple[str, ...], disabled: tuple[str, ...]) -> None:
        units = {path.removeprefix(UNITS): data for path, data in wanted.items() if path.startswith(UNITS)}
        others = {path: data for path, data in wanted.items() if not path.startswith(UNITS)}
        for path, data in others.items():
            if data is None:
                remove(self._layout.root / path)
            else:
                put(self._layout.root / path, data, 0o644)
        if others:
            system.take_in(self._layout, tuple(others))
        change = getattr(self._manager, "change", None)
        if units and change is not None:
            change(units, enabled=enabled, disabled=disabled)

    def _closed(self, paths: dict[str, bytes | None]) -> str:
        """The first folder that takes no files: the unit of an older version's updater may write nothing below /etc."""
        for path in paths:
            folder = (self._layout.root / path).parent
            while not folder.exists():
                folder = folder.parent
            if not _takes_files(folder):
                return str(folder)
        return ""


def _takes_files(folder: Path) -> bool:
    draft = folder / ".tillside.try"
    try:
        put(draft, b"", 0o600)
        remove(draft)
    except SetupError:
        return False
    return True


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
