"""The line between till and cloud, as a proxy in a thread: it can be cut, or answer nonsense in the cloud's place."""

import asyncio
import contextlib
import ssl
import threading
from collections.abc import Callable, Coroutine
from typing import Any, Literal

from kit.waiting import wait_for

Mode = Literal["pass", "stall", "late", "500", "html", "json", "portal", "swallow", "reset"]
"""What becomes of a request.

stall: nothing, until `mode` is another one; then it is dropped. late: the same, but then it is passed on. 500, html,
json, portal (a redirect): such an answer, with the cloud never asked. swallow: the cloud carries it out, and HTML is
answered in its place. reset: the cloud carries it out, and the connection breaks.
"""

PAGE = b"<!doctype html><html><body>Free Wi-Fi! acked_seq: 1000000 <a href='/login'>log in</a></body></html>"
STEP_S = 0.02
TURNS = 10
"""Of the loop: a connection has been taken, greeted and given to whom serves it, or closed, after three or four."""
CALL_TIMEOUT_S = 10.0


def _answer(status: str, kind: str, body: bytes, *more: str) -> bytes:
    head = [f"HTTP/1.1 {status}", f"Content-Type: {kind}", f"Content-Length: {len(body)}", "Connection: close", *more]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


ANSWERS: dict[str, bytes] = {
    "500": _answer("500 Internal Server Error", "text/plain", b"boom"),
    "html": _answer("200 OK", "text/html", PAGE),
    "json": _answer("200 OK", "application/json", b'{"status":"ok","acked_seq":1000000,"results":[]}'),
    "portal": _answer("302 Found", "text/html", PAGE, "Location: http://127.0.0.1:9/login"),
    "swallow": _answer("200 OK", "text/html", PAGE),
}


class Line:
    """Listens on a loopback port that stays the same, and passes requests on to `target_port` while `mode` is "pass".

    `mode` may be a function of method and path, for faults of some calls only. `seen` are all requests with what
    became of them.
    """

    def __init__(self, target_port: int = 0, *, tls: ssl.SSLContext | None = None) -> None:
        self.target_port = target_port
        self.tls = tls
        """By what certificate it answers, from the next `mend` on; None: without encryption."""
        self.mode: Any | Callable[[str, str], Any] = "pass"
        self.seen: list[tuple[str, str, str]] = []
        self.held = 0
        """Requests that are stalled at this moment."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="line", daemon=True)
        self._thread.start()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = self._call(self._listen(0))

    def cut(self) -> None:
        """Nobody listens any more, and every connection breaks."""
        self._call(self._close())

    def mend(self) -> None:
        """The same port answers again, in the present mode."""
        if self._server is None:
            self._call(self._listen(self.port))

    def stop(self) -> None:
        """Nothing listens or runs afterwards."""
        if not self._loop.is_closed():
            self.cut()
            self._call(self._finish())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(CALL_TIMEOUT_S)
            self._loop.close()

    def count(self, mode: str, path_end: str = "") -> int:
        """How many requests had this fate."""
        return sum(1 for _, path, fate in self.seen if fate == mode and path.partition("?")[0].endswith(path_end))

    def wait_count(self, mode: str, path_end: str = "", count: int = 1) -> None:
        """Wait until so many requests had this fate."""
        wait_for(lambda: self.count(mode, path_end) >= count, f"{count} requests {path_end} to be answered by {mode}")

    def _call(self, work: Coroutine[Any, Any, int]) -> int:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(CALL_TIMEOUT_S)

    async def _listen(self, port: int) -> int:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port, ssl=self.tls)
        return int(self._server.sockets[0].getsockname()[1])

    async def _close(self) -> int:
        if self._server is not None:
            # Whom asyncio has taken but not greeted yet it leaves open for ever when the server is closed meanwhile.
            for each in self._server.sockets:
                self._loop.remove_reader(each.fileno())
            for _ in range(TURNS):
                await asyncio.sleep(0)
            self._server.close()
            self._server = None
        quiet = 0
        while quiet < TURNS:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            # A connection that was made a moment ago is served only in a turn or two: it breaks with the others.
            await asyncio.sleep(0)
            quiet = 0 if self._tasks else quiet + 1
        return 0

    async def _finish(self) -> int:
        """What still greets somebody, or breaks off, is through with it: nothing may be left open."""
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)
        for _ in range(TURNS):
            await asyncio.sleep(0)
        return 0

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                await self._one(reader, writer)
        except asyncio.CancelledError:
            writer.transport.abort()  # the line was cut
        finally:
            writer.close()
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await writer.wait_closed()
            self._tasks.discard(task)

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request a connection: simple, and what a bad line looks like anyway."""
        head = await reader.readuntil(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        method, path, _ = lines[0].split(" ", 2)
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        body = await reader.readexactly(int(headers.get("content-length") or 0))
        mode = self.mode(method, path) if callable(self.mode) else self.mode
        self.seen.append((method, path, mode))
        if mode in ("stall", "late"):
            await self._hold(mode, method, path)
        if mode == "stall":
            return
        answer = b""
        if mode in ("pass", "late", "swallow", "reset"):
            answer = await self._ask_cloud(lines, body)
        if mode == "reset":
            return
        writer.write(ANSWERS.get(mode, answer))
        await writer.drain()

    async def _hold(self, mode: Mode, method: str, path: str) -> None:
        self.held += 1
        try:
            while (self.mode(method, path) if callable(self.mode) else self.mode) == mode:
                await asyncio.sleep(STEP_S)
        finally:
            self.held -= 1

    async def _ask_cloud(self, lines: list[str], body: bytes) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.target_port)
        try:
            kept = [line for line in lines if line and not line.lower().startswith("connection:")]
            writer.write("\r\n".join([*kept, "Connection: close"]).encode("latin-1") + b"\r\n\r\n" + body)
            await writer.drain()
            return await reader.read(-1)
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
