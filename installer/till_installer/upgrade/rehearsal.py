"""A rehearsal of a version before it serves: its own program, on a copy of the till's files, makes a real sale.

The copy knows no cloud and has no secrets of the line, its printer is simulated, its port is any: whatever is sold
there is gone with the copy, and nothing that was invented comes into the chain's journal.
"""

import errno
import os
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec

from till_agent.core import CACHE_FILE, JOURNAL_FILE
from till_agent.instance import RUNNING_FILE, Running, is_running
from till_config.rendering import toml_value
from till_installer.layout import Layout
from till_installer.upgrade.exceptions import RefusedError
from till_installer.upgrade.files import as_owner_of, copy_live, remove_tree
from till_installer.upgrade.pausing import pause
from till_installer.upgrade.queue import QueueProof, UnreadableError, count_again, count_queue
from till_installer.upgrade.rehearsal_printer import RehearsalPrinter
from till_installer.upgrade.rehearsal_sale import PRINTER, act
from till_sync.exceptions import IdentityError
from till_sync.files import replace_file
from till_sync.identity import IDENTITY_FILE, Identity, read_identity, save_identity

FOLDER = "rehearsal"
"""In `state_dir`: the agent's user must be able to work there."""
START_TIMEOUT_S = 30.0
"""Twice what the till allows it later: here nobody waits."""
STOP_TIMEOUT_S = 15.0
POLL_S = 0.05
LOG_TAIL = 300
DROPPED = ("scanners", "printers", "cloud", "frontol")
"""Sections of the till's settings that a rehearsal has none or another one of."""
PAPER = ("width_dots", "columns")
"""Of the till's own first printer: a template may count on it."""


def rehearse(layout: Layout, version: str) -> QueueProof:
    """Start, sell, print and take back with that version on a copy; gives the copy's queue as it was before.

    RefusedError: `rehearsal_start`, `rehearsal_sale`, `rehearsal_slip`, `rehearsal_queue`, `journal_unreadable`,
    `disk_full`.
    """
    folder = layout.state_dir / FOLDER
    clear(layout)
    try:
        document, identity = _settings(layout), _identity(layout)
        with as_owner_of(layout.state_dir):
            before = _set_up(layout, folder, identity)
        with RehearsalPrinter() as printer:
            with as_owner_of(layout.state_dir):
                config = _write_config(document, folder, printer.port)
            with _agent(layout, version, folder, config) as port:
                act(folder, port, printer, enrolled=(folder / IDENTITY_FILE).exists())
        _check_queue(folder / JOURNAL_FILE, before, version)
    except OSError as exc:
        code = "disk_full" if exc.errno in (errno.ENOSPC, errno.EDQUOT) else "rehearsal_start"
        raise RefusedError(f"this till can't be copied for a rehearsal: {exc}; `tillside doctor`", code=code) from exc
    else:
        return before
    finally:
        clear(layout)


def clear(layout: Layout) -> None:
    """Remove what a rehearsal that was cut off has left, its agent first."""
    folder = layout.state_dir / FOLDER
    if not folder.is_dir():
        return
    with suppress(OSError, msgspec.DecodeError):
        # Who holds the lock of that folder is the agent that its file names, and nobody else.
        if is_running(folder):
            pid = msgspec.json.decode((folder / RUNNING_FILE).read_bytes(), type=Running).pid
            until = time.monotonic()
            if _is_of(folder, pid):
                os.kill(pid, 9)
                until += STOP_TIMEOUT_S
            while is_running(folder) and time.monotonic() < until:
                pause(POLL_S)
    remove_tree(folder)


def _is_of(folder: Path, pid: int) -> bool:
    """Whether a process is the folder's owner's; the number stands in a file that he may write what he likes to."""
    if sys.platform == "win32":
        return pid > 1
    try:
        return pid > 1 and Path(f"/proc/{pid}").stat().st_uid == folder.stat().st_uid
    except OSError:
        return False


def _identity(layout: Layout) -> Identity | None:
    """Read as root, who may open what it is sealed with; None for a till that is not enrolled."""
    try:
        return read_identity(layout.state_dir / IDENTITY_FILE)
    except IdentityError:
        return None


