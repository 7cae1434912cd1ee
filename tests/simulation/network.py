"""The line between a till and the cloud, with every fault that lines have, drawn from a seed."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from random import Random
from typing import Literal

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from till_sync.exceptions import CloudUnreachable
from till_sync.transport import Reply
from till_sync.wire import HelloAnswer, PushAnswer

Carry = Callable[[str, str, Mapping[str, str], bytes], Awaitable[Reply]]

Fault = Literal["none", "lost", "answer_lost", "repeated", "late", "half_open", "busy", "portal", "broken_answer"]
FAULTS: tuple[Fault, ...] = ("lost", "answer_lost", "repeated", "late", "half_open", "busy", "portal", "broken_answer")
LATE_S = 600.0
"""How late a request may come: minutes after the till has given it up, and has sent it again."""
HALF_OPEN_S = 86_400.0
SLOT_MS = 20_000
_push = msgspec.json.Decoder(PushAnswer)
_hello = msgspec.json.Decoder(HelloAnswer)


class Line(Struct):
    """The state of one till's line: cut or not, and the share of exchanges that meet a fault."""

    cut: bool = False
    fault_percent: int = 0
    slots: bool = False
    """The cloud takes one operation at a time from this till, then has it wait: pages overtake what waits here."""


class SimulatedTransport:
    """Fits `till_sync.transport.Transport`. `alive` says whether the process that asks is still there."""

    def __init__(self, carry: Carry, line: Line, random: Random, alive: Callable[[], bool]) -> None:
        self._carry = carry
        self._line = line
        self._random = random
        self._alive = alive
        self._behind: set[asyncio.Task[object]] = set()

    async def exchange(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str],
        body: bytes,
        answer_limit_bytes: int,
    ) -> Reply:
        fault = self._draw()
        await asyncio.sleep(self._random.uniform(0.001, 0.05))
        if self._line.cut or not self._alive():
            raise CloudUnreachable("the line is cut")
        if fault == "lost":
            raise CloudUnreachable("the request was lost")
        if fault == "half_open":
            await asyncio.sleep(HALF_OPEN_S)
        if fault == "busy":
            return _busy(self._random)
        if fault == "portal":
            return Reply(200, {"content-type": "text/html"}, b"<html>Please log in to the shop's network</html>")
        if fault == "late":
            self._leave(self._later(method, path, headers, body))
            raise CloudUnreachable("the connection was reset")
        reply = await self._carry(method, path, headers, body)
        if self._line.slots and reply.status == 200:
            reply = _slotted(path.partition("?")[0], reply)
        if fault == "repeated":
            self._leave(self._later(method, path, headers, body))
        await asyncio.sleep(self._random.uniform(0.001, 0.05))
        if fault == "answer_lost" or not self._alive():
            raise CloudUnreachable("the answer was lost")
        if fault == "broken_answer":
            return Reply(reply.status, reply.headers, reply.body[: self._random.randrange(len(reply.body) + 1)])
        return reply

    async def close(self) -> None:
        """Nothing is open."""

    def _draw(self) -> Fault:
        if self._random.randrange(100) >= self._line.fault_percent:
            return "none"
        return self._random.choice(FAULTS)

    async def _later(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> None:
        """The network delivers it again, or at last; whoever sent it hears nothing of the answer."""
        await asyncio.sleep(self._random.uniform(0.05, LATE_S))
        try:
            await self._carry(method, path, headers, body)
        except CloudUnreachable:
            return

    def _leave(self, work: Awaitable[object]) -> None:
        task: asyncio.Task[object] = asyncio.ensure_future(work)
        self._behind.add(task)
        task.add_done_callback(self._behind.discard)


def _slotted(path: str, reply: Reply) -> Reply:
    if path.endswith("/hello"):
        hello = _hello.decode(reply.body)
        return _answer(reply, replace(hello, limits=replace(hello.limits, max_ops=1)))
    if path.endswith("/ops"):
        push = _push.decode(reply.body)
        return _answer(reply, replace(push, retry_after_ms=SLOT_MS, limits=replace(push.limits, max_ops=1)))
    return reply


def _answer(reply: Reply, answer: Struct) -> Reply:
    return Reply(reply.status, reply.headers, msgspec.json.encode(answer))


def _busy(random: Random) -> Reply:
    """503 with what servers and the boxes between write into Retry-After."""
    headers = {"content-type": "text/plain"}
    wait = random.choice(("", "0", "2", "120", "999999999999", "soon", "-5", "Wed, 21 Oct 2015 07:28:00 GMT"))
    if wait:
        headers["retry-after"] = wait
    return Reply(random.choice((429, 503)), headers, b"busy")
