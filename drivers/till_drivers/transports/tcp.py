"""Raw TCP, as network printers speak it on port 9100."""

import asyncio
import contextlib
import errno
import ipaddress
import socket
from typing import Any

from till_drivers.exceptions import TransportAbsent, TransportLost, TransportStalled
from till_drivers.transports.device_thread import DeviceThread

CHUNK_BYTES = 4096
"""Bytes given to the socket at once: what may be in doubt when a printer stops reading."""
SEND_BUFFER_BYTES = 16_384
"""Bytes of ours that the kernel may hold, so that a printer that never reads is noticed before a whole slip is gone."""

_Address = tuple[socket.AddressFamily, Any]
"""A family and its form of an address, as the socket module has them."""


class TcpTransport:
    """A connection to `host:port`; each `open` makes a new one."""

    def __init__(self, host: str, port: int) -> None:
        self.host = host
        self.port = port
        self._socket: socket.socket | None = None
        self._receiving: asyncio.Task[bytes] | None = None
        """Goes on over the end of a read's time: cut short, it would lose bytes that came in the very moment."""
        self._rest = b""
        """Bytes that came and nobody asked for yet."""
        self._names = DeviceThread(f"resolve-{host}")

    async def open(self, timeout_ms: int) -> None:
        """Connect. Raises TransportAbsent when nobody takes the connection in time."""
        await self.close(0)
        try:
            async with asyncio.timeout(timeout_ms / 1000):
                self._socket = await _connect(await self._resolve(timeout_ms))
        except TimeoutError as exc:
            raise TransportAbsent(f"{self.host}:{self.port}: no answer in {timeout_ms} ms") from exc
        except OSError as exc:
            raise TransportAbsent(f"{self.host}:{self.port}: {_words(exc)}") from exc

    async def read(self, size: int, timeout_ms: int) -> bytes:
        """Up to `size` bytes; b"" when none came in time. Raises TransportLost when the printer has hung up."""
        port = self._need()
        if not self._rest:
            if self._receiving is None:
                self._receiving = asyncio.ensure_future(asyncio.get_running_loop().sock_recv(port, CHUNK_BYTES))
            done, _ = await asyncio.wait({self._receiving}, timeout=timeout_ms / 1000)
            if not done:
                return b""
            receiving, self._receiving = self._receiving, None
            try:
                self._rest = receiving.result()
            except OSError as exc:
                raise TransportLost(f"{self.host}:{self.port}: {_words(exc)}") from exc
            if not self._rest:
                raise TransportLost(f"{self.host}:{self.port}: the printer closed the connection")
        data, self._rest = self._rest[:size], self._rest[size:]
        return data

    async def write(self, data: bytes, timeout_ms: int) -> None:
        """Hand all of `data` to the network. Raises TransportStalled when the printer stops reading; TransportLost."""
        port = self._need()
        loop = asyncio.get_running_loop()
        sent = 0
        try:
            async with asyncio.timeout(timeout_ms / 1000):
                for start in range(0, len(data), CHUNK_BYTES):
                    chunk = data[start : start + CHUNK_BYTES]
                    sent += len(chunk)  # counted before: a chunk cut short by the deadline may have gone in part
                    await loop.sock_sendall(port, chunk)
        except TimeoutError as exc:
            raise TransportStalled(f"{self.host}:{self.port}: the printer does not read", sent=sent) from exc
        except OSError as exc:
            raise TransportLost(f"{self.host}:{self.port}: {_words(exc)}") from exc

    async def close(self, timeout_ms: int) -> None:
        """Hang up, and wait at most `timeout_ms` for the printer to do so too: what the kernel holds still goes out.

        A socket that is closed with answers unread, or that gets one after, resets the connection; printers then throw
        away what they have not read yet, which may be the end of a slip.
        """
        port, self._socket = self._socket, None
        receiving, self._receiving = self._receiving, None
        self._rest = b""
        self._names.end()
        if port is None:
            return
        try:
            if receiving is not None:
                receiving.cancel()
                await asyncio.gather(receiving, return_exceptions=True)
            if timeout_ms:
                with contextlib.suppress(OSError, TimeoutError):
                    port.shutdown(socket.SHUT_WR)
                    async with asyncio.timeout(timeout_ms / 1000):
                        while await asyncio.get_running_loop().sock_recv(port, CHUNK_BYTES):
                            pass
        finally:
            port.close()

    def _need(self) -> socket.socket:
        if self._socket is None:
            raise TransportLost(f"{self.host}:{self.port}: not connected")
        return self._socket

    async def _resolve(self, timeout_ms: int) -> list[_Address]:
        with contextlib.suppress(ValueError):
            version = ipaddress.ip_address(self.host).version
            return [(socket.AF_INET6 if version == 6 else socket.AF_INET, (self.host, self.port))]
        # The loop's own resolver uses a pool whose threads are joined at exit, and a dead name server hangs for long.
        found = await self._names.call(
            lambda: socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM), timeout_ms
        )
        return [(family, address) for family, _, _, _, address in found]


def _words(exc: OSError) -> str:
    """What went wrong, the same on each system and in each of its languages; asyncio's own words of a connection that
    failed leave out why."""
    if isinstance(exc, ConnectionRefusedError):
        return "Connection refused"
    if isinstance(exc, ConnectionError):
        return "the printer closed the connection"
    known = {errno.EHOSTUNREACH: "No route to host", errno.ENETUNREACH: "Network is unreachable"}
    return known.get(exc.errno or 0, exc.strerror or str(exc))


async def _connect(addresses: list[_Address]) -> socket.socket:
    """To the first address that answers; the last one's OSError when none does."""
    for place, (family, address) in enumerate(addresses, start=1):
        try:
            return await _connect_to(family, address)
        except OSError:
            if place == len(addresses):
                raise
    raise OSError("the name has no address")


async def _connect_to(family: socket.AddressFamily, address: Any) -> socket.socket:
    port = socket.socket(family, socket.SOCK_STREAM)
    try:
        port.settimeout(0)  # the loop waits, not the socket
        port.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        port.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        port.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        await asyncio.get_running_loop().sock_connect(port, address)
    except BaseException:
        port.close()
        raise
    return port
