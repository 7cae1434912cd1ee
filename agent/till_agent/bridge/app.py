"""The bridge as one ASGI application: the guard outside, then the routes of the table of operations."""

from collections.abc import Callable

from starlette.applications import Starlette
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from till_agent.bridge import (
    agent_routes,
    member_routes,
    page_routes,
    pairing_routes,
    report_routes,
    sale_routes,
    settings_routes,
    slip_routes,
    trial_routes,
)
from till_agent.bridge.context import Bridge
from till_agent.bridge.direct import Direct
from till_agent.bridge.endpoint import Endpoint, StreamEndpoint
from till_agent.bridge.guard import FRONTOL_ROOT, Guard
from till_agent.bridge.limits import RateLimiter
from till_agent.bridge.operations import OPEN_PATHS, OPERATIONS
from till_agent.bridge.pairing import Pairing
from till_agent.bridge.shapes import Operation
from till_agent.bridge.stream import send_events
from till_agent.bridge.tokens import Tokens
from till_agent.pages.serving import PAGE_ROOTS, Pages
from till_config.settings import BridgeSettings, Settings
from till_config.settings_frontol import PageSettings
from till_sync.http.problems import install_problem_handlers
from till_sync.ports import Clock


def make_app(
    bridge: Bridge,
    settings: BridgeSettings,
    tokens: Tokens,
    clock: Clock,
    pages: PageSettings | None = None,
    frontol: Callable[[RateLimiter], ASGIApp] | None = None,
    levers: list[Callable[[Settings], None]] | None = None,
) -> Guard:
    """Everything that the server needs; call `serve_on` of it with the port before a request may pass. `frontol` makes
    what answers below /frontol/. What can be set to other settings later is added to `levers`."""
    found = sale_routes.handlers(bridge) | slip_routes.handlers(bridge) | agent_routes.handlers(bridge)
    found |= report_routes.handlers(bridge)
    found |= member_routes.handlers(bridge) | trial_routes.handlers(bridge) | page_routes.handlers(bridge)
    limiter = RateLimiter(settings.rate_limit_per_second, tokens.clients, clock)
    pages = pages or PageSettings()
    pairing = Pairing(tokens, limiter, clock, pages)
    found |= pairing_routes.handlers(bridge, pairing, tokens) | settings_routes.handlers(bridge)

    async def events(scope: Scope, receive: Receive, send: Send) -> None:
        await send_events(bridge.events, scope, receive, send)

    routes: list[Route] = []
    direct: list[tuple[Operation, Endpoint]] = []
    for operation in OPERATIONS:
        endpoint: Endpoint | StreamEndpoint
        if operation.id == "events":
            endpoint = StreamEndpoint(operation, events, bridge)
        else:
            endpoint = Endpoint(
                operation,
                found[operation.id],
                bridge,
                body_limit_bytes=settings.body_limit_bytes,
                read_timeout_ms=settings.read_timeout_ms,
            )
            direct.append((operation, endpoint))
        routes.append(Route(operation.path, endpoint, methods=[operation.method], name=operation.id))
    served = Pages(pages, bridge)
    routes += [
        Route(path, served, methods=["GET"]) for root in PAGE_ROOTS for path in (f"/{root}", f"/{root}/{{rest:path}}")
    ]
    if frontol is not None:
        routes.append(Route(f"{FRONTOL_ROOT}{{rest:path}}", frontol(limiter), methods=["POST"]))
    app = Starlette(routes=routes)
    app.router.redirect_slashes = False
    install_problem_handlers(app, cashier=bridge.cashier)
    guard = Guard(
        Direct(app, direct),
        tokens=tokens,
        limiter=limiter,
        allowed_origins=settings.allowed_origins,
        open_paths=OPEN_PATHS,
        body_limit_bytes=settings.body_limit_bytes,
        refusals=bridge,
        page_roots=PAGE_ROOTS,
    )

    def pull(changed: Settings) -> None:
        guard.allow(changed.bridge.allowed_origins)
        limiter.set_rate(changed.bridge.rate_limit_per_second)
        pairing.use(changed.pages)
        served.use(changed.pages)

    if levers is not None:
        levers.append(pull)
    return guard
