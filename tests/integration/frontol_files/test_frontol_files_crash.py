"""The watcher dies at every step it writes, and at the desk's answer: the next one goes on, and all counts once."""

import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from fakes.frontol_report import FrontolTill
from integration.bridge.agent_kit import ANNA_CARD
from integration.frontol_files.reports_kit import Watched, watched
from till_agent.desk import Desk
from till_agent.frontol_files import judging, reading, store, watching
from till_agent.frontol_files.judging import Judge
from till_agent.frontol_files.store import Store

STEPS_LIMIT = 60


class Killed(Exception):  # noqa: N818 - it stands for the power
    """The end of the process, as far as the watcher can tell."""


def yesterday() -> datetime:
    return datetime.now().astimezone() - timedelta(days=1)


class Steps:
    """Ends the watcher before or after its nth step."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.left = -1
        self.after = False
        writing, sell, mark = Store.writing, Desk.sell, watching.mark_report

        @contextlib.contextmanager
        def written(of: Store) -> Iterator[sqlite3.Connection]:
            self.step(before=True)
            with writing(of) as db:
                yield db
            self.step(before=False)

        async def sold(desk: Desk, *values: Any) -> Any:
            self.step(before=True)
            answer = await sell(desk, *values)
            self.step(before=False)
            return answer

        def marked(*values: Any) -> bool:
            self.step(before=True)
            done = mark(*values)
            self.step(before=False)
            return done

        patch.setattr(Store, "writing", written)
        patch.setattr(Desk, "sell", sold)
        patch.setattr(watching, "mark_report", marked)

    def step(self, *, before: bool) -> None:
        if before == self.after or self.left < 0:
            return
        self.left -= 1
        if self.left < 0:
            raise Killed


def prove_kills(folder: Path, patch: pytest.MonkeyPatch, *, after: bool) -> int:
    """A report with a sale for each number of steps, the watcher ended after so many; gives the kills."""
    kills = 0
    with watched(folder) as shop:
        before = shop.balance(ANNA_CARD)
        steps = Steps(patch)
        steps.after = after
        for allowed in range(STEPS_LIMIT):
            till = FrontolTill(shift=500 + allowed, number=allowed * 1000, day=yesterday().strftime("%d.%m.%Y"))
            till.report = str(allowed)
            till.sale(ANNA_CARD)
            till.write(shop.path)
            steps.left = allowed
            killed = False
            for _ in range(3):
                try:
                    shop.look(1)
                except Killed:
                    killed = True
                    shop.agent.on_loop(shop.watch.close)
            kills += killed
            steps.left = -1
            shop.look(3)
            assert shop.path.read_bytes().startswith(b"@"), f"the report is not marked after {allowed} steps"
            assert shop.documents()[-1].state == "accrued", f"not accrued after {allowed} steps"
            assert [uid for _, uid in shop.ops()].count(till.uid) == 1, f"not once after {allowed} steps"
            if not killed:
                break
        else:
            raise AssertionError("the watcher writes without end")
        assert shop.states() == [("accrued", "unseen_sale")] * len(shop.documents())
        assert shop.balance(ANNA_CARD) == before + 5 * len(shop.documents())
        prove_late_sale(shop)
    return kills


def prove_late_sale(shop: Watched) -> None:
    """The bridge's own sale of a document that was accrued takes its place, whatever died meanwhile."""
    before = shop.balance(ANNA_CARD)
    at = yesterday().strftime("%Y-%m-%dT09:01:02")
    shop.sell("late-1", 10_000, ANNA_CARD, number="101", shift="500", local_time=at)
    shop.look()
    assert shop.balance(ANNA_CARD) == before, "counted twice"


@pytest.mark.parametrize("after", [False, True])
def test_whatever_ends_the_watcher_each_sale_counts_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    """Before and after each write, each sale, each mark."""
    assert prove_kills(tmp_path, monkeypatch, after=after) >= 8


