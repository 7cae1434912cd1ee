"""The cloud's HTTP interface: Starlette routes over a `Centre`. Paths and types are in `till_sync.wire`."""

import asyncio
import email.utils
from collections.abc import Mapping
from pathlib import Path

import msgspec
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from till_cloud.busy import Busy, later
from till_cloud.centre import Centre
from till_cloud.changes import DEFAULT_PAGE, PAGE_LIMIT, decode_cursor
from till_cloud.confirmations import NewCode, unsent
from till_cloud.exceptions import CursorError, RefusedError, StoreUnavailableError
from till_cloud.feed import Feed
from till_cloud.grant_routes import GrantRoutes, after_recall
from till_cloud.heartbeat_routes import HeartbeatRoutes
from till_cloud.meeting_routes import MeetingRoutes
from till_cloud.metrics_routes import MetricsRoutes
from till_cloud.policy_routes import PolicyRoutes
from till_cloud.sending import CodeSender
from till_cloud.snapshot_routes import SnapshotRoutes
from till_cloud.store import meta
from till_cloud.store.tills import TillRow
from till_cloud.update_routes import UpdateRoutes
from till_cloud.waves import at_heartbeat
from till_sync import digests
from till_sync.asking import CodeGiven, ConfirmationRequest, CouponQuestion, HoldRequest, SaleQuestion
from till_sync.http.bodies import read_json
from till_sync.http.packed import PackedAnswers
from till_sync.http.problems import install_problem_handlers, problem_response
from till_sync.problems import ProblemError
from till_sync.signing import KEY_PATH, TILL_HEADER, Head, KeyAnswer, KeyRequest, verify
from till_sync.wire import PATHS, WHOLE_LIMIT, EnrolmentRequest, PushRequest

LARGEST_WAIT_MS = 25_000
"""Longest a changes request is held: proxies cut idle answers after 30 s and more."""

ENVELOPE_BYTES = 256 * 1024
"""What a push may take beside the ops' bodies: a thousand fingerprints with their names take about 110 KB."""

SMALL_BODY_BYTES = 16 * 1024
"""Holds, enrolments and confirmations take under 1 KB."""

SENDING_WAIT_S = 2.0
"""How long an answer waits to know whether the code went out: a till waits 3 s for it."""

SALE_QUERY = ("of_till", "of_store", "number", "date")
"""What narrows a question about a sale."""

PUSH_READ_TIMEOUT_MS = 60_000
"""Whole time for a push's body: 8 MB over a line of 1.2 Mbit/s."""

_pushes = msgspec.json.Decoder(PushRequest)
_holds = msgspec.json.Decoder(HoldRequest)
_enrolments = msgspec.json.Decoder(EnrolmentRequest)
_confirmations = msgspec.json.Decoder(ConfirmationRequest)
_codes = msgspec.json.Decoder(CodeGiven)
_questions = msgspec.json.Decoder(CouponQuestion)
_keys = msgspec.json.Decoder(KeyRequest)
_encoder = msgspec.json.Encoder()


