"""Random lives of grants hold what is promised; and a cloud that breaks one promise is found out by them."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from till_cloud import granting, holding
from till_cloud.ingest import covering, push
from till_cloud.jobs import running
from till_cloud.ledger.account import Account
from till_cloud.ledger.book import Book
from till_cloud.store import grants
from unit.cloud.cloud_kit import Till
from unit.cloud.grants_kit import LendingChain, covered
from unit.cloud.grants_walk import walk

SEEDS = 12
MUTANT_SEEDS = 12


@pytest.mark.parametrize("seed", range(SEEDS))
def test_honest_tills_are_never_refused_and_nobody_is_below_zero(tmp_path: Path, seed: int) -> None:
    """Whatever the order of pages, pushes, recalls and lost journals."""
    walk(tmp_path / "c.db", seed)


def reclaim_on_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    """A grant whose time is over is taken back without its holder."""

    class Reclaim:
        def __init__(self, wall_ms: Callable[[], int]) -> None:
            self._wall_ms = wall_ms

        def block(self, connection) -> bool:
            book = Book(connection, self._wall_ms())
            for row in grants.open_rows(connection, limit=-1):
                if 0 < row.until_ms < book.now_ms:
                    granting.release(book, book.account(row.member_id), row, row.points)
            book.flush()
            return False

        def tell(self, done: object) -> None:
            pass

    monkeypatch.setattr(running.usage, "OldUsage", lambda due_ms, wall_ms: Reclaim(wall_ms))


def grant_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is lent counts as free."""
    monkeypatch.setattr(Account, "available", property(lambda self: max(self.left - self.held - self.debt, 0)))


def spend_without_taking_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """The row of a grant keeps what a sale spent of it."""
    monkeypatch.setattr(covering.granting, "used", lambda book, row, points: None)


def forget_recall(monkeypatch: pytest.MonkeyPatch) -> None:
    """Holders are not asked."""
    monkeypatch.setattr(
        holding, "recall", lambda book, account, points: sum(row.points for row in grants.open_of_member(
            book.connection, account.member_id))
    )  # fmt: skip


def forget_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a lost journal had stays lent to nobody: its till may spend it by its new one."""
    monkeypatch.setattr(push, "begin_epoch", lambda connection, till, epoch, now_ms: None)


def page_forgets(monkeypatch: pytest.MonkeyPatch) -> None:
    """A change of a grant gets no new position, so that its holder does not hear of it."""
    original = grants.put

    def put(connection, row) -> None:
        had = grants.find(connection, row.holder, row.member_id)
        original(connection, row if had is None else msgspec.structs.replace(row, position=had.position))

    monkeypatch.setattr(grants, "put", put)


@pytest.mark.parametrize(
    "mutate", [reclaim_on_timeout, grant_twice, spend_without_taking_off, forget_recall, forget_epoch, page_forgets]
)
@pytest.mark.mutants
def test_a_broken_cloud_is_found_out_by_walks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mutate: Callable[[pytest.MonkeyPatch], None]
) -> None:
    """Some seed notices."""
    mutate(monkeypatch)
    for seed in range(MUTANT_SEEDS):
        try:
            walk(tmp_path / f"{seed}.db", seed)
        except Exception:  # whatever it was: the walk was whole without the mutant
            return
    pytest.fail(f"no walk of {MUTANT_SEEDS} notices {mutate.__name__}")


def test_honouring_an_old_epochs_grant_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A till given up on, whose row says another epoch than its op: the check is what stops it."""

    def told(path: Path) -> str:
        world = LendingChain(path)
        world.member("m-1", points=1000)
        till: Till = world.taker()
        world.give(till, "m-1", 500)
        world.centre.write(lambda c: c.execute("UPDATE grants SET epoch = 7")).result()
        covered(till, "a", "m-1", 300, "grant")
        code = till.push_last().code
        world.centre.close()
        return code

    assert told(tmp_path / "a.db") == "grant_missing"
    original = grants.find
    monkeypatch.setattr(
        grants,
        "find",
        lambda c, holder, member: (row := original(c, holder, member)) and msgspec.structs.replace(row, epoch=1),
    )
    assert told(tmp_path / "b.db") == ""
