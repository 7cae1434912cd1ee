"""The journal that the old version gets back: the very file, or what was kept of it with what came after added.

A journal that the new version left whole stays: what was sold on it is in it. One that it damaged, or made into what
the old version can't read, is put aside, never deleted, and the copy from before the switch takes its place. Where the
new version had sold, the old one begins a new epoch by itself (its witness file is ahead of the copy), so that no
number is ever used for two operations, and takes in what the file that was put aside can prove.
"""

import contextlib
import os
import subprocess
import time
from pathlib import Path
from typing import Literal

from till_agent.core import JOURNAL_FILE
from till_agent.journal.aside import DamageReport, move_aside
from till_agent.journal.salvage import Salvage
from till_installer.layout import Layout
from till_installer.upgrade.files import BLOCK_BYTES, beside, give_to, new_file
from till_installer.upgrade.queue import QueueProof, UnreadableError, count_again, schema_of
from till_installer.upgrade.rehearsal import as_agent
from till_sync.files import sync_folder

SALVAGE_TIMEOUT_S = 10.0
"""Each try; what it does not reach, the agent goes on with at its next start."""
SALVAGE_TRIES = 2
"""The first opening begins the new epoch, the second takes in what was put aside."""

Outcome = Literal["kept", "restored", "left"]


def put_back(layout: Layout, proof: QueueProof | None, snapshot: Path, *, reads: int, version: str) -> Outcome:
    """See to it that the journal is one that a version which reads schema `reads` goes on with. May be repeated.

    "left": there is nothing to put in its place; the agent looks into it at its start. OSError.
    """
    journal = layout.state_dir / JOURNAL_FILE
    if proof is None or not proof.tip[0]:
        return "kept"
    if is_good(journal, proof, reads):
        return "kept"
    if not snapshot.is_file():
        return "left"
    if journal.exists():
        _put_aside(journal, proof, version)
    for suffix in ("-wal", ""):
        if beside(snapshot, suffix).exists():
            _move(beside(snapshot, suffix), beside(journal, suffix), layout.state_dir)
    sync_folder(layout.state_dir)
    return "restored"


def is_good(journal: Path, proof: QueueProof, reads: int) -> bool:
    """Whether all that waited is there as it was, in a format that is read, and what came after is whole."""
    try:
        return schema_of(journal) <= reads and count_again(journal, proof)[1]
    except UnreadableError:
        return False


def take_in(layout: Layout, version: str) -> None:
    """Have the version that goes on look into journals that were put aside, before it serves; as far as time allows."""
    from till_agent.journal.aside import begun

    for report in list(begun(layout.state_dir / JOURNAL_FILE)):
        for _ in range(SALVAGE_TRIES):
            command = [str(layout.python(layout.version_dir(version))), "-P", "-m", "till_installer"]
            # The agent does the same at its next start: nothing here must keep the old version from serving.
            with contextlib.suppress(OSError, subprocess.SubprocessError):
                subprocess.run(  # noqa: S603 - a version of ours
                    [*command, "queue", "salvage", report.moved_to, "--config", str(layout.config)],
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    check=False,
                    timeout=SALVAGE_TIMEOUT_S,
                    **as_agent(layout.state_dir),
                )


def _put_aside(journal: Path, proof: QueueProof, version: str) -> None:
    report = DamageReport(
        found_wall_ms=time.time_ns() // 1_000_000,
        code="damaged",
        detail=f"version {version} left it so, and was taken back",
        moved_to="",
        epoch=proof.tip[0],
        last_seq=proof.tip[1],
        waiting=proof.count,
        salvage=Salvage(),
    )
    moved = move_aside(journal, report).moved_to
    for path in journal.parent.glob(f"{moved}*"):
        give_to(path, journal.parent)


def _move(source: Path, target: Path, like: Path) -> None:
    """By a rename, which needs no room on a full disk; over disks by a copy."""
    give_to(source, like)
    try:
        source.replace(target)
    except OSError:
        draft = target.with_name(f".{target.name}.back")
        draft.unlink(missing_ok=True)
        with source.open("rb") as read, new_file(draft, like) as written:
            while block := read.read(BLOCK_BYTES):
                written.write(block)
            written.flush()
            os.fsync(written.fileno())
        draft.replace(target)
