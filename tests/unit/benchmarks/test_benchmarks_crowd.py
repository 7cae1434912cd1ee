"""Many callers at once: every call is counted, those that failed apart."""

import socketserver
import threading
from collections.abc import Iterator

import pytest

from tillbench.crowd import bursts, without_pause

GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
BAD = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"


class Desk(socketserver.BaseRequestHandler):
    """Good for all but those who ask for trouble."""

    def handle(self) -> None:
        asked = self.request.recv(1000)
        if asked != b"hang up":
            self.request.sendall(BAD if asked == b"refuse" else GOOD)


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 100


@pytest.fixture
def port() -> Iterator[int]:
    with Server(("127.0.0.1", 0), Desk) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def test_a_burst_is_answered_whole(port: int) -> None:
    found = bursts(port, lambda number: b"refuse" if number % 5 == 0 else b"x", at_once=20, every_s=0.05, for_s=0.06)
    assert (len(found.took) + len(found.failed)) % 20 == 0
    assert len(found.failed) * 4 == len(found.took)
    assert all("503" in fault for fault in found.failed)


def test_callers_without_a_pause_end_with_all_answers(port: int) -> None:
    asked: list[int] = []

    def make(number: int) -> bytes:
        asked.append(number)
        return b"hang up" if number == 3 else b"x"

    found = without_pause(port, make, at_once=5, for_s=0.05)
    assert len(found.took) + len(found.failed) == len(asked)
    assert len(found.failed) == 1


def test_nobody_there_is_a_failure_not_a_hang() -> None:
    found = bursts(1, lambda _number: b"x", at_once=3, every_s=0.0, for_s=0.001)
    assert not found.took
    assert len(found.failed) >= 3
