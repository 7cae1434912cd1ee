"""How a line that was typed into `tillside pos` is carried out."""

from typing import Any

from msgspec import Struct

from till_agent.cli import pos_selling, pos_shift
from till_agent.cli.pos_commands import COMMANDS, Quitting
from till_agent.cli.pos_parsing import NotUnderstoodError, split_words
from till_agent.cli.pos_session import Session
from till_agent.client import ClientError, RefusedError

MODULES = (pos_selling, pos_shift)
"""Both put their commands into the table when they are imported."""


class Outcome(Struct, frozen=True, kw_only=True):
    """How a typed line went. `command` is "" for an empty one; `stop`: it was `quit`."""

    command: str
    ok: bool = True
    answer: Any = None
    error: dict[str, Any] | None = None
    words: str = ""
    """What was wrong, in a sentence."""
    stop: bool = False


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
