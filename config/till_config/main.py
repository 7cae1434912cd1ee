"""The root of the `tillside` command.

Each package brings a command group through the entry points `tillside.commands`. A group is imported when it is called,
never for the list of groups, so that `tillside config check` doesn't pay for the web server or the printers.
"""

import errno
import importlib.metadata
import sys
from importlib.metadata import EntryPoint
from typing import Any

import click

from till_config.exceptions import ConfigError

COMMANDS_GROUP = "tillside.commands"
STATUS_INTERRUPTED = 130
"""What shells give to a command that ended by Ctrl-C: 128 and the signal's number."""

# One line for each of our own groups, so that `tillside --help` imports none of them.
SHORT_HELP = {
    "agent": "Run the agent of a till.",
    "audit": "Check the journal's chain, and name the first bad row.",
    "bundle": "Look into a bundle of Tillside, and check its signature.",
    "clone": "Move a till to another machine.",
    "cloud": "Run the chain's cloud and manage members, programmes and tills.",
    "config": "Check, show, explain and apply a till's configuration.",
    "demo": "Replay a real store day, with the line cut in the middle.",
    "devices": "List scanners and printers that are plugged in.",
    "doctor": "Look for what is wrong with this till, and how to mend it.",
    "frontol": "Connect Frontol: its scenario script, sales reports and load files.",
    "page": "Open the agent's own pages in a browser.",
    "pos": "Ring up receipts against the running agent, as cash software does.",
    "privacy": "Erase, and keep no longer than needed, what speaks of members.",
    "programme": "Check a loyalty programme and try it on receipts.",
    "queue": "Look into the till's queue of operations.",
    "ready": "Say whether tomorrow's sale will work, on paper too.",
    "setup": "Install, repair and remove Tillside on this machine.",
    "simulate": "Run a simulated scanner or printer.",
    "slip": "Preview and print slips.",
    "support": "Collect what support needs, and nothing personal.",
    "sync": "Show or start the exchange with the cloud.",
    "update": "Take updates of the programs, from the cloud or a stick.",
    "upgrade": "Switch to another version, and back.",
}


class LazyGroup(click.Group):
    """A click group whose members are entry points, loaded one at a time."""

    def __init__(self, *, entry_point_group: str, **attrs: object) -> None:
        super().__init__(**attrs)  # type: ignore[arg-type]  # click's own constructor names them; nothing is added here
        self._entry_point_group = entry_point_group
        self._found: dict[str, EntryPoint] | None = None

    def _entry_points(self) -> dict[str, EntryPoint]:
        if self._found is None:
            points = importlib.metadata.entry_points(group=self._entry_point_group)
            self._found = {point.name: point for point in points}
        return self._found

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of all groups, sorted; loads nothing."""
        del ctx
        return sorted(self._entry_points())

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The group of that name, imported now; None when there is no such name."""
        del ctx
        point = self._entry_points().get(cmd_name)
        if point is None:
            return None
        try:
            command = point.load()
        except (ImportError, AttributeError) as error:
            raise click.ClickException(
                f"the commands of {cmd_name!r} can't be loaded from {point.value}: {error}; install Tillside again"
            ) from error
        if not isinstance(command, click.Command):
            raise click.ClickException(f"expected a click command at {point.value}, not {type(command).__name__}")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of groups from `SHORT_HELP`, without loading them."""
        rows = [(name, SHORT_HELP.get(name, "")) for name in self.list_commands(ctx)]
        if rows:
            with formatter.section("Commands"):
                formatter.write_dl(rows)

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """As click's; Ctrl-C while the words are being read ends as it does later, not with click's own status 1."""
        try:
            return super().make_context(info_name, args, parent, **extra)
        except KeyboardInterrupt:
            click.echo("\nStopped.", err=True)
            sys.exit(STATUS_INTERRUPTED)

    def invoke(self, ctx: click.Context) -> object:
        """Run the command; an unusable configuration ends any of them with its list of problems and status 1.

        Ctrl-C ends with 130 whatever has no ending of its own, also while it is still being loaded.
        """
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            click.echo("\nStopped.", err=True)
            ctx.exit(STATUS_INTERRUPTED)
        except ConfigError as error:
            raise click.ClickException(f"the configuration can't be used:\n{error}") from error
        except OSError as error:
            # Whatever was pasted in a file's place. Other errors of the system are said where they are met.
            if error.errno != errno.ENAMETOOLONG:
                raise
            raise click.ClickException(
                f"expected the name of a file, not {len(str(error.filename))} characters: {str(error.filename)[:40]}..."
            ) from error


@click.group(
    cls=LazyGroup,
    entry_point_group=COMMANDS_GROUP,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Tillside: offline-first loyalty agent for store tills.",
)
@click.version_option(package_name="tillside", prog_name="tillside", message="%(prog)s %(version)s")
def main() -> None:
    """Nothing of its own to do: the groups do the work."""
