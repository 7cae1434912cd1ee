"""`tillside queue`: the till's operations, waiting or done."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from till_agent.cli.options import config_option, echo_json, json_option

if TYPE_CHECKING:
    from till_agent.cli.files import JournalView


@click.group(help="Look into the till's queue of operations.")
def queue() -> None:
    """Nothing of its own to do."""


@queue.command("list", short_help="List operations that wait for the cloud, or the newest.")
@config_option
@json_option
@click.option("--newest", is_flag=True, help="The newest operations, whatever became of them.")
@click.option("--limit", type=click.IntRange(1, 1000), default=100, show_default=True, help="At most as many.")
def list_(config: Path, as_json: bool, newest: bool, limit: int) -> None:
    """List operations that wait for the cloud, oldest first; with --newest the newest of all, newest first."""
    from till_agent.cli.asking import ask_or_read
    from till_config import load

    def read(view: "JournalView") -> dict[str, Any]:
        import msgspec

        ops = view.listed(waiting_only=not newest, limit=limit)
        return {"waiting": view.waiting, "ops": msgspec.to_builtins(ops)}

    path = f"/v1/queue?which={'newest' if newest else 'waiting'}&limit={limit}"
    found = ask_or_read(Path(load(config).agent.state_dir), path, read)
    echo_json(found) if as_json else _show(found)


@queue.command(short_help="Show one operation with its body.")
@config_option
@click.argument("seq", type=click.IntRange(1, 10**12))
@click.option("--epoch", type=click.IntRange(1), help="Of an earlier journal; the present one when left out.")
def show(config: Path, seq: int, epoch: int | None) -> None:
    """Show operation SEQ with the body that the cloud gets, as JSON."""
    from till_agent.cli.asking import ask_or_read
    from till_config import load

    def read(view: "JournalView") -> dict[str, Any] | None:
        import msgspec

        found = view.one(seq, epoch)
        return None if found is None else {"op": msgspec.to_builtins(found[0]), "body": msgspec.Raw(found[1])}

    path = f"/v1/queue/{seq}" + (f"?epoch={epoch}" if epoch else "")
    found = ask_or_read(Path(load(config).agent.state_dir), path, read)
    if found is None:
        raise click.ClickException(f"expected the number of an operation of this till, not {seq}")
    echo_json(found)


def _show(found: dict[str, Any]) -> None:
    from till_agent.cli.words import moment, table

    waiting = found["waiting"]
    click.echo("1 operation waits for the cloud." if waiting == 1 else f"{waiting} operations wait for the cloud.")
    rows = [("OPERATION", "KIND", "DOCUMENT", "MADE", "BYTES", "STATE")]
    for op in found["ops"]:
        state = f"{op['status']} ({op['code']})" if op["code"] else op["status"]
        rows.append((op["op"], op["kind"], op["uid"], moment(op["at_wall_ms"]), str(op["bytes"]), state))
    if len(rows) > 1:
        table(rows)
