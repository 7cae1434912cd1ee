"""The client: what counts as an answer of our cloud, and what everything else is called."""

import asyncio
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.loops import run
from till_sync.answers import DETAIL_LIMIT, problem_of, refusal_of
from till_sync.asking import HoldAnswer, HoldRequest
from till_sync.client import CloudClient
from till_sync.exceptions import (
    BatchTooLarge,
    CloudBusy,
    CloudFailed,
    CloudRefused,
    CloudUnreachable,
    CursorGone,
    HoldRefused,
    IdentityRefused,
    NotOurCloud,
    SyncError,
    UpgradeNeeded,
)
from till_sync.holds import CloudHoldGateway, NoHoldGateway
from till_sync.problems import PROBLEM_MEDIA_TYPE
from till_sync.retry import Line
from till_sync.transport import Reply
from unit.sync.sync_fakes import (
    TILL,
    WALL_MS,
    FakeClock,
    FakeCloud,
    FixedRandom,
    Request,
    json_reply,
    problem_reply,
    settle,
)

HOLD = HoldRequest(hold="h-t1-1", till=TILL, sale_uid="s1", member_id="m-1", points=500)


def granted(**changed: Any) -> Reply:
    fields: dict[str, Any] = {
        "hold": "h-t1-1",
        "points": 500,
        "expires_at_ms": WALL_MS + 600_000,
        "server_time_ms": WALL_MS,
        "balance": 900,
        "held": 500,
        "position": 7,
    }
    return json_reply(HoldAnswer(**{**fields, **changed}))


class Bench:
    def __init__(self) -> None:
        self.clock = FakeClock()
        self.cloud = FakeCloud(self.clock)
        self.client = CloudClient(self.cloud, till=TILL, token="secret", clock=self.clock)
        self.line = Line(FixedRandom())
        self.line.succeeded()
        self.gateway = CloudHoldGateway(self.client, self.line)

    def reserve(self, *replies: Any) -> HoldAnswer:
        self.cloud.script["holds"] = list(replies)
        return run(self.gateway.reserve(HOLD, budget_ms=800))


def test_each_request_carries_the_till_s_token_and_asks_for_json() -> None:
    """Bearer token, JSON wanted, nothing cached; a content type only where there is a body."""
    bench = Bench()
    run(bench.client.hello())
    headers = bench.cloud.requests[0].headers
    assert headers["Authorization"] == "Bearer secret"
    assert headers["Accept"] == "application/json"
    assert headers["Cache-Control"] == "no-store"
    assert "Content-Type" not in headers


@pytest.mark.parametrize(
    ("status", "kind", "retryable"),
    [
        (400, CloudRefused, False),
        (401, IdentityRefused, False),
        (403, IdentityRefused, False),
        (404, CloudRefused, False),
        (408, CloudBusy, True),
        (409, CloudRefused, False),
        (410, CursorGone, False),
        (413, BatchTooLarge, False),
        (415, CloudRefused, False),
        (422, CloudRefused, False),
        (426, UpgradeNeeded, False),
        (429, CloudBusy, True),
        (500, CloudFailed, True),
        (501, CloudBusy, True),
        (502, CloudBusy, True),
        (503, CloudBusy, True),
        (504, CloudBusy, True),
    ],
)
def test_each_status_with_a_problem_has_its_error(status: int, kind: type[SyncError], *, retryable: bool) -> None:
    """The error keeps the cloud's code."""
    error = refusal_of(problem_reply(status, "some_code"), wall_ms=WALL_MS)
    assert type(error) is kind
    assert (error.code, error.retryable) == ("some_code", retryable)


