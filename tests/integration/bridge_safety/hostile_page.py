"""Writes docs/reference/bridge-safety.md, whose name is its argument, from the table of hostile requests."""

import sys
from pathlib import Path

from integration.bridge_safety.hostile import Group, Row
from integration.bridge_safety.hostile_operations import GUARDED
from integration.bridge_safety.hostile_wire import TABLE

HEAD = """# What hostile requests get

<!-- Made from the tests' table by integration.bridge_safety.hostile_page; a test keeps it current. -->

{count} requests that a page, a program or a mistake may send, each sent over a socket to a real agent with a journal
by `tests/integration/bridge_safety`. After each, nothing has happened: no op, hold, print, registration, token or
event, and no operation that changes something was done. [Who may call](bridge.md#who-may-call) has the rules.

Besides these, each of the {operations} operations that need a token is asked for by another name, by foreign pages, by
nobody, by a stranger and by a program that lacks its scope, with the same outcome.
"""


def page() -> str:
    """The whole page."""
    return HEAD.format(count=sum(len(group.rows) for group in TABLE), operations=len(GUARDED)) + "".join(
        _section(group) for group in TABLE
    )


def _section(group: Group) -> str:
    rows = "".join(f"| {_cell(row.name)} | {_answer(row)} |\n" for row in group.rows)
    return f"\n## {group.title}\n{group.why}\n\n| request | answer |\n|---|---|\n{rows}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _answer(row: Row) -> str:
    if row.status == 0:
        return "cut off"
    if row.code == "replayed":
        return f"{row.status}, the first answer again"
    return f"{row.status} `{row.code}`" if row.code else f"{row.status}"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")
