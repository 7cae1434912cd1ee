"""Brings a till from its sealed file to this machine: unpacked and checked to its last byte beside, then put in place.

`identity.json` comes last, for with it this machine is the till: killed before, nothing has happened that doing it
again would not put right. With a one-time code the cloud gives the till a new token and key, so that no other machine,
whatever copies of the file there are, can be the till beside this one.
"""

import asyncio
import contextlib
import os
import shutil
import stat
import tarfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
from msgspec import Struct

from till_agent.audit_trail import note
from till_agent.bridge.exceptions import AgentStartError
from till_agent.instance import StateDir, make_state_dir
from till_agent.journal.place import new_salt
from till_agent.retiring import RETIRED_FILE, retired
from till_config.exceptions import ConfigError
from till_config.loading import parse, settings_of
from till_config.rendering import toml_value
from till_config.settings import Settings
from till_config.toml_places import TomlPlaces
from till_installer.clone.content import (
    FILES,
    FORMAT,
    MANIFEST,
    MANIFEST_LIMIT_BYTES,
    STAGING,
    STATE,
    Manifest,
    is_safe,
)
from till_installer.clone.exceptions import CloneError
from till_installer.clone.sealed import Head, SealedReader, spend
from till_sync.enrol import enrol
from till_sync.exceptions import IdentityError, SyncError
from till_sync.files import replace_file, sync_folder
from till_sync.identity import IDENTITY_FILE, Identity, load_identity, save_identity
from till_sync.keys import new_key, public_of


class Imported(Struct, frozen=True, kw_only=True):
    """What was done. `file_spent` False: the file could not be marked as used; destroy it."""

    till: str
    store: str
    waiting: int
    config: str
    file_spent: bool
    new_key: bool


def import_till(
    file: Path, config: Path, passphrase: str, *, code: str = "", offline: bool = False, state_dir: Path | None = None
) -> Imported:
    """Make this machine the till of `file`. CloneError; nothing has changed unless it returns.

    `code`: the one-time code of that till. `offline`: without one, where there is no line; the key comes from the file.
    """
    if bool(code) is offline:
        raise CloneError("expected a one-time code, or --offline where there is no line", code="code_missing")
    reader = SealedReader(file, passphrase)
    try:
        head = reader.head
        if code and code.strip().rpartition(".")[0].upper() != head.till.upper():
            raise CloneError(
                f"expected a code of till {head.till}: `tillside cloud till code {head.till}`", code="code_other"
            )
        with tarfile.open(fileobj=reader, mode="r|") as archive:  # type: ignore[call-overload]  # has what a stream needs
            manifest = _manifest(archive, head)
            text, settings = _settings(manifest, state_dir)
            folder = Path(settings.agent.state_dir)
            with _free(folder, head.clone):
                staging = folder / STAGING
                _unpack(archive, staging)
                reader.finish()
                return _put(file, head, manifest, (text, settings), staging, config, code)
    except (tarfile.TarError, EOFError) as exc:
        raise CloneError(f"expected a file of this or an earlier version: {exc}", code="file_altered") from exc
    except OSError as exc:
        raise CloneError(f"{exc.filename or file}: {exc.strerror or exc}", code="disk") from exc
    finally:
        reader.close()


def _manifest(archive: tarfile.TarFile, head: Head) -> Manifest:
    member = archive.next()
    inside = archive.extractfile(member) if member is not None and member.name == MANIFEST else None
    try:
        manifest = msgspec.json.decode(inside.read(MANIFEST_LIMIT_BYTES) if inside else b"", type=Manifest)
    except msgspec.DecodeError as exc:
        raise CloneError("expected a file of this or an earlier version of Tillside", code="file_format") from exc
    if manifest.format != FORMAT or manifest.clone != head.clone or manifest.till != head.till:
        raise CloneError("expected a file of this or an earlier version of Tillside", code="file_format")
    return manifest


def _settings(manifest: Manifest, state_dir: Path | None) -> tuple[str, Settings]:
    """The till's file, with another folder of state where that is asked for."""
    text = manifest.config.replace("\r\n", "\n")
    try:
        if state_dir is not None:
            places = TomlPlaces(text)
            found = places.found.get(("agent", "state_dir"))
            line = toml_value(str(state_dir))
            text = (
                text[: found.value] + line + text[found.value_end :]
                if found is not None
                else f"agent.state_dir = {line}\n{text}"
            )
        return text, settings_of(parse("the till's configuration", text))
    except ConfigError as exc:
        raise CloneError(f"{exc}; mend it on the old machine, or pass --state-dir", code="config_bad") from exc