def _sells_before_it_writes(patch: pytest.MonkeyPatch) -> None:
    settle = Store.settle

    def lazy(of: Store, record: Any, state: str, **more: Any) -> None:
        if state != "accruing":
            settle(of, record, state, **more)

    patch.setattr(Store, "settle", lazy)


def _marks_before_it_writes(patch: pytest.MonkeyPatch) -> None:
    gather = reading.gather

    def eager(of: Store, path: Path, **more: Any) -> Any:
        found = gather(of, path, **more)
        path.write_bytes(b"@" + path.read_bytes()[1:])
        found.record.state = "read"
        return found

    def never(*_: Any, **__: Any) -> int:
        raise Killed

    patch.setattr(watching, "gather", eager)
    patch.setattr(Store, "commit_slice", never)


def _never_withdraws(patch: pytest.MonkeyPatch) -> None:
    async def nothing(*_: Any) -> None:
        return None

    patch.setattr(Judge, "_met", nothing)


def _forgets_numbers(patch: pytest.MonkeyPatch) -> None:
    """Takes a document that comes again for another one, with a uid of its own."""
    insert = Store._insert

    def anew(of: Store, db: sqlite3.Connection, document: Any, path: str, *more: Any) -> bool:
        from msgspec.structs import replace

        other = replace(
            document, close_number=document.close_number + 7, uid=f"{document.uid}9", number=f"{document.number}9"
        )
        return insert(of, db, document, path, *more) or insert(of, db, other, path, *more)

    patch.setattr(Store, "_insert", anew)


def _adds_split_sums(patch: pytest.MonkeyPatch) -> None:
    from till_agent.frontol_files import rows

    patch.setattr(rows, "READ", rows.READ | {43})


def prove_once(folder: Path, _: pytest.MonkeyPatch) -> None:
    """Read again under another report number, a sale counts once; its payments are its own."""
    till = FrontolTill(day=yesterday().strftime("%d.%m.%Y"))
    till.sale(ANNA_CARD)
    with watched(folder) as shop:
        till.write(shop.path)
        shop.look(2)
        till.report = "467"
        till.write(shop.path)
        shop.look(3)
        assert len(shop.ops()) == 1
        body = shop.agent.call("GET", "/v1/queue/1", client="admin").json["body"]
        assert body["payments"] == [{"kind": "cash", "amount_minor": 10_000}]


def prove_late(folder: Path, _: pytest.MonkeyPatch) -> None:
    """One sale of the report, and then the bridge's own of it."""
    till = FrontolTill(shift=500, day=yesterday().strftime("%d.%m.%Y"))
    till.sale(ANNA_CARD)
    with watched(folder) as shop:
        till.write(shop.path)
        shop.look(2)
        prove_late_sale(shop)


MUTANTS: list[tuple[Callable[[pytest.MonkeyPatch], None], Callable[[Path, pytest.MonkeyPatch], Any]]] = [
    (_sells_before_it_writes, lambda folder, patch: prove_kills(folder, patch, after=True)),
    (_marks_before_it_writes, lambda folder, patch: prove_kills(folder, patch, after=True)),
    (_never_withdraws, prove_late),
    (_forgets_numbers, prove_once),
    (_adds_split_sums, prove_once),
]


@pytest.mark.parametrize(("mutant", "proof"), MUTANTS, ids=[mutant.__name__ for mutant, _ in MUTANTS])
def test_the_proofs_see_mistakes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mutant: Callable[[pytest.MonkeyPatch], None], proof: Any
) -> None:
    """Each mistake that was put in on purpose fails the proof that is there for it."""
    mutant(monkeypatch)
    with pytest.raises((AssertionError, Killed)):
        proof(tmp_path, monkeypatch)


def test_the_proofs_of_the_mutants_pass_without_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for proof in (prove_once, prove_late):
        folder = tmp_path / proof.__name__
        folder.mkdir()
        proof(folder, monkeypatch)
    assert judging.AT_ONCE > 1
    assert store.STORE_FILE
