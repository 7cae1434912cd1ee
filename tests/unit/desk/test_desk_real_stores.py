"""The desk on the real journal and cache: what the fakes promise, SQLite and its threads keep."""

import asyncio
import hashlib
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from fakes.clock import FakeClock
from fakes.holds import FakeHoldGateway
from fakes.slips import FakeSlipDesk
from fakes.till import ANNA_CARD, IDENTITY, PROGRAMME, STRANGER_CARD, anna, receipt
from till_agent.api import HoldCreate, Identify, ReturnLineRequest, ReturnRequest, Sale, SaleRequest
from till_agent.balances import OwnEffects
from till_agent.cache import CacheStore, pages
from till_agent.desk import Answered, Desk, DeskParts, DeskSettings
from till_agent.exceptions import DeskProblem
from till_agent.journal import DiskJournal, EpochKeeper, Place
from till_loyalty.receipt import Line, Receipt
from till_sync.wire import ChangesAnswer, MemberRow, OpResult, ProgrammeRow

ANNA = Identify(card=ANNA_CARD)


class RealTill:
    """The real desk, journal, cache and effects in a folder; the cloud and the slips are fakes."""

    def __init__(self, folder: Path, clock: FakeClock) -> None:
        self.clock = clock
        self.effects = OwnEffects()
        self.cache = CacheStore(folder / "cache.db", "t1", on_complete=self.effects.forget)
        keeper = EpochKeeper(0, lambda _epoch: None)
        place = Place(path=folder / "journal.db", till="t1", keeper=keeper, clock=clock)
        self.journal = DiskJournal(place, self.effects, self.cache)
        self.gateway = FakeHoldGateway(clock)
        self.gateway.points["m-anna"] = 500
        self.slips = FakeSlipDesk()
        self.desk = Desk(
            DeskParts(
                identity=IDENTITY,
                journal=self.journal,
                cache=self.cache,
                pending=self.effects,
                holds=self.journal.holds,
                gateway=self.gateway,
                slips=self.slips,
                clock=clock,
                settings=DeskSettings(),
            )
        )

    async def page(self, *rows: MemberRow, acked_seq: int = 0, programme: bool = False) -> None:
        """A page from the cloud."""
        body = msgspec.json.encode(PROGRAMME).decode()
        digest = hashlib.sha256(body.encode()).hexdigest()
        rules = ProgrammeRow(programme_id="demo", version=1, digest=digest, active=True, body=body)
        page = ChangesAnswer(
            incarnation="i1",
            rows=(*rows, rules) if programme else rows,
            next="c",
            more=False,
            epoch=1,
            acked_seq=acked_seq,
            server_time_ms=self.clock.wall,
        )
        await self.cache.store_page(page)


@asynccontextmanager
async def real_till(folder: Path, clock: FakeClock) -> AsyncIterator[RealTill]:
    """Opened and closed in order."""
    till = RealTill(folder, clock)
    await till.cache.start()
    await till.journal.start(till.cache.floor)
    try:
        yield till
    finally:
        await till.journal.stop()
        await till.cache.stop()


async def shown(till: RealTill, who: Identify = ANNA) -> tuple[int, int]:
    member = await till.desk.identify(who)
    return member.balance_points, member.unconfirmed_points


