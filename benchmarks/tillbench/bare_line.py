"""The floor of a scan: a bare loop that reads a terminal and says so on a connection, on the machine's own terms.

No driver, no agent, no lookup. Run as a process of its own: `python -m tillbench.bare_line TERMINAL PORT`.
"""

import os
import socket
import sys

READ_BYTES = 1_024


def main(terminal: str, port: int) -> None:
    """For every line that comes, send it on; until the terminal is gone."""
    line = os.open(terminal, os.O_RDONLY | os.O_NOCTTY)
    data = b""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(b"ready\n")
        try:
            while piece := os.read(line, READ_BYTES):
                data += piece
                *whole, data = data.split(b"\n")
                for each in whole:
                    connection.sendall(each + b"\n")
        except OSError:  # unplugged: the other end of the terminal is closed
            return


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
