"""A client that costs next to nothing: requests are bytes made beforehand, answers are read just as far as needed."""

import socket
import time
from collections.abc import Iterable

TIMEOUT_S = 20.0
READ_BYTES = 65_536
HEAD_END = b"\r\n\r\n"


class BadAnswerError(Exception):
    """Raised when a server answers something else than 200: a figure of refusals would be worth nothing."""


def request(
    method: str, path: str, port: int, body: bytes = b"", *, token: str = "", headers: Iterable[str] = (), close: bool
) -> bytes:
    """One HTTP/1.1 request as cash software would send it, with its connection closed after it or kept."""
    lines = [
        f"{method} {path} HTTP/1.1",
        f"Host: 127.0.0.1:{port}",
        "X-Tillside-Client: bench",
        f"Connection: {'close' if close else 'keep-alive'}",
        *headers,
    ]
    if token:
        lines.append(f"Authorization: Bearer {token}")
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join(lines).encode("ascii") + HEAD_END + body


class Connection:
    """One kept connection."""

    def __init__(self, port: int) -> None:
        self._socket = open_socket(port)

    def call(self, message: bytes) -> bytes:
        """Send, and read one whole answer with a length; gives its body."""
        self._socket.sendall(message)
        return read_answer(self._socket)

    def send(self, message: bytes) -> None:
        """Send, and leave the answer for later or for nobody."""
        self._socket.sendall(message)

    def time_us(self, message: bytes) -> float:
        """Microseconds from the first byte sent to the last one read."""
        started = time.perf_counter_ns()
        self._socket.sendall(message)
        read_answer(self._socket)
        return (time.perf_counter_ns() - started) / 1000

    def answer(self) -> bytes:
        """The body of the answer to what was sent."""
        return read_answer(self._socket)

    def close(self) -> None:
        """Hang up."""
        self._socket.close()


def time_new_us(port: int, message: bytes) -> float:
    """Microseconds from the wish to connect to the last byte read, on a connection of its own."""
    started = time.perf_counter_ns()
    connection = open_socket(port)
    connection.sendall(message)
    read_answer(connection)
    took = time.perf_counter_ns() - started
    connection.close()
    return took / 1000


def open_socket(port: int) -> socket.socket:
    """Connected, with the small packets of requests sent at once."""
    connection = socket.create_connection(("127.0.0.1", port), TIMEOUT_S)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def read_answer(connection: socket.socket) -> bytes:
    """The body of one answer that has a length. BadAnswerError."""
    data = connection.recv(READ_BYTES)
    while HEAD_END not in data:
        more = connection.recv(READ_BYTES)
        if not more:
            raise BadAnswerError(f"the connection ended in {data[:200]!r}")
        data += more
    head, _, body = data.partition(HEAD_END)
    if not head.startswith(b"HTTP/1.1 200"):
        raise BadAnswerError(f"expected 200, not {(head + body)[:600]!r}")
    length = length_of(head)
    while len(body) < length:
        more = connection.recv(READ_BYTES)
        if not more:
            raise BadAnswerError("the connection ended inside an answer")
        body += more
    return body


def length_of(head: bytes) -> int:
    """Content-Length of an answer's head. BadAnswerError when it has none."""
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    raise BadAnswerError(f"expected an answer with a length, not {head[:300]!r}")
