"""Invariants 2, 4, 5, 6, 7 and 11 over random chains; and for each a broken cloud that the same chains find out."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from till_cloud import holding
from till_cloud.ingest import counting, covering, push, reversals, sales
from till_cloud.ledger import account, book
from till_cloud.ledger.account import Account, Draft
from till_cloud.store import holds, meta, ops
from unit.cloud import cloud_world

SEEDS = 25
MUTANT_SEEDS = 25


@pytest.mark.parametrize("seed", range(SEEDS))
def test_the_ledger_adds_up_whatever_the_tills_do(tmp_path: Path, seed: int) -> None:
    """After every push all sums hold; at the end every balance is what the tills worked out."""
    cloud_world.run(tmp_path / "c.db", seed)


def apply_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """2: known ops are applied again."""
    monkeypatch.setattr(push.Ingest, "_duplicates", lambda *_: [])
    monkeypatch.setattr(ops, "has_sale", lambda *_: False)
    for name in ("_ADD_OP", "_ADD_SALE"):
        monkeypatch.setattr(ops, name, getattr(ops, name).replace("INSERT", "INSERT OR REPLACE"))


def forget_verdicts(monkeypatch: pytest.MonkeyPatch) -> None:
    """3: a duplicate is told today's numbers."""
    monkeypatch.setattr(ops, "_VERDICTS", ops._VERDICTS.replace(" balance,", " balance + 1,"))


def same_uid_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """2: a sale's uid counts as often as it comes."""
    monkeypatch.setattr(ops, "has_sale", lambda *_: False)
    monkeypatch.setattr(ops, "_ADD_SALE", ops._ADD_SALE.replace("INSERT", "INSERT OR REPLACE"))


def accept_gaps(monkeypatch: pytest.MonkeyPatch) -> None:
    """4: ops are taken out of order."""
    monkeypatch.setattr(push, "_position", lambda till, request: min(till.acked_seq, request.first_seq - 1))
    monkeypatch.setattr(push, "_check_chain", lambda *_: None)


def stop_at_poison(monkeypatch: pytest.MonkeyPatch) -> None:
    """4: a bad op fails its batch for ever."""

    def refuse(_context: object, _op_id: object, code: str, _detail: str) -> None:
        raise RuntimeError(code)

    monkeypatch.setattr(push, "_rejection", refuse)


def lose_lots(monkeypatch: pytest.MonkeyPatch) -> None:
    """5: spent lots are not written."""
    original = book._dirty_rows
    monkeypatch.setattr(book, "_dirty_rows", lambda a: [row for row in original(a) if row[2] == row[3]])


def net_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """6: points given back are taken off what was redeemed, so that only the net stays."""

    def count(self: Draft, move: account.Movement) -> None:
        if move.kind == "give_back":
            self.figures.redeemed -= move.points
        else:
            original(self, move)

    original = Draft._count
    monkeypatch.setattr(Draft, "_count", count)


def promise_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """7: holds don't reduce what may be promised."""
    monkeypatch.setattr(Account, "available", property(lambda self: max(self.left - self.debt, 0)))


def spend_without_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    """7: the till's word is enough to spend."""
    original = sales.promised

    def promise(context: object, version: object, body: sales.SaleBody, who: Account | None) -> covering.Promise:
        found = original(context, version, body, who)
        wanted = body.result.redeemed_points
        if found.code and who is not None and wanted <= who.available:
            row = holds.HoldRow(
                hold="x", till="", member_id="", sale_uid="", points=0, state="open", made_at_ms=0, expires_at_ms=0,
                balance=wanted, held=0, position=0,
            )  # fmt: skip
            return covering.Promise(hold=row, points=wanted, spendable=wanted)
        return found

    monkeypatch.setattr(sales, "promised", promise)


def release_by_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """7: an expired hold is given back although its sale may be on the way."""
    original = push.tills.advance

    def advance(connection, till, **figures) -> None:  # type: ignore[no-untyped-def]  # as the original's
        later = book.Book(connection, figures["now_ms"])
        for row in [*holds.forgotten(connection, "k0", later.now_ms), *holds.forgotten(connection, "k1", later.now_ms)]:
            holding.release_row(later, row, resolved_by="time")
        later.flush()
        original(connection, till, **figures)

    monkeypatch.setattr(push.tills, "advance", advance)


def pay_out_the_unspent(monkeypatch: pytest.MonkeyPatch) -> None:
    """7: returning what no hold paid for gives points."""
    monkeypatch.setattr(counting, "_unspent", lambda counted: counted)


def take_back_half(monkeypatch: pytest.MonkeyPatch) -> None:
    """6: a void takes only half of what the sale earned."""
    original = reversals.reverse

    def less(*args: object, **kwargs: object) -> object:
        found = original(*args, **kwargs)
        return reversals.msgspec.structs.replace(found, points_taken=found.points_taken // 2)

    monkeypatch.setattr(reversals, "reverse", less)


def forget_the_counter(monkeypatch: pytest.MonkeyPatch) -> None:
    """11: positions start again after a while."""
    counter = itertools.count()
    original = meta.set_position
    monkeypatch.setattr(meta, "set_position", lambda c, value: original(c, value if next(counter) % 7 else 1))


MUTANTS = (
    apply_twice,
    forget_verdicts,
    same_uid_again,
    accept_gaps,
    stop_at_poison,
    lose_lots,
    net_only,
    promise_twice,
    spend_without_hold,
    release_by_time,
    pay_out_the_unspent,
    take_back_half,
    forget_the_counter,
)


@pytest.fixture
def paths(tmp_path: Path) -> Iterator[Path]:
    return (tmp_path / f"c{number}.db" for number in itertools.count())


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)
@pytest.mark.mutants
def test_a_broken_cloud_is_found_out(mutant: Callable, paths: Iterator[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """Each mutant breaks a rule on purpose; some of a few random chains must fail with it."""
    mutant(monkeypatch)
    failures = 0
    for seed in range(MUTANT_SEEDS):
        try:
            cloud_world.run(next(paths), seed)
        except Exception:
            failures += 1
            break
    assert failures, f"{mutant.__doc__} and nobody noticed"
