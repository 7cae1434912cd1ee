"""`tillside bundle`: make, sign and check what tills are installed from."""

import os
from pathlib import Path
from typing import NoReturn

import click

from till_agent.cli.options import echo_json, json_option
from till_installer.exceptions import InstallerError

file_type = click.Path(path_type=Path)
key_option = click.option(
    "--key", type=file_type, help="File of the private release key; else the variable TILLSIDE_RELEASE_KEY."
)


@click.group(help="Make, sign and check the bundles that tills are installed from.")
def bundle() -> None:
    """Nothing of its own to do."""


@bundle.command(short_help="Build a bundle from our wheel and a lock file.")
@click.option("--wheel", type=file_type, required=True, help="Our own wheel, as `make wheel` writes it.")
@click.option("--lock", type=file_type, required=True, help="Lock file of the packages that tills get.")
@click.option("--into", type=file_type, default=Path("dist"), show_default=True, help="Folder for the archive.")
@click.option("--python", "pythons", multiple=True, help="A version of Python to bring packages for; may be repeated.")
@click.option("--extra", "extras", multiple=True, help="Optional part that the lock file holds; may be repeated.")
@click.option("--suffix", default="", help="Ending of the version that tells this bundle from others: +camera.")
@key_option
@click.option("--unsigned", is_flag=True, help="Leave the signature to `tillside bundle sign` on another machine.")
@json_option
def build(
    wheel: Path,
    lock: Path,
    into: Path,
    pythons: tuple[str, ...],
    extras: tuple[str, ...],
    suffix: str,
    key: Path | None,
    unsigned: bool,
    as_json: bool,
) -> None:
    """Fetch the packages of a lock file for each Python, from the registry that pip is set up for, and pack them.

    The same wheel, lock file and SOURCE_DATE_EPOCH give the same bytes.
    """
    from till_installer.bundle.building import PYTHONS, Wanted
    from till_installer.bundle.building import build as make
    from till_installer.bundle.keys import private_key
    from till_installer.bundle.manifest import digest

    try:
        wanted = Wanted(
            wheel=wheel,
            lock=lock,
            into=into,
            pythons=pythons or PYTHONS,
            extras=extras,
            suffix=suffix,
            made_s=int(os.environ.get("SOURCE_DATE_EPOCH") or 1_577_836_800),
            private_key="" if unsigned else private_key(key),
        )
        archive = make(wanted, lambda text: click.echo(f"{text} ...", err=True))
    except InstallerError as error:
        fail(error, as_json=as_json)
    size, sha256 = archive.stat().st_size, digest(archive)
    if as_json:
        echo_json({"archive": str(archive), "size": size, "sha256": sha256, "signed": not unsigned})
        return
    click.echo(f"{archive}: {size / 1_000_000:.1f} MB, SHA-256 {sha256}{', not signed' if unsigned else ''}")


@bundle.command(short_help="Sign a bundle that was built without a key.")
@click.argument("archive", type=file_type)
@key_option
def sign(archive: Path, key: Path | None) -> None:
    """Write the archive anew with the signature of the release key in it; for a key that never leaves its machine."""
    from till_installer.bundle.archive import opened, pack
    from till_installer.bundle.keys import private_key
    from till_installer.bundle.manifest import MANIFEST_FILE, SIGNATURE_FILE, sign_manifest, verify
    from till_sync.keys import public_of

    try:
        private = private_key(key)
        with opened(archive) as folder:
            text = sign_manifest((folder / MANIFEST_FILE).read_bytes(), private)
            (folder / SIGNATURE_FILE).write_text(text, encoding="ascii")
            manifest = verify(folder, [public_of(private)])
            if folder != archive:
                pack(folder, archive)
    except InstallerError as error:
        fail(error)
    click.echo(f"{archive}: version {manifest.version}, signed by {public_of(private)}")


