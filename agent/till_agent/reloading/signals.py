"""SIGHUP takes the file in again, as daemons do; Windows has no such signal, and `tillside config apply` everywhere."""

import asyncio
import contextlib
import logging
import signal
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from till_config.settings import Settings
from till_sync.problems import ProblemError

if TYPE_CHECKING:
    from till_agent.facade import Agent

log = logging.getLogger(__name__)


def reload_at_signal(agent: "Agent", stack: AsyncExitStack) -> None:
    """Until the stack ends. The daemon's own: a program that runs an agent inside keeps its signals and its log."""
    if agent.parts is not None:
        agent.parts.levers.append(_set_log_level)
    number = getattr(signal, "SIGHUP", None)
    if number is None:
        return
    loop = asyncio.get_running_loop()
    under_way: set[asyncio.Task[None]] = set()

    async def reload() -> None:
        # How it went is in the log and on the status page: nobody waits for an answer to a signal.
        with contextlib.suppress(ProblemError):
            await agent.reload()

    def begin() -> None:
        task = loop.create_task(reload(), name="reload")
        under_way.add(task)
        task.add_done_callback(under_way.discard)

    loop.add_signal_handler(number, begin)
    stack.callback(loop.remove_signal_handler, number)


def _set_log_level(settings: Settings) -> None:
    logging.getLogger().setLevel(settings.agent.log_level.upper())
