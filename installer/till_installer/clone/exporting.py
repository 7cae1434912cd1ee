"""Takes a till from its machine into one sealed file; the machine is retired before the file has its name."""

import contextlib
import io
import os
import tarfile
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import msgspec
from msgspec import Struct

from till_agent.audit_trail import note
from till_agent.bridge.exceptions import AgentStartError, AgentUnreachableError
from till_agent.cli.files import open_view
from till_agent.instance import StateDir
from till_agent.retiring import Retired, retire, retired
from till_config.loading import read, settings_of
from till_config.settings import Settings
from till_installer.clone.content import FILES, FORMAT, MANIFEST, STATE, Carried, Manifest, state_files
from till_installer.clone.exceptions import CloneError
from till_installer.clone.sealed import Head, SealedWriter, new_head
from till_sync.exceptions import IdentityError, IdentityMissing
from till_sync.files import sync_folder
from till_sync.identity import IDENTITY_FILE, Identity, read_identity


class Exported(Struct, frozen=True, kw_only=True):
    """What was done."""

    file: str
    clone: str
    till: str
    waiting: int
    last_seq: int
    bytes: int


def export_till(
    config: Path, target: Path, passphrase: str, *, with_cache: bool = True, again: bool = False
) -> Exported:
    """Write `target`, and retire this machine. CloneError, ConfigError.

    The order is what keeps two machines from being the till: a whole file under another name, then the marker, then the
    file's name. Killed in between, there is no file to be used, or this machine sells no more; done again it ends well.
    """
    source = read(config)
    settings = settings_of(source)
    state_dir = Path(settings.agent.state_dir)
    if target.exists():
        raise CloneError(f"expected a name that is free, not {target}: take another one", code="file_exists")
    with _stopped(state_dir):
        identity = _identity(state_dir)
        before = retired(state_dir)
        if before is not None and before.file and not again:
            raise CloneError(
                f"this machine was retired already, and {before.file} carries till {before.till}: bring that file to "
                "the new machine; if it is lost, `--again` makes another",
                code="retired_already",
            )
        waiting, last_seq = _queue(state_dir)
        head = new_head(identity.till, int(time.time() * 1000))
        manifest = Manifest(
            format=FORMAT,
            clone=head.clone,
            till=identity.till,
            store=identity.store,
            version=version("tillside"),
            state_dir=str(state_dir),
            config=source.text,
            waiting=waiting,
            last_seq=last_seq,
            files=_elsewhere(settings),
        )
        draft = target.with_name(f".{target.name}.part")
        marker = Retired(till=identity.till, store=identity.store, clone=head.clone, at_ms=head.made_ms)
        try:
            _write(draft, head, passphrase, manifest, state_dir, with_cache=with_cache)
            retire(state_dir, marker)
            draft.replace(target)
            sync_folder(target.parent)
            retire(state_dir, msgspec.structs.replace(marker, file=str(target)))
        except OSError as exc:
            raise CloneError(
                f"{target} can't be written: {exc.strerror or exc}; try again", code="file_unwritable"
            ) from exc
        note(state_dir, "clone_exported", till=identity.till, waiting=waiting, clone=head.clone)
        return Exported(
            file=str(target),
            clone=head.clone,
            till=identity.till,
            waiting=waiting,
            last_seq=last_seq,
            bytes=target.stat().st_size,
        )


def _write(draft: Path, head: Head, passphrase: str, manifest: Manifest, state_dir: Path, *, with_cache: bool) -> None:
    """The whole file under its first name, on the disk."""
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:  # noqa: PTH123 - a mode from the first byte on
        writer = SealedWriter(file, head, passphrase)
        _pack(writer, manifest, state_dir, with_cache=with_cache)
        writer.close()
        file.flush()
        os.fsync(file.fileno())


@contextlib.contextmanager
def _stopped(state_dir: Path) -> Iterator[None]:
    try:
        with StateDir(state_dir):
            yield
    except AgentStartError as exc:
        raise CloneError(f"{exc}: stop the agent first (`systemctl stop tillside`)", code="agent_running") from exc


def _identity(state_dir: Path) -> Identity:
    try:
        return read_identity(state_dir / IDENTITY_FILE)
    except IdentityMissing as exc:
        raise CloneError("expected a machine that is a till: this one is not enrolled", code="not_a_till") from exc
    except IdentityError as exc:
        raise CloneError(f"{exc}: enrol the new machine by a fresh code instead", code="identity_unusable") from exc


def _queue(state_dir: Path) -> tuple[int, int]:
    try:
        with open_view(state_dir) as view:
            return view.waiting, view.epochs[-1].last_seq
    except AgentUnreachableError as exc:
        if not (state_dir / "journal.db").exists():
            return 0, 0
        raise CloneError(f"{exc}: start the agent once, it mends its journal", code="journal_unreadable") from exc


def _elsewhere(settings: Settings) -> tuple[Carried, ...]:
    """Files that the settings name, as far as they are there."""
    named = [settings.slips.template, *(each.logo for each in settings.printers)]
    there = [path for path in dict.fromkeys(named) if path and Path(path).is_file()]
    return tuple([Carried(name=f"{FILES}{number}", path=path) for number, path in enumerate(there)])


def _pack(writer: SealedWriter, manifest: Manifest, state_dir: Path, *, with_cache: bool) -> None:
    with tarfile.open(fileobj=writer, mode="w|", format=tarfile.PAX_FORMAT) as archive:  # type: ignore[call-overload]  # has what a stream needs
        data = msgspec.json.encode(manifest)
        _add(archive, MANIFEST, io.BytesIO(data), len(data))
        for path in state_files(state_dir, with_cache=with_cache):
            with path.open("rb") as file:
                _add(archive, STATE + path.relative_to(state_dir).as_posix(), file, path.stat().st_size)
        for each in manifest.files:
            with Path(each.path).open("rb") as file:
                _add(archive, each.name, file, Path(each.path).stat().st_size)


def _add(archive: tarfile.TarFile, name: str, file: io.IOBase, size: int) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = size, 0o600
    archive.addfile(member, file)
