"""Takes Tillside off a till. Its data stays unless asked for, and never goes while the cloud lacks some of it."""

import contextlib
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
from msgspec import Struct

from till_agent.audit_trail import note
from till_agent.core import JOURNAL_FILE
from till_agent.journal.aside import DamageReport
from till_installer.layout import Layout
from till_installer.services.ports import ServiceManager
from till_installer.setup import system
from till_installer.setup.enrolling import enrolled_as
from till_installer.setup.exceptions import QueueError, SetupError
from till_installer.setup.files import remove
from till_installer.setup.installing import must_be_able
from till_installer.upgrade.files import mirror_at_rest
from till_installer.upgrade.pointers import named
from till_installer.upgrade.queue import QueueProof, UnreadableError, count_queue
from till_installer.upgrade.record import LOCK_FILE, Records

LOG_SUFFIXES = ("-wal", "-shm")
DATABASES = (".db",)


class Removed(Struct, frozen=True, kw_only=True):
    """What was done. `carried_to`: folder of the copy of the data; "" when none was made."""

    purged: bool
    waiting: int = 0
    carried_to: str = ""
    queue_hash: str = ""


def uninstall(
    layout: Layout,
    manager: ServiceManager | None,
    *,
    purge: bool = False,
    carry_to: Path | None = None,
    discard: int | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> Removed:
    """Stop and remove it. With `purge` its data too.

    QueueError while operations wait, unless they are carried out or `discard` says how many of them are to be lost.
    Whatever is refused leaves everything as it was; BusyError while a change of version is under way, which would find
    its programs gone.
    """
    must_be_able(layout)
    with Records(layout).alone():
        done = _uninstall(layout, manager, purge=purge, carry_to=carry_to, discard=discard, say=say)
    remove(layout.updates_dir / LOCK_FILE)  # nothing is left that could be upgraded
    with contextlib.suppress(OSError):
        layout.updates_dir.rmdir()  # one that is empty was made for the lock alone
    return done


def _uninstall(
    layout: Layout,
    manager: ServiceManager | None,
    *,
    purge: bool,
    carry_to: Path | None,
    discard: int | None,
    say: Callable[[str], None],
) -> Removed:
    version = named(layout.current)
    proof, carried = stop_for_good(layout, manager, purge=purge, carry_to=carry_to, discard=discard, say=say)
    system.remove_files(layout)
    if purge:
        say("removing settings and data")
        for path in (layout.state_dir, layout.updates_dir, layout.log_dir, layout.config_dir):
            remove(path)
    say("removing the programs")
    for pointer in (layout.current, layout.previous, layout.programs / "upgrader"):
        remove(pointer)
    remove(layout.programs)
    if not purge and layout.state_dir.is_dir():
        note(layout.state_dir, "uninstalled", version=version, waiting=proof.count, carried_to=carried)
    return Removed(purged=purge, waiting=proof.count, carried_to=carried, queue_hash=proof.digest)


def stop_for_good(
    layout: Layout,
    manager: ServiceManager | None,
    *,
    purge: bool,
    carry_to: Path | None,
    discard: int | None,
    say: Callable[[str], None],
) -> tuple[QueueProof, str]:
    """Remove the service; before, where data is to go or to be copied, `look_after_queue` with the agent stopped.

    What that refuses leaves the agent running if it ran.
    """
    was_running = manager is not None and manager.status().state in ("running", "starting")
    proof, carried = QueueProof(), ""
    if purge or carry_to is not None:
        if manager is not None:
            say("stopping the agent")
            manager.stop()
        try:
            proof, carried = look_after_queue(layout, purge=purge, carry_to=carry_to, discard=discard, say=say)
        except Exception:
            if was_running and manager is not None:
                manager.start()
            raise
    if manager is not None:
        say("removing the service")
        manager.remove()
    return proof, carried


def look_after_queue(
    layout: Layout, *, purge: bool, carry_to: Path | None, discard: int | None, say: Callable[[str], None]
) -> tuple[QueueProof, str]:
    """What waits for the cloud, and where a copy of the data is; the agent is at rest. QueueError, SetupError."""
    journal = layout.state_dir / JOURNAL_FILE
    if purge and carry_to is None and (aside := _unsaved(journal)):
        message = (
            f"{aside} was put aside, and what waits in it was not saved yet; `tillside queue salvage {aside}` does"
        )
        raise QueueError(f"{message} that, --carry-queue-to DIR keeps a copy", code="queue_aside")
    if not journal.exists():
        is_there = carry_to is not None and layout.state_dir.is_dir()
        return QueueProof(), _carry_out(layout, carry_to, None, say) if is_there and carry_to is not None else ""
    try:
        proof = count_queue(journal)
    except UnreadableError as exc:
        if carry_to is not None:
            return QueueProof(), _carry_out(layout, carry_to, None, say)
        message = f"expected to read how many operations wait: {exc}; carry the data out with --carry-queue-to DIR"
        raise QueueError(message, code="queue_unreadable") from exc
    if carry_to is not None:
        return proof, _carry_out(layout, carry_to, proof, say)
    if purge and proof.count and discard != proof.count:
        message = (
            f"{proof.count} operations wait for the cloud; `tillside sync now` sends them, --carry-queue-to DIR keeps"
        )
        raise QueueError(f"{message} a copy, --discard-queue {proof.count} loses them for ever")
    return proof, ""


def _unsaved(journal: Path) -> str:
    """A journal that was given up, from which not all that can be had was taken over; "" when there is none."""
    for written in sorted(journal.parent.glob(f"{journal.name}.damaged-*.json")):
        try:
            report = msgspec.json.decode(written.read_bytes(), type=DamageReport)
        except (OSError, msgspec.DecodeError, UnicodeDecodeError):
            return written.stem
        if report.salvage is not None and report.salvage.state != "done" and (journal.parent / written.stem).exists():
            return written.stem
    return ""


def _carry_out(layout: Layout, carry_to: Path, proof: QueueProof | None, say: Callable[[str], None]) -> str:
    """A copy of the whole state folder, with the agent at rest, checked to hold the same queue; for root alone."""
    name = enrolled_as(layout) or "till"
    target = carry_to / f"tillside-{name}-{time.strftime('%Y%m%d-%H%M%S')}"
    say(f"carrying the data out to {target}")
    try:
        target.mkdir(mode=0o700, parents=True)
        for path in sorted(layout.state_dir.rglob("*")):
            _carry(path, target / path.relative_to(layout.state_dir))
        if proof is not None:
            copied = count_queue(target / JOURNAL_FILE)
            if (copied.count, copied.digest) != (proof.count, proof.digest):
                raise SetupError(f"expected the copy in {target} to hold the same queue; choose another disk",
                                 code="not_carried")  # fmt: skip
    except (OSError, UnreadableError) as exc:
        raise SetupError(
            f"expected to copy the data to {target}: {exc}; choose another disk", code="not_carried"
        ) from exc
    return str(target)


def _carry(path: Path, target: Path) -> None:
    if path.is_dir():
        target.mkdir(mode=0o700, exist_ok=True)
    elif path.suffix in DATABASES:
        mirror_at_rest(path, target)
    elif path.is_file() and not _is_mirrored(path.name):
        shutil.copy2(path, target)


def _is_mirrored(name: str) -> bool:
    """The log of a database goes with it; that of a journal that was put aside is a file of its own, with ops in it."""
    return any(name.endswith(f"{suffix}{log}") for suffix in DATABASES for log in LOG_SUFFIXES)
