"""`tillside clone`: carry a till to another machine."""

import click


@click.group(help="Move this till to another machine, with its queue, its settings and its tokens.")
def clone() -> None:
    """Nothing of its own to do."""
