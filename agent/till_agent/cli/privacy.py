"""`tillside privacy`: what this till holds of people, and for how long."""

import click


@click.group(help="See what this till holds of people, and let go of what is old.")
def privacy() -> None:
    """Nothing of its own to do."""
