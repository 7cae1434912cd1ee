"""The scenario as a file in a folder: what lies there, and how ours is put in its place. Blocking."""

import contextlib
import hashlib
import os
import re
import secrets
from importlib.resources import files
from pathlib import Path
from typing import Any

from msgspec import Struct

from till_installer.frontol.exceptions import ScriptError, SettingsBlockError
from till_installer.frontol.settings_block import filled, read_settings, without_settings

NAME = "tillside.js"
HEAD = "// Tillside: the scenario for Frontol"
STAMP = "// tillside-stamp: "
LIMIT_BYTES = 1024 * 1024
"""The scenario has 90 KB; a larger file is something else."""
FILLED = ("port", "token")
"""Settings that the installation sets anew each time; all others stay as they are in the file."""
_INIT = re.compile(r"^// <init>.*?^// </init>\n", re.MULTILINE | re.DOTALL)
_TEMPLATE = re.compile(r"^// <template>.*?^// </template>\n", re.MULTILINE | re.DOTALL)


class Found(Struct, frozen=True):
    """A scenario that lies somewhere. `state`: current, another version of ours, edited by hand, or not ours."""

    text: str
    state: str
    has_init: bool = True


class Installed(Struct, frozen=True):
    """What was done: installed, updated or unchanged; `backup`: where the file lies that was there before."""

    path: str
    state: str
    kept: tuple[str, ...]
    backup: str = ""
    dropped: tuple[str, ...] = ()


def packaged(*, init: bool = True) -> str:
    """The scenario as it is shipped; without its init() for those who have one."""
    text = files("till_installer.frontol").joinpath(NAME).read_text(encoding="ascii")
    return text if init else _INIT.sub("", text)


def template_part() -> str:
    """The functions for a receipt's template, to be pasted there."""
    found = _TEMPLATE.search(packaged())
    if found is None:
        raise ScriptError("expected functions for the template in the packaged scenario; install Tillside again")
    return found[0]


def look(path: Path) -> Found | None:
    """What lies at `path`; None when nothing does. ScriptError when it can't be read."""
    try:
        if path.stat().st_size > LIMIT_BYTES:
            return Found("", "foreign")
        raw = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise ScriptError(f"expected to read {path}: {exc.strerror}") from exc
    text = _decoded(raw).replace("\r\n", "\n")
    if not text.startswith(HEAD):
        return Found(text, "foreign")
    body, _, stamp = text.partition(STAMP)
    try:
        is_whole = stamp.strip() == _digest(body)
    except SettingsBlockError:
        return Found(text, "edited")
    has_init = _INIT.search(body) is not None
    if not is_whole:
        return Found(text, "edited", has_init)
    is_current = without_settings(body) == without_settings(packaged(init=has_init))
    return Found(text, "current" if is_current else "other", has_init)


def install(folder: Path, values: dict[str, Any], *, init: bool = True) -> Installed:
    """Put the scenario into `folder` with these values, keeping the settings of one that is there already.

    A file that is not ours, or that was changed below its settings, is kept beside it under another name.
    """
    path = folder / NAME
    before = look(path)
    fresh = packaged(init=init)
    defaults = read_settings(fresh)
    own: dict[str, Any] = {}
    dropped: tuple[str, ...] = ()
    if before is not None and before.state != "foreign":
        with contextlib.suppress(SettingsBlockError):
            old = read_settings(before.text)
            own = {name: old[name] for name in old if name in defaults and name not in FILLED}
            dropped = tuple(sorted(name for name in old if name not in defaults))
    body = filled(fresh, own | values)
    text = f"{body}{STAMP}{_digest(body)}\n"
    kept = tuple(sorted(name for name in own if own[name] != defaults[name]))
    if before is not None and before.text == text:
        return Installed(str(path), "unchanged", kept)
    backup = ""
    try:
        if before is not None and (before.state in ("foreign", "edited")):
            backup = str(_put_aside(path))
        _write(path, text)
    except OSError as exc:
        raise ScriptError(f"expected to write {path}: {exc.strerror}") from exc
    return Installed(str(path), "updated" if before is not None else "installed", kept, backup, dropped)


def _decoded(raw: bytes) -> str:
    """As a person may have saved it: by UTF-8 if it is that, else by the code page of Windows' editors here."""
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("cp1251", "replace")


def _digest(text: str) -> str:
    return hashlib.sha256(without_settings(text).encode("utf-8")).hexdigest()[:32]


def _put_aside(path: Path) -> Path:
    """A name that is free: the file keeps its bytes."""
    for number in range(1, 1000):
        aside = path.with_name(f"{path.stem}.before-{number}{path.suffix}")
        try:
            os.link(path, aside)
        except FileExistsError:
            continue
        except OSError:
            # A disk that knows no second names, such as FAT.
            if aside.exists():
                continue
            aside.write_bytes(path.read_bytes())
        return aside
    raise ScriptError(f"expected a free name beside {path} to keep it under; remove some of its old copies")


def _write(path: Path, text: str) -> None:
    """All or nothing, for the owner alone: it holds a token. Frontol on Windows wants its own ends of lines."""
    new = path.with_name(f".{path.name}.{secrets.token_hex(4)}.new")
    try:
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(text.replace("\n", "\r\n").encode("ascii"))
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)
