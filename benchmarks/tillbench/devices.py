"""What a till's devices take: from a sale to the first byte of its slip at the printer, and time while nothing happens.

The agent is a process of its own, as the service runs it; the printer is the simulator, over TCP.
"""

import asyncio
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from till_drivers.simulators.printer import PrinterSimulator
from till_drivers.simulators.printer_links import Link
from tillbench import people
from tillbench.figures import Series
from tillbench.scanning import terminal
from tillbench.wire import BadAnswerError, Connection, request
from tillbench.world import RunningTill, World

SETTLE_S = 2.0
"""The agent loads what it needs for slips in this time, and its printer is known to be ready."""
PAUSE_S = 1.2
"""Between two sales: longer than the driver believes an answer of the printer, as at a till."""
TIMEOUT_S = 20.0
IDLE_SETTLE_S = 10.0
"""An agent that has just come up tries a device that is not there more often."""
IDLE_PARTS = 3
NOTHING = "no device"
QUESTIONS = re.compile(rb"\x10\x04[\x01-\x04]|\x1dr\x01")
"""What the driver asks before and behind a slip."""


class StampedPrinter(PrinterSimulator):
    """The simulator, and when the first byte of each slip came: not of a question, which goes before every slip."""

    def __init__(self) -> None:
        super().__init__()
        self.first_ns: list[int] = []

    def received(self, link: Link, data: bytes) -> None:
        now = time.perf_counter_ns()
        if QUESTIONS.sub(b"", data) and len(self.first_ns) == self.slip_count:
            self.first_ns.append(now)
        super().received(link, data)


@dataclass
class Printed:
    """Microseconds of sales: to their answer, and to the first byte of their slip; and the floor: connect and send."""

    answered: Series = field(default_factory=lambda: Series("sale"))
    printing: Series = field(default_factory=lambda: Series("first byte of the slip"))
    bare: Series = field(default_factory=lambda: Series("connect and a byte"))


@contextmanager
def printer() -> Iterator[tuple[StampedPrinter, int]]:
    """A simulated printer in a thread of its own, and its port."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    simulator = asyncio.run_coroutine_threadsafe(_make(), loop).result(TIMEOUT_S)
    try:
        yield simulator, asyncio.run_coroutine_threadsafe(simulator.start_tcp(), loop).result(TIMEOUT_S)
    finally:
        asyncio.run_coroutine_threadsafe(simulator.stop(), loop).result(TIMEOUT_S)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _make() -> StampedPrinter:
    return StampedPrinter()


def measure_printing(world: World, state: Path, sales: int, members: int) -> Printed:
    """Sales one after the other, each slip on paper before the next; the first one warms up."""
    found = Printed()
    with printer() as (simulator, port):
        more = f'[[printers]]\nname = "bench"\ndriver = "tcp"\nhost = "127.0.0.1"\nport = {port}\n'
        till = world.start_agent(world.config("printing", state, more=more))
        connection = Connection(till.port)
        mark = f"print-{time.monotonic_ns()}"
        try:
            time.sleep(SETTLE_S)
            for number in range(sales + 1):
                answered, printing = _sell(till, connection, simulator, f"{mark}-{number}", number * 37 % members)
                bare = _bare(port, simulator)
                if number:
                    found.answered.add([answered])
                    found.printing.add([printing])
                    found.bare.add([bare])
        finally:
            connection.close()
            world.stop_agent()
    return found


def _sell(
    till: RunningTill, connection: Connection, simulator: StampedPrinter, uid: str, member: int
) -> tuple[float, float]:
    body = people.sale_body(member, member)
    message = request("PUT", f"/v1/sales/{uid}", till.port, body, token=till.token, close=False)
    slips, slip = len(simulator.first_ns), simulator.slip_count
    time.sleep(PAUSE_S)
    started = time.perf_counter_ns()
    connection.call(message)
    answered = time.perf_counter_ns()
    give_up = time.monotonic() + TIMEOUT_S
    while simulator.slip_count == slip:
        if time.monotonic() > give_up:
            raise BadAnswerError("no slip was printed")
        time.sleep(0.005)
    return (answered - started) / 1000, (simulator.first_ns[slips] - started) / 1000


def _bare(port: int, simulator: StampedPrinter) -> float:
    """A program that does nothing but print: the floor of this machine and of the simulator."""
    slips, slip = len(simulator.first_ns), simulator.slip_count
    started = time.perf_counter_ns()
    with socket.create_connection(("127.0.0.1", port), TIMEOUT_S) as line:
        line.sendall(b"\x1b@bare\n\x1dV\x00")
        while simulator.slip_count == slip:
            time.sleep(0.001)
    return (simulator.first_ns[slips] - started) / 1000


def measure_idle(world: World, seconds: float) -> dict[str, tuple[float, float]]:
    """Milliseconds of processor time in a minute, of an agent with one idle driver each; and beyond another agent
    without any, started with it: what else runs, and how long they run, changes both by more than a driver takes."""
    found: dict[str, tuple[float, float]] = {}
    bare, state = world.second_state("idle-bare"), world.second_state("idle")
    with terminal() as (_, scanner), printer() as (_, port):
        nothing = state / "not-there"
        drivers = {
            NOTHING: "",
            "serial scanner": f'[[scanners]]\nname = "s"\nport = "{scanner}"\n',
            "serial scanner, not plugged in": f'[[scanners]]\nname = "s"\nport = "{nothing}"\n',
            "keyboard scanner, not plugged in": f'[[scanners]]\nname = "s"\ndriver = "keyboard"\nport = "{nothing}"\n',
            "HID-POS scanner, not plugged in": '[[scanners]]\nname = "s"\ndriver = "hidpos"\nmatch = "1234:5678"\n',
            "TCP printer": f'[[printers]]\nname = "p"\ndriver = "tcp"\nhost = "127.0.0.1"\nport = {port}\n',
            "TCP printer, switched off": '[[printers]]\nname = "p"\ndriver = "tcp"\nhost = "127.0.0.1"\nport = 9\n',
        }
        without = world.config("idle-bare", bare)
        for name, more in drivers.items():
            found[name] = _idle(world, world.config("idle", state, more=more), without, seconds)
    return found


def _idle(world: World, config: Path, without: Path, seconds: float) -> tuple[float, float]:
    other = world.start_agent(without, "idle-bare").pid
    pid = world.start_agent(config, "idle").pid
    try:
        time.sleep(IDLE_SETTLE_S)
        parts = []
        for _ in range(IDLE_PARTS):
            before = cpu_ms(pid), cpu_ms(other)
            time.sleep(seconds / IDLE_PARTS)
            own, others = cpu_ms(pid) - before[0], cpu_ms(other) - before[1]
            a_minute = 60 * IDLE_PARTS / seconds
            parts.append((own * a_minute, (own - others) * a_minute))
        return median([own for own, _ in parts]), median([beyond for _, beyond in parts])
    finally:
        world.stop_agent("idle")
        world.stop_agent("idle-bare")


def cpu_ms(pid: int) -> float:
    """Processor time of a process and its threads so far, by the scheduler's nanoseconds."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        total += int((task / "schedstat").read_text(encoding="ascii").split()[0])
    return total / 1e6
