"""The figures as tables between two markers of docs/explanation/performance.md; the prose around them is by hand."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

BEGIN = "<!-- figures: written by `make bench ARGS=--write`, not by hand -->"
END = "<!-- figures: end -->"

Row = dict[str, Any]

CALLS_HEAD = ("call", "connection", "p50", "p95", "p99", "of the echo")
AIMS_HEAD = ("aim", "wanted", "found", "reached")
PLAIN_HEAD = ("figure", "value")


def render(rows: Sequence[Row], summary: Row) -> str:
    """Markdown of all tables."""
    calls = [
        (
            row["call"],
            row["connection"] or "-",
            _time(row["p50_us"]),
            _time(row["p95_us"]),
            _time(row["p99_us"]),
            f"{row['echo_ratio']:.1f} x" if row.get("echo_ratio") else "-",
        )
        for row in rows
        if row["figure"] == "call"
    ]
    aims = [(aim["aim"], aim["wanted"], aim["found"], "yes" if aim["reached"] else "no") for aim in summary["aims"]]
    plain = [(row["name"], f"{row['value']:,} {row['unit']}".strip()) for row in rows if row["figure"] == "plain"]
    parts = (head_of(summary), table(AIMS_HEAD, aims), table(CALLS_HEAD, calls), table(PLAIN_HEAD, plain))
    return "\n\n".join([*parts, *_tables(rows)])


def head_of(summary: Row) -> str:
    """On what, of which commits, and how busy the machine was."""
    machine, parts = summary["machine"], summary["parts"]
    commits = ", ".join(dict.fromkeys(part["commit"] for part in parts if part["commit"])) or "no commit known"
    loads = [part[name] for part in parts for name in ("load_before", "load_after")] or [0]
    return (
        f"{machine['cores']} cores, Python {machine['python']}, SQLite {machine['sqlite']}; measured at {commits}, "
        f"in {summary['seconds']:,} s. Load of the machine between parts, our own included: {min(loads)} to "
        f"{max(loads)}."
    )


def _tables(rows: Sequence[Row]) -> list[str]:
    """Tables that parts bring themselves, each under its name."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        if row["figure"] == "cells":
            found.setdefault(row["table"], []).append(row)
    return [
        f"**{name[:1].upper()}{name[1:]}**\n\n" + table(own[0]["head"], [row["row"] for row in own])
        for name, own in found.items()
    ]


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines)


def write(path: Path, text: str) -> None:
    """Replace what stands between the markers. ValueError when the page has not exactly one pair of them."""
    page = path.read_text(encoding="utf-8")
    if page.count(BEGIN) != 1 or page.count(END) != 1 or page.index(BEGIN) > page.index(END):
        raise ValueError(f"expected {BEGIN!r} and {END!r} once each in {path.name}")
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    path.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", encoding="utf-8")


def _time(micros: float) -> str:
    return f"{micros / 1000:.2f} ms"
