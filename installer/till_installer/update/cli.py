"""`tillside update`: what a till does to get new programs, and what a chain does to publish them."""

import click


@click.group()
def update() -> None:
    """Get signed updates of the programs, from the cloud or from a USB stick."""
