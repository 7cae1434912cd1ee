"""`tillside demo`: a chain, a till and a real day on this machine, then proof that nothing was lost or doubled."""

import shutil
import sys
import tempfile
from pathlib import Path

import click

from till_config.main import STATUS_INTERRUPTED
from till_installer.demo.interruption import interruption


@click.command()
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Where the slip's picture goes.")
@click.option("--receipts", type=click.IntRange(3, 628), default=628, show_default=True, help="How much of the day.")
@click.option("--language", type=click.Choice(["ru", "kk", "ky", "uk", "en"]), default="en", show_default=True)
@click.option("--keep", is_flag=True, help="Keep the demo's databases and logs, and say where they are.")
def demo(out: Path | None, receipts: int, language: str, keep: bool) -> None:
    """Run a cloud, a till, a scanner and a printer, and sell a grocery's day with the line cut in the middle."""
    try:
        interruption.listen()
        proven = _play(out or Path.cwd(), receipts, language, keep=keep)
    except KeyboardInterrupt:
        click.echo("\nStopped. Nothing is left running.", err=True)
        sys.exit(STATUS_INTERRUPTED)
    sys.exit(0 if proven else 1)


def _play(out: Path, receipts: int, language: str, *, keep: bool) -> bool:
    from till_installer.demo.processes import DemoError
    from till_installer.demo.stage import run_demo

    folder = Path(tempfile.mkdtemp(prefix="tillside-demo-"))
    proven = False
    try:
        proven = run_demo(folder, out, receipts, language)
    except DemoError as error:
        click.echo(f"The demo could not go on: {error}", err=True)
    finally:
        if keep or not proven:
            click.echo(f"Databases and logs: {folder}", err=True)
        else:
            shutil.rmtree(folder, ignore_errors=True)
    return proven