class CloudApp:
    """Handlers over one centre. Make it inside the event loop that will serve it; `close` before the centre's own."""

    def __init__(
        self,
        centre: Centre,
        *,
        busy: Busy | None = None,
        sender: CodeSender | None = None,
        metrics_token: str = "",
        updates: Path | None = None,
    ) -> None:
        self._metrics_token = metrics_token
        self._updates = updates
        self._centre = centre
        self._busy = busy or Busy()
        self._sender = sender
        self.feed = Feed(centre)
        centre.on_commit = self.feed.notify

    def asgi(self) -> Starlette:
        """The application. Lifespan events are not needed."""
        routes = [
            Route(PATHS["hello"], self.hello, methods=["GET"]),
            Route(PATHS["ops"], self.ops, methods=["POST"]),
            Route(PATHS["changes"], self.changes, methods=["GET"]),
            Route(PATHS["holds"], self.holds, methods=["POST"]),
            Route(PATHS["enrolments"], self.enrolments, methods=["POST"]),
            Route(PATHS["confirmations"], self.confirmations, methods=["POST"]),
            Route(PATHS["confirm"], self.confirm, methods=["POST"]),
            Route(PATHS["coupons"], self.coupons, methods=["POST"]),
            Route(PATHS["sale"], self.sale, methods=["GET"]),
            Route(KEY_PATH, self.key, methods=["POST"]),
            *SnapshotRoutes(self._centre, self._asker).routes(),
            *PolicyRoutes(self._centre, self._asker).routes(),
            *GrantRoutes(self._centre, self._asker).routes(),
            *MeetingRoutes(self._centre, self._asker, self._busy).routes(),
            *HeartbeatRoutes(self._centre, self._asker, self._busy, wanted_for=at_heartbeat).routes(),
            *MetricsRoutes(self._centre, self._metrics_token).routes(),
            *UpdateRoutes(self._updates).routes(),
            Route("/livez", self.livez, methods=["GET"]),
            Route("/readyz", self.readyz, methods=["GET"]),
        ]
        app = Starlette(routes=routes)
        app.add_exception_handler(StoreUnavailableError, _on_store_unavailable)
        app.add_middleware(PackedAnswers)
        install_problem_handlers(app)
        return app

    async def close(self) -> None:
        """End every long poll and every program that sends a code."""
        await self.feed.close()
        if self._sender is not None:
            await self._sender.close()

    async def hello(self, request: Request) -> Response:
        till = self._till(request)
        waiting = _whole(request, "waiting", 0, 0, WHOLE_LIMIT)
        answer = await run_in_threadpool(self._centre.hello, till)
        return _json(msgspec.structs.replace(answer, retry_after_ms=self._busy.first_slot_ms(till.till, waiting)))

    async def ops(self, request: Request) -> Response:
        till = self._till(request)
        with self._busy.push(till.till) as turn:
            push = await self._read_push(request)
            self._busy.slots.sized(turn, len(push.ops))
            answer = await asyncio.wrap_future(self._centre.push(till.till, push))
            wait_ms = self._busy.next_slot_ms(turn, push.remaining)
            return _json(msgspec.structs.replace(answer, retry_after_ms=wait_ms) if wait_ms else answer)

    async def changes(self, request: Request) -> Response:
        till = self._till(request)
        since = request.query_params.get("since", "")
        limit = _whole(request, "limit", DEFAULT_PAGE, 1, PAGE_LIMIT)
        wait_ms = _whole(request, "wait", 0, 0, 10**9)
        with_grants = bool(_whole(request, "grants", 0, 0, 1))
        windowed = bool(_whole(request, "window", 0, 0, 1))
        try:
            if wait_ms and since:
                await self.feed.wait_beyond(self._position_of(since), min(wait_ms, LARGEST_WAIT_MS) / 1000)
            async with self._busy.reading():
                wish = _digest_wish(request)
                if isinstance(wish, tuple):
                    after, last = wish
                    page = await run_in_threadpool(
                        self._centre.stretch, till, since=since, after=after, last=last, windowed=windowed
                    )
                else:
                    page = await run_in_threadpool(
                        self._centre.changes,
                        till,
                        since=since,
                        limit=limit,
                        with_grants=with_grants,
                        windowed=windowed,
                        check=wish,
                    )
        except CursorError as error:
            status, code = (410, "cursor_gone") if error.stale else (400, "cursor_invalid")
            raise RefusedError(status, code, str(error)) from error
        return _json(page)

    async def holds(self, request: Request) -> Response:
        with self._busy.one():
            # A till that signs says in the head who it is; of a former one we know it only from the body.
            asker = self._asker(request, request.headers[TILL_HEADER]) if TILL_HEADER in request.headers else None
            hold = await read_json(request, _holds, limit_bytes=SMALL_BODY_BYTES)
            if asker is None or hold.till != asker.till:
                self._asker(request, hold.till)
            pin = await run_in_threadpool(self._centre.pin_of, hold) if hold.pin else None
            answer = await asyncio.wrap_future(self._centre.hold(hold, pin))
        answer = await after_recall(self._centre, hold, pin, answer)
        if isinstance(answer, RefusedError):
            raise answer
        return _json(answer)

    async def enrolments(self, request: Request) -> Response:
        with self._busy.one():
            wish = await read_json(request, _enrolments, limit_bytes=SMALL_BODY_BYTES)
            answer = await asyncio.wrap_future(self._centre.enrol(wish))
        if isinstance(answer, RefusedError):
            raise answer
        return _json(answer, headers={"Cache-Control": "no-store"})

    async def key(self, request: Request) -> Response:
        """A till that was enrolled before tills had keys hands in its own: the first one counts."""
        authorization = request.headers.get("authorization", "")
        till = self._centre.bearer(request.path_params["till"], authorization).till
        with self._busy.one():
            given = await read_json(request, _keys, limit_bytes=SMALL_BODY_BYTES)
            if verify(given.public_key, _head(request), till=till) is None:
                raise RefusedError(401, "signature_wrong", "expected a request signed by the key that it hands in")
            if not await asyncio.wrap_future(self._centre.add_key(till, given.public_key)):
                raise RefusedError(409, "key_known", "expected the till to have no key yet: enrol it again instead")
        return _json(KeyAnswer(server_time_ms=self._centre.wall_ms()))

    async def confirmations(self, request: Request) -> Response:
        till = self._till(request)
        if self._sender is None:
            raise RefusedError(409, "codes_not_sent", "expected a cloud that sends codes: `cloud run --send-codes`")
        with self._busy.one():
            wish = await read_json(request, _confirmations, limit_bytes=SMALL_BODY_BYTES)
            starting = await asyncio.to_thread(self._centre.start_confirmation, till.till, wish)
            started = await asyncio.wrap_future(starting)
            if started.code is not None:
                await self._send_code(self._sender, started.code)
        return _json(started.answer)

    async def confirm(self, request: Request) -> Response:
        till = self._till(request)
        with self._busy.one():
            given = await read_json(request, _codes, limit_bytes=SMALL_BODY_BYTES)
            confirmation = request.path_params["confirmation"]
            answer = await asyncio.wrap_future(self._centre.give_code(till.till, confirmation, given.code))
        return _json(answer)

    async def _send_code(self, sender: CodeSender, code: NewCode) -> None:
        """Have it sent; RefusedError 409 when it is known to have failed. A slow program goes on by itself."""
        sending = sender.send(code)
        done, _ = await asyncio.wait([sending], timeout=SENDING_WAIT_S)
        if not done or sending.result() == "sent":
            return
        # Nobody has this code, so nothing may ever confirm it.
        await asyncio.wrap_future(self._centre.write(lambda connection: unsent(connection, code.confirmation)))
        raise RefusedError(409, "code_not_sent", "the program that sends codes could not send this one")

    async def coupons(self, request: Request) -> Response:
        till = self._till(request)
        question = await read_json(request, _questions, limit_bytes=SMALL_BODY_BYTES)
        return _json(await run_in_threadpool(self._centre.coupons, question, till.till))

    async def sale(self, request: Request) -> Response:
        self._till(request)
        asked = {"sale_uid": request.path_params["sale_uid"]}
        asked |= {name: request.query_params[name] for name in SALE_QUERY if name in request.query_params}
        try:
            question = msgspec.convert(asked, SaleQuestion)
        except msgspec.ValidationError as error:
            raise RefusedError(400, "parameter_invalid", f"expected a question about a sale: {error}") from error
        with self._busy.one():
            return _json(await run_in_threadpool(self._centre.sale, question))

    async def livez(self, _request: Request) -> Response:
        """With the time, which a till's doctor holds its clock against: there may be no proxy that adds it."""
        date = email.utils.formatdate(self._centre.wall_ms() / 1000, usegmt=True)
        return PlainTextResponse("alive\n", headers={"Date": date})

    async def readyz(self, _request: Request) -> Response:
        """Ready when the writer commits and a read sees it within the server's own patience."""
        try:
            async with asyncio.timeout(READY_TIMEOUT_S):
                await asyncio.wrap_future(self._centre.write(meta.incarnation))
        except TimeoutError:
            raise later("not_ready", f"the writer did not answer within {READY_TIMEOUT_S:.0f} s") from None
        return PlainTextResponse("ready\n")

    async def _read_push(self, request: Request) -> PushRequest:
        limits = self._centre.limits
        try:
            return await read_json(
                request,
                _pushes,
                limit_bytes=limits.max_bytes + ENVELOPE_BYTES,
                timeout_ms=PUSH_READ_TIMEOUT_MS,
                packed=True,
            )
        except ProblemError as error:
            if error.problem.status != 413:
                raise
            detail = f"expected bodies of at most {limits.max_bytes} bytes together"
            raise RefusedError(413, "batch_too_large", detail, headers=error.headers, limits=limits) from error

    def _till(self, request: Request) -> TillRow:
        return self._asker(request, request.path_params["till"])

    def _asker(self, request: Request, till_id: str) -> TillRow:
        return self._centre.authenticate(till_id, request.headers.get("authorization", ""), _head(request))

    def _position_of(self, since: str) -> int:
        return self._centre.quick(
            lambda connection: decode_cursor(
                since, incarnation=meta.incarnation(connection), newest=meta.position(connection)
            )
        )