def test_a_day_with_a_restart_in_the_middle(tmp_path: Path) -> None:
    """Sold, spent, returned; after the restart the same balances, answers and holds."""
    clock = FakeClock()
    sale = SaleRequest(receipt=receipt(10_000, 5_000), member=ANNA)
    back = ReturnRequest(sale_uid="u1", lines=(ReturnLineRequest(number=1, quantity_thousandths=500),))

    async def before() -> tuple[bytes, bytes, bytes, SaleRequest]:
        async with real_till(tmp_path, clock) as till:
            await till.page(anna(), programme=True)
            first = await till.desk.sell("u1", sale)
            hold = (await till.desk.hold(HoldCreate(sale_uid="u2", member=ANNA, points=50))).hold
            open_hold = (await till.desk.hold(HoldCreate(sale_uid="u3", member=ANNA, points=20))).hold
            spent = SaleRequest(receipt=receipt(20_000), member=ANNA, redeem_points=50, hold=hold)
            second = await till.desk.sell("u2", spent)
            third = await till.desk.give_back("r1", back)
            assert await shown(till) == (500 + 7 - 50 + 7 - 3, 7 - 50 + 7 - 3)
            assert (await till.desk.identify(ANNA)).spendable_points == 461 - 20
            assert till.journal.holds.get(open_hold) is not None
        return first.body, second.body, third.body, spent

    async def after(first: bytes, second: bytes, third: bytes, spent: SaleRequest) -> None:
        async with real_till(tmp_path, clock) as till:
            assert await shown(till) == (461, -39)
            assert await till.desk.sell("u1", sale) == Answered(body=first, replayed=True)
            assert await till.desk.sell("u2", spent) == Answered(body=second, replayed=True)
            assert await till.desk.give_back("r1", back) == Answered(body=third, replayed=True)
            with pytest.raises(DeskProblem, match="sale_has_returns"):
                await till.desk.void("u1")
            clock.advance(600_000)
            assert await till.desk.release_abandoned() == 1
            results = tuple(
                OpResult(seq=seq, status="applied", member_id="m-anna", balance=balance, position=seq)
                for seq, balance in ((1, 507), (2, 464), (3, 461), (4, 461))
            )
            await till.journal.record(1, 2, results[:2])
            assert await shown(till) == (461, -3)
            await till.journal.record(1, 4, results[2:])
            await till.page(anna(balance=461), acked_seq=4)
            assert await shown(till) == (461, 0)
            assert (await till.desk.sale("u2")).sync == "applied"

    asyncio.run(after(*asyncio.run(before())))


def test_sales_that_come_at_once_share_the_disk_and_stay_apart(tmp_path: Path) -> None:
    """Fifty sales, five of them twice: every one is kept once, and the balance is their sum."""

    async def day() -> None:
        async with real_till(tmp_path, FakeClock()) as till:
            await till.page(anna(), programme=True)
            request = SaleRequest(receipt=receipt(10_000), member=ANNA)
            uids = [f"u{number}" for number in [*range(50), *range(5)]]
            answers = await asyncio.gather(*(till.desk.sell(uid, request) for uid in uids))
            assert sum(answer.replayed for answer in answers) == 5
            assert [answer.body for answer in answers[50:]] == [answer.body for answer in answers[:5]]
            assert {msgspec.json.decode(answer.body, type=Sale).op for answer in answers} == {
                f"t1:1:{seq}" for seq in range(1, 51)
            }
            assert await shown(till) == (750, 250)
            assert till.journal.transactions < 50

    asyncio.run(day())


async def sell_beside_a_page(folder: Path, monkeypatch: pytest.MonkeyPatch, patience_s: float) -> None:
    """Sells while the cache's writer stands in the middle of its transaction; TimeoutError if a sale waits for it."""
    async with real_till(folder, FakeClock()) as till:
        await till.page(anna(), programme=True)
        begun, free = threading.Event(), threading.Event()
        write_page = pages.write_page

        def slow(*given: Any) -> Any:
            written = write_page(*given)
            begun.set()
            assert free.wait(60)
            return written

        monkeypatch.setattr(pages, "write_page", slow)
        page = asyncio.ensure_future(till.page(anna(balance=700)))
        try:
            assert await asyncio.to_thread(begun.wait, 60)
            request = SaleRequest(receipt=receipt(10_000), member=ANNA)
            for number in range(3):
                sale = asyncio.ensure_future(till.desk.sell(f"u{number}", request))
                _done, late = await asyncio.wait({sale}, timeout=patience_s)
                if late:
                    raise TimeoutError
                assert not sale.result().replayed
            assert not page.done()
            assert await shown(till) == (515, 15), "of the page nobody sees anything before it is whole"
        finally:
            free.set()
            await page
        assert await shown(till) == (715, 15)


def test_no_sale_waits_for_a_page_that_is_being_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long the disk takes for it; and look-ups go on."""
    asyncio.run(sell_beside_a_page(tmp_path, monkeypatch, 60))


def test_a_sale_that_waits_for_the_cache_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Mutant: what was sold is put into the cache before it is answered."""
    commit = DiskJournal.commit

    async def mutant(self: Any, decide: Any) -> Any:
        done = await commit(self, decide)
        await self._verdicts.record_results(1, ())
        return done

    monkeypatch.setattr(DiskJournal, "commit", mutant)
    with pytest.raises(TimeoutError):
        asyncio.run(sell_beside_a_page(tmp_path, monkeypatch, 0.5))


