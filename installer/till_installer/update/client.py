"""A till's side of updates: what is published, and a bundle of it, taken only if it is what the chain signed.

updates_dir/root.json        the root that came with the installation: what all trust begins with
updates_dir/metadata/        what this till has seen: nothing older is believed any more
updates_dir/downloads/       bundles, and what has come of one (`.part`)
"""

# pyright: reportPrivateImportUsage=false
# tuf and securesystemslib name what is public in lists that are made when they are imported.

import contextlib
import errno
import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import msgspec
from msgspec import Struct
from tuf.api.exceptions import DownloadError
from tuf.api.exceptions import RepositoryError as TufError
from tuf.api.metadata import Metadata, Root, TargetFile
from tuf.ngclient import Updater, UpdaterConfig

from till_installer.layout import Layout
from till_installer.update.exceptions import (
    BusyError,
    DiskFullError,
    MetadataAlteredError,
    NoRootError,
    OlderReleaseError,
    PlatformError,
    TargetAlteredError,
    TooLargeError,
    UnknownReleaseError,
    UnreachableError,
    UpdateError,
)
from till_installer.update.fetching import AGAIN, Fetcher, Progress
from till_installer.update.judging import judged
from till_installer.update.versions import (
    RELEASES,
    Release,
    Releases,
    is_version,
    order_of,
    this_platform,
    variant_of,
)
from till_sync.files import replace_file, sync_folder

ROOT_FILE = "root.json"
METADATA = "metadata"
DOWNLOADS = "downloads"
LOCK_FILE = "update.lock"

BUNDLE_LIMIT_BYTES = 1_073_741_824
"""As bundles themselves have it."""
SPARE_BYTES = 256 * 1024 * 1024
"""Room that is left to the journal whatever is downloaded: the queue of 30 days takes under 200 MB."""
ROOT_LIMIT_BYTES = 512_000
RELEASES_LIMIT_BYTES = 1_000_000

_CONFIG = UpdaterConfig(
    max_root_rotations=64,
    max_delegations=1,
    root_max_length=ROOT_LIMIT_BYTES,
    timestamp_max_length=16_384,
    snapshot_max_length=65_536,
    targets_max_length=2_000_000,
    app_user_agent="tillside",
)


class Published(Struct, frozen=True, kw_only=True):
    """What the repository says now, all of it checked."""

    releases: tuple[Release, ...]

    def newest_for(self, platform: str, machine: str, variant: str = "") -> Release | None:
        """The newest of this machine, in its variant."""
        fitting = [
            each
            for each in self.releases
            if (each.platform, each.machine) == (platform, machine) and variant_of(each.version) == variant
        ]
        return max(fitting, key=lambda each: order_of(each.version), default=None)


def check_root(layout: Layout, source: Path, *, replace: bool = False) -> bytes:
    """A root that this till could take, as bytes; nothing is changed. NoRootError when it is no root that its own keys
    signed, or another is there and `replace` is not said: a till that takes any root takes any update.
    """
    try:
        data = source.read_bytes()[: ROOT_LIMIT_BYTES + 1]
        root = Metadata[Root].from_bytes(data)
        root.signed.verify_delegate("root", root.signed_bytes, root.signatures)
    except (OSError, TufError, ValueError, AttributeError) as exc:
        raise NoRootError(f"expected the root of an update repository in {source}: {exc}") from exc
    path = layout.updates_dir / ROOT_FILE
    if not replace and path.exists() and path.read_bytes() != data:
        raise NoRootError(f"expected no other root at {path}; --replace trusts {source} instead, and forgets it")
    return data


def install_root(layout: Layout, source: Path, *, replace: bool = False) -> str:
    """Make a root what this till trusts; "kept" when it has just that one, "put" when it is there now. NoRootError."""
    data = check_root(layout, source, replace=replace)
    path = layout.updates_dir / ROOT_FILE
    if path.exists():
        if path.read_bytes() == data:
            return "kept"
        shutil.rmtree(layout.updates_dir / METADATA, ignore_errors=True)
    layout.updates_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    replace_file(path, data)
    sync_folder(layout.updates_dir)
    return "put"


