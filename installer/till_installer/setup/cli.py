"""`tillside setup`: install, look at, mend and remove Tillside on this machine."""

import click


@click.group(help="Install, look at, mend and remove Tillside on this machine.")
def setup() -> None:
    """Nothing of its own to do."""
