"""The table of the commands of `tillside pos`; modules that have some put them in."""

from collections.abc import Callable
from typing import Any

from msgspec import Struct

from till_agent.cli.pos_parsing import NotUnderstoodError, read_line
from till_agent.cli.pos_session import Session

Run = Callable[[Session, list[str]], Any]


class Command(Struct, frozen=True):
    """`run` shows what it did and gives it back for `--json`. NotUnderstoodError, ClientError."""

    name: str
    usage: str
    help: str
    run: Run


COMMANDS: dict[str, Command] = {}
"""In the order of `help`."""


def command(usage: str, about: str) -> Callable[[Run], Run]:
    """Put a function into the table under the first word of `usage`."""

    def put(run: Run) -> Run:
        name = usage.partition(" ")[0]
        COMMANDS[name] = Command(name, usage, about, run)
        return run

    return put


class Quitting(Exception):  # noqa: N818 - no error: the word was `quit`
    """Raised by the command that ends the shift."""


@command("add [QUANTITYx] NAME PRICE|=TOTAL [sku=...]", "A line; `add` may be left out: 3x milk 89.90")
def _add(session: Session, words: list[str]) -> Any:
    receipt = session.open
    line = read_line(words, receipt.next_line(), session.units)
    receipt.lines.append(line)
    receipt.changed()
    session.screen.say(f"  {line.number}. {line.name}  {session.units.money(line.amount_minor)}")
    return line


@command("help [COMMAND]", "The commands, or one of them")
def _help(session: Session, words: list[str]) -> Any:
    if words and words[0] not in COMMANDS:
        raise NotUnderstoodError(f"expected one of {', '.join(COMMANDS)}, not {words[0]!r}")
    found = [each for each in COMMANDS.values() if not words or each.name == words[0]]
    session.screen.rows(("command", "does"), [(each.usage, each.help) for each in found])
    return [{"usage": each.usage, "help": each.help} for each in found]


@command("quit", "End; Ctrl-D does the same")
def _quit(_session: Session, _words: list[str]) -> Any:
    raise Quitting


def number_of(text: str, what: str) -> int:
    """A whole number from 1 on. NotUnderstoodError."""
    if not text.isdecimal() or not 0 < int(text) < 10**6:
        raise NotUnderstoodError(f"expected {what}, not {text!r}")
    return int(text)


def one(words: list[str], what: str) -> str:
    """The only word. NotUnderstoodError."""
    if len(words) != 1:
        raise NotUnderstoodError(f"expected {what}")
    return words[0]
