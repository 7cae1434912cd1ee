"""`tillside update repo`: the chain's update repository, on a machine of the chain's IT."""

# pyright: reportPrivateImportUsage=false
# tuf and securesystemslib name what is public in lists that are made when they are imported.

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from till_agent.cli.options import echo_json, json_option
from till_installer.update.common import failing

if TYPE_CHECKING:
    from securesystemslib.signer import Signer

file_type = click.Path(path_type=Path)
folder_option = click.option(
    "--repo",
    type=file_type,
    required=True,
    envvar="TILLSIDE_UPDATE_REPO",
    show_envvar=True,
    help="Folder of the repository.",
)
online_option = click.option("--online", type=file_type, required=True, help="File of the online key.")
EXIT_NEAR = 2


def passphrase_of(path: Path, *, new: bool = False) -> str:
    """Of the variable TILLSIDE_KEY_PASSPHRASE, else asked for; "" for a key that has none."""
    import os

    from till_installer.update.keys import PASSPHRASE_VARIABLE, needs_passphrase

    if not new and not needs_passphrase(path):
        return ""
    text = os.environ.get(PASSPHRASE_VARIABLE, "")
    if text:
        return text
    asked: str = click.prompt(f"Passphrase of {path.name}", hide_input=True, confirmation_prompt=new, err=True)
    return asked


def _signer(path: Path) -> "Signer":
    from till_installer.update.keys import read_signer

    return read_signer(path, passphrase_of(path))


@click.group()
def repo() -> None:
    """Publish signed updates: keys, releases, signatures, and the dates that they are good until."""


@repo.command("key")
@click.argument("file", type=file_type)
@click.option("--no-passphrase", is_flag=True, help="For the online key, which signs with nobody there.")
def key(file: Path, *, no_passphrase: bool) -> None:
    """Make a key: FILE is for its owner alone, FILE.pub is for everybody. Prints the public key."""
    from till_installer.update.keys import make_key

    with failing():
        public = make_key(file, "" if no_passphrase else passphrase_of(file, new=True))
    click.echo(public)


@repo.command("init")
@folder_option
@click.option("--root-key", "root", type=file_type, multiple=True, required=True, help="FILE.pub; three are usual.")
@click.option("--root-threshold", type=click.IntRange(1, 9), default=2, show_default=True, help="Who must sign a root.")
@click.option("--targets-key", "targets", type=file_type, multiple=True, required=True, help="FILE.pub; may be two.")
@click.option("--targets-threshold", type=click.IntRange(1, 9), default=1, show_default=True, help="Of releases.")
@click.option("--online-key", "online", type=file_type, required=True, help="FILE.pub of the server's key.")
def init(
    repo: Path,
    root: tuple[Path, ...],
    root_threshold: int,
    targets: tuple[Path, ...],
    targets_threshold: int,
    online: Path,
) -> None:
    """Begin a repository. Then `sign` with as many root keys, and a key of targets, and `publish`."""
    from till_installer.update.keys import read_public
    from till_installer.update.repository import Repository
    from till_installer.update.roles import RoleKeys

    with failing():
        Repository(repo).init(
            root=RoleKeys(keys=tuple(read_public(path) for path in root), threshold=root_threshold),
            targets=RoleKeys(keys=tuple(read_public(path) for path in targets), threshold=targets_threshold),
            online=read_public(online),
        )
    click.echo(f"{repo}: root and targets wait for signatures")


@repo.command("add")
@click.argument("archive", type=file_type)
@folder_option
@click.option("--release-key", "keys", multiple=True, required=True, help="Public release key, or a file with some.")
def add(archive: Path, repo: Path, keys: tuple[str, ...]) -> None:
    """Check a bundle that `tillside bundle build` made, and stage it. Then `sign` and `publish`."""
    from till_installer.bundle.archive import opened
    from till_installer.bundle.keys import public_keys
    from till_installer.bundle.manifest import verify
    from till_installer.update.repository import Repository

    with failing():
        with opened(archive) as folder:
            manifest = verify(folder, public_keys(keys))
        release = Repository(repo).add(
            archive,
            version=manifest.version,
            platform=manifest.platform,
            machine=manifest.machine,
            made_s=manifest.made_s,
        )
    click.echo(f"{release.target}: staged; sign it with a key of targets, then publish")