def _set_up(layout: Layout, folder: Path, identity: Identity | None) -> QueueProof:
    """Journal and cache as they are now, and who the till is, without what the cloud knows it by."""
    folder.mkdir(mode=0o700)
    if identity is None:
        return QueueProof()
    save_identity(
        folder / IDENTITY_FILE,
        Identity(
            till=identity.till,
            store=identity.store,
            store_name=identity.store_name,
            time_zone=identity.time_zone,
            token="rehearsal",  # noqa: S106 - what stands for the token in a copy that knows no cloud
            identifier_key=identity.identifier_key,
            last_epoch=identity.last_epoch,
        ),
    )
    copy_live(layout.state_dir / CACHE_FILE, folder / CACHE_FILE)
    if not copy_live(layout.state_dir / JOURNAL_FILE, folder / JOURNAL_FILE):
        return QueueProof()
    try:
        return count_queue(folder / JOURNAL_FILE)
    except UnreadableError as exc:
        raise RefusedError(
            f"the journal of this till can't be read: {exc}; see `tillside doctor`", code="journal_unreadable"
        ) from exc


def _settings(layout: Layout) -> dict[str, Any]:
    """The till's own, as they stand in its file."""
    try:
        return tomllib.loads(layout.config.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as exc:
        raise RefusedError(
            f"expected settings in {layout.config}: {exc}; run `tillside config check`", code="rehearsal_start"
        ) from exc


def _write_config(document: Mapping[str, Any], folder: Path, printer_port: int) -> Path:
    """The till's own settings, but for the line, the devices and the files that others watch."""
    kept = {name: value for name, value in document.items() if name not in DROPPED}
    agent = {**_table(kept, "agent"), "state_dir": str(folder)}
    bridge = {**_table(kept, "bridge"), "port": 0}
    slips = {**_table(kept, "slips"), "printer": "", "print": True}
    own = document.get("printers")
    first = own[0] if isinstance(own, list) and own and isinstance(own[0], Mapping) else {}
    paper = {name: first[name] for name in PAPER if name in first}
    # Not asked for its state: a printer that was just found is given seconds to settle, and this one has no past.
    address = {"driver": "tcp", "host": "127.0.0.1", "port": printer_port, "status": False}
    printer = {"name": PRINTER, **address, **paper}
    kept = {**kept, "agent": agent, "bridge": bridge, "slips": slips, "printers": [printer]}
    # A table in one line each is TOML as good as any, and only a program reads it.
    text = "".join(f"{name} = {toml_value(value)}\n" for name, value in kept.items())
    path = folder / "till.toml"
    replace_file(path, text.encode())
    return path


def _table(document: Mapping[str, Any], name: str) -> dict[str, Any]:
    found = document.get(name)
    return dict(found) if isinstance(found, Mapping) else {}


@contextmanager
def _agent(layout: Layout, version: str, folder: Path, config: Path) -> Iterator[int]:
    """The version's agent on the copy; gives the port. RefusedError `rehearsal_start` with the end of its log."""
    ready, log = folder / "ready.json", folder / "agent.log"
    command = [str(layout.python(layout.version_dir(version))), "-P", "-m", "till_installer", "agent", "run"]
    try:
        with as_owner_of(layout.state_dir):
            told = log.open("wb")
        with told:
            process = subprocess.Popen(  # noqa: S603 - the version that is to be put in place
                [*command, "--config", str(config), "--ready-file", str(ready)],
                stdin=subprocess.DEVNULL,
                stdout=told,
                stderr=told,
                cwd=folder,
                **as_agent(layout.state_dir),
            )
    except OSError as exc:
        raise RefusedError(f"version {version} does not start: {exc}", code="rehearsal_start") from exc
    try:
        yield _port(process, ready, log, version)
    finally:
        _stop(process)


def _port(process: "subprocess.Popen[Any]", ready: Path, log: Path, version: str) -> int:
    until = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < until and process.poll() is None:
        with suppress(OSError, msgspec.DecodeError):
            return msgspec.json.decode(ready.read_bytes(), type=Running).port
        pause(POLL_S)
    status = process.poll()
    why = f"did not answer within {START_TIMEOUT_S:.0f} s" if status is None else f"ended with {status}"
    tail = log.read_bytes()[-LOG_TAIL:].decode("utf-8", "replace").strip()
    raise RefusedError(f"version {version} {why} on a copy of this till: {tail}", code="rehearsal_start")


def _stop(process: "subprocess.Popen[Any]") -> None:
    process.terminate()
    try:
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(STOP_TIMEOUT_S)


def as_agent(state_dir: Path) -> dict[str, Any]:
    """Run by root, the agent of a rehearsal is the user's that the till's own agent is."""
    if sys.platform == "win32" or os.geteuid() != 0:
        return {}
    owner = state_dir.stat()
    return {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []} if owner.st_uid else {}


def _check_queue(journal: Path, before: QueueProof, version: str) -> None:
    """What waited must be in the copy as it was, after the version has worked on it."""
    if not before.tip[0]:
        return
    count, equal = count_again(journal, before)
    if not equal:
        raise RefusedError(
            f"version {version} changed the queue of a copy: {before.count} waited before, {count} are there after",
            code="rehearsal_queue",
        )
