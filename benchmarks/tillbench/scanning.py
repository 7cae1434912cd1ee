"""A scan: from the last byte that the scanner puts on its line to the event that cash software hears."""

import os
import socket
import sys
import time
from pathlib import Path

from tillbench import people
from tillbench.figures import Series
from tillbench.wire import HEAD_END, READ_BYTES, BadAnswerError, open_socket, request
from tillbench.world import World

SETTLE_S = 1.5
"""The agent looks for its scanners and loads the phone rules in this time."""
PAUSE_S = 0.02
"""Between two cards, so that each is a read of its own, as from a hand."""


def measure(world: World, state: Path, scans: int, members: int) -> Series | None:
    """Microseconds of each scan of a known card; None where there are no pseudo-terminals."""
    if sys.platform == "win32":
        return None
    import tty

    ours, theirs = os.openpty()
    tty.setraw(theirs)
    more = f'[[scanners]]\nname = "bench"\ndriver = "serial"\nport = "{os.ttyname(theirs)}"\n'
    till = world.start_agent(world.config("scan", state, more=more))
    series = Series("scan")
    stream = open_socket(till.port)
    try:
        stream.sendall(request("GET", "/v1/events", till.port, token=till.token, close=False))
        listener = Listener(stream)
        time.sleep(SETTLE_S)
        for number in range(scans + 1):
            took = _one(ours, listener, people.card(number * 37 % members))
            if number:
                series.add([took])
            time.sleep(PAUSE_S)
    finally:
        stream.close()
        os.close(ours)
        os.close(theirs)
        world.stop_agent()
    return series


def _one(line: int, listener: "Listener", card: str) -> float:
    text = card.encode("ascii")
    os.write(line, text)
    started = time.perf_counter_ns()
    os.write(line, b"\r\n")
    listener.wait_for(text)
    return (time.perf_counter_ns() - started) / 1000


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
