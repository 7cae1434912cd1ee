"""`tillside bundle`: make, sign and check what tills are installed from."""

import click


@click.group(help="Make, sign and check the bundles that tills are installed from.")
def bundle() -> None:
    """Nothing of its own to do."""