def test_a_refused_push_is_not_its_own_cause() -> None:
    """Whoever follows causes to the first one, as logging and our own tests do, comes to an end."""
    bench = Bench()
    bench.cloud.script["ops"] = [problem_reply(401, "signature_stale")]
    with pytest.raises(IdentityRefused) as caught:
        run(bench.client.push(b"{}"))
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    "status", [100, 201, 204, 206, 301, 302, 307, 400, 401, 403, 404, 407, 409, 410, 422, 426, 511]
)
def test_a_status_without_a_problem_is_a_stranger_s(status: int) -> None:
    """A portal's 401 must not halt a till, nor its 409 move anything."""
    error = refusal_of(Reply(status, {"content-type": "text/html"}, b"<html>"), wall_ms=WALL_MS)
    assert type(error) is NotOurCloud
    assert error.retryable


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_overload_may_come_from_a_proxy(status: int) -> None:
    """Its Retry-After is kept, though its body is no problem."""
    error = refusal_of(Reply(status, {"retry-after": "9"}, b"<html>"), wall_ms=WALL_MS)
    assert type(error) is (CloudFailed if status == 500 else CloudBusy)
    assert error.retry_after is not None
    assert error.retry_after.ms == 9_000


BAD_PROBLEMS = [
    b"",
    b"null",
    b"[]",
    b'"x"',
    b"{}",
    b'{"status":409}',
    b'{"code":"x"}',
    b'{"status":200,"code":"seq_gap"}',
    b'{"status":"409","code":"seq_gap"}',
    b'{"status":409,"code":""}',
    b'{"status":409,"code":"Seq Gap"}',
    b'{"status":409,"code":"' + b"x" * 65 + b'"}',
    b'{"status":409,"code":7}',
    b'{"status":409,"code":"x\n"}',
    b'{"status":409,"code":"seq_gap"',
    b'{"status":409,"code":"seq_gap","a":"\xff"}',
    b'{"a":' + b"[" * 60_000,
    b'{"status":409,"code":"seq_gap","pad":"' + b"x" * 70_000 + b'"}',
]


@pytest.mark.parametrize("body", BAD_PROBLEMS, ids=range(len(BAD_PROBLEMS)))
def test_a_malformed_problem_is_none(body: bytes) -> None:
    """Not JSON, no object, another status, no usable code, too long: a stranger's."""
    reply = Reply(409, {"content-type": PROBLEM_MEDIA_TYPE}, body)
    assert problem_of(reply) is None
    assert isinstance(refusal_of(reply, wall_ms=WALL_MS), NotOurCloud)


@settings(max_examples=200)
@given(status=st.integers(100, 599), body=st.binary(max_size=200), kind=st.text(max_size=40))
def test_no_reply_breaks_the_reader(status: int, body: bytes, kind: str) -> None:
    """Whatever comes, it becomes one of our errors."""
    for media_type in (kind, PROBLEM_MEDIA_TYPE):
        assert isinstance(refusal_of(Reply(status, {"content-type": media_type}, body), wall_ms=WALL_MS), SyncError)


def test_a_problem_s_detail_is_made_harmless() -> None:
    """Control bytes and length: it ends up in logs and on a status page."""
    members = {"status": 409, "code": "x", "detail": "\x1b[31mred\nline" + "y" * 5_000}
    found = problem_of(Reply(409, {"content-type": PROBLEM_MEDIA_TYPE}, msgspec.json.encode(members)))
    assert found is not None
    assert found.detail.startswith(" [31mred line")
    assert len(found.detail) == DETAIL_LIMIT


def test_an_exchange_ends_at_its_time_by_the_injected_clock() -> None:
    """A server that never answers costs the request time-out and no more."""
    bench = Bench()
    bench.cloud.latency_ms = 10**9

    async def case() -> None:
        asked = asyncio.ensure_future(bench.client.hello())
        await bench.clock.advance(9_999)
        assert not asked.done()
        await bench.clock.advance(1)
        with pytest.raises(CloudUnreachable) as caught:
            await asked
        assert caught.value.code == "timeout"

    run(case())


