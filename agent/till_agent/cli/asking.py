"""Asking the running agent: its bridge by the port it wrote down, as the client `admin`."""

import http.client
import socket
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from till_agent.bridge.exceptions import AgentRefusedError, AgentStartError, AgentUnreachableError, TokenError
from till_agent.bridge.tokens import read_token
from till_agent.exceptions import JournalCorrupt
from till_agent.instance import RUNNING_FILE, Running, is_running

if TYPE_CHECKING:
    from till_agent.cli.files import JournalView

CLIENT = "admin"
NO_CONTENT = 204
TIMEOUT_S = 15.0
"""The longest answer is that of `sync now`, which gives up after 10 s."""
ANSWER_LIMIT_BYTES = 16 * 1024 * 1024
"""An op with 10,000 lines takes 4 MB; nothing that we ask for is larger than this."""


def ask(state_dir: Path, method: str, path: str, body: object = None, *, token: str | None = None) -> Any:
    """The JSON that the agent of `state_dir` answers with; None for one without a body.

    `token`: instead of the one of CLIENT's file.


    AgentUnreachableError says in one line why there is none (not running, no token); AgentRefusedError is the agent's
    own word.
    """
    port = running_port(state_dir)
    try:
        token = token or read_token(state_dir, CLIENT)
    except TokenError as exc:
        raise AgentUnreachableError(f"{exc}; run the command as the agent's user") from exc
    if token is None:
        raise AgentUnreachableError(f"no token of the client {CLIENT!r} in {state_dir}: is it in bridge.clients?")
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
    try:
        headers = {"Authorization": f"Bearer {token}", "X-Tillside-Client": "tillside-cli"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        data = msgspec.json.encode(body) if body is not None else None
        connection.request(method, path, body=data, headers=headers)
        answer = connection.getresponse()
        answered = answer.read(ANSWER_LIMIT_BYTES)
    except (OSError, http.client.HTTPException) as exc:
        reason = "it does not answer in time" if isinstance(exc, socket.timeout) else str(exc)
        raise AgentUnreachableError(f"the agent on port {port} can't be asked: {reason}") from exc
    finally:
        connection.close()
    try:
        found = None if answer.status == NO_CONTENT else msgspec.json.decode(answered)
    except msgspec.DecodeError as exc:
        raise AgentUnreachableError(f"what answers on port {port} is not the agent") from exc
    if answer.status >= 400:
        raise AgentRefusedError(f"the agent refused ({answer.status}): {_reason(found)}")

    return found


def _reason(found: Any) -> str:
    return str(found.get("detail", "no reason given")) if isinstance(found, dict) else "no reason given"


def ask_or_fail(state_dir: Path, method: str, path: str, body: object = None) -> Any:
    """The same for a command that needs the running agent: one line and status 1 when there is no answer."""
    try:
        return ask(state_dir, method, path, body)
    except (AgentUnreachableError, AgentRefusedError) as exc:
        raise click.ClickException(str(exc)) from exc


def ask_or_read(state_dir: Path, path: str, read: "Callable[[JournalView], Any]") -> Any:
    """The agent's answer; when none runs its journal's, and said so; one line and status 1 when neither works."""
    from till_agent.cli.files import open_view

    try:
        return ask(state_dir, "GET", path)
    except AgentRefusedError as exc:
        raise click.ClickException(str(exc)) from exc
    except AgentUnreachableError as down:
        try:
            with open_view(state_dir) as view:
                found = read(view)
        except (AgentUnreachableError, JournalCorrupt) as exc:
            raise click.ClickException(f"{down}; {exc}") from exc
        click.echo(f"{down}; read from its journal.", err=True)
        return found


def running_port(state_dir: Path) -> int:
    """Where the agent of `state_dir` says it listens; AgentUnreachableError when it says nothing.

    An agent that was killed leaves its file behind, and the port may be another program's by now: that one must not
    get the token. So the lock is looked at first.
    """
    try:
        if not is_running(state_dir):
            raise AgentUnreachableError(f"no agent is running on {state_dir}")
    except AgentStartError as exc:
        raise AgentUnreachableError(str(exc)) from exc
    try:
        return msgspec.json.decode((state_dir / RUNNING_FILE).read_bytes(), type=Running).port
    except FileNotFoundError:
        raise AgentUnreachableError(f"no agent is running on {state_dir}") from None
    except OSError as exc:
        raise AgentUnreachableError(f"{state_dir / RUNNING_FILE} can't be read: {exc.strerror}") from exc
    except msgspec.DecodeError as exc:
        raise AgentUnreachableError(f"{state_dir / RUNNING_FILE} is not what an agent writes") from exc