READY_TIMEOUT_S = 5.0
"""A writer that is busy for longer has more to do than it can."""


def _json(value: msgspec.Struct, *, headers: Mapping[str, str] | None = None) -> Response:
    return Response(_encoder.encode(value), media_type="application/json", headers=headers)


def _head(request: Request) -> Head:
    raw: bytes = request.scope.get("raw_path") or request.scope["path"].encode("utf-8", "surrogateescape")
    query: bytes = request.scope.get("query_string", b"")
    return Head(request.method, raw.decode("latin-1"), query.decode("latin-1"), request.headers)


def _whole(request: Request, name: str, default: int, least: int, most: int) -> int:
    """A whole number of the query; RefusedError 400 `parameter_invalid`."""
    text = request.query_params.get(name, "")
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= 16 and least <= int(text) <= most):
        detail = f"expected {name} to be a whole number of {least} to {most}, not {text[:40]!r}"
        raise RefusedError(400, "parameter_invalid", detail, parameter=name)
    return int(text)


def _digest_wish(request: Request) -> str | tuple[str, str] | None:
    """After which member a digest is wanted, or which stretch itself; None for neither, or digests of another form."""
    query = request.query_params
    if "members_after" in query:
        return query["members_after"], query.get("members_to", "")
    return query.get("check") if query.get("form") == str(digests.FORM) else None


async def _on_store_unavailable(_request: Request, error: Exception) -> Response:
    if not isinstance(error, StoreUnavailableError):
        raise error
    return problem_response(later("store_unavailable", str(error)))
