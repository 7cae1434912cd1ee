"""What a salvage makes of rows that the cloud has: with its verdicts, and no sale of which it is not known what came
back."""

import functools
import sqlite3
import tempfile
from pathlib import Path

import pytest
from msgspec.structs import replace

from integration.agent_stores.salvage_kit import BODY, PAGE, destroy_pages, entries, reopen, salvage_of, spoil
from kit.loops import run
from kit.mistakes import Mistake, must_be_caught
from till_agent.journal import pruning, salvage
from till_agent.journal.exceptions import UidForgotten
from till_agent.journal.wreck import OutOfTime, Wreck
from till_sync.asking import HoldRequest
from till_sync.ops import OpId
from till_sync.wire import OpResult
from unit.agent_stores.stores_kit import TILL, Identity, StepClock, draft, journal_in, once

SALES = 10
RETURN, OTHER_RETURN = SALES + 1, SALES + 2
"""Of the third sale and of the fourth."""
REFUSED, ADJUSTED = 5, 6
WRITTEN_MS = 1_700_000_000_000
"""When drafts were made."""


def history(folder: Path, identity: Identity) -> None:
    """Ten sales, two returns and a sale more; the cloud has all of it, refused one and counted one otherwise."""
    drafts = [(f"s-{number}", "sale", "") for number in range(1, SALES + 1)]
    drafts += [("r-1", "return", "s-3"), ("r-2", "return", "s-4"), ("s-13", "sale", "")]
    results = {REFUSED: ("rejected", "sale_repeated"), ADJUSTED: ("adjusted", "points_differ")}

    async def work() -> None:
        async with journal_in(folder, identity) as journal:
            told = []
            for number, (uid, kind, about) in enumerate(drafts, 1):
                body = b'{"n":%d,"x":"%s"}' % (number, BODY)
                await journal.commit(once(draft(uid, kind=kind, about_uid=about, body=body)))
                status, code = results.get(number, ("applied", ""))
                told.append(OpResult(seq=number, status=status, code=code, balance=number, member_id="m-1"))  # type: ignore[arg-type]  # of the words above
            await journal.record(1, len(drafts), tuple(told))

    run(work())


def verdicts_come_along(folder: Path) -> None:
    """Who looks for what was refused finds it."""
    folder, identity = Path(tempfile.mkdtemp(dir=folder)), Identity()
    history(folder, identity)
    spoil(folder, 1)
    assert salvage_of(reopen(folder, identity)).kept == SALES + 2

    async def work() -> None:
        async with journal_in(folder, identity) as journal:
            assert [op.uid for op in await journal.list_rejected()] == [f"s-{REFUSED}"]
            assert [op.code for op in await journal.list_rejected(verdict="adjusted")] == ["points_differ"]
            assert (journal.figures.repeated, journal.figures.adjusted) == (1, 1)
            verdict = await journal.read(lambda reader: reader.verdict(OpId(TILL, 1, SALES)))
            assert verdict == OpResult(seq=SALES, status="applied", balance=SALES, member_id="m-1")

    run(work())


def test_the_clouds_verdicts_come_along(tmp_path: Path) -> None:
    """Of rows that are here."""
    verdicts_come_along(tmp_path)


