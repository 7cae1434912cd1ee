"""Where the configuration of an installed till is: the one place, for every command that was told of no other."""

import os
from pathlib import Path

import click

CONFIG_VARIABLE = "TILLSIDE_CONFIG"
CONFIG_FILE = "till.toml"
LINUX_CONFIG_DIR = Path("/etc/tillside")
WINDOWS_CONFIG_DIR = Path("C:/ProgramData/Tillside")
FINDING_HELP = "The till's configuration; without it, the installed one's."


def installed_config() -> Path:
    """Where `tillside setup` puts it on this system; it may not be there."""
    return (WINDOWS_CONFIG_DIR if os.name == "nt" else LINUX_CONFIG_DIR) / CONFIG_FILE


def missing_words(path: Path) -> str:
    """What every command says where there is none."""
    return f"there is no till's configuration at {path}"


def missing_fix() -> str:
    """And the one thing to do."""
    return (
        f"name another by --config FILE or {CONFIG_VARIABLE}; on a till that has none, put one there: "
        "`tillside config defaults` prints one to start from"
    )


def config_if_any(_ctx: click.Context, _option: click.Parameter, given: Path | None) -> Path | None:
    """The option's callback of a command that can do without: what was named, else the installed one, if there is."""
    path = installed_config() if given is None else given
    try:
        path.stat()
    except FileNotFoundError:
        return given
    except OSError:
        # It may be there and closed to this user: reading it says so.
        return path
    return path


def found_config(ctx: click.Context, option: click.Parameter, given: Path | None) -> Path:
    """The same of one that can't. A ClickException where nothing was named and none is installed."""
    path = config_if_any(ctx, option, given)
    if path is None:
        raise click.ClickException(f"{missing_words(installed_config())}: {missing_fix()}")
    return path
