"""The till's side of the protocol: typed questions, and answers that are ours or an error that says what they are."""

from collections.abc import Mapping
from typing import TypeVar
from urllib.parse import quote, urlencode

import msgspec

from till_sync import digests
from till_sync.answers import refusal_of
from till_sync.asking import (
    CodeGiven,
    ConfirmationAnswer,
    ConfirmationRequest,
    CouponAnswer,
    CouponQuestion,
    HoldAnswer,
    HoldRequest,
    MemberAnswer,
    MemberQuestion,
    SaleAnswer,
    SaleQuestion,
)
from till_sync.exceptions import (
    AnswerMismatch,
    CloudRefused,
    CloudUnreachable,
    CursorGone,
    HistoryConflict,
    IdentityRefused,
    IncarnationChanged,
    NotOurCloud,
    SequenceGap,
    SyncError,
)
from till_sync.heartbeat import HEARTBEAT_PATH, POLICY_PATH, Heartbeat, HeartbeatAnswer, Policy
from till_sync.phone_tags import PhoneTags
from till_sync.pieces import RawPage, read_page
from till_sync.ports import Clock
from till_sync.transport import Reply, Transport
from till_sync.waiting import within
from till_sync.wire import (
    PATHS,
    ChangesAnswer,
    EnrolmentAnswer,
    EnrolmentRequest,
    HelloAnswer,
    PushAnswer,
    SnapshotAnswer,
)

T = TypeVar("T")

ANSWER_LIMIT_BYTES = 32 * 1024 * 1024
"""A page of 10,000 rows takes about 4 MB; nothing that we ask for is larger than this."""

REQUEST_TIMEOUT_MS = 10_000
"""Whole time of an exchange: a server that sends a byte a second is as good as none."""

SKEW_EXCHANGE_LIMIT_MS = 5_000
"""An exchange that took longer says little about the clocks, since nobody knows where its time went."""

GRANTS_SINCE = 3
"""The protocol of the first cloud that has grants to tell of; the till's wish for them is no use to an older one."""

JSON_HEADERS = {"Accept": "application/json", "Cache-Control": "no-store"}

_hello = msgspec.json.Decoder(HelloAnswer)
_push = msgspec.json.Decoder(PushAnswer)
_changes = msgspec.json.Decoder(RawPage)
_hold = msgspec.json.Decoder(HoldAnswer)
_confirmation = msgspec.json.Decoder(ConfirmationAnswer)
_coupons = msgspec.json.Decoder(CouponAnswer)
_sale = msgspec.json.Decoder(SaleAnswer)
_member = msgspec.json.Decoder(MemberAnswer)
_snapshot = msgspec.json.Decoder(SnapshotAnswer)
_enrolment = msgspec.json.Decoder(EnrolmentAnswer)
_heartbeat = msgspec.json.Decoder(HeartbeatAnswer)
_policy = msgspec.json.Decoder(Policy)

_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

_CONFLICTS = frozenset({"stale_epoch", "salt_mismatch", "chain_mismatch", "fingerprint_mismatch"})


