"""A chain's update repository and a till that trusts it, both in a folder of a test."""

import datetime as dt
import functools
import shutil
from pathlib import Path

from till_installer.layout import Layout, linux_layout
from till_installer.update import keys
from till_installer.update.client import UpdateClient, alone, install_root
from till_installer.update.fetching import Fetcher, FolderFetcher
from till_installer.update.repository import Repository
from till_installer.update.roles import RoleKeys
from till_installer.update.versions import this_platform

NAMES = ("root1", "root2", "root3", "targets1", "online", "stranger1", "stranger2")


@functools.cache
def _pair(folder: Path, name: str) -> keys.FileSigner:
    path = folder / name
    if not path.exists():
        keys.make_key(path, "")
    return keys.read_signer(path)


class Shop:
    """`repo` is the chain's; `layout` the till's. `at` moves the chain's clock."""

    def __init__(self, folder: Path, *, days_ago: int = 0) -> None:
        self.folder = folder
        (folder / "keys").mkdir(parents=True)
        self.repo = self.at(days_ago)
        root = tuple(self.key(name) for name in NAMES[:3])
        self.repo.init(
            root=RoleKeys(keys=root, threshold=2),
            targets=RoleKeys(keys=(self.key("targets1"),), threshold=1),
            online=self.key("online"),
        )
        for name in ("root1", "root2"):
            self.repo.sign(self.signer(name))
        self.layout = linux_layout(folder / "till")

    def signer(self, name: str) -> keys.FileSigner:
        return _pair(self.folder / "keys", name)

    def key(self, name: str):
        return self.signer(name).public_key

    def at(self, days_ago: int) -> Repository:
        """The same repository on an earlier day; it is the one from now on."""
        self.repo = Repository(self.folder / "repo", now=dt.datetime.now(dt.UTC) - dt.timedelta(days=days_ago))
        return self.repo

    def release(self, version: str = "1.1.0", content: bytes = b"bundle" * 5_000, **where: str) -> Path:
        """Publish a bundle for this machine (or `platform`, `machine`); its archive."""
        platform, machine = where.get("platform", this_platform()[0]), where.get("machine", this_platform()[1])
        archive = self.folder / f"tillside-{version}-{platform}-{machine}.tar.gz"
        archive.write_bytes(content)
        self.repo.add(archive, version=version, platform=platform, machine=machine, made_s=1)
        self.repo.sign(self.signer("targets1"))
        self.repo.publish(self.signer("online"))
        return archive

    def trust(self) -> Layout:
        """Install the present root on the till."""
        path = self.folder / "trusted.json"
        path.write_bytes(self.repo.root_bytes())
        install_root(self.layout, path)
        return self.layout

    def copy(self, name: str = "served") -> Path:
        """The public folder as it is now, for a liar to change."""
        target = self.folder / name
        shutil.copytree(self.repo.public, target)
        return target

    def fetch(self, source: Path | Fetcher | None = None, version: str = "1.1.0", running: str = "1.0.0") -> Path:
        """What the till gets."""
        fetcher = source if isinstance(source, Fetcher) else FolderFetcher(source or self.repo.public)
        with alone(self.layout):
            client = UpdateClient(self.layout, fetcher)
            return client.fetch(client.choose(version, running))
