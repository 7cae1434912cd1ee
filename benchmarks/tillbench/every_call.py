"""Each call that cash software makes, with a connection of its own, on a till with a full cache and a long queue."""

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

from till_sync.ops import SaleBody
from tillbench import crowd, people
from tillbench.backlog import extend
from tillbench.calls import SEED, WARM_ROUNDS
from tillbench.figures import Series
from tillbench.page_cache import kept_in_memory
from tillbench.wire import Connection, request, time_new_us
from tillbench.world import RunningTill, World

ECHO = "bare echo of a quote's bytes"
AT_ONCE = 50
BURST_EVERY_S = 1.0
MIX = ("identify by card", "quote", "identify by card", "quote", "sale")
"""Of a crowd's calls: a customer is looked up and quoted more often than sold to."""


def long_queue(world: World, full: Path, bodies: Sequence[SaleBody], ops: int) -> Path:
    """A state with the cache of `full` and `ops` sales that wait."""
    state = world.second_state("state-queue")
    for path in full.glob("cache.db*"):
        shutil.copy2(path, state)
    extend(state, bodies, 0, ops)
    return state


class EveryCall:
    """The messages of each call. Sales that others speak of are made beforehand."""

    def __init__(self, till: RunningTill, echo_port: int, members: int, prepared: int) -> None:
        self._till = till
        self._echo_port = echo_port
        self._members = members
        self._random = Random(SEED)
        self._sold = self._told = 0
        self._spoken = {"void": 0, "return": 0}
        self._prepared = prepared
        self._prepare(prepared)
        self.makers: dict[str, Callable[[], tuple[int, bytes]]] = {
            ECHO: self._echo,
            "livez": lambda: self._ask("GET", "/livez"),
            "identify by card": lambda: self._ask("POST", "/v1/identify", people.identify_body(self._member())),
            # With the slow tags that `cloud init` begins: made, and remembered for the receipt under way.
            "identify by phone": self._by_phone,
            "identify by phone, again": lambda: self._ask("POST", "/v1/identify", _phone(self._told)),
            "quote": lambda: self._ask("POST", "/v1/quotes", people.quote_body(self._member(), self._sold)),
            "sale": self._sale,
            "sale, looked up": lambda: self._ask("GET", f"/v1/sales/{self._earlier()}"),
            "slip as text": lambda: self._ask("GET", f"/v1/sales/{self._earlier()}/slip?format=text"),
            "void": lambda: self._ask("POST", f"/v1/sales/{self._next('void')}/void"),
            "return": self._return,
            "coupon": lambda: self._ask("GET", "/v1/coupons/NONE-SUCH"),
            "status": lambda: self._ask("GET", "/v1/status"),
        }

    def message(self, name: str, *, close: bool = True) -> bytes:
        """One request of that call."""
        message = self.makers[name]()[1]
        return message if close else message.replace(b"Connection: close", b"Connection: keep-alive", 1)

    def run(self, rounds: int, block: int) -> dict[str, Series]:
        """Blocks of every call in turn; where a round begins moves on, so that neighbours change."""
        names = list(self.makers)
        found = {name: Series(name) for name in names}
        for number in range(WARM_ROUNDS + rounds):
            turn = number % len(names)
            for name in names[turn:] + names[:turn]:
                asked = [self.makers[name]() for _ in range(block)]
                samples = [time_new_us(port, message) for port, message in asked]
                if number >= WARM_ROUNDS:
                    found[name].add(samples)
        return found

    def _prepare(self, count: int) -> None:
        connection = Connection(self._till.port)
        for number in range(count):
            for what in self._spoken:
                body = people.sale_body(self._member(), number)
                self._kept(connection, "PUT", f"/v1/sales/{what}-{number}", body)
        connection.close()

    def _kept(self, connection: Connection, method: str, path: str, body: bytes) -> dict[str, object]:
        message = request(method, path, self._till.port, body, token=self._till.token, close=False)
        found: dict[str, object] = json.loads(connection.call(message))
        return found

    def _echo(self) -> tuple[int, bytes]:
        body = people.quote_body(self._member(), self._sold)
        return self._echo_port, request("POST", "/echo", self._echo_port, body, close=True)

    def _by_phone(self) -> tuple[int, bytes]:
        self._told = self._member()
        return self._ask("POST", "/v1/identify", _phone(self._told))

    def _sale(self) -> tuple[int, bytes]:
        self._sold += 1
        return self._ask("PUT", f"/v1/sales/s-{self._sold}", people.sale_body(self._member(), self._sold))

    def _return(self) -> tuple[int, bytes]:
        sold = self._next("return")
        return self._ask("PUT", f"/v1/returns/back-{sold}", json.dumps({"sale_uid": sold}).encode())

    def _earlier(self) -> str:
        return f"return-{self._random.randrange(self._prepared)}"

    def _next(self, what: str) -> str:
        number = self._spoken[what]
        self._spoken[what] = (number + 1) % self._prepared
        return f"{what}-{number}"

    def _ask(self, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
        till = self._till
        return till.port, request(method, path, till.port, body, token=till.token, close=True)

    def _member(self) -> int:
        return self._random.randrange(self._members)


def crowded(
    calls: EveryCall, till: RunningTill, state: Path, seconds: float
) -> tuple[crowd.Crowd, crowd.Crowd, crowd.Crowd]:
    """Fifty calls at one moment, every second; the same with the cache's file kept in the system's memory; then fifty
    callers without a pause."""

    def make(number: int) -> bytes:
        return calls.message(MIX[number % len(MIX)])

    burst = crowd.bursts(till.port, make, at_once=AT_ONCE, every_s=BURST_EVERY_S, for_s=seconds)
    with kept_in_memory(state / "cache.db"):
        kept = crowd.bursts(till.port, make, at_once=AT_ONCE, every_s=BURST_EVERY_S, for_s=seconds)
    return burst, kept, crowd.without_pause(till.port, make, at_once=AT_ONCE, for_s=seconds)


def beside_look_ups(calls: EveryCall, till: RunningTill, rounds: int, block: int) -> tuple[Series, Series]:
    """Sales by card with nothing else going on, and while fifty callers wait for somebody's slow tag. All on kept
    connections."""
    rest, beside = Series("at rest"), Series("beside fifty look-ups by phone")
    seller, others = Connection(till.port), [Connection(till.port) for _ in range(AT_ONCE)]
    for _ in range(rounds):
        rest.add([seller.time_us(calls.message("sale", close=False)) for _ in range(block)])
        for each in others:
            each.send(calls.message("identify by phone", close=False))
        beside.add([seller.time_us(calls.message("sale", close=False)) for _ in range(block)])
        for each in others:
            each.answer()
    for each in (seller, *others):
        each.close()
    return rest, beside


def _phone(number: int) -> bytes:
    return json.dumps({"phone": people.phone(number)}).encode()
