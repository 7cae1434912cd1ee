"""`tillside cloud wallet`: codes that members show from their phones."""

from pathlib import Path

import click

from till_cloud.cli.common import database_option, echo_json, now_ms, reading, time_text, writing


@click.group()
def wallet() -> None:
    """Codes that members show from their phones."""


@wallet.command("token")
@click.argument("reference", metavar="MEMBER")
@click.option("--hours", type=int, default=24, show_default=True, help="How long tills take it.")
@database_option
def wallet_token(reference: str, hours: int, db: Path) -> None:
    """Make a signed code of MEMBER (member id or tag), and print the text that tills take.

    Any program that makes QR codes can turn the text into one. It is good for one sale; a sale with a newer code makes
    it void. Tills check it without a line. The text names the member: print it nowhere that others read.
    """
    from till_cloud.wallet import token

    with writing(db) as writer:
        made, text = writer.call(lambda connection: token(connection, reference, hours=hours, now_ms=now_ms()))
    click.echo(f"{made.member_id}: number {made.counter} until {time_text(made.expires_at_s * 1000)}", err=True)
    click.echo(text)


@wallet.command("google")
@click.argument("card", metavar="CARD")
@database_option
def wallet_google(card: str, db: Path) -> None:
    """Print the rotatingBarcode of a Google Wallet object for the member with that CARD.

    By the active programme's [identifiers.rotating]. It holds the card's secret: give it to Google's API only.
    """
    from till_cloud.wallet import google

    with reading(db) as connection:
        echo_json({"rotatingBarcode": google(connection, card)})


@wallet.command("new-key")
@click.option("--only", is_flag=True, help="Make none; end the one before.")
@database_option
def wallet_new_key(db: Path, *, only: bool) -> None:
    """Begin a new secret for codes that change by the clock, after a till was stolen.

    Codes by the one before stay good, so that wallet objects can be renewed one by one (`wallet google`); with --only
    they end. Tills hear of it within ten minutes, or when the line comes back. So does the stolen one
    until its successor is enrolled.
    """
    from till_cloud.wallet import drop_former_keys, new_key

    with writing(db) as writer:
        if only:
            writer.call(drop_former_keys)
            click.echo("codes by the newest secret only are good")
            return
        count = writer.call(new_key)
    click.echo(f"secrets whose codes are good: {count}")
