"""Problems as Starlette responses, and the handlers that turn every failure of a request into one."""

import logging
import re
from collections.abc import Callable, Mapping

import msgspec
from msgspec.structs import replace
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from till_sync.defects import log_unexpected
from till_sync.problems import PROBLEM_MEDIA_TYPE, PROBLEM_TYPE_BASE, Problem, ProblemError

__all__ = [
    "PROBLEM_MEDIA_TYPE",
    "PROBLEM_TYPE_BASE",
    "Problem",
    "ProblemError",
    "decode_problem",
    "install_problem_handlers",
    "problem_response",
]

log = logging.getLogger(__name__)

_PLACE = re.compile(r" - at (?:`key` in )?`\$(?P<path>[^`]*)`$")
_STEP = re.compile(r"\.(?P<name>[^.\[]+)|\[(?P<index>\d+)\]|\[\.\.\.\]")
_EXPECTED = re.compile(r"Expected (?P<wanted>.+), got (?P<found>`.+`)$")

_STATUS_CODES = {404: "not_found", 405: "method_not_allowed"}


Cashier = Callable[[str, int], str]
"""What to tell the cashier, by a problem's code and status."""


class AnswerBrokenError(RuntimeError):
    """Raised when a request fails after its answer has begun, so that the server cuts the connection."""


def problem_response(error: ProblemError) -> Response:
    """The response that `error` asks for."""
    return _response(error.problem, error.headers)


def _response(problem: Problem, headers: Mapping[str, str]) -> Response:
    return Response(problem.encode(), status_code=problem.status, media_type=PROBLEM_MEDIA_TYPE, headers=headers)


def decode_problem(error: msgspec.DecodeError) -> ProblemError:
    """What msgspec found wrong with a client's JSON: 400 when it is no JSON, 422 with `pointer` when it does not fit.

    `pointer` (RFC 6901) stops at the object whose key msgspec does not name.
    """
    text = str(error)
    if not isinstance(error, msgspec.ValidationError):
        return ProblemError(400, "body_malformed", f"expected JSON, not this: {text}")
    pointer = ""
    place = _PLACE.search(text)
    if place is not None:
        text = text[: place.start()]
        pointer = _pointer(place["path"])
    expected = _EXPECTED.match(text)
    detail = f"expected {expected['wanted']}, not {expected['found']}" if expected else text[:1].lower() + text[1:]
    return ProblemError(422, "body_invalid", detail, extras={"pointer": pointer})


def _pointer(path: str) -> str:
    steps: list[str] = []
    for step in _STEP.finditer(path):
        if step["name"] is None and step["index"] is None:
            break
        steps.append((step["name"] or step["index"]).replace("~", "~0").replace("/", "~1"))
    return "".join(f"/{step}" for step in steps)


def install_problem_handlers(app: Starlette, *, cashier: Cashier | None = None) -> None:
    """Make `app` answer every failure with a problem. Call it after all other middleware is added.

    `cashier` gives the sentence for the cashier by code and status; a server with no cashier before it has none.
    """
    handlers = _Handlers(cashier)
    app.add_exception_handler(ProblemError, handlers.on_problem)
    app.add_exception_handler(HTTPException, handlers.on_http_exception)
    app.add_exception_handler(msgspec.DecodeError, handlers.on_decode_error)
    app.add_middleware(UnexpectedErrors, respond=handlers.respond)


class _Handlers:
    def __init__(self, cashier: Cashier | None) -> None:
        self._cashier = cashier

    def respond(self, error: ProblemError) -> Response:
        problem = error.problem
        if self._cashier is None or "cashier" in problem.extras:
            return problem_response(error)
        extras = {**problem.extras, "cashier": self._cashier(problem.code, problem.status)}
        return _response(replace(problem, extras=extras), error.headers)

    async def on_problem(self, _request: Request, error: Exception) -> Response:
        if not isinstance(error, ProblemError):
            raise error
        return self.respond(error)

    async def on_http_exception(self, request: Request, error: Exception) -> Response:
        if not isinstance(error, HTTPException):
            raise error
        code = _STATUS_CODES.get(error.status_code, f"http_{error.status_code}")
        details = {404: "nothing is here", 405: f"this path does not take {request.method}"}
        detail = details.get(error.status_code, error.detail)
        return self.respond(ProblemError(error.status_code, code, detail, headers=error.headers))

    async def on_decode_error(self, _request: Request, error: Exception) -> Response:
        if not isinstance(error, msgspec.DecodeError):
            raise error
        return self.respond(decode_problem(error))


class UnexpectedErrors:
    """Outermost middleware: a defect becomes a 500 problem and one log entry without a word of the request's data.

    Starlette's own catch-all raises again after answering, and the server would then log the exception's message,
    which may quote a phone or a card.
    """

    def __init__(self, app: ASGIApp, respond: Callable[[ProblemError], Response] = problem_response) -> None:
        self._app = app
        self._respond = respond

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def watch(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, watch)
        except Exception as error:  # noqa: BLE001 - the last net: whatever failed, the caller gets a problem
            log_unexpected(log, f"answering {scope['method']}", error)
            if started:
                raise AnswerBrokenError("an answer that had begun can't be finished") from None
            problem = ProblemError(500, "internal", "a defect in Tillside; its log says where", retryable=True)
            await self._respond(problem)(scope, receive, send)
