"""Suppliers' bills and what each rule gave: sums of a span of business days."""

from datetime import date
from pathlib import Path

from till_cloud import reports
from till_loyalty.programme import Rule
from till_loyalty.rule_parts import Funding, Match
from unit.cloud.cloud_ledger_kit import Shop, aged, shop

FIRST, LAST = date(2027, 1, 15), date(2027, 1, 31)
RULES = (
    Rule(id="base", percent_basis_points=1000),
    Rule(
        id="sweets",
        percent_basis_points=500,
        match=Match(categories=(("sweets",),)),
        funded_by=Funding(supplier="Bakery", share_basis_points=4000),
    ),
)


def sold(world: Shop):
    world.member("m-1")
    till = world.till()
    world.sell(till, "a", "m-1", 10_000, sweets=True)
    world.sell(till, "b", "m-1", 10_000)
    world.sell(till, "c", "m-1", 4_000, sweets=True)
    till.push()
    return till


def test_a_bill_is_what_was_given_less_what_came_back(tmp_path: Path) -> None:
    """700 points of which the supplier pays 40 %; half of the first sale comes back."""
    with shop(tmp_path / "c.db", rules=aged(rules=RULES)) as world:
        till = sold(world)
        bill = world.centre.read(lambda c: reports.suppliers(c, FIRST, LAST))
        assert bill == [reports.SupplierLine("Bakery", "sweets", 700, 700, 280, 280, 0, 0, 280)]
        world.bring_back(till, "r", "a", quantity=500)
        till.push_last()
        bill = world.centre.read(lambda c: reports.suppliers(c, FIRST, LAST))
        assert bill == [reports.SupplierLine("Bakery", "sweets", 450, 450, 180, 180, 0, 0, 180)]
        assert world.centre.read(lambda c: reports.suppliers(c, date(2027, 1, 16), LAST)) == []


def test_what_each_rule_gave_leaves_out_voided_sales(tmp_path: Path) -> None:
    with shop(tmp_path / "c.db", rules=aged(rules=RULES)) as world:
        till = sold(world)
        till.void("c")
        till.push_last()
        given = world.centre.read(lambda c: reports.given(c, FIRST, LAST))
        assert given == [
            reports.RuleLine("rule", "base", 2, 2000, 0),
            reports.RuleLine("rule", "sweets", 1, 500, 0),
        ]
        assert world.centre.read(lambda c: reports.given(c, date(2027, 1, 16), LAST)) == []