class CloudClient:
    """Asks one cloud in the name of one till. Every method raises SyncError's children and nothing else on failure."""

    def __init__(
        self,
        transport: Transport,
        *,
        till: str,
        token: str,
        clock: Clock,
        request_timeout_ms: int = REQUEST_TIMEOUT_MS,
    ) -> None:
        self._transport = transport
        self._till = till
        self._authorization = {"Authorization": f"Bearer {token}"} if token else {}
        self._clock = clock
        self._timeout_ms = request_timeout_ms
        self._skew_ms: int | None = None
        self._protocol = 0
        self._cloud_key = ""
        self._wallet_keys: tuple[str, ...] = ()
        self._seal_key = ""
        self._phone_tags: PhoneTags | None = None

    def mono_ms(self) -> int:
        """What its waits are measured by."""
        return self._clock.mono_ms()

    @property
    def skew_ms(self) -> int | None:
        """Cloud's time minus the till's wall clock at the last quick exchange; None before the first."""
        return self._skew_ms

    @property
    def protocol(self) -> int:
        """The newest that the cloud speaks, as it said last; 0 before it said anything."""
        return self._protocol

    @property
    def cloud_key(self) -> str:
        """By which vouchers are checked (hex), as the cloud said last; "" before it said so."""
        return self._cloud_key

    @property
    def wallet_keys(self) -> tuple[str, ...]:
        """The chain's secrets of codes that change by the clock, as the cloud said last; none before it said so."""
        return self._wallet_keys

    @property
    def seal_key(self) -> str:
        """What people who register are sealed to (hex), as the cloud said last; "" before it said so."""
        return self._seal_key

    @property
    def phone_tags(self) -> PhoneTags | None:
        """Which tags of phones the chain has, as the cloud said last; None before it said anything."""
        return self._phone_tags

    async def hello(self, *, waiting: int = 0) -> HelloAnswer:
        """Who the cloud is and what it holds of this till; with ops `waiting`, also when to begin pushing them."""
        path = self._path("hello") + (f"?waiting={waiting}" if waiting else "")
        answer = await self._ask("GET", path, _hello)
        if answer.till != self._till:
            raise IdentityRefused(f"expected to be till {self._till}, not {answer.till}", status=200, code="wrong_till")
        self._protocol = answer.protocol
        self._cloud_key = answer.cloud_key or self._cloud_key
        self._wallet_keys = answer.wallet_keys or self._wallet_keys
        self._seal_key = answer.seal_key or self._seal_key
        # Its last word counts, also that there are none: a cloud that was restored must be sent what it can resolve.
        self._phone_tags = PhoneTags(cost=answer.phone_cost, only=answer.phone_slow_only)
        return answer

    async def push(self, batch: bytes) -> PushAnswer:
        """Send an encoded PushRequest. Whether the answer fits the batch is for the pusher to check."""
        try:
            return await self._ask("POST", self._path("ops"), _push, body=batch)
        except CloudRefused as error:
            meant = _push_error(error)
            if meant is error:
                raise  # named as its own cause, whoever follows causes to their end would never come there
            raise meant from error

    async def changes(
        self,
        since: str,
        *,
        limit: int,
        wait_ms: int = 0,
        check: str | None = None,
        members: tuple[str, str] | None = None,
    ) -> ChangesAnswer:
        """A page after cursor `since`; with `wait_ms` the cloud may hold the answer that long until there is a row.

        `check`: also the digest of some members after that id, if this is the last page. `members` (after, last) asks
        for these alone, as they are now; the cursor stays where it is.

        CursorGone also when the cloud can't read the cursor.
        """
        query = {"since": since, "limit": limit} | ({"wait": wait_ms} if wait_ms else {})
        if self._protocol >= GRANTS_SINCE:
            query |= {"grants": 1, "window": 1}
            query |= {} if check is None else {"check": check, "form": digests.FORM}
            query |= {} if members is None else {"members_after": members[0], "members_to": members[1]}
        path = f"{self._path('changes')}?{urlencode(query)}"
        try:
            answer = await _read_rows(await self._ask("GET", path, _changes, extra_ms=wait_ms))
        except CloudRefused as error:
            if error.code != "cursor_invalid":
                raise
            # A cursor that no cloud can read is as good as none, and pulling anew mends the cache.
            raise CursorGone(str(error), status=error.status, code=error.code) from error
        self._hear_tags(answer)
        return answer

    async def snapshot(self) -> SnapshotAnswer:
        """The newest snapshot. CloudRefused `snapshot_none` 404 when there is none."""
        return await self._ask("GET", f"{self._path('snapshot')}?window=1", _snapshot)

    async def snapshot_bytes(self, snapshot: SnapshotAnswer, first: int, length: int) -> bytes:
        """So many bytes of a snapshot from `first` on. AnswerMismatch when something else came, or of another file."""
        path = f"{PATHS['snapshot_bytes'].format(snapshot=quote(snapshot.snapshot, safe=''))}?till={quote(self._till)}"
        last = first + length - 1
        ranged = {"Range": f"bytes={first}-{last}", "If-Range": f'"{snapshot.sha256}"'}
        reply = await self._exchange(
            "GET", path, ranged | {"Accept": "application/octet-stream"}, b"", self._timeout_ms
        )
        if reply.status not in (200, 206):
            raise refusal_of(reply, wall_ms=self._clock.wall_ms())
        expected = f"bytes {first}-{last}/{snapshot.bytes}"
        found = reply.headers.get("content-range", "")
        if reply.status != 206 or found != expected or len(reply.body) != length:
            raise AnswerMismatch(f"expected {expected}, not {reply.status} {found[:80]!r} of {len(reply.body)} bytes")
        return reply.body

    async def reserve(self, request: HoldRequest, *, timeout_ms: int) -> HoldAnswer:
        """Ask for a hold; the same request may be sent again."""
        body = msgspec.json.encode(request)
        return await self._ask("POST", PATHS["holds"], _hold, body=body, timeout_ms=timeout_ms)

    async def coupons(self, question: CouponQuestion, *, timeout_ms: int) -> CouponAnswer:
        """How often codes were used, by a member and by all."""
        body = msgspec.json.encode(question)
        return await self._ask("POST", self._path("coupons"), _coupons, body=body, timeout_ms=timeout_ms)

    async def sale(self, question: SaleQuestion, *, timeout_ms: int) -> SaleAnswer:
        """A sale of any till of the chain. CloudRefused `sale_unknown` 404, `sale_ambiguous` 409."""
        path = PATHS["sale"].format(till=quote(self._till, safe=""), sale_uid=quote(question.sale_uid, safe=""))
        query = {name: value for name, value in msgspec.to_builtins(question).items() if name != "sale_uid"}
        return await self._ask("GET", f"{path}?{urlencode(query)}" if query else path, _sale, timeout_ms=timeout_ms)

    async def member(self, question: MemberQuestion, *, timeout_ms: int) -> MemberAnswer:
        """Who that is. CloudRefused 404 by a cloud that knows no such question, 429 when too many were asked."""
        body = msgspec.json.encode(question)
        answer = await self._ask("POST", self._path("members"), _member, body=body, timeout_ms=timeout_ms)
        self._hear_tags(answer)
        return answer

    def _hear_tags(self, answer: ChangesAnswer | MemberAnswer) -> None:
        """Tags of its rows may be slow already: whoever looks for them must know before the next greeting."""
        if answer.phone_cost:
            self._phone_tags = PhoneTags(cost=answer.phone_cost, only=answer.phone_slow_only)

    async def start_confirmation(self, request: ConfirmationRequest, *, timeout_ms: int) -> ConfirmationAnswer:
        """Have a one-time code sent; the same confirmation again sends nothing and tells how it stands."""
        body = msgspec.json.encode(request)
        return await self._ask("POST", self._path("confirmations"), _confirmation, body=body, timeout_ms=timeout_ms)

    async def give_code(self, confirmation: str, code: str, *, timeout_ms: int) -> ConfirmationAnswer:
        """Hand in the code that the member said; a wrong one is an answer, not an error."""
        path = PATHS["confirm"].format(till=quote(self._till, safe=""), confirmation=quote(confirmation, safe=""))
        body = msgspec.json.encode(CodeGiven(code=code))
        return await self._ask("POST", path, _confirmation, body=body, timeout_ms=timeout_ms)

    async def enrol(self, request: EnrolmentRequest) -> EnrolmentAnswer:
        """Trade a one-time code for an identity."""
        return await self._ask("POST", PATHS["enrolments"], _enrolment, body=msgspec.json.encode(request))

    async def heartbeat(self, beat: Heartbeat) -> HeartbeatAnswer:
        """Tell how this till is. CloudRefused 404 by a cloud that knows no heartbeats."""
        path = HEARTBEAT_PATH.format(till=quote(self._till, safe=""))
        return await self._ask("POST", path, _heartbeat, body=msgspec.json.encode(beat))

    async def policy(self) -> Policy:
        """What this till is to have by the chain. CloudRefused 404 `no_policy`, or of a cloud that knows none."""
        return await self._ask("GET", POLICY_PATH.format(till=quote(self._till, safe="")), _policy)

    def use(self, *, request_timeout_ms: int) -> None:
        """Another whole time, from the next exchange on."""
        self._timeout_ms = request_timeout_ms

    async def close(self) -> None:
        await self._transport.close()

    def _path(self, name: str) -> str:
        return PATHS[name].format(till=quote(self._till, safe=""))

    async def _ask(
        self,
        method: str,
        path: str,
        decoder: "msgspec.json.Decoder[T]",
        *,
        body: bytes = b"",
        timeout_ms: int | None = None,
        extra_ms: int = 0,
    ) -> T:
        headers = JSON_HEADERS | ({"Content-Type": "application/json"} if body else {})
        started_wall_ms, started_ms = self._clock.wall_ms(), self._clock.mono_ms()
        limit_ms = (self._timeout_ms if timeout_ms is None else timeout_ms) + extra_ms
        reply = await self._exchange(method, path, headers, body, limit_ms)
        answer = self._read(reply, decoder)
        took_ms = self._clock.mono_ms() - started_ms
        server_time_ms = getattr(answer, "server_time_ms", None)
        if server_time_ms is not None and extra_ms == 0 and took_ms <= SKEW_EXCHANGE_LIMIT_MS:
            self._skew_ms = server_time_ms - (started_wall_ms + took_ms // 2)
        return answer

    async def _exchange(self, method: str, path: str, headers: Mapping[str, str], body: bytes, limit_ms: int) -> Reply:
        """One exchange in this till's name; CloudUnreachable `timeout` when it takes longer."""
        try:
            exchange = self._transport.exchange(
                method,
                path,
                headers={**headers, **self._authorization},
                body=body,
                answer_limit_bytes=ANSWER_LIMIT_BYTES,
            )
            return await within(self._clock, limit_ms, exchange)
        except TimeoutError:
            raise CloudUnreachable(f"no whole answer within {limit_ms} ms", code="timeout") from None

    def _read(self, reply: Reply, decoder: "msgspec.json.Decoder[T]") -> T:
        if reply.status not in (200, 201):
            raise refusal_of(reply, wall_ms=self._clock.wall_ms())
        _require_plain_json(reply.headers)
        try:
            return decoder.decode(reply.body)
        except _UNREADABLE as error:
            raise _not_ours(error) from None


async def _read_rows(page: RawPage) -> ChangesAnswer:
    try:
        return await read_page(page)
    except _UNREADABLE as error:
        raise _not_ours(error) from None


def _not_ours(error: Exception) -> NotOurCloud:
    return NotOurCloud(f"expected an answer of our protocol: {type(error).__name__}: {error}"[:300])


def _require_plain_json(headers: Mapping[str, str]) -> None:
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise NotOurCloud(f"expected application/json, not {media_type[:80]!r}")
    encoding = headers.get("content-encoding", "identity").strip().lower()
    if encoding != "identity":
        raise NotOurCloud(f"expected no Content-Encoding, not {encoding[:80]!r}")


def _push_error(error: CloudRefused) -> SyncError:
    """What a refused push means, by the problem's code."""
    if error.code == "seq_gap":
        expected = error.extras.get("expected_seq")
        if not isinstance(expected, int) or isinstance(expected, bool) or expected < 1:
            return NotOurCloud("expected `expected_seq` in a seq_gap problem")
        return SequenceGap(str(error), expected_seq=expected)
    if error.code in _CONFLICTS:
        return HistoryConflict(str(error), code=error.code)
    if error.code == "incarnation_changed":
        return IncarnationChanged(str(error))
    return error
