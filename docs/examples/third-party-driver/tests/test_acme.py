"""Both drivers keep what the agent counts on."""

import asyncio
import shutil
from pathlib import Path
from types import SimpleNamespace

from acme_till.printer import TextFilePrinter
from acme_till.scanner import LineScanner

from till_drivers.conformance import check_printer, check_scanner


class Belt:
    """The scanner's stand-in: a TCP server on a port of its own that comes and goes."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._server: asyncio.Server | None = None
        self._writers: list[asyncio.StreamWriter] = []
        self._joined = asyncio.Event()

    async def plug(self) -> None:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", self.port)

    async def unplug(self) -> None:
        if self._server is not None:
            self._server.close()
            for writer in self._writers:
                writer.close()
            self._writers.clear()
            self._joined.clear()
            self._server = None

    async def scan(self, code: str) -> None:
        await self._joined.wait()
        self._writers[-1].write(code.encode() + b"\r\n")

    async def _connected(self, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        self._joined.set()


class Folder:
    """The printer's stand-in."""

    def __init__(self, path: Path) -> None:
        self.path = path

    async def plug(self) -> None:
        self.path.mkdir()

    async def unplug(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)

    async def jobs(self) -> int:
        return len(list(self.path.glob("slip-*.txt")))


def free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_the_scanner_conforms() -> None:
    port = free_port()
    settings = SimpleNamespace(name="belt", port=f"127.0.0.1:{port}")
    asyncio.run(check_scanner(lambda: LineScanner(settings), Belt(port)))


def test_the_printer_conforms(tmp_path: Path) -> None:
    folder = tmp_path / "slips"
    settings = SimpleNamespace(name="archive", device=str(folder), columns=48)
    asyncio.run(check_printer(lambda: TextFilePrinter(settings), Folder(folder)))
