"""The chain's update repository: what is signed, by whom, and until when. TUF's roles, run by few people.

    repo/
      public/metadata/   N.root.json, N.targets.json, N.snapshot.json, timestamp.json: what tills read
      public/targets/    SHA256.NAME: bundles, and the list of releases
      staged/            root.json, targets.json: what is to be signed by people before it is published

Root and targets are signed by people with keys that are never online; snapshot and timestamp by the server's key, every
night. Who takes the server over can hold tills at what was published, at most until the timestamp expires; they take
nothing else from it.
"""

# pyright: reportPrivateImportUsage=false
# tuf and securesystemslib name what is public in lists that are made when they are imported.

import contextlib
import datetime as dt
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec
from securesystemslib.signer import Signer, SSlibKey
from tuf.api.exceptions import RepositoryError as TufError
from tuf.api.metadata import Metadata, MetaFile, Role, Root, Snapshot, TargetFile, Targets, Timestamp

from till_installer.update.exceptions import RepositoryError
from till_installer.update.roles import (
    OFFLINE,
    ONLINE,
    ROOT_DAYS,
    SNAPSHOT_DAYS,
    TARGETS_DAYS,
    TIMESTAMP_DAYS,
    WARN_DAYS,
    RepositoryView,
    RoleKeys,
    RoleView,
    StagedView,
    trusted,
)
from till_installer.update.versions import RELEASES, Release, Releases, order_of
from till_sync.files import replace_file, sync_folder

AnyMetadata = Metadata[Root] | Metadata[Targets] | Metadata[Snapshot] | Metadata[Timestamp]


