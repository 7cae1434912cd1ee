"""The way to an operation by one look into a table. Whatever is not in it goes through the application's routes.

The routes are tried one after the other, within five layers that stand ready for failures: for a call of cash software
that takes longer than all that the guard looks at. Here the layers come in when something fails.
"""

from collections.abc import Iterable

from starlette.types import ASGIApp, Receive, Scope, Send

from till_agent.bridge.endpoint import FAILED_KEY, Endpoint
from till_agent.bridge.shapes import Operation

_Steps = tuple[str, ...]


class Direct:
    """ASGI. Answers as `app` does, whose routes are those of `endpoints` in the same order, and others."""

    def __init__(self, app: ASGIApp, endpoints: Iterable[tuple[Operation, Endpoint]]) -> None:
        self._app = app
        self._plain: dict[tuple[str, str], Endpoint] = {}
        self._named: dict[tuple[str, int], list[tuple[_Steps, Endpoint]]] = {}
        for operation, endpoint in endpoints:
            steps = tuple(operation.path.split("/"))
            if "{" in operation.path:
                self._named.setdefault((operation.method, len(steps)), []).append((steps, endpoint))
            else:
                self._plain[operation.method, operation.path] = endpoint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = self.find(scope["method"], scope["path"])
        if found is None:
            await self._app(scope, receive, send)
            return
        endpoint, scope["path_params"] = found
        try:
            await endpoint(scope, receive, send)
        except Exception as error:  # noqa: BLE001 - the application knows what becomes of it: it fails there once more
            scope[FAILED_KEY] = error
            await self._app(scope, receive, send)

    def find(self, method: str, path: str) -> tuple[Endpoint, dict[str, str]] | None:
        """The operation's endpoint and the path's parameters; None for what the routes have to look at."""
        plain = self._plain.get((method, path))
        if plain is not None:
            return plain, {}
        steps = path.split("/")
        for wanted, endpoint in self._named.get((method, len(steps)), ()):
            values = _fitted(wanted, steps)
            if values is not None:
                return endpoint, values
        return None


def _fitted(wanted: _Steps, steps: list[str]) -> dict[str, str] | None:
    values: dict[str, str] = {}
    for name, step in zip(wanted, steps, strict=True):
        if name[:1] == "{" and step:
            values[name[1:-1]] = step
        elif name != step:
            return None
    return values
