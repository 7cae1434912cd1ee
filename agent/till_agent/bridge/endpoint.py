"""One operation of the bridge as an ASGI application: scope, body and parameters in, the handler's bytes out."""

import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol
from urllib.parse import parse_qs

import msgspec
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from till_agent.bridge.answers import Answer, as_asked, problem_answer, send_answer
from till_agent.bridge.at_once import ANSWER_KEY, READ_KEY
from till_agent.bridge.guard import CLIENT_KEY, HEADERS_KEY
from till_agent.bridge.shapes import ANY, OPEN, Operation, Parameter
from till_agent.bridge.tokens import Client
from till_agent.exceptions import DeskProblem, JournalCorrupt, JournalUnavailable
from till_sync.http.bodies import decode_body, read_body
from till_sync.problems import Problem, ProblemError

QUERY_FIELDS_LIMIT = 20
"""No operation takes more than three."""
FAILED_KEY = "tillside.failed"
"""In the ASGI scope: what a call failed by that was not expected; it is raised again where failures are answered."""


class Call:
    """One request as a handler sees it: checked, decoded, and from a known client."""

    __slots__ = ("body", "client", "parameters", "receive", "scope")

    def __init__(self, scope: Scope, receive: Receive, parameters: dict[str, str], body: Any) -> None:
        self.scope = scope
        self.receive = receive
        self.parameters = parameters
        self.body = body
        self.client: Client | None = scope[CLIENT_KEY]


Handler = Callable[[Call], Awaitable[Answer]]

Numbers = Mapping[str, int | str]
"""What a sentence for the cashier names, by the names of its gaps."""


class Observer(Protocol):
    """Counts answers and refusals, and words problems for the cashier."""

    def refused(self, reason: str) -> None: ...
    def answered(self, operation: str, status: int, seconds: float) -> None: ...
    def cashier(self, code: str, status: int, numbers: Numbers | None = None, language: str | None = None) -> str:
        """What to tell the cashier about a problem, in `language`, else the till's."""
        ...


class Endpoint:
    """Runs `handler` for `operation`; every failure that a caller can cause is answered as a problem."""

    def __init__(
        self, operation: Operation, handler: Handler, observer: Observer, *, body_limit_bytes: int, read_timeout_ms: int
    ) -> None:
        self._operation = operation
        self._handler = handler
        self._observer = observer
        self._body_limit_bytes = body_limit_bytes
        self._read_timeout_ms = read_timeout_ms
        self._decoder = msgspec.json.Decoder(operation.request) if operation.request is not None else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if FAILED_KEY in scope:
            raise scope[FAILED_KEY]
        started = time.perf_counter()
        status = 500
        call: Call | None = None
        try:
            try:
                call = await self._read(scope, receive)
                answer = await self._handler(call)
            except ProblemError as error:
                answer = self._problem(error.problem, error.headers, language=_language_of(call))
            except DeskProblem as error:
                answer = self._problem(_of_desk(error), {}, error.extras, language=_language_of(call))
            except (JournalUnavailable, JournalCorrupt) as error:
                answer = self._problem(_of_journal(error), {"Retry-After": "5"}, language=_language_of(call))
            status = answer.status
        finally:
            self._observer.answered(self._operation.id, status, time.perf_counter() - started)
        headers = scope.get(HEADERS_KEY)
        if headers is not None and b"accept-charset" in headers:
            answer = as_asked(answer, headers)
        at_once = scope.get(ANSWER_KEY)
        if at_once is None or not at_once(answer):
            await send_answer(send, answer)

    async def _read(self, scope: Scope, receive: Receive) -> Call:
        check_scope(self._operation, scope[CLIENT_KEY], self._observer)
        parameters = read_parameters(self._operation, scope)
        body: object = None
        if self._decoder is not None:
            raw = self._at_once(scope)
            if raw is None:
                raw = await self._in_parts(scope, receive)
            body = decode_body(raw, self._decoder)
        return Call(scope, receive, parameters, body)

    def _at_once(self, scope: Scope) -> bytes | None:
        """A body that is there; None for one that is not, or of which more than its size has to be looked at."""
        read, headers = scope.get(READ_KEY), scope.get(HEADERS_KEY)
        if read is None or headers is None or b"content-digest" in headers or b"content-encoding" in headers:
            return None
        if headers.get(b"content-length") is None:
            return None  # in chunks: whether it is too large shows when it is read
        # The guard has seen to it that the length is a number within the limit; the parser, that it is the body's.
        found: bytes | None = read()
        return found

    async def _in_parts(self, scope: Scope, receive: Receive) -> bytes:
        try:
            return await read_body(
                Request(scope, receive), limit_bytes=self._body_limit_bytes, timeout_ms=self._read_timeout_ms
            )
        except ProblemError as error:
            self._observer.refused(error.problem.code)
            raise

    def _problem(
        self,
        problem: Problem,
        headers: Mapping[str, str],
        numbers: Numbers | None = None,
        *,
        language: str | None = None,
    ) -> Answer:
        cashier = self._observer.cashier(problem.code, problem.status, numbers, language)
        return problem_answer(problem, cashier=cashier, headers=headers.items())


