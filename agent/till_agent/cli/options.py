"""Options that the agent's commands share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from till_config.installed import CONFIG_VARIABLE, FINDING_HELP, found_config

F = TypeVar("F", bound=Callable[..., Any])


def config_option(function: F) -> F:
    """`--config FILE`, or the variable TILLSIDE_CONFIG, or the installed till's."""
    option = click.option(
        "--config",
        "config",
        type=click.Path(path_type=Path),
        envvar=CONFIG_VARIABLE,
        show_envvar=True,
        callback=found_config,
        help=FINDING_HELP,
    )
    return option(function)


def json_option(function: F) -> F:
    """`--json`: the answer for programs."""
    return click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")(function)


def echo_json(value: object) -> None:
    """One JSON document on standard output."""
    import msgspec

    click.echo(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())
