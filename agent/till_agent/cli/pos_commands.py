"""The commands of `tillside pos`: a table of them, and how a typed line is carried out."""

from collections.abc import Callable
from typing import Any

from msgspec import Struct

from till_agent.cli.pos_parsing import NotUnderstoodError, read_line, split_words
from till_agent.cli.pos_session import Session
from till_agent.client import ClientError, RefusedError

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


class Outcome(Struct, frozen=True, kw_only=True):
    """How a typed line went. `command` is "" for an empty one; `stop`: it was `quit`."""

    command: str
    ok: bool = True
    answer: Any = None
    error: dict[str, Any] | None = None
    words: str = ""
    """What was wrong, in a sentence."""
    stop: bool = False


class Quitting(Exception):  # noqa: N818 - no error: the word was `quit`
    """Raised by the command that ends the shift."""


def carry_out(session: Session, text: str) -> Outcome:
    """Carry out one typed line; what can't be done is told and given back, never raised."""
    name = ""
    try:
        words = split_words(text)
        if not words:
            return Outcome(command="")
        name = words[0] if words[0] in COMMANDS else "add"
        with session.lock:
            answer = COMMANDS[name].run(session, words[1:] if words[0] in COMMANDS else words)
    except Quitting:
        return Outcome(command=name, stop=True)
    except (NotUnderstoodError, ValueError, OSError) as exc:
        # ValueError: a word that can't be sent; OSError: the file of `--keep` can't be written.
        session.screen.say(f"  {exc}", "red")
        return Outcome(command=name, ok=False, error={"code": "not_understood", "detail": str(exc)}, words=str(exc))
    except ClientError as exc:
        session.screen.problem(exc)
        return Outcome(command=name, ok=False, error=told(exc), words=f"{exc.code}: {exc.detail}")
    return Outcome(command=name, answer=answer)


def told(error: ClientError) -> dict[str, Any]:
    """An error for programs: all that the agent said, or what is known without its answer."""
    if isinstance(error, RefusedError):
        return {**error.extras, "lost": error.lost}
    return {"code": error.code, "detail": error.detail, "retryable": error.retryable, "lost": error.lost}


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
