"""`tillside doctor`: what is wrong with this till, and what to do about each."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from till_config.installed import CONFIG_VARIABLE, FINDING_HELP

if TYPE_CHECKING:
    from till_installer.doctor.findings import Report

CALLED_WRONGLY = 3
"""1 and 2 tell what was found; `click` would say 2."""


class WronglyCalled(click.UsageError):
    """Raised instead of click's own."""

    exit_code = CALLED_WRONGLY


class Doctor(click.Command):
    """A command whose exit status tells what was found, so that a wrong call has another one."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As usual, with another status of a wrong call."""
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as exc:
            raise WronglyCalled(exc.message, exc.ctx) from exc


def place_options(function: Any) -> Any:
    """`--config` and `--root`, as the doctor, `ready` and `support` have them."""
    config = click.option(
        "--config",
        type=click.Path(path_type=Path),
        envvar=CONFIG_VARIABLE,
        show_envvar=True,
        help=FINDING_HELP,
    )
    root = click.option(
        "--root",
        type=click.Path(path_type=Path, exists=True, file_okay=False),
        help="Folder that the installation is below, instead of the whole system.",
    )
    return config(root(function))


@click.command(cls=Doctor, short_help="Say what is wrong with this till, and mend what it safely can.")
@place_options
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
@click.option("--fix", is_flag=True, help="Do the repairs that are safe; each says what it did, none deletes data.")
@click.option("--only", metavar="CODE", multiple=True, help="Make this check only; may be given again.")
@click.option("--deep", is_flag=True, help="Read every row of the journal and hash every file: takes minutes.")
@click.option("--all", "show_all", is_flag=True, help="Show what is well, too.")
@click.option(
    "--frontol",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Folder of Frontol's scenario, to look at that as well.",
)
@click.option("--list", "list_only", is_flag=True, help="Name every check, and make none.")
@click.pass_context
def doctor(
    ctx: click.Context,
    config: Path | None,
    root: Path | None,
    as_json: bool,
    fix: bool,
    only: tuple[str, ...],
    deep: bool,
    show_all: bool,
    frontol: Path | None,
    list_only: bool,
) -> None:
    """Look this till over, within ten seconds, whether its agent runs or not.

    Exit status: 0 all well, 1 warnings, 2 errors, 3 the doctor itself failed or was called wrongly.
    """
    from till_installer.doctor.every import all_checks
    from till_installer.doctor.running import DEEP_TOTAL_S, TOTAL_S, examine, mend, report_of
    from till_installer.doctor.scene import Scene
    from till_installer.layout import this_layout

    checks = all_checks()
    if list_only:
        for each in checks:
            click.echo(f"{each.code:24} {each.severity:8} {each.title}")
        return
    unknown = sorted(set(only) - {each.code for each in checks})
    if unknown:
        known = ", ".join(each.code for each in checks)
        raise WronglyCalled(f"expected codes of checks ({known}), not {', '.join(unknown)}", ctx)
    chosen = tuple(each for each in checks if (not only or each.code in only) and (deep or not each.deep))
    scene = Scene(this_layout(root), config=config, system=root or Path("/"), deep=deep, frontol=frontol)
    begun = time.monotonic()
    told = examine(scene, chosen, total_s=DEEP_TOTAL_S if deep else TOTAL_S)
    if fix:
        scene, told = mend(scene, chosen, told)
    report = report_of(scene, told, time.monotonic() - begun)
    if as_json:
        import msgspec

        click.echo(msgspec.json.format(msgspec.json.encode(report), indent=2).decode())
    else:
        _show(report, show_all=show_all)
    ctx.exit(report.status)


def _show(report: "Report", *, show_all: bool) -> None:
    from till_installer.doctor.showing import show

    show(report, show_all=show_all)
