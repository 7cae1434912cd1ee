"""`tillside frontol`: the scenario script, and the files that Frontol exchanges."""

import importlib

import click

MEMBERS = {
    "load": ("till_agent.cli.frontol_load", "load"),
    "report": ("till_agent.cli.frontol_report", "report"),
    "script": ("till_installer.frontol.script_cli", "script"),
}
"""Where each command is; imported when it is called, so that one costs nothing of the others."""


class FrontolGroup(click.Group):
    """A group whose commands live beside what they work with, in several packages."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of the commands that this installation has."""
        return sorted(name for name in MEMBERS if self.get_command(ctx, name) is not None)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, imported now; None for another name, and where its module is not installed."""
        del ctx
        if cmd_name not in MEMBERS:
            return None
        module, name = MEMBERS[cmd_name]
        try:
            found = importlib.import_module(module)
        except ModuleNotFoundError as error:
            if error.name == module:
                return None
            raise
        command = getattr(found, name, None)
        return command if isinstance(command, click.Command) else None


@click.group(
    cls=FrontolGroup,
    help="Connect Frontol: its scenario script, sales reports and load files.",
)
def frontol() -> None:
    """Nothing of its own to do."""
