"""`GET /metrics`, for who has the token: figures of the chain are nobody else's."""

import hmac
import time
from importlib.metadata import version

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from till_cloud.centre import Centre
from till_cloud.exceptions import RefusedError
from till_cloud.metrics import render
from till_cloud.overview import overview

KEPT_S = 5.0
"""So long an answer is given again: whoever asks more often gets no more, and costs no more."""
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class MetricsRoutes:
    """Handlers over one centre. Without a token there is nothing to ask for."""

    def __init__(self, centre: Centre, token: str) -> None:
        self._centre = centre
        self._token = token
        self._made_s = -KEPT_S
        self._text = b""

    def routes(self) -> list[Route]:
        return [Route("/metrics", self.metrics, methods=["GET"])] if self._token else []

    async def metrics(self, request: Request) -> Response:
        """The figures; RefusedError 401 without the token."""
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not hmac.compare_digest(given.strip().encode(), self._token.encode()):
            headers = {"WWW-Authenticate": "Bearer"}
            raise RefusedError(401, "token_invalid", "expected the token for metrics", headers=headers)
        if time.monotonic() - self._made_s >= KEPT_S:
            self._text = await run_in_threadpool(self._render)
            self._made_s = time.monotonic()
        return Response(self._text, headers={"Content-Type": CONTENT_TYPE})

    def _render(self) -> bytes:
        now_ms = self._centre.wall_ms()
        return render(self._centre.read(lambda connection: overview(connection, now_ms)), version("tillside"))
