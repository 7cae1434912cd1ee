"""A real cloud beside the tests' real agents, and the commands that its operator types."""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from click.testing import CliRunner

from integration.bridge.bridge_kit import WAIT_S
from till_cloud.centre import Centre
from till_cloud.jobs.service import JobsService
from till_cloud.server import CloudServer
from till_config.main import main


def tillside(*words: str) -> str:
    """What a command prints; it must succeed."""
    result = CliRunner().invoke(main, words, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


@contextlib.contextmanager
def cloud_served(database: Path, port: int = 0, *, send_codes: str = "", jobs: bool = False) -> Iterator[int]:
    """The cloud on a loop of its own thread; gives its port. `jobs`: it does those too, and often."""
    ports: list[int] = []
    stop: list[Callable[[], object]] = []
    started = threading.Event()

    async def serve() -> None:
        server = CloudServer(Centre(database), port=port, send_codes=send_codes)
        service = JobsService(server.centre, lending_period_s=0.05)
        ended = asyncio.Event()
        loop = asyncio.get_running_loop()
        ports.append(await server.start())
        stop.append(lambda: loop.call_soon_threadsafe(ended.set))
        if jobs:
            service.start()
        started.set()
        await ended.wait()
        await service.stop()
        await server.stop()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    assert started.wait(WAIT_S), "the cloud did not start"
    try:
        yield ports[0]
    finally:
        stop[0]()
        thread.join(WAIT_S)
