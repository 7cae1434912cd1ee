"""The bridge's own call comes while a report's document is under way: whatever comes first, it counts once."""

import inspect
import textwrap
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from fakes.frontol_report import FrontolTill
from integration.bridge.agent_kit import ANNA_CARD
from integration.frontol_files.reports_kit import Watched, watched
from till_agent.desk import Desk
from till_agent.frontol_files.accruing import Accruer
from till_agent.frontol_files.judging import Judge
from till_sync.problems import ProblemError

STRANGER = "2900000000025"


class Cut(Exception):  # noqa: N818 - it stands for the power
    """The end of the process, as far as the watcher can tell."""


def _day() -> datetime:
    return datetime.now().astimezone() - timedelta(days=1)


def _till(**fields: Any) -> FrontolTill:
    return FrontolTill(day=_day().strftime("%d.%m.%Y"), **fields)


def _own(shop: Watched, uid: str, number: int, amount: int = 10_000, minute: int = 1, **more: Any) -> None:
    """The bridge's own sale of a document."""
    at = _day().strftime(f"%Y-%m-%dT09:{minute:02d}:02")
    shop.sell(uid, amount, ANNA_CARD, number=str(number), shift="466", local_time=at, **more)


def _cut_at_sale(shop: Watched, patch: pytest.MonkeyPatch, *, after: bool) -> None:
    """Look until the desk is asked to sell, and end there: before it does, or when it has."""
    sell = Desk.sell

    async def cut(desk: Desk, *values: Any) -> Any:
        if after:
            await sell(desk, *values)
        raise Cut

    patch.setattr(Desk, "sell", cut)
    with pytest.raises(Cut):
        shop.look(3)
    patch.setattr(Desk, "sell", sell)


def prove_race(folder: Path, patch: pytest.MonkeyPatch) -> None:
    """Cut off before and after the desk sold; then Frontol's own call comes, and only then the next look."""
    till = _till()
    with watched(folder) as shop:
        before = shop.balance(ANNA_CARD)
        till.sale(ANNA_CARD)
        till.write(shop.path)
        _cut_at_sale(shop, patch, after=False)
        _own(shop, "own-1", till.document)
        shop.look()
        assert shop.ops() == [("sale", "own-1")]
        assert shop.states() == [("matched", "")]
        till.sale(ANNA_CARD)
        till.write(shop.path)
        _cut_at_sale(shop, patch, after=True)
        _own(shop, "own-2", till.document, minute=2)
        shop.look()
        assert [kind for kind, _ in shop.ops()[1:]] == ["sale", "sale", "void"]
        assert shop.states()[-1][0] == "withdrawn"
        assert shop.balance(ANNA_CARD) == before + 10


def test_a_sale_of_the_bridge_that_comes_while_ours_is_under_way_is_the_one_that_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prove_race(tmp_path, monkeypatch)


def prove_findings(folder: Path, _: pytest.MonkeyPatch) -> None:
    """Points spent, and a card of nobody's: listed; then the bridge's own sales come. Nothing is left to accept."""
    till = _till()
    till.begin(ANNA_CARD)
    till.line("milk", 1000, 10_000)
    till.bonus(2_000)
    till.pay(8_000)
    till.close(10_000, ANNA_CARD)
    first = till.document
    till.sale("no-card-at-all")
    with watched(folder) as shop:
        till.write(shop.path)
        shop.look()
        assert shop.states() == [("found", "points_spent"), ("found", "card_unknown")]
        _own(shop, "own-1", first)
        _own(shop, "own-2", first + 1, minute=2)
        with pytest.raises(ProblemError):
            shop.decide(shop.documents()[0].id, "accept")  # before a look
        shop.look()
        assert shop.states() == [("found", "differs"), ("matched", "")]
        assert shop.ops() == [("sale", "own-1"), ("sale", "own-2")]


def test_findings_are_looked_at_anew_when_the_bridges_own_sale_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prove_findings(tmp_path, monkeypatch)


