"""The doctor's report for people: what is wrong first, each with its one fix."""

import shutil

import click

from till_installer.doctor.findings import Finding, Report

WIDTH_LIMIT = 110
_MARKS = {"good": "ok", "bad": "", "skipped": "-", "late": "late", "broken": "broken"}
_COLOURS = {
    "error": "red",
    "warning": "yellow",
    "ok": "green",
    "late": "yellow",
    "broken": "magenta",
    "-": "bright_black",
}


def show(report: Report, *, show_all: bool) -> None:
    """Findings, then one line that sums them up."""
    shown = [each for each in report.findings if show_all or each.state in ("bad", "late", "broken") or each.mended]
    for each in sorted(shown, key=_order):
        _show_one(each)
    click.echo(("\n" if shown else "") + summary(report))


def summary(report: Report) -> str:
    """In one line."""
    made = [each for each in report.findings if each.state != "skipped"]
    left = len(report.findings) - len(made)
    of_till = f" till {report.till}" if report.till else ""
    said = f"{len(made)} checks of{of_till or ' this till'} in {report.took_ms / 1000:.1f} s"
    said += f", {left} had nothing to look at" if left else ""
    broken = sum(each.state == "broken" for each in report.findings)
    if broken:
        return f"{said}. {broken} failed themselves: send this to support."
    if not report.errors and not report.warnings:
        return f"{said}. All is well."
    return f"{said}. Errors: {report.errors}, warnings: {report.warnings}."


def _order(finding: Finding) -> int:
    if finding.state == "broken":
        return 0
    if finding.state == "bad":
        return 1 if finding.severity == "error" else 2
    return {"late": 3, "good": 4, "skipped": 5}[finding.state]


def _show_one(finding: Finding) -> None:
    mark = _MARKS[finding.state] or finding.severity
    click.echo(f"{click.style(f'{mark:8}', fg=_COLOURS[mark], bold=True)} {finding.code}: {finding.title}")
    width = min(WIDTH_LIMIT, shutil.get_terminal_size((100, 24)).columns)
    for word, text in (("found", finding.found), ("fix", finding.fix), ("did", finding.mended)):
        if text:
            click.echo(wrapped(f"{word + ':':7}{printable(text)}", width))


def printable(text: str) -> str:
    """Words of devices and files, safe on a terminal."""
    return "".join(letter if letter.isprintable() else "·" for letter in text)


def wrapped(text: str, width: int) -> str:
    """Below the code, on as many lines as it needs."""
    return click.wrap_text(text, width, initial_indent=" " * 9, subsequent_indent=" " * 16)
