"""The floor of HTTP: a bare Starlette route that gives back what it gets, on the very server that the bridge runs on.

No guard, no token, no decoding. Run as a process of its own: `python -m tillbench.echo READY_FILE`.
"""

import asyncio
import json
import signal
import sys
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from till_sync.http.serving import Server


async def echo(request: Request) -> Response:
    """The body as it came."""
    return Response(await request.body(), media_type="application/json")


async def main(ready: Path) -> None:
    """Serve until SIGTERM; say where in `ready`."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    server = Server(Starlette(routes=[Route("/echo", echo, methods=["POST", "PUT"])]), hosts=("127.0.0.1",))
    port = await server.start()
    draft = ready.with_suffix(".draft")
    draft.write_text(json.dumps({"port": port}), encoding="ascii")
    draft.replace(ready)
    await stop.wait()
    await server.stop()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
