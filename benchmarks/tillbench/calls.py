"""What a call of the bridge takes, beside a bare echo and a bare sync of the disk, a few of each in turn."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from random import Random

from tillbench import people
from tillbench.figures import Series
from tillbench.floor import DiskFloor
from tillbench.wire import Connection, request, time_new_us
from tillbench.world import RunningTill

SEED = 20_260_115
WARM_ROUNDS = 2
"""Rounds left out: imports, page caches and the allocator settle."""

KEPT, NEW = "keep-alive", "new connection"
ECHO, BARE, IDENTIFY, QUOTE, SALE, DISK = "echo", "livez", "identify", "quote", "sale", "fdatasync"
ANYBODY = "quote, no member"
"""`livez` is a call of the bridge that does nothing: what is between it and `echo` is the guard and the route. A quote
for nobody has no slip, and so no preview of one: what is between it and `quote` is mostly that."""


@dataclass(frozen=True)
class Plan:
    """How many rounds, and how many calls of each kind in a row within a round."""

    rounds: int
    block: int
    members: int


class Calls:
    """Makes the messages and times them. `run` answers the series by (name, connection)."""

    def __init__(self, till: RunningTill, echo_port: int, plan: Plan, mark: str) -> None:
        self._till = till
        self._echo_port = echo_port
        self._plan = plan
        self._mark = mark
        self._random = Random(SEED)
        self._sold = 0
        self._kept = {till.port: Connection(till.port), echo_port: Connection(echo_port)}

    def run(self, disk: DiskFloor) -> dict[tuple[str, str], Series]:
        """All rounds; the order within a round turns, so that nobody always comes after the same neighbour."""
        subjects: list[tuple[tuple[str, str], Callable[[], list[float]]]] = [
            ((DISK, ""), lambda: [disk.time_us() for _ in range(self._plan.block)])
        ]
        for name, make in self._makers().items():
            subjects += [((name, way), partial(self._block, make, way)) for way in (KEPT, NEW)]
        found = {key: Series(" ".join(key)) for key, _ in subjects}
        for number in range(WARM_ROUNDS + self._plan.rounds):
            turn = number % len(subjects)
            for key, block in subjects[turn:] + subjects[:turn]:
                samples = block()
                if number >= WARM_ROUNDS:
                    found[key].add(samples)
        for connection in self._kept.values():
            connection.close()
        return found

    def _makers(self) -> dict[str, Callable[[bool], tuple[int, bytes]]]:
        return {
            ECHO: self._echo,
            BARE: self._bare,
            IDENTIFY: self._identify,
            ANYBODY: self._anybody,
            QUOTE: self._quote,
            SALE: self._sale,
        }

    def _block(self, make: Callable[[bool], tuple[int, bytes]], way: str) -> list[float]:
        """One block of calls, its messages made beforehand: between two calls the client does nothing."""
        messages = [make(way == NEW) for _ in range(self._plan.block)]
        if way == NEW:
            return [time_new_us(port, message) for port, message in messages]
        return [self._kept[port].time_us(message) for port, message in messages]

    def _echo(self, close: bool) -> tuple[int, bytes]:
        """A body of the size of a quote's."""
        port = self._echo_port
        return port, request("POST", "/echo", port, people.quote_body(self._member(), self._sold), close=close)

    def _bare(self, close: bool) -> tuple[int, bytes]:
        return self._ask("GET", "/livez", b"", close)

    def _identify(self, close: bool) -> tuple[int, bytes]:
        return self._ask("POST", "/v1/identify", people.identify_body(self._member()), close)

    def _quote(self, close: bool) -> tuple[int, bytes]:
        return self._ask("POST", "/v1/quotes", people.quote_body(self._member(), self._sold), close)

    def _anybody(self, close: bool) -> tuple[int, bytes]:
        return self._ask("POST", "/v1/quotes", people.quote_body(None, self._sold), close)

    def _sale(self, close: bool) -> tuple[int, bytes]:
        self._sold += 1
        body = people.sale_body(self._member(), self._sold)
        return self._ask("PUT", f"/v1/sales/{self._mark}-{self._sold}", body, close)

    def _ask(self, method: str, path: str, body: bytes, close: bool) -> tuple[int, bytes]:
        till = self._till
        return till.port, request(method, path, till.port, body, token=till.token, close=close)

    def _member(self) -> int:
        return self._random.randrange(self._plan.members)


def check_answers(till: RunningTill, members: int) -> None:
    """The calls that are timed do what they are said to do: a known member, points, a durable op."""
    number = members // 2
    connection = Connection(till.port)

    def ask(method: str, path: str, body: bytes) -> dict[str, object]:
        found: dict[str, object] = json.loads(
            connection.call(request(method, path, till.port, body, token=till.token, close=False))
        )
        return found

    who = ask("POST", "/v1/identify", people.identify_body(number))
    quote = ask("POST", "/v1/quotes", people.quote_body(number, 1))
    sale = ask("PUT", "/v1/sales/bench-check", people.sale_body(number, 1))
    connection.close()
    earned = quote["calculation"]["earned_points"]  # type: ignore[index]  # checked by what follows
    if who["reference"] != people.member_id(number) or not earned or not sale["op"]:
        raise RuntimeError(f"expected a known member who earns, not {who} {earned} {sale['op']}")