def test_rows_that_came_along_are_let_go_of_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All but the newest, and what was refused."""
    monkeypatch.setattr(pruning, "NEWEST_ROWS", 3)
    identity = Identity()
    history(tmp_path, identity)
    spoil(tmp_path, 1)
    reopen(tmp_path, identity)
    later = StepClock()
    later.wall = WRITTEN_MS + (pruning.KEEP_DAYS + 1) * pruning.DAY_MS

    async def work() -> int:
        async with journal_in(tmp_path, identity, clock=later) as journal:
            journal._place = replace(journal._place, included=lambda: (1, SALES + 3))
            return await journal.prune()

    assert run(work()) == len(("s-2", "s-3", "s-4", "s-6", "s-7", "s-8", "s-9"))


def goods_come_back_at_the_cloud_alone(folder: Path) -> None:
    """A return is gone: so its sale is not here, and not to be sold again; all others are."""
    folder, identity = Path(tempfile.mkdtemp(dir=folder)), Identity()
    history(folder, identity)
    spoil(folder, RETURN)
    assert salvage_of(reopen(folder, identity)).kept == SALES + 1
    assert entries(folder, identity, "r-1", "r-2", kind="return")[0] is None
    found = entries(folder, identity, *(f"s-{number}" for number in range(1, SALES + 1)))
    assert [number for number, entry in enumerate(found, 1) if entry is None] == [3]

    async def sell_again() -> None:
        async with journal_in(folder, identity) as journal:
            await journal.verify()
            with pytest.raises(UidForgotten):
                await journal.commit(once(draft("s-3")))
            await journal.commit(once(draft("s-new")))

    run(sell_again())


def test_a_sale_of_which_a_return_is_gone_stays_behind(tmp_path: Path) -> None:
    """Without a line its goods would come back a second time."""
    goods_come_back_at_the_cloud_alone(tmp_path)


def test_so_it_is_where_whole_pages_are_gone(tmp_path: Path) -> None:
    """Of the rows on it the index alone tells; so it is of the first row behind it, which nothing proves."""
    identity = Identity()
    history(tmp_path, identity)
    destroy_pages(tmp_path, RETURN)
    reopen(tmp_path, identity)
    back = entries(tmp_path, identity, "r-1", "r-2", kind="return")
    sold = entries(tmp_path, identity, "s-3", "s-4")
    assert [each is None for each in sold] == [each is None for each in back]
    assert back[0] is None


@pytest.mark.parametrize("row", [1, REFUSED, SALES])
def test_no_sale_stays_behind_for_a_sale_that_is_gone(tmp_path: Path, row: int) -> None:
    """Nothing was about that one's row."""
    identity = Identity()
    history(tmp_path, identity)
    spoil(tmp_path, row)
    reopen(tmp_path, identity)
    found = entries(tmp_path, identity, *(f"s-{number}" for number in range(1, SALES + 1)))
    assert [number for number, entry in enumerate(found, 1) if entry is None] == [row]


def test_whichever_page_is_destroyed_the_next_start_succeeds(tmp_path: Path) -> None:
    """Also one of holds, which no row needs: they are read once the file is open."""
    history(tmp_path, Identity())
    asked = HoldRequest(hold="h-1", till=TILL, sale_uid="s", member_id="m-1", points=5, ttl_ms=1)

    async def hold() -> None:
        async with journal_in(tmp_path, Identity(1)) as journal:
            await journal.holds.remember(asked, 1_000)

    run(hold())
    whole = (tmp_path / "journal.db").read_bytes()
    for begin in range(0, len(whole), PAGE):
        folder = Path(tempfile.mkdtemp(dir=tmp_path))
        (folder / "journal.db").write_bytes(whole[:begin] + b"\xa5" * PAGE + whole[begin + PAGE :])
        reopen(folder, Identity(1))


def test_a_look_that_was_cut_short_for_time_is_no_whole_look(tmp_path: Path) -> None:
    """Else a sale might come along of which nobody has looked what is gone."""
    history(tmp_path, Identity())

    def cut_short(_view: sqlite3.Connection) -> bool:
        raise sqlite3.OperationalError("interrupted")

    with Wreck(tmp_path / "journal.db", lambda: True) as wreck, pytest.raises(OutOfTime):
        wreck.look(cut_short)


def mistakes(folder: Path) -> dict[str, Mistake]:
    """Each with the test that finds it."""
    goods = functools.partial(goods_come_back_at_the_cloud_alone, folder)
    verdicts = functools.partial(verdicts_come_along, folder)
    return {
        "a sale comes along whatever came back of it": Mistake(
            salvage.Carrier, "_stays_behind", 'proven.row.kind != "sale"', "True", goods
        ),
        "a sale that stays behind is sold anew": Mistake(
            salvage.Carrier, "_stays_behind", 'mark_of("sale", proven.row.uid)', "0", goods
        ),
        "verdicts stay behind": Mistake(salvage, "read_verdicts", "return list(found.values())", "return []", verdicts),
    }


@pytest.mark.mutants
@pytest.mark.parametrize("name", sorted(mistakes(Path())))
def test_a_mistake_is_found_out(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It fails the test that stands beside it."""
    must_be_caught(mistakes(tmp_path)[name], monkeypatch)