@bundle.command(short_help="Check that a bundle is whole and signed by a release key.")
@click.argument("archive", type=file_type)
@click.option("--release-key", "keys", multiple=True, required=True, help="Public key, or a file with some.")
@click.option("--here", is_flag=True, help="Also that it is for this machine and its Python.")
@json_option
def verify(archive: Path, keys: tuple[str, ...], here: bool, as_json: bool) -> None:
    """Check signature, hashes, and that there is nothing else in it. Exit status 3 and a code when it is refused."""
    from till_installer.bundle.archive import opened
    from till_installer.bundle.fitting import must_fit
    from till_installer.bundle.keys import public_keys
    from till_installer.bundle.manifest import verify as check

    try:
        with opened(archive) as folder:
            manifest = check(folder, public_keys(keys))
            if here:
                must_fit(manifest)
    except InstallerError as error:
        fail(error, as_json=as_json)
    if as_json:
        echo_json({"ok": True, "version": manifest.version, "platform": manifest.platform,
                   "machine": manifest.machine, "pythons": manifest.pythons, "extras": manifest.extras,
                   "files": len(manifest.files), "bytes": manifest.total_bytes})  # fmt: skip
        return
    pythons = ", ".join(manifest.pythons)
    click.echo(f"version {manifest.version} for {manifest.platform} {manifest.machine}, Python {pythons}")
    click.echo(f"{len(manifest.files)} files, {manifest.total_bytes / 1_000_000:.1f} MB: all as they were signed")


@bundle.command(short_help="Make a Debian package of a signed bundle.")
@click.argument("archive", type=file_type)
@click.option("--release-key", "keys", multiple=True, required=True, help="Public key, or a file with some.")
@click.option("--into", type=file_type, default=Path("dist"), show_default=True, help="Folder for the package.")
@click.option("--nfpm", default="nfpm", show_default=True, help="The program that writes it.")
def deb(archive: Path, keys: tuple[str, ...], into: Path, nfpm: str) -> None:
    """Write a package that holds the bundle, and installs it as its own `install` does."""
    from till_installer.bundle.debian import make_package

    try:
        package = make_package(archive, keys, into, nfpm)
    except InstallerError as error:
        fail(error)
    click.echo(f"{package}: {package.stat().st_size / 1_000_000:.1f} MB")


@bundle.command(short_help="Make the set-up for Windows.")
@click.option("--wheel", type=file_type, required=True, help="Our own wheel, as `make wheel` writes it.")
@click.option("--lock", type=file_type, required=True, help="Lock file of the packages that tills get.")
@click.option("--into", type=file_type, default=Path("dist"), show_default=True, help="Folder for the set-up.")
@click.option("--extra", "extras", multiple=True, help="Optional part that the lock file holds; may be repeated.")
@click.option("--suffix", default="", help="Ending of the version that tells this set-up from others: +camera.")
@click.option("--makensis", default="makensis", show_default=True, help="The program of NSIS that packs it.")
def windows(wheel: Path, lock: Path, into: Path, extras: tuple[str, ...], suffix: str, makensis: str) -> None:
    """Build TillsideSetup-VERSION.exe on Linux, CPython and NSSM taken by their hashes; its SHA-256 lies beside it."""
    from till_installer.windows.building import Wanted
    from till_installer.windows.building import build as build_set_up

    wanted = Wanted(
        wheel=wheel,
        lock=lock,
        into=into,
        extras=extras,
        suffix=suffix,
        made_s=int(os.environ.get("SOURCE_DATE_EPOCH", "1577836800")),
        makensis=makensis,
    )
    try:
        made = build_set_up(wanted, lambda text: click.echo(f"{text} ...", err=True))
    except InstallerError as error:
        fail(error)
    click.echo(f"{made}: {made.stat().st_size / 1_000_000:.1f} MB")


@bundle.command(short_help="Make a release key.")
@click.argument("file", type=file_type)
def key(file: Path) -> None:
    """Write a new private key into FILE, for its owner alone, and its public key beside it. Prints the public one."""
    from till_installer.bundle.keys import make_key

    try:
        public = make_key(file)
    except InstallerError as error:
        fail(error)
    click.echo(public)


def fail(error: InstallerError, *, as_json: bool = False) -> NoReturn:
    """One line with the code, or the same for programs; the error's exit status."""
    if as_json:
        echo_json({"ok": False, "code": error.code, "detail": str(error)})
    else:
        click.echo(f"Error: {error.code}: {error}", err=True)
    raise SystemExit(error.exit_code)