def prove_two_ways(folder: Path, _: pytest.MonkeyPatch) -> None:
    """The payment system and the scenario sell one receipt, each under its own uid: a person is told of it."""
    till = _till()
    till.sale(ANNA_CARD)
    till.sale(ANNA_CARD)
    with watched(folder, policy="list") as shop:
        _own(shop, "0f5d9a4e-0000-4000-8000-000000000001", 101)
        _own(shop, "f-1-466-101", 101)
        _own(shop, "own-2", 102, minute=2)
        till.write(shop.path)
        shop.look()
        assert shop.states() == [("found", "counted_twice"), ("matched", "")]
        told = shop.documents()[0]
        assert {told.sale_uid, told.detail} == {"f-1-466-101", "0f5d9a4e-0000-4000-8000-000000000001"}


def test_a_receipt_that_two_ways_have_sold_is_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prove_two_ways(tmp_path, monkeypatch)


def prove_cancelled_number(folder: Path, _: pytest.MonkeyPatch) -> None:
    """A receipt was cancelled, and the next one has its number: the sale stays."""
    till = _till()
    till.begin(ANNA_CARD)
    till.line("milk", 1000, 3_000)
    till.close(3_000, ANNA_CARD, kind=56)
    till.document -= 1
    till.sale(ANNA_CARD)
    with watched(folder) as shop:
        _own(shop, "own-1", till.document)
        till.write(shop.path)
        shop.look()
        assert shop.ops() == [("sale", "own-1")]
        assert [state for state, _ in shop.states()] == ["ignored", "matched"]


def test_a_number_that_a_cancelled_receipt_had_before_is_no_cancelled_sale(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prove_cancelled_number(tmp_path, monkeypatch)


def prove_returns(folder: Path, patch: pytest.MonkeyPatch) -> None:
    """The same goods on two lines, back one by one; the second time the power goes when the journal has it."""
    till = _till()
    till.sale(ANNA_CARD, lines=(("milk", 1000, 10_000), ("milk", 1000, 10_000)))
    base = f"1/466/{till.document}"
    with watched(folder) as shop:
        for number in (1, 2):
            till.begin(ANNA_CARD, operation=1)
            till.line("milk", 1000, 10_000)
            till.pay(10_000)
            till.close(10_000, ANNA_CARD, kind=58, base=base)
            till.write(shop.path)
            if number == 1:
                shop.look(3)
                continue
            give_back = Desk.give_back

            async def cut(desk: Desk, *values: Any, _done: Any = give_back, **more: Any) -> Any:
                await _done(desk, *values, **more)
                raise Cut

            patch.setattr(Desk, "give_back", cut)
            with pytest.raises(Cut):
                shop.look(3)
            patch.setattr(Desk, "give_back", give_back)
            shop.look(3)
        assert [kind for kind, _ in shop.ops()] == ["sale", "return", "return"]
        assert [state for state, _ in shop.states()] == ["accrued"] * 3


def test_the_same_goods_come_back_one_by_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prove_returns(tmp_path, monkeypatch)


MUTANTS: dict[str, tuple[Any, str, str, str, Callable[[Path, pytest.MonkeyPatch], None]]] = {
    "goes on without a look at the journal": (Judge, "_of_own", 'record.kind != "sale" or', "True or", prove_race),
    "never withdraws what was met on the way": (Judge, "_accrue", "if found is not None:", "if False:", prove_race),
    "looks at no finding again": (Judge, "_met", "in LOOKED_AT_ANEW", "in ()", prove_findings),
    "takes the first of two uids": (Judge, "_of_match", 'document.kind == "sale" and', "False and", prove_two_ways),
    "voids whatever has the number": (
        Judge,
        "_decide",
        "if self._sold_after(record)",
        "if False",
        prove_cancelled_number,
    ),
    "forgets what came back": (Accruer, "give_back", "if earlier is not None:", "if False:", prove_returns),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_each_proof_of_a_race_sees_its_mistake(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    holder, method, whole, broken, proof = MUTANTS[name]
    source = textwrap.dedent(inspect.getsource(getattr(holder, method)))
    assert source.count(whole) == 1, f"expected {whole!r} once in {method}"
    made: dict[str, Any] = {}
    exec(source.replace(whole, broken), vars(inspect.getmodule(holder)), made)
    monkeypatch.setattr(holder, method, made[method])
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        proof(tmp_path, monkeypatch)
