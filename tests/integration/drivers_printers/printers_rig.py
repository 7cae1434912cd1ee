"""What the printers' integration tests share: a bounded loop, real simulated printers, slips with known words."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from till_drivers.blocks import Block, Cut, Pair, Text
from till_drivers.ports import PrintJob
from till_drivers.printers import PROFILE_80MM, render
from till_drivers.simulators.printer import PrinterSimulator


def slip(name: str, *, lines: int = 3) -> bytes:
    """A Russian slip that can be told from others by its name."""
    body: list[Block] = [Pair(left=f"Строка {number}", right="1,00") for number in range(lines)]
    return render([Text(text=f"Чек {name}", align="center", bold=True), *body, Cut()], PROFILE_80MM)


def drawn_slip(name: str, *, lines: int) -> bytes:
    """A Kazakh slip: 2 KB a line."""
    text = [Text(text=f"Ұпай {name} {number} " + "ә" * 30) for number in range(lines)]
    return render([*text, Cut()], PROFILE_80MM)


def job(name: str, data: bytes | None = None) -> PrintJob:
    return PrintJob(job_id=name, data=slip(name) if data is None else data)


@asynccontextmanager
async def tcp_simulator(**settings: Any) -> AsyncIterator[tuple[PrinterSimulator, int]]:
    """A printer on a free loopback port."""
    simulator = PrinterSimulator(**settings)
    port = await simulator.start_tcp()
    try:
        yield simulator, port
    finally:
        await simulator.stop()


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something that will come; the test's own limit ends it if it does not."""
    while not condition():
        await asyncio.sleep(0.01)


def names(simulator: PrinterSimulator) -> list[str]:
    """First lines of the slips on paper."""
    return [kept.text().split("\n")[0].strip() for kept in simulator.slips]