class Repository:
    """The repository in one folder. Every method that changes it raises RepositoryError and then leaves `public` whole.

    `now` is the present time, in a test another.
    """

    def __init__(self, folder: Path, *, now: dt.datetime | None = None) -> None:
        self.folder = folder
        self.public = folder / "public"
        self.metadata = self.public / "metadata"
        self.targets = self.public / "targets"
        self.staged = folder / "staged"
        self._now = now

    def init(self, *, root: RoleKeys, targets: RoleKeys, online: SSlibKey) -> None:
        """Stage the first root and an empty list of targets, to be signed."""
        if self.folder.exists() and any(self.folder.iterdir()):
            raise RepositoryError(f"expected an empty folder at {self.folder}, or none")
        for name, role in (("root", root), ("targets", targets)):
            if not 1 <= role.threshold <= len({key.keyid for key in role.keys}):
                raise RepositoryError(f"expected as many keys of {name} as must sign ({role.threshold}), or more")
        for folder in (self.metadata, self.targets, self.staged):
            folder.mkdir(parents=True)
        made = Root(expires=self._in(ROOT_DAYS), consistent_snapshot=True)
        for name, role in (("root", root), ("targets", targets)):
            made.roles[name] = Role([], role.threshold)
            for key in role.keys:
                made.add_key(key, name)
        for name in ONLINE:
            made.roles[name] = Role([], 1)
            made.add_key(online, name)
        self._stage(Metadata(made), "root")
        self._stage(Metadata(Targets(expires=self._in(TARGETS_DAYS))), "targets")

    def add(self, archive: Path, *, version: str, platform: str, machine: str, made_s: int) -> Release:
        """Put a bundle beside the targets, and stage a list that has it."""
        targets = self._changing("targets", Targets)
        releases = self._releases(targets.signed)
        name = archive.name
        target = TargetFile.from_file(name, str(archive), ["sha256"])
        release = Release(
            version=version,
            platform=platform,
            machine=machine,
            target=name,
            length=target.length,
            sha256=target.hashes["sha256"],
            made_s=made_s,
        )
        there = [each for each in releases if each.target == name]
        if there and there[0].sha256 != release.sha256:
            raise RepositoryError(f"expected another version: {name} was published with other bytes, and versions stay")
        copy = self.targets / f"{release.sha256}.{name}"
        if not copy.exists():
            draft = copy.with_name(f".{copy.name}.new")
            shutil.copyfile(archive, draft)
            draft.replace(copy)
        target.unrecognized_fields["custom"] = msgspec.to_builtins(release)
        targets.signed.targets[name] = target
        self._stage_targets(targets, [*(each for each in releases if each.target != name), release])
        return release

    def withdraw(self, version: str) -> int:
        """Stage a list without the bundles of a version; how many they were. Tills that have it keep it."""
        targets = self._changing("targets", Targets)
        releases = self._releases(targets.signed)
        kept = [each for each in releases if each.version != version]
        for each in releases:
            if each.version == version:
                targets.signed.targets.pop(each.target, None)
        if len(kept) == len(releases):
            raise RepositoryError(f"expected a version of this repository, not {version!r}; `repo show` names them")
        self._stage_targets(targets, kept)
        return len(releases) - len(kept)

    def rotate(
        self,
        role: Literal["root", "targets", "online"],
        *,
        add: Sequence[SSlibKey] = (),
        remove: Sequence[str] = (),
        threshold: int = 0,
    ) -> None:
        """Stage a root with other keys. It takes signatures of the present root keys, and of the new ones.

        `remove` are beginnings of ids, as `show` has them.
        """
        root = self._changing("root", Root)
        names = ONLINE if role == "online" else (role,)
        for name in names:
            for key in add:
                root.signed.add_key(key, name)
            for word in remove:
                ids = [each for each in root.signed.roles[name].keyids if each.startswith(word)]
                if len(ids) != 1:
                    raise RepositoryError(f"expected the id of one key of {name}, not {word!r}; `repo show` names them")
                root.signed.revoke_key(ids[0], name)
            if threshold:
                root.signed.roles[name].threshold = threshold
            if not 1 <= root.signed.roles[name].threshold <= len(root.signed.roles[name].keyids):
                raise RepositoryError(f"expected as many keys of {name} as must sign, or more")
        root.signed.expires = self._in(ROOT_DAYS)
        self._stage(root, "root")

    def renew(self, role: Literal["root", "targets"]) -> None:
        """Stage the same once more, with a new date: to be signed before the old one expires."""
        made = self._changing(role, Root if role == "root" else Targets)
        made.signed.expires = self._in(ROOT_DAYS if role == "root" else TARGETS_DAYS)
        self._stage(made, role)

    def sign(self, signer: Signer) -> list[str]:
        """Add this key's signature to all that waits for it; the roles that got one."""
        done: list[str] = []
        for role in OFFLINE:
            waiting = self._read_staged(role)
            if waiting is None:
                continue
            keyids = {each for root in self._judges(role) for each in root.roles[role].keyids}
            if signer.public_key.keyid not in keyids:
                continue
            waiting.sign(signer, append=True)
            self._write(self.staged / f"{role}.json", waiting)
            done.append(role)
        if not done:
            raise RepositoryError("expected something staged that this key may sign: see `repo show`")
        return done

    def publish(self, online: Signer) -> list[str]:
        """Make public what is signed by enough, then a snapshot and a timestamp of it; the roles that were staged."""
        waiting = {role: found for role in OFFLINE if (found := self._read_staged(role)) is not None}
        for role, found in waiting.items():
            self._expect_signed(role, found)
        root, newest = waiting.get("root"), self._newest_path("targets")
        if (
            root is not None
            and isinstance(root.signed, Root)
            and newest is not None
            and "targets" not in waiting
            and not trusted(root.signed, "targets", newest.read_bytes())
        ):
            raise RepositoryError(
                "expected targets that the new root's keys have signed: `repo renew targets`, `repo sign` them"
            )
        for role, found in waiting.items():
            self._write(self.metadata / f"{found.signed.version}.{role}.json", found)
            (self.staged / f"{role}.json").unlink()
        self._refresh(online, snapshot=True)
        return list(waiting)

    def refresh(self, online: Signer, *, stick_days: int = 0) -> None:
        """Sign a new timestamp, every night; a new snapshot as well when the present one ends within half its time.

        `stick_days`: both good for so long, to be copied to a stick; the next refresh comes after them.
        """
        snapshot = self._newest("snapshot", Snapshot)
        left = snapshot.signed.expires - self._time()
        least = dt.timedelta(days=stick_days or SNAPSHOT_DAYS // 2)
        self._refresh(online, snapshot=left < least, stick_days=stick_days)

    def releases(self) -> tuple[Release, ...]:
        """Those that are public, the oldest first."""
        return tuple(self._releases(self._newest("targets", Targets).signed))

    def show(self) -> RepositoryView:
        """What is public, what waits, and what ends soon."""
        root = self._root()
        roles: list[RoleView] = []
        for name, kind in (("root", Root), ("targets", Targets), ("snapshot", Snapshot), ("timestamp", Timestamp)):
            with contextlib.suppress(RepositoryError):
                found = self._newest(name, kind)
                days = (found.signed.expires - self._time()).days
                role = root.roles[name]
                roles.append(
                    RoleView(
                        role=name,
                        version=found.signed.version,
                        expires=found.signed.expires.date().isoformat(),
                        days_left=days,
                        threshold=role.threshold,
                        keys=tuple(each[:12] for each in role.keyids),
                        near=days < WARN_DAYS[name],
                    )
                )
        staged = tuple(self._staged_view(role) for role in OFFLINE if (self.staged / f"{role}.json").exists())
        try:
            releases = self.releases()
        except RepositoryError:
            releases = ()
        return RepositoryView(roles=tuple(roles), staged=staged, releases=releases)

    def root_bytes(self) -> bytes:
        """The newest root, as tills get it when they are installed. RepositoryError when none was published."""
        newest = self._newest_path("root")
        if newest is None:
            raise RepositoryError("expected a published root: `repo sign` it and `repo publish`")
        return newest.read_bytes()

    def _staged_view(self, role: Literal["root", "targets"]) -> StagedView:
        waiting = self._read_staged(role)
        if waiting is None:
            raise RepositoryError(f"expected {role} to be staged")
        data, signatures = waiting.signed_bytes, waiting.signatures
        results = [judge.get_verification_result(role, data, signatures) for judge in self._judges(role)]
        worst = min(results, key=lambda each: len(each.signed) - each.threshold)
        return StagedView(
            role=role,
            version=waiting.signed.version,
            signed=len(worst.signed),
            threshold=worst.threshold,
            missing=tuple(each[:12] for each in worst.unsigned) if not worst else (),
        )

    def _expect_signed(self, role: str, waiting: AnyMetadata) -> None:
        for judge in self._judges(role):
            result = judge.get_verification_result(role, waiting.signed_bytes, waiting.signatures)
            if not result:
                raise RepositoryError(
                    f"expected {result.threshold} signatures of {role}, not {len(result.signed)}: "
                    "`repo sign --key FILE` with one more key of it"
                )

    def _judges(self, role: str) -> list[Root]:
        """The roots whose keys must have signed a staged role: of a new root also those of the one before."""
        staged = self._read_staged("root")
        new = staged.signed if staged is not None and isinstance(staged.signed, Root) else None
        old = self._root() if self._newest_path("root") is not None else None
        if role == "root":
            return [each for each in (old, new) if each is not None]
        return [each for each in (new or old,) if each is not None]

    def _refresh(self, online: Signer, *, snapshot: bool, stick_days: int = 0) -> None:
        root = self._root()
        for name in ONLINE:
            if online.public_key.keyid not in root.roles[name].keyids:
                raise RepositoryError(f"expected the online key of this repository ({root.roles[name].keyids[0][:12]})")
        if snapshot:
            targets = self._newest_path("targets")
            if targets is None:
                raise RepositoryError("expected published targets: `repo sign` them and `repo publish`")
            made = self._next("snapshot", Snapshot, stick_days or SNAPSHOT_DAYS)
            made.signed.meta = {"targets.json": _meta(targets)}
            made.sign(online)
            self._write(self.metadata / f"{made.signed.version}.snapshot.json", made)
        newest = self._newest_path("snapshot")
        if newest is None:
            raise RepositoryError("expected a snapshot: `repo publish`")
        stamp = self._next("timestamp", Timestamp, stick_days or TIMESTAMP_DAYS)
        stamp.signed.snapshot_meta = _meta(newest)
        stamp.sign(online)
        self._write(self.metadata / "timestamp.json", stamp)

    def _next(self, role: str, kind: Any, days: int) -> Any:
        """The next version of an online role."""
        try:
            version = self._newest(role, kind).signed.version + 1
        except RepositoryError:
            version = 1
        return Metadata(kind(version=version, expires=self._in(days)))

    def _changing(self, role: Literal["root", "targets"], kind: Any) -> Any:
        """What is staged of a role, without its signatures, else the next version of what is public."""
        waiting = self._read_staged(role)
        if waiting is not None:
            waiting.signatures.clear()
            return waiting
        found = self._newest(role, kind)
        found.signed.version += 1
        found.signatures.clear()
        return found

    def _stage_targets(self, targets: Metadata[Targets], releases: Iterable[Release]) -> None:
        listed = Releases(releases=tuple(sorted(releases, key=lambda each: (order_of(each.version), each.target))))
        data = msgspec.json.format(msgspec.json.encode(listed), indent=1) + b"\n"
        target = TargetFile.from_data(RELEASES, data, ["sha256"])
        targets.signed.targets[RELEASES] = target
        _replace(self.targets / f"{target.hashes['sha256']}.{RELEASES}", data)
        targets.signed.expires = self._in(TARGETS_DAYS)
        self._stage(targets, "targets")

    @staticmethod
    def _releases(targets: Targets) -> list[Release]:
        found = [
            msgspec.convert(target.unrecognized_fields["custom"], Release)
            for name, target in targets.targets.items()
            if name != RELEASES
        ]
        return sorted(found, key=lambda each: (order_of(each.version), each.target))

    def _root(self) -> Root:
        try:
            found: Root = self._newest("root", Root).signed
        except RepositoryError:
            waiting = self._read_staged("root")
            if waiting is None or not isinstance(waiting.signed, Root):
                raise
            return waiting.signed
        return found

    def _newest(self, role: str, kind: Any) -> Any:
        path = self._newest_path(role)
        if path is None:
            raise RepositoryError(f"expected published {role} metadata in {self.metadata}: `repo sign`, `repo publish`")
        return self._load(path, kind)

    def _newest_path(self, role: str) -> Path | None:
        if role == "timestamp":
            path = self.metadata / "timestamp.json"
            return path if path.exists() else None
        numbers = [int(each.name.partition(".")[0]) for each in self.metadata.glob(f"[0-9]*.{role}.json")]
        return self.metadata / f"{max(numbers)}.{role}.json" if numbers else None

    def _read_staged(self, role: Literal["root", "targets"]) -> AnyMetadata | None:
        path = self.staged / f"{role}.json"
        if not path.exists():
            return None
        loaded: AnyMetadata = self._load(path, Root if role == "root" else Targets)
        return loaded

    @staticmethod
    def _load(path: Path, kind: Any) -> Any:
        try:
            found: Any = Metadata.from_bytes(path.read_bytes())
        except (OSError, TufError) as exc:
            raise RepositoryError(f"expected metadata in {path}: {exc}") from exc
        if not isinstance(found.signed, kind):
            raise RepositoryError(f"expected {kind.type} metadata in {path}, not {found.signed.type}")
        return found

    def _stage(self, made: AnyMetadata, role: str) -> None:
        self._write(self.staged / f"{role}.json", made)

    @staticmethod
    def _write(path: Path, made: AnyMetadata) -> None:
        _replace(path, made.to_bytes())

    def _time(self) -> dt.datetime:
        return self._now or dt.datetime.now(dt.UTC)

    def _in(self, days: int) -> dt.datetime:
        return (self._time() + dt.timedelta(days=days)).replace(microsecond=0)


def _meta(path: Path) -> MetaFile:
    """With length and hash, so that no other genuine file may stand in its place."""
    data = path.read_bytes()
    return MetaFile.from_data(int(path.name.partition(".")[0]), data, ["sha256"])


def _replace(path: Path, data: bytes) -> None:
    replace_file(path, data)
    path.chmod(0o644)  # public: the cloud serves it, perhaps as another user
    sync_folder(path.parent)
