"""`tillside audit`: whether the till's journal is as it was written, and what people have done to this till."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from till_agent.cli.options import config_option, echo_json, json_option

if TYPE_CHECKING:
    from till_agent.audit_trail import BadLine, Line
    from till_agent.journal.proving import Proof

BROKEN = 3
"""Exit status when a row or a line is not what was written."""
PROGRESS_ROWS = 50_000
"""A second or two of work."""


@click.group(help="Prove the till's journal row by row, and show what was done to this till.")
def audit() -> None:
    """Nothing of its own to do."""


@audit.command(short_help="Prove each row of the journal and each line of the audit log.")
@config_option
@json_option
@click.option("--file", "name", metavar="NAME", help="A journal that was put aside, in the state directory.")
def verify(config: Path, as_json: bool, name: str | None) -> None:
    """Check every row of the journal against the hash chain, whether an agent runs or not. Nothing is written.

    Names the first row that was changed, is missing or was moved, and rows that are gone from the end: up to where the
    cloud has acknowledged, the witness file says, or the last heartbeat told. In the audit log (`tillside audit list`),
    the first line that was changed, is missing or was moved.

    Exit status 0: all is as it was written. 3: it is not. 1: it could not be looked at.
    """
    from till_agent.bridge.exceptions import AgentUnreachableError
    from till_agent.cli.files import open_live_view, open_view
    from till_agent.exceptions import JournalCorrupt
    from till_agent.journal.proving import prove
    from till_agent.journal_told import told_beside
    from till_config import load

    state_dir = Path(load(config).agent.state_dir)
    # Before the journal is opened: an agent that sells meanwhile must not look like one that lost its last row.
    told = () if name else told_beside(state_dir)
    try:
        with open_view(state_dir, name) if name else open_live_view(state_dir) as view:
            total = sum(state.last_seq for state in view.epochs)
            proof = prove(view.reader, told, _Progress(total).more)
    except (AgentUnreachableError, JournalCorrupt) as exc:
        raise click.ClickException(str(exc)) from exc
    lines, bad_line = ([], None) if name else _audit_log(state_dir)
    whole = proof.first_bad is None and bad_line is None
    if as_json:
        import msgspec

        audit_log = {"lines": len(lines), "bad": msgspec.to_builtins(bad_line)}
        echo_json(msgspec.to_builtins(proof) | ({} if name else {"audit_log": audit_log}) | {"whole": whole})
    else:
        _show(proof)
        if bad_line is not None:
            _show_line(state_dir, bad_line)
        elif not name:
            click.echo(f"{len(lines)} lines of the audit log are as they were written")
    if not whole:
        raise SystemExit(BROKEN)


def _audit_log(state_dir: Path) -> "tuple[list[Line], BadLine | None]":
    from till_agent.audit_trail import AUDIT_FILE, read_both

    try:
        return read_both(state_dir)
    except OSError as exc:
        raise click.ClickException(f"expected to read {state_dir / AUDIT_FILE}: {exc.strerror}") from exc


def _show_line(state_dir: Path, bad: "BadLine") -> None:
    click.echo(f"Line {bad.line} of {state_dir / bad.file} is not what was written: {bad.detail}")


class _Progress:
    """Says on standard error how far it has come, every so many rows: a journal of years takes half a minute."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._rows = 0

    def more(self, rows: int) -> None:
        """So many more were looked at."""
        before, self._rows = self._rows, self._rows + rows
        if self._rows // PROGRESS_ROWS > before // PROGRESS_ROWS:
            click.echo(f"{self._rows} of {self._total} rows", err=True)


def _show(proof: "Proof") -> None:
    from till_agent.cli.words import moment

    bad = proof.first_bad
    if bad is None:
        click.echo(f"{proof.rows} rows of {proof.till} are as they were written; the last one is {proof.head}")
        click.echo(f"Its hash: {proof.head_hash or 'none yet'}")
        return
    made = f", made {moment(bad.at_wall_ms)}" if bad.at_wall_ms else ""
    click.echo(f"The first bad row is {bad.op} ({bad.why}){made}: {bad.detail}")
    click.echo(f"{proof.rows} rows before it are as they were written.")
    click.echo("Keep the file as it is (`tillside support` takes its figures), and tell the chain.")


@audit.command("list", short_help="Show what was done to this till.")
@config_option
@json_option
@click.option("--limit", type=click.IntRange(1, 100_000), default=100, show_default=True, help="At most as many.")
def list_(config: Path, as_json: bool, limit: int) -> None:
    """Show what people have done to this till, oldest first: tokens, enrolments, settings, upgrades, carried queues.

    Exit status 3 when a line of the audit log is not what was written.
    """
    from till_config import load

    state_dir = Path(load(config).agent.state_dir)
    lines, bad = _audit_log(state_dir)
    if as_json:
        import msgspec

        found = {"lines": lines[-limit:], "bad": bad}
        echo_json(msgspec.to_builtins(found))
    else:
        from till_agent.cli.words import moment, table

        rows = [("NUMBER", "WHEN", "WHAT", "ACCOUNT", "DETAILS")]
        for line in lines[-limit:]:
            facts = " ".join(f"{name}={value}" for name, value in line.facts.items())
            rows.append((str(line.seq), moment(line.at_ms), line.what, str(line.account), facts))
        if len(rows) > 1:
            table(rows)
        else:
            click.echo("Nothing was done to this till yet.")
        if bad is not None:
            _show_line(state_dir, bad)
    if bad is not None:
        raise SystemExit(BROKEN)