class StreamEndpoint:
    """An operation whose handler sends its answer itself, and for long; problems before its start go out as ever."""

    def __init__(self, operation: Operation, run: ASGIApp, observer: Observer) -> None:
        self._operation = operation
        self._run = run
        self._observer = observer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        status = 200
        try:
            check_scope(self._operation, scope[CLIENT_KEY], self._observer)
            await self._run(scope, receive, send)
        except ProblemError as error:
            status = error.problem.status
            cashier = self._observer.cashier(error.problem.code, status)
            await send_answer(send, problem_answer(error.problem, cashier=cashier, headers=error.headers.items()))
        finally:
            self._observer.answered(self._operation.id, status, 0.0)


def _language_of(call: Call | None) -> str | None:
    """In which the caller wants what people read; None where they said nothing, or could not be read."""
    if call is None:
        return None
    language: str | None = call.parameters.get("language") or getattr(call.body, "language", None)
    return language


def check_scope(operation: Operation, client: Client | None, observer: Observer) -> None:
    """ProblemError 403 `scope_missing` unless the client may do this."""
    wanted = operation.scope
    if wanted == OPEN or (client is not None and (wanted == ANY or wanted in client.scopes)):
        return
    observer.refused("scope_missing")
    raise ProblemError(403, "scope_missing", f"expected a client with the scope {wanted}")


def read_parameters(operation: Operation, scope: Scope) -> dict[str, str]:
    """Path and query parameters that the operation names, checked; others are ignored. ProblemError 422."""
    found: dict[str, str] = {}
    for parameter in operation.path_parameters:
        found[parameter.name] = _checked(parameter, scope["path_params"][parameter.name])
    if operation.query_parameters and scope["query_string"]:
        try:
            query = parse_qs(scope["query_string"].decode("ascii"), max_num_fields=QUERY_FIELDS_LIMIT)
        except ValueError:
            raise ProblemError(422, "parameter_invalid", "expected a query of few fields in ASCII") from None
        for parameter in operation.query_parameters:
            values = query.get(parameter.name)
            if values:
                found[parameter.name] = _checked(parameter, values[-1])
    for parameter in operation.query_parameters:
        if parameter.required and parameter.name not in found:
            raise ProblemError(
                422, "parameter_invalid", f"expected {parameter.name}", extras={"parameter": parameter.name}
            )
    return found


def _checked(parameter: Parameter, text: str) -> str:
    if parameter.pattern.fullmatch(text):
        return text
    raise ProblemError(
        422,
        "parameter_invalid",
        f"expected {parameter.name} to match {parameter.pattern.pattern}, not {text[:80]!r}",
        extras={"parameter": parameter.name},
    )


def _of_desk(error: DeskProblem) -> Problem:
    extras: dict[str, Any] = dict(error.extras)
    if error.pointer:
        extras["pointer"] = error.pointer
    return Problem(status=error.status, code=error.code, detail=error.detail, retryable=error.retryable, extras=extras)


def _of_journal(error: JournalUnavailable | JournalCorrupt) -> Problem:
    if isinstance(error, JournalCorrupt):
        return Problem(status=503, code="journal_corrupt", detail="the till's record is damaged; see the agent's log")
    return Problem(
        status=503,
        code="journal_unavailable",
        detail="the till's disk took nothing; nothing was committed",
        retryable=True,
    )
