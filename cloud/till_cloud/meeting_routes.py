"""`POST /v1/tills/{till}/members`: by a body, so that no tag is in a log of addresses."""

import asyncio
from collections.abc import Callable

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from till_cloud.busy import Busy
from till_cloud.centre import Centre
from till_cloud.meeting import Rationing, meet
from till_cloud.store.tills import TillRow
from till_sync.asking import MemberQuestion
from till_sync.http.bodies import read_json
from till_sync.wire import PATHS

BODY_BYTES = 4 * 1024
"""A question takes under 300 bytes."""

_questions = msgspec.json.Decoder(MemberQuestion)
_encode = msgspec.json.Encoder().encode


class MeetingRoutes:
    """Handlers over one centre; `check` raises unless the request comes from the till of that id."""

    def __init__(self, centre: Centre, check: Callable[[Request, str], TillRow], busy: Busy) -> None:
        self._centre = centre
        self._check = check
        self._busy = busy
        self._rationing = Rationing()

    def routes(self) -> list[Route]:
        return [Route(PATHS["members"], self.member, methods=["POST"])]

    async def member(self, request: Request) -> Response:
        """Who that is, for a till that does not hold them; 429 `too_many_questions`."""
        till = self._check(request, request.path_params["till"])
        with self._busy.one():
            question = await read_json(request, _questions, limit_bytes=BODY_BYTES)
            now_ms = self._centre.wall_ms()
            self._rationing.take(till.till, now_ms)
            answer = await asyncio.wrap_future(
                self._centre.write(lambda connection: meet(connection, till, question, now_ms, self._rationing))
            )
        return Response(_encode(answer), media_type="application/json", headers={"Cache-Control": "no-store"})
