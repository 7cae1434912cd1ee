"""`tillside frontol report`: what Frontol's sales reports say, and what became of their documents."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from till_agent.cli.options import config_option, echo_json, json_option

if TYPE_CHECKING:
    from collections.abc import Callable

    from till_agent.frontol_files.store import Store

WHAT = {
    "unseen_sale": "sold with a card, and not in the journal; accept journals it",
    "unseen_return": "goods came back, and not in the journal; accept journals it where the sale is known",
    "return_without_sale": "goods came back, and the report does not say of which sale; correct points at the cloud",
    "return_unclear": "the goods that came back are not those of the sale; correct the points at the cloud",
    "cancelled_sold": "cancelled in Frontol, sold in the journal; accept voids the sale",
    "differs": "in the journal with other figures (report, journal); look; where both are there, void one",
    "points_spent": "paid by points that the journal does not know; accept journals what money paid, the chain "
    "takes the points",
    "card_unknown": "with a card that is none of the chain's",
    "several_members": "with cards of several members; register the sale at the cloud for one of them",
    "too_old": "older than a month; accept journals it all the same",
    "totals_differ": "its lines do not come to its total",
    "rows_refused": "some of its rows could not be read",
    "storno_unmatched": "something was taken back in it that was never registered",
    "too_many_lines": "more than 10,000 lines",
    "no_lines": "no line is left",
    "numbers_reused": "another document had its number: is Frontol's database a new one?",
    "refused": "the till refused it, for the reason in the last column",
    "counted_twice": "is in the journal twice: from the report or another way of Frontol's, and by itself; void one",
}
"""What each finding means, and what to do."""


@click.group(help="Hold Frontol's sales reports against the journal.")
def report() -> None:
    """Nothing of its own to do."""


@report.command(short_help="Read a sales report and say what is in it; nothing is changed.")
@json_option
@click.option(
    "--encoding",
    type=click.Choice(["cp1251", "cp866", "utf-8"]),
    default="cp1251",
    show_default=True,
    help="Of a report without a byte order mark.",
)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def check(as_json: bool, encoding: str, file: Path) -> None:
    """Read the sales report FILE and say what is in it, with the lines that can't be taken. Nothing is changed."""
    from till_agent.frontol_files.checking import check_report
    from till_agent.frontol_files.exceptions import FrontolFileError

    try:
        found = check_report(file, encoding)
    except FrontolFileError as exc:
        raise click.ClickException(f"{file}: {exc}") from exc
    if as_json:
        import msgspec

        echo_json(msgspec.to_builtins(found))
        return
    mark = "waits to be read" if found.mark == "#" else "was marked as read"
    click.echo(f"Report {found.report} of database {found.database}, {found.encoding}; it {mark}.")
    click.echo(
        f"Rows {found.rows}: {found.passed_by} not needed, {found.repeated} repeated, "
        f"{found.unknown} of unknown types, {found.refused} refused."
    )
    click.echo(
        f"Documents: {found.sales} sales ({found.with_card} with a card), {found.returns} returns, "
        f"{found.cancelled} cancelled, {found.other_documents} others, {found.still_open} not closed."
    )
    click.echo(f"Sold {_money(found.sold_minor)}, of which {_money(found.bonus_minor)} by points of the programme; "
               f"came back {_money(found.returned_minor)}.")  # fmt: skip
    for kind, count in found.unknown_types.items():
        click.echo(f"Unknown type {kind}: {count} rows.")
    for row in found.refused_rows:
        click.echo(f"Line {row.line}: {row.detail} ({row.code}).")
    if found.refused > len(found.refused_rows):
        click.echo(f"And {found.refused - len(found.refused_rows)} more.")


@report.command(short_help="Say how far each report was read, and what became of its documents.")
@config_option
@json_option
def status(config: Path, as_json: bool) -> None:
    """Say how far each report was read, and what became of its documents."""
    from till_agent.frontol_files.views import reports_of

    found = _ask_or_read(config, "/v1/frontol/reports", lambda store: reports_of(store, watching=False))
    if as_json:
        echo_json(found)
        return
    from till_agent.cli.words import moment, table
    from till_config import load

    totals = found["totals"]
    click.echo(
        f"Documents: {totals['matched']} in the journal, {totals['accrued']} journalled from reports, "
        f"{totals['found']} findings, {totals['waiting']} not judged yet, {totals['ignored']} of nobody."
    )
    rows = [("REPORT", "NUMBER", "STATE", "MARK", "READ", "ROWS", "DOCUMENTS", "REFUSED", "LAST READ")]
    for each in found["files"]:
        share = f"{each['read_bytes']} of {each['size_bytes']}"
        state = f"{each['state']}: {each['error']}" if each["error"] else each["state"]
        rows.append(
            (each["path"], each["report"], state, each["mark"], share, str(each["rows"]), str(each["documents"]),
             str(each["refused"]), moment(each["read_ms"]))
        )  # fmt: skip
    if len(rows) > 1:
        table(rows)
    elif load(config).frontol.reports:
        click.echo("None of the reports that [[frontol.reports]] names was there yet.")
    else:
        click.echo("No report is configured: name one in [[frontol.reports]], and start the agent again.")
    for each in found["files"]:
        for row in each["refused_rows"]:
            click.echo(f"{each['path']}, line {row['line']}: {row['detail']} ({row['code']})")


