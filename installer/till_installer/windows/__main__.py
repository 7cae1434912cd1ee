"""`python -m till_installer.windows`: what set-up and uninstaller call. People use those, and `tillside`.

Exit status: 0 done; 1 could not be done; 3 files are missing; 4 operations wait for the cloud; 5 installed, but not
enrolled yet.
"""

import time
import traceback
from collections.abc import Callable
from pathlib import Path

import click

file_type = click.Path(path_type=Path)
LOG_LIMIT_BYTES = 1_048_576
"""Some thousand set-ups; what is older goes."""


@click.group(help=__doc__)
def windows() -> None:
    """Nothing of its own to do."""


@windows.command()
@click.option("--version", required=True)
@click.option("--programs", type=file_type, required=True)
@click.option("--data", type=file_type, required=True)
@click.option("--mark", default="")
@click.option("--folder", type=file_type, help="What paths are relative to.")
@click.argument("typed", nargs=-1, type=click.UNPROCESSED)
def install(version: str, programs: Path, data: Path, mark: str, folder: Path | None, typed: tuple[str, ...]) -> None:
    """Put a version whose files are there in place, enrol the till, and start the service; by the set-up's words."""
    from till_installer.layout import windows_layout
    from till_installer.services.windows import ACCOUNT, WindowsManager
    from till_installer.setup.exceptions import EXIT_NOT_ENROLLED
    from till_installer.windows.installing import Installing, Wishes
    from till_installer.windows.words import INSTALL, Words

    layout = windows_layout(programs, data)
    say = _told(layout.log_dir)
    say(f"set-up of {version}")
    with _ending(say):
        words = Words(typed, INSTALL, folder)
        wishes = Wishes(
            version=version,
            config=words.path("CONFIG"),
            enroll_file=words.path("ENROLL"),
            pos_origins=tuple(each for each in words.text("POSORIGIN").split(",") if each),
            frontol=words.path("FRONTOL"),
            account=words.text("ACCOUNT") or ACCOUNT,
            again=words.is_yes("AGAIN"),
            repair=words.is_yes("REPAIR"),
            mark=mark,
        )
        done = Installing(layout, WindowsManager(layout, account=wishes.account), say).install(wishes)
        for each in (*done.changed, *done.remarks, done.enrolled.detail):
            if each:
                say(f"  {each}")
        say(f"Tillside {version} is installed; till {done.enrolled.till or 'not enrolled'}")
        if done.enrolled.was_tried and not done.enrolled.till:
            raise SystemExit(EXIT_NOT_ENROLLED)


@windows.command()
@click.option("--programs", type=file_type, required=True)
@click.option("--data", type=file_type, required=True)
@click.argument("typed", nargs=-1, type=click.UNPROCESSED)
def uninstall(programs: Path, data: Path, typed: tuple[str, ...]) -> None:
    """Stop and remove the service; data stays unless `/PURGE=1`, which refuses while operations wait."""
    from till_installer.layout import windows_layout
    from till_installer.services.windows import WindowsManager
    from till_installer.windows.removing import uninstall as take_off
    from till_installer.windows.words import REMOVE, Words

    layout = windows_layout(programs, data)
    say = _told(layout.log_dir)
    with _ending(say):
        words = Words(typed, REMOVE)
        done = take_off(
            layout,
            WindowsManager(layout),
            purge=words.is_yes("PURGE"),
            carry_to=words.path("CARRYTO"),
            discard=words.count("DISCARDQUEUE"),
            say=say,
        )
    if done.carried_to:
        click.echo(f"{done.waiting} operations wait; a copy with all data is in {done.carried_to}")
        click.echo(f"queue hash {done.queue_hash}: the same in the copy")


class _ending:  # noqa: N801 - used as a word
    """What went wrong is said in one line with its code, and is the exit status."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        from till_config import ConfigError
        from till_installer.exceptions import InstallerError
        from till_installer.upgrade.exceptions import BusyError

        if isinstance(error, InstallerError):
            self._say(f"Error: {error.code}: {error}")
            # What upgrades say by 5 is not what set-ups do.
            raise SystemExit(1 if isinstance(error, BusyError) else error.exit_code) from error
        if isinstance(error, ConfigError | OSError | click.ClickException):
            code = "config" if isinstance(error, ConfigError) else "failed"
            self._say(f"Error: {code}: {error}")
            raise SystemExit(1) from error
        if isinstance(error, Exception):
            # The window of the set-up is gone by the time that somebody asks.
            self._say(f"Error: unexpected: {''.join(traceback.format_exception(error)).rstrip()}")
            raise SystemExit(1) from error


def _told(log_dir: Path) -> Callable[[str], None]:
    """Says a line to the set-up's window and into its log. Where no log can be written, the window has it."""
    log = log_dir / "setup.log"

    def say(text: str) -> None:
        click.echo(text)
        try:
            log_dir.mkdir(parents=True, exist_ok=True)
            is_full = log.exists() and log.stat().st_size > LOG_LIMIT_BYTES
            with log.open("w" if is_full else "a", encoding="utf-8") as file:
                file.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text}\n")
        except OSError as error:
            click.echo(f"(no log: {error.strerror})")

    return say


if __name__ == "__main__":
    # What was typed is taken as it was: `*` and `~` in a path are part of its name.
    windows(windows_expand_args=False)