@repo.command("withdraw")
@click.argument("version")
@folder_option
def withdraw(version: str, repo: Path) -> None:
    """Stage a list without VERSION. Tills that have it keep it: `cloud wave halt` stops one that rolls."""
    from till_installer.update.repository import Repository

    with failing():
        count = Repository(repo).withdraw(version)
    click.echo(f"{version}: {count} bundles are taken off the list; sign and publish")


@repo.command("renew")
@click.argument("role", type=click.Choice(["root", "targets"]))
@folder_option
def renew(role: Literal["root", "targets"], repo: Path) -> None:
    """Stage the same once more with a new date, before the old one is over. Then `sign` and `publish`."""
    from till_installer.update.repository import Repository

    with failing():
        Repository(repo).renew(role)
    click.echo(f"{role}: staged with a new date")


@repo.command("rotate")
@click.argument("role", type=click.Choice(["root", "targets", "online"]))
@folder_option
@click.option("--add", "added", type=file_type, multiple=True, help="FILE.pub of a key that may sign from now on.")
@click.option("--remove", multiple=True, help="Beginning of the id of one that may not any more, as `show` has it.")
@click.option("--threshold", type=click.IntRange(0, 9), default=0, help="How many must sign from now on.")
def rotate(
    role: Literal["root", "targets", "online"],
    repo: Path,
    added: tuple[Path, ...],
    remove: tuple[str, ...],
    threshold: int,
) -> None:
    """Stage a root with other keys: signed by enough of the present root keys, and of the new ones. Tills follow."""
    from till_installer.update.keys import read_public
    from till_installer.update.repository import Repository

    with failing():
        keys = [read_public(path) for path in added]
        Repository(repo).rotate(role, add=keys, remove=remove, threshold=threshold)
    click.echo("root: staged with other keys; sign it with as many root keys as it takes, then publish")


@repo.command("sign")
@folder_option
@click.option("--key", "key_file", type=file_type, required=True, help="File of a key of root or targets.")
def sign(repo: Path, key_file: Path) -> None:
    """Add a signature to what waits for this key. The folder may be carried to a machine without any line."""
    from till_installer.update.repository import Repository

    with failing():
        repository = Repository(repo)
        done = repository.sign(_signer(key_file))
        staged = repository.show().staged
    for each in staged:
        mark = "signed" if each.role in done else "waits"
        click.echo(f"{each.role} {each.version}: {mark}, {each.signed} of {each.threshold} signatures")


@repo.command("publish")
@folder_option
@online_option
def publish(repo: Path, online: Path) -> None:
    """Make public what has its signatures, with a new snapshot and timestamp. The cloud serves `public` as it is."""
    from till_installer.update.repository import Repository

    with failing():
        done = Repository(repo).publish(_signer(online))
    click.echo(f"published: {', '.join(done) or 'nothing new'}; snapshot and timestamp are new")


@repo.command("refresh")
@folder_option
@online_option
def refresh(repo: Path, online: Path) -> None:
    """Sign a new timestamp: every night, by a timer. Without it tills refuse all updates after 14 days."""
    from till_installer.update.repository import Repository

    with failing():
        repository = Repository(repo)
        repository.refresh(_signer(online))
        roles = repository.show().roles
    click.echo(", ".join(f"{each.role} good until {each.expires}" for each in roles))


@repo.command("root")
@click.argument("file", type=file_type)
@folder_option
def root_file(file: Path, repo: Path) -> None:
    """Write the newest root to FILE, for `tillside update trust` on tills and for the installation."""
    from till_installer.update.repository import Repository

    with failing():
        file.write_bytes(Repository(repo).root_bytes())
    click.echo(f"{file}: what tills trust")


@repo.command("show")
@folder_option
@json_option
def show(repo: Path, *, as_json: bool) -> None:
    """Roles with their keys and dates, what waits for signatures, and releases; exit status 2 when a date is near."""
    from till_installer.update.repository import Repository

    with failing(as_json=as_json):
        found = Repository(repo).show()
    if as_json:
        echo_json(found)
    else:
        for role in found.roles:
            near = "  SOON" if role.near else ""
            keys = " ".join(role.keys)
            click.echo(f"{role.role} {role.version}: good until {role.expires}, {role.threshold} of {keys}{near}")
        for waiting in found.staged:
            click.echo(f"{waiting.role} {waiting.version} waits: {waiting.signed} of {waiting.threshold} signatures")
        for release in found.releases:
            click.echo(f"{release.version} for {release.platform} {release.machine}: {release.length} bytes")
    if any(role.near for role in found.roles):
        raise SystemExit(EXIT_NEAR)
