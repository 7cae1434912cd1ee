"""What links lose or make up, and must not: answers in the moment of a deadline, ends of slips, breaks for proofs."""

import asyncio
import os
import socket
import sys
import time

import pytest

from kit.loops import run
from till_drivers.exceptions import TransportStalled
from till_drivers.transports import SerialTransport, TcpTransport

not_on_windows = pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are Linux's")


def test_an_answer_that_comes_in_the_moment_of_the_deadline_is_not_lost() -> None:
    """The loop, held up, hears of both in one turn: the proof would be gone, and its slip in doubt."""

    async def go() -> None:
        server = socket.create_server(("127.0.0.1", 0))
        transport = TcpTransport("127.0.0.1", server.getsockname()[1])
        await transport.open(1_000)
        printer, _ = server.accept()
        reading = asyncio.ensure_future(transport.read(1, 20))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        printer.sendall(b"ab")
        time.sleep(0.05)  # this is what holds the loop up
        got = await reading
        while len(got) < 2:
            got += await transport.read(1, 1_000)
        assert got == b"ab"
        await transport.close(0)
        printer.close()
        server.close()

    run(go())


def test_a_close_does_not_cut_the_end_of_a_slip_off() -> None:
    """The printer has talked, and reads slowly: answers left unread would reset the connection under the slip."""

    async def go() -> None:
        server = socket.create_server(("127.0.0.1", 0))
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        transport = TcpTransport("127.0.0.1", server.getsockname()[1])
        await transport.open(1_000)
        printer, _ = server.accept()

        def read_slowly() -> int:
            printer.sendall(b"\x10\x00\x00\x00" * 8)
            got = 0
            while data := printer.recv(512):
                got += len(data)
                time.sleep(0.002)
            printer.close()
            return got

        reader = asyncio.ensure_future(asyncio.to_thread(read_slowly))
        await transport.write(bytes(12_000), 5_000)
        await transport.close(5_000)
        assert await reader == 12_000
        server.close()

    run(go())


def test_a_close_of_a_connection_that_nobody_ends_is_bounded() -> None:
    """A printer that never hangs up; and one that is not asked to."""

    async def go() -> None:
        server = socket.create_server(("127.0.0.1", 0))
        for wait in (50, 0):
            transport = TcpTransport("127.0.0.1", server.getsockname()[1])
            await transport.open(1_000)
            assert await transport.read(1, 1) == b""
            await transport.close(wait)
        server.close()

    run(go())


@not_on_windows
def test_a_serial_line_reads_neither_breaks_nor_broken_bytes() -> None:
    """A printer that loses its power sends both, and a zero byte is what the proof looks like."""
    import termios

    async def go() -> None:
        master, slave = os.openpty()
        transport = SerialTransport(os.ttyname(slave))
        await transport.open(1_000)
        assert await transport.read(1, 5) == b""
        await transport.write(b"x", 1_000)  # its time-outs make pyserial set the line up anew
        wanted = termios.IGNBRK | termios.IGNPAR
        assert termios.tcgetattr(slave)[0] & wanted == wanted
        await transport.close(500)
        os.close(slave)
        os.close(master)

    run(go())


@not_on_windows
def test_a_printer_may_hold_the_line_and_let_it_go_on() -> None:
    """XOFF and XON, for slips longer than its buffer; a stop of an earlier program's time is over at the opening."""

    async def go() -> None:
        master, slave = os.openpty()
        transport = SerialTransport(os.ttyname(slave), flow_control=True)
        for _ in range(2):
            await transport.open(1_000)
            await transport.write(b"slip", 1_000)
            assert os.read(master, 10) == b"slip"
            os.write(master, b"\x13")
            with pytest.raises(TransportStalled):
                await transport.write(bytes(200_000), 100)
            os.write(master, b"\x11")
            await transport.write(b"more", 1_000)
            assert os.read(master, 65_536).endswith(b"more")
            os.write(master, b"\x13")
            await transport.close(500)
        os.close(slave)
        os.close(master)

    run(go())
