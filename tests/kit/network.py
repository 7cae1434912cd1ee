"""A line that does to single requests what networks do: loses, repeats, reorders, stalls, resets, slows them down.

Which fate a request meets is `mode`, as of `kit.proxy.Line`; a fate may also be the bytes of an answer.
"""

import asyncio
import contextlib
import random
import socket
import ssl
import struct
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import trustme

from kit.proxy import ANSWERS, Line

FATES = (
    "lose",
    "repeat",
    "keep",
    "silent",
    "silent-in-head",
    "silent-in-body",
    "reset-in-request",
    "reset-in-answer",
    "reset-after",
    "bytes",
    "drip",
    "stale",
    "stale-closed",
    "swallow",
    "html",
    "json",
    "500",
)
"""What can happen to a request.

lose: it never arrives, and the connection ends. repeat: the same bytes arrive twice. keep: lost for now; `deliver`
brings it later. silent: it is read and never answered; -in-head, -in-body: the answer stops there. reset-...: RST in
mid-request, in mid-answer, or when the cloud has carried it out. bytes: both ways in pieces of one byte. drip: the
answer comes at a byte a second. stale: answered, and the connection is dead for the next request, by RST; -closed: by
an orderly end that comes before it. swallow, html, json, 500: as of `Line`.
"""

DRIP_S = 1.0
CLOSED_AFTER_S = 0.02


class Request(NamedTuple):
    """What the till sent: the lines of its head, and its body."""

    lines: list[str]
    body: bytes


class Network(Line):
    """Keeps what it did in `seen`, and what became of repeated and late requests in `statuses`."""

    def __init__(self, *, tls: ssl.SSLContext | None = None) -> None:
        self.kept: list[Request] = []
        self.statuses: list[str] = []
        super().__init__(tls=tls)

    def deliver(self) -> None:
        """Bring what was kept to the cloud, oldest first: long after all that came later."""
        self._call(self._deliver())

    async def _deliver(self) -> int:
        kept, self.kept = self.kept, []
        for request in kept:
            self._note(await self._ask_cloud(request.lines, request.body))
        return len(kept)

    def _note(self, answer: bytes) -> None:
        self.statuses.append(answer[9:12].decode("latin-1"))

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            lines = head.decode("latin-1").split("\r\n")
            method, path, _ = lines[0].split(" ", 2)
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
            fate = self.mode(method, path) if callable(self.mode) else self.mode
            self.seen.append((method, path, fate if isinstance(fate, str) else "answer"))
            length = int(headers.get("content-length") or 0)
            if fate == "reset-in-request":
                await reader.readexactly(length // 2)
                return reset(writer)
            request = Request(lines, await reader.readexactly(length))
            if not await self._meet(fate, request, reader, writer):
                return None

    async def _meet(
        self, fate: str | bytes, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """Whether the connection goes on."""
        if isinstance(fate, bytes) or fate in ("html", "json", "portal", "500"):
            writer.write(fate if isinstance(fate, bytes) else ANSWERS[fate])
            await writer.drain()
        elif fate == "keep":
            self.kept.append(request)
        elif fate in ("silent", "late"):
            await reader.read(1)  # nothing comes but the end, when the till has had enough
            if fate == "late":
                self._note(await self._ask_cloud(request.lines, request.body))
        elif fate != "lose":
            return await self._answer(fate, request, reader, writer)
        return False

    async def _answer(
        self, fate: str, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        if fate == "repeat":
            self._note(await self._ask_cloud(request.lines, request.body))
        if fate == "bytes":
            answer = await self._ask_in_bytes(request)
        else:
            answer = await self._ask_cloud(request.lines, request.body)
        head_end = answer.index(b"\r\n\r\n") + 4
        half = {"silent-in-head": head_end // 2, "silent-in-body": (head_end + len(answer)) // 2}
        if fate == "reset-after":
            reset(writer)
        elif fate == "reset-in-answer":
            writer.write(answer[: (head_end + len(answer)) // 2])
            await writer.drain()
            reset(writer)
        elif fate in half:
            writer.write(answer[: half[fate]])
            await reader.read(1)
        elif fate in ("bytes", "drip"):
            await write_slowly(reader, writer, answer, DRIP_S if fate == "drip" else 0)
        elif fate == "swallow":
            writer.write(ANSWERS["swallow"])
            await writer.drain()
        else:
            return await self._go_on(fate, answer, reader, writer)
        return False

    async def _go_on(
        self, fate: str, answer: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """Answer in whole. The connection is kept, but for those that only look as if they were."""
        head, _, body = answer.partition(b"\r\n\r\n")
        kept = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"connection:")]
        writer.write(b"\r\n".join(kept) + b"\r\n\r\n" + body)
        await writer.drain()
        if fate == "stale":
            await reader.read(1)
            reset(writer)
        elif fate == "stale-closed":
            await asyncio.sleep(CLOSED_AFTER_S)
        return not fate.startswith("stale")

    async def _ask_in_bytes(self, request: Request) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.target_port)
        try:
            kept = [line for line in request.lines if line and not line.lower().startswith("connection:")]
            raw = "\r\n".join([*kept, "Connection: close"]).encode("latin-1") + b"\r\n\r\n" + request.body
            await write_slowly(None, writer, raw, 0)
            return await reader.read(-1)
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


async def write_slowly(
    reader: asyncio.StreamReader | None, writer: asyncio.StreamWriter, raw: bytes, pause_s: float
) -> None:
    """A byte at a time, until the other end has had enough."""
    plain: socket.socket = writer.get_extra_info("socket")
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for place in range(len(raw)):
        writer.write(raw[place : place + 1])
        await writer.drain()
        await asyncio.sleep(pause_s)
        if reader is not None and reader.at_eof():
            return


def reset(writer: asyncio.StreamWriter) -> None:
    """End the connection by RST."""
    plain: socket.socket = writer.get_extra_info("socket")
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


class Certificates:
    """A chain's own authority, and certificates that a till must and must not take for the cloud's at 127.0.0.1."""

    def __init__(self, folder: Path) -> None:
        authority = trustme.CA()
        now = datetime.now(UTC)
        self.authority_file = folder / "authority.pem"
        authority.cert_pem.write_to_path(str(self.authority_file))
        self.good = _context(authority.issue_cert("127.0.0.1"))
        past = {"not_before": now - timedelta(days=30), "not_after": now - timedelta(days=1)}
        self.bad = {
            "expired": _context(authority.issue_cert("127.0.0.1", **past)),
            "for another host": _context(authority.issue_cert("other.example")),
            "of an unknown authority": _context(trustme.CA().issue_cert("127.0.0.1")),
        }


def _context(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


def refusal(status: str, retry_after: str = "", *, retry_after_ms: object = None) -> bytes:
    """An answer that sends the till away: with a header, or as a problem of ours with a slot."""
    more = f"Retry-After: {retry_after}\r\n" if retry_after else ""
    body, kind = b"busy", "text/plain"
    if retry_after_ms is not None:
        number = status.partition(" ")[0]
        body = (
            f'{{"type":"about:blank","title":"Busy","status":{number},"detail":"","code":"busy","retryable":true,'
            f'"retry_after_ms":{retry_after_ms}}}'
        ).encode()
        kind = "application/problem+json"
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n{more}Connection: close\r\n\r\n"
    )
    return head.encode() + body


def a_script(rng: random.Random, steps: int) -> list[tuple[str, int]]:
    """Fates, and for how many requests each lasts, with quiet stretches between them."""
    return [(rng.choice(FATES if rng.random() < 0.7 else ("pass",)), rng.randint(1, 3)) for _ in range(steps)]
