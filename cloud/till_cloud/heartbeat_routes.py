"""`POST /v1/tills/{till}/heartbeat`."""

import asyncio
import sqlite3
from collections.abc import Callable

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from till_cloud.busy import Busy
from till_cloud.centre import Centre
from till_cloud.exceptions import RefusedError
from till_cloud.heartbeats import Arrivals, WantedFor, nothing_wanted, receive
from till_cloud.store import tills
from till_sync.heartbeat import HEARTBEAT_PATH, Heartbeat, HeartbeatAnswer
from till_sync.http.bodies import read_json
from till_sync.signing import COUNTER_HEADER

BODY_BYTES = 64 * 1024
"""64 problems and 64 devices with names of 80 characters take 25 KB; a usual heartbeat takes under 1 KB."""
COUNTER_DIGITS = 16
"""As the signature's own check has it."""

_beats = msgspec.json.Decoder(Heartbeat)
_encode = msgspec.json.Encoder().encode


class HeartbeatRoutes:
    """Handlers over one centre; `check` raises unless the request comes from the till of that id."""

    def __init__(
        self,
        centre: Centre,
        check: Callable[[Request, str], object],
        busy: Busy,
        *,
        wanted_for: WantedFor = nothing_wanted,
    ) -> None:
        self._centre = centre
        self._check = check
        self._busy = busy
        self._wanted_for = wanted_for
        self._arrivals = Arrivals()

    def routes(self) -> list[Route]:
        return [Route(HEARTBEAT_PATH, self.beat, methods=["POST"])]

    async def beat(self, request: Request) -> Response:
        """Keep what the till says, answer what it is to have."""
        till_id = request.path_params["till"]
        self._check(request, till_id)
        with self._busy.one():
            beat = await read_json(request, _beats, limit_bytes=BODY_BYTES)
            now_ms = self._centre.wall_ms()
            # Of a till that signs, the check has proven it; of another one it does not count.
            told = request.headers.get(COUNTER_HEADER, "")
            counter = int(told) if told.isascii() and told.isdigit() and len(told) <= COUNTER_DIGITS else 0

            def keep(connection: sqlite3.Connection) -> HeartbeatAnswer:
                till = tills.till(connection, till_id)
                if till is None:
                    raise RefusedError(404, "till_unknown", "expected a till that was added")
                late = self._arrivals.is_late(till, counter)
                return receive(connection, till, beat, now_ms, wanted_for=self._wanted_for, is_late=late)

            answer = await asyncio.wrap_future(self._centre.write(keep))
        return Response(_encode(answer), media_type="application/json")
