"""Grants asked for by a till, and holds that wait for points which other tills were asked to give back."""

import asyncio
import sqlite3
from collections.abc import Callable

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from till_cloud.centre import Centre
from till_cloud.exceptions import RefusedError
from till_cloud.granting import ask
from till_cloud.pins import HashedPin
from till_sync.asking import GrantAnswer, GrantRequest, HoldAnswer, HoldRequest
from till_sync.http.bodies import read_json
from till_sync.wire import PATHS

BODY_BYTES = 4 * 1024
"""A request takes under 200 bytes."""

RECALL_WAIT_S = 0.6
"""How long a hold waits for lent points: a cashier waits 0.8 s for the cloud, and its answer has to travel."""

RECALL_LOOK_S = 0.05
"""How often to look meanwhile: one indexed read."""

_requests = msgspec.json.Decoder(GrantRequest)
_encode = msgspec.json.Encoder().encode

# What may be promised of a member, as `Account.available` says.
_AVAILABLE = """
SELECT b.balance - b.held - b.granted - b.debt -
    (SELECT coalesce(sum(l.left), 0) FROM lots l INDEXED BY lots_asleep
     WHERE l.member_id = b.member_id AND l.active_at_ms IS NOT NULL)
FROM balances b WHERE b.member_id = ?
"""


class GrantRoutes:
    """Handlers over one centre; `check` raises unless the request comes from the till of that id."""

    def __init__(self, centre: Centre, check: Callable[[Request, str], object]) -> None:
        self._centre = centre
        self._check = check

    def routes(self) -> list[Route]:
        return [Route(PATHS["grants"], self.grant, methods=["POST"])]

    async def grant(self, request: Request) -> Response:
        """More of a member's points for this till; 404 `member_unknown`, 409 `grants_off`, `grants_not_taken`."""
        till = request.path_params["till"]
        self._check(request, till)
        wish = await read_json(request, _requests, limit_bytes=BODY_BYTES)
        centre, now_ms = self._centre, self._centre.wall_ms()

        def lend(connection: sqlite3.Connection) -> GrantAnswer:
            version = centre.registry.of_till(connection, till)
            return ask(connection, till, wish, None if version is None else version.programme, now_ms)

        answer = await asyncio.wrap_future(centre.write(lend))
        return Response(_encode(answer), media_type="application/json")


async def after_recall(
    centre: Centre, request: HoldRequest, pin: HashedPin | None, answer: HoldAnswer | RefusedError
) -> HoldAnswer | RefusedError:
    """A hold's answer; when points are lent, it is asked again as soon as enough came back, within `RECALL_WAIT_S`.

    The wait is outside the writer, and outside what the server counts as load. A till with a grant of its own
    hears at once: it gives that back, and asks again.
    """
    if request.own_grant:
        return answer
    end = asyncio.get_running_loop().time() + RECALL_WAIT_S
    while _is_lent(answer) and asyncio.get_running_loop().time() < end:
        await asyncio.sleep(RECALL_LOOK_S)
        if centre.quick(lambda connection: _available(connection, request.member_id)) >= request.points:
            answer = await asyncio.wrap_future(centre.hold(request, pin))
    return answer


def _is_lent(answer: HoldAnswer | RefusedError) -> bool:
    return isinstance(answer, RefusedError) and answer.code == "points_lent"


def _available(connection: sqlite3.Connection, member_id: str) -> int:
    row = connection.execute(_AVAILABLE, (member_id,)).fetchone()
    return 0 if row is None else int(row[0])
