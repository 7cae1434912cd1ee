"""What stands between a till and a snapshot, or keeps a stretch apart for good, never keeps pages from it."""

from pathlib import Path
from typing import Any

import pytest

from kit.loops import run
from till_sync.client import CloudClient
from till_sync.exceptions import CloudUnreachable, NotOurCloud, SyncError
from till_sync.pull import CHECK_EVERY_MS, CHECK_SELDOM_MS, Puller
from till_sync.snapshot_layout import FORMAT
from till_sync.snapshots import AGAIN_MS, FAILURES_LIMIT
from till_sync.transport import Reply
from till_sync.wire import ChangesAnswer, MemberRow, SnapshotAnswer, StretchDigest
from unit.sync.sync_fakes import TILL, FakeClock, FakeCloud, FakeSink, Request, json_reply, problem_reply

BYTES = 200_000
PORTAL = Reply(403, {"content-type": "text/html"}, b"<html>blocked</html>")


class Sink(FakeSink):
    """Can be built from a snapshot, and compares digests: `apart_now` is what it finds."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.snapshot_path = folder / "cache.db.snapshot"
        self.adopted = 0
        self.wrong: set[str] = set()
        self._apart: StretchDigest | None = None
        self.mended: list[str] = []

    async def adopt(self, answer: SnapshotAnswer) -> None:
        assert self.snapshot_path.stat().st_size == answer.bytes
        self.adopted += 1
        self.at = answer.cursor

    async def check_after(self) -> str:
        return ""

    async def apart(self) -> StretchDigest | None:
        return self._apart

    async def store_page(self, page: ChangesAnswer) -> None:
        await super().store_page(page)
        self._apart = page.stretch if page.stretch and page.stretch.after in self.wrong else None

    async def mend(self, page: ChangesAnswer) -> None:
        assert page.stretch is not None
        self._apart = None
        self.mended.append(page.stretch.after)


class Bench:
    def __init__(self, folder: Path) -> None:
        self.clock = FakeClock()
        self.cloud = FakeCloud(self.clock)
        self.cloud.protocol = 3
        self.sink = Sink(folder)
        self.client = CloudClient(self.cloud, till=TILL, token="x", clock=self.clock)
        self.puller = Puller(self.client, self.sink, clock=self.clock)
        self.ranges: Reply | Exception | None = None
        self.cloud.answer = self.answer  # type: ignore[method-assign]  # this cloud has snapshots and digests

    def answer(self, request: Request) -> Reply:
        path, _, query = request.path.partition("?")
        if path.endswith("/snapshot"):
            return json_reply(
                SnapshotAnswer(
                    snapshot="s-1",
                    format=FORMAT,
                    cursor="snap",
                    bytes=BYTES,
                    sha256="0" * 64,
                    members=3,
                    as_of_ms=1,
                    incarnation="inc-1",
                    server_time_ms=1,
                )
            )
        if "/snapshots/" in path:
            if isinstance(self.ranges, Exception):
                raise self.ranges
            if self.ranges is not None:
                return self.ranges
            first, last = map(int, request.headers["Range"].removeprefix("bytes=").split("-"))
            found = {"content-range": f"bytes {first}-{last}/{BYTES}"}
            return Reply(206, found, bytes(last - first + 1))
        if path.endswith("/changes"):
            stretch = StretchDigest(after="", last="", count=1, digest="0" * 64) if "check=" in query else None
            if "members_after" in query:
                stretch = StretchDigest(after="", last="", count=1, digest="0" * 64)
            return json_reply(page(stretch))
        return FakeCloud.answer(self.cloud, request)

    async def pull(self) -> str:
        """One round as the worker makes it; the code of what ended it, or ""."""
        try:
            while True:
                await self.client.hello()
                if not (await self.puller.pull("inc-1", known=(9, 9))).more:
                    return ""
        except SyncError as error:
            return error.code

    def asked(self, word: str) -> int:
        return sum(word in request.path for request in self.cloud.requests)


def page(stretch: StretchDigest | None = None) -> ChangesAnswer:
    return ChangesAnswer(
        incarnation="inc-1",
        rows=(MemberRow(member_id="m-1", balance=1),),
        next="c1",
        more=False,
        epoch=0,
        acked_seq=0,
        server_time_ms=1,
        stretch=stretch,
    )


TROUBLES: dict[str, Any] = {
    "a proxy that blocks the path": PORTAL,
    "a proxy that takes no range, and a file over the limit": NotOurCloud("too large", code="answer_too_large"),
    "416 of somebody": Reply(416, {}, b""),
    "the cloud breaks over it": problem_reply(500, "internal"),
    "a gateway that gives up": Reply(504, {}, b""),
    "a proxy that lets it hang": CloudUnreachable("no answer", code="timeout"),
    "the whole file instead of a range": Reply(200, {}, bytes(BYTES)),
}


@pytest.mark.parametrize("name", TROUBLES)
def test_a_snapshot_that_can_never_be_fetched_keeps_no_members_from_the_till(name: str, tmp_path: Path) -> None:
    """After a few tries pages are taken, for an hour; then it is tried again."""
    bench = Bench(tmp_path)
    bench.ranges = TROUBLES[name]

    async def case() -> None:
        said = [await bench.pull() for _ in range(FAILURES_LIMIT + 1)]
        assert said[-1] == ""
        assert set(bench.sink.members) == {"m-1"}
        tried = bench.asked("/snapshots/")
        assert tried <= FAILURES_LIMIT
        bench.sink.at = ""
        assert await bench.pull() == ""
        assert bench.asked("/snapshots/") == tried
        await bench.clock.advance(AGAIN_MS)
        bench.sink.at, bench.ranges = "", None
        assert await bench.pull() == ""
        assert bench.sink.adopted == 1

    run(case())


def test_a_snapshot_s_announcement_that_is_blocked_keeps_no_members_from_the_till(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.cloud.script["snapshot"] = [PORTAL] * 1_000

    async def case() -> None:
        said = [await bench.pull() for _ in range(FAILURES_LIMIT + 1)]
        assert said[-1] == ""
        assert set(bench.sink.members) == {"m-1"}

    run(case())


def test_a_few_lost_ranges_do_not_lose_what_came(tmp_path: Path) -> None:
    """Each range that comes begins the count anew; what is here stays."""
    bench = Bench(tmp_path)

    async def case() -> None:
        bench.puller._loader._range._set(64 * 1024)  # type: ignore[union-attr]  # this sink has a loader
        bench.ranges = CloudUnreachable("cut")
        for _ in range(FAILURES_LIMIT - 1):
            assert await bench.pull() == "cloud_unreachable"
        bench.ranges = None
        assert await bench.pull() == ""
        assert bench.sink.adopted == 1

    run(case())


def test_a_stretch_that_stays_apart_is_read_anew_ever_more_seldom(tmp_path: Path, caplog: Any) -> None:
    """Two ends that can't agree (a defect) cost a page now and then, not one a minute from each till for ever."""
    bench = Bench(tmp_path)
    bench.sink.at, bench.sink.wrong = "c0", {""}

    async def day() -> int:
        before = len(bench.sink.mended)
        for _ in range(24 * 60):
            await bench.clock.advance(CHECK_EVERY_MS)
            assert await bench.pull() == ""
        return len(bench.sink.mended) - before

    async def case() -> None:
        assert await day() <= 15
        assert await day() <= 86_400_000 // CHECK_SELDOM_MS + 1
        assert any("stays apart" in record.message for record in caplog.records if record.levelname == "CRITICAL")
        bench.sink.wrong.clear()
        await bench.clock.advance(CHECK_SELDOM_MS)
        assert await bench.pull() == ""
        before = bench.asked("check=")
        for _ in range(10):
            await bench.clock.advance(CHECK_EVERY_MS)
            await bench.pull()
        assert bench.asked("check=") - before >= 9  # agreed once: digests go on as ever

    run(case())


def test_a_stretch_that_can_t_be_read_is_tried_as_seldom(tmp_path: Path) -> None:
    """A proxy that takes the query's words off, or a cloud that answers something else."""
    bench = Bench(tmp_path)
    bench.sink.at, bench.sink.wrong = "c0", {""}
    whole = bench.answer

    def meddle(request: Request) -> Reply:
        return json_reply(page()) if "members_after" in request.path else whole(request)

    bench.cloud.answer = meddle  # type: ignore[method-assign]  # as above

    async def case() -> None:
        failed = 0
        for _ in range(24 * 60):
            await bench.clock.advance(CHECK_EVERY_MS)
            failed += await bench.pull() != ""
        assert failed <= 15

    run(case())
