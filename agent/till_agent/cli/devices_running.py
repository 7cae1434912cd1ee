"""The running agent as a test of a device needs it: whether one runs, states, scans as they come, test slips."""

import asyncio
import contextlib
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import click
import msgspec

from till_agent.bridge.exceptions import AgentRefusedError, AgentStartError, AgentUnreachableError, TokenError
from till_agent.bridge.tokens import read_token
from till_agent.cli.asking import CLIENT, ask, running_port
from till_agent.instance import is_running

CONNECT_TIMEOUT_S = 5.0
POLL_S = 0.2
SCANS_LIMIT = 64
"""Scans that wait to be looked at while a slip is printed."""
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


class ScanFeed:
    """Scans of one of the running agent's devices ("": of any), from when the context is entered. A click error when it
    can't be."""

    def __init__(self, state_dir: Path, device: str) -> None:
        self._device = device
        try:
            self._headers = {"Authorization": f"Bearer {read_token(state_dir, CLIENT)}"}
            self._url = f"http://127.0.0.1:{running_port(state_dir)}/v1/events"
        except (TokenError, AgentUnreachableError) as exc:
            raise click.ClickException(f"{exc}; run the command as the agent's user") from exc
        self._scans: asyncio.Queue[dict[str, Any]] = asyncio.Queue(SCANS_LIMIT)
        self._open = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._read())
        opened = asyncio.create_task(self._open.wait())
        await asyncio.wait({self._task, opened}, return_when=asyncio.FIRST_COMPLETED)
        opened.cancel()
        if self._task.done():
            self._task.result()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def next(self, wait_s: float) -> dict[str, Any] | None:
        """The next scan; None when none came in time."""
        try:
            async with asyncio.timeout(wait_s):
                return await self._scans.get()
        except TimeoutError:
            return None

    async def _read(self) -> None:
        import httpx

        try:
            async with (
                # No proxy of the environment has a say on the way to this very machine.
                httpx.AsyncClient(trust_env=False, timeout=httpx.Timeout(None, connect=CONNECT_TIMEOUT_S)) as client,
                client.stream("GET", self._url, headers=self._headers) as answer,
            ):
                if answer.status_code != httpx.codes.OK:
                    raise click.ClickException(
                        f"the agent refused its events ({answer.status_code}): its client {CLIENT!r} needs the scope "
                        "`sale`"
                    )
                self._open.set()
                name = ""
                async for line in answer.aiter_lines():
                    if line.startswith("event: "):
                        name = line[7:]
                    elif line.startswith("data: ") and name == "scan":
                        self._keep(msgspec.json.decode(line[6:]))
        except httpx.HTTPError as exc:
            raise click.ClickException(f"the agent's events ended: {exc}") from exc

    def _keep(self, scan: dict[str, Any]) -> None:
        if self._device in ("", scan["device"]):
            with contextlib.suppress(asyncio.QueueFull):
                self._scans.put_nowait(scan)


async def wait_for_print(state_dir: Path, printer: str, job: str, wait_s: float) -> dict[str, Any]:
    """A test slip's last state within the time; sooner when its printer takes no slip, with that one's words."""
    give_up = time.monotonic() + wait_s
    while True:
        told: dict[str, Any] = await asyncio.to_thread(asked, state_dir, "GET", f"/v1/prints/{job}")
        if told["state"] not in ("queued", "printing"):
            return told
        state, detail = await asyncio.to_thread(state_of, state_dir, "printer", printer)
        if time.monotonic() > give_up or (told["state"] == "queued" and state in STOPPED):
            return told | {"detail": told["detail"] or detail}
        await asyncio.sleep(POLL_S)
