"""`tillside queue`: the till's operations, waiting or done."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from till_agent.cli.options import config_option, echo_json, json_option

if TYPE_CHECKING:
    from till_agent.cli.files import JournalView
    from till_agent.journal.aside import DamageReport

DO = {
    "parked": "the cloud could not take it, though it was well; it is kept here. Send `tillside queue show SEQ` to the "
    "chain, who correct the points (`tillside cloud member adjust`)",
    "poison": "the cloud's own code broke over it; the chain corrects the points (`tillside cloud member adjust`)",
} | dict.fromkeys(
    ("sale_repeated", "void_repeated", "return_repeated"),
    "the cloud has had this document already, from before the journal was replaced; nothing is to be done",
)
DO_ELSE = "nothing of it was counted; if it should have, the chain corrects it (`tillside cloud member adjust`)"
"""What to do about a rejected op, by the code of its verdict. No verdict ever changes, and nothing is sent again."""


@click.group(help="Look into the till's queue of operations.")
def queue() -> None:
    """Nothing of its own to do."""


@queue.command("list", short_help="List operations that wait for the cloud, the newest, or the rejected.")
@config_option
@json_option
@click.option("--newest", is_flag=True, help="The newest operations, whatever became of them.")
@click.option("--rejected", is_flag=True, help="Those that the cloud refused, also parked ones, newest first.")
@click.option("--limit", type=click.IntRange(1, 1000), default=100, show_default=True, help="At most as many.")
def list_(config: Path, as_json: bool, newest: bool, rejected: bool, limit: int) -> None:
    """List operations that wait for the cloud, oldest first; with --newest the newest of all, newest first."""
    if newest and rejected:
        raise click.UsageError("expected one of --newest and --rejected")
    from till_agent.cli.asking import ask_or_read
    from till_agent.core import JOURNAL_FILE
    from till_agent.journal.aside import reports_beside
    from till_config import load

    def read(view: "JournalView") -> dict[str, Any]:
        import msgspec

        ops = view.rejected(limit) if rejected else view.listed(waiting_only=not newest, limit=limit)
        return {"waiting": view.waiting, "ops": msgspec.to_builtins(ops)}

    which = "rejected" if rejected else "newest" if newest else "waiting"
    path = f"/v1/queue?which={which}&limit={limit}"
    state_dir = Path(load(config).agent.state_dir)
    found = ask_or_read(state_dir, path, read)
    if as_json:
        echo_json(found)
        return
    _show(found, which)
    for line in _left_there(reports_beside(state_dir / JOURNAL_FILE)):
        click.echo(line)


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


@queue.command(short_help="Show what in cashiers' receipts a person should look at.")
@config_option
@json_option
@click.option("--language", type=click.Choice(["ru", "kk", "ky", "uk", "en"]), default="en", help="Of the sentences.")
def flags(config: Path, as_json: bool, language: str) -> None:
    """Show what in cashiers' receipts of the last 20 days at this till a person should look at.

    A flag blocks nothing. It names a member's reference and the uids of receipts, never a name or a number.
    """
    from till_agent.cli.asking import ask_or_read
    from till_config import load

    def read(view: "JournalView") -> dict[str, Any]:
        import time

        import msgspec

        from till_agent.conduct import of_journal
        from till_agent.core import today_at

        today = today_at(view.time_zone, time.time_ns() // 1_000_000)
        found: dict[str, Any] = msgspec.to_builtins(of_journal(view.reader, today, language))
        return found

    found = ask_or_read(Path(load(config).agent.state_dir), f"/v1/flags?language={language}", read)
    echo_json(found) if as_json else _show_flags(found)


def _show_flags(found: dict[str, Any]) -> None:
    for flag in found["flags"]:
        words = "; ".join(each["text"] for each in flag["signals"])
        click.echo(f"cashier {flag['cashier']}, {flag['reference']}: {words}")
        click.echo(f"  {' '.join(flag['sales'])}")
    shown = len(found["flags"])
    more = f", of which {shown} are here" if shown < found["count"] else ""
    click.echo(f"{found['count']} flags in {found['days']} days{more}")


@queue.command(short_help="Look once more into a journal that was put aside.")
@config_option
@json_option
@click.argument("name")
def salvage(config: Path, as_json: bool, name: str) -> None:
    """Look once more into the journal NAME that was put aside, such as journal.db.damaged-20260301T101500Z.

    At its start the agent looks for some seconds only. What waited there and can be proven is journalled anew; what the
    journal has already stays as it is, so that the command may be used again. While an agent runs, the journal is in
    use: then it is done when the agent starts next.
    """
    import msgspec

    from till_agent.bridge.exceptions import AgentStartError
    from till_agent.cli.salvaging import salvage_again
    from till_agent.exceptions import AgentError
    from till_config import load
    from till_sync.exceptions import IdentityError

    try:
        report, done = salvage_again(Path(load(config).agent.state_dir), name)
    except (AgentError, AgentStartError, IdentityError, OSError, msgspec.DecodeError) as exc:
        raise click.ClickException(str(exc)) from exc
    if as_json:
        echo_json(msgspec.to_builtins(report))
    elif not done:
        click.echo("An agent is running: it looks into the file when it starts next.")
    elif report.salvage is not None:
        found = report.salvage
        click.echo(f"Sent on {found.sent_on}, journalled anew {found.anew}, known {found.known}, lost {found.lost}.")
        for line in _left_there([report]):
            click.echo(line)


@queue.command("carry-out", short_help="Write what waits to a file, for a store without a line.")
@config_option
@json_option
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path, exists=True, file_okay=False))
def carry_out(config: Path, as_json: bool, folder: Path) -> None:
    """Write all operations that wait for the cloud to a new file in DIR, sealed to the cloud's key and signed.

    The till sells meanwhile, and its queue stays as it is: the centre takes the file with `tillside cloud queue take`,
    and when the line is back it knows what it has already.
    """
    import msgspec

    from till_agent.audit_trail import note
    from till_agent.bridge.exceptions import AgentUnreachableError
    from till_agent.cli.files import open_view
    from till_agent.core import JOURNAL_FILE
    from till_agent.exceptions import AgentError
    from till_agent.journal.carrying_out import carry_out as write
    from till_agent.journal.carrying_out import copied
    from till_config import load
    from till_sync.exceptions import IdentityError
    from till_sync.identity import IDENTITY_FILE, load_identity

    state_dir = Path(load(config).agent.state_dir)
    try:
        identity = load_identity(state_dir / IDENTITY_FILE)
        with copied(state_dir / JOURNAL_FILE) as journal, open_view(state_dir, journal.name) as view:
            done = write(view.reader, view.epochs, identity, folder)
        if done.operations:
            note(state_dir, "queue_carried_out", operations=done.operations, file=Path(done.path).name)
    except (AgentError, AgentUnreachableError, IdentityError, OSError) as exc:
        raise click.ClickException(str(exc)) from exc
    if as_json:
        echo_json(msgspec.to_builtins(done))
    elif not done.operations:
        click.echo("Nothing waits for the cloud: there is nothing to carry.")
    else:
        click.echo(f"{done.path}: {done.operations} operations, {done.bytes / 1_000_000:.1f} MB")
        click.echo("At the centre: tillside cloud queue take FILE")


def _left_there(reports: "list[DamageReport]") -> list[str]:
    """Of each journal that was put aside as another till's, what waits in it for that one."""
    return [
        f"{each.moved_to}: {each.left_there} operations of till {each.till or '?'} are left there; keep the "
        "file: they can only be sent as that till's"
        for each in reports
        if each.left_there
    ]


