"""The puller: pages in order, each stored with its cursor, and none that can't be for this till."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from kit.loops import run
from till_sync.client import CloudClient
from till_sync.exceptions import (
    AnswerMismatch,
    CloudUnreachable,
    CursorGone,
    IncarnationChanged,
    NotOurCloud,
    SyncError,
)
from till_sync.pull import FIRST_PAGE_ROWS, PAGES_AT_ONCE, TURN_MS, Pulled, Puller
from till_sync.transport import Reply
from till_sync.wire import ChangesAnswer, MemberRow
from unit.sync.sync_fakes import TILL, FakeClock, FakeCloud, FakeSink, Request, json_reply, problem_reply


class Bench:
    """A puller between a fake cache and scripted pages."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.cloud = FakeCloud(self.clock)
        self.sink = FakeSink()
        self.puller = Puller(
            CloudClient(self.cloud, till=TILL, token="x", clock=self.clock), self.sink, clock=self.clock
        )

    def script(self, *replies: Reply | Exception) -> None:
        self.cloud.script["changes"] = list(replies)

    async def pull(self, known: tuple[int, int] = (1, 10)) -> Pulled:
        return await self.puller.pull("inc-1", known=known)

    @property
    def queries(self) -> list[str]:
        return [request.path.partition("?")[2] for request in self.cloud.asked("/changes")]


def page(number: int, *, more: bool = False, **changed: Any) -> Reply:
    fields: dict[str, Any] = {
        "incarnation": "inc-1",
        "rows": (MemberRow(member_id=f"m-{number}", balance=number),),
        "next": f"c{number}",
        "more": more,
        "epoch": 1,
        "acked_seq": 10,
        "server_time_ms": 1,
    }
    return json_reply(ChangesAnswer(**{**fields, **changed}))


def test_pages_are_stored_one_by_one_until_there_are_no_more() -> None:
    """Each page is asked for after the cursor of the one before."""
    bench = Bench()
    bench.script(page(1, more=True), page(2, more=True), page(3))
    assert run(bench.pull()) == Pulled(3, 3, more=False)
    assert [stored.next for stored in bench.sink.pages] == ["c1", "c2", "c3"]
    assert bench.queries == [f"since={at}&limit={limit}" for at, limit in (("", 1000), ("c1", 2000), ("c2", 2000))]


def test_an_empty_page_is_stored_too() -> None:
    """It says as of when the cached rows stand."""
    bench = Bench()
    bench.script(page(1, rows=(), next=""))
    run(bench.pull())
    assert len(bench.sink.pages) == 1


def test_a_long_pull_gives_the_push_its_turn() -> None:
    """After some pages the puller returns and says that there are more."""
    bench = Bench()
    bench.script(*(page(number, more=True) for number in range(1, 2 * PAGES_AT_ONCE)))
    assert run(bench.pull()) == Pulled(PAGES_AT_ONCE, PAGES_AT_ONCE, more=True)


