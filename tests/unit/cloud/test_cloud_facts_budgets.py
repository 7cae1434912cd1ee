"""Budgets: shares of tills are granted when they pull, and all of them together never pass the budget."""

import random
from pathlib import Path

import pytest
from msgspec.structs import replace

from till_cloud import budgets
from till_cloud.store.budgets import ShareRow
from till_cloud.verify import verify
from till_loyalty.programme import Programme, Rule
from till_loyalty.rule_parts import Limit
from unit.cloud.cloud_desk import Desk
from unit.cloud.cloud_kit import Chain, chain, programme

TOTAL = 10_000
SALE = 700
"""What the rule gives on one receipt, where the budget lets it."""


def rules(total: int = TOTAL, offline: str = "share", version: int = 1) -> Programme:
    return programme(
        version,
        tiers=(),
        rules=(Rule(id="action", points=SALE, limits=(Limit(per="budget", amount=total, offline=offline),)),),
    )


def rows(world: Chain) -> list[ShareRow]:
    return [
        ShareRow(*row) for row in world.rows("SELECT till, rule, granted, used FROM budget_shares ORDER BY rule, till")
    ]


def check(world: Chain, total: int = TOTAL) -> None:
    assert sum(row.granted for row in rows(world)) <= total
    assert all(row.used <= row.granted for row in rows(world))


def test_a_pull_brings_a_fair_share_and_tops_it_up_when_half_is_gone(tmp_path: Path) -> None:
    with chain(tmp_path / "c.db", rules=rules()) as world:
        world.member("m-1")
        one, two = Desk(world, "k1"), Desk(world, "k2")
        assert (one.pull().shares, two.pull().shares) == ({"action": 2_500}, {"action": 2_500})
        one.sold("a", "m-1")
        assert one.pull().shares == {"action": 1_800}
        one.sold("b", "m-1")
        one.sold("c", "m-1")
        assert one.pull().shares == {"action": 1_975}  # a quarter of the 7,900 that are not spent
        check(world)


def test_a_till_gives_its_share_and_not_a_point_more(tmp_path: Path) -> None:
    """Offline for long: the last sale is trimmed, those after it get nothing, and the cloud agrees with each."""
    with chain(tmp_path / "c.db", rules=rules(3_200)) as world:
        world.member("m-1")
        one, two = Desk(world, "k1"), Desk(world, "k2")
        one.pull(), two.pull()
        for uid in ("a", "b", "c"):
            one.sell(uid, "m-1", offline=True)
        assert [(r.status, r.effect_points) for r in one.push()] == [("applied", 700), ("applied", 100), ("applied", 0)]
        check(world, 3_200)


def test_a_till_that_invents_a_share_is_held_to_its_own(tmp_path: Path) -> None:
    with chain(tmp_path / "c.db", rules=rules(800)) as world:
        world.member("m-1")
        one, two = Desk(world, "k1"), Desk(world, "k2")
        one.pull(), two.pull()
        one.shares = {"action": 10**6}
        result = one.sold("a", "m-1")
        assert (result.code, result.effect_points) == ("facts_differ", 200)
        check(world, 800)


def test_a_return_gives_nothing_back_of_a_budget(tmp_path: Path) -> None:
    with chain(tmp_path / "c.db", rules=rules()) as world:
        world.member("m-1")
        desk = Desk(world)
        desk.pull()
        desk.sold("a", "m-1")
        desk.returned("r", "a")
        assert [row.used for row in rows(world)] == [SALE]


def test_a_small_budget_of_many_tills_goes_to_those_who_ask_first(tmp_path: Path) -> None:
    with chain(tmp_path / "c.db", rules=rules(3)) as world:
        shares = [Desk(world, f"k{number}").pull().shares["action"] for number in range(5)]
        assert sum(shares) == 3


def test_a_budget_that_was_lowered_grants_nothing_more(tmp_path: Path) -> None:
    with chain(tmp_path / "c.db", rules=rules()) as world:
        world.member("m-1")
        one, two = Desk(world, "k1"), Desk(world, "k2")
        one.pull()
        world.upload(rules(1_000, version=2))
        assert two.pull().shares == {"action": 0}
        view = world.centre.read(lambda c: budgets.view(c, world.programme))[0]
        assert (view.total, view.granted, view.used) == (1_000, 2_500, 0)


def test_a_programme_without_budgets_writes_nothing_at_a_pull(tmp_path: Path) -> None:
    with chain(tmp_path / "c.db") as world:
        assert Desk(world).pull().shares == {}
        assert rows(world) == []


@pytest.mark.parametrize("seed", range(6))
def test_budgets_are_never_over_granted_nor_overspent(tmp_path: Path, seed: int) -> None:
    """Pulls, sales and pushes of four tills in any order, some offline for most of the time, until it is all gone."""
    dice = random.Random(seed)
    with chain(tmp_path / "c.db", rules=rules()) as world:
        world.member("m-1")
        desks = [Desk(world, f"k{number}") for number in range(4)]
        for desk in desks:
            desk.pull()
        given = 0
        for step in range(120):
            desk = dice.choice(desks)
            what = dice.choices(("sell", "push", "pull"), (5, 2, 2))[0]
            if what == "sell":
                desk.sell(f"u{step}", "m-1", offline=dice.random() < 0.5)
            elif len(desk.till.ops) > desk.acked:
                given += sum(result.effect_points for result in desk.push())
            if what == "pull":
                desk.pull()
            check(world)
        for desk in desks:
            if len(desk.till.ops) > desk.acked:
                given += sum(result.effect_points for result in desk.push())
        check(world)
        assert given == sum(row.used for row in rows(world)) <= TOTAL
        assert world.rows("SELECT count(*) FROM ops WHERE status <> 'applied'") == [(0,)]
        assert world.centre.read(verify).holds


def test_a_discount_may_pass_its_share_only_by_what_was_taken(tmp_path: Path) -> None:
    """The money is off already; the next grant takes it into account."""
    row = ShareRow("k1", "action", 100, 150)
    assert (row.left, row.taken) == (0, 150)
    assert replace(row, used=20).left == 80
