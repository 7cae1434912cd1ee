"""Running `tillside pos`: a prompt on a terminal, or a script; beside it threads for events and what waits."""

import contextlib
import sys
import threading
from collections.abc import Iterable, Iterator
from typing import Self

import click

from till_agent.cli.pos_carrying import Outcome, carry_out
from till_agent.cli.pos_commands import COMMANDS
from till_agent.cli.pos_session import Session
from till_agent.client import ClientError, EventStream

try:
    import readline
except ImportError:  # Windows has none: its console edits lines by itself
    readline = None  # type: ignore[assignment]  # told apart where it is used

TEND_S = 1.0
"""Pause between two looks for an agent that is away."""
STATUS_FAILED = 1
STATUS_UNSENT = 3
JOIN_S = 5.0
EXPECTED_TO_FAIL = "!"


class Beside:
    """Hears events, and looks after an agent that is away; tells the person between two keystrokes."""

    def __init__(self, session: Session, *, interactive: bool) -> None:
        self._session = session
        self._interactive = interactive
        self._stopped = threading.Event()
        self._stream: EventStream = session.till.events()
        threads = [self._listen, self._tend] if interactive else [self._listen]
        self._threads = [threading.Thread(target=each, daemon=True) for each in threads]
        self.prompt = ""

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._stream.close()
        for thread in self._threads:
            thread.join(JOIN_S)

    def _listen(self) -> None:
        try:
            for event in self._stream:
                text = self._session.hear(event)
                if text:
                    self.tell(text)
        except ClientError as exc:
            self.tell(f"no events: {exc.detail}")

    def _tend(self) -> None:
        """Find an agent that came back, and send it what waits."""
        while not self._stopped.wait(TEND_S):
            session = self._session
            with session.lock:
                was = session.prompt
                with contextlib.suppress(ClientError):
                    if not session.reached:
                        session.look_around()
                    session.send_unsent()
                changed = session.prompt != was
            if changed and self.prompt:
                self.tell("")

    def tell(self, text: str) -> None:
        """A line above what is being typed, which stays as it is."""
        screen = self._session.screen
        if not self._interactive or screen.as_json or not self.prompt:
            screen.say(text)
            return
        sys.stdout.write("\r\x1b[K")
        if text:
            screen.say(text)
        self.prompt = self._session.prompt
        sys.stdout.write(self.prompt + (readline.get_line_buffer() if readline is not None else ""))
        sys.stdout.flush()


def interactive(session: Session) -> int:
    """Until `quit` or Ctrl-D; Ctrl-C gives up the line that is being typed. The exit status."""
    if readline is not None:
        # The history stays in memory: on the disk it would keep the cards and phones that were keyed.
        readline.set_completer(_completed)
        readline.parse_and_bind("tab: complete")
    with Beside(session, interactive=True) as beside:
        while True:
            try:
                beside.prompt = session.prompt
                text = input(beside.prompt)
            except KeyboardInterrupt:
                click.echo()
                continue
            except EOFError:
                click.echo()
                break
            finally:
                beside.prompt = ""
            try:
                if _shown(session, text, 0).stop:
                    break
            except KeyboardInterrupt:
                click.echo("\nStopped.", err=True)
    return _end(session)


def scripted(session: Session, lines: Iterable[str], *, keep_going: bool) -> int:
    """Line after line, until one can't be done. `!` before a command: it must be refused. The exit status."""
    failed = 0
    with Beside(session, interactive=False):
        for number, raw in enumerate(lines, 1):
            text = raw.strip()
            must_fail = text.startswith(EXPECTED_TO_FAIL)
            text = text.removeprefix(EXPECTED_TO_FAIL)
            if session.unsent.waiting:
                with contextlib.suppress(ClientError):
                    session.ask(session.till.livez)
                    session.send_unsent()
            if text and not text.startswith("#"):
                session.screen.say(f"{session.prompt}{text}")
            outcome = _shown(session, text, number)
            if outcome.stop:
                break
            if outcome.ok == must_fail and outcome.command:
                failed += 1
                why = "expected a refusal, and it was done" if must_fail else outcome.words
                click.echo(f"line {number}: {outcome.command}: {why}", err=True)
                if not keep_going:
                    break
    return _end(session) or (STATUS_FAILED if failed else 0)


def _shown(session: Session, text: str, number: int) -> Outcome:
    outcome = carry_out(session, text)
    if session.screen.as_json and outcome.command and not outcome.stop:
        more = {"line": number} if number else {}
        told = {"answer": outcome.answer} if outcome.ok else {"error": outcome.error}
        session.screen.json(command=outcome.command, ok=outcome.ok, **more, **told)
    return outcome


def _end(session: Session) -> int:
    """Send what waits, once more; what is left is told."""
    with contextlib.suppress(ClientError):
        session.send_unsent()
    left = session.unsent.waiting
    if left:
        click.echo(f"{len(left)} documents were not sent: {', '.join(each.uid for each in left[:10])}", err=True)
    return STATUS_UNSENT if left else 0


def _completed(text: str, index: int) -> str | None:
    found: Iterator[str] = (f"{name} " for name in COMMANDS if name.startswith(text))
    return next((each for at, each in enumerate(found) if at == index), None)
