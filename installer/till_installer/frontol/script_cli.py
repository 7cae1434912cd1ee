"""`tillside frontol script`: put the scenario into a till's Frontol, and see whether it can work."""

import click


@click.group(help="Put the scenario script into Frontol, show it, and check it.")
def script() -> None:
    """Nothing of its own to do."""
