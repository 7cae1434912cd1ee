"""`tillside clone`: carry a till to another machine."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from till_agent.cli.options import config_option

_FILE = click.Path(path_type=Path)
passphrase_option = click.option(
    "--passphrase-file", type=_FILE, help="File with the passphrase; else export makes one, and import asks for it."
)


@click.group(help="Move this till to another machine, with its queue, its settings and its tokens.")
def clone() -> None:
    """Nothing of its own to do."""


@contextmanager
def _told() -> Iterator[None]:
    from till_installer.clone.exceptions import CloneError

    try:
        yield
    except CloneError as error:
        raise click.ClickException(f"{error.code}: {error}") from error


@clone.command("export", short_help="Take the till from this machine into one sealed file.")
@click.argument("file", type=_FILE)
@config_option
@passphrase_option
@click.option("--without-cache", is_flag=True, help="A smaller file; the new machine fetches members anew.")
@click.option("--again", is_flag=True, help="Make another file on a machine that is retired: the first one is lost.")
def export(file: Path, config: Path, passphrase_file: Path | None, *, without_cache: bool, again: bool) -> None:
    """Take the till into FILE, and retire this machine: its agent sells no more, whatever is started here.

    The agent must be stopped. The passphrase is printed once; who has it and FILE has the till.
    """
    from till_installer.clone.exporting import export_till
    from till_installer.clone.sealed import PASSPHRASE_LEAST, new_passphrase

    with _told():
        passphrase = _read(passphrase_file) if passphrase_file is not None else new_passphrase()
        if len(passphrase) < PASSPHRASE_LEAST:
            raise click.ClickException(f"expected a passphrase of at least {PASSPHRASE_LEAST} characters")
        done = export_till(config, file, passphrase, with_cache=not without_cache, again=again)
    click.echo(
        f"Till {done.till} is in {done.file} ({done.bytes:,} bytes); operations that wait in it: {done.waiting}."
    )
    click.echo("This machine is retired: it sells no more.")
    if passphrase_file is None:
        click.echo(f"Passphrase, shown once: {passphrase}")


@clone.command("import", short_help="Make this machine the till of a file.")
@click.argument("file", type=_FILE)
@config_option
@passphrase_option
@click.option("--code", default="", help="One-time code of the same till (`tillside cloud till code TILL`).")
@click.option("--code-file", type=_FILE, help="File with the code, so that no process list shows it.")
@click.option("--offline", is_flag=True, help="Without a code, where there is no line: the key comes from the file.")
@click.option("--state-dir", type=_FILE, help="Another folder of state than the old machine's.")
def import_(
    file: Path,
    config: Path,
    passphrase_file: Path | None,
    code: str,
    code_file: Path | None,
    *,
    offline: bool,
    state_dir: Path | None,
) -> None:
    """Make this machine the till of FILE, which serves once. The agent must be stopped; start it afterwards.

    With a code the cloud gives the till a new key, so that no other machine can be the till beside this one.
    """
    from till_installer.clone.importing import import_till

    if code and code_file is not None:
        raise click.UsageError("expected one of --code and --code-file")
    with _told():
        passphrase = (
            _read(passphrase_file) if passphrase_file is not None else click.prompt("Passphrase", hide_input=True)
        )
        done = import_till(
            file,
            config,
            passphrase,
            code=code or (_read(code_file) if code_file is not None else ""),
            offline=offline,
            state_dir=state_dir,
        )
    click.echo(f"This machine is till {done.till} of store {done.store}; operations that wait: {done.waiting}.")
    if not done.file_spent:
        click.echo(f"{file} could not be marked as used: destroy it.", err=True)
    click.echo("Start the agent.")


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise click.ClickException(f"expected a readable file at {path}: {error}") from error
