"""A till's process for the snapshot faults: pulls until it has everything, or until it is told to die, or can't.

`python snapshot_child.py FOLDER PORT TILL TOKEN FATE`. FATE: "" or the name of the step at which it kills itself with
SIGKILL, or `limit:BYTES` of the largest file that it may write. Prints a JSON object at its end.
"""

import asyncio
import json
import os
import resource
import signal
import sys
from pathlib import Path

from till_agent.cache import CacheStore, CacheUnavailable, aside
from till_agent.cache import store as store_module
from till_sync import snapshots
from till_sync.client import CloudClient
from till_sync.clock import SystemClock
from till_sync.httpx_transport import HttpxTransport
from till_sync.pull import Puller

RANGE_BYTES = 64 * 1024
DIES_AT = {
    "in a range": (snapshots, "_write", 3),
    "before unpacking": (aside, "unpack", 1),
    "before the check": (aside, "_check", 1),
    "before own tables": (aside.Aside, "_make_own", 1),
    "before the first page": (aside.Aside, "write_page", 1),
    "before the last sync": (aside.Aside, "finish", 1),
    "before the rename": (store_module, "put_in_place", 1),
    "after the rename": (CacheStore, "_open", 2),
}


def die_at(name: str) -> None:
    """SIGKILL at the n-th call of a function, before it does anything."""
    owner, attribute, times = DIES_AT[name]
    function, calls = getattr(owner, attribute), iter(range(1, 10**9))

    def dying(*args: object, **kwargs: object) -> object:
        if next(calls) == times:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*args, **kwargs)

    setattr(owner, attribute, dying)


async def main(folder: Path, port: int, till: str, token: str) -> dict[str, object]:
    snapshots.FIRST_RANGE_BYTES = snapshots.MOST_RANGE_BYTES = RANGE_BYTES
    cache = CacheStore(folder / "cache.db", till)
    await cache.start()
    client = CloudClient(HttpxTransport(f"http://127.0.0.1:{port}"), till=till, token=token, clock=SystemClock())
    puller = Puller(client, cache, clock=SystemClock())
    incarnation = (await client.hello()).incarnation
    failed = ""
    try:
        while (await puller.pull(incarnation, known=(9, 9))).more:
            pass
    except CacheUnavailable as error:
        failed = str(error)
    served = 0 if cache.filling else sum(cache.by_id(f"m-{number:07}") is not None for number in range(6_000))
    await client.close()
    await cache.stop()
    left = sorted(path.name for path in folder.iterdir())
    return {"members": cache.member_count, "served": served, "failed": failed, "left": left}


if __name__ == "__main__":
    if sys.argv[5].startswith("limit:"):
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        limit = int(sys.argv[5].partition(":")[2])
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    elif sys.argv[5]:
        die_at(sys.argv[5])
    print(json.dumps(asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]))))