def test_skew_is_taken_from_the_middle_of_a_quick_exchange_only() -> None:
    """Half of the way is added; an exchange that took long says nothing."""
    bench = Bench()

    async def slow(request: Request) -> Reply:
        server = bench.cloud.answer(request)
        await bench.clock.sleep(bench.cloud.epoch or 2.0)
        return server

    async def case(seconds: int) -> int | None:
        bench.cloud.epoch = seconds
        bench.cloud.script["hello"] = [slow]
        asked = asyncio.ensure_future(bench.client.hello())
        await settle()
        await bench.clock.advance(seconds * 1000)
        await asked
        return bench.client.skew_ms

    assert run(case(2)) == -1_000
    assert run(case(8)) == -1_000


def test_a_hold_is_granted() -> None:
    """The gateway hands on what the cloud reserved."""
    bench = Bench()
    answer = bench.reserve(granted())
    assert (answer.hold, answer.points, answer.held) == ("h-t1-1", 500, 500)
    assert msgspec.json.decode(bench.cloud.requests[0].body, type=HoldRequest) == HOLD
    assert bench.gateway.online


def test_a_hold_that_may_be_made_anew_is_taken_as_well() -> None:
    """201 is a success too."""
    bench = Bench()
    assert bench.reserve(Reply(201, {"content-type": "application/json"}, granted().body)).points == 500


@pytest.mark.parametrize(
    ("reply", "code", "available"),
    [
        (problem_reply(409, "insufficient_points", available=120), "insufficient_points", 120),
        (problem_reply(409, "insufficient_points"), "insufficient_points", -1),
        (problem_reply(409, "insufficient_points", available="120"), "insufficient_points", -1),
        (problem_reply(409, "insufficient_points", available=True), "insufficient_points", -1),
        (problem_reply(404, "member_unknown"), "member_unknown", -1),
        (problem_reply(422, "hold_invalid"), "hold_invalid", -1),
    ],
)
def test_a_refused_hold_says_why(reply: Reply, code: str, available: int) -> None:
    """The cloud's code, and how much it would have given."""
    bench = Bench()
    with pytest.raises(HoldRefused) as caught:
        bench.reserve(reply)
    assert (caught.value.code, caught.value.available_points) == (code, available)
    assert caught.value.detail == "as the test wants it", "whoever hands it on has the code already"
    assert bench.gateway.online


@pytest.mark.parametrize(
    "reply",
    [
        CloudUnreachable("cut"),
        Reply(200, {"content-type": "text/html"}, b"<html>"),
        Reply(409, {"content-type": "text/html"}, b"<html>"),
        problem_reply(503, "busy"),
        problem_reply(401, "token_invalid"),
        granted(hold="h-other"),
        granted(points=499),
        granted(points=501),
        Reply(200, {"content-type": "application/json"}, b"{}"),
    ],
    ids=range(9),
)
def test_no_usable_answer_to_a_hold_is_unreachable(reply: Reply | Exception) -> None:
    """Silence, strangers, overload, and an answer about another hold: it may or may not be reserved."""
    bench = Bench()
    with pytest.raises(CloudUnreachable):
        bench.reserve(reply)


def test_a_hold_keeps_to_its_budget() -> None:
    """After 800 ms the cashier goes on, and the till no longer calls itself online."""
    bench = Bench()
    bench.cloud.latency_ms = 10**6

    async def case() -> None:
        asked = asyncio.ensure_future(bench.gateway.reserve(HOLD, budget_ms=800))
        await bench.clock.advance(799)
        assert not asked.done()
        await bench.clock.advance(1)
        with pytest.raises(CloudUnreachable):
            await asked

    run(case())
    assert not bench.gateway.online
    assert not bench.line.down


def test_without_a_cloud_no_hold_is_asked_for() -> None:
    """A till without a cloud says so at once."""
    gateway = NoHoldGateway()
    assert not gateway.online
    with pytest.raises(CloudUnreachable):
        run(gateway.reserve(HOLD, budget_ms=800))


def test_no_token_is_shown_by_accident() -> None:
    """The client's own words never hold the token."""
    bench = Bench()
    assert "secret" not in repr(bench.client)
    with pytest.raises(SyncError) as caught:
        bench.reserve(problem_reply(401, "token_invalid"))
    assert "secret" not in str(caught.value)
