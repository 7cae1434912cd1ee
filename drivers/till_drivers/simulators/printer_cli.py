"""Commands that steer a simulated printer while it runs, and look at what came out of it."""

import json
from typing import Any

import click

from till_drivers.simulators.steering import steer

port_argument = click.argument("port", metavar="CONTROL_PORT", type=click.IntRange(1, 65_535))


@click.command()
@port_argument
@click.argument("behaviour", required=False)
@click.option("--dies-after", type=click.IntRange(0), default=0, metavar="BYTES", help="With the behaviour dies.")
@click.option(
    "--after-lines", type=click.IntRange(0), metavar="LINES", help="Be so when as many lines more have been printed."
)
def behave(port: int, behaviour: str | None, dies_after: int, after_lines: int | None) -> None:
    """Tell the simulated printer with that control port how to be; without a behaviour, say how it is.

    normal, slow, silent, deaf, near-end, paper-out, cover-open, cutter-error, jams, dies, unplugged, late; or several
    at once with + between: slow+near-end.
    """
    fields: dict[str, object] = {} if behaviour is None else {"as": behaviour, "after": dies_after}
    if behaviour is not None and after_lines is not None:
        fields["lines"] = after_lines
    found = steer(port, "printer", "behave" if fields else "status", **fields)
    click.echo(f"{found['behaviour']}, {found['slips']} slips, {found['received_bytes']} bytes received")


@click.command()
@port_argument
@click.option("--wait", type=click.IntRange(1), metavar="COUNT", help="Wait until so many slips have come out in all.")
@click.option("--has", metavar="TEXT", help="Wait for a slip with this text, and print only that one.")
@click.option("--seconds", type=click.FloatRange(min=0), default=10.0, show_default=True, help="For how long to wait.")
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
def slips(port: int, wait: int | None, has: str | None, seconds: float, as_json: bool) -> None:
    """List the slips of the simulated printer with that control port, oldest first. Exit status 3: not in time."""
    waiting: dict[str, object] = {"timeout_ms": round(seconds * 1000)}
    if has is not None:
        _show(steer(port, "printer", "wait", text=has, **waiting)["slip"], as_json=as_json)
        return
    if wait is not None:
        steer(port, "printer", "wait", slips=wait, **waiting)
    found = steer(port, "printer", "slips")["list"]
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False))
        return
    for each in found:
        click.echo(f"{each['number']:>6}  {each['lines']:>4} lines  {'torn  ' if each['torn'] else ''}{each['first']}")


@click.command()
@port_argument
@click.argument("number", type=click.IntRange(1), required=False)
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON, with the data of its QR codes and barcodes.")
@click.option("--png", is_flag=True, help="Draw it into the printer's folder, and say where.")
def slip(port: int, number: int | None, as_json: bool, png: bool) -> None:
    """Print a slip of the simulated printer with that control port as text, the last one by default."""
    which: dict[str, object] = {} if number is None else {"slip": number}
    if png:
        click.echo(steer(port, "printer", "render", **which)["path"])
        return
    _show(steer(port, "printer", "slip", **which)["slip"], as_json=as_json)


@click.command()
@port_argument
def reset(port: int) -> None:
    """Make the simulated printer normal and forget its slips, between two tests; files stay where they are."""
    steer(port, "printer", "reset")


def _show(slip: dict[str, Any], *, as_json: bool) -> None:
    click.echo(json.dumps(slip, ensure_ascii=False) if as_json else slip["text"], nl=as_json)
