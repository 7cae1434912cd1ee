"""A scan: from the last byte that the scanner puts on its line to the event that cash software hears.

Beside it the floor: the same bytes on another terminal, read by a bare loop in a process of its own that sends them on.
"""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tillbench import people
from tillbench.figures import Series, ratio
from tillbench.wire import HEAD_END, READ_BYTES, TIMEOUT_S, BadAnswerError, open_socket, request
from tillbench.world import World, end

SETTLE_S = 1.5
"""The agent looks for its scanners and loads the phone rules in this time."""
PAUSE_S = 0.02
"""Between two cards, so that each is a read of its own, as from a hand."""
BLOCK = 10
"""Scans in a round, before as many of the floor."""


@dataclass
class Scanned:
    """Microseconds of known cards through the agent, and of the same bytes through a bare read, in rounds."""

    agent: Series
    bare: Series

    @property
    def ratio(self) -> float:
        """How many times the floor."""
        return ratio(self.agent, self.bare)


def measure(world: World, state: Path, scans: int, members: int) -> Scanned | None:
    """`scans` of each, by turns; None where there are no pseudo-terminals."""
    if sys.platform == "win32":
        return None
    found = Scanned(Series("scan"), Series("bare read"))
    with terminal() as (ours, name), bare_line() as (bare_ours, bare_told):
        more = f'[[scanners]]\nname = "bench"\ndriver = "serial"\nport = "{name}"\n'
        till = world.start_agent(world.config("scan", state, more=more))
        stream = open_socket(till.port)
        try:
            stream.sendall(request("GET", "/v1/events", till.port, token=till.token, close=False))
            listener = Listener(stream)
            time.sleep(SETTLE_S)
            numbers = iter(range(2 * scans + 2 * BLOCK))
            cards = (people.card(number * 37 % members) for number in numbers)
            for number in range(-1, max(1, scans // BLOCK)):  # the first round is to warm up
                own = [_one(ours, card, listener.wait_for) for _, card in zip(range(BLOCK), cards, strict=False)]
                bare = [_one(bare_ours, card, bare_told) for _, card in zip(range(BLOCK), cards, strict=False)]
                if number >= 0:
                    found.agent.add(own)
                    found.bare.add(bare)
        finally:
            stream.close()
            world.stop_agent()
    return found


def _one(line: int, card: str, wait: Callable[[bytes], None]) -> float:
    text = card.encode("ascii")
    time.sleep(PAUSE_S)
    os.write(line, text)
    started = time.perf_counter_ns()
    os.write(line, b"\r\n")
    wait(text)
    return (time.perf_counter_ns() - started) / 1000


@contextmanager
def terminal() -> Iterator[tuple[int, str]]:
    """A pseudo-terminal: our end, and the name of the other, which stays open."""
    import tty

    ours, theirs = os.openpty()
    tty.setraw(theirs)
    try:
        yield ours, os.ttyname(theirs)
    finally:
        os.close(ours)
        os.close(theirs)


@contextmanager
def bare_line() -> Iterator[tuple[int, Callable[[bytes], None]]]:
    """A terminal with the bare loop behind it: our end, and what waits until the loop has told a line."""
    with terminal() as (ours, name), socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(TIMEOUT_S)
        words = [sys.executable, "-m", "tillbench.bare_line", name, str(server.getsockname()[1])]
        environment = os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[1])}
        child = subprocess.Popen(words, stdin=subprocess.DEVNULL, env=environment)
        try:
            connection, _ = server.accept()
            connection.settimeout(TIMEOUT_S)
            with connection, connection.makefile("rb") as told:
                told.readline()

                def wait(text: bytes) -> None:
                    while (line := told.readline()) and text not in line:
                        pass
                    if not line:
                        raise BadAnswerError("the bare loop ended")

                yield ours, wait
        finally:
            end(child)


class Listener:
    """Reads the event stream as it comes."""

    def __init__(self, stream: socket.socket) -> None:
        self._stream = stream
        self._data = b""
        while HEAD_END not in self._data:
            self._more()

    def wait_for(self, text: bytes) -> None:
        """Until a whole `scan` event with that text has come. BadAnswerError when the stream ends."""
        while True:
            event, separator, rest = self._data.partition(b"\n\n")
            if not separator:
                self._more()
                continue
            self._data = rest
            if b"event: scan" in event and text in event:
                return

    def _more(self) -> None:
        data = self._stream.recv(READ_BYTES)
        if not data:
            raise BadAnswerError("the event stream ended")
        self._data += data
