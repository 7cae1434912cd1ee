"""A USB stick with a repository's public files: as good as the line, and under the same rules.

A stick is older than the line when it is used. So its timestamp may be good for longer than that of the server, up to
90 days: a store that is visited once a quarter. It is signed for the stick, and the server's next one comes after it: a
till with both believes whichever is newer.
"""

# pyright: reportPrivateImportUsage=false
# tuf and securesystemslib name what is public in lists that are made when they are imported.

import shutil
from collections.abc import Iterable
from pathlib import Path

from securesystemslib.signer import Signer

from till_installer.update.exceptions import RepositoryError
from till_installer.update.repository import Repository
from till_installer.update.roles import STICK_DAYS_LIMIT
from till_installer.update.versions import RELEASES, Release, order_of

FOLDER = "tillside-updates"
"""On the stick."""


def make(
    repository: Repository,
    stick: Path,
    *,
    versions: Iterable[str] = (),
    platforms: Iterable[tuple[str, str]] = (),
    days: int = 0,
    online: Signer | None = None,
) -> tuple[tuple[Release, ...], str]:
    """Fill `stick`; the releases that are on it, and until when it is good. RepositoryError.

    `versions` none: the newest. `platforms` none: all. `days`: so long it is good, which takes the online key.
    """
    releases = _chosen(repository, tuple(versions), tuple(platforms))
    if days and online is None:
        raise RepositoryError("expected --online KEY with --days: a timestamp for longer has to be signed")
    if days > STICK_DAYS_LIMIT:
        raise RepositoryError(f"expected at most {STICK_DAYS_LIMIT} days, not {days}: a lost stick is good so long")
    if days and online is not None:
        repository.refresh(online, stick_days=days)
    good_until = min(role.expires for role in repository.show().roles)
    try:
        _copy(repository, stick / FOLDER, releases)
    except OSError as exc:
        raise RepositoryError(f"expected to write to {stick}: {exc.strerror}; make room there") from exc
    finally:
        if days and online is not None:
            repository.refresh(online)
    return releases, good_until


def _chosen(
    repository: Repository, versions: tuple[str, ...], platforms: tuple[tuple[str, str], ...]
) -> tuple[Release, ...]:
    there = [each for each in repository.releases() if not platforms or (each.platform, each.machine) in platforms]
    if not there:
        raise RepositoryError("expected a published release; `repo add` one, `repo sign` and `repo publish`")
    wanted = versions or (max(there, key=lambda each: order_of(each.version)).version.partition("+")[0],)
    found = tuple(each for each in there if {each.version, each.version.partition("+")[0]} & set(wanted))
    missing = [each for each in wanted if not any(each in (r.version, r.version.partition("+")[0]) for r in found)]
    if missing:
        raise RepositoryError(f"expected a published version, not {missing[0]}; `repo show` names them")
    return found


def _copy(repository: Repository, into: Path, releases: Iterable[Release]) -> None:
    """Bundles first, the timestamp last: a copy that is cut off is no repository yet, or the one before."""
    names = [f"{each.sha256}.{each.target}" for each in releases]
    names += [path.name for path in repository.targets.glob(f"*.{RELEASES}")]
    metadata = sorted(path.name for path in repository.metadata.glob("*.json") if path.name != "timestamp.json")
    for folder, files in (("targets", names), ("metadata", [*metadata, "timestamp.json"])):
        (into / folder).mkdir(parents=True, exist_ok=True)
        for name in files:
            source, target = repository.public / folder / name, into / folder / name
            if folder == "targets" and target.exists() and target.stat().st_size == source.stat().st_size:
                continue
            draft = target.with_name(f"{name}.new")
            shutil.copyfile(source, draft)
            draft.replace(target)


def found_on(stick: Path) -> Path:
    """The folder of updates on a stick: below it, or itself."""
    return stick / FOLDER if (stick / FOLDER).is_dir() else stick
