"""Starts scanners and printers, and hands on what later settings change them by."""

import asyncio
import logging
from contextlib import AsyncExitStack

from till_agent.core import stop_part
from till_agent.devices import Scanners, build_printers
from till_agent.facade import Agent
from till_agent.reloading.parts import LiveParts
from till_agent.slips.desk import SlipPrinter
from till_config.settings import PrinterSettings
from till_drivers.exceptions import SettingsError
from till_drivers.ports import PrinterDriver
from till_drivers.printers.profile import Profile
from till_drivers.spool_worker import SpoolWorker
from till_drivers.states import DeviceState

log = logging.getLogger(__name__)


async def start_printing(agent: Agent, stack: AsyncExitStack) -> tuple[LiveParts, SlipPrinter | None]:
    """The print queue and every printer; gives what can change them later, and the one for slips."""
    agent.spool.start()

    async def stop_spool() -> None:
        await asyncio.to_thread(agent.spool.stop)

    stack.push_async_callback(stop_part, "print queue", stop_spool)
    built = build_printers(agent.settings.printers, agent.clock, agent.board)
    drivers: dict[str, PrinterDriver] = {name: driver for name, (_, driver) in built.items()}
    worker = SpoolWorker(agent.spool, drivers, clock=agent.clock, health=agent.board.listener("printer"))
    await worker.start()
    stack.push_async_callback(stop_part, "printers", worker.stop)
    printers = {name: slip for name, (each, driver) in built.items() if (slip := _slip_printer(agent, each, driver))}
    agent.trials.put(printers)
    parts = LiveParts(agent, worker, printers)
    wanted = agent.settings.slips.printer
    for name in built:
        if wanted in ("", name):
            return parts, printers.get(name)
    if wanted:
        log.error("slips are not printed: slips.printer names no usable printer", extra={"printer": wanted})
    return parts, None


def _slip_printer(agent: Agent, settings: PrinterSettings, driver: PrinterDriver) -> SlipPrinter | None:
    try:
        profile = Profile.of(settings)
        return SlipPrinter(name=settings.name, profile=profile, driver=driver)
    except SettingsError as exc:
        agent.board.note("printer", settings.name, DeviceState.FAULT.value, str(exc))
        return None


def start_scanners(agent: Agent, parts: LiveParts, stack: AsyncExitStack) -> None:
    """Every scanner; those of later settings too."""
    scanners = Scanners(
        agent.settings.scanners,
        clock=agent.clock,
        board=agent.board,
        events=agent.events,
        resolve=agent.resolve,
        counted=agent.figures.scanned,
    )
    scanners.start()
    parts.scanners = scanners
    stack.push_async_callback(stop_part, "scanners", scanners.stop)