@report.command(short_help="List documents that the journal does not have, or has otherwise.")
@config_option
@json_option
@click.option("--all", "everything", is_flag=True, help="Also those that are over.")
@click.option("--limit", type=click.IntRange(1, 1000), default=100, show_default=True, help="At most as many.")
def findings(config: Path, as_json: bool, everything: bool, limit: int) -> None:
    """List documents that the journal does not have, or has otherwise, newest first."""
    from till_agent.frontol_files.views import findings_of

    which = "all" if everything else "open"
    found = _ask_or_read(
        config,
        f"/v1/frontol/findings?which={which}&limit={limit}",
        lambda store: findings_of(store, only_open=not everything, limit=limit),
    )
    if as_json:
        echo_json(found)
        return
    from till_agent.cli.words import table

    click.echo(f"{found['open']} wait for a decision.")
    rows = [("ID", "FINDING", "STATE", "DOCUMENT", "SOLD", "TOTAL", "POINTS", "DETAIL")]
    digits = _points_digits(config) if any(each["points"] for each in found["findings"]) else 0
    cells = [_cells(each, digits) for each in found["findings"]]
    if cells:
        table([*rows, *cells])
    for code in sorted({each["finding"] for each in found["findings"]}):
        click.echo(f"{code}: {WHAT.get(code, 'see the documentation')}")


def _cells(finding: dict[str, Any], digits: int | None) -> tuple[str, ...]:
    from till_agent.cli.words import points

    names = ("id", "finding", "state", "document", "local_time")
    total = _money(finding["total_minor"])
    journalled = f"{finding['points']} (smallest parts)" if digits is None else points(finding["points"], digits)
    return (*[str(finding[name]) for name in names], total, journalled, finding["detail"])


@report.command(short_help="Journal the documents of findings.")
@config_option
@click.argument("ids", type=click.IntRange(1), nargs=-1, required=True)
def accept(config: Path, ids: tuple[int, ...]) -> None:
    """Journal the documents of the findings IDS: each once, under its own uid."""
    _decide(config, ids, "accept")


@report.command(short_help="Close findings of which nothing is to be done.")
@config_option
@click.argument("ids", type=click.IntRange(1), nargs=-1, required=True)
def dismiss(config: Path, ids: tuple[int, ...]) -> None:
    """Close the findings IDS: a person has seen them, and nothing is to be done."""
    _decide(config, ids, "dismiss")


def _decide(config: Path, ids: tuple[int, ...], decision: str) -> None:
    from till_agent.cli.asking import ask_or_fail
    from till_agent.cli.words import points
    from till_config import load

    state_dir = Path(load(config).agent.state_dir)
    digits: int = ask_or_fail(state_dir, "GET", "/v1/page")["points_exponent"]
    for identity in ids:
        finding = ask_or_fail(state_dir, "POST", f"/v1/frontol/findings/{identity}/{decision}")["finding"]
        journalled = f", {points(finding['points'], digits)} points" if finding["points"] else ""
        why = f" ({finding['detail']})" if finding["state"] == "found" else ""
        click.echo(f"{identity}: {finding['state']}{why}{journalled}")


def _points_digits(config: Path) -> int | None:
    """Digits of a point after its point, as the running agent has them; None when none runs."""
    from till_agent.bridge.exceptions import AgentRefusedError, AgentUnreachableError
    from till_agent.cli.asking import ask
    from till_config import load

    try:
        return int(ask(Path(load(config).agent.state_dir), "GET", "/v1/page")["points_exponent"])
    except (AgentRefusedError, AgentUnreachableError):
        return None


def _ask_or_read(config: Path, path: str, read: "Callable[[Store], Any]") -> Any:
    """The running agent's answer; when none runs, what it has written down."""
    import msgspec

    from till_agent.bridge.exceptions import AgentRefusedError, AgentUnreachableError
    from till_agent.cli.asking import ask
    from till_agent.frontol_files.exceptions import FrontolFileError
    from till_agent.frontol_files.store import STORE_FILE, Store
    from till_config import load

    state_dir = Path(load(config).agent.state_dir)
    try:
        return ask(state_dir, "GET", path)
    except AgentRefusedError as exc:
        raise click.ClickException(str(exc)) from exc
    except AgentUnreachableError as down:
        if not (state_dir / STORE_FILE).exists():
            raise click.ClickException(f"{down}; no report was read here yet") from down
        try:
            store = Store(state_dir / STORE_FILE)
            try:
                found = msgspec.to_builtins(read(store))
            finally:
                store.close()
        except FrontolFileError as exc:
            raise click.ClickException(f"{down}; {exc}") from exc
        click.echo(f"{down}; read from what it has written down.", err=True)
        return found


def _money(minor: int) -> str:
    return f"{'-' if minor < 0 else ''}{abs(minor) // 100}.{abs(minor) % 100:02d}"