def test_a_pull_over_a_slow_line_gives_the_push_its_turn_sooner() -> None:
    """By time, however few its pages; one page at least is stored, or it would never end."""
    bench = Bench()

    def slow(number: int, ms: int) -> Callable[[Request], Awaitable[Reply]]:
        async def answer(_request: Request) -> Reply:
            await bench.clock.advance(ms)
            return page(number, more=True)

        return answer

    bench.cloud.script["changes"] = [slow(number, TURN_MS // 4) for number in range(1, 9)]
    assert run(bench.pull()) == Pulled(4, 4, more=True)
    bench.cloud.script["changes"] = [slow(number, TURN_MS + 1) for number in (5, 6)]
    assert run(bench.pull()) == Pulled(1, 1, more=True)


@pytest.mark.parametrize(
    "refusal", [problem_reply(410, "cursor_gone"), problem_reply(400, "cursor_invalid")], ids=["gone", "invalid"]
)
def test_410_forgets_the_cursor_and_starts_anew(refusal: Reply) -> None:
    """The rows keep serving meanwhile: only the cursor is forgotten."""
    bench = Bench()
    bench.sink.at = "old"
    bench.script(refusal, page(1))
    run(bench.pull())
    assert bench.sink.resets == 1
    assert [query.partition("&")[0] for query in bench.queries] == ["since=old", "since="]
    assert bench.sink.at == "c1"


def test_410_without_a_cursor_is_an_error_and_not_a_loop() -> None:
    """A cloud that refuses even the first page is not asked for ever."""
    bench = Bench()
    bench.script(*[problem_reply(410, "cursor_gone")] * 5)
    with pytest.raises(CursorGone):
        run(bench.pull())
    assert len(bench.queries) == 1


def test_410_twice_is_an_error_even_if_the_cache_forgets_nothing() -> None:
    """A cache that keeps its cursor in spite of the reset makes no hot loop."""
    bench = Bench()
    bench.sink.at = "old"

    async def keep() -> None:
        bench.sink.resets += 1

    bench.sink.reset = keep  # type: ignore[method-assign]  # a fault in one test only
    bench.script(*[problem_reply(410, "cursor_gone")] * 5)
    with pytest.raises(CursorGone):
        run(bench.pull())
    assert bench.sink.resets == 1


BAD_PAGES = [
    (page(1, incarnation="inc-2"), IncarnationChanged),
    (page(1, acked_seq=11), AnswerMismatch),
    (page(1, epoch=2, acked_seq=0), AnswerMismatch),
    (page(1, next=""), AnswerMismatch),
    (page(1, next="", rows=(), more=True), AnswerMismatch),
    (Reply(200, {"content-type": "text/html"}, b"<html>"), NotOurCloud),
    (Reply(200, {"content-type": "application/json"}, b'{"rows":[]}'), NotOurCloud),
    (Reply(200, {"content-type": "application/json", "content-encoding": "gzip"}, b"\x1f\x8b"), NotOurCloud),
    (page(1, rows=(MemberRow(member_id="m", balance=10**25),)), NotOurCloud),
    (CloudUnreachable("cut"), CloudUnreachable),
]


@pytest.mark.parametrize(("reply", "kind"), BAD_PAGES, ids=range(len(BAD_PAGES)))
def test_nothing_of_a_bad_page_is_stored(reply: Reply | Exception, kind: type[SyncError]) -> None:
    """Another incarnation, own ops that were never sent, no way on, a portal's page, numbers out of range."""
    bench = Bench()
    bench.script(reply)
    with pytest.raises(kind):
        run(bench.pull())
    assert bench.sink.pages == []
    assert bench.sink.at == ""


def test_a_page_of_an_older_epoch_is_fine() -> None:
    """Before a new journal's first push the cloud still speaks of the one before."""
    bench = Bench()
    bench.script(page(1, epoch=1, acked_seq=99))
    assert run(bench.pull(known=(2, 0))).pages == 1


def test_a_page_that_runs_out_of_time_is_asked_for_smaller() -> None:
    """A slow line gets fewer rows at once."""
    bench = Bench()
    bench.script(CloudUnreachable("slow", code="timeout"), page(1))

    async def case() -> None:
        with pytest.raises(CloudUnreachable):
            await bench.pull()
        await bench.pull()

    run(case())
    assert [query.partition("limit=")[2] for query in bench.queries] == [
        str(FIRST_PAGE_ROWS),
        str(FIRST_PAGE_ROWS // 2),
    ]


def test_a_cursor_is_sent_as_it_came() -> None:
    """Whatever a cursor looks like, it arrives quoted."""
    bench = Bench()
    bench.sink.at = "a b&c=ä/+"
    bench.script(page(1))
    run(bench.pull())
    assert bench.queries[0].startswith("since=a+b%26c%3D%C3%A4%2F%2B&")
