"""Rules broken on purpose: for each, a property above must fail. A property that lets a mutant live proves nothing."""

import inspect
import sys
import textwrap
from collections.abc import Callable
from types import ModuleType
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from till_loyalty import accrual, allocation, lots, money, plan, redemption, returns
from till_loyalty.engine import calculate
from till_loyalty.exceptions import InvariantError, LedgerError
from unit.loyalty import loyalty_properties as properties
from unit.loyalty.loyalty_ledger import replay
from unit.loyalty.loyalty_support import CLOCK, ROUNDINGS, members, programmes, receipts, wishes

Property = Callable[[st.DataObject], object]
CASE = (programmes(), members, receipts(8), wishes)


def engine_property(data: st.DataObject) -> None:
    properties.engine_matches_reference(*(data.draw(each) for each in CASE))


def totals_property(data: st.DataObject) -> None:
    properties.totals_add_up(*(data.draw(each) for each in CASE))


def split_property(data: st.DataObject) -> None:
    pairs = data.draw(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=2, max_size=6))
    room = sum(cap for weight, cap in pairs if weight)
    weights, caps = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    numbers = data.draw(st.permutations(range(len(pairs))))
    properties.split_matches_reference(data.draw(st.integers(0, room)), weights, caps, [n + 1 for n in numbers])


def pieces_property(data: st.DataObject) -> None:
    rules, member, receipt, wish = (data.draw(each) for each in CASE)
    properties.pieces_sum_to_the_whole(calculate(rules, member, receipt, CLOCK, redeem_points=wish), data)


def loop_property(data: st.DataObject) -> None:
    rules, member, receipt, wish = (data.draw(each) for each in CASE)
    properties.loop_of_buying_and_returning(calculate(rules, member, receipt, CLOCK, redeem_points=wish), data)


def rounding_property(data: st.DataObject) -> None:
    properties.division_matches_fractions(
        data.draw(st.integers(0, 40)), data.draw(st.integers(1, 8)), data.draw(st.sampled_from(ROUNDINGS))
    )


def ledger_property(data: st.DataObject) -> None:
    replay(data, steps=10)


class Mutant(NamedTuple):
    """One change of one function's source, and the properties that must notice it."""

    holder: ModuleType | type
    name: str
    old: str
    new: str
    caught_by: tuple[Property, ...]


