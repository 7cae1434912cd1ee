"""`tillside slip`: how slips look."""

from pathlib import Path

import click

LANGUAGES = ("ru", "kk", "ky", "uk", "en")


@click.group(help="Preview slips.")
def slip() -> None:
    """Nothing of its own to do."""


@slip.command(short_help="Show a sample slip as text or picture.")
@click.option("--lang", type=click.Choice(LANGUAGES), default="ru", show_default=True, help="Language of the slip.")
@click.option(
    "--columns", type=click.IntRange(16, 80), default=48, show_default=True, help="Letters on a line: 48 or 32."
)
@click.option("--png", type=click.Path(path_type=Path), help="Write a picture, as a printer would print it.")
@click.option("--template", type=click.Path(path_type=Path), help="Template to use instead of the packaged one.")
def preview(lang: str, columns: int, png: Path | None, template: Path | None) -> None:
    """Show the slip of a sample sale in a language, at a width, from a template."""
    from till_agent.cli.sample import sample_blocks
    from till_agent.exceptions import AgentError
    from till_drivers.exceptions import DriverError

    try:
        blocks = sample_blocks(lang, str(template) if template is not None else "")
        if png is None:
            from till_agent.slips.preview import preview_text

            click.echo(preview_text(blocks, columns), nl=False)
            return
        from till_drivers.preview import to_png
        from till_drivers.printers.profile import PROFILE_58MM, PROFILE_80MM

        to_png(blocks, PROFILE_80MM if columns > PROFILE_58MM.columns else PROFILE_58MM, png)
    except (AgentError, DriverError) as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        raise click.ClickException(f"expected to write {png}: {error.strerror}") from error
    click.echo(str(png))
