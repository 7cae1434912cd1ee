"""`tillside cloud member coupon`, `segment`, `tier`, `confirm` and `pin`: what staff do to a member by hand."""

from pathlib import Path

import click

from till_cloud.cli.common import database_option, now_ms, told, writing


@click.group()
def coupon() -> None:
    """Coupons that members hold."""


@coupon.command("give")
@click.argument("reference", metavar="MEMBER")
@click.argument("coupon_id", metavar="COUPON")
@database_option
def coupon_give(reference: str, coupon_id: str, db: Path) -> None:
    """Give MEMBER (member id or tag) the COUPON of the programme, by its id."""
    from till_cloud.staff import give_coupon

    with writing(db) as writer:
        given = writer.call(lambda connection: give_coupon(connection, reference, coupon_id, now_ms()))
    click.echo(f"{reference} {'holds' if given else 'held already'} {coupon_id}")


@click.group()
def segment() -> None:
    """Segments that rules may name."""


@segment.command("add")
@click.argument("reference", metavar="MEMBER")
@click.argument("name", metavar="SEGMENT")
@database_option
def segment_add(reference: str, name: str, db: Path) -> None:
    """Put MEMBER (member id or tag) into SEGMENT."""
    _change(reference, name, db, member=True)


@segment.command("remove")
@click.argument("reference", metavar="MEMBER")
@click.argument("name", metavar="SEGMENT")
@database_option
def segment_remove(reference: str, name: str, db: Path) -> None:
    """Take MEMBER (member id or tag) out of SEGMENT."""
    _change(reference, name, db, member=False)


def _change(reference: str, name: str, db: Path, *, member: bool) -> None:
    from till_cloud.staff import change_segment

    with writing(db) as writer:
        changed = writer.call(lambda connection: change_segment(connection, reference, name, now_ms(), member=member))
    click.echo(f"{reference} {'is' if changed else 'was already'} {'in' if member else 'out of'} {name}")


@click.command()
@click.argument("reference", metavar="MEMBER")
@click.argument("tier_id", metavar="TIER")
@database_option
def tier(reference: str, tier_id: str, db: Path) -> None:
    """Move MEMBER (member id or tag) to TIER by hand. Spending moves them on, unless the tier is given by hand only."""
    from till_cloud.staff import set_tier

    with writing(db) as writer:
        changed = writer.call(lambda connection: set_tier(connection, reference, tier_id, now_ms()))
    click.echo(f"{reference} {'is' if changed else 'was already'} in {tier_id}")


@click.command()
@click.argument("reference", metavar="MEMBER")
@database_option
def confirm(reference: str, db: Path) -> None:
    """Confirm that a registered MEMBER (member id or tag) is who they say, where no one-time code could be sent.

    They may spend from now on, and get what the programme gives for registering, once.
    """
    from till_cloud.staff import confirm as confirm_member

    with writing(db) as writer:
        given = writer.call(lambda connection: confirm_member(connection, reference, now_ms()))
    if given is None:
        click.echo(f"{reference} was active already")
    else:
        click.echo(f"{reference} is active now" + (f", and got {given} (smallest parts of a point)" if given else ""))


@click.command()
@click.argument("reference", metavar="MEMBER")
@click.option("--unlock", is_flag=True, help="Give the PIN all its tries again, at once.")
@click.option("--remove", is_flag=True, help="Take the PIN away.")
@database_option
def pin(reference: str, db: Path, *, unlock: bool, remove: bool) -> None:
    """Set the PIN of MEMBER (member id or tag), by which they prove who they are when they spend much.

    It is asked for twice, without showing: let the member key it. Five wrong tries lock it for 24 hours.
    """
    if unlock and remove:
        raise click.UsageError("expected --unlock or --remove, not both")
    if unlock or remove:
        click.echo(_unlocked(reference, db) if unlock else _removed(reference, db))
        return
    from till_cloud.pins import new_pin
    from till_cloud.staff import set_pin

    with told():
        chosen = new_pin(click.prompt("PIN", hide_input=True, confirmation_prompt=True))
    with writing(db) as writer:
        writer.call(lambda connection: set_pin(connection, reference, chosen, now_ms()))
    click.echo(f"{reference} has a new PIN")


def _unlocked(reference: str, db: Path) -> str:
    from till_cloud.staff import unlock_pin

    with writing(db) as writer:
        was = writer.call(lambda connection: unlock_pin(connection, reference, now_ms()))
    return f"{reference}: the PIN {'is' if was else 'was'} not locked{' any more' if was else ''}"


def _removed(reference: str, db: Path) -> str:
    from till_cloud.staff import remove_pin

    with writing(db) as writer:
        was = writer.call(lambda connection: remove_pin(connection, reference, now_ms()))
    return f"{reference} {'has no PIN any more' if was else 'had no PIN'}"