MUTANTS = {
    "split loses a cent": Mutant(
        allocation, "_largest_remainder", "[:left_over]", "[: left_over - 1]", (split_property, totals_property)
    ),
    "split makes a cent": Mutant(
        allocation, "_largest_remainder", "[:left_over]", "[: left_over + 1]", (split_property, totals_property)
    ),
    "ties go to the higher line": Mutant(
        allocation,
        "_largest_remainder",
        "places[index], index)",
        "-places[index], index)",
        (split_property, engine_property),
    ),
    "a cap is passed by one": Mutant(
        allocation,
        "_allocate_within",
        "parts[index] = caps[index]",
        "parts[index] = caps[index] + 1",
        (split_property,),
    ),
    "lines reach their caps in the wrong order": Mutant(
        allocation, "_allocate_within", "(caps[index] << shift) // weights[index]", "caps[index]", (split_property,)
    ),
    "floor is ceil": Mutant(
        money, "divide", 'rounding == "floor"', 'rounding == "ceil"', (engine_property, rounding_property)
    ),
    "half even is half up": Mutant(money, "divide", "(quotient & 1)", "1", (rounding_property,)),
    "a legal exclusion is overridden": Mutant(
        plan.Plan, "_exclude", "legal = exclusion.legal", "legal = False", (engine_property, totals_property)
    ),
    "a category matches anywhere": Mutant(
        plan.Matcher, "_named", "category[:length]", "category[-length:]", (engine_property,)
    ),
    "a line in two lists counts twice": Mutant(
        plan.Matcher, "_named", "taken[-1] != index", "True", (engine_property,)
    ),
    "rules act in the order of the document": Mutant(
        plan.Plan, "__init__", "key=lambda rule: (rule.priority, rule.id)", "key=lambda rule: 0", (engine_property,)
    ),
    "the share is rounded up": Mutant(
        redemption,
        "redeem",
        "* terms.max_share_basis_points // WHOLE_PERCENT",
        "* terms.max_share_basis_points // WHOLE_PERCENT + 1",
        (engine_property, totals_property),
    ),
    "least prices are forgotten": Mutant(
        redemption, "redeem", "weight - line.minimum_price_minor", "weight", (engine_property, totals_property)
    ),
    "the step is forgotten": Mutant(
        redemption,
        "redeem",
        "points = min(asked, redeemable) // unit * unit",
        "points = min(asked, redeemable)",
        (engine_property, totals_property),
    ),
    "an excluded line raises the share": Mutant(
        redemption, "redeem", "sum(weights)", "sum(line.amount_minor for line in lines)", (engine_property,)
    ),
    "all of a group give": Mutant(accrual, "_rules_that_give", "if not best:", "if True:", (engine_property,)),
    "an exclusive rule takes nothing": Mutant(
        accrual, "_rules_that_give", "free[index] = False", "pass", (engine_property,)
    ),
    "tiers are not looked at": Mutant(
        plan, "_is_for_tier", "if rule.tiers and tier not in rule.tiers:", "if False:", (engine_property,)
    ),
    "a minimum sum wants more than the sum": Mutant(
        accrual,
        "_rules_that_give",
        "base_sum < rule.minimum_sum_minor",
        "base_sum <= rule.minimum_sum_minor",
        (engine_property,),
    ),
    "rounding by line is by receipt": Mutant(
        accrual, "_award", 'programme.round_at == "line"', "False", (engine_property,)
    ),
    "returns are not cumulative": Mutant(
        returns._Progress, "take", "after = self.amount + amount", "after = amount", (pieces_property, loop_property)
    ),
    "earned points come back rounded down": Mutant(
        returns,
        "_taken_due",
        "-(-sold.earned_points * money // sold.payable_minor)",
        "sold.earned_points * money // sold.payable_minor",
        (pieces_property,),
    ),
    "spent points come back rounded up": Mutant(
        returns._Progress,
        "take",
        "sold.redeemed_points * after // whole",
        "-(-sold.redeemed_points * after // whole)",
        (pieces_property,),
    ),
    "earlier returns are forgotten": Mutant(
        returns, "reverse", "known.add(row)", "pass", (pieces_property, loop_property)
    ),
    "points come back into the first lot": Mutant(
        lots, "give_back", "index = work.index_of(use.lot_id)", "index = 0", (loop_property, ledger_property)
    ),
    "never-expiring lots are spent first": Mutant(
        lots._Work,
        "by_expiry",
        "(due is None, due or 0, index)",
        "(due is not None, due or 0, index)",
        (ledger_property,),
    ),
    "new points do not pay a debt": Mutant(lots, "earn", "work.pay_debt([lot_id], points)", "pass", (ledger_property,)),
    "a debt is paid and still owed": Mutant(lots._Work, "pay_debt", "self._debt -= paid", "pass", (ledger_property,)),
    "what can not be taken is forgotten": Mutant(lots, "take_back", "work.owe(points)", "pass", (ledger_property,)),
    "lots expire a moment late": Mutant(lots, "expire", "due > now_ms", "due >= now_ms", (ledger_property,)),
    "a lot gives more than it has": Mutant(lots._Work, "move", "min(source, most)", "most", (ledger_property,)),
}


def plant(mutant: Mutant, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the changed function in place of the right one, compiled in the module's own names."""
    function: Any = getattr(mutant.holder, mutant.name)
    source = textwrap.dedent(inspect.getsource(function))
    assert source.count(mutant.old) >= 1, f"the code that this mutant changes is gone: {mutant.old!r}"
    changed: dict[str, Any] = {}
    names = inspect.unwrap(function).__globals__  # a function whose answers are kept is wrapped, and so is its mutant
    exec(compile(source.replace(mutant.old, mutant.new), f"<mutant of {mutant.name}>", "exec"), names, changed)
    holders = [mutant.holder, *(module for name, module in sys.modules.items() if name.startswith("till_loyalty."))]
    for holder in holders:  # also where it was imported by name
        if getattr(holder, mutant.name, None) is function:
            monkeypatch.setattr(holder, mutant.name, changed[mutant.name])
    monkeypatch.setattr(plan, "_plans", ())


def hold(one_property: Property) -> None:
    """Draw cases until the property fails, or does not; no shrinking, nothing kept."""

    @settings(
        max_examples=6000,
        deadline=None,
        database=None,
        derandomize=True,
        report_multiple_bugs=False,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def cases(data: st.DataObject) -> None:
        one_property(data)

    cases()


@pytest.mark.parametrize("name", MUTANTS)
def test_a_broken_rule_is_caught(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each property named beside the mutant fails on it, by its own assertion or by the rules' invariants."""
    mutant = MUTANTS[name]
    plant(mutant, monkeypatch)
    for one_property in mutant.caught_by:
        with pytest.raises((AssertionError, InvariantError, LedgerError)):
            hold(one_property)


def test_a_mutant_of_nothing_is_not_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: planting an unchanged function fails no property, so what fails above fails for the change."""
    plant(Mutant(money, "divide", "remainder", "remainder", ()), monkeypatch)
    plant(Mutant(allocation, "_largest_remainder", "left_over", "left_over", ()), monkeypatch)
    engine_property_once = settings(max_examples=30, deadline=None, database=None)(given(st.data())(engine_property))
    engine_property_once()