def _show(found: dict[str, Any], which: str) -> None:
    from till_agent.cli.words import moment, table

    waiting = found["waiting"]
    click.echo("1 operation waits for the cloud." if waiting == 1 else f"{waiting} operations wait for the cloud.")
    _warn(waiting, found["ops"][0]["at_wall_ms"] if which == "waiting" and found["ops"] else 0)
    if which == "rejected" and not found["ops"]:
        click.echo("None was rejected or parked.")
    rows = [("OPERATION", "KIND", "DOCUMENT", "MADE", "BYTES", "STATE")]
    for op in found["ops"]:
        state = f"{op['status']} ({op['code']})" if op["code"] else op["status"]
        rows.append((op["op"], op["kind"], op["uid"], moment(op["at_wall_ms"]), str(op["bytes"]), state))
    if len(rows) > 1:
        table(rows)
    codes = {op["code"] for op in found["ops"] if op["status"] == "rejected"}
    for code in sorted(codes):
        click.echo(f"{code}: {DO.get(code, DO_ELSE)}")


def _warn(waiting: int, oldest_wall_ms: int) -> None:
    """Say when the queue is near its limits or past them, and what to do."""
    import time

    from till_agent.journal.figures import Figures

    now_ms = time.time_ns() // 1_000_000
    figures = Figures("", 0, 0, 0, waiting, oldest_wall_ms, 0, 0)
    level = figures.level(now_ms)
    if level != "ok":
        where = "past" if level == "over" else "near"
        click.echo(
            f"That is {where} the limit: {figures.waiting_text(now_ms)}. None is dropped and sales go on. "
            "Mend the line: `tillside sync status` says what is wrong with it."
        )
