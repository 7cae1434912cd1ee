"""What a sale takes while ten thousand changed members come in, and while a queue goes out, against a till at rest.

Blocks of sales in turn, in rounds, on one agent: at rest without a line; while the line is back and the page of a delta
is applied; at rest again; while a long queue is pushed. A pause after each sale leaves the machine its cores, as a
cash desk does: a client that never rests would measure only how busy it is itself.

The cloud runs on the same machine, which it does not in a shop. So after each sale a floor is asked for as much: a bare
server that makes a commit's bytes durable and echoes, a process of its own. It has the same load beside it, our own
agent's and the cloud's, and nothing of our work in it: what a sale takes over it is ours.
"""

import csv
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from tillbench import people
from tillbench.backlog import extend, sale_message, sample
from tillbench.draining import Drain
from tillbench.figures import percentile
from tillbench.wire import HEAD_END, Connection, request
from tillbench.world import CLOUD_MEMBERS, RunningTill, World, echo_server

PAUSE_S = 0.004
DELTA_ROWS = 10_000
QUEUE_OPS = 8_000
IDLE_SALES = 200
"""A block at rest: about as many as fit into the others."""
TIMEOUT_S = 120.0
LOOK_S = 0.05
REST, DELTA, DRAIN = "at rest", "10,000 rows come in", "a queue goes out"


@dataclass
class Latency:
    """Microseconds of each sale, by what else went on."""

    taken: dict[str, list[float]] = field(default_factory=lambda: {REST: [], DELTA: [], DRAIN: []})
    floor: dict[str, list[float]] = field(default_factory=lambda: {REST: [], DELTA: [], DRAIN: []})
    """Of the bare server, asked after each sale."""

    def of_floor(self, name: str, share: float = 0.99) -> float:
        """Percentile of `name` against that of the floor beside it."""
        return percentile(self.taken[name], share) / percentile(self.floor[name], share)

    def ratio(self, name: str, share: float = 0.99) -> float:
        """Percentile of `name` against that at rest."""
        return percentile(self.taken[name], share) / percentile(self.taken[REST], share)


class Desk:
    """One cash desk of a running till. Each sale has a number of its own in the whole measurement."""

    def __init__(self, till: RunningTill, first: int, floor_port: int, found: Latency) -> None:
        self.till = till
        self.next = first
        self._found = found
        self._floor_port = floor_port
        self._connection = Connection(till.port)
        self._looker = Connection(till.port)
        self._floor = Connection(floor_port)

    def sell(self, name: str = "") -> None:
        """One sale and one call of the floor, a pause after each; they count for `name`, if there is one."""
        message = sale_message(self.till, self.next, "l")
        self.next += 1
        took = self._connection.time_us(message)
        time.sleep(PAUSE_S)
        body = message.partition(HEAD_END)[2]
        floor = self._floor.time_us(request("PUT", "/echo", self._floor_port, body, close=False))
        time.sleep(PAUSE_S)
        if name:
            self._found.taken[name].append(took)
            self._found.floor[name].append(floor)

    def sell_until(self, done: Callable[[], bool], name: str) -> None:
        """Sales until `done`, which is asked between two of them."""
        give_up = time.monotonic() + TIMEOUT_S
        while not done():
            self.sell(name)
            if time.monotonic() > give_up:
                raise RuntimeError(f"not done within {TIMEOUT_S:.0f} s")

    def rest_until(self, done: Callable[[], bool]) -> None:
        """Sell nothing until `done`."""
        give_up = time.monotonic() + TIMEOUT_S
        while not done():
            time.sleep(LOOK_S)
            if time.monotonic() > give_up:
                raise RuntimeError(f"not done within {TIMEOUT_S:.0f} s")

    def sync(self) -> None:
        """Have the agent look at its line now; nobody waits for the answer. The looks that follow have a connection of
        their own: on a busy machine a block at rest takes longer than the bridge keeps one that is quiet."""
        self._looker.close()
        self._looker = Connection(self.till.port)
        asker = Connection(self.till.port)
        asker.send(request("POST", "/v1/sync", self.till.port, b"{}", token=self.till.admin, close=True))
        asker.close()

    def has_sent(self, ops: int | None) -> bool:
        """Whether the cloud has so many of the queue; None: all that there are."""
        waiting = int(self.till.status(self._looker)["sync"]["waiting"])
        return waiting == 0 if ops is None else waiting <= QUEUE_OPS - ops

    def knows(self, members: int) -> bool:
        """Whether so many members are in the cache."""
        return int(self.till.status(self._looker)["members_cached"]) >= members

    def close(self) -> None:
        """Hang up."""
        self._connection.close()
        self._looker.close()
        self._floor.close()


def measure(world: World, rounds: int, say: Callable[[str], None]) -> Latency:
    """Rounds of all blocks, each from a till that has just been started with a queue."""
    with echo_server(world.folder, durable=True) as floor_port:
        return _measure(world, rounds, say, floor_port)


def _measure(world: World, rounds: int, say: Callable[[str], None], floor_port: int) -> Latency:
    found = Latency()
    port = world.start_cloud()
    config = world.config("latency", world.state_dir, port)
    till = world.start_agent(config)
    Drain(world, 0).wait_members(till)
    world.stop_agent()
    world.parts.stop("cloud")
    bodies = sample(world, world.state_dir, IDLE_SALES)
    sold = members = 0
    for number in range(rounds):
        say(f"round {number + 1} of {rounds}")
        extend(world.state_dir, bodies, number * QUEUE_OPS, QUEUE_OPS)
        till = world.start_agent(config)
        desk = Desk(till, sold, floor_port, found)
        for _ in range(IDLE_SALES // 4):
            desk.sell()  # imports, page caches
        for _ in range(IDLE_SALES):
            desk.sell(REST)
        world.start_cloud(port)
        desk.sync()
        desk.sell_until(partial(desk.has_sent, QUEUE_OPS * 49 // 50), DRAIN)
        desk.rest_until(partial(desk.has_sent, None))  # a till that sells has always something on its way
        world.parts.stop("cloud")
        members += DELTA_ROWS
        _import(world, members)
        for _ in range(IDLE_SALES):
            desk.sell(REST)
        world.start_cloud(port)
        desk.sync()
        desk.sell_until(partial(desk.knows, CLOUD_MEMBERS + members), DELTA)
        sold = desk.next
        desk.close()
        world.stop_agent()
        world.parts.stop("cloud")
    return found


def _import(world: World, members: int) -> None:
    """Ten thousand members more in the cloud, before `members`; the cloud is stopped."""
    path: Path = world.folder / "more.csv"
    first = CLOUD_MEMBERS + members - DELTA_ROWS
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(("name", "phone", "card", "tier", "balance"))
        for number in range(first, first + DELTA_ROWS):
            writer.writerow((f"Member {number}", "", people.card(number), people.TIERS[0], number % 2_500))
    world.parts.run("cloud", "member", "import", "--db", str(world.cloud_db), str(path))
