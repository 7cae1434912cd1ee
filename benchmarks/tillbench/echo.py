"""The floor of HTTP: a bare Starlette route that gives back what it gets, on the very server that the bridge runs on.

No guard, no token, no decoding. Run as a process of its own: `python -m tillbench.echo READY_FILE [FOLDER]`. With a
folder each call is answered after a commit's bytes are durable there, written by a thread: the floor of a sale.
"""

import asyncio
import json
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from till_sync.http.serving import Server
from tillbench.floor import DiskFloor


async def echo(request: Request) -> Response:
    """The body as it came."""
    return Response(await request.body(), media_type="application/json")


class Durable:
    """Echoes after a sync."""

    def __init__(self, folder: Path) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1)
        self._floor = DiskFloor(folder)

    async def echo(self, request: Request) -> Response:
        """The body as it came, once so much as a sale writes is on the disk."""
        body = await request.body()
        await asyncio.get_running_loop().run_in_executor(self._thread, self._floor.time_us)
        return Response(body, media_type="application/json")

    def close(self) -> None:
        """End the thread, remove the file."""
        self._thread.shutdown()
        self._floor.close()


async def main(ready: Path, folder: Path | None) -> None:
    """Serve until SIGTERM; say where in `ready`."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    durable = Durable(folder) if folder is not None else None
    answer = durable.echo if durable is not None else echo
    server = Server(Starlette(routes=[Route("/echo", answer, methods=["POST", "PUT"])]), hosts=("127.0.0.1",))
    port = await server.start()
    draft = ready.with_suffix(".draft")
    draft.write_text(json.dumps({"port": port}), encoding="ascii")
    draft.replace(ready)
    await stop.wait()
    await server.stop()
    if durable is not None:
        durable.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else None))
