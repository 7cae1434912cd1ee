"""The line between the store and its cloud: a loopback relay that can be cut and mended while the day goes on."""

import asyncio
import contextlib
import threading
from collections.abc import Coroutine
from typing import Any

CHUNK_BYTES = 65536
START_TIMEOUT_S = 5.0
WITHHELD_WAIT_S = 3.0
"""How long a cut waits for a request whose answer it can swallow."""


class Line:
    """Relays TCP to the cloud in a thread of its own. `cut()` is rude on purpose: requests already on their way still
    reach the cloud, their answers never come back, which is how a real outage begins.
    """

    def __init__(self, target_port: int) -> None:
        self._target_port = target_port
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="demo-line", daemon=True)
        self._connections: set[asyncio.StreamWriter] = set()
        self._relays: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._answers = asyncio.Event()
        self._withheld = asyncio.Event()
        self.port = 0

    def start(self) -> None:
        """Listen on a free loopback port."""
        self._thread.start()
        self.port = self._call(self._listen(0))

    def cut(self) -> None:
        """Swallow the answer to one request that the cloud has carried out, then accept no connection any more."""
        self._call(self._cut_rudely())

    def mend(self) -> None:
        """The same port answers again."""
        self._call(self._listen(self.port))

    def stop(self) -> None:
        """Close everything; nothing listens afterwards."""
        self._call(self._cut())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(START_TIMEOUT_S)
        self._loop.close()

    def _call(self, work: Coroutine[Any, Any, int]) -> int:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(START_TIMEOUT_S)

    async def _listen(self, port: int) -> int:
        self._answers.set()
        self._server = await asyncio.start_server(self._relay, "127.0.0.1", port)
        return int(self._server.sockets[0].getsockname()[1])

    async def _cut_rudely(self) -> int:
        self._withheld.clear()
        self._answers.clear()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._withheld.wait(), WITHHELD_WAIT_S)
        return await self._cut()

    async def _cut(self) -> int:
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in list(self._connections):
            writer.close()
        for task in list(self._relays):
            task.cancel()
        await asyncio.gather(*self._relays, return_exceptions=True)
        return 0

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._relays.add(task)
        self._connections.add(writer)
        cloud_writer = None
        try:
            cloud_reader, cloud_writer = await asyncio.open_connection("127.0.0.1", self._target_port)
            await asyncio.gather(self._copy(reader, cloud_writer), self._copy(cloud_reader, writer, answers=True))
        except (OSError, asyncio.CancelledError):
            # Either end went away, or the line is being cut; closing both below tells whoever is left.
            pass
        finally:
            for side in (writer, cloud_writer):
                if side is not None:
                    side.close()
                    with contextlib.suppress(OSError, asyncio.CancelledError):
                        await side.wait_closed()
            self._connections.discard(writer)
            if task is not None:
                self._relays.discard(task)

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answers: bool = False) -> None:
        while chunk := await reader.read(CHUNK_BYTES):
            if answers and not self._answers.is_set():
                self._withheld.set()
                await self._answers.wait()
            writer.write(chunk)
            await writer.drain()
        writer.close()