def test_who_called_in_the_same_moment_is_answered_before_the_disk_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two sales and a customer looked up between them: the journal's thread gets both sales, and gets them last."""

    async def day() -> None:
        async with real_till(tmp_path, FakeClock()) as till:
            await till.page(anna(), programme=True)
            order: list[str] = []
            commit = till.journal.commit

            async def noted(decide: Any) -> Any:
                order.append("disk")
                return await commit(decide)

            async def identify() -> None:
                await till.desk.identify(ANNA)
                order.append("answered")

            monkeypatch.setattr(till.journal, "commit", noted)
            request = SaleRequest(receipt=receipt(10_000), member=ANNA)
            await asyncio.gather(till.desk.sell("u1", request), identify(), till.desk.sell("u2", request), identify())
            assert order == ["answered", "answered", "disk", "disk"]

    asyncio.run(day())


def test_one_that_is_refused_does_not_spoil_those_it_shares_the_disk_with(tmp_path: Path) -> None:
    """A conflict, an expired hold and a good sale in one batch."""

    async def day() -> None:
        async with real_till(tmp_path, FakeClock()) as till:
            await till.page(anna(), programme=True)
            request = SaleRequest(receipt=receipt(10_000), member=ANNA)
            await till.desk.sell("u1", request)
            hold = (await till.desk.hold(HoldCreate(sale_uid="u3", member=ANNA, points=50))).hold
            results = await asyncio.gather(
                till.desk.release(hold),
                till.desk.sell("u1", msgspec.structs.replace(request, number="other")),
                till.desk.sell("u3", msgspec.structs.replace(request, redeem_points=50, hold=hold)),
                till.desk.sell("u4", request),
                return_exceptions=True,
            )
            codes = [result.code if isinstance(result, DeskProblem) else "" for result in results]
            assert codes == ["", "uid_conflict", "hold_expired", ""]
            assert [entry.uid for entry in await till.journal.read(lambda reader: reader.recent(9))] == [
                "u4",
                hold,
                "u1",
            ]

    asyncio.run(day())


def test_a_stranger_becomes_known_without_a_flicker(tmp_path: Path) -> None:
    """Sold by tag, acknowledged, then a page tells whose the tag is."""
    stranger = Identify(card=STRANGER_CARD)

    async def day() -> None:
        async with real_till(tmp_path, FakeClock()) as till:
            await till.page(anna(), programme=True)
            await till.desk.sell("u1", SaleRequest(receipt=receipt(10_000), member=stranger))
            await till.desk.sell("u2", SaleRequest(receipt=receipt(10_000), member=stranger))
            tag = (await till.desk.identify(stranger)).reference
            verdict = OpResult(seq=1, status="applied", member_id="m-new", tag=tag, balance=5, position=1)
            await till.journal.record(1, 1, (verdict,))
            assert (await shown(till, stranger))[0] == 10
            await till.page(MemberRow(member_id="m-new", status="provisional", tags=(tag,), balance=5), acked_seq=1)
            assert await shown(till, stranger) == (10, 5)
            member = await till.desk.identify(Identify(reference=tag))
            assert (member.reference, member.spendable_reason) == ("m-new", "provisional")

    asyncio.run(day())


def test_ten_thousand_lines_on_the_real_disk(tmp_path: Path) -> None:
    """Sold, found, returned whole."""
    lines = tuple(Line(number=number, sku=f"s{number}", amount_minor=number) for number in range(1, 10_001))

    async def day() -> None:
        async with real_till(tmp_path, FakeClock()) as till:
            await till.page(anna(), programme=True)
            request = SaleRequest(receipt=Receipt(lines=lines), member=ANNA)
            first = await till.desk.sell("u1", request)
            assert (await till.desk.sell("u1", request)).body == first.body
            await till.desk.give_back("r1", ReturnRequest(sale_uid="u1"))
            assert (await till.desk.sale("u1")).state == "returned"
            assert await shown(till) == (500, 0)

    asyncio.run(day())
