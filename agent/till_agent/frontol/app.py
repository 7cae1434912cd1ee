"""Frontol's Priority API as an ASGI application: `/document`, `/client`, `/extra/client`, at one address.

Every answer is HTTP 200 with a code, but for a call without the access key. The key is looked at before anything of
the body is read as more than bytes.
"""

import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from till_agent.bridge.answers import Answer, send_answer
from till_agent.desk.bench import BIG_RECEIPT_LINES, work
from till_agent.desk.patience import one_call
from till_agent.exceptions import DeskProblem, JournalCorrupt, JournalUnavailable
from till_agent.frontol.answers import Body, bad, encoded
from till_agent.frontol.clients import Clients
from till_agent.frontol.confirming import Confirming
from till_agent.frontol.counter import Counter, exponent_of
from till_agent.frontol.documents import Documents
from till_agent.frontol.drafts import Drafts
from till_agent.frontol.exceptions import BadDocument, Refused
from till_agent.frontol.ports import FrontolAccess, FrontolAgent, FrontolLimits
from till_agent.frontol.reading import read_client_call, read_document, read_json
from till_agent.frontol.refunds import Refunding
from till_agent.frontol.shapes import Document
from till_sync.http.bodies import read_body
from till_sync.problems import ProblemError

log = logging.getLogger(__name__)

ROOT = "/frontol"
ASCII = "/ascii"
"""After the root: answers in ASCII only, for a Frontol that reads our letters as another encoding."""
SCOPES = {"document": "sale", "client": "sale", "register": "register"}
HTTP_UNAUTHORIZED = 401
_UNAUTHORIZED = (b"www-authenticate", b"FrontolAuth")

Handler = Callable[[Mapping[str, Any]], Awaitable[Body]]


