"""The running agent as a test of a device needs it: whether one runs, states, scans as they come, test slips."""

import asyncio
import time
from pathlib import Path
from typing import Any

import click
import msgspec

from till_agent.bridge.exceptions import AgentRefusedError, AgentStartError, AgentUnreachableError, TokenError
from till_agent.bridge.tokens import read_token
from till_agent.cli.asking import CLIENT, ask, running_port
from till_agent.instance import is_running

CONNECT_TIMEOUT_S = 5.0
POLL_S = 0.2
STOPPED = frozenset({"fault", "lost", "absent"})
"""States in which a printer takes no slip until somebody does something."""


def agent_runs(state_dir: Path) -> bool:
    """Whether the devices are an agent's now; a click error when that can't be told."""
    try:
        return is_running(state_dir)
    except (AgentStartError, OSError) as exc:
        raise click.ClickException(f"can't tell whether an agent runs on {state_dir}: {exc}") from exc


def state_of(state_dir: Path, role: str, device: str) -> tuple[str, str]:
    """State and detail of a device; a click error when the agent can't be asked or does not know it."""
    for each in asked(state_dir, "GET", "/v1/status")["devices"]:
        if (each["role"], each["device"]) == (role, device):
            return each["state"], each["detail"]
    raise click.ClickException(f"the running agent has no {role} {device!r}: it was started with another configuration")


def asked(state_dir: Path, method: str, path: str) -> Any:
    """The agent's answer, or a click error."""
    try:
        return ask(state_dir, method, path)
    except (AgentUnreachableError, AgentRefusedError) as exc:
        raise click.ClickException(str(exc)) from exc


async def next_scan(state_dir: Path, device: str, wait_s: float, *, text: str = "") -> dict[str, Any] | None:
    """The next scan of `device`, or the next with that text; None when none came in time. A click error as above."""
    import httpx

    try:
        headers = {"Authorization": f"Bearer {read_token(state_dir, CLIENT)}"}
        url = f"http://127.0.0.1:{running_port(state_dir)}/v1/events"
    except (TokenError, AgentUnreachableError) as exc:
        raise click.ClickException(f"{exc}; run the command as the agent's user") from exc
    try:
        async with (
            asyncio.timeout(wait_s),
            # No proxy of the environment has a say on the way to this very machine.
            httpx.AsyncClient(trust_env=False, timeout=httpx.Timeout(None, connect=CONNECT_TIMEOUT_S)) as client,
            client.stream("GET", url, headers=headers) as answer,
        ):
            if answer.status_code != httpx.codes.OK:
                raise click.ClickException(
                    f"the agent refused its events ({answer.status_code}): its client {CLIENT!r} needs the scope `sale`"
                )
            return await _wanted(answer, device, text)
    except TimeoutError:
        return None
    except httpx.HTTPError as exc:
        raise click.ClickException(f"the agent's events ended: {exc}") from exc


async def _wanted(answer: Any, device: str, text: str) -> dict[str, Any] | None:
    name = ""
    async for line in answer.aiter_lines():
        if line.startswith("event: "):
            name = line[7:]
        elif line.startswith("data: ") and name == "scan":
            scan: dict[str, Any] = msgspec.json.decode(line[6:])
            if scan["device"] == device and text in ("", scan["text"]):
                return scan
    return None


def wait_for_print(state_dir: Path, printer: str, job: str, wait_s: float) -> dict[str, Any]:
    """A test slip's last state within the time; sooner when its printer takes no slip, with that one's words."""
    give_up = time.monotonic() + wait_s
    while True:
        told: dict[str, Any] = asked(state_dir, "GET", f"/v1/prints/{job}")
        if told["state"] not in ("queued", "printing"):
            return told
        state, detail = state_of(state_dir, "printer", printer)
        if time.monotonic() > give_up or (told["state"] == "queued" and state in STOPPED):
            return told | {"detail": told["detail"] or detail}
        time.sleep(POLL_S)
