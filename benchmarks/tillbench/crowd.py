"""Many callers at once, as a program is that lost its patience: connections of their own, all opened at one moment.

One thread with a selector: fifty threads of Python would wait for each other, and be measured instead of the bridge.
For the same reason requests and sockets of a burst are ready before it begins, each request goes out with its
connection, and an answer has come when all its bytes are there, as its length says: cash software waits for no more.
"""

import contextlib
import errno
import selectors
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Self

from tillbench.wire import HEAD_END, READ_BYTES, TIMEOUT_S, BadAnswerError, length_of

GOOD = b"HTTP/1.1 200"
_UNDER_WAY = {errno.EINPROGRESS, errno.EWOULDBLOCK, 0}

Make = Callable[[int], bytes]
"""The request of the n-th call, with its connection closed after it."""


@dataclass
class Crowd:
    """What became of the calls: microseconds from the wish to connect to the answer's end, and what was no 200."""

    took: list[float] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    seconds: float = 0.0


@dataclass(slots=True)
class _Caller:
    connection: socket.socket
    message: bytes
    began_ns: int = 0
    ended_ns: int = 0
    wanted: int = 0
    answer: bytes = b""


def bursts(port: int, make: Make, *, at_once: int, every_s: float, for_s: float) -> Crowd:
    """`at_once` calls at one moment, again after `every_s`, for `for_s` seconds."""
    crowd = Crowd()
    began = time.monotonic()
    number = 0
    while (now := time.monotonic() - began) < for_s:
        with _Round(port, crowd) as calls:
            messages = [make(number + index) for index in range(at_once)]
            number += at_once
            callers = [calls.prepare(message) for message in messages]
            for caller in callers:
                calls.begin(caller)
            while calls.open:
                calls.step()
        time.sleep(max(0.0, every_s - (time.monotonic() - began - now)))
    crowd.seconds = time.monotonic() - began
    return crowd


def without_pause(port: int, make: Make, *, at_once: int, for_s: float) -> Crowd:
    """`at_once` callers, each of which calls again as soon as it was answered, for `for_s` seconds."""
    crowd = Crowd()
    began = time.monotonic()
    number = 0
    with _Round(port, crowd) as calls:
        while True:
            while len(calls.open) < at_once and time.monotonic() - began < for_s:
                calls.begin(calls.prepare(make(number)))
                number += 1
            if not calls.open:
                break
            calls.step()
    crowd.seconds = time.monotonic() - began
    return crowd


class _Round:
    """Calls under way."""

    def __init__(self, port: int, crowd: Crowd) -> None:
        self._port = port
        self._crowd = crowd
        self._selector = selectors.DefaultSelector()
        self.open: set[int] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._selector.close()

    def prepare(self, message: bytes) -> _Caller:
        """A caller that has all it needs but the connection."""
        connection = socket.socket()
        connection.settimeout(0)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return _Caller(connection, message)

    def begin(self, caller: _Caller) -> None:
        """Connect, and send at once; on the loopback a connection is there when the wish for it was uttered."""
        connection = caller.connection
        caller.began_ns = time.perf_counter_ns()
        fault = connection.connect_ex(("127.0.0.1", self._port))
        if fault not in _UNDER_WAY:
            self._crowd.failed.append(errno.errorcode.get(fault, str(fault)))
            connection.close()
            return
        self.open.add(connection.fileno())
        self._selector.register(connection, selectors.EVENT_READ, caller)
        try:
            self._send(caller)
        except OSError as exc:
            self._end(caller, exc.strerror or type(exc).__name__)

    def step(self) -> None:
        """Whatever goes on now; a call that takes longer than any ought to ends the measurement. TimeoutError."""
        ready: Sequence[tuple[selectors.SelectorKey, int]] = self._selector.select(TIMEOUT_S)
        if not ready:
            raise TimeoutError(f"no answer within {TIMEOUT_S:.0f} s")
        through: list[tuple[_Caller, str]] = []
        for key, events in ready:
            caller: _Caller = key.data
            try:
                if events & selectors.EVENT_WRITE:
                    self._send(caller)
                elif _has_all(caller):
                    through.append((caller, ""))
            except OSError as exc:
                through.append((caller, exc.strerror or type(exc).__name__))
        # Only now, so that nobody's answer lies unread while another one's is looked at.
        for caller, fault in through:
            self._end(caller, fault)

    def _send(self, caller: _Caller) -> None:
        try:
            sent = caller.connection.send(caller.message)
        except BlockingIOError:
            sent = 0
        caller.message = caller.message[sent:]
        events = selectors.EVENT_WRITE if caller.message else selectors.EVENT_READ
        self._selector.modify(caller.connection, events, caller)

    def _end(self, caller: _Caller, fault: str) -> None:
        self.open.discard(caller.connection.fileno())
        with contextlib.suppress(KeyError):
            self._selector.unregister(caller.connection)
        caller.connection.close()
        if not fault and caller.answer.startswith(GOOD) and len(caller.answer) == caller.wanted:
            self._crowd.took.append((caller.ended_ns - caller.began_ns) / 1000)
        else:
            self._crowd.failed.append(fault or caller.answer[:120].decode("latin-1"))


def _has_all(caller: _Caller) -> bool:
    """Read what has come; whether the answer is whole, or will not become so."""
    try:
        data = caller.connection.recv(READ_BYTES)
    except BlockingIOError:
        return False
    caller.ended_ns = time.perf_counter_ns()
    caller.answer = caller.answer + data if caller.answer else data
    if not caller.wanted:
        head, end, _ = caller.answer.partition(HEAD_END)
        if end:
            try:
                caller.wanted = len(head) + len(HEAD_END) + length_of(head)
            except BadAnswerError:
                return True
    return not data or 0 < caller.wanted <= len(caller.answer)
