"""`GET /v1/tills/{till}/policy`."""

from collections.abc import Callable

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from till_cloud.centre import Centre
from till_cloud.policies import policy_for
from till_cloud.store.tills import TillRow
from till_sync.heartbeat import POLICY_PATH

_encode = msgspec.json.Encoder().encode


class PolicyRoutes:
    """Handlers over one centre; `check` raises unless the request comes from the till of that id."""

    def __init__(self, centre: Centre, check: Callable[[Request, str], TillRow]) -> None:
        self._centre = centre
        self._check = check

    def routes(self) -> list[Route]:
        return [Route(POLICY_PATH, self.policy, methods=["GET"])]

    async def policy(self, request: Request) -> Response:
        """The policy of the till that asks."""
        till = self._check(request, request.path_params["till"])
        now_ms = self._centre.wall_ms()
        found = await run_in_threadpool(self._centre.read, lambda connection: policy_for(connection, till, now_ms))
        return Response(_encode(found), media_type="application/json", headers={"Cache-Control": "no-store"})
