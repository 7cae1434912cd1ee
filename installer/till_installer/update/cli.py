"""`tillside update`: what a till does to get new programs, and what a chain does to publish them."""

import importlib
import os

import click

MEMBERS = {
    "check": ("till_installer.update.till_cli", "check"),
    "fetch": ("till_installer.update.till_cli", "fetch"),
    "repo": ("till_installer.update.repo_cli", "repo"),
    "run": ("till_installer.update.till_cli", "run"),
    "status": ("till_installer.update.till_cli", "status"),
    "stick": ("till_installer.update.stick_cli", "stick"),
    "trust": ("till_installer.update.till_cli", "trust"),
}
"""Where each command is; imported when it is called, so that one costs nothing of the others."""


class UpdateGroup(click.Group):
    """A group whose commands are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of the commands."""
        del ctx
        return sorted(MEMBERS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, imported now; None for another name."""
        del ctx
        if cmd_name not in MEMBERS:
            return None
        module, name = MEMBERS[cmd_name]
        command = getattr(importlib.import_module(module), name)
        return command if isinstance(command, click.Command) else None


@click.group(cls=UpdateGroup, help="Get signed updates of the programs, from the cloud or from a USB stick.")
def update() -> None:
    """Whatever umask a hardened root has: the agent's user may read the programs, and browsers their policies."""
    os.umask(0o022)