class UpdateClient:
    """One look at a repository through a fetcher. Make it within `alone`."""

    def __init__(self, layout: Layout, fetcher: Fetcher) -> None:
        self._layout = layout
        self._fetcher = fetcher
        self._metadata = layout.updates_dir / METADATA
        self._downloads = layout.updates_dir / DOWNLOADS
        self._base = fetcher.base
        self._updater = self._trusting(fetcher.base)

    def published(self) -> Published:
        """Refresh the metadata and read the list of releases. UpdateError."""
        with self._judging():
            self._updater.refresh()
            target = self._updater.get_targetinfo(RELEASES)
        if target is None:
            return Published(releases=())
        with self._judging():
            data = self._fetcher.download_bytes(self._url(target), RELEASES_LIMIT_BYTES)
            target.verify_length_and_hashes(data)
        try:
            return Published(releases=msgspec.json.decode(data, type=Releases).releases)
        except msgspec.DecodeError as exc:
            raise MetadataAlteredError(f"expected a list of releases ({exc}); upgrade by hand") from exc

    def choose(self, version: str, running: str) -> Release:
        """The bundle of a version for this machine, in the variant that runs. UpdateError says why there is none."""
        if not is_version(version):
            raise UnknownReleaseError(f"expected a version such as 1.2.0, not {version[:80]!r}")
        if order_of(version) < order_of(running):
            raise OlderReleaseError(
                f"expected a version above {running}, which runs, not {version}; `tillside upgrade rollback` goes back"
            )
        releases = self.published().releases
        wanted = version if variant_of(version) else version + variant_of(running)
        found = [each for each in releases if each.version == wanted]
        if not any(each.version.partition("+")[0] == version.partition("+")[0] for each in releases):
            raise UnknownReleaseError(
                f"expected a version that was published, not {version}; `update check` lists them"
            )
        here = this_platform()
        for each in found:
            if (each.platform, each.machine) == here:
                return each
        raise PlatformError(
            f"expected a bundle of {wanted} for {here[0]} {here[1]}, and none was published; "
            "`tillside update repo add` it"
        )

    def fetch(self, release: Release, progress: Progress | None = None) -> Path:
        """The bundle of a release on this till's disk, checked; what came before a break is not fetched again."""
        with self._judging():
            target = self._updater.get_targetinfo(release.target)
        if target is None:
            raise UnknownReleaseError(f"expected {release.target} among the targets; {AGAIN}")
        if target.length > BUNDLE_LIMIT_BYTES:
            raise TooLargeError(f"expected a bundle of at most {BUNDLE_LIMIT_BYTES} bytes, not {target.length}")
        whole = self._downloads / release.target
        part = self._downloads / f"{target.hashes['sha256']}.part"
        try:
            self._drop_others(whole, part)
            if whole.exists() and _is(whole, target):
                return whole
            self._expect_room(target.length, part)
            return self._download(target, whole, part, progress)
        except OSError as exc:
            error: UpdateError = _of_disk(exc, self._downloads)
        except DiskFullError as exc:
            error = exc
        if isinstance(error, DiskFullError):
            with contextlib.suppress(OSError):  # the journal lies on the same disk, and comes first
                part.unlink(missing_ok=True)
        raise error

    def _download(self, target: TargetFile, whole: Path, part: Path, progress: Progress | None) -> Path:
        name = f"{target.hashes['sha256']}.{target.path}"
        for begun in (part.exists(), False):
            offset = min(part.stat().st_size, target.length) if begun else 0
            with part.open("r+b" if begun else "w+b") as file:
                try:
                    if offset < target.length or not begun:
                        with self._judging():
                            self._fetcher.target(name, file, offset, target.length, progress)
                finally:
                    file.flush()
                    os.fsync(file.fileno())
            size = part.stat().st_size
            if size < target.length:
                raise UnreachableError(f"expected {target.length} bytes of {target.path}, not {size}: the line broke; "
                                       "the next try goes on after them")  # fmt: skip
            if _is(part, target):
                part.replace(whole)
                sync_folder(self._downloads)
                return whole
            part.unlink()
            if not begun:
                break
        raise TargetAlteredError(f"expected {target.path} as it was signed; {AGAIN}")

    def _expect_room(self, length: int, part: Path) -> None:
        have = part.stat().st_size if part.exists() else 0
        free = shutil.disk_usage(self._downloads).free
        wanted = max(0, length - have) + SPARE_BYTES
        if free < wanted:
            raise DiskFullError(f"expected {wanted} bytes free at {self._downloads}, not {free}; make room there")

    def _drop_others(self, *kept: Path) -> None:
        """Bundles of other versions: the one that runs is installed, and another is wanted."""
        for path in self._downloads.iterdir():
            if path not in kept:
                with contextlib.suppress(OSError):
                    path.unlink()

    def _url(self, target: TargetFile) -> str:
        return f"{self._base}/targets/{target.hashes['sha256']}.{target.path}"

    def _trusting(self, base: str) -> Updater:
        try:
            root = (self._layout.updates_dir / ROOT_FILE).read_bytes()
        except OSError as exc:
            raise NoRootError(
                f"expected the chain's root at {self._layout.updates_dir / ROOT_FILE}: {exc.strerror}; "
                "put it there with `tillside update trust FILE`"
            ) from exc
        try:
            self._metadata.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._downloads.mkdir(mode=0o700, parents=True, exist_ok=True)
            return Updater(
                str(self._metadata),
                f"{base}/metadata/",
                target_base_url=f"{base}/targets/",
                fetcher=self._fetcher,
                config=_CONFIG,
                bootstrap=root,
            )
        except TufError as exc:
            raise NoRootError(f"expected a root in {self._layout.updates_dir / ROOT_FILE}: {exc}") from exc
        except OSError as exc:
            raise _of_disk(exc, self._metadata) from exc

    @contextlib.contextmanager
    def _judging(self) -> Iterator[None]:
        try:
            yield
        except (TufError, DownloadError) as exc:
            raise judged(exc, self._fetcher.seen, self._metadata) from exc
        except OSError as exc:
            raise _of_disk(exc, self._metadata) from exc


def _is(path: Path, target: TargetFile) -> bool:
    """Whether a file is the one that was signed."""
    if path.stat().st_size != target.length:
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == target.hashes["sha256"]


def _of_disk(exc: OSError, where: Path) -> UpdateError:
    if exc.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFullError(f"the disk of {where} is full; make room there")
    return UpdateError(f"expected to write into {where}: {exc.strerror or exc}; run it as root", code="update_disk")


@contextlib.contextmanager
def alone(layout: Layout) -> Iterator[None]:
    """For one update at a time on this machine; the system drops the lock with the process. BusyError."""
    from till_installer.update.locking import lock

    try:
        layout.updates_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(layout.updates_dir / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as exc:
        raise UpdateError(f"expected to use {layout.updates_dir}: {exc.strerror}; run it as root") from exc
    try:
        if not lock(handle):
            raise BusyError("expected no other update, and one is under way; wait until it is through")
        yield
    finally:
        os.close(handle)
