"""`tillside upgrade`: put a verified bundle in place, go back, say how it stands, finish what was cut off."""

import click


@click.group()
def upgrade() -> None:
    """Change the version of a till, and go back."""