@contextlib.contextmanager
def _free(folder: Path, clone: str) -> Iterator[None]:
    """A machine that is no till, or was and is retired; its agent is not running meanwhile."""
    try:
        make_state_dir(folder)
        with StateDir(folder):
            marker = retired(folder)
            if (folder / IDENTITY_FILE).exists() and marker is not None and not marker.file and marker.clone != clone:
                raise CloneError(
                    "this machine's own till is in no file yet, its export was cut short: do that again first "
                    "(`tillside clone export`), or what waits here would be lost",
                    code="export_unfinished",
                )
            if (folder / IDENTITY_FILE).exists() and marker is None:
                with contextlib.suppress(IdentityError):
                    till = load_identity(folder / IDENTITY_FILE).till
                    raise CloneError(
                        f"this machine is till {till} already: move that one first (`tillside clone export`), or take "
                        "another machine",
                        code="already_a_till",
                    )
                raise CloneError("this machine has an identity already, which can't be read", code="already_a_till")
            yield
    except AgentStartError as exc:
        raise CloneError(f"{exc}: stop the agent first (`systemctl stop tillside`)", code="agent_running") from exc


def _unpack(archive: tarfile.TarFile, staging: Path) -> None:
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(mode=0o700)
    while (member := archive.next()) is not None:
        if not is_safe(member):
            raise CloneError(f"expected no {member.name!r} in the file of a till", code="file_altered")
        target = staging / member.name
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        inside = archive.extractfile(member)
        if inside is None:
            raise CloneError(f"expected a plain file, not {member.name!r}", code="file_altered")
        with open(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as written:  # noqa: PTH123 - a mode from the first byte on
            shutil.copyfileobj(inside, written)
            written.flush()
            os.fsync(written.fileno())


def _put(
    file: Path,
    head: Head,
    manifest: Manifest,
    own: tuple[str, Settings],
    staging: Path,
    config: Path,
    code: str,
) -> Imported:
    text, settings = own
    folder = Path(settings.agent.state_dir)
    identity = _identity(staging / STATE / IDENTITY_FILE, manifest, settings, code)
    _put_elsewhere(manifest, staging)
    _put_config(config, text)
    save_identity(staging / IDENTITY_FILE, identity)
    for path in sorted(folder.rglob("*"), reverse=True):
        # What a retired till, or an attempt that was cut short, has left: all of it is in the file, or was.
        relative = path.relative_to(folder)
        if relative.parts[0] in (STAGING, "agent.lock", RETIRED_FILE):
            continue
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
    source = staging / STATE
    for path in sorted(source.rglob("*"), key=lambda each: not each.name.endswith("-wal")):
        target = folder / path.relative_to(source)
        if path.is_dir() or path.relative_to(source) == Path(IDENTITY_FILE):
            continue
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.replace(target)
    sync_folder(folder)
    (folder / RETIRED_FILE).unlink(missing_ok=True)
    (staging / IDENTITY_FILE).replace(folder / IDENTITY_FILE)
    sync_folder(folder)
    _give_to_owner(folder)
    shutil.rmtree(staging, ignore_errors=True)
    note(folder, "clone_imported", till=manifest.till, waiting=manifest.waiting, clone=head.clone)
    spent = True
    try:
        spend(file, head)
    except OSError:
        spent = False
    return Imported(
        till=manifest.till,
        store=manifest.store,
        waiting=manifest.waiting,
        config=str(config),
        file_spent=spent,
        new_key=bool(code),
    )


def _identity(carried: Path, manifest: Manifest, settings: Settings, code: str) -> Identity:
    try:
        # With a code all its secrets are new: those of a key that the old machine alone can open are not missed.
        before = msgspec.json.decode(carried.read_bytes(), type=Identity) if code else load_identity(carried)
        if before.till != manifest.till:
            raise CloneError("expected the identity of the till that the file names", code="file_altered")
        if not code:
            return before
        private = new_key()
        answer = asyncio.run(
            enrol(
                settings.cloud.url,
                code.strip(),
                new_salt(),
                public_key=public_of(private),
                request_timeout_ms=settings.cloud.request_timeout_ms,
            )
        )
        fresh = Identity.of(answer, last_epoch=before.last_epoch, private_key=private)
    except (SyncError, IdentityError, ValueError) as exc:
        said = getattr(exc, "code", "enrolment_failed")
        raise CloneError(
            f"the cloud did not enrol this machine: {exc}; ask for a new code, and do it again", code=str(said)
        ) from exc
    return fresh


def _put_elsewhere(manifest: Manifest, staging: Path) -> None:
    """Templates and logos to where the settings look for them; one that is there is left."""
    for each in manifest.files:
        target, source = Path(each.path), staging / each.name
        if target.is_absolute() and each.name.startswith(FILES) and source.is_file() and not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
            target.chmod(0o644)


def _put_config(config: Path, text: str) -> None:
    """With the rights that the installation gave the file here: the agent reads it by its group, and nobody else."""
    before = config.stat() if config.exists() else None
    if before is not None and config.read_text("utf-8") != text:
        shutil.copy(config, config.with_name(f"{config.name}.before-import"))
    config.parent.mkdir(parents=True, exist_ok=True)
    replace_file(config, text.encode())
    config.chmod(stat.S_IMODE(before.st_mode) if before is not None else 0o644)
    if before is not None and os.name == "posix" and os.geteuid() == 0:
        os.chown(config, before.st_uid, before.st_gid)


def _give_to_owner(folder: Path) -> None:
    """Root imports, and the agent's user must read: everything belongs to whom the folder belongs."""
    if os.name != "posix" or os.geteuid() != 0:
        return
    owner = folder.stat()
    for path in folder.rglob("*"):
        os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)
