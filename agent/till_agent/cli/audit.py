"""`tillside audit`: whether the till's journal is as it was written, and what people have done to this till."""

import click


@click.group(help="Prove the till's journal row by row, and show what was done to this till.")
def audit() -> None:
    """Nothing of its own to do."""
