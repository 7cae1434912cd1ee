"""Where a simulated printer's bytes come from: TCP connections and a pseudo-terminal."""

import asyncio
import contextlib
import os
import sys
from pathlib import Path
from typing import Protocol

RECEIVE_BUFFER_BYTES = 8_192
"""Bytes that a deaf printer's network card takes before the sender feels it: about what a real interface has."""
READ_BYTES = 4_096


class Link(Protocol):
    """One way to answer."""

    def send(self, data: bytes) -> None: ...
    def listen(self, *, hears: bool) -> None:
        """Go on reading, or stop; a link that does not hear takes no bytes at all."""
        ...

    def cut(self) -> None:
        """Gone, without a word."""
        ...


class Head(Protocol):
    """What links report to."""

    def joined(self, link: Link) -> None: ...
    def received(self, link: Link, data: bytes) -> None: ...
    def left(self, link: Link) -> None: ...


class TcpLink(asyncio.Protocol):
    """One TCP connection."""

    def __init__(self, head: Head) -> None:
        self._head = head
        self._transport: asyncio.Transport | None = None
        self._hears = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.Transport):
            self._transport = transport
        self._head.joined(self)

    def data_received(self, data: bytes) -> None:
        self._head.received(self, data)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._transport = None
        self._head.left(self)

    def send(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def listen(self, *, hears: bool) -> None:
        if self._transport is None or hears == self._hears:
            return
        self._hears = hears
        if hears:
            self._transport.resume_reading()
        else:
            self._transport.pause_reading()

    def cut(self) -> None:
        if self._transport is not None:
            self._transport.abort()


async def listen_tcp(head: Head, host: str, port: int) -> asyncio.Server:
    """Serve `head` on `host:port`; port 0 takes a free one."""
    import socket

    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
        listener.bind((host, port))
        return await asyncio.get_running_loop().create_server(lambda: TcpLink(head), sock=listener)
    except BaseException:
        listener.close()
        raise


class PtyLink:
    """A pseudo-terminal; programs open `path`. The simulator holds both ends, so that it outlives its readers."""

    def __init__(self, head: Head, link: Path | None) -> None:
        if sys.platform == "win32":
            raise OSError("pseudo-terminals exist on Linux only; use TCP")
        import tty

        self._head = head
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.path = os.ttyname(self._slave)
        self._link = link
        if link is not None:
            with contextlib.suppress(FileNotFoundError):
                link.unlink()
            link.symlink_to(self.path)
        self._hears = False
        self._is_open = True
        head.joined(self)
        self.listen(hears=True)

    def send(self, data: bytes) -> None:
        if self._is_open:
            with contextlib.suppress(OSError):  # nobody reads: a printer does not care
                os.write(self._master, data)

    def listen(self, *, hears: bool) -> None:
        if not self._is_open or hears == self._hears:
            return
        self._hears = hears
        loop = asyncio.get_running_loop()
        if hears:
            loop.add_reader(self._master, self._read)
        else:
            loop.remove_reader(self._master)

    def cut(self) -> None:
        """Unplugged: readers get an error, and the name is gone."""
        if not self._is_open:
            return
        self.listen(hears=False)
        self._is_open = False
        os.close(self._master)
        os.close(self._slave)
        if self._link is not None and self._link.is_symlink():
            self._link.unlink()
        self._head.left(self)

    def _read(self) -> None:
        try:
            data = os.read(self._master, READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            self.cut()
            return
        self._head.received(self, data)