class FrontolApp:
    """Answers Frontol. One per agent, used on its loop."""

    def __init__(
        self,
        agent: FrontolAgent,
        access: FrontolAccess,
        *,
        life_s: int,
        prints: bool,
        body_limit_bytes: int,
        read_timeout_ms: int,
        limits: FrontolLimits,
    ) -> None:
        self._agent = agent
        self._access = access
        self._body_limit_bytes = body_limit_bytes
        self._read_timeout_ms = read_timeout_ms
        self._limits = limits
        counter = Counter(agent=agent, drafts=Drafts(life_s * 1000), life_ms=life_s * 1000, prints=prints)
        self._counter = counter
        self._documents = Documents(counter)
        self._confirming = Confirming(counter, self._documents)
        self._refunding = Refunding(counter)
        self._clients = Clients(counter)
        self._calls: dict[str, tuple[str, Handler]] = {
            "/document": ("document", self._document),
            "/client": ("client", self._client),
            "/extra/client": ("register", self._extra),
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        started = time.perf_counter()
        path = scope["path"].removeprefix(ROOT).rstrip("/")
        ascii_only = path.startswith(f"{ASCII}/")
        name, handler = self._calls.get(path.removeprefix(ASCII) if ascii_only else path, ("unknown", None))
        status = 500
        try:
            answer = await self._answer(scope, receive, name, handler, ascii_only=ascii_only)
            status = answer.status
        finally:
            self._agent.answered(f"frontol_{name}", status, time.perf_counter() - started)
        await send_answer(send, answer)

    async def _answer(
        self, scope: Scope, receive: Receive, name: str, handler: Handler | None, *, ascii_only: bool
    ) -> Answer:
        try:
            raw = await read_body(
                Request(scope, receive), limit_bytes=self._body_limit_bytes, timeout_ms=self._read_timeout_ms
            )
        except ProblemError as error:
            self._agent.refused(error.problem.code)
            body = bad("request_bad", self._sentence("request_bad", 422))
            return self._answered(body, ascii_only, error.problem.status)
        refused = self._check_access(dict(scope["headers"]).get(b"authorization", b""), raw, name)
        if refused is not None:
            body, status = refused
            return self._answered(body, ascii_only, status)
        return self._answered(await self._handled(raw, name, handler), ascii_only, 200)

    def _check_access(self, authorization: bytes, raw: bytes, name: str) -> tuple[Body, int] | None:
        """The body of a refusal and its HTTP status; None for Frontol itself."""
        client = self._access.find_frontol(authorization, raw)
        if client is None:
            wait_ms = self._limits.failed("frontol")
            self._agent.refused("locked_out" if wait_ms else "token_unknown")
            code = "too_busy" if wait_ms else "token_unknown"
            return bad(code, self._sentence(code, 429 if wait_ms else 401)), 429 if wait_ms else 401
        wanted = SCOPES.get(name, "sale")
        if wanted not in client.scopes:
            self._agent.refused("scope_missing")
            return bad("token_unknown", self._sentence("token_unknown", 403)), 403
        if self._limits.take(client.name):
            self._agent.refused("rate_limited")
            return bad("too_busy", self._sentence("too_busy", 429)), 200
        return None

    async def _handled(self, raw: bytes, name: str, handler: Handler | None) -> Body:
        """Whatever happens is an answer: Frontol shows the cashier nothing but a number of HTTP."""
        if handler is None:
            log.warning("expected Frontol to call /document, /client or /extra/client")
            return bad("request_bad", self._sentence("request_bad", 422))
        try:
            # A call of Frontol is several of the desk, and all of them wait for the cloud within one budget.
            with one_call(self._agent.clock.mono_ms):
                return await handler(read_json(raw))
        except BadDocument as error:
            log.warning("Frontol sent what can't be read: %s", error, extra={"operation": name})
            return bad("request_bad", self._sentence("request_bad", 422))
        except Refused as refused:
            return bad(refused.code, refused.text)
        except DeskProblem as error:
            told = error.extras.get("cashier")
            return bad(error.code, str(told) if told else self._agent.cashier(error.code, error.status, error.extras))
        except JournalCorrupt:
            return bad("journal_corrupt", self._sentence("journal_unavailable", 503))
        except JournalUnavailable:
            return bad("journal_unavailable", self._sentence("journal_unavailable", 503))
        except Exception:
            # A fault of ours must not show itself to a cashier as a number: they are told to sell on.
            log.exception("a call of Frontol failed", extra={"operation": name})
            return bad("agent_failed", self._sentence("agent_failed", 500))

    def _sentence(self, code: str, status: int) -> str:
        return self._agent.cashier(code, status)

    @staticmethod
    def _answered(body: Body, ascii_only: bool, status: int) -> Answer:
        headers = (_UNAUTHORIZED,) if status == HTTP_UNAUTHORIZED else ()
        return Answer(encoded(body, ascii_only=ascii_only), status, headers=headers)

    async def _document(self, found: Mapping[str, Any]) -> Body:
        rows = found.get("positions")
        size = len(rows) if isinstance(rows, list) else 0
        document = await work(size, BIG_RECEIPT_LINES, read_document, found, self._exponent())
        async with self._counter.drafts.turn(document.uid):
            return await self._of_action(document)

    async def _of_action(self, document: Document) -> Body:
        match document.action:
            case "calculate":
                return await self._documents.calculate(document)
            case "payByBonus":
                return await self._documents.pay(document)
            case "cancelBonusPayment":
                return await self._documents.cancel(document)
            case "confirm" if document.is_refund:
                return await self._refunding.confirm(document)
            case "confirm":
                return await self._confirming.confirm(document)
            case _:
                raise self._counter.refusal("action_unknown")

    async def _client(self, found: Mapping[str, Any]) -> Body:
        return await self._clients.client(read_client_call(found))

    async def _extra(self, found: Mapping[str, Any]) -> Body:
        return await self._clients.register(read_client_call(found))

    def _exponent(self) -> int:
        try:
            return exponent_of(self._counter.desk.programme)
        except DeskProblem:
            return exponent_of(None)
